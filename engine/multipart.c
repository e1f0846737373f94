#include "multipart.h"

#include <string.h>
#include <strings.h>

#include "head.h"

/* What is left of a line. */
struct rest {
    const char *at;
    const char *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct rest *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at))
        rest->at++;
}

static bool is(struct multipart_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

/* ---- values with parameters ---------------------------------------------------------------
 */

static struct multipart_text take_token(struct rest *rest)
{
    struct multipart_text token = {rest->at, 0};

    while (rest->at < rest->end && head_is_token(rest->at, 1))
        rest->at++;
    token.len = (size_t)(rest->at - token.at);
    return token;
}

/* Up to the next quote, whatever stands before it; but a quote behind a backslash ends the text
 * for some and not for others. False: so it does, or there is none. */
static bool take_quoted(struct rest *rest, struct multipart_text *text)
{
    const char *open = rest->at + 1;
    const char *close = memchr(open, '"', (size_t)(rest->end - open));

    if (!close || (close > open && close[-1] == '\\')) return false;
    *text = (struct multipart_text){open, (size_t)(close - open)};
    rest->at = close + 1;
    return true;
}

/* `; name=value`. False: there is something else. At the line's end *name is empty. */
static bool take_parameter(struct rest *rest, struct multipart_text *name,
                           struct multipart_text *value)
{
    *name = (struct multipart_text){0};
    skip_blanks(rest);
    if (rest->at == rest->end) return true;
    if (*rest->at++ != ';') return false;
    skip_blanks(rest);
    *name = take_token(rest);
    if (name->len == 0 || rest->at == rest->end || *rest->at++ != '=') return false;
    if (rest->at < rest->end && *rest->at == '"') return take_quoted(rest, value);
    *value = take_token(rest);
    return value->len > 0;
}

/* ---- the boundary -------------------------------------------------------------------------
 */

/* RFC 2046's bchars; a blank only inside. */
static bool is_boundary(struct multipart_text text)
{
    if (text.len == 0 || text.len > MULTIPART_BOUNDARY || text.at[text.len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool letter =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (c == '\0' || !strchr("'()+_,-./:=? ", c))) return false;
    }
    return true;
}

/* Many clients write a boundary that ends with "=" and the like without quotes. */
static struct multipart_text take_bare(struct rest *rest)
{
    struct multipart_text text = {rest->at, 0};

    while (rest->at < rest->end && *rest->at != ';' && !is_blank(*rest->at))
        rest->at++;
    text.len = (size_t)(rest->at - text.at);
    return text;
}

/* One parameter of the content-type. False: it is none, or the second boundary. */
static bool take_boundary(struct rest *rest, struct multipart_text *boundary)
{
    struct multipart_text value;

    if (*rest->at++ != ';') return false;
    skip_blanks(rest);
    struct multipart_text name = take_token(rest);
    if (name.len == 0 || rest->at == rest->end || *rest->at++ != '=') return false;
    if (rest->at < rest->end && *rest->at == '"') {
        if (!take_quoted(rest, &value)) return false;
    } else {
        value = take_bare(rest);
    }
    skip_blanks(rest);
    if (!is(name, "boundary")) return true;
    if (boundary->at || !is_boundary(value)) return false;
    *boundary = value;
    return true;
}

bool multipart_boundary(const char *type, char boundary[MULTIPART_BOUNDARY + 1])
{
    static const char wanted[] = "multipart/form-data";
    struct rest rest = {type, type + strlen(type)};
    struct multipart_text found = {0};

    skip_blanks(&rest);
    if (strncasecmp(rest.at, wanted, sizeof(wanted) - 1) != 0) return false;
    rest.at += sizeof(wanted) - 1;
    skip_blanks(&rest);
    while (rest.at < rest.end) {
        if (!take_boundary(&rest, &found)) return false;
    }
    if (!found.at) return false;
    memcpy(boundary, found.at, found.len);
    boundary[found.len] = '\0';
    return true;
}

/* ---- a part's head ------------------------------------------------------------------------
 */

struct part_head {
    struct multipart_part *part;
    bool disposed;   /* there was a content-disposition */
    bool encoded;    /* … a content-transfer-encoding */
    bool filename_2; /* … a filename in the second notation */
};

/* May these bytes stand in a name? */
static bool is_name(struct multipart_text text)
{
    if (text.len == 0 || text.len > MULTIPART_NAME) return false;
    return head_is_value(text.at, text.len) && !memchr(text.at, '\\', text.len);
}

static const char *take_once(struct multipart_text *place, struct multipart_text value)
{
    if (place->at) return "a part names itself or its file twice";
    *place = value;
    return NULL;
}

static const char *read_parameter(struct part_head *head, struct multipart_text name,
                                  struct multipart_text value)
{
    if (is(name, "name")) {
        if (!is_name(value)) return "the name of a part is none";
        return take_once(&head->part->name, value);
    }
    if (is(name, "filename")) return take_once(&head->part->filename, value);
    if (is(name, "filename*")) {
        if (head->filename_2) return "a part names itself or its file twice";
        head->filename_2 = true;
    }
    return is(name, "name*") ? "a part's name is written in a notation that few read" : NULL;
}

static const char *read_disposition(struct part_head *head, struct rest rest)
{
    struct multipart_text name, value;

    if (head->disposed) return "a part has two content-dispositions";
    head->disposed = true;
    if (!is(take_token(&rest), "form-data")) return "a part is no form-data";
    for (;;) {
        if (!take_parameter(&rest, &name, &value)) return "a content-disposition is malformed";
        if (name.len == 0) break;
        const char *problem = read_parameter(head, name, value);
        if (problem) return problem;
    }
    return head->part->name.at ? NULL : "a part has no name";
}

/* What a part may be encoded by is nothing. */
static const char *read_encoding(struct part_head *head, struct multipart_text value)
{
    if (head->encoded) return "a part has two transfer encodings";
    head->encoded = true;
    if (is(value, "binary") || is(value, "7bit") || is(value, "8bit")) return NULL;
    return "a part is encoded";
}

static const char *read_line(struct part_head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);

    if (!colon || !head_is_token(line, (size_t)(colon - line)) || line[0] == '-') {
        return "a header is malformed"; /* some look for boundaries among headers, too */
    }
    struct multipart_text name = {line, (size_t)(colon - line)};
    struct rest rest = {colon + 1, line + len};
    skip_blanks(&rest);
    while (rest.end > rest.at && is_blank(rest.end[-1]))
        rest.end--;
    struct multipart_text value = {rest.at, (size_t)(rest.end - rest.at)};
    if (!head_is_value(value.at, value.len)) return "a header holds a control character";
    if (is(name, "content-disposition")) return read_disposition(head, rest);
    if (is(name, "content-transfer-encoding")) return read_encoding(head, value);
    if (!is(name, "content-type")) return NULL;
    if (head->part->type.at) return "a part has two content-types";
    head->part->type = value;
    return NULL;
}

