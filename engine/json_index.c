#include <stdlib.h>
#include <string.h>

#include "json.h"

/* ---- names, compared unescaped ------------------------------------------------------------
 */

/* The bytes of a name, one after the other, its escapes undone. */
struct bytes {
    const char *at, *end;
    char undone[4];
    unsigned left, next; /* of `undone` */
};

static int next_byte(struct bytes *bytes)
{
    if (bytes->left) {
        bytes->left--;
        return (unsigned char)bytes->undone[bytes->next++];
    }
    if (bytes->at == bytes->end) return -1;
    if (*bytes->at != '\\') return (unsigned char)*bytes->at++;
    bytes->left = json_unescape_one(&bytes->at, bytes->undone) - 1;
    bytes->next = 1;
    return (unsigned char)bytes->undone[0];
}

static const uint32_t HASH_START = 2166136261u, HASH_STEP = 16777619u; /* FNV-1a */

static uint32_t hash_plain(const char *name, size_t len)
{
    uint32_t hash = HASH_START;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * HASH_STEP;
    }
    return hash;
}

static uint32_t hash_escaped(const char *name, size_t len)
{
    struct bytes bytes = {.at = name, .end = name + len};
    uint32_t hash = HASH_START;
    for (int c; (c = next_byte(&bytes)) >= 0;) {
        hash = (hash ^ (uint32_t)c) * HASH_STEP;
    }
    return hash;
}

/* `raw` is as written, `plain` unescaped. */
static bool same_name(const char *raw, size_t raw_len, const char *plain, size_t len)
{
    struct bytes bytes = {.at = raw, .end = raw + raw_len};
    if (raw_len < len) return false;
    for (size_t i = 0; i < len; i++) {
        if (next_byte(&bytes) != (unsigned char)plain[i]) return false;
    }
    return next_byte(&bytes) < 0;
}

bool json_is_named(const char *text, const struct json_member *member, const char *name,
                   size_t len)
{
    const char *raw = text + member->name;
    if (member->escaped) return same_name(raw, member->name_len, name, len);
    return member->name_len == len && memcmp(raw, name, len) == 0;
}

/* A small letter for its large one, and for the two signs beyond ASCII that fold to one. */
static int next_folded(struct bytes *bytes)
{
    int c = next_byte(bytes);
    if (c >= 'A' && c <= 'Z') return c + ('a' - 'A');
    if (c == 0xc5) return next_byte(bytes) == 0xbf ? 's' : 0; /* U+017F */
    if (c != 0xe2) return c;
    int second = next_byte(bytes), third = next_byte(bytes);
    return second == 0x84 && third == 0xaa ? 'k' : 0; /* U+212A */
}

static bool is_alike(const char *text, const struct json_member *member, const char *name,
                     size_t len)
{
    const char *raw = text + member->name;
    struct bytes bytes = {.at = raw, .end = raw + member->name_len};
    if (member->name_len < len || json_is_named(text, member, name, len)) return false;
    for (size_t i = 0; i < len; i++) {
        if (next_folded(&bytes) != (unsigned char)name[i]) return false;
    }
    return next_folded(&bytes) < 0;
}

bool json_index_alike(const struct json_index *index, const char *text, const char *name,
                      size_t len)
{
    for (size_t i = 0; i < index->count; i++) {
        if (is_alike(text, &index->members[i], name, len)) return true;
    }
    return false;
}

/* ---- duplicates ---------------------------------------------------------------------------
 */

enum { FEW = 32 };

struct name {
    const char *at;
    uint32_t len, hash;
    bool escaped;
};

/* A total order in which equal names stand together. */
static int compare_names(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    if (!a->escaped && !b->escaped) {
        int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);
        return order ? order : (a->len > b->len) - (a->len < b->len);
    }
    struct bytes x = {.at = a->at, .end = a->at + a->len};
    struct bytes y = {.at = b->at, .end = b->at + b->len};
    int c, d;
    do {
        c = next_byte(&x);
        d = next_byte(&y);
    } while (c == d && c >= 0);
    return c - d;
}

static void duplicate_error(const char *text, const struct name *name, struct json_error *error)
{
    struct bytes bytes = {.at = name->at, .end = name->at + name->len};
    *error = (struct json_error){.code = JSON_DUPLICATE,
                                 .at = (size_t)(name->at - text),
                                 .message = "a name that came twice"};
    size_t len = 0;
    for (int c; len + 1 < sizeof(error->param) && (c = next_byte(&bytes)) >= 0;) {
        error->param[len++] = (char)c;
    }
    if (len + 1 < sizeof(error->param)) return;
    size_t whole = 0; /* no half character at the end */
    for (int n; (n = json_utf8(error->param + whole, len - whole)) > 0;) {
        whole += (size_t)n;
    }
    error->param[whole] = '\0';
}

