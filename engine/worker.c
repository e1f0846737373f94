#include "worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle.h"
#include "client.h"
#include "gate.h"
#include "journal.h"
#include "log.h"
#include "loop.h"
#include "lua_admin.h"
#include "lua_context.h"
#include "lua_guard.h"
#include "lua_ledger.h"
#include "lua_memory.h"
#include "lua_relay.h"
#include "lua_sync.h"
#include "lua_task.h"
#include "lua_vm.h"
#include "metrics.h"
#include "moment.h"
#include "refusal.h"
#include "server.h"
#include "tokens.h"

/* MATRICES.md 3.4 */
enum {
    MAX_BODY = 32 << 20,
    MAX_CONNECTIONS = 16384,
    HEADER_MS = 10000,
    BODY_MS = 120000,
    IDLE_MS = 75000,
    READER_STALL_MS = 60000,
    STALLED_MS = 5000, /* MATRICES.md C-15 */
    GIVE_BACK_MS = 2,  /* between two steps of the collector, where memory is short */
    CUT_MS = 1000,     /* between telling every task and closing what does not listen */
};

struct worker {
    struct worker_options options;
    struct lua_context context;
    struct guard guard;
    struct gate gate;
    struct server *public, *admin;  /* owned; admin may be NULL */
    struct vm *vm;                  /* owned; the newest generation */
    _Atomic(struct vm *) inbox;     /* owned; what to serve with next */
    _Atomic(struct bundle *) first; /* owned; the files to begin with */
    atomic_llong stop_ms;           /* cut at; 0: go on serving */
    bool stopping, cut;
    int64_t gave_back_ms;
    unsigned in_flight_gauge, connections_gauge, upstreams_gauge, memory_gauge; /* metric ids */
    unsigned dropped_counter;
    uint64_t asked_sync; /* what was written when disks were last asked for */
    uint64_t dropped;    /* log lines, as counted so far: the first worker counts for all */
};

/* Where there is no room, whoever asks hears so at once. */
static bool turn_away(struct worker *worker, struct request *request)
{
    size_t held = worker->context.task_count;
    enum shed why = gate_enter(&worker->gate, held, server_coming(worker->public),
                               request_is_large(request));

    if (why == SHED_NONE && gate_wants_age(&worker->gate)) {
        gate_age(&worker->gate, request_age_us(request));
    }
    if (why == SHED_NONE || request_is_admin(request) ||
        refusals_spare(worker->context.refusals, request)) {
        return false;
    }
    /* A connection takes memory as well, and another worker may have room. */
    bool leave = why == SHED_MEMORY ||
                 admission_room_elsewhere(worker->options.admission, worker->options.index);
    admission_count(worker->options.admission, worker->options.index, why);
    refusals_refuse(worker->context.refusals, request, leave);
    return true;
}

static void on_request(void *ctx, struct request *request)
{
    struct worker *worker = ctx;

    if (turn_away(worker, request)) return;
    if (worker->vm && task_start(worker->vm, request)) return;
    log_event(worker->options.log, LOG_ERROR, "worker", "no memory for a request");
    request_release(request); /* unanswered: a plain 500 */
}

static void on_ready(void *ctx, struct request *request)
{
    struct task *task = request_owner(request);

    (void)ctx;
    if (!task) return;
    if (request_is_gone(request)) {
        task_cancel(task);
    } else {
        task_ready(task);
    }
}

static struct server *open_server(struct worker *worker, int fd, bool admin, char **error)
{
    struct server_options options = {
        .loop = worker->context.loop,
        .listen_fd = fd,
        .admin = admin,
        .max_body = MAX_BODY,
        .max_connections = MAX_CONNECTIONS,
        .listen_ends = !admin && worker->options.listen_ends,
        .pause_connections = admin ? 0 : worker->options.pause_connections,
        .header_ms = HEADER_MS,
        .body_ms = BODY_MS,
        .idle_ms = IDLE_MS,
        .reader_stall_ms = READER_STALL_MS,
        .on_request = on_request,
        .on_ready = on_ready,
        .ctx = worker,
    };
    const char *why = NULL;
    struct server *server = server_open(&options, &why);

    if (!server) *error = strdup(why ? why : "out of memory");
    return server;
}

static void open_gauges(struct worker *worker)
{
    struct metrics *metrics = worker->options.metrics;
    char index[16];
    struct metric_label label = {"state", index};

    (void)snprintf(index, sizeof(index), "%u", worker->options.index);
    worker->in_flight_gauge =
        metrics_series(metrics, "moongate_requests_in_flight", METRIC_GAUGE, NULL, 0);
    worker->connections_gauge =
        metrics_series(metrics, "moongate_connections", METRIC_GAUGE, NULL, 0);
    worker->upstreams_gauge =
        metrics_series(metrics, "moongate_upstreams_open", METRIC_GAUGE, NULL, 0);
    worker->dropped_counter =
        metrics_series(metrics, "moongate_log_records_dropped_total", METRIC_COUNTER, NULL, 0);
    worker->memory_gauge =
        metrics_series(metrics, "moongate_lua_memory_bytes", METRIC_GAUGE, &label, 1);
}

