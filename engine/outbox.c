#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "digest.h"
#include "log.h"
#include "metrics.h"
#include "moment.h"
#include "outbox_library.h"
#include "outbox_rows.h"
#include "outbox_server.h"
#include "sql.h"

enum {
    BATCH = 500,
    LOOK_MS = 500, /* so often for new rows */
    FIRST_WAIT_MS = 250,
    LAST_WAIT_MS = 5000,
    TRIES = 5, /* of a row that the server will not have */
    AGAIN_MS = 60000,
};

static const char sink[] = "postgres";

/* One table's way across. */
struct way {
    int64_t seq;   /* sent up to here */
    int64_t limit; /* rows in a batch: 1 while a bad one is looked for */
    int tries;     /* of the batch, while it is one row */
};

struct outbox {
    struct outbox_options options;
    struct outbox_library *library; /* owned */
    struct outbox_server *server;   /* owned; the thread's, as all below */
    struct sql *sql;                /* owned; NULL: not open */
    struct outbox_rows rows;
    struct way ways[OUTBOX_TABLES];
    bool has_tables, has_position;
    int64_t wait_ms; /* before the next try; 0: nothing is wrong */
    int64_t told_ms; /* when the trouble was last logged; 0: there is none */
    int wake_fd;
    atomic_bool stopping;
    pthread_t thread;
    char *path, *node; /* the ledger's; this gateway's name; owned */
    struct {
        unsigned backlog, sent, duplicate, quarantined, retried, up;
    } metric;
};

/* ---- what people hear ---------------------------------------------------------------------
 */

static void count(const struct outbox *outbox, unsigned metric, int64_t n)
{
    metrics_add(outbox->options.metrics, outbox->options.slot, metric, (double)n);
}

static void tell_trouble(struct outbox *outbox, const char *what, const char *why)
{
    int64_t now = moment_monotonic_us() / 1000;

    if (outbox->told_ms && now - outbox->told_ms < AGAIN_MS) return;
    outbox->told_ms = now;
    log_event(outbox->options.log, LOG_WARN, "outbox_waits",
              "usage rows wait in the ledger: %s: %s", what, why);
    log_flush(outbox->options.log);
}

static void tell_back(struct outbox *outbox)
{
    if (!outbox->told_ms) return;
    outbox->told_ms = 0;
    log_event(outbox->options.log, LOG_INFO, "outbox_up", "usage rows go to PostgreSQL");
    log_flush(outbox->options.log);
}

/* ---- the ledger's side --------------------------------------------------------------------
 */

static bool read_position(struct outbox *outbox)
{
    struct sql *sql = outbox->sql;

    outbox->ways[OUTBOX_REQUESTS].seq =
        sql_number(sql, "SELECT request_seq FROM exports WHERE sink='postgres'", 0);
    outbox->ways[OUTBOX_ATTEMPTS].seq =
        sql_number(sql, "SELECT attempt_seq FROM exports WHERE sink='postgres'", 0);
    return true;
}

/* Also where nothing was sent yet: then retention knows that we are here. */
static void tell_position(const struct outbox *outbox)
{
    outbox->options.exported(outbox->options.ledger, sink, outbox->ways[OUTBOX_REQUESTS].seq,
                             outbox->ways[OUTBOX_ATTEMPTS].seq);
}

static bool open_ledger(struct outbox *outbox)
{
    enum sql_code code = SQL_OK;
    char *error = NULL;

    if (outbox->sql) return true;
    outbox->sql = sql_open(outbox->path, SQL_USUAL, &code, &error);
    if (outbox->sql && sql_read_only(outbox->sql) != SQL_OK) {
        sql_close(outbox->sql);
        outbox->sql = NULL;
    }
    if (!outbox->sql) tell_trouble(outbox, "the ledger", error ? error : sql_code_name(code));
    free(error);
    if (!outbox->sql) return false;
    if (!outbox->has_position) {
        outbox->has_position = read_position(outbox);
        tell_position(outbox);
    }
    return true;
}

static void measure(struct outbox *outbox)
{
    int64_t backlog = 0;

    for (int i = 0; i < OUTBOX_TABLES; i++) {
        int64_t last = outbox_rows_last(outbox->sql, (enum outbox_table)i);
        if (last > outbox->ways[i].seq) backlog += last - outbox->ways[i].seq;
    }
    metrics_set(outbox->options.metrics, outbox->options.slot, outbox->metric.backlog,
                (double)backlog);
}

/* ---- a row that the server will not have --------------------------------------------------
 */

/* Out of the way, but not lost: a line in a file beside the ledger. */
static bool write_quarantine(const struct outbox *outbox)
{
    const struct buf *json = &outbox->rows.json; /* "[{…}]" and a NUL */
    char *path = NULL;

    if (json->len < 3) return false;
    if (asprintf(&path, "%s/outbox.quarantine.jsonl", outbox->options.data_dir) < 0)
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0) return false;
    struct buf line;
    buf_init(&line, json->len);
    bool whole = buf_append(&line, json->data + 1, json->len - 3) &&
                 buf_append(&line, "\n", 1) &&
                 write(fd, line.data, line.len) == (ssize_t)line.len && fsync(fd) == 0;
    buf_free(&line);
    return close(fd) == 0 && whole;
}

