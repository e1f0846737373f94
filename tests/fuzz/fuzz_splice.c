/* Editing the text and reading the result must give what editing the members would have given,
 * and every byte that no edit names must be the same.
 *
 * The input: how many edits, three bytes for each, then a JSON object, or bytes that choose the
 * pieces of one. */

#include "fuzz.h"

#include "buf.h"
#include "json.h"

enum { MAX_EDITS = 6 };

static const char *const NAMES[] = {"a", "b", "model", "o", "", "\"", "\xc3\xa9", "p"};
static const char *const VALUES[] = {NULL,       "1",  "[]",   "{\"x\": 1}",
                                     "\"text\"", NULL, "null", "{}"};

/* ---- making the input ---------------------------------------------------------------------
 */

static void append(struct buf *out, const char *text)
{
    MUST(buf_append(out, text, strlen(text)));
}

/* Bytes → an object of pieces; names may repeat, then it is refused like any other. */
static void compose(const uint8_t *data, size_t size, struct buf *out)
{
    static const char *const names[] = {"\"a\":", " \"b\" : ", "\"mod\\u0065l\":", "\"o\":",
                                        "\"\":",  "\"\\\"\":", "\"\\u00e9\":",     "\"p\" :"};
    static const char *const values[] = {
        "1",    "[ 2, {} ]",           "{}",    "{ \"a\":1, \"b\" :[],\"a\":2 }",
        "null", "{\"o\" : {\"a\":1}}", "\"}\"", "{\"model\":0,\"model\":0}"};
    append(out, size & 1 ? " {" : "{");
    for (size_t i = 0; i < size; i++) {
        if (i) append(out, data[i] & 64 ? " ,\n" : ",");
        append(out, names[data[i] & 7]);
        append(out, values[data[i] >> 3 & 7]);
        if (data[i] & 128) append(out, " ");
    }
    append(out, "}");
}

/* Edits of different members, those of one parent together; three bytes each. */
static size_t read_edits(const uint8_t *data, size_t n, struct json_edit *edits)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++, data += 3) {
        const char *name = NAMES[data[0] & 7], *child = NULL;
        const char *text = VALUES[data[2] & 7];
        if (data[0] & 8) child = NAMES[data[1] & 7];
        size_t at = count;
        bool clash = false;
        for (size_t j = 0; j < count; j++) {
            if (strcmp(edits[j].name, name) != 0) continue;
            if (!child || !edits[j].child || !strcmp(edits[j].child, child)) clash = true;
            at = j + 1; /* behind the last edit of the same parent */
        }
        if (clash) continue;
        memmove(&edits[at + 1], &edits[at], (count - at) * sizeof(*edits));
        edits[at] =
            (struct json_edit){name, strlen(name),           child, child ? strlen(child) : 0,
                               text, text ? strlen(text) : 0};
        count++;
    }
    return count;
}

/* ---- the oracle ---------------------------------------------------------------------------
 */

struct side {
    const char *text;
    const struct json_index *index;
};

static bool same_bytes(const struct side *a, size_t from, size_t len, const struct side *b,
                       size_t at)
{
    return memcmp(a->text + from, b->text + at, len) == 0;
}

/* Is this edit, at this level, one of the member? */
static bool concerns(const struct json_edit *edit, bool inside, const struct side *old,
                     const struct json_member *m)
{
    if (inside) return json_is_named(old->text, m, edit->child, edit->child_len);
    return json_is_named(old->text, m, edit->name, edit->name_len);
}

static void compare(const struct side *old, const struct side *new,
                    const struct json_edit *edits, size_t n, bool inside);

static bool sets_any(const struct json_edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (edits[i].value) return true;
    }
    return false;
}

/* The new object holds exactly the children that are set, in order. */
static void holds_only(const struct side *new, const struct json_member *m,
                       const struct json_edit *edits, size_t n)
{
    struct json_index empty = {0}, index;
    struct side nothing = {"", &empty}, inside = {new->text, &index};
    MUST(json_index_member(&index, new->text, m));
    compare(&nothing, &inside, edits, n, true);
    json_index_free(&index);
}

/* An old member that no edit names, or one whose children are edited. */
static void compare_inside(const struct side *old, const struct json_member *a,
                           const struct side *new, const struct json_member *b,
                           const struct json_edit *edits, size_t n)
{
    struct json_index left, right;
    if (a->type != JSON_OBJECT) {
        if (sets_any(edits, n)) {
            holds_only(new, b, edits, n);
        } else {
            MUST(a->value_len == b->value_len &&
                 same_bytes(old, a->value, a->value_len, new, b->value));
        }
        return;
    }
    MUST(json_index_member(&left, old->text, a) && json_index_member(&right, new->text, b));
    compare(&(struct side){old->text, &left}, &(struct side){new->text, &right}, edits, n,
            true);
    json_index_free(&left);
    json_index_free(&right);
}