/* n log n whatever the names are: no table that chosen names could make collide. */
static bool names_differ(const struct json_index *index, const char *text,
                         struct json_error *error)
{
    struct name few[FEW];
    struct name *names = index->count > FEW ? malloc(index->count * sizeof(*names)) : few;
    if (!names) {
        *error = (struct json_error){.code = JSON_NO_MEMORY, .message = "out of memory"};
        return false;
    }
    for (size_t i = 0; i < index->count; i++) {
        const struct json_member *member = &index->members[i];
        names[i] =
            (struct name){text + member->name, member->name_len, member->hash, member->escaped};
    }
    qsort(names, index->count, sizeof(*names), compare_names);
    size_t i = 1;
    while (i < index->count && compare_names(&names[i - 1], &names[i]) != 0) {
        i++;
    }
    bool differ = i >= index->count;
    if (!differ) duplicate_error(text, &names[i], error);
    if (names != few) free(names);
    return differ;
}

/* ---- the index ----------------------------------------------------------------------------
 */

static struct json_member *add_member(struct json_index *index)
{
    if (index->count == index->cap) {
        size_t cap = index->cap ? index->cap * 2 : 16;
        struct json_member *members = realloc(index->members, cap * sizeof(*members));
        if (!members) return NULL;
        index->members = members;
        index->cap = cap;
    }
    return &index->members[index->count++];
}

/* The reader stands behind a name; read its value. `text` is where offsets count from. */
static bool read_member(struct json_reader *reader, const char *text,
                        struct json_member *member)
{
    member->name = (uint32_t)(reader->from - text);
    member->name_len = (uint32_t)(reader->to - reader->from);
    member->escaped = reader->escaped;
    enum json_token token = json_next(reader);
    const char *from = reader->from - (token == JSON_STRING);
    member->type = (unsigned char)token;
    if (token == JSON_OBJECT || token == JSON_ARRAY) token = json_skip(reader);
    if (token == JSON_BAD) return false;
    member->value = (uint32_t)(from - text);
    member->value_len = (uint32_t)(reader->to + (token == JSON_STRING) - from);
    return true;
}

/* Read all members of an object; the reader stands behind its brace. */
static bool read_members(struct json_reader *reader, const char *text, struct json_index *index)
{
    enum json_token token;
    index->open = (uint32_t)(reader->from - text);
    while ((token = json_next(reader)) == JSON_NAME) {
        struct json_member *member = add_member(index);
        if (!member) {
            reader->error =
                (struct json_error){.code = JSON_NO_MEMORY, .message = "out of memory"};
            return false;
        }
        if (!read_member(reader, text, member)) return false;
        const char *name = text + member->name;
        member->hash = member->escaped ? hash_escaped(name, member->name_len)
                                       : hash_plain(name, member->name_len);
    }
    if (token == JSON_BAD) return false;
    index->close = (uint32_t)(reader->from - text);
    index->size = (uint32_t)(reader->end - text);
    return true;
}

/* The text is no object: is it JSON at all? */
static void not_object(struct json_reader *reader, enum json_token token)
{
    if (token == JSON_ARRAY) token = json_skip(reader);
    if (token == JSON_BAD || json_next(reader) == JSON_BAD) return;
    reader->error = (struct json_error){.code = JSON_NOT_OBJECT, .message = "not an object"};
}

bool json_index(struct json_index *index, const char *text, size_t len,
                const struct json_limits *limits, struct json_error *error)
{
    struct json_reader reader;
    *index = (struct json_index){0};
    json_begin(&reader, text, len, limits);
    enum json_token token = json_next(&reader);
    if (token != JSON_OBJECT) not_object(&reader, token);
    bool good = token == JSON_OBJECT && read_members(&reader, text, index) &&
                json_next(&reader) == JSON_END;
    *error = reader.error;
    good = good && names_differ(index, text, error);
    if (!good) json_index_free(index);
    return good;
}

bool json_index_member(struct json_index *index, const char *text, const struct json_member *in)
{
    struct json_reader reader;
    *index = (struct json_index){0};
    json_begin(&reader, text + in->value, in->value_len, &json_answer_limits);
    bool good = json_next(&reader) == JSON_OBJECT && read_members(&reader, text, index);
    if (!good) json_index_free(index);
    return good;
}

void json_index_free(struct json_index *index)
{
    free(index->members);
    *index = (struct json_index){0};
}

const struct json_member *json_index_find(const struct json_index *index, const char *text,
                                          const char *name, size_t len)
{
    uint32_t hash = hash_plain(name, len);
    for (size_t i = 0; i < index->count; i++) {
        const struct json_member *member = &index->members[i];
        if (member->hash == hash && json_is_named(text, member, name, len)) return member;
    }
    return NULL;
}

bool json_find(const char *text, const struct json_member *in, const char *name, size_t len,
               struct json_member *found)
{
    struct json_reader reader;
    bool any = false;
    json_begin(&reader, text + in->value, in->value_len, &json_answer_limits);
    if (json_next(&reader) != JSON_OBJECT) return false;
    while (json_next(&reader) == JSON_NAME) {
        struct json_member member = {0};
        if (!read_member(&reader, text, &member)) return false;
        if (!json_is_named(text, &member, name, len)) continue;
        *found = member;
        any = true;
    }
    return any;
}
