/* The insides of a running gateway, for the moongate_*.c files alone. */
#ifndef MOONGATE_PARTS_H
#define MOONGATE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gateway.h"
#include "moongate.h"
#include "reload_queue.h"

struct accounts;
struct admission;
struct bundle;
struct cluster;
struct keyring;
struct ledger;
struct log;
struct metrics;
struct outbox;
struct resolver;
struct shared;
struct shelf;
struct learned;
struct watch;
struct worker;

struct moongate {
    struct moongate_options options; /* strings borrowed */
    struct resolver *resolver;
    struct shared *shared;
    struct accounts *accounts;
    struct keyring *keyring;
    struct metrics *metrics;
    struct admission *admission;
    struct log *log;
    struct shelf *shelf;
    struct learned *learned;
    struct ledger *ledger;
    struct cluster *cluster; /* NULL: limits are this gateway's alone */
    struct outbox *outbox;   /* NULL: usage stays here */
    struct bundle *files;    /* counted; what is served with; NULL before the first */
    struct watch *watch;     /* NULL: not asked for */
    struct worker **workers;
    pthread_t *threads;
    unsigned worker_count, running; /* threads that were started */
    int listen_fd, admin_fd;        /* admin: -1 when off */
    int lock_fd, keeper_fd;
    bool admin_loopback;
    bool own_listen, own_admin, keeper_runs, watchdog_runs;
    pthread_t keeper, watchdog;
    atomic_bool closing;
    atomic_uint serving; /* workers whose threads have not ended */
    int sync_fd;
    bool syncer_runs;
    bool sync_fails;        /* the syncer's alone */
    atomic_llong synced_ms; /* monotonic: what was written before is on disk */
    unsigned lag_gauge;     /* metric id */
    pthread_t syncer;
    struct reload_queue queue;

    pthread_mutex_t reloading; /* one reload at a time, none once `stopping` */
    bool stopping;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t loaded;
    unsigned awaited, failed; /* workers that have not loaded; that could not */
    struct gateway_status status;
    char *last_error; /* owned */
};

/* ---- moongate_reload.c ---- */

/* Read all files and serve with them: all or nothing; one at a time. False: *error says why. */
bool moongate_load_files(struct moongate *gateway, char **error);
/* In a worker's thread: it serves with the files it was handed, or could not. */
void moongate_on_loaded(struct moongate *gateway, bool loaded);

/* ---- moongate_sync.c ---- */

void *moongate_sync_run(void *argument);
/* Sync now. Any thread. */
void moongate_want_sync(struct moongate *gateway);
/* Set moongate_journal_lag_seconds. */
void moongate_tell_lag(struct moongate *gateway);

/* ---- moongate_cluster.c ---- */

/* Share limits and usage with other gateways, where that is asked for. */
bool moongate_join(struct moongate *gateway, char **error);
void moongate_leave(struct moongate *gateway);

/* ---- moongate_threads.c ---- */

bool moongate_start_threads(struct moongate *gateway);
/* Lets requests finish for drain_ms; returns when no thread runs. */
void moongate_stop_threads(struct moongate *gateway);

#endif
