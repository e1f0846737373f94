#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "lock.h"
#include "moment.h"

enum {
    SPOOL_LIMIT = 64 << 20, /* bytes kept while the disk refuses */
    COPIED = 1 << 20,       /* at once, of a file that was taken away */
    KEPT = 1 << 20,         /* bytes of memory kept once the spool is empty */
};

static const int64_t DAY_US = 86400000000;

struct journal {
    char *dir; /* owned: DATA/journal */
    unsigned worker;
    int64_t day;       /* since 1970: of the file that is open */
    int fd;            /* owned; used by the worker alone, changed under `files` */
    bool torn;         /* the file was found to end inside a line: a newline goes first */
    bool mid_line;     /* the disk took a part of our first queued line */
    struct buf queued; /* owned: lines, each with its newline; the first may be cut */

    struct lock files;     /* guards fd, left_fd and new_file against journal_sync() */
    int64_t look_day;      /* of the file that is open */
    int left_fd;           /* owned: yesterday's file, to be synced and closed; or -1 */
    bool new_file;         /* its name may not be on disk yet */
    _Atomic bool unsynced; /* something was written since the last sync */

    uint64_t appended;     /* bytes of all lines so far */
    atomic_ullong written; /* bytes of them that are on file */
    atomic_ullong synced;  /* bytes of them that are on disk */
    atomic_ullong unkept;  /* bytes of them that the last sync that failed was for */
    atomic_llong stuck_ms; /* monotonic: since when the disk refuses; 0: it does not */
};

static int64_t today(void)
{
    return moment_wall_us() / DAY_US;
}

/* Whether the file ends inside a line: a crash tore it. */
static bool is_torn(int fd)
{
    struct stat facts;
    char last;

    if (fstat(fd, &facts) != 0 || facts.st_size == 0) return false;
    return pread(fd, &last, 1, facts.st_size - 1) == 1 && last != '\n';
}

/* Of the file of `day`; the caller frees. */
static char *path_of(const struct journal *journal, int64_t day)
{
    char name[MOMENT_ISO_SIZE];
    char *path = NULL;

    moment_iso(day * (DAY_US / 1000), name);
    if (asprintf(&path, "%s/%.10s-w%u.jsonl", journal->dir, name, journal->worker) < 0)
        return NULL;
    return path;
}

/* The file of `day`, or -1 (errno tells). */
static int open_day(const struct journal *journal, int64_t day)
{
    char *path = path_of(journal, day);

    if (!path) return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int why = errno;
    free(path);
    errno = why;
    return fd;
}

/* What a crash left of a line is ended before the first of ours. */
static bool end_torn_line(struct journal *journal)
{
    if (!journal->torn) return true;
    if (write(journal->fd, "\n", 1) != 1) return false;
    journal->torn = false;
    atomic_store(&journal->unsynced, true);
    return true;
}

static bool make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static char *explain(const char *what, const char *path, int why)
{
    char *text = NULL;

    if (asprintf(&text, "%s %s: %s", what, path, strerror(why)) < 0) return NULL;
    return text;
}

struct journal *journal_open(const char *data_dir, unsigned worker, char **error)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    *error = NULL;
    if (!journal) return NULL;
    journal->fd = journal->left_fd = -1;
    journal->worker = worker;
    journal->new_file = true;
    buf_init(&journal->queued, SPOOL_LIMIT);
    if (asprintf(&journal->dir, "%s/journal", data_dir) < 0) {
        journal->dir = NULL;
        goto fail;
    }
    if (!make_dir(data_dir) || !make_dir(journal->dir)) {
        *error = explain("cannot make", journal->dir, errno);
        goto fail;
    }
    journal->day = journal->look_day = today();
    journal->fd = open_day(journal, journal->day);
    if (journal->fd < 0) {
        *error = explain("cannot write to", journal->dir, errno);
        goto fail;
    }
    journal->torn = is_torn(journal->fd);
    (void)end_torn_line(journal); /* a full disk says no for now: the next flush tries again */
    return journal;
fail:
    journal_close(journal);
    return NULL;
}

bool journal_append(struct journal *journal, const char *line, size_t len)
{
    if (len >= SPOOL_LIMIT || !buf_reserve(&journal->queued, len + 1)) return false;
    if (!buf_append(&journal->queued, line, len) || !buf_append(&journal->queued, "\n", 1))
        return false;
    journal->appended += len + 1;
    return true;
}

/* A new UTC day has a new file, as soon as the old one ends with a whole line. The old one is
 * left to journal_sync(); where nobody syncs, the next day closes it. */
static bool turn_page(struct journal *journal)
{
    int64_t day = today();

    if (journal->mid_line || day == journal->day) return true;
    int fd = open_day(journal, day);
    if (fd < 0) return false;
    lock_take(&journal->files);
    int older = journal->left_fd;
    journal->left_fd = journal->fd;
    journal->fd = fd;
    journal->look_day = day;
    journal->new_file = true;
    lock_drop(&journal->files);
    atomic_store(&journal->unsynced, true);
    journal->day = day;
    journal->torn = is_torn(fd);
    if (older >= 0) (void)close(older);
    return true;
}