static void quarantine(struct outbox *outbox, struct way *way)
{
    if (!write_quarantine(outbox)) {
        tell_trouble(outbox, "the file for rows that are refused", strerror(errno));
        return;
    }
    log_event(outbox->options.log, LOG_ERROR, "outbox_quarantine",
              "PostgreSQL has refused row %lld %d times (%s): it is in "
              "%s/outbox.quarantine.jsonl now, and the next ones go on",
              (long long)outbox->rows.last_seq, TRIES, outbox_server_why(outbox->server),
              outbox->options.data_dir);
    log_flush(outbox->options.log);
    count(outbox, outbox->metric.quarantined, 1);
    way->seq = outbox->rows.last_seq;
    way->tries = 0;
    tell_position(outbox);
}

/* Half as many, until it is alone. */
static void narrow(struct outbox *outbox, struct way *way)
{
    if (outbox->rows.count > 1) {
        way->limit = outbox->rows.count / 2;
        return;
    }
    way->limit = 1;
    if (++way->tries >= TRIES) {
        quarantine(outbox, way);
    } else {
        outbox->wait_ms = FIRST_WAIT_MS;
    }
}

/* ---- sending ------------------------------------------------------------------------------
 */

static void wait_longer(struct outbox *outbox)
{
    int64_t next = outbox->wait_ms ? outbox->wait_ms * 2 : FIRST_WAIT_MS;

    outbox->wait_ms = next > LAST_WAIT_MS ? LAST_WAIT_MS : next;
    count(outbox, outbox->metric.retried, 1);
    tell_trouble(outbox, "PostgreSQL", outbox_server_why(outbox->server));
}

static bool make_tables(struct outbox *outbox)
{
    int64_t there = 0;

    if (outbox->has_tables) return true;
    if (outbox_server_run(outbox->server, outbox_rows_look, NULL, &there) == OUTBOX_DONE) {
        outbox->has_tables = there != 0 || outbox_server_run(outbox->server, outbox_rows_create,
                                                             NULL, &there) == OUTBOX_DONE;
    }
    if (!outbox->has_tables) wait_longer(outbox);
    return outbox->has_tables;
}

static void note_sent(struct outbox *outbox, struct way *way, int64_t inserted)
{
    count(outbox, outbox->metric.sent, inserted);
    count(outbox, outbox->metric.duplicate, outbox->rows.count - inserted);
    way->seq = outbox->rows.last_seq;
    way->tries = 0;
    way->limit = way->limit * 2 > BATCH ? BATCH : way->limit * 2;
    outbox->wait_ms = 0;
    tell_back(outbox);
    tell_position(outbox);
}

/* One batch. True: there may be more at once. */
static bool send_batch(struct outbox *outbox, enum outbox_table table)
{
    struct way *way = &outbox->ways[table];
    int64_t inserted = 0;

    if (!outbox_rows_read(outbox->sql, table, way->seq, way->limit, &outbox->rows)) {
        tell_trouble(outbox, "the ledger", sql_message(outbox->sql));
        if (way->limit > 1) way->limit /= 2; /* so many may be too long a text */
        outbox->wait_ms = LOOK_MS;
        return false;
    }
    if (outbox->rows.count == 0 || !make_tables(outbox)) return false;

    const char *const parameters[2] = {outbox->rows.json.data, outbox->node};
    switch (
        outbox_server_run(outbox->server, outbox_rows_insert(table), parameters, &inserted)) {
    case OUTBOX_DONE: note_sent(outbox, way, inserted); return true;
    case OUTBOX_BAD_ROW: narrow(outbox, way); return outbox->wait_ms == 0;
    case OUTBOX_NO_TABLE: outbox->has_tables = false; break;
    case OUTBOX_LATER: break;
    case OUTBOX_STOPPED: return false;
    }
    wait_longer(outbox);
    return false;
}

static bool is_stopping(struct outbox *outbox)
{
    return atomic_load(&outbox->stopping);
}

static void send_all(struct outbox *outbox)
{
    bool more = open_ledger(outbox);

    while (more && !is_stopping(outbox)) {
        more = false;
        for (int i = 0; i < OUTBOX_TABLES; i++) {
            if (send_batch(outbox, (enum outbox_table)i)) more = true;
        }
        measure(outbox);
    }
    metrics_set(outbox->options.metrics, outbox->options.slot, outbox->metric.up,
                outbox->has_tables && outbox_server_is_up(outbox->server));
}

/* ---- the thread ---------------------------------------------------------------------------
 */

static int some_of(int64_t ms)
{
    uint16_t chance = 0;

    (void)!digest_random(&chance, sizeof(chance)); /* without it: no jitter */
    return (int)(ms / 2 + ms / 2 * chance / UINT16_MAX);
}

