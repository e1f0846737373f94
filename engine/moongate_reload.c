/* Reload, and what others ask of a running gateway. */
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

/* Later ones are made ready here, for all workers and beside their turns: what those have left
 * to do is to take the new state for the old one. */
static bool replace(struct moongate *gateway, struct bundle *files, char **error)
{
    unsigned count = gateway->worker_count, made = 0;
    struct vm **states = calloc(count, sizeof(struct vm *));

    while (states && made < count) {
        states[made] = worker_prepare(gateway->workers[made], files, made == 0, error);
        if (!states[made]) break;
        made++;
    }
    bool fine = made == count;
    if (fine) expect_workers(gateway);
    for (unsigned i = 0; i < made; i++) {
        if (fine) {
            worker_serve(gateway->workers[i], states[i]);
        } else {
            vm_retire(states[i]);
        }
    }
    free(states);
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
