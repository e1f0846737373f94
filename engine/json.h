/* Strict JSON over other people's bytes: check, index, find, splice. Never re-encodes.
 *
 * RFC 8259 with strict UTF-8, ceilings on depth, nodes, keys and digits, linear time and
 * constant C stack. Depends on buf; knows no Lua and no provider's shapes. Any thread, one at a
 * time. Offsets count from the text's first byte; every text is smaller than 4 GiB. */
#ifndef MOONGATE_JSON_H
#define MOONGATE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum json_code {
    JSON_OK,
    JSON_INVALID,      /* invalid_json */
    JSON_INVALID_UTF8, /* invalid_utf8: in a string; elsewhere such bytes are invalid_json */
    JSON_NOT_OBJECT,   /* body_not_object */
    JSON_TOO_DEEP,     /* too_deep */
    JSON_TOO_MANY,     /* too_many_nodes: values in all, or names in one object */
    JSON_DUPLICATE,    /* duplicate_parameter: a top-level name came twice */
    JSON_NO_MEMORY,    /* no_memory */
};

struct json_error {
    enum json_code code;
    size_t at;           /* the offending byte */
    const char *message; /* static, for people */
    char param[65];      /* of a duplicate: its name, cut; else "" */
};

/* The word for a code, as in the comments above. */
const char *json_code_name(enum json_code code);

enum { JSON_MAX_DEPTH = 64, JSON_MAX_NUMBER = 64 };

struct json_limits {
    unsigned depth; /* open containers, at most JSON_MAX_DEPTH */
    size_t nodes;   /* values, containers included */
    size_t keys;    /* names in one object */
};

enum { JSON_ERROR_SPACE = 192 };
/* A sentence for people: what is wrong, and where. */
void json_explain(const struct json_error *error, char out[JSON_ERROR_SPACE]);

/* What a client may send, and what a provider may answer (embeddings are millions of numbers).
 */
extern const struct json_limits json_client_limits;
extern const struct json_limits json_answer_limits;

/* ---- one token after the other ------------------------------------------------------------
 */

enum json_token {
    JSON_BAD, /* see reader->error; stays so */
    JSON_END, /* the text held one whole value */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_CLOSE, /* of either */
    JSON_NAME,  /* a member's name, its colon included */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_reader {
    const char *text; /* borrowed */
    const char *at;   /* next byte to read */
    const char *end;  /* behind the last */
    struct json_limits limits;
    const char *from, *to; /* the last token: of a string or name, between its quotes */
    bool escaped;          /* the last string or name holds a backslash */
    unsigned char state;   /* what may come next */
    unsigned depth;        /* containers open now */
    uint64_t objects;      /* one bit a level: an object */
    size_t nodes;          /* values so far */
    uint32_t keys[JSON_MAX_DEPTH];
    struct json_error error;
};

void json_begin(struct json_reader *reader, const char *text, size_t len,
                const struct json_limits *limits);
enum json_token json_next(struct json_reader *reader);
/* After JSON_OBJECT or JSON_ARRAY: read on to its end; JSON_CLOSE or JSON_BAD. */
enum json_token json_skip(struct json_reader *reader);

/* Is the text exactly one value, within the limits? */
bool json_check(const char *text, size_t len, const struct json_limits *limits,
                struct json_error *error);

/* The bytes of the UTF-8 sequence at `bytes`; 0: invalid; -1: the text ends within a valid one.
 */
int json_utf8(const char *bytes, size_t left);

/* ---- strings and numbers of checked text --------------------------------------------------
 */

/* Undo one escape: `*from` stands on its backslash and is moved behind it. The bytes written.
 */
unsigned json_unescape_one(const char **from, char out[4]);
/* Undo the escapes of a string's inside; `out` has room for `len` bytes (it never grows).
 * Returns the bytes written. */
size_t json_unescape(const char *from, size_t len, char *out);

/* Append a quoted string. Invalid UTF-8 becomes \ufffd. `strict`: also escape DEL, C1 and the
 * line separators U+2028/9, for logs. False: the buffer's limit. */
bool json_quote(struct buf *out, const char *bytes, size_t len, bool strict)
    __attribute__((warn_unused_result));

/* The double that a number's text means. False: a double does not carry it exactly, that is,
 * printing it again would give other digits (integers above 2^53, more than 17 digits, 1e400).
 */
bool json_number(const char *from, size_t len, double *value);

enum { JSON_NUMBER_SPACE = 32 };
/* The shortest text that reads back as the same double, not terminated; its length, 0 for NaN
 * and the infinities. */
size_t json_print_number(double value, char out[JSON_NUMBER_SPACE]);

/* ---- members ------------------------------------------------------------------------------
 */

struct json_member {
    uint32_t name, name_len;   /* between the quotes, escapes as written */
    uint32_t value, value_len; /* whole, with quotes or brackets */
    uint32_t hash;             /* of the name unescaped */
    unsigned char type;        /* enum json_token */
    bool escaped;              /* the name holds a backslash */
};

struct json_index {
    struct json_member *members; /* owned; in the text's order */
    size_t count, cap;
    uint32_t open, close; /* the object's braces */
    uint32_t size;        /* of the whole text */
};

/* Check the text and index its top-level members. It must be an object whose names differ
 * (compared unescaped). False: *error says why, and the index is empty. */
bool json_index(struct json_index *index, const char *text, size_t len,
                const struct json_limits *limits, struct json_error *error)
    __attribute__((warn_unused_result));
void json_index_free(struct json_index *index);

/* The same for an object inside checked text, where names may repeat; offsets count from
 * `text`. False: `in` is no object, or no memory. */
bool json_index_member(struct json_index *index, const char *text, const struct json_member *in)
    __attribute__((warn_unused_result));

/* Is this the member's name, unescaped? */
bool json_is_named(const char *text, const struct json_member *member, const char *name,
                   size_t len);

/* Is a member called so but for the case of its letters? Some servers (Go's decoder) take it
 * for the same one, and the last of two wins. `name` is of small ASCII letters. */
bool json_index_alike(const struct json_index *index, const char *text, const char *name,
                      size_t len);

/* The member of that (unescaped) name, or NULL. */
const struct json_member *json_index_find(const struct json_index *index, const char *text,
                                          const char *name, size_t len);

/* One level deeper, without an index: the member `name` of the object that `in` is, the last of
 * several; cheap enough for the few that accounting reads. False: none, or `in` is no object.
 */
bool json_find(const char *text, const struct json_member *in, const char *name, size_t len,
               struct json_member *found) __attribute__((warn_unused_result));

/* ---- splice -------------------------------------------------------------------------------
 */

struct json_edit {
    const char *name; /* borrowed, unescaped; a top-level name */
    size_t name_len;
    const char *child; /* borrowed; a name inside that object; NULL: the member itself */
    size_t child_len;
    const char *value; /* borrowed, checked JSON text; NULL: remove */
    size_t value_len;
};

/* Append the text with the edits done; every other byte is as it was. New members come right
 * behind the brace, in the order of the edits. A child's missing parent, or one that is no
 * object, is made anew where something is set in it. Edits of one parent must stand together,
 * differ, and not edit the parent as a whole too. False: no memory, or the buffer's limit; then
 * `out` is as it was. */
bool json_splice(const struct json_index *index, const char *text,
                 const struct json_edit *edits, size_t n, struct buf *out)
    __attribute__((warn_unused_result));

#endif
