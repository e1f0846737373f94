#include "ledger.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "bundle.h"
#include "keyring_fill.h"
#include "ledger_queue.h"
#include "ledger_schema.h"
#include "log.h"
#include "lua_context.h"
#include "lua_ledger.h"
#include "lua_vm.h"
#include "sql.h"

enum { TURN_MS = 250 };

struct ledger {
    struct ledger_options options;
    char *path;      /* owned */
    struct sql *sql; /* owned; the ledger thread's, once that runs */
    struct ledger_queue queue;
    struct lua_context context;
    struct vm *vm;                  /* owned; NULL before the first files */
    _Atomic(struct bundle *) inbox; /* owned; the files to answer with next */
    int wake_fd;
    pthread_t thread;
    bool runs;
    atomic_bool closing;
};

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
    char *error = NULL;

    if (!files) return;
    struct vm *vm = lua_ledger_load(&ledger->context, files, &error);
    bundle_drop(files);
    if (vm) {
        vm_retire(ledger->vm);
        ledger->vm = vm;
    } else {
        log_event(ledger->options.log, LOG_ERROR, "ledger", "its scripts did not load: %s",
                  error ? error : "out of memory");
    }
    free(error);
}

static void answer_all(struct ledger *ledger)
{
    for (struct ledger_job *job = ledger_queue_take(&ledger->queue); job;
         job = ledger_queue_take(&ledger->queue)) {
        if (ledger->vm) {
            lua_ledger_answer(ledger->vm, job);
        } else {
            lua_ledger_refuse(job, "the ledger has no scripts");
        }
        sql_rollback(ledger->sql); /* a script that forgot it */
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
        take_inbox(ledger);
        answer_all(ledger);
        log_flush(ledger->options.log);
    }
    ledger_queue_close(&ledger->queue);
    return NULL;
}

/* ---- start and stop -----------------------------------------------------------------------
 */

static bool open_file(struct ledger *ledger, char **error)
{
    bool create = access(ledger->path, F_OK) != 0 && errno == ENOENT;
    enum sql_code code;
    char *why = NULL;

    ledger->sql = sql_open(ledger->path, create, &code, &why);
    if (ledger->sql) {
        return ledger_schema_migrate(ledger->sql, ledger->path, error) &&
               keyring_fill(ledger->options.keyring, ledger->sql, ledger->options.data_dir,
                            error);
    }
    if (asprintf(error, "cannot open %s: %s (%s)", ledger->path, why ? why : "?",
                 sql_code_name(code)) < 0)
        *error = NULL;
    free(why);
    return false;
}

struct ledger *ledger_open(const struct ledger_options *options, char **error)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    *error = NULL;
    if (!ledger) return NULL;
    ledger->options = *options;
    ledger->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (asprintf(&ledger->path, "%s/ledger.db", options->data_dir) < 0) ledger->path = NULL;
    if (!ledger->path || ledger->wake_fd < 0 || !open_file(ledger, error)) {
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
    return ledger;
}

bool ledger_start(struct ledger *ledger)
{
    ledger->runs = pthread_create(&ledger->thread, NULL, run, ledger) == 0;
    return ledger->runs;
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
    bundle_drop(atomic_exchange(&ledger->inbox, NULL));
    sql_close(ledger->sql);
    if (ledger->wake_fd >= 0) close(ledger->wake_fd);
    free(ledger->path);
    free(ledger);
}
