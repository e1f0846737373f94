#include "ledger.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "bundle.h"
#include "ledger_ingest.h"
#include "ledger_parts.h"
#include "log.h"
#include "lua_ledger.h"
#include "lua_vm.h"
#include "moment.h"

enum { TURN_MS = 250, IDLE_MS = 60000 };

/* ---- from other threads -------------------------------------------------------------------
 */

static void wake(struct ledger *ledger)
{
    uint64_t one = 1;
    ssize_t written = write(ledger->wake_fd, &one, sizeof(one));

    (void)written; /* full: it is awake anyway */
}

void ledger_load(struct ledger *ledger, struct bundle *files)
{
    bundle_drop(atomic_exchange(&ledger->inbox, files));
    wake(ledger);
}

struct ledger_job *ledger_ask(struct ledger *ledger, const struct ledger_question *question,
                              struct loop *loop)
{
    struct ledger_job *job = ledger_queue_add(&ledger->queue, question, loop);

    if (job) wake(ledger);
    return job;
}

/* ---- the thread ---------------------------------------------------------------------------
 */

static void take_inbox(struct ledger *ledger)
{
    struct bundle *files = atomic_exchange(&ledger->inbox, NULL);

    if (!files) return;
    bundle_drop(ledger->files);
    ledger->files = files;
    vm_retire(ledger->vm);
    ledger->vm = NULL;
}

/* Opened by the first question after a while, or after a reload. */
static bool open_state(struct ledger *ledger)
{
    char *error = NULL;

    ledger->asked_ms = moment_monotonic_us() / 1000;
    if (!ledger->sql || !ledger->files) return false;
    if (ledger->vm) return true;
    ledger->vm = lua_ledger_load(&ledger->context, ledger->files, &error);
    if (!ledger->vm) {
        log_event(ledger->options.log, LOG_ERROR, "ledger", "its scripts did not load: %s",
                  error ? error : "out of memory");
    }
    free(error);
    return ledger->vm != NULL;
}

static void rest(struct ledger *ledger)
{
    if (!ledger->vm || moment_monotonic_us() / 1000 - ledger->asked_ms < IDLE_MS) return;
    vm_retire(ledger->vm);
    ledger->vm = NULL;
}

/* Workers serve before the first files are handed over: what is asked until then waits for
 * them, here as later for an answer. */
static void answer_all(struct ledger *ledger)
{
    take_inbox(ledger);
    if (!ledger->files) return;
    for (struct ledger_job *job = ledger_queue_take(&ledger->queue); job;
         job = ledger_queue_take(&ledger->queue)) {
        if (open_state(ledger)) {
            lua_ledger_answer(ledger->vm, job);
            sql_rollback(ledger->sql); /* of a script that forgot it */
        } else {
            lua_ledger_refuse(job, "The ledger cannot be used now.");
        }
    }
}

static void wait(const struct ledger *ledger)
{
    struct pollfd fd = {.fd = ledger->wake_fd, .events = POLLIN};
    uint64_t count;

    if (poll(&fd, 1, TURN_MS) > 0) {
        ssize_t got = read(ledger->wake_fd, &count, sizeof(count));
        (void)got; /* the wake-up itself is all there is to know */
    }
}

static void *run(void *argument)
{
    struct ledger *ledger = argument;

    while (!atomic_load(&ledger->closing)) {
        wait(ledger);
        ledger_carry(ledger); /* so that answers know all that was written before */
        answer_all(ledger);
        rest(ledger);
        ledger_keep(ledger);
        log_flush(ledger->options.log);
    }
    ledger_queue_close(&ledger->queue);
    ledger_carry(ledger);
    return NULL;
}

/* ---- start and stop -----------------------------------------------------------------------
 */

struct ledger *ledger_open(const struct ledger_options *options, char **error)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    *error = NULL;
    if (!ledger) return NULL;
    ledger->options = *options;
    ledger->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (asprintf(&ledger->path, "%s/ledger.db", options->data_dir) < 0) ledger->path = NULL;
    ledger->ingest = ledger_ingest_new(options->data_dir, options->log);
    if (!ledger->path || ledger->wake_fd < 0 || !ledger->ingest ||
        !ledger_begin(ledger, error)) {
        ledger_free(ledger);
        return NULL;
    }
    ledger->context = (struct lua_context){
        .shared = options->shared,
        .keyring = options->keyring,
        .metrics = options->metrics,
        .worker = options->slot,
        .log = options->log,
        .gateway = options->gateway,
        .sql = ledger->sql,
        .ledger_state = true,
    };
    ledger_keep_init(ledger);
    return ledger;
}

int64_t ledger_carried_ms(const struct ledger *ledger)
{
    return atomic_load(&ledger->carried_ms);
}

struct sql *ledger_sql(struct ledger *ledger)
{
    return ledger->sql;
}

bool ledger_start(struct ledger *ledger)
{
    ledger->runs = pthread_create(&ledger->thread, NULL, run, ledger) == 0;
    return ledger->runs;
}

int64_t ledger_boot_ms(const struct ledger *ledger)
{
    return ledger_ingest_boot(ledger->ingest);
}

void ledger_stop(struct ledger *ledger)
{
    if (!ledger || !ledger->runs) return;
    atomic_store(&ledger->closing, true);
    wake(ledger);
    pthread_join(ledger->thread, NULL);
    ledger->runs = false;
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger) return;
    ledger_stop(ledger);
    ledger_queue_close(&ledger->queue);
    vm_retire(ledger->vm); /* its queries end before the connection */
    bundle_drop(ledger->files);
    bundle_drop(atomic_exchange(&ledger->inbox, NULL));
    ledger_ingest_free(ledger->ingest);
    sql_close(ledger->sql);
    if (ledger->wake_fd >= 0) close(ledger->wake_fd);
    free(ledger->path);
    free(ledger);
}
