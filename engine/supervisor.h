/* A small parent that keeps the listening sockets, so that a crash never makes a connection
 * refused: it starts the serving process, hands signals on, and starts it again when it dies.
 *
 * Knows sockets, signals and processes; runs before any thread exists. */
#ifndef MOONGATE_SUPERVISOR_H
#define MOONGATE_SUPERVISOR_H

#include "moongate.h"

/* Serves in the child; returns its exit code. `ready` is written one byte once it serves, and
 * is the callee's to close; `again`: not the first child. */
typedef int supervisor_serve(const struct moongate_options *options, int ready, bool again);

/* Binds, serves, and returns the exit code of all. */
int supervisor_run(const struct moongate_options *options, supervisor_serve *serve);

#endif
