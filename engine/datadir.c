#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>

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
    return complain(error, dir, "another moongate uses it; --data names another folder");
}

void datadir_note(const char *dir, const char *name, const char *line)
{
    char path[4096], temporary[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(temporary, sizeof(temporary), "%s/%s.new", dir, name);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    bool whole = dprintf(fd, "%s\n", line) > 0;
    close(fd);
    if (!whole || rename(temporary, path) != 0) unlink(temporary);
}

void datadir_forget(const char *dir, const char *name)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)unlink(path);
}

/* statfs(2) */
bool datadir_is_remote(const char *dir, const char **kind)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {{0x6969, "nfs"},     {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},
                 {0x517b, "smb"},     {0x01021997, "9p"},   {0x00c36400, "ceph"},
                 {0x5346414f, "afs"}, {0x564c, "ncp"},      {0x73757245, "coda"},
                 {0x65735546, "fuse"}};
    struct statfs facts;

    if (statfs(dir, &facts) != 0) return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((unsigned long)facts.f_type != kinds[i].magic) continue;
        *kind = kinds[i].name;
        return true;
    }
    return false;
}
