/* The threads of a gateway: workers, the ledger's, the syncer, the keeper, the watchdog. */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "admission.h"
#include "journal.h"
#include "learned.h"
#include "ledger.h"
#include "log.h"
#include "moment.h"
#include "moongate_parts.h"
#include "watch.h"
#include "worker.h"

enum {
    KEEPER_MS = 50,
    SETTLE_MS = 200, /* an editor's several writes are one save */
    LOOK_MS = 10,    /* of the watchdog */
    KEEP_MS = 60000, /* what was learned of tokens: a crash may take that much */
};

static void wake_keeper(struct moongate *gateway)
{
    uint64_t one = 1;
    ssize_t written = write(gateway->keeper_fd, &one, sizeof(one));

    (void)written; /* full: it is awake anyway */
}

struct reload_job *gateway_reload_later(struct moongate *gateway, struct loop *loop)
{
    struct reload_job *job = reload_queue_add(&gateway->queue, loop);

    if (job) wake_keeper(gateway);
    return job;
}

/* ---- the keeper: keeps what was learned, reloads for others ---- */

/* One reload answers all who were waiting when it began. */
static void run_jobs(struct moongate *gateway)
{
    struct reload_job *job = reload_queue_take(&gateway->queue);
    char *error = NULL;

    if (!job) return;
    bool fine = moongate_reload(gateway, &error);
    while (job) {
        job = reload_job_finish(job, fine ? NULL : error ? error : "out of memory");
    }
    free(error);
}

static void keep_journals(struct moongate *gateway)
{
    for (unsigned i = 0; i < gateway->worker_count; i++) {
        (void)journal_sync(worker_journal(gateway->workers[i])); /* the last try */
    }
}

static void keep_lessons(struct moongate *gateway)
{
    if (learned_save(gateway->learned, gateway->options.data_dir)) return;
    log_event(gateway->log, LOG_WARN, "tokens", "what was learned of tokens cannot be written");
}

static void *keeper_run(void *argument)
{
    struct moongate *gateway = argument;
    int64_t reload_at = 0, kept_at = moment_monotonic_us() / 1000;

    while (!atomic_load(&gateway->closing)) {
        struct pollfd fds[] = {
            {.fd = gateway->keeper_fd, .events = POLLIN},
            {.fd = gateway->watch ? watch_fd(gateway->watch) : -1, .events = POLLIN},
        };
        uint64_t count;
        if (poll(fds, 2, KEEPER_MS) > 0 && fds[0].revents) {
            ssize_t got = read(gateway->keeper_fd, &count, sizeof(count));
            (void)got; /* the wake-up itself is all there is to know */
        }
        int64_t now = moment_monotonic_us() / 1000;
        if (gateway->watch && watch_changed(gateway->watch)) reload_at = now + SETTLE_MS;
        if (reload_at && now >= reload_at) {
            char *error = NULL;
            reload_at = 0;
            (void)moongate_reload(gateway, &error); /* it has logged why not */
            free(error);
        }
        run_jobs(gateway);
        moongate_tell_lag(gateway);
        if (now - kept_at >= KEEP_MS) {
            kept_at = now;
            keep_lessons(gateway);
        }
    }
    return NULL;
}

/* ---- the watchdog ---- */

/* A stalled worker serves nobody: dump what is known and let the supervisor start afresh. */
static void give_up(struct moongate *gateway, unsigned worker)
{
    log_event(gateway->log, LOG_ERROR, "watchdog",
              "worker %u has run scripts for 5 s without a pause: aborting", worker);
    log_flush(gateway->log);
    abort();
}

static void *watchdog_run(void *argument)
{
    struct moongate *gateway = argument;
    struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};

    while (!atomic_load(&gateway->closing)) {
        nanosleep(&look, NULL);
        int64_t now = moment_unhurried_us() / 1000;
        for (unsigned i = 0; i < gateway->worker_count; i++) {
            if (!worker_look(gateway->workers[i], now)) give_up(gateway, i);
        }
        admission_look(gateway->admission, now);
    }
    return NULL;
}

/* ---- start and stop ---- */

struct post {
    struct moongate *gateway;
    struct worker *worker;
};

/* What the watchdog reads of a worker: its processor time, or the wall's where there is none.
 */
static clockid_t own_clock(void)
{
    clockid_t clock;

    return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : CLOCK_MONOTONIC;
}

static void *worker_thread(void *argument)
{
    struct post post = *(struct post *)argument;

    free(argument);
    worker_run(post.worker, own_clock());
    atomic_fetch_sub(&post.gateway->serving, 1);
    return NULL;
}

static bool start_worker(struct moongate *gateway, unsigned i)
{
    struct post *post = malloc(sizeof(*post)); /* the thread's to free */

    if (!post) return false;
    *post = (struct post){gateway, gateway->workers[i]};
    atomic_fetch_add(&gateway->serving, 1);
    if (pthread_create(&gateway->threads[i], NULL, worker_thread, post) == 0) return true;
    atomic_fetch_sub(&gateway->serving, 1);
    free(post);
    return false;
}

bool moongate_start_threads(struct moongate *gateway)
{
    for (; gateway->running < gateway->worker_count; gateway->running++) {
        if (!start_worker(gateway, gateway->running)) return false;
    }
    if (!ledger_start(gateway->ledger)) return false;
    gateway->syncer_runs =
        pthread_create(&gateway->syncer, NULL, moongate_sync_run, gateway) == 0;
    gateway->keeper_runs = pthread_create(&gateway->keeper, NULL, keeper_run, gateway) == 0;
    gateway->watchdog_runs =
        pthread_create(&gateway->watchdog, NULL, watchdog_run, gateway) == 0;
    return gateway->syncer_runs && gateway->keeper_runs && gateway->watchdog_runs;
}

void moongate_stop_threads(struct moongate *gateway)
{
    for (unsigned i = 0; i < gateway->running; i++) {
        pthread_join(gateway->threads[i], NULL);
    }
    ledger_stop(gateway->ledger);
    atomic_store(&gateway->closing, true);
    if (gateway->keeper_runs) {
        wake_keeper(gateway);
        pthread_join(gateway->keeper, NULL);
    }
    if (gateway->syncer_runs) {
        moongate_want_sync(gateway);
        pthread_join(gateway->syncer, NULL);
    }
    if (gateway->watchdog_runs) pthread_join(gateway->watchdog, NULL);
    if (!gateway->running) return;
    run_jobs(gateway); /* their askers are gone, their memory is not */
    keep_journals(gateway);
    keep_lessons(gateway);
}
