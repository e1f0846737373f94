#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

/* Bytes [from, to) of the text give way to others. Cuts touch, but never overlap. */
struct cut {
    size_t from, to;
    const char *bytes; /* borrowed from an edit; NULL: they stand in `fresh` at `at` */
    size_t at, len;
};

struct splice {
    const char *text;
    struct cut *cuts; /* owned */
    size_t count, cap;
    struct buf fresh; /* owned: the text of new members */
};

static bool add_cut(struct splice *splice, struct cut cut)
{
    if (splice->count == splice->cap) {
        size_t cap = splice->cap ? splice->cap * 2 : 16;
        struct cut *cuts = realloc(splice->cuts, cap * sizeof(*cuts));
        if (!cuts) return false;
        splice->cuts = cuts;
        splice->cap = cap;
    }
    splice->cuts[splice->count++] = cut;
    return true;
}

static int compare_cuts(const void *left, const void *right)
{
    const struct cut *a = left, *b = right;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

/* ---- one object ---------------------------------------------------------------------------
 */

/* An object being edited: its members, and which of them go. */
struct object {
    const struct json_index *index;
    bool *gone;   /* owned; NULL while none goes */
    size_t kept;  /* members that stay */
    size_t start; /* of its new members in `fresh` */
};

static bool drop_member(struct object *object, size_t i)
{
    if (!object->gone) object->gone = calloc(object->index->count, sizeof(*object->gone));
    if (!object->gone) return false;
    object->gone[i] = true;
    object->kept--;
    return true;
}

/* Each member that goes takes one comma with it: the one before it where a member before it
 * stays, the one behind it else. */
static bool cut_gone(struct splice *splice, const struct object *object)
{
    const struct json_member *members = object->index->members;
    bool kept = false;
    if (!object->gone) return true;
    for (size_t i = 0; i < object->index->count; i++) {
        if (!object->gone[i]) {
            kept = true;
            continue;
        }
        struct cut cut = {.from = members[i].name - 1,
                          .to = members[i].value + members[i].value_len};
        if (kept) {
            cut.from = members[i - 1].value + members[i - 1].value_len;
        } else if (i + 1 < object->index->count) {
            cut.to = members[i + 1].name - 1;
        }
        if (!add_cut(splice, cut)) return false;
    }
    return true;
}

/* Append `"name":` to the new members, behind a comma where one stands before. */
static bool begin_member(struct splice *splice, size_t start, const char *name, size_t len)
{
    struct buf *fresh = &splice->fresh;
    return (fresh->len == start || buf_append(fresh, ",", 1)) &&
           json_quote(fresh, name, len, false) && buf_append(fresh, ":", 1);
}

/* The cut that puts the new members behind the brace. */
static bool end_object(struct splice *splice, const struct object *object)
{
    size_t at = object->index->open + 1;
    if (splice->fresh.len > object->start) {
        if (object->kept && !buf_append(&splice->fresh, ",", 1)) return false;
        struct cut cut = {.from = at,
                          .to = at,
                          .at = object->start,
                          .len = splice->fresh.len - object->start};
        if (!add_cut(splice, cut)) return false;
    }
    return cut_gone(splice, object);
}

/* Set or remove the members of that name: all of them where the object repeats it, since nobody
 * knows which one the reader takes. */
static bool edit_member(struct splice *splice, struct object *object,
                        const struct json_edit *edit)
{
    const char *name = edit->child ? edit->child : edit->name;
    size_t len = edit->child ? edit->child_len : edit->name_len;
    bool found = false;
    for (size_t i = 0; i < object->index->count; i++) {
        const struct json_member *member = &object->index->members[i];
        if (!json_is_named(splice->text, member, name, len)) continue;
        found = true;
        struct cut cut = {member->value, member->value + member->value_len, edit->value, 0,
                          edit->value_len};
        if (!(edit->value ? add_cut(splice, cut) : drop_member(object, i))) return false;
    }
    if (found || !edit->value) return true;
    return begin_member(splice, object->start, name, len) &&
           buf_append(&splice->fresh, edit->value, edit->value_len);
}

/* ---- children -----------------------------------------------------------------------------
 */

/* Edits inside a member that is an object. */
static bool edit_children(struct splice *splice, const struct json_member *parent,
                          const struct json_edit *edits, size_t n)
{
    struct json_index index;
    if (!json_index_member(&index, splice->text, parent)) return false;
    struct object object = {.index = &index, .kept = index.count, .start = splice->fresh.len};
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        good = edit_member(splice, &object, &edits[i]);
    }
    good = good && end_object(splice, &object);
    free(object.gone);
    json_index_free(&index);
    return good;
}

