/* Lines on file: whole, in order, exactly once; also after a crash, over a full disk and
 * midnight. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "journal.h"

enum { PATH_SIZE = 256 };

static char base[] = "/tmp/test_journal_XXXXXX";
static _Atomic time_t ahead; /* seconds that the wall clock is moved */

/* In the C library's place, so that a test can make midnight come. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    long status = syscall(SYS_clock_gettime, id, now);

    if (id == CLOCK_REALTIME) now->tv_sec += ahead;
    return (int)status;
}

/* DIR/journal/<today>-w<worker>.jsonl; across midnight the test would look in the wrong place.
 */
static void path_of(char path[PATH_SIZE], const char *dir, unsigned worker)
{
    time_t now = time(NULL) + ahead;
    struct tm parts;
    char day[16];

    strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&now, &parts));
    snprintf(path, PATH_SIZE, "%s/%s/journal/%s-w%u.jsonl", base, dir, day, worker);
}

/* All bytes of a file, with a NUL; the caller frees. */
static char *slurp(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    char *bytes = calloc(1, (size_t)size + 1);

    *len = 0;
    if (fd >= 0 && bytes && pread(fd, bytes, (size_t)size, 0) == size) *len = (size_t)size;
    if (fd >= 0) close(fd);
    return bytes;
}

static bool holds(const char *path, const char *want)
{
    size_t len;
    char *got = slurp(path, &len);
    bool same = got && strcmp(got, want) == 0;

    if (!same) fprintf(stderr, "%s holds: %s\n", path, got);
    free(got);
    return same;
}

static struct journal *open_in(const char *dir, unsigned worker)
{
    char path[PATH_SIZE];
    char *error = NULL;

    snprintf(path, sizeof(path), "%s/%s", base, dir);
    struct journal *journal = journal_open(path, worker, &error);
    if (!CHECK(journal != NULL)) fprintf(stderr, "%s\n", error ? error : "no memory");
    free(error);
    return journal;
}

static bool append(struct journal *journal, const char *line)
{
    return journal_append(journal, line, strlen(line));
}

static void test_lines(void)
{
    struct journal *journal = open_in("lines", 3);
    char path[PATH_SIZE];
    struct stat facts;

    path_of(path, "lines", 3);
    CHECK(append(journal, "{\"a\":1}") && append(journal, "{\"b\":2}"));
    CHECK(journal_queued(journal) == 16);
    CHECK(holds(path, ""));
    CHECK(journal_flush(journal) && journal_queued(journal) == 0);
    CHECK(holds(path, "{\"a\":1}\n{\"b\":2}\n"));
    CHECK(stat(path, &facts) == 0 && (facts.st_mode & 0777) == 0600);
    journal_sync(journal);
    CHECK(append(journal, "last"));
    journal_close(journal); /* writes what is queued */
    CHECK(holds(path, "{\"a\":1}\n{\"b\":2}\nlast\n"));
    journal_close(NULL);
}

static void test_torn(void)
{
    struct journal *journal = open_in("torn", 0);
    char path[PATH_SIZE];

    path_of(path, "torn", 0);
    CHECK(append(journal, "whole"));
    journal_close(journal);
    int fd = open(path, O_WRONLY | O_APPEND);
    CHECK(write(fd, "{\"torn", 6) == 6);
    close(fd);
    journal = open_in("torn", 0);
    CHECK(append(journal, "after") && journal_flush(journal));
    CHECK(holds(path, "whole\n{\"torn\nafter\n"));
    journal_close(journal);
    journal = open_in("torn", 0); /* a whole last line is left alone */
    journal_close(journal);
    CHECK(holds(path, "whole\n{\"torn\nafter\n"));
}

static void test_refused(void)
{
    char *error = NULL;
    char path[PATH_SIZE];

    CHECK(journal_open("/proc/no-such-place", 0, &error) == NULL);
    CHECK(error && strstr(error, "/proc/no-such-place"));
    free(error);
    snprintf(path, sizeof(path), "%s/file", base);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    CHECK(journal_open(path, 0, &error) == NULL && error);
    free(error);
}

