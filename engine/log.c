#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock.h"
#include "log_secrets.h"
#include "log_text.h"
#include "moment.h"

enum {
    LINE = 16 << 10,
    QUEUE = 1 << 20, /* bytes that wait for the next flush */
    EVENT = 64,      /* bytes of an event's name */
    MESSAGE = 8 << 10,
};

static const char ENDING[] = "}\n";
static const char CUT_ENDING[] = ",\"truncated\":true}\n";

enum sink { SINK_FILE, SINK_PIPE, SINK_SOCKET };

struct log {
    int fd; /* borrowed, unless `reopened` */
    bool reopened;
    enum sink sink;
    enum log_level level;
    struct log_secrets *secrets; /* owned */
    _Atomic uint64_t dropped;    /* lines */

    struct lock lock;
    char *queue; /* owned, QUEUE bytes: whole lines, under the lock */
    size_t queued;
    bool writing; /* somebody is in write_out(), who alone touches what follows */

    char *out; /* owned, QUEUE bytes; swapped with `queue` */
    size_t out_at, out_len;
    bool torn; /* a line was written in part and will not be ended */
};

/* ---- making a line ------------------------------------------------------------------------
 */

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    return names[level];
}

/* {"ts":"…","level":"…","event":"…" — with room kept behind it for the longest ending. */
enum log_level log_level_named(const char *name)
{
    if (name && strcmp(name, "debug") == 0) return LOG_DEBUG;
    if (name && strcmp(name, "warn") == 0) return LOG_WARN;
    if (name && strcmp(name, "error") == 0) return LOG_ERROR;
    return LOG_INFO;
}

static struct log_text begin(char bytes[LINE], enum log_level level, const char *event)
{
    struct log_text text = {bytes, 0, LINE - sizeof(CUT_ENDING)};
    char now[MOMENT_ISO_SIZE];

    moment_iso(moment_wall_us() / 1000, now);
    int len = snprintf(bytes, LINE, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":", now,
                       level_name(level));
    text.len = (size_t)len;
    (void)log_text_string(&text, event, strlen(event), EVENT);
    return text;
}

/* End the line, take the secrets out, queue it. */
static void finish(struct log *log, struct log_text *text, bool whole)
{
    text->cap = LINE;
    (void)(whole ? log_text_put(text, ENDING, sizeof(ENDING) - 1)
                 : log_text_put(text, CUT_ENDING, sizeof(CUT_ENDING) - 1));
    size_t len = log_secrets_hide(log->secrets, text->bytes, text->len);
    lock_take(&log->lock);
    bool fits = len <= QUEUE - log->queued;
    if (fits) {
        memcpy(log->queue + log->queued, text->bytes, len);
        log->queued += len;
    }
    lock_drop(&log->lock);
    if (!fits) atomic_fetch_add(&log->dropped, 1);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return level >= log->level;
}

void log_event(struct log *log, enum log_level level, const char *event, const char *format,
               ...)
{
    char bytes[LINE], message[MESSAGE];
    va_list list;

    if (!log_wants(log, level)) return;
    va_start(list, format);
    int len = vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    struct log_text text = begin(bytes, level, event);
    bool whole = len >= 0 && len < MESSAGE / 2;
    (void)log_text_put(&text, ",\"message\":", 11);
    (void)log_text_string(&text, message, len < 0 ? 0 : strlen(message), MESSAGE / 2);
    finish(log, &text, whole);
}

void log_fields(struct log *log, enum log_level level, const char *event, const char *members,
                size_t len)
{
    char bytes[LINE];

    if (!log_wants(log, level)) return;
    struct log_text text = begin(bytes, level, event);
    size_t bare = text.len;
    bool whole = log_text_put(&text, ",", 1) && log_text_members(&text, members, len);
    if (text.len == bare + 1) text.len = bare; /* none of them: no comma */
    finish(log, &text, whole);
}

void log_row(struct log *log, enum log_level level, const char *event, const char *members,
             size_t len)
{
    char bytes[LINE];

    if (len > LINE / 2) {
        log_fields(log, level, event, members, len); /* which cuts what does not fit */
        return;
    }
    if (!log_wants(log, level)) return;
    struct log_text text = begin(bytes, level, event);
    (void)log_text_put(&text, ",", 1);
    (void)log_text_put(&text, members, len);
    finish(log, &text, true);
}

