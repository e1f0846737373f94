#include "moongate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "accounts.h"
#include "admission.h"
#include "bundle.h"
#include "datadir.h"
#include "gateway_metrics.h"
#include "keyring.h"
#include "learned.h"
#include "ledger.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "moment.h"
#include "moongate_drain.h"
#include "moongate_parts.h"
#include "resolve.h"
#include "shared.h"
#include "shelf.h"
#include "watch.h"
#include "worker.h"

enum {
    MAX_KEYS = 65536,
    MAX_WORKERS = 256,
    IN_FLIGHT = 4000, /* MATRICES.md 3.4 */
    QUEUE_MS = 500,
    OWN_FILES = 48, /* the ledger, the log, reads of files … */
    FILES_A_WORKER = 8,
    LEAST_CONNECTIONS = 16,
};

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
    if (!options->admin_token && !listen_is_loopback(options->admin)) {
        errno = EACCES;
        return failed(error, "without an admin token no other machine may reach",
                      options->admin);
    }
    gateway->own_admin = options->admin_fd <= 0;
    gateway->admin_fd =
        gateway->own_admin ? listen_open(options->admin, error) : options->admin_fd;
    gateway->admin_loopback = listen_is_loopback(options->admin);
    return gateway->admin_fd >= 0;
}

/* Where the command line finds a running gateway. */
static const char ADDRESS[] = "admin.addr";

static void note_address(const struct moongate *gateway)
{
    char name[LISTEN_NAME];

    if (gateway->admin_fd < 0) return;
    if (!listen_name(gateway->admin_fd, gateway->options.admin, name)) return;
    datadir_note(gateway->options.data_dir, ADDRESS, name);
}

/* What must never be printed, whoever prints it. */
static void hide_secrets(const struct moongate *gateway)
{
    const struct moongate_options *options = &gateway->options;
    const char *const secrets[] = {options->admin_token, options->redis_url,
                                   options->postgres_url};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (secrets[i]) log_secret(gateway->log, secrets[i], strlen(secrets[i]));
    }
}

static bool open_ledger(struct moongate *gateway, char **error)
{
    struct ledger_options options = {
        .data_dir = gateway->options.data_dir,
        .shared = gateway->shared,
        .accounts = gateway->accounts,
        .keyring = gateway->keyring,
        .metrics = gateway->metrics,
        .slot = gateway->worker_count,
        .log = gateway->log,
        .gateway = gateway,
        .retention_days = gateway->options.retention_days,
        .exporting = gateway->options.postgres_url != NULL,
    };
    const char *kind;

    if (datadir_is_remote(options.data_dir, &kind)) {
        log_event(gateway->log, LOG_WARN, "data_folder",
                  "%s lies on a network file system (%s), whose locks SQLite cannot rely on: "
                  "a local disk is the place for it",
                  options.data_dir, kind);
    }
    gateway->ledger = ledger_open(&options, error);
    if (gateway->ledger) return true;
    errno = EIO;
    return false;
}

static bool open_admission(struct moongate *gateway)
{
    const struct moongate_options *options = &gateway->options;
    struct admission_options limits = {
        .workers = options->workers,
        .in_flight = options->in_flight ? options->in_flight : IN_FLIGHT,
        .queue_ms = options->queue_ms ? (unsigned)options->queue_ms : QUEUE_MS,
        .memory = options->memory ? (size_t)options->memory : admission_usual_memory(""),
        .metrics = gateway->metrics,
        .log = gateway->log,
    };

    if (options->queue_ms < 0) limits.queue_ms = 0;
    if (options->memory < 0) limits.memory = 0;
    if (!gateway->metrics) return false;
    gateway->admission = admission_new(&limits);
    return gateway->admission != NULL;
}

/* A request takes a descriptor of the client's and one of its provider's. */
static unsigned connections_of_one(const struct moongate *gateway)
{
    struct rlimit limit;
    unsigned workers = gateway->worker_count;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
    rlim_t kept = OWN_FILES + (rlim_t)workers * FILES_A_WORKER;
    rlim_t half = limit.rlim_cur > kept ? (limit.rlim_cur - kept) / 2 : 0;
    return half / workers < LEAST_CONNECTIONS ? LEAST_CONNECTIONS : (unsigned)(half / workers);
}

