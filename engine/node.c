#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"

bool node_random(char id[NODE_ID])
{
    unsigned char bytes[(NODE_ID - 1) / 2];

    if (!digest_random(bytes, sizeof(bytes))) return false;
    digest_hex((struct digest_bytes){bytes, sizeof(bytes)}, id);
    id[NODE_ID - 1] = '\0';
    return true;
}

static bool fails(const char *path, char **error)
{
    int saved = errno;

    if (asprintf(error, "the node's name %s: %s", path, strerror(saved)) < 0) *error = NULL;
    errno = saved;
    return false;
}

static bool is_id(const char *text, ssize_t len)
{
    return len >= NODE_ID - 1 && strspn(text, "0123456789abcdef") >= NODE_ID - 1;
}

/* Complete or not there at all: a half-written name would be another gateway. */
static bool make_file(const char *path, const char *text)
{
    ssize_t len = (ssize_t)strlen(text);
    char fresh[4096];
    int n = snprintf(fresh, sizeof(fresh), "%s.new", path);

    if (n < 0 || (size_t)n >= sizeof(fresh)) return false;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool whole = write(fd, text, (size_t)len) == len && fsync(fd) == 0;
    return close(fd) == 0 && whole && rename(fresh, path) == 0;
}

bool node_id(const char *data_dir, char id[NODE_ID], char **error)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/node", data_dir);
    int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 && errno != ENOENT) return fails(path, error);
    if (fd >= 0) {
        ssize_t len = read(fd, id, NODE_ID - 1);
        close(fd);
        id[NODE_ID - 1] = '\0';
        if (is_id(id, len)) return true;
        errno = EINVAL; /* somebody wrote something else there: ask, do not guess */
        return fails(path, error);
    }
    return (node_random(id) && make_file(path, id)) || fails(path, error);
}

/* ---- the epoch: without it a gateway is as one that is new ---- */

int64_t node_epoch(const char *data_dir)
{
    char path[4096], text[24];
    int n = snprintf(path, sizeof(path), "%s/node.epoch", data_dir);
    int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0) close(fd);
    if (len <= 0) return 0;
    text[len] = '\0';
    int64_t epoch = strtoll(text, NULL, 10);
    return epoch > 0 ? epoch : 0;
}

void node_epoch_keep(const char *data_dir, int64_t epoch)
{
    char path[4096], text[24];
    int n = snprintf(path, sizeof(path), "%s/node.epoch", data_dir);

    (void)snprintf(text, sizeof(text), "%lld", (long long)epoch);
    if (n > 0 && (size_t)n < sizeof(path)) (void)!make_file(path, text);
}
