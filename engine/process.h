/* What the kernel says of this process, as Prometheus wants it: process_*.
 *
 * Knows /proc. Any thread. */
#ifndef MOONGATE_PROCESS_H
#define MOONGATE_PROCESS_H

#include <stdbool.h>

struct buf;

/* What cannot be read is left out. False: the buffer is full. */
bool process_print(struct buf *out) __attribute__((warn_unused_result));

#endif
