/* Oracle: where a body is taken, the laxest of servers finds the same parts in it. That one
 * takes a boundary behind LF alone, anywhere, with anything behind it, and ends there; so every
 * part must end just before one of its boundaries, and no boundary may be left over. And a
 * body with one content replaced is read as before, but for that content. */
#include "fuzz.h"

#include "multipart.h"

enum { BOUNDARY_MOST = 4 };

struct parts {
    struct multipart_part part[MULTIPART_PARTS];
    size_t count;
};

static bool read_all(const char *boundary, const char *bytes, size_t len, struct parts *parts)
{
    struct multipart form;
    struct multipart_part part;
    enum multipart_result found;

    parts->count = 0;
    multipart_init(&form, boundary, bytes, len);
    while ((found = multipart_next(&form, &part)) == MULTIPART_PART) {
        MUST(parts->count < MULTIPART_PARTS);
        parts->part[parts->count++] = part;
    }
    MUST((found == MULTIPART_BAD) == (form.problem != NULL));
    return found == MULTIPART_END;
}

static bool is_inside(struct multipart_text text, const char *from, const char *to)
{
    return text.at >= from && text.at + text.len <= to;
}

/* Boundaries at the beginning of a line, as LF alone ends one. */
static size_t lax_marks(const char *mark, const char *bytes, size_t len)
{
    size_t mark_len = strlen(mark), marks = 0;

    for (size_t i = 0; i + mark_len <= len; i++) {
        if (i > 0 && bytes[i - 1] != '\n') continue;
        if (memcmp(bytes + i, mark, mark_len) == 0) marks++;
    }
    return marks;
}

static void check_parts(const struct parts *parts, const char *mark, const char *bytes,
                        size_t len)
{
    const char *from = bytes;

    for (size_t i = 0; i < parts->count; i++) {
        const struct multipart_part *part = &parts->part[i];
        const char *end = part->content.at + part->content.len;
        MUST(is_inside(part->content, from, bytes + len));
        MUST(is_inside(part->name, from, part->content.at) && part->name.len > 0);
        MUST(!memchr(part->name.at, '"', part->name.len));
        MUST(memcmp(end, "\r\n", 2) == 0 && memcmp(end + 2, mark, strlen(mark)) == 0);
        MUST(memcmp(part->content.at - 4, "\r\n\r\n", 4) == 0);
        from = end;
    }
    MUST(lax_marks(mark, bytes, len) == parts->count + 1);
}

static void replace(const struct parts *parts, const char *boundary, const char *bytes,
                    size_t len)
{
    static struct parts again;
    const struct multipart_text old = parts->part[0].content;
    size_t before = (size_t)(old.at - bytes), behind = len - before - old.len;
    char *made = malloc(len + 3);

    MUST(made);
    memcpy(made, bytes, before);
    memcpy(made + before, "new", 3);
    memcpy(made + before + 3, old.at + old.len, behind);
    MUST(read_all(boundary, made, before + 3 + behind, &again));
    MUST(again.count == parts->count && again.part[0].content.len == 3);
    for (size_t i = 1; i < parts->count; i++) {
        MUST(again.part[i].content.len == parts->part[i].content.len);
    }
    free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct parts parts;
    char type[64] = "multipart/form-data; boundary=", boundary[MULTIPART_BOUNDARY + 1];
    char mark[MULTIPART_BOUNDARY + 3] = "--";

    if (size < BOUNDARY_MOST) return 0;
    memcpy(type + strlen(type), input, BOUNDARY_MOST); /* the array is zero behind it */
    size_t len = size - BOUNDARY_MOST;
    char *bytes = text_copy(input + BOUNDARY_MOST, len);
    if (multipart_boundary(type, boundary) && read_all(boundary, bytes, len, &parts)) {
        memcpy(mark + 2, boundary, strlen(boundary) + 1);
        check_parts(&parts, mark, bytes, len);
        if (parts.count) replace(&parts, boundary, bytes, len);
    }
    free(bytes);
    return 0;
}