/* Append an object of the children that are set. */
static bool put_children(struct splice *splice, const struct json_edit *edits, size_t n)
{
    if (!buf_append(&splice->fresh, "{", 1)) return false;
    size_t start = splice->fresh.len;
    for (size_t i = 0; i < n; i++) {
        if (!edits[i].value) continue;
        if (!begin_member(splice, start, edits[i].child, edits[i].child_len) ||
            !buf_append(&splice->fresh, edits[i].value, edits[i].value_len))
            return false;
    }
    return buf_append(&splice->fresh, "}", 1);
}

static bool sets_any(const struct json_edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (edits[i].value) return true;
    }
    return false;
}

static const struct json_member *
find_parent(const struct splice *splice, const struct object *top, const struct json_edit *edit)
{
    return json_index_find(top->index, splice->text, edit->name, edit->name_len);
}

/* ---- the whole text -----------------------------------------------------------------------
 */

/* Edits that stand together: one of a member, or all of one parent's children. */
static size_t group_length(const struct json_edit *edits, size_t n)
{
    size_t len = 1;
    if (!edits->child) return 1;
    while (len < n && edits[len].child && edits[len].name_len == edits->name_len &&
           memcmp(edits[len].name, edits->name, edits->name_len) == 0) {
        len++;
    }
    return len;
}

/* Parents that become new objects inside the text; their bytes must not stand among the new
 * top-level members, so these come first. */
static bool edit_parents(struct splice *splice, struct object *top,
                         const struct json_edit *edits, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        len = group_length(edits + i, n - i);
        if (!edits[i].child) continue;
        const struct json_member *parent = find_parent(splice, top, &edits[i]);
        if (!parent) continue;
        bool good = true;
        if (parent->type == JSON_OBJECT) {
            good = edit_children(splice, parent, edits + i, len);
        } else if (sets_any(edits + i, len)) {
            struct cut cut = {.from = parent->value,
                              .to = parent->value + parent->value_len,
                              .at = splice->fresh.len};
            good = put_children(splice, edits + i, len);
            cut.len = splice->fresh.len - cut.at;
            good = good && add_cut(splice, cut);
        }
        if (!good) return false;
    }
    return true;
}

static bool edit_top(struct splice *splice, struct object *top, const struct json_edit *edits,
                     size_t n)
{
    if (!edit_parents(splice, top, edits, n)) return false;
    top->start = splice->fresh.len;
    for (size_t i = 0, len; i < n; i += len) {
        len = group_length(edits + i, n - i);
        bool good = true;
        if (!edits[i].child) {
            good = edit_member(splice, top, &edits[i]);
        } else if (sets_any(edits + i, len) && !find_parent(splice, top, &edits[i])) {
            good = begin_member(splice, top->start, edits[i].name, edits[i].name_len) &&
                   put_children(splice, edits + i, len);
        }
        if (!good) return false;
    }
    return end_object(splice, top);
}

/* Write the text with its cuts done. The size is known, so one allocation serves. */
static bool write_out(const struct splice *splice, size_t len, struct buf *out)
{
    size_t size = len, at = 0;
    for (size_t i = 0; i < splice->count; i++) {
        size += splice->cuts[i].len; /* first all that comes, then all that goes */
    }
    for (size_t i = 0; i < splice->count; i++) {
        size -= splice->cuts[i].to - splice->cuts[i].from;
    }
    if (!buf_reserve(out, size)) return false;
    char *to = out->data + out->len;
    for (size_t i = 0; i < splice->count; i++) {
        const struct cut *cut = &splice->cuts[i];
        memcpy(to, splice->text + at, cut->from - at);
        to += cut->from - at;
        if (cut->len)
            memcpy(to, cut->bytes ? cut->bytes : splice->fresh.data + cut->at, cut->len);
        to += cut->len;
        at = cut->to;
    }
    memcpy(to, splice->text + at, len - at);
    out->len += size;
    return true;
}

bool json_splice(const struct json_index *index, const char *text,
                 const struct json_edit *edits, size_t n, struct buf *out)
{
    struct splice splice = {.text = text};
    struct object top = {.index = index, .kept = index->count};
    buf_init(&splice.fresh, out->limit);
    bool good = edit_top(&splice, &top, edits, n);
    if (good) {
        if (splice.count) qsort(splice.cuts, splice.count, sizeof(*splice.cuts), compare_cuts);
        good = write_out(&splice, index->size, out);
    }
    free(top.gone);
    free(splice.cuts);
    buf_free(&splice.fresh);
    return good;
}