void log_secret(struct log *log, const char *value, size_t len)
{
    log_secrets_add(log->secrets, value, len);
}

/* ---- writing ------------------------------------------------------------------------------
 */

/* A pipe may be shared with a shell or a neighbour, who would not expect it to become
 * non-blocking: opened anew it has flags of its own. */
static void choose_sink(struct log *log, int fd)
{
    struct stat facts;
    char path[32];

    log->fd = fd;
    log->sink = SINK_FILE;
    if (fstat(fd, &facts) != 0) return;
    if (S_ISSOCK(facts.st_mode)) log->sink = SINK_SOCKET;
    if (!S_ISFIFO(facts.st_mode)) return;
    log->sink = SINK_PIPE;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (again < 0) return;
    log->fd = again;
    log->reopened = true;
}

struct log *log_new(int fd, enum log_level level)
{
    struct log *log = calloc(1, sizeof(*log));

    if (!log) return NULL;
    log->level = level;
    log->secrets = log_secrets_new();
    log->queue = malloc(QUEUE);
    log->out = malloc(QUEUE);
    choose_sink(log, fd);
    if (!log->secrets || !log->queue || !log->out) {
        log_free(log);
        return NULL;
    }
    return log;
}

void log_free(struct log *log)
{
    if (!log) return;
    if (log->queue && log->out && log->secrets) log_flush(log);
    log_secrets_free(log->secrets);
    free(log->queue);
    free(log->out);
    if (log->reopened) (void)close(log->fd);
    free(log);
}

/* Never waits. A pipe that says it is ready takes at least a page. */
static ssize_t write_some(const struct log *log, const char *bytes, size_t len)
{
    struct pollfd ready = {log->fd, POLLOUT, 0};

    if (log->sink == SINK_SOCKET) return send(log->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (log->sink == SINK_FILE || log->reopened) return write(log->fd, bytes, len);
    if (poll(&ready, 1, 0) != 1) {
        errno = EAGAIN;
        return -1;
    }
    return write(log->fd, bytes, len < 4096 ? len : 4096);
}

/* The rest cannot be written at all: count its lines, and remember whether one was begun. */
static void give_up(struct log *log)
{
    uint64_t lines = 0;

    log->torn = log->torn || (log->out_at > 0 && log->out[log->out_at - 1] != '\n');
    for (size_t i = log->out_at; i < log->out_len; i++)
        lines += log->out[i] == '\n';
    atomic_fetch_add(&log->dropped, lines);
    log->out_at = log->out_len = 0;
}

/* Write `out`; false: something is left for later, or was given up. */
static bool write_out(struct log *log)
{
    while (log->out_at < log->out_len) {
        bool mend = log->torn && log->out_at == 0; /* a newline first */
        ssize_t n = mend ? write_some(log, "\n", 1)
                         : write_some(log, log->out + log->out_at, log->out_len - log->out_at);
        if (n > 0 && mend) {
            log->torn = false;
        } else if (n > 0) {
            log->out_at += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return false;
        } else if (n == 0 || errno != EINTR) {
            give_up(log);
            return false;
        }
    }
    log->out_at = log->out_len = 0;
    return true;
}

/* Under the lock: whether there is something to write. */
static bool take_batch(struct log *log)
{
    if (log->out_len > 0) return true;
    char *spare = log->out;
    log->out = log->queue;
    log->out_len = log->queued;
    log->queue = spare;
    log->queued = 0;
    return log->out_len > 0;
}

/* One thread writes, without the lock; lines queued meanwhile are its to write too. */
void log_flush(struct log *log)
{
    bool go_on = true;

    lock_take(&log->lock);
    if (log->writing) {
        lock_drop(&log->lock);
        return;
    }
    log->writing = true;
    while (go_on && take_batch(log)) {
        lock_drop(&log->lock);
        go_on = write_out(log);
        lock_take(&log->lock);
    }
    log->writing = false;
    lock_drop(&log->lock);
}

uint64_t log_dropped(const struct log *log)
{
    return atomic_load(&log->dropped);
}