static bool open_parts(struct moongate *gateway, char **error)
{
    const struct moongate_options *options = &gateway->options;

    gateway->worker_count = options->workers;
    gateway->log = log_new(options->log_fd, log_level_named(options->log_level));
    gateway->resolver = resolver_new();
    gateway->shared = shared_new(MAX_KEYS);
    gateway->accounts = accounts_new(NULL);
    gateway->keyring = keyring_new();
    gateway->learned = learned_new();
    gateway->metrics = metrics_new(options->workers);
    gateway->workers = calloc(options->workers, sizeof(struct worker *));
    gateway->threads = calloc(options->workers, sizeof(pthread_t));
    reload_queue_init(&gateway->queue);
    gateway->keeper_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    gateway->sync_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!gateway->log || !gateway->resolver || !gateway->shared || !gateway->accounts ||
        !gateway->keyring || !gateway->learned || !gateway->metrics || !gateway->workers ||
        !gateway->threads || gateway->keeper_fd < 0 || gateway->sync_fd < 0 ||
        !open_admission(gateway)) {
        errno = ENOMEM;
        return failed(error, "cannot start", "the gateway");
    }
    hide_secrets(gateway);
    gateway->shelf = shelf_open(options->vocabularies_dir);
    if (gateway->shelf && *shelf_complaint(gateway->shelf)) {
        log_event(gateway->log, LOG_WARN, "vocabulary", "%s", shelf_complaint(gateway->shelf));
    }
    atomic_store(&gateway->synced_ms, moment_monotonic_us() / 1000);
    gateway->lag_gauge =
        metrics_series(gateway->metrics, "moongate_journal_lag_seconds", METRIC_GAUGE, NULL, 0);
    gateway_metrics_build(gateway->metrics, gateway->worker_count);
    if (options->watch) {
        gateway->watch =
            watch_open(options->routes, options->providers_dir, options->scripts_dir);
        if (!gateway->watch) return failed(error, "cannot watch", "the files");
    }
    gateway->lock_fd = datadir_lock(options->data_dir, error);
    if (gateway->lock_fd >= 0) learned_load(gateway->learned, options->data_dir);
    return gateway->lock_fd >= 0 && open_ledger(gateway, error) &&
           moongate_join(gateway, error) && open_listeners(gateway, error);
}

static bool open_workers(struct moongate *gateway, char **error)
{
    struct worker_options options = {
        .listen_fd = gateway->listen_fd,
        .listen_ends = gateway->own_listen || gateway->options.listen_ends,
        .loopback = listen_is_loopback(gateway->options.listen),
        .pause_connections = connections_of_one(gateway),
        .admission = gateway->admission,
        .data_dir = gateway->options.data_dir,
        .ca_file = gateway->options.ca_file,
        .resolver = gateway->resolver,
        .shared = gateway->shared,
        .accounts = gateway->accounts,
        .keyring = gateway->keyring,
        .shelf = gateway->shelf,
        .learned = gateway->learned,
        .metrics = gateway->metrics,
        .log = gateway->log,
        .ledger = gateway->ledger,
        .gateway = gateway,
        .on_loaded = moongate_on_loaded,
        .want_sync = gateway->options.durability == MOONGATE_STRICT ? moongate_want_sync : NULL,
    };

    for (unsigned i = 0; i < gateway->worker_count; i++) {
        options.index = i;
        options.admin_fd = i == 0 ? gateway->admin_fd : -1;
        gateway->workers[i] = worker_new(&options, error);
        if (!gateway->workers[i]) return false;
    }
    return true;
}

struct moongate *moongate_start(const struct moongate_options *options, char **error)
{
    struct moongate *gateway = calloc(1, sizeof(*gateway));

    *error = NULL;
    if (!gateway) return NULL;
    gateway->options = *options;
    fill_defaults(&gateway->options);
    gateway->listen_fd = gateway->admin_fd = gateway->lock_fd = gateway->keeper_fd =
        gateway->sync_fd = -1;
    pthread_mutex_init(&gateway->reloading, NULL);
    pthread_mutex_init(&gateway->lock, NULL);
    pthread_cond_init(&gateway->loaded, NULL);
    if (!open_parts(gateway, error) || !open_workers(gateway, error)) goto fail;
    if (!moongate_start_threads(gateway)) {
        failed(error, "cannot start", "a thread");
        goto fail;
    }
    if (!moongate_load_files(gateway, error)) {
        errno = EINVAL;
        goto fail;
    }
    note_address(gateway);
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

void moongate_drain(struct moongate *gateway, int drain_ms)
{
    int64_t deadline = moment_monotonic_us() / 1000 + drain_ms;

    pthread_mutex_lock(&gateway->reloading); /* a worker that has stopped loads no more */
    gateway->stopping = true;
    pthread_mutex_unlock(&gateway->reloading);
    pthread_mutex_lock(&gateway->lock);
    gateway->status.draining = true;
    pthread_mutex_unlock(&gateway->lock);
    if (gateway->lock_fd >= 0) datadir_forget(gateway->options.data_dir, ADDRESS);
    for (unsigned i = 0; i < gateway->running; i++) {
        worker_stop(gateway->workers[i], deadline);
    }
}

bool moongate_drained(const struct moongate *gateway)
{
    return atomic_load(&gateway->serving) == 0;
}

void moongate_stop(struct moongate *gateway, int drain_ms)
{
    moongate_drain(gateway, drain_ms);
    moongate_stop_threads(gateway);
    moongate_leave(gateway);
    ledger_free(gateway->ledger);
    for (unsigned i = 0; gateway->workers && i < gateway->worker_count; i++) {
        worker_free(gateway->workers[i]);
    }
    if (gateway->own_listen && gateway->listen_fd >= 0) close(gateway->listen_fd);
    if (gateway->own_admin && gateway->admin_fd >= 0) close(gateway->admin_fd);
    if (gateway->keeper_fd >= 0) close(gateway->keeper_fd);
    if (gateway->sync_fd >= 0) close(gateway->sync_fd);
    if (gateway->lock_fd >= 0) close(gateway->lock_fd);
    watch_close(gateway->watch);
    admission_free(gateway->admission);
    if (gateway->metrics) metrics_free(gateway->metrics);
    if (gateway->resolver) resolver_free(gateway->resolver);
    if (gateway->shared) shared_free(gateway->shared);
    bundle_drop(gateway->files);
    accounts_free(gateway->accounts);
    keyring_free(gateway->keyring);
    learned_free(gateway->learned);
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
