#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

static const char *unreadable(int error)
{
    if (error == ENOENT) return "no such file";
    if (error == EACCES) return "this user may not read it";
    return "cannot be read";
}

/* A pipe or a device has no mode that says something. */
static const char *judge(int fd)
{
    struct stat about;

    if (fd < 0 || fstat(fd, &about) != 0) return unreadable(errno);
    if (S_ISDIR(about.st_mode)) return "is a folder";
    if (S_ISREG(about.st_mode) && about.st_mode & S_IRWXO) {
        return "everybody on this machine may read it; chmod 640 it";
    }
    return NULL;
}

ssize_t secret_file_read(const char *path, char *bytes, size_t room, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = 1;

    *why = judge(fd);
    while (!*why && got > 0 && len < room) {
        got = read(fd, bytes + len, room - len);
        if (got > 0) len += (size_t)got;
    }
    if (fd >= 0) close(fd);
    if (!*why && got < 0) *why = "cannot be read";
    if (!*why && len == room) *why = "is too long for a secret";
    return *why ? -1 : (ssize_t)len;
}
