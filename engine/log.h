/* One JSON line per event; secrets never pass the writer.
 *
 * Thread-safe. A line that would block is dropped and counted, never waited for. */
#ifndef MOONGATE_LOG_H
#define MOONGATE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log;

/* Of "debug", "info", "warn", "error"; of any other word, or NULL, LOG_INFO. */
enum log_level log_level_named(const char *name);

/* fd: borrowed, and left as it is: a pipe is opened anew to be written without waiting. level:
 * the least that is written. */
struct log *log_new(int fd, enum log_level level) __attribute__((warn_unused_result));
void log_free(struct log *log);

/* Whatever holds one of these values (8 bytes or more) is printed with *** in its place; so is
 * anything that looks like a key (mg-…, sk-…, Bearer …). Copied; the set only grows. */
void log_secret(struct log *log, const char *value, size_t len);

/* Whether a line of this level would be written: saves making it. */
bool log_wants(const struct log *log, enum log_level level);

/* A line has at most 16 KiB: what does not fit is cut or left out, and "truncated":true says
 * so. */

/* One event with a formatted message: {"ts":"…","level":"…","event":"…","message":"…"}. */
void log_event(struct log *log, enum log_level level, const char *event, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* One event whose further members come as ready JSON, without braces: `"status":200,…`. They
 * are made safe to print, so they may hold other people's text. */
void log_fields(struct log *log, enum log_level level, const char *event, const char *members,
                size_t len);

/* The same for members that are safe as they are (one line, valid, every string quoted by
 * json_quote() with `strict`): not looked at again, but for secrets. */
void log_row(struct log *log, enum log_level level, const char *event, const char *members,
             size_t len);

/* Write out what is queued; once a loop turn and at exit. */
void log_flush(struct log *log);
uint64_t log_dropped(const struct log *log);

#endif
