/* JSON text of a bounded size, safe to print: one line, valid UTF-8, no control characters.
 *
 * Knows bytes only. Any thread, one at a time. What does not fit is left out whole or cut where
 * it says so; len never passes cap. */
#ifndef MOONGATE_LOG_TEXT_H
#define MOONGATE_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct log_text {
    char *bytes; /* borrowed; not terminated */
    size_t len;
    size_t cap;
};

/* Append as they are; false, and nothing changed: no room. */
bool log_text_put(struct log_text *text, const char *bytes, size_t len);

/* A JSON string of any bytes: C0, C1, DEL, U+2028 and U+2029 escaped, invalid UTF-8 as \ufffd.
 * At most `max` bytes, quotes included; a longer one ends in "…", and never inside a word that
 * might be a part of a key. False, and nothing changed: no room even for that. */
bool log_text_string(struct log_text *text, const char *bytes, size_t len, size_t max);

/* Members of an object without its braces, made safe in the same way: `"a":1,"b":"x"`. False: a
 * string longer than 4 KiB was cut, or a member that does not fit or is broken was left out. */
bool log_text_members(struct log_text *text, const char *members, size_t len);

#endif
