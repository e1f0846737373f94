/* Reload, and what others ask of a running gateway. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "gateway_metrics.h"
#include "ledger.h"
#include "log.h"
#include "lua_vm.h"
#include "moment.h"
#include "moongate_parts.h"
#include "worker.h"

void moongate_on_loaded(struct moongate *gateway, bool loaded)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->awaited--;
    if (!loaded) gateway->failed++;
    pthread_cond_signal(&gateway->loaded);
    pthread_mutex_unlock(&gateway->lock);
}

static void expect_workers(struct moongate *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->awaited = gateway->worker_count;
    gateway->failed = 0;
    pthread_mutex_unlock(&gateway->lock);
}

/* False: not all of them could load. */
static bool await_workers(struct moongate *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    while (gateway->awaited)
        pthread_cond_wait(&gateway->loaded, &gateway->lock);
    bool fine = gateway->failed == 0;
    pthread_mutex_unlock(&gateway->lock);
    return fine;
}

/* The first files: once they were fit for one worker, the others load them at the same time. */
static bool begin(struct moongate *gateway, struct bundle *files, char **error)
{
    struct vm *vm = worker_prepare(gateway->workers[0], files, true, error);

    if (!vm) return false;
    expect_workers(gateway);
    worker_serve(gateway->workers[0], vm);
    for (unsigned i = 1; i < gateway->worker_count; i++) {
        worker_begin(gateway->workers[i], bundle_hold(files));
    }
    if (await_workers(gateway)) return true;
    *error = strdup("a worker could not load the files");
    return false;
}

/* ---- later ones ---- */

enum { A_HAND = 4 }; /* so many workers have one thread more that makes their states */

struct made {
    struct vm *vm; /* owned until its worker has it; NULL: not made */
    char *error;   /* owned */
};

struct making {
    struct moongate *gateway;
    struct bundle *files;
    struct made *made; /* a worker each */
    atomic_uint next;
};

static void *make_states(void *argument)
{
    struct making *making = argument;
    struct moongate *gateway = making->gateway;

    for (;;) {
        unsigned i = atomic_fetch_add(&making->next, 1);
        if (i >= gateway->worker_count) return NULL;
        struct made *made = &making->made[i];
        made->vm = worker_prepare(gateway->workers[i], making->files, false, &made->error);
    }
}

/* Once the files were fit for one worker, several threads make the others' states: one after
 * another they would keep whoever reloads, who listens to signals, for as many times as long as
 * there are workers. A thread that cannot be had leaves its part to the rest. */
static void make_all(struct making *making)
{
    struct moongate *gateway = making->gateway;
    unsigned want = gateway->worker_count / A_HAND, count = 0;
    pthread_t *hands = want ? calloc(want, sizeof(pthread_t)) : NULL;

    while (hands && count < want &&
           pthread_create(&hands[count], NULL, make_states, making) == 0)
        count++;
    (void)make_states(making);
    for (unsigned i = 0; i < count; i++)
        pthread_join(hands[i], NULL);
    free(hands);
}

/* To every worker its state, or to none: then *error says why, as the first of them does. */
static bool hand_over(struct moongate *gateway, struct made *made, char **error)
{
    bool fine = true;

    for (unsigned i = 0; i < gateway->worker_count; i++) {
        fine = fine && made[i].vm;
        if (!*error) {
            *error = made[i].error;
        } else {
            free(made[i].error);
        }
    }
    if (fine) expect_workers(gateway);
    for (unsigned i = 0; i < gateway->worker_count; i++) {
        if (fine) {
            worker_serve(gateway->workers[i], made[i].vm);
        } else {
            vm_retire(made[i].vm);
        }
    }
    return fine;
}

/* Made ready here, for all workers and beside their turns: what those have left to do is to
 * take the new state for the old one. */
static bool replace(struct moongate *gateway, struct bundle *files, char **error)
{
    struct making making = {.gateway = gateway, .files = files};

    making.made = calloc(gateway->worker_count, sizeof(struct made));
    if (!making.made) return false;
    making.made[0].vm = worker_prepare(gateway->workers[0], files, true, &making.made[0].error);
    atomic_init(&making.next, 1);
    if (making.made[0].vm) make_all(&making);
    bool fine = hand_over(gateway, making.made, error);
    free(making.made);
    return fine && await_workers(gateway);
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

/* All or nothing: files that cannot be loaded change nothing. */
static bool load_alone(struct moongate *gateway, char **error)
{
    struct bundle_paths paths = {
        .routes = gateway->options.routes,
        .providers_dir = gateway->options.providers_dir,
        .scripts_dir = gateway->options.scripts_dir,
        .data_dir = gateway->options.data_dir,
        .last = gateway->files,
    };
    unsigned generation = gateway->status.generation + 1;
    if (gateway->stopping) {
        *error = strdup("the gateway is stopping");
        return false;
    }
    struct bundle *files = bundle_read(&paths, generation, error);
    bool fine = files && (gateway->files ? replace : begin)(gateway, files, error);
    if (fine) {
        ledger_load(gateway->ledger, bundle_hold(files));
        bundle_drop(gateway->files);
        gateway->files = bundle_hold(files);
    }
    bundle_rest();
    if (!fine && !*error) *error = strdup("out of memory");
    if (!gateway->files) gateway->stopping = true; /* it never began: nor may a saved file */
    bundle_drop(files);
    note_result(gateway, generation, fine ? NULL : *error);
    return fine;
}

/* One at a time: a file may be saved while the first ones load. */
bool moongate_load_files(struct moongate *gateway, char **error)
{
    pthread_mutex_lock(&gateway->reloading);
    bool fine = load_alone(gateway, error);
    pthread_mutex_unlock(&gateway->reloading);
    return fine;
}

bool moongate_reload(struct moongate *gateway, char **error)
{
    *error = NULL;
    bool fine = moongate_load_files(gateway, error);
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

bool gateway_admin_token(struct moongate *gateway, const char **text, size_t *len)
{
    *text = gateway->options.admin_token;
    *len = *text ? strlen(*text) : 0;
    return *text != NULL;
}

int64_t gateway_boot_ms(struct moongate *gateway)
{
    return gateway->ledger ? ledger_boot_ms(gateway->ledger) : 0;
}

bool gateway_admin_is_loopback(struct moongate *gateway)
{
    return gateway->admin_loopback;
}