struct worker *worker_new(const struct worker_options *options, char **error)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    *error = NULL;
    if (!worker) return NULL;
    worker->options = *options;
    guard_init(&worker->guard);
    worker->context.loop = loop_new();
    worker->context.client =
        worker->context.loop ? client_new(worker->context.loop, options->resolver) : NULL;
    worker->context.shared = options->shared;
    worker->context.accounts = options->accounts;
    worker->context.keyring = options->keyring;
    worker->context.shelf = options->shelf;
    worker->context.learned = options->learned;
    worker->context.tokens_work = tokens_work_new(0);
    worker->context.metrics = options->metrics;
    worker->context.log = options->log;
    worker->context.gateway = options->gateway;
    worker->context.ledger = options->ledger;
    worker->context.worker = options->index;
    worker->context.loopback = options->loopback;
    worker->context.strict = options->want_sync != NULL;
    worker->context.guard = &worker->guard;
    gate_open(&worker->gate, options->admission, options->index);
    worker->context.gate = &worker->gate;
    if (!worker->context.client || !worker->context.tokens_work) goto fail;
    if (options->ca_file && !client_trust(worker->context.client, options->ca_file)) goto fail;
    worker->context.journal = journal_open(options->data_dir, options->index, error);
    if (!worker->context.journal) goto fail;
    worker->public = open_server(worker, options->listen_fd, false, error);
    if (!worker->public) goto fail;
    if (options->admin_fd >= 0) {
        worker->admin = open_server(worker, options->admin_fd, true, error);
        if (!worker->admin) goto fail;
    }
    open_gauges(worker);
    return worker;

fail:
    worker_free(worker);
    return NULL;
}

void worker_free(struct worker *worker)
{
    if (!worker) return;
    if (worker->admin) server_close(worker->admin);
    if (worker->public) server_close(worker->public);
    vm_retire(worker->vm);
    vm_retire(atomic_exchange(&worker->inbox, NULL));
    tokens_work_free(worker->context.tokens_work);
    bundle_drop(atomic_exchange(&worker->first, NULL));
    if (worker->context.client) client_free(worker->context.client);
    if (worker->context.journal) journal_close(worker->context.journal);
    if (worker->context.loop) loop_free(worker->context.loop);
    free(worker);
}

/* ---- from other threads ---- */

/* Of the worker's context, what any thread may use: a script that loads can neither wait nor
 * call anybody. */
struct vm *worker_prepare(struct worker *worker, struct bundle *files, bool first, char **error)
{
    const struct worker_options *options = &worker->options;
    struct lua_context loading = {
        .shared = options->shared,
        .accounts = options->accounts,
        .keyring = options->keyring,
        .shelf = options->shelf,
        .learned = options->learned,
        .metrics = options->metrics,
        .log = options->log,
        .gateway = options->gateway,
        .worker = options->index,
        .loopback = options->loopback,
        .strict = options->want_sync != NULL,
        .trial = first,
    };
    struct vm *vm = vm_load(&loading, files, error);

    if (vm) vm_move(vm, &worker->context);
    return vm;
}

void worker_serve(struct worker *worker, struct vm *vm)
{
    vm_retire(atomic_exchange(&worker->inbox, vm));
    loop_wake(worker->context.loop);
}

void worker_begin(struct worker *worker, struct bundle *files)
{
    bundle_drop(atomic_exchange(&worker->first, files));
}

void worker_stop(struct worker *worker, int64_t deadline_ms)
{
    atomic_store(&worker->stop_ms, deadline_ms);
    loop_wake(worker->context.loop);
}

bool worker_look(struct worker *worker, int64_t now_ms)
{
    int64_t since = atomic_load_explicit(&worker->guard.turn_ms, memory_order_relaxed);

    guard_look(&worker->guard);
    return !since || now_ms - since < STALLED_MS;
}

void worker_wake(struct worker *worker)
{
    loop_wake(worker->context.loop);
}

struct journal *worker_journal(struct worker *worker)
{
    return worker->context.journal;
}

/* ---- one turn ---- */

/* New requests start on the new state; running ones keep theirs, which closes with the last. */
static void take_inbox(struct worker *worker)
{
    struct vm *vm = atomic_exchange(&worker->inbox, NULL), *old = worker->vm;

    if (!vm) return;
    worker->vm = vm;
    worker->context.refusals = vm->refusals;
    vm_retire(old);
    worker->options.on_loaded(worker->options.gateway, true);
}

static void begin(struct worker *worker)
{
    struct bundle *files = atomic_exchange(&worker->first, NULL);
    char *error = NULL;

    if (!files) return;
    struct vm *vm = worker_prepare(worker, files, false, &error);
    bundle_drop(files);
    if (vm) {
        worker_serve(worker, vm);
        return;
    }
    log_event(worker->options.log, LOG_ERROR, "worker", "worker %u cannot load the files: %s",
              worker->options.index, error ? error : "out of memory");
    free(error);
    worker->options.on_loaded(worker->options.gateway, false);
}

