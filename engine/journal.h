/* Intent and usage lines: appended by a worker, written before a call leaves and before an
 * answer ends. One file a worker and UTC day under DIR: journal/2026-11-22-w0.jsonl.
 *
 * Knows lines, not what they say. One journal belongs to one worker; journal_sync() alone may
 * be called by another thread. */
#ifndef MOONGATE_JOURNAL_H
#define MOONGATE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

/* Opens (and where a crash tore the last line, ends it). NULL with *error (owned by the caller,
 * free()) set on failure. */
struct journal *journal_open(const char *data_dir, unsigned worker, char **error)
    __attribute__((warn_unused_result));

/* Queue one line (a newline is added). False: the spool is full (64 MiB that could not be
 * written), the line is lost, and the caller says so. */
bool journal_append(struct journal *journal, const char *line, size_t len)
    __attribute__((warn_unused_result));

/* One write() of all that was queued; called once a loop turn, before calls leave and answers
 * end. False: the disk refused; the lines stay queued for the next turn. */
bool journal_flush(struct journal *journal);

/* fdatasync, if something was written since the last. Any thread. False: the disk refused; the
 * next one tries again. */
bool journal_sync(struct journal *journal);

/* Is the file still where it is looked for? One that was removed or replaced is made anew, with
 * all that was written to it. False: it was. The thread that syncs. */
bool journal_look(struct journal *journal);

/* Bytes of all lines: handed over, on file, on disk. A line is where the first of them stood
 * after it was handed over. The last two: any thread. */
uint64_t journal_appended(const struct journal *journal);
uint64_t journal_written(const struct journal *journal);
uint64_t journal_synced(const struct journal *journal);
/* Bytes of lines that a disk was asked to keep and refused, so far. Any thread. */
uint64_t journal_unkept(const struct journal *journal);
/* Since when (monotonic) the disk has refused lines; 0: it does not. Any thread. */
int64_t journal_stuck_ms(const struct journal *journal);

enum { JOURNAL_CROWDED = 32 << 20 };                  /* queued bytes: half of the spool */
size_t journal_queued(const struct journal *journal); /* bytes */
void journal_close(struct journal *journal);

#endif
