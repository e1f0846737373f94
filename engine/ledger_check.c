#include "ledger_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 100, LOG_HEADER = 32 };

static const char MAGIC[] = "SQLite format 3"; /* and its NUL */
static const uint32_t LOG_MAGIC = 0x377f0682;  /* + 1: its checksum is big-endian */

bool ledger_check_refuse(const char *path, const char *why, char **error)
{
    if (asprintf(
            error,
            "the ledger %s cannot be used: %s. Nothing was changed. Restore the file from a "
            "backup; or move %s, %s-wal and %s-shm away: then usage is read again from the "
            "journal's files that are still there, but keys, teams and budgets made with "
            "the admin API are lost, and so are sums older than those files",
            path, why, path, path, path) < 0)
        *error = NULL;
    return false;
}

static uint32_t big(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

static uint32_t little(const unsigned char *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 |
           bytes[0];
}

/* The first `len` bytes and the size; -1: it is not there, or not readable (errno tells). */
static int64_t read_head(const char *path, unsigned char *head, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;

    memset(head, 0, len);
    if (fd < 0) return -1;
    bool fine = fstat(fd, &facts) == 0 && pread(fd, head, len, 0) >= 0;
    int why = errno;
    (void)close(fd);
    errno = why;
    if (fine && !S_ISREG(facts.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return fine ? facts.st_size : -1;
}

/* As the file format's section 4.1 has it. */
static bool is_log(const unsigned char *head)
{
    uint32_t (*word)(const unsigned char *) = big(head) == LOG_MAGIC ? little : big;
    uint32_t a = 0, b = 0;

    if ((big(head) & ~1u) != LOG_MAGIC) return false;
    for (int i = 0; i < 24; i += 8) {
        a += word(head + i) + b;
        b += word(head + i + 4) + a;
    }
    return big(head + 24) == a && big(head + 28) == b;
}

/* What is wrong with the file; NULL: nothing that can be seen from here. `logged`: there is a
 * log, which may hold newer pages than the file. */
static const char *problem(const unsigned char *head, int64_t size, bool logged)
{
    int64_t page = (int64_t)head[16] << 8 | head[17];

    if (size == 0) return "it is empty";
    if (size < HEADER || memcmp(head, MAGIC, sizeof(MAGIC)) != 0) {
        return "its header is damaged, it is no SQLite database";
    }
    if (page == 1) page = 65536;
    if (page < 512 || (page & (page - 1)) != 0) return "its header is damaged";
    if (!logged && big(head + 24) == big(head + 92) && size < page * (int64_t)big(head + 28)) {
        return "it is cut off, pages at its end are missing";
    }
    return NULL;
}

bool ledger_check(const char *path, bool *missing, char **error)
{
    unsigned char head[HEADER], log_head[LOG_HEADER];
    char *log_path = NULL;

    *missing = false;
    *error = NULL;
    if (asprintf(&log_path, "%s-wal", path) < 0) return false;
    int64_t size = read_head(path, head, sizeof(head));
    int why = errno;
    int64_t log_size = read_head(log_path, log_head, sizeof(log_head));
    free(log_path);
    if (size < 0) {
        *missing = why == ENOENT && log_size <= 0;
        if (*missing) return true;
        return ledger_check_refuse(
            path, why == ENOENT ? "the file is gone, its -wal file is there" : strerror(why),
            error);
    }
    const char *what = problem(head, size, log_size > 0);
    if (!what && log_size >= LOG_HEADER && !is_log(log_head)) {
        what = "its -wal file is damaged, which may hold changes that are not in it yet";
    }
    return !what || ledger_check_refuse(path, what, error);
}
