/* Tells when files that people edit were saved. Linux inotify; knows paths only. One thread. */
#ifndef MOONGATE_WATCH_H
#define MOONGATE_WATCH_H

#include <stdbool.h>

struct watch;

/* Watch the folder of a file, and whole folders; NULL ones are skipped. Folders, not files:
 * editors and ConfigMaps replace the file (OPERATOR.md 1.5). NULL: the kernel refused. */
struct watch *watch_open(const char *file, const char *dir, const char *other_dir);
void watch_close(struct watch *watch);

int watch_fd(const struct watch *watch);
/* Reads what happened: whether a .lua file, or the watched one, was touched. Never waits. */
bool watch_changed(struct watch *watch);

#endif
