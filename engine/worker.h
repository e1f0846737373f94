/* One thread: loop, server, client, scripts, journal; and the order of a turn. */
#ifndef MOONGATE_WORKER_H
#define MOONGATE_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct accounts;
struct admission;
struct bundle;
struct journal;
struct keyring;
struct ledger;
struct log;
struct metrics;
struct moongate;
struct resolver;
struct shared;
struct shelf;
struct learned;
struct vm;
struct worker;

/* All pointers borrowed; outlive the worker. */
struct worker_options {
    unsigned index;
    int listen_fd;
    bool listen_ends; /* server.h */
    int admin_fd;     /* -1: another worker's, or none */
    bool loopback;
    unsigned pause_connections; /* server.h */
    struct admission *admission;
    const char *data_dir;
    const char *ca_file; /* NULL: the system's */
    struct resolver *resolver;
    struct shared *shared;
    struct accounts *accounts;
    struct keyring *keyring;
    const struct shelf *shelf;
    struct learned *learned;
    struct metrics *metrics;
    struct log *log;
    struct ledger *ledger;
    struct moongate *gateway;
    /* In the worker's thread: lines were written that tasks want on disk; NULL: none waits for
     * that. worker_wake() when they are. */
    void (*want_sync)(struct moongate *gateway);
    /* In the worker's thread: what was handed over serves now, or (false) could not be loaded.
     */
    void (*on_loaded)(struct moongate *gateway, bool loaded);
};

struct worker *worker_new(const struct worker_options *options, char **error)
    __attribute__((warn_unused_result));
void worker_free(struct worker *worker);

/* The thread's body: turns until worker_stop() and then until all is answered or cut. `clock`
 * is the thread's processor time. */
void worker_run(struct worker *worker, clockid_t clock);

/* The files as a state that only this worker may serve with, built in the calling thread
 * whatever the worker does meanwhile. `first`: what is to be warned of is warned of here. NULL
 * with *error as vm_load() has it. */
struct vm *worker_prepare(struct worker *worker, struct bundle *files, bool first, char **error)
    __attribute__((warn_unused_result));
/* Serve with it from the next turn on. Any thread; takes it over. */
void worker_serve(struct worker *worker, struct vm *vm);
/* Prepare in the worker's own thread, and serve: a worker that serves nobody yet has the time.
 * Any thread; takes over one hold of the bundle. */
void worker_begin(struct worker *worker, struct bundle *files);
/* Stop accepting; cut what still runs at `deadline_ms` (monotonic). Any thread. */
void worker_stop(struct worker *worker, int64_t deadline_ms);

/* The watchdog's look: stops operator code that has run too long. False: the worker has not
 * come back from its scripts for 5 s. Any thread. */
bool worker_look(struct worker *worker, int64_t now_ms);
struct journal *worker_journal(struct worker *worker);
/* Look again at what tasks wait for. Any thread. */
void worker_wake(struct worker *worker);

#endif
