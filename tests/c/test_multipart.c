/* Bodies as SDKs write them, and everything that two servers could read differently. */
#include "check.h"
#include "multipart.h"

#include <stdlib.h>
#include <string.h>

#define FIELD(name, value) \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define HEAD(lines) "--b\r\n" lines "\r\n\r\nx\r\n--b--"
#define NAMED       "Content-Disposition: form-data; name=a"
#define DISPOSED(s) HEAD("Content-Disposition: " s)

/* All parts of a copy that ends where its memory does: their number, or -1. */
static int read_all(const char *bytes, size_t len, struct multipart_part *last)
{
    char *copy = malloc(len ? len : 1);
    struct multipart form;
    struct multipart_part part;
    enum multipart_result found;
    int parts = 0;

    if (!copy) return -2;
    memcpy(copy, bytes, len);
    multipart_init(&form, "b", copy, len);
    while ((found = multipart_next(&form, &part)) == MULTIPART_PART) {
        parts++;
        if (last) *last = part;
        if (last) last->content.at = bytes + (part.content.at - copy);
        if (last) last->name.at = bytes + (part.name.at - copy);
    }
    CHECK(found == MULTIPART_END || form.problem != NULL);
    free(copy);
    return found == MULTIPART_END ? parts : -1;
}

static int count(const char *text)
{
    return read_all(text, strlen(text), NULL);
}

static void test_boundaries(void)
{
    char out[MULTIPART_BOUNDARY + 1];
    char longest[128];

    CHECK(multipart_boundary("multipart/form-data; boundary=abc", out));
    CHECK_TEXT(out, strlen(out), "abc");
    CHECK(multipart_boundary("Multipart/Form-Data;boundary=\"a b=?\" ; charset=utf-8", out));
    CHECK_TEXT(out, strlen(out), "a b=?");
    CHECK(multipart_boundary("multipart/form-data; charset=utf-8; Boundary=x==", out));
    CHECK_TEXT(out, strlen(out), "x==");
    CHECK(!multipart_boundary("multipart/form-data", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=\"\"", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=\"a", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=\"a \"", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=a; boundary=b", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=a\\b", out));
    CHECK(!multipart_boundary("multipart/form-data; boundary=\"a;b\"", out));
    CHECK(!multipart_boundary("multipart/form-data boundary=a", out));
    CHECK(!multipart_boundary("multipart/form-datax; boundary=a", out));
    CHECK(!multipart_boundary("multipart/mixed; boundary=a", out));
    CHECK(!multipart_boundary("application/json", out));
    CHECK(!multipart_boundary("", out));
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "multipart/form-data;boundary=", 29);
    longest[29 + MULTIPART_BOUNDARY] = '\0';
    CHECK(multipart_boundary(longest, out) && strlen(out) == MULTIPART_BOUNDARY);
    longest[29 + MULTIPART_BOUNDARY] = 'x';
    longest[30 + MULTIPART_BOUNDARY] = '\0';
    CHECK(!multipart_boundary(longest, out));
}

static void test_good(void)
{
    static const char body[] = FIELD("model", "m")
        FIELD("empty",
              "") "--b\r\ncontent-disposition: form-data; name=file; filename=\"A\\x.mp3\"; "
                  "filename*=utf-8''A%5Cx.mp3\r\nContent-Type: audio/mpeg\r\nX-Other: \r\n\r\n"
                  "\r\n-b\n--\r\n --b\r\r\n--b--\r\n";
    struct multipart_part part;

    CHECK(read_all(body, sizeof(body) - 1, &part) == 3);
    CHECK_TEXT(part.name.at, part.name.len, "file");
    CHECK_TEXT(part.content.at, part.content.len, "\r\n-b\n--\r\n --b\r");
    CHECK(part.filename.len == 7 && part.type.len == 10);
    CHECK(count(FIELD("a", "x") "--b--") == 1);
    CHECK(count("--b--") == 0 && count("--b--\r\n") == 0);
    CHECK(count(HEAD(NAMED "\r\nContent-Transfer-Encoding: 8BIT")) == 1);
    CHECK(count(DISPOSED("FORM-DATA;name=\"a[]\";filename=\"\"")) == 1);
    CHECK(count(DISPOSED("form-data;  name=\"\xc3\xa9\" ; other=\"a\\\\b\"")) == 1);
}

/* What the mark of an end must look like, and what may stand around the parts. */
static void test_marks(void)
{
    CHECK(count("") == -1 && count("-") == -1 && count("--b") == -1 && count("--b-") == -1);
    CHECK(count("\r\n" FIELD("a", "x") "--b--") == -1);
    CHECK(count("text\r\n" FIELD("a", "x") "--b--") == -1);
    CHECK(count(FIELD("a", "x")) == -1);
    CHECK(count(FIELD("a", "x") "--b") == -1);
    CHECK(count(FIELD("a", "x") "--b-") == -1);
    CHECK(count(FIELD("a", "x") "--b--\n") == -1);
    CHECK(count(FIELD("a", "x") "--b--\r\n\r\n") == -1);
    CHECK(count(FIELD("a", "x") "--b--text") == -1);
    CHECK(count(FIELD("a", "x") "--b--\r\n" FIELD("model", "y") "--b--") == -1);
    CHECK(count(FIELD("a", "x") "--b \r\n" NAMED "\r\n\r\nx\r\n--b--") == -1);
    CHECK(count(FIELD("a", "x\r\n--bc") "--b--") == -1);
    CHECK(count(FIELD("a", "x\n--b\nContent") "--b--") == -1);
    CHECK(count("--b\n" NAMED "\r\n\r\nx\r\n--b--") == -1);
    CHECK(count("--b\r\n" NAMED "\r\n\r\n--b--") == -1);
    CHECK(count("--b\r\n" NAMED "\r\n\r\n\r\n--b--") == 1);
    CHECK(count("--b\r\n" NAMED "\r\n\r\nx--b--") == -1);
}