/* How many edits from i on belong together. */
static size_t group(const struct json_edit *edits, size_t n, size_t i, bool inside)
{
    size_t len = 1;
    if (inside || !edits[i].child) return 1;
    while (i + len < n && strcmp(edits[i + len].name, edits[i].name) == 0) {
        len++;
    }
    return len;
}

/* The edit's new member comes next in the new object, where there was none. Returns how many.
 */
static size_t compare_new(const struct side *old, const struct side *new, size_t at,
                          const struct json_edit *edits, size_t n, bool inside)
{
    for (size_t j = 0; j < old->index->count; j++) {
        if (concerns(edits, inside, old, &old->index->members[j])) return 0;
    }
    if (!sets_any(edits, n)) return 0;
    MUST(at < new->index->count);
    const struct json_member *m = &new->index->members[at];
    MUST(concerns(edits, inside, new, m));
    if (!inside && edits->child) {
        holds_only(new, m, edits, n);
    } else {
        MUST(m->value_len == edits->value_len &&
             memcmp(new->text + m->value, edits->value, m->value_len) == 0);
    }
    return 1;
}

static void compare(const struct side *old, const struct side *new,
                    const struct json_edit *edits, size_t n, bool inside)
{
    size_t at = 0;
    for (size_t i = 0, len; i < n; i += len) {
        len = group(edits, n, i, inside);
        at += compare_new(old, new, at, edits + i, len, inside);
    }
    for (size_t j = 0; j < old->index->count; j++) {
        const struct json_member *a = &old->index->members[j];
        size_t i = 0, len = 0;
        while (i < n && !concerns(&edits[i], inside, old, a)) {
            i++;
        }
        bool whole = i < n && (inside || !edits[i].child);
        if (whole && !edits[i].value) continue; /* gone */
        MUST(at < new->index->count);
        const struct json_member *b = &new->index->members[at++];
        size_t head = a->value - a->name; /* the name, its colon, the blanks around it */
        MUST(b->value - b->name == head && same_bytes(old, a->name, head, new, b->name));
        if (i == n) {
            MUST(a->value_len == b->value_len &&
                 same_bytes(old, a->value, a->value_len, new, b->value));
        } else if (whole) {
            MUST(b->value_len == edits[i].value_len &&
                 memcmp(new->text + b->value, edits[i].value, b->value_len) == 0);
        } else {
            len = group(edits, n, i, inside);
            compare_inside(old, a, new, b, edits + i, len);
        }
    }
    MUST(at == new->index->count);
}

/* ---- the run ------------------------------------------------------------------------------
 */

static void try_splice(const char *text, size_t len, const struct json_edit *edits, size_t n)
{
    struct json_index before, after;
    struct json_error error;
    struct buf out;
    if (!json_index(&before, text, len, &json_client_limits, &error)) return;
    buf_init(&out, 1 << 24);
    MUST(json_splice(&before, text, edits, n, &out));
    struct json_limits limits = json_answer_limits; /* a child may make it one level deeper */
    if (!json_index(&after, out.data, out.len, &limits, &error)) {
        MUST(error.code == JSON_TOO_DEEP);
    } else {
        MUST(memcmp(out.data, text, before.open + 1) == 0);
        MUST(out.len - after.close == len - before.close);
        MUST(memcmp(out.data + after.close, text + before.close, len - before.close) == 0);
        compare(&(struct side){text, &before}, &(struct side){out.data, &after}, edits, n,
                false);
        if (n == 0) MUST(out.len == len && memcmp(out.data, text, len) == 0);
        json_index_free(&after);
    }
    buf_free(&out);
    json_index_free(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_edit edits[MAX_EDITS + 1];
    if (size < 1) return 0;
    size_t n = data[0] % (MAX_EDITS + 1);
    bool composed = data[0] & 128;
    if (size < 1 + 3 * n) return 0;
    size_t count = read_edits(data + 1, n, edits);
    data += 1 + 3 * n;
    size -= 1 + 3 * n;
    if (composed) {
        struct buf text;
        buf_init(&text, 1 << 20);
        compose(data, size > 64 ? 64 : size, &text);
        try_splice(text.data, text.len, edits, count);
        buf_free(&text);
    } else {
        try_splice((const char *)data, size, edits, count);
    }
    return 0;
}
