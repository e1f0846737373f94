#include "watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { WHAT = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_CREATE };

struct watch {
    int fd;     /* owned */
    char *name; /* owned: the watched file's own name, or NULL */
};

static bool add(struct watch *watch, const char *dir)
{
    return !dir || inotify_add_watch(watch->fd, dir, WHAT) >= 0;
}

static bool add_folder_of(struct watch *watch, const char *file)
{
    char folder[PATH_MAX];

    if (!file) return true;
    const char *slash = strrchr(file, '/');
    watch->name = strdup(slash ? slash + 1 : file);
    if (!slash) return watch->name && add(watch, ".");
    int len = (int)(slash - file) + (slash == file);
    (void)snprintf(folder, sizeof(folder), "%.*s", len, file);
    return watch->name && add(watch, folder);
}

struct watch *watch_open(const char *file, const char *dir, const char *other_dir)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch) return NULL;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0 || !add_folder_of(watch, file) || !add(watch, dir) ||
        !add(watch, other_dir)) {
        watch_close(watch);
        return NULL;
    }
    return watch;
}

void watch_close(struct watch *watch)
{
    if (!watch) return;
    if (watch->fd >= 0) close(watch->fd);
    free(watch->name);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

/* Kubernetes swaps a link called ..data. */
static bool matters(const struct watch *watch, const char *name)
{
    size_t len = strlen(name);

    if (watch->name && strcmp(name, watch->name) == 0) return true;
    if (strcmp(name, "..data") == 0) return true;
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

bool watch_changed(struct watch *watch)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool changed = false;
    ssize_t got;

    while ((got = read(watch->fd, bytes, sizeof(bytes))) > 0) {
        for (char *at = bytes; at < bytes + got;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            changed = changed || (event->len && matters(watch, event->name));
            at += sizeof(*event) + event->len;
        }
    }
    return changed;
}
