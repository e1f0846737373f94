#include "pepper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "digest.h"

enum { PATH_SIZE = 4096 };

static bool refuse(char **error, const char *path, const char *why)
{
    if (asprintf(error, "%s: %s", path, why) < 0) *error = NULL;
    return false;
}

static bool write_whole(int fd, const unsigned char *bytes)
{
    size_t at = 0;

    while (at < PEPPER_SIZE) {
        ssize_t n = write(fd, bytes + at, PEPPER_SIZE - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Names are on disk once their folder is. */
static void sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

/* Under another name first: a crash leaves a whole pepper or none. */
static bool make(const char *dir, const char *path, unsigned char out[PEPPER_SIZE])
{
    char draft[PATH_SIZE + 8];

    if (!digest_random(out, PEPPER_SIZE)) return false;
    (void)snprintf(draft, sizeof(draft), "%s.new", path);
    (void)unlink(draft);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool fine = write_whole(fd, out);
    fine = close(fd) == 0 && fine;
    if (fine) fine = rename(draft, path) == 0;
    if (!fine) {
        int saved = errno;
        (void)unlink(draft);
        errno = saved;
        return false;
    }
    sync_folder(dir);
    return true;
}

/* What is wrong with the file; NULL: it was read. */
static const char *read_whole(int fd, unsigned char out[PEPPER_SIZE])
{
    struct stat info;
    unsigned char more;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return "is not a file";
    if (info.st_mode & 077)
        return "may be read by others on this machine; allow only its owner: chmod 600";
    if (info.st_size != PEPPER_SIZE || read(fd, out, PEPPER_SIZE) != PEPPER_SIZE ||
        read(fd, &more, 1) != 0)
        return "is damaged (it holds 32 bytes): bring it back from a backup";
    return NULL;
}

bool pepper_open(const char *dir, bool may_make, unsigned char out[PEPPER_SIZE], char **error)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof(path), "%s/pepper", dir) >= (int)sizeof(path))
        return refuse(error, dir, "the name is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && may_make) {
        return make(dir, path, out) || refuse(error, path, strerror(errno));
    }
    if (fd < 0 && errno == ENOENT) {
        return refuse(error, path,
                      "is missing, and the ledger's keys cannot be checked without it: bring "
                      "it back from a backup. Where there is none, make the keys' secrets void "
                      "(sqlite3 ledger.db 'DELETE FROM key_secrets') and rotate each key");
    }
    if (fd < 0) return refuse(error, path, strerror(errno));
    const char *why = read_whole(fd, out);
    close(fd);
    return !why || refuse(error, path, why);
}