/* Lines up to an empty one. NULL: form->at is the first byte of the content. */
static const char *read_head(struct multipart *form, struct multipart_part *part)
{
    struct part_head head = {.part = part};
    size_t most = form->at + MULTIPART_HEAD < form->len ? form->at + MULTIPART_HEAD : form->len;

    for (;;) {
        const char *line = form->bytes + form->at;
        const char *end = memchr(line, '\n', most - form->at);
        if (!end) {
            return most < form->len ? "a part's headers are too long" : "a part has no end";
        }
        form->at += (size_t)(end - line) + 1;
        if (end == line || end[-1] != '\r') return "a line ends without CR";
        if (end == line + 1) break;
        const char *problem = read_line(&head, line, (size_t)(end - line) - 1);
        if (problem) return problem;
    }
    return head.disposed ? NULL : "a part has no content-disposition";
}

/* ---- the parts ----------------------------------------------------------------------------
 */

/* Behind a boundary: CRLF, or two hyphens and the end. */
static const char *read_mark(struct multipart *form)
{
    const char *at = form->bytes + form->at;
    size_t left = form->len - form->at;

    if (left >= 2 && memcmp(at, "\r\n", 2) == 0) {
        form->at += 2;
        return NULL;
    }
    if (left >= 2 && memcmp(at, "--", 2) == 0) {
        if (left > 2 && (left != 4 || memcmp(at + 2, "\r\n", 2) != 0)) {
            return "something follows the last part";
        }
        form->at = form->len;
        form->ended = true;
        return NULL;
    }
    return "a boundary is not a line of its own";
}

/* Up to the next boundary, which has to stand behind CRLF: behind LF alone, some would take it
 * for one. The search begins at the head's last byte, so that nothing is looked at twice. */
static const char *read_content(struct multipart *form, struct multipart_text *content)
{
    const char *begin = form->bytes + form->at;
    const char *mark = form->mark + 1; /* LF, two hyphens, the boundary */
    size_t mark_len = form->mark_len - 1;
    const char *at = memmem(begin - 1, form->len - form->at + 1, mark, mark_len);

    if (!at) return "a part has no end";
    if (at <= begin) return "a boundary stands where a content should";
    if (at[-1] != '\r') return "a boundary stands behind a line that ends without CR";
    *content = (struct multipart_text){begin, (size_t)(at - begin) - 1};
    form->at = (size_t)(at - form->bytes) + mark_len;
    return read_mark(form);
}

void multipart_init(struct multipart *form, const char *boundary, const char *bytes, size_t len)
{
    size_t boundary_len = strlen(boundary);

    *form = (struct multipart){.bytes = bytes, .len = len, .mark_len = boundary_len + 4};
    memcpy(form->mark, "\r\n--", 4);
    memcpy(form->mark + 4, boundary, boundary_len);
}

static const char *read_first_mark(struct multipart *form)
{
    size_t mark_len = form->mark_len - 2;

    if (form->len < mark_len || memcmp(form->bytes, form->mark + 2, mark_len) != 0) {
        return "it does not begin with its boundary";
    }
    form->at = mark_len;
    return read_mark(form);
}

enum multipart_result multipart_next(struct multipart *form, struct multipart_part *part)
{
    *part = (struct multipart_part){0};
    if (!form->problem && form->at == 0) form->problem = read_first_mark(form);
    if (form->problem) return MULTIPART_BAD;
    if (form->ended) return MULTIPART_END;
    if (++form->parts > MULTIPART_PARTS) form->problem = "it has too many parts";
    if (!form->problem) form->problem = read_head(form, part);
    if (!form->problem) form->problem = read_content(form, &part->content);
    return form->problem ? MULTIPART_BAD : MULTIPART_PART;
}
