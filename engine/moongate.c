#include "moongate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "bundle.h"
#include "datadir.h"
#include "gateway.h"
#include "gateway_metrics.h"
#include "journal.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "lua_vm.h"
#include "metrics.h"
#include "moment.h"
#include "reload_queue.h"
#include "resolve.h"
#include "shared.h"
#include "shelf.h"
#include "watch.h"
#include "worker.h"

enum {
    MAX_KEYS = 65536,
    MAX_WORKERS = 256,
    SYNC_MS = 50,    /* HOUSE.md 0.4: what a power cut may take */
    SETTLE_MS = 200, /* an editor's several writes are one save */
    LOOK_MS = 10,    /* of the watchdog */
};

struct moongate {
    struct moongate_options options; /* strings borrowed */
    struct resolver *resolver;
    struct shared *shared;
    struct metrics *metrics;
    struct log *log;
    struct shelf *shelf;
    struct watch *watch; /* NULL: not asked for */
    struct worker **workers;
    pthread_t *threads;
    unsigned worker_count, running; /* threads that were started */
    int listen_fd, admin_fd;        /* admin: -1 when off */
    int lock_fd, keeper_fd;
    bool own_listen, own_admin, keeper_runs, watchdog_runs;
    pthread_t keeper, watchdog;
    atomic_bool closing;
    struct reload_queue queue;

    pthread_mutex_t reloading; /* one reload at a time, none once `stopping` */
    bool stopping;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t loaded;
    unsigned awaited, failed; /* workers that have not loaded; that could not */
    struct gateway_status status;
    char *last_error; /* owned */
};

/* ---- reload ---- */

static void on_loaded(struct moongate *gateway, bool loaded)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->awaited--;
    if (!loaded) gateway->failed++;
    pthread_cond_signal(&gateway->loaded);
    pthread_mutex_unlock(&gateway->lock);
}

static bool hand_to_workers(struct moongate *gateway, struct bundle *files, char **error)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->awaited = gateway->worker_count;
    gateway->failed = 0;
    pthread_mutex_unlock(&gateway->lock);
    for (unsigned i = 0; i < gateway->worker_count; i++) {
        worker_load(gateway->workers[i], bundle_hold(files));
    }
    pthread_mutex_lock(&gateway->lock);
    while (gateway->awaited)
        pthread_cond_wait(&gateway->loaded, &gateway->lock);
    bool fine = gateway->failed == 0;
    pthread_mutex_unlock(&gateway->lock);
    if (!fine)
        *error = strdup("a worker had no memory for the new files and keeps the old ones");
    return fine;
}

static void note_result(struct moongate *gateway, unsigned generation, const char *error)
{
    pthread_mutex_lock(&gateway->lock);
    free(gateway->last_error);
    gateway->last_error = error ? strdup(error) : NULL;
    gateway->status.last_reload_ok = !error;
    gateway->status.last_reload_s = moment_wall_us() / 1000000;
    if (!error) gateway->status.generation = generation;
    struct gateway_status status = gateway->status;
    pthread_mutex_unlock(&gateway->lock);
    gateway_metrics_reload(gateway->metrics, gateway->worker_count, &status);
}

/* All or nothing: files that fail the trial change nothing. */
static bool load_alone(struct moongate *gateway, char **error)
{
    struct bundle_paths paths = {
        .routes = gateway->options.routes,
        .providers_dir = gateway->options.providers_dir,
        .scripts_dir = gateway->options.scripts_dir,
    };
    unsigned generation = gateway->status.generation + 1;
    if (gateway->stopping) {
        *error = strdup("the gateway is stopping");
        return false;
    }
    struct bundle *files = bundle_read(&paths, generation, error);
    struct vm_trial trial = {
        .gateway = gateway,
        .metrics = gateway->metrics,
        .shared = gateway->shared,
        .log = gateway->log,
        .slot = gateway->worker_count,
        .loopback = listen_is_loopback(gateway->options.listen),
    };
    bool fine = files && vm_try(&trial, files, error) && hand_to_workers(gateway, files, error);

    if (!fine && !*error) *error = strdup("out of memory");
    bundle_drop(files);
    note_result(gateway, generation, fine ? NULL : *error);
    return fine;
}

/* One at a time: a file may be saved while the first ones load. */
static bool load_files(struct moongate *gateway, char **error)
{
    pthread_mutex_lock(&gateway->reloading);
    bool fine = load_alone(gateway, error);
    pthread_mutex_unlock(&gateway->reloading);
    return fine;
}

bool moongate_reload(struct moongate *gateway, char **error)
{
    *error = NULL;
    bool fine = load_files(gateway, error);
    struct gateway_status status;
    gateway_status(gateway, &status);
    if (fine) {
        log_event(gateway->log, LOG_INFO, "reload", "generation %u serves", status.generation);
    } else {
        log_event(gateway->log, LOG_ERROR, "reload_refused",
                  "generation %u stays, the new files were refused: %s", status.generation,
                  *error ? *error : "out of memory");
    }
    log_flush(gateway->log);
    return fine;
}

