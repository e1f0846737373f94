/* The audit by itself, on memory laid out as microhttpd leaves it: each CRLF two NULs, the
 * colon and the spaces of the request line one. Over sockets: test_server_heads.c. */
#include "check.h"
#include "head.h"

#include <stdio.h>
#include <string.h>

/* Parse as microhttpd does where nothing is odd about a head, and judge. */
static const struct head_refusal *judge(struct head *head, char *bytes, size_t len)
{
    static char copy[HEAD_MAX_TARGET + 64];
    struct head_line line = {.method = bytes, .copy = copy};
    char *target = strchr(bytes, ' ') + 1;
    char *version = strchr(target, ' ') + 1;
    char *end = strstr(version, "\r\n");

    line.target = target;
    line.version = version;
    line.target_len = (size_t)(version - 1 - target);
    snprintf(copy, sizeof(copy), "%.*s", (int)line.target_len, target);
    target[-1] = version[-1] = end[0] = end[1] = '\0';
    head_begin(head, &line);
    char *at = end + 2;
    while (at[0] != '\r') {
        char *stop = strstr(at, "\r\n");
        char *colon = strchr(at, ':');
        char *value = colon + 1;
        stop[0] = stop[1] = colon[0] = '\0';
        while (*value == ' ' || *value == '\t')
            value++;
        head_add(head, at, (size_t)(colon - at), value, strlen(value));
        at = stop + 2;
    }
    at[0] = at[1] = '\0';
    return head_end(head, len);
}

static int status(struct head *head, const char *text)
{
    static char bytes[64 * 1024];

    snprintf(bytes, sizeof(bytes), "%s", text);
    const struct head_refusal *refusal = judge(head, bytes, strlen(text));
    return refusal ? refusal->status : 0;
}

static void test_good(void)
{
    static char bytes[] =
        "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-A:  b \t\r\n"
        "x-a: c\r\nExpect: 100-Continue\r\nEmpty:\r\n\r\n";
    struct head head;
    unsigned count;

    CHECK(judge(&head, bytes, sizeof(bytes) - 1) == NULL);
    CHECK(head.length == 12 && !head.chunked && !head.http10 && head.expects &&
          head.count == 6);
    const struct head_field *field = head_find(&head, bytes, "x-A", &count);
    CHECK(count == 2 && field == &head.fields[2]);
    CHECK_TEXT(bytes + field->value, field->value_len, "b");
    field = head_find(&head, bytes, "empty", NULL);
    CHECK(field && field->value_len == 0);
    CHECK(head_find(&head, bytes, "x", &count) == NULL && count == 0);

    CHECK(status(&head, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
    CHECK(head.length == -1);
    CHECK(status(&head, "GET / HTTP/1.0\r\n\r\n") == 0 && head.http10);
    CHECK(status(&head, "GET / HTTP/1.0\r\nExpect: x\r\n\r\n") == 0 && !head.expects);
    CHECK(status(&head, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") ==
          0);
    CHECK(head.chunked);
    CHECK(status(&head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") == 0);
    CHECK(head.length == 0);
}

static void test_bad(void)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {405, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1234567890123456789\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 \r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "Content-Length: 1\r\n\r\n"},
        {417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 101-continue\r\n\r\n"},
    };
    struct head head;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!CHECK(status(&head, cases[i].text) == cases[i].status)) {
            fprintf(stderr, "  %s\n", cases[i].text);
        }
    }
}

static void test_sizes(void)
{
    static char text[40000];
    struct head head;
    int len = snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 8191, 0);

    CHECK(len > 0 && status(&head, text) == 0);
    snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 8192, 0);
    CHECK(status(&head, text) == 414);
    len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
                   HEAD_MAX_BYTES - 32, 0);
    CHECK(len == HEAD_MAX_BYTES && status(&head, text) == 0);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
             HEAD_MAX_BYTES - 31, 0);
    CHECK(status(&head, text) == 431);
    for (int headers = 100; headers <= 101; headers++) {
        len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < headers; i++)
            len += snprintf(text + len, 16, "X: y\r\n");
        snprintf(text + len, 16, "\r\n");
        CHECK(status(&head, text) == (headers == 100 ? 0 : 431));
    }
}

/* A byte that the parser lost, anywhere, is missed. */
static void test_gaps(void)
{
    static char bytes[] = "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0X\0b\0\0\0\0";
    const struct head_line line = {bytes, bytes + 6, bytes + 4, "/", 1};
    struct head_line odd;
    struct head head;

    for (int hidden = 0; hidden < 8; hidden++) {
        odd = line;
        if (hidden == 1) odd.target++;  /* two spaces */
        if (hidden == 2) odd.version++; /* … behind the target */
        head_begin(&head, &odd);
        head_add(&head, bytes + 16 + (hidden == 3), 4 - (size_t)(hidden == 3), bytes + 22, 1);
        head_add(&head, bytes + 25 - (hidden == 4), 1, bytes + 27, 1);
        size_t size = sizeof(bytes) - 1;
        if (hidden == 5) size++;
        if (hidden == 6) size--;
        bytes[30] = hidden == 7 ? 'x' : '\0'; /* where the last line's end should be */
        const struct head_refusal *refusal = head_end(&head, size);
        CHECK(hidden ? refusal && refusal->status == 400 : !refusal);
    }
    head_begin(&head, &line);
    head_add(&head, bytes + 16, 4, bytes + 15, 1); /* a value before its name */
    CHECK(head_end(&head, sizeof(bytes) - 1) != NULL);
    head_begin(&head, &line);
    head_add(&head, bytes + 16, 4, bytes + 23, 0); /* something between colon and value */
    CHECK(head_end(&head, sizeof(bytes) - 1) != NULL);
}

static void test_outgoing(void)
{
    CHECK(head_is_token("content-type", 12) && head_is_token("X_!#1", 5));
    CHECK(!head_is_token("", 0) && !head_is_token("a b", 3) && !head_is_token("a:", 2));
    CHECK(!head_is_token("a\0b", 3) && !head_is_token("\xc3\xa9", 2));
    CHECK(head_is_value("", 0) && head_is_value("a \t b\xc3\xa9", 7));
    CHECK(!head_is_value("a\r\nb", 4) && !head_is_value("a\0b", 3) &&
          !head_is_value("\x7f", 1));
}

int main(void)
{
    test_good();
    test_bad();
    test_sizes();
    test_gaps();
    test_outgoing();
    return check_report();
}
