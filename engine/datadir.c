#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

static int complain(char **error, const char *path, const char *why)
{
    int saved = errno;

    if (asprintf(error, "data folder %s: %s", path, why) < 0) *error = NULL;
    errno = saved;
    return -1;
}

int datadir_lock(const char *dir, char **error)
{
    char path[4096];

    if (mkdir(dir, 0750) != 0 && errno != EEXIST) return complain(error, dir, strerror(errno));
    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return complain(error, path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    close(fd);
    errno = EBUSY;
    return complain(error, dir, "another moongate uses it");
}