static void test_heads(void)
{
    CHECK(count(HEAD("X: y")) == -1);
    CHECK(count(HEAD(NAMED "\r\n" NAMED)) == -1);
    CHECK(count(HEAD(NAMED "\r\n folded")) == -1);
    CHECK(count(HEAD(NAMED "\nX: y")) == -1);
    CHECK(count(HEAD(NAMED "\r\nno colon")) == -1);
    CHECK(count(HEAD(NAMED "\r\nX : y")) == -1);
    CHECK(count(HEAD(NAMED "\r\n--b: y")) == -1);
    CHECK(count(HEAD(NAMED "\r\nX: \x01")) == -1);
    CHECK(count(HEAD(NAMED "\r\nX: a\rb")) == -1);
    CHECK(count(HEAD(NAMED "\r\nContent-Type: a\r\ncontent-type: a")) == -1);
    CHECK(count(HEAD(NAMED "\r\nContent-Transfer-Encoding: base64")) == -1);
    CHECK(count(HEAD(NAMED "\r\nContent-Transfer-Encoding: 8bit\r\n"
                           "Content-Transfer-Encoding: 8bit")) == -1);
    CHECK(count("--b\r\n" NAMED "\r\n") == -1);
    CHECK(count("--b\r\n" NAMED) == -1);
}

static void test_names(void)
{
    CHECK(count(DISPOSED("form-data")) == -1);
    CHECK(count(DISPOSED("form-data; name=")) == -1);
    CHECK(count(DISPOSED("form-data; name=\"\"")) == -1);
    CHECK(count(DISPOSED("form-data; name=\"a")) == -1);
    CHECK(count(DISPOSED("form-data; name=\"a\\\"; name=\\\"b\"")) == -1);
    CHECK(count(DISPOSED("form-data; name=\"a\\b\"")) == -1);
    CHECK(count(DISPOSED("form-data; name=\"a\"b")) == -1);
    CHECK(count(DISPOSED("form-data; name=a b")) == -1);
    CHECK(count(DISPOSED("form-data; name=a;")) == -1);
    CHECK(count(DISPOSED("form-data; name=a; name=b")) == -1);
    CHECK(count(DISPOSED("form-data; name=a; NAME=b")) == -1);
    CHECK(count(DISPOSED("form-data; name*=utf-8''a; name=b")) == -1);
    CHECK(count(DISPOSED("form-data; name=a; filename=x; filename=y")) == -1);
    CHECK(count(DISPOSED("form-data; name=a; filename*=x; filename*=y")) == -1);
    CHECK(count(DISPOSED("form-data; name=a; filename=\"x\\\"; name=\"model\"")) == -1);
    CHECK(count(DISPOSED("attachment; name=a")) == -1);
    CHECK(count(DISPOSED("form-data name=a")) == -1);
    CHECK(count(DISPOSED("form-data; =a")) == -1);
    CHECK(count(DISPOSED("")) == -1);
}

/* A body of so many parts, each with a head of so many bytes beside its name: its length. */
static size_t build(char *body, size_t room, int parts, int padding)
{
    size_t len = 0;

    for (int i = 0; i < parts; i++) {
        len += (size_t)snprintf(body + len, room - len, "--b\r\n" NAMED "\r\nX:%*s\r\n\r\n\r\n",
                                padding, "");
    }
    return len + (size_t)snprintf(body + len, room - len, "--b--");
}

static void test_limits(void)
{
    static char body[64 * 1024];
    int rest = MULTIPART_HEAD - (int)strlen(NAMED "\r\nX:\r\n\r\n");

    CHECK(read_all(body, build(body, sizeof(body), MULTIPART_PARTS, 0), NULL) ==
          MULTIPART_PARTS);
    CHECK(read_all(body, build(body, sizeof(body), MULTIPART_PARTS + 1, 0), NULL) == -1);
    CHECK(read_all(body, build(body, sizeof(body), 1, rest), NULL) == 1);
    CHECK(read_all(body, build(body, sizeof(body), 1, rest + 1), NULL) == -1);
}

/* Cut off anywhere, it is no form; and no byte behind its end is looked at. */
static void test_cuts(void)
{
    static const char body[] =
        FIELD("model", "m\r\n-") "--b\r\n" NAMED
                                 "; filename=\"q\"\r\nContent-Type: a/b\r\n\r\nx\r\n--b--";

    CHECK(read_all(body, sizeof(body) - 1, NULL) == 2);
    for (size_t len = 0; len + 1 < sizeof(body); len++) {
        CHECK(read_all(body, len, NULL) == -1);
    }
}

int main(void)
{
    test_boundaries();
    test_good();
    test_marks();
    test_heads();
    test_names();
    test_limits();
    test_cuts();
    return check_report();
}