static bool flush(struct journal *journal)
{
    struct buf *queued = &journal->queued;

    if (!turn_page(journal) || !end_torn_line(journal)) return false;
    while (queued->len > 0) {
        ssize_t n = write(journal->fd, queued->data, queued->len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        journal->mid_line = queued->data[n - 1] != '\n';
        buf_consume(queued, (size_t)n);
        atomic_fetch_add(&journal->written, (unsigned long long)n);
        atomic_store(&journal->unsynced, true);
    }
    if (queued->cap > KEPT) buf_free(queued);
    return true;
}

bool journal_flush(struct journal *journal)
{
    if (journal->queued.len == 0) return true;
    bool fine = flush(journal);
    if (fine != (atomic_load(&journal->stuck_ms) == 0)) {
        atomic_store(&journal->stuck_ms, fine ? 0 : moment_monotonic_us() / 1000);
    }
    return fine;
}

/* ---- a file that somebody took away -------------------------------------------------------
 */

/* Whole lines of `from`, from *at on, behind what `to` has. */
static bool copy_lines(int from, int to, off_t *at, char *chunk)
{
    for (;;) {
        ssize_t got = pread(from, chunk, COPIED, *at);
        char *end = got > 0 ? memrchr(chunk, '\n', (size_t)got) : NULL;
        if (!end) return got >= 0;
        size_t len = (size_t)(end + 1 - chunk);
        if (write(to, chunk, len) != (ssize_t)len) return false;
        *at += (off_t)len;
    }
}

/* The same bytes at the same places, so that whoever reads it goes on where it was. The worker
 * writes on meanwhile: to the old file until the descriptor is the new one's, then there; what
 * the old one got last is copied behind. */
static void make_anew(struct journal *journal, int old, int64_t day)
{
    char *chunk = malloc(COPIED);
    off_t at = 0;

    (void)make_dir(journal->dir);
    int fd = chunk ? open_day(journal, day) : -1;
    if (fd >= 0 && copy_lines(old, fd, &at, chunk)) {
        lock_take(&journal->files);
        bool same = journal->look_day == day && dup3(fd, journal->fd, O_CLOEXEC) >= 0;
        journal->new_file = true;
        lock_drop(&journal->files);
        if (same) (void)copy_lines(old, fd, &at, chunk);
        atomic_store(&journal->unsynced, true);
    }
    if (fd >= 0) (void)close(fd);
    free(chunk);
}

static bool is_there(const struct journal *journal, int fd, int64_t day)
{
    struct stat ours, there;
    char *path = path_of(journal, day);
    bool same =
        !path || fstat(fd, &ours) != 0 ||
        (stat(path, &there) == 0 && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev);

    free(path);
    return same;
}

bool journal_look(struct journal *journal)
{
    lock_take(&journal->files);
    int fd = fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
    int64_t day = journal->look_day;
    lock_drop(&journal->files);
    if (fd < 0) return true;
    bool there = is_there(journal, fd, day);
    if (!there) make_anew(journal, fd, day);
    (void)close(fd);
    return there;
}

uint64_t journal_appended(const struct journal *journal)
{
    return journal->appended;
}

uint64_t journal_written(const struct journal *journal)
{
    return atomic_load(&journal->written);
}

uint64_t journal_synced(const struct journal *journal)
{
    return atomic_load(&journal->synced);
}

uint64_t journal_unkept(const struct journal *journal)
{
    return atomic_load(&journal->unkept);
}

int64_t journal_stuck_ms(const struct journal *journal)
{
    return atomic_load(&journal->stuck_ms);
}

static bool sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    (void)close(fd);
    return ok;
}

/* True when there is nothing to sync. Closes fd. */
static bool sync_file(int fd)
{
    if (fd < 0) return true;
    bool ok = fdatasync(fd) == 0;
    (void)close(fd);
    return ok;
}

/* Works on a descriptor of its own, so that the worker may turn the page meanwhile. */
bool journal_sync(struct journal *journal)
{
    if (!atomic_exchange(&journal->unsynced, false)) return true;
    uint64_t written = atomic_load(&journal->written); /* before the descriptor is taken */
    lock_take(&journal->files);
    int fd = dup(journal->fd);
    int left = journal->left_fd;
    bool new_file = journal->new_file;
    journal->left_fd = -1;
    journal->new_file = false;
    lock_drop(&journal->files);

    bool ok = sync_file(left);
    ok = fd >= 0 && sync_file(fd) && ok;
    if (new_file && !sync_dir(journal->dir)) {
        ok = false;
        lock_take(&journal->files);
        journal->new_file = true;
        lock_drop(&journal->files);
    }
    if (ok) {
        atomic_store(&journal->synced, written);
    } else {
        atomic_store(&journal->unkept, written);
        atomic_store(&journal->unsynced, true);
    }
    return ok;
}

size_t journal_queued(const struct journal *journal)
{
    return journal->queued.len;
}

void journal_close(struct journal *journal)
{
    if (!journal) return;
    if (journal->fd >= 0) {
        (void)journal_flush(journal);
        (void)journal_sync(journal);
        (void)close(journal->fd);
    }
    if (journal->left_fd >= 0) (void)close(journal->left_fd);
    buf_free(&journal->queued);
    free(journal->dir);
    free(journal);
}
