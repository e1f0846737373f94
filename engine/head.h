/* Is a request's head exactly what the HTTP library made of it, and one that everybody would
 * read the same way?
 *
 * The library parses in place, and lets through what request smuggling is made of (STACK.md 2.2
 * and 3.3). So every byte of a head is accounted for: what lies between two things that the
 * library reported must be the separator alone; then each line is checked by itself. What
 * leaves no trace cannot be told: NUL LF, and a line of one colon ended by a bare LF, stand for
 * CRLF then. Knows no library and allocates nothing. Any thread. */
#ifndef MOONGATE_HEAD_H
#define MOONGATE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEAD_MAX_BYTES = 16 * 1024, /* request line and headers */
    HEAD_MAX_FIELDS = 100,
    HEAD_MAX_TARGET = 8 * 1024,
    HEAD_MAX_METHOD = 31,
};

/* Why a head is refused; static. */
struct head_refusal {
    int status;
    const char *code; /* MATRICES.md 4.0 */
    const char *message;
};

/* One header; offsets from the first byte of the head. */
struct head_field {
    uint16_t name, name_len;
    uint16_t value, value_len; /* without trailing blanks */
};

/* A request line as it was parsed in place; all borrowed for the call. */
struct head_line {
    const char *method;
    const char *version;
    const char *target; /* where it was; its bytes have been cut up and decoded since */
    const char *copy;   /* its bytes as received, query and all */
    size_t target_len;
};

/* A head while it is checked, and what was found. */
struct head {
    const struct head_refusal *refusal; /* NULL: nothing wrong so far */
    const char *start;                  /* borrowed: the head's first byte */
    const char *end;                    /* borrowed: behind the last line seen, at its CRLF */
    int64_t length;                     /* Content-Length; -1: none */
    bool http10;
    bool chunked;
    bool expects; /* Expect: 100-continue */
    bool host;
    unsigned count;
    struct head_field fields[HEAD_MAX_FIELDS];
};

/* In this order: the request line, each header as it came, the end. `size` is what the library
 * says the head is long. After the first fault the rest is not looked at. */
void head_begin(struct head *head, const struct head_line *line);
void head_add(struct head *head, const char *name, size_t name_len, const char *value,
              size_t value_len);
const struct head_refusal *head_end(struct head *head, size_t size);

/* The first header of that name, or NULL. `start`: where the head's bytes are now. Counts all
 * of that name where `count` is given. */
const struct head_field *head_find(const struct head *head, const char *start, const char *name,
                                   unsigned *count);

/* May these be sent as a header? */
bool head_is_token(const char *bytes, size_t len);
bool head_is_value(const char *bytes, size_t len);

#endif