/* ---- what others ask ---- */

void gateway_status(struct moongate *gateway, struct gateway_status *status)
{
    pthread_mutex_lock(&gateway->lock);
    *status = gateway->status;
    pthread_mutex_unlock(&gateway->lock);
}

char *gateway_last_error(struct moongate *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    char *error = gateway->last_error ? strdup(gateway->last_error) : NULL;
    pthread_mutex_unlock(&gateway->lock);
    return error;
}

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

/* ---- the keeper: syncs journals, reloads for others ---- */

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
        journal_sync(worker_journal(gateway->workers[i]));
    }
}

static void *keeper_run(void *argument)
{
    struct moongate *gateway = argument;
    int64_t reload_at = 0;

    while (!atomic_load(&gateway->closing)) {
        struct pollfd fds[] = {
            {.fd = gateway->keeper_fd, .events = POLLIN},
            {.fd = gateway->watch ? watch_fd(gateway->watch) : -1, .events = POLLIN},
        };
        uint64_t count;
        if (poll(fds, 2, SYNC_MS) > 0 && fds[0].revents) {
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
        keep_journals(gateway);
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
        int64_t now = moment_monotonic_us() / 1000;
        for (unsigned i = 0; i < gateway->worker_count; i++) {
            if (!worker_look(gateway->workers[i], now)) give_up(gateway, i);
        }
    }
    return NULL;
}

/* ---- start ---- */

static bool failed(char **error, const char *what, const char *which)
{
    int saved = errno;

    if (asprintf(error, "%s %s: %s", what, which, strerror(saved)) < 0) *error = NULL;
    errno = saved;
    return false;
}

static void fill_defaults(struct moongate_options *options)
{
    if (!options->routes && access("routes.lua", F_OK) == 0) options->routes = "routes.lua";
    if (!options->listen) options->listen = "127.0.0.1:4000";
    if (!options->admin) options->admin = "127.0.0.1:4001";
    if (!options->data_dir) options->data_dir = "data";
    if (!options->log_fd) options->log_fd = STDERR_FILENO;
    if (!options->workers) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        options->workers = cores > 0 ? (unsigned)cores : 1;
    }
    if (options->workers > MAX_WORKERS) options->workers = MAX_WORKERS;
}

static bool open_listeners(struct moongate *gateway, char **error)
{
    const struct moongate_options *options = &gateway->options;

    gateway->own_listen = options->listen_fd <= 0;
    gateway->listen_fd =
        gateway->own_listen ? listen_open(options->listen, error) : options->listen_fd;
    if (gateway->listen_fd < 0) return false;
    if (strcmp(options->admin, "off") == 0) return true;
    if (!listen_is_loopback(options->admin)) {
        errno = EACCES;
        return failed(error, "the admin listener is for this machine only, not",
                      options->admin);
    }
    gateway->own_admin = options->admin_fd <= 0;
    gateway->admin_fd =
        gateway->own_admin ? listen_open(options->admin, error) : options->admin_fd;
    return gateway->admin_fd >= 0;
}

static bool open_parts(struct moongate *gateway, char **error)
{
    const struct moongate_options *options = &gateway->options;

    gateway->worker_count = options->workers;
    gateway->log = log_new(options->log_fd, log_level_named(options->log_level));
    gateway->resolver = resolver_new();
    gateway->shared = shared_new(MAX_KEYS);
    gateway->metrics = metrics_new(options->workers);
    gateway->workers = calloc(options->workers, sizeof(struct worker *));
    gateway->threads = calloc(options->workers, sizeof(pthread_t));
    reload_queue_init(&gateway->queue);
    gateway->keeper_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!gateway->log || !gateway->resolver || !gateway->shared || !gateway->metrics ||
        !gateway->workers || !gateway->threads || gateway->keeper_fd < 0) {
        errno = ENOMEM;
        return failed(error, "cannot start", "the gateway");
    }
    gateway->shelf = shelf_open(options->vocabularies_dir);
    if (gateway->shelf && *shelf_complaint(gateway->shelf)) {
        log_event(gateway->log, LOG_WARN, "vocabulary", "%s", shelf_complaint(gateway->shelf));
    }
    gateway_metrics_build(gateway->metrics, gateway->worker_count);
    if (options->watch) {
        gateway->watch =
            watch_open(options->routes, options->providers_dir, options->scripts_dir);
        if (!gateway->watch) return failed(error, "cannot watch", "the files");
    }
    gateway->lock_fd = datadir_lock(options->data_dir, error);
    return gateway->lock_fd >= 0 && open_listeners(gateway, error);
}