static bool is_due(const struct worker *worker)
{
    return worker->context.ready_first || worker->context.relays;
}

static int64_t wait_ms(const struct worker *worker)
{
    int64_t wait = is_due(worker) ? 0 : server_timeout_ms(worker->public);
    int64_t other = worker->admin ? server_timeout_ms(worker->admin) : -1;

    if (other >= 0 && (wait < 0 || other < wait)) wait = other;
    if (worker->stopping && (wait < 0 || wait > 100)) wait = 100;
    return wait;
}

/* Too large: what scripts have let go of is given back while nobody makes more of it. */
static void give_back(struct worker *worker)
{
    int64_t now_ms = loop_now_ms(worker->context.loop);

    if (!worker->vm || !admission_pressed(worker->options.admission)) return;
    if (now_ms - worker->gave_back_ms < GIVE_BACK_MS) return;
    worker->gave_back_ms = now_ms;
    vm_memory_step(worker->vm);
}

static void run_scripts(struct worker *worker)
{
    if (!worker->context.ready_first) return;
    int64_t now_ms = moment_unhurried(loop_now_ms(worker->context.loop));
    atomic_store_explicit(&worker->guard.turn_ms, now_ms, memory_order_relaxed);
    tasks_run(&worker->context);
    atomic_store_explicit(&worker->guard.turn_ms, 0, memory_order_relaxed);
}

static void set_gauges(struct worker *worker)
{
    struct metrics *metrics = worker->options.metrics;
    unsigned index = worker->options.index;
    size_t connections = server_connections(worker->public);

    admission_tell(worker->options.admission, index, worker->context.task_count,
                   server_coming(worker->public));
    metrics_set(metrics, index, worker->in_flight_gauge, (double)worker->context.task_count);
    metrics_set(metrics, index, worker->connections_gauge, (double)connections);
    metrics_set(metrics, index, worker->upstreams_gauge,
                (double)client_active(worker->context.client));
    if (worker->vm) metrics_set(metrics, index, worker->memory_gauge, (double)worker->vm->used);
    if (index == 0 && log_dropped(worker->options.log) != worker->dropped) {
        uint64_t dropped = log_dropped(worker->options.log);
        metrics_add(metrics, 0, worker->dropped_counter, (double)(dropped - worker->dropped));
        worker->dropped = dropped;
    }
}

/* Nothing is accepted before the first files are loaded: who asks waits in the listener's
 * queue. The loop must not run meanwhile, for it accepts. */
static void await_files(struct worker *worker)
{
    const struct timespec nap = {.tv_nsec = 500000};

    while (!worker->vm && !atomic_load(&worker->stop_ms)) {
        begin(worker);
        take_inbox(worker);
        if (!worker->vm) nanosleep(&nap, NULL);
    }
}

/* What cannot be written stays queued, and the next turn tries again. */
static void write_journal(struct worker *worker)
{
    struct journal *journal = worker->context.journal;

    (void)journal_flush(journal);
    if (!worker->options.want_sync || worker->asked_sync == journal_written(journal)) return;
    worker->asked_sync = journal_written(journal);
    worker->options.want_sync(worker->options.gateway);
}

/* Intent lines are on file before calls leave, usage lines before answers end. */
static void turn(struct worker *worker)
{
    loop_poll(worker->context.loop, wait_ms(worker));
    take_inbox(worker);
    gate_turn_begins(&worker->gate);
    lua_jobs_look(&worker->context);
    lua_asks_look(&worker->context);
    lua_syncs_look(&worker->context);
    lua_relays_run(&worker->context);
    run_scripts(worker);
    gate_scripts_ran(&worker->gate);
    write_journal(worker);
    client_turn(worker->context.client);
    server_turn(worker->public);
    if (worker->admin) server_turn(worker->admin);
    gate_turn_ends(&worker->gate, loop_idle_us(worker->context.loop));
    give_back(worker);
    set_gauges(worker);
    log_flush(worker->options.log);
}

/* Stop accepting, then cut, then leave what will not listen to server_close(). */
static bool finished(struct worker *worker)
{
    int64_t stop_ms = atomic_load(&worker->stop_ms);

    if (!stop_ms) return false;
    if (!worker->stopping) {
        worker->stopping = true;
        server_stop_accepting(worker->public);
        if (worker->admin) server_stop_accepting(worker->admin);
    }
    if (worker->context.task_count == 0 && server_requests(worker->public) == 0 &&
        !server_lingers(worker->public)) {
        return true;
    }
    if (loop_now_ms(worker->context.loop) < stop_ms) return false;
    if (!worker->cut) tasks_cancel_all(&worker->context);
    worker->cut = true;
    return loop_now_ms(worker->context.loop) >= stop_ms + CUT_MS;
}

void worker_run(struct worker *worker, clockid_t clock)
{
    guard_own(&worker->guard, clock);
    await_files(worker);
    while (!finished(worker)) {
        turn(worker);
    }
    turn(worker); /* the last answers leave */
}