/* The largest file this process may write: as good as a full disk. */
static void allow(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The disk takes a part of a line, then nothing; later all of it, each line once. */
static void test_full_disk(void)
{
    struct journal *journal = open_in("full", 0);
    char path[PATH_SIZE];

    path_of(path, "full", 0);
    CHECK(append(journal, "0123456789") && journal_flush(journal));
    allow(15);
    CHECK(append(journal, "abcdefghij"));
    CHECK(!journal_flush(journal));
    CHECK(append(journal, "more") && !journal_flush(journal));
    CHECK(holds(path, "0123456789\nabcd"));
    CHECK(journal_queued(journal) == 12);
    allow(RLIM_INFINITY);
    CHECK(append(journal, "last") && journal_flush(journal));
    CHECK(holds(path, "0123456789\nabcdefghij\nmore\nlast\n"));
    journal_close(journal);
}

/* The spool ends at 64 MiB: what does not fit is refused whole, and all the rest arrives. */
static void test_spool(void)
{
    struct journal *journal = open_in("spool", 0);
    size_t size = 1 << 20, taken = 0, len = 0;
    char *line = malloc(size);
    char path[PATH_SIZE];
    struct stat facts;

    path_of(path, "spool", 0);
    memset(line, 'x', size);
    allow(0);
    while (taken < 100 && journal_append(journal, line, size - 1))
        taken++;
    CHECK(taken == 64 && journal_queued(journal) == 64u << 20);
    CHECK(!append(journal, "") && !journal_flush(journal));
    allow(RLIM_INFINITY);
    CHECK(journal_flush(journal) && append(journal, "again"));
    journal_close(journal);
    CHECK(stat(path, &facts) == 0 && facts.st_size == (64 << 20) + 6);
    char *bytes = slurp(path, &len);
    CHECK(len == (64u << 20) + 6 && strcmp(bytes + (64 << 20), "again\n") == 0);
    free(bytes);
    free(line);
    unlink(path);
}

/* Each UTC day has its file; a line cut by a full disk ends in the file it began in. */
static void test_midnight(void)
{
    struct journal *journal = open_in("days", 0);
    char first[PATH_SIZE], second[PATH_SIZE], third[PATH_SIZE];

    path_of(first, "days", 0);
    CHECK(append(journal, "monday") && journal_flush(journal));
    ahead += 86400;
    path_of(second, "days", 0);
    int fd = open(second, O_CREAT | O_WRONLY, 0600); /* torn: a crash and a wrong clock */
    CHECK(write(fd, "?", 1) == 1);
    close(fd);
    CHECK(append(journal, "tuesday") && journal_flush(journal));
    CHECK(holds(first, "monday\n") && holds(second, "?\ntuesday\n"));
    journal_sync(journal);
    allow(12);
    CHECK(append(journal, "night") && !journal_flush(journal));
    ahead += 86400;
    path_of(third, "days", 0);
    CHECK(append(journal, "day") && !journal_flush(journal));
    allow(RLIM_INFINITY);
    CHECK(journal_flush(journal));
    CHECK(holds(second, "?\ntuesday\nnight\nday\n"));
    CHECK(append(journal, "wednesday") && journal_flush(journal));
    CHECK(holds(third, "wednesday\n"));
    journal_close(journal);
    ahead = 0;
}

static int drop(const char *path, const struct stat *facts, int type, struct FTW *where)
{
    (void)facts, (void)type, (void)where;
    return remove(path);
}

struct syncer {
    struct journal *journal;
    _Atomic bool stop;
};

static void *sync_on(void *arg)
{
    struct syncer *syncer = arg;

    while (!syncer->stop) {
        journal_sync(syncer->journal);
    }
    return NULL;
}

/* Another thread syncs while the worker writes; TSan looks. */
static void test_sync(void)
{
    struct syncer syncer = {.journal = open_in("sync", 0)};
    pthread_t thread;
    char path[PATH_SIZE];
    size_t len = 0;

    path_of(path, "sync", 0);
    CHECK(pthread_create(&thread, NULL, sync_on, &syncer) == 0);
    for (int i = 0; i < 2000; i++) {
        if (i % 500 == 499) ahead += 86400; /* in one of four files each */
        if (!append(syncer.journal, "line") || !journal_flush(syncer.journal)) CHECK(false);
    }
    syncer.stop = true;
    pthread_join(thread, NULL);
    journal_close(syncer.journal);
    free(slurp(path, &len));
    CHECK(len == 499u * 5);
    path_of(path, "sync", 0);
    free(slurp(path, &len));
    CHECK(len == 5);
    ahead = 0;
}

int main(void)
{
    if (!mkdtemp(base)) return 1;
    signal(SIGXFSZ, SIG_IGN);
    test_lines();
    test_torn();
    test_refused();
    test_full_disk();
    test_spool();
    test_midnight();
    test_sync();
    nftw(base, drop, 16, FTW_DEPTH | FTW_PHYS);
    return check_report();
}