static void *run(void *argument)
{
    struct outbox *outbox = argument;

    while (!is_stopping(outbox)) {
        struct pollfd wake = {.fd = outbox->wake_fd, .events = POLLIN};
        send_all(outbox);
        (void)poll(&wake, 1, outbox->wait_ms ? some_of(outbox->wait_ms) : LOOK_MS);
    }
    sql_close(outbox->sql);
    outbox->sql = NULL;
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------
 */

static void describe_metrics(struct outbox *outbox)
{
    static const char rows[] = "moongate_outbox_rows_total";
    static const char backlog[] = "moongate_outbox_backlog_rows";
    static const char up[] = "moongate_outbox_up";
    static const char retries[] = "moongate_outbox_retries_total";
    static const char *const results[] = {"sent", "duplicate", "quarantined"};
    struct metrics *metrics = outbox->options.metrics;
    unsigned *ids[] = {&outbox->metric.sent, &outbox->metric.duplicate,
                       &outbox->metric.quarantined};

    metrics_describe(metrics, rows,
                     &(struct metric_about){.kind = METRIC_COUNTER,
                                            .help = "Usage rows taken to PostgreSQL."});
    metrics_describe(metrics, backlog,
                     &(struct metric_about){.kind = METRIC_GAUGE,
                                            .help = "Usage rows that are not there yet."});
    metrics_describe(
        metrics, up,
        &(struct metric_about){.kind = METRIC_GAUGE, .help = "Whether PostgreSQL answers."});
    metrics_describe(metrics, retries,
                     &(struct metric_about){.kind = METRIC_COUNTER,
                                            .help = "Batches that have to be sent again."});
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct metric_label label = {"result", results[i]};
        *ids[i] = metrics_series(metrics, rows, METRIC_COUNTER, &label, 1);
    }
    outbox->metric.backlog = metrics_series(metrics, backlog, METRIC_GAUGE, NULL, 0);
    outbox->metric.up = metrics_series(metrics, up, METRIC_GAUGE, NULL, 0);
    outbox->metric.retried = metrics_series(metrics, retries, METRIC_COUNTER, NULL, 0);
}

static bool fails(char **error, const char *what)
{
    if (!*error && asprintf(error, "MOONGATE_POSTGRES_URL: %s", what) < 0) *error = NULL;
    return false;
}

static bool check_address(const struct outbox *outbox, char **error)
{
    char *password = NULL;

    if (!outbox_server_address(outbox->library, outbox->options.url, &password)) {
        return fails(error,
                     "it is wrong: postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %XX "
                     "for what is special");
    }
    if (password) log_secret(outbox->options.log, password, strlen(password));
    free(password);
    return true;
}

static bool open_parts(struct outbox *outbox, char **error)
{
    const struct outbox_options *options = &outbox->options;

    outbox->library = outbox_library_open(error);
    if (!outbox->library) return fails(error, "out of memory");
    if (!check_address(outbox, error)) return false;
    outbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (asprintf(&outbox->path, "%s/ledger.db", options->data_dir) < 0) outbox->path = NULL;
    outbox->server = outbox_server_new(&(struct outbox_server_options){
        .library = outbox->library,
        .resolver = options->resolver,
        .url = options->url,
        .name = "moongate",
        .wake_fd = outbox->wake_fd,
    });
    outbox->node = strdup(options->node);
    if (outbox->wake_fd < 0 || !outbox->path || !outbox->node || !outbox->server) {
        return fails(error, "out of memory");
    }
    return true;
}

static void free_parts(struct outbox *outbox)
{
    outbox_server_free(outbox->server);
    outbox_library_free(outbox->library);
    buf_free(&outbox->rows.json);
    if (outbox->wake_fd >= 0) close(outbox->wake_fd);
    free(outbox->path);
    free(outbox->node);
    free(outbox);
}

static bool start_thread(struct outbox *outbox)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&outbox->thread, NULL, run, outbox) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct outbox *outbox_start(const struct outbox_options *options, char **error)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));

    *error = NULL;
    if (!outbox) return NULL;
    outbox->options = *options;
    outbox->wake_fd = -1;
    for (int i = 0; i < OUTBOX_TABLES; i++) {
        outbox->ways[i].limit = BATCH;
    }
    describe_metrics(outbox);
    if (open_parts(outbox, error) && (start_thread(outbox) || fails(error, "no thread"))) {
        return outbox;
    }
    free_parts(outbox);
    errno = EINVAL;
    return NULL;
}

void outbox_stop(struct outbox *outbox)
{
    uint64_t one = 1;

    if (!outbox) return;
    atomic_store(&outbox->stopping, true);
    ssize_t written = write(outbox->wake_fd, &one, sizeof(one));
    (void)written; /* full: it is awake anyway */
    pthread_join(outbox->thread, NULL);
    free_parts(outbox);
}