static bool open_workers(struct moongate *gateway, char **error)
{
    struct worker_options options = {
        .listen_fd = gateway->listen_fd,
        .loopback = listen_is_loopback(gateway->options.listen),
        .data_dir = gateway->options.data_dir,
        .resolver = gateway->resolver,
        .shared = gateway->shared,
        .shelf = gateway->shelf,
        .metrics = gateway->metrics,
        .log = gateway->log,
        .gateway = gateway,
        .on_loaded = on_loaded,
    };

    for (unsigned i = 0; i < gateway->worker_count; i++) {
        options.index = i;
        options.admin_fd = i == 0 ? gateway->admin_fd : -1;
        gateway->workers[i] = worker_new(&options, error);
        if (!gateway->workers[i]) return false;
    }
    return true;
}

static void *worker_thread(void *argument)
{
    worker_run(argument);
    return NULL;
}

static bool start_threads(struct moongate *gateway)
{
    for (; gateway->running < gateway->worker_count; gateway->running++) {
        unsigned i = gateway->running;
        if (pthread_create(&gateway->threads[i], NULL, worker_thread, gateway->workers[i])) {
            return false;
        }
    }
    gateway->keeper_runs = pthread_create(&gateway->keeper, NULL, keeper_run, gateway) == 0;
    gateway->watchdog_runs =
        pthread_create(&gateway->watchdog, NULL, watchdog_run, gateway) == 0;
    return gateway->keeper_runs && gateway->watchdog_runs;
}

struct moongate *moongate_start(const struct moongate_options *options, char **error)
{
    struct moongate *gateway = calloc(1, sizeof(*gateway));

    *error = NULL;
    if (!gateway) return NULL;
    gateway->options = *options;
    fill_defaults(&gateway->options);
    gateway->listen_fd = gateway->admin_fd = gateway->lock_fd = gateway->keeper_fd = -1;
    pthread_mutex_init(&gateway->reloading, NULL);
    pthread_mutex_init(&gateway->lock, NULL);
    pthread_cond_init(&gateway->loaded, NULL);
    if (!open_parts(gateway, error) || !open_workers(gateway, error)) goto fail;
    if (!start_threads(gateway)) {
        failed(error, "cannot start", "a thread");
        goto fail;
    }
    if (!load_files(gateway, error)) {
        errno = EINVAL;
        goto fail;
    }
    if (options->crashed) {
        log_event(gateway->log, LOG_ERROR, "restart", "the gateway was started again: %s",
                  options->crashed);
    }
    log_flush(gateway->log);
    return gateway;

fail:;
    int saved = errno;
    moongate_stop(gateway, 0);
    errno = saved;
    return NULL;
}

/* ---- stop ---- */

static void stop_threads(struct moongate *gateway, int drain_ms)
{
    int64_t deadline = moment_monotonic_us() / 1000 + drain_ms;

    for (unsigned i = 0; i < gateway->running; i++) {
        worker_stop(gateway->workers[i], deadline);
    }
    for (unsigned i = 0; i < gateway->running; i++) {
        pthread_join(gateway->threads[i], NULL);
    }
    atomic_store(&gateway->closing, true);
    if (gateway->keeper_runs) {
        wake_keeper(gateway);
        pthread_join(gateway->keeper, NULL);
    }
    if (gateway->watchdog_runs) pthread_join(gateway->watchdog, NULL);
}

void moongate_stop(struct moongate *gateway, int drain_ms)
{
    pthread_mutex_lock(&gateway->reloading); /* a worker that has stopped loads no more */
    gateway->stopping = true;
    pthread_mutex_unlock(&gateway->reloading);
    pthread_mutex_lock(&gateway->lock);
    gateway->status.draining = true;
    pthread_mutex_unlock(&gateway->lock);
    stop_threads(gateway, drain_ms);
    if (gateway->running) {
        run_jobs(gateway); /* their askers are gone, their memory is not */
        keep_journals(gateway);
    }
    for (unsigned i = 0; gateway->workers && i < gateway->worker_count; i++) {
        worker_free(gateway->workers[i]);
    }
    if (gateway->own_listen && gateway->listen_fd >= 0) close(gateway->listen_fd);
    if (gateway->own_admin && gateway->admin_fd >= 0) close(gateway->admin_fd);
    if (gateway->keeper_fd >= 0) close(gateway->keeper_fd);
    if (gateway->lock_fd >= 0) close(gateway->lock_fd);
    watch_close(gateway->watch);
    if (gateway->metrics) metrics_free(gateway->metrics);
    if (gateway->resolver) resolver_free(gateway->resolver);
    if (gateway->shared) shared_free(gateway->shared);
    if (gateway->log) log_free(gateway->log);
    shelf_close(gateway->shelf);
    free(gateway->threads);
    free(gateway->workers);
    free(gateway->last_error);
    pthread_cond_destroy(&gateway->loaded);
    pthread_mutex_destroy(&gateway->lock);
    pthread_mutex_destroy(&gateway->reloading);
    free(gateway);
}
