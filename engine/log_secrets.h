/* What may not be printed: registered values, and whatever looks like a key.
 *
 * Knows bytes only. Any thread: reading takes no lock. */
#ifndef MOONGATE_LOG_SECRETS_H
#define MOONGATE_LOG_SECRETS_H

#include <stddef.h>

struct log_secrets;

struct log_secrets *log_secrets_new(void) __attribute__((warn_unused_result));
/* Wipes what it knew. */
void log_secrets_free(struct log_secrets *secrets);

/* Copied. Values under 8 bytes are no secrets; nor are they when memory is short. */
void log_secrets_add(struct log_secrets *secrets, const char *value, size_t len);

/* Take the secrets out of one line of JSON that log_text wrote: in place, *** for each (digits
 * of numbers become 9s, so that JSON it stays). The line's new length, never more. */
size_t log_secrets_hide(const struct log_secrets *secrets, char *line, size_t len);

#endif
