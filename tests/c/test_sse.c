#include "check.h"
#include "sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_EVENT = 1 << 20, TEXT = 1 << 16 };

/* What came out of a stream, one event a line, for comparison. */
struct story {
    char text[TEXT];
    size_t len;
    size_t events;
    enum sse_result last;
};

static void tell(struct story *story, const struct sse_event *event)
{
    int n = snprintf(story->text + story->len, TEXT - story->len, "%zu %d[%.*s][%.*s]\n",
                     event->size, event->has_data, (int)event->name_len, event->name,
                     (int)event->data_len, event->data);
    if (n > 0 && story->len + (size_t)n < TEXT) story->len += (size_t)n;
    story->events++;
}

/* A stream on its way: the bytes are appended as they come, exactly sized so that a sanitizer
 * sees each read beyond them. */
struct feed {
    struct sse sse;
    char *held;
    size_t len;
    struct story *story;
};

static void feed_begin(struct feed *feed, struct story *story)
{
    sse_init(&feed->sse, MAX_EVENT);
    feed->held = NULL;
    feed->len = 0;
    feed->story = story;
    story->len = story->events = 0;
    story->text[0] = '\0';
}

static void feed_bytes(struct feed *feed, const char *bytes, size_t len, bool ended)
{
    char *held = malloc(feed->len + len + 1);
    struct sse_event event;

    if (!held) abort();
    if (feed->len) memcpy(held, feed->held, feed->len);
    if (len) memcpy(held + feed->len, bytes, len);
    free(feed->held);
    feed->held = held;
    feed->len += len;
    while ((feed->story->last = sse_next(&feed->sse, feed->held, feed->len, ended, &event)) ==
           SSE_EVENT) {
        tell(feed->story, &event);
        feed->len -= event.size;
        memmove(feed->held, feed->held + event.size, feed->len);
    }
}

static void feed_end(struct feed *feed)
{
    feed_bytes(feed, "", 0, true);
    free(feed->held);
    sse_free(&feed->sse);
}

static void read_whole(const char *bytes, size_t len, struct story *story)
{
    struct feed feed;

    feed_begin(&feed, story);
    feed_bytes(&feed, bytes, len, false);
    feed_end(&feed);
}

static void check_story(const char *bytes, const char *expected)
{
    static struct story story;

    read_whole(bytes, strlen(bytes), &story);
    if (strcmp(story.text, expected) != 0) {
        fprintf(stderr, "expected:\n%sgot:\n%s", expected, story.text);
    }
    CHECK(strcmp(story.text, expected) == 0);
}

/* ---- the rules -------------------------------------------------------------------------- */

static void test_fields(void)
{
    check_story("data: x\n\n", "9 1[][x]\n");
    check_story("data:x\n\n", "8 1[][x]\n");
    check_story("data:  x\n\n", "10 1[][ x]\n");
    check_story("data\n\n", "6 1[][]\n");
    check_story("data:\n\n", "7 1[][]\n");
    check_story("data: a:b: c\n\n", "14 1[][a:b: c]\n");
    check_story("event: ping\ndata: {}\n\n", "22 1[ping][{}]\n");
    check_story("event: a\nevent: b\ndata: 1\n\n", "27 1[b][1]\n");
    check_story("id: 7\nretry: 9\nfoo: bar\ndata: 1\n\n", "33 1[][1]\n");
    check_story("event: ping\n\n", "13 0[ping][]\n");
    check_story("Data: x\n\n", "9 0[][]\n");
    check_story(" data: x\n\n", "10 0[][]\n");
}

static void test_several_data_lines(void)
{
    check_story("data: a\ndata: b\n\n", "17 1[][a\nb]\n");
    check_story("data\ndata\n\n", "11 1[][\n]\n");
    check_story("data: a\nid: 1\ndata:\ndata: c\n\ndata: d\ndata: e\n\n",
                "29 1[][a\n\nc]\n17 1[][d\ne]\n");
}

static void test_line_ends(void)
{
    check_story("data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", "20 1[][a\nb]\n11 1[][c]\n");
    check_story("data: a\rdata: b\r\rdata: c\r\r", "17 1[][a\nb]\n9 1[][c]\n");
    check_story("data: a\ndata: b\r\n\ndata: c\r\n\n", "18 1[][a\nb]\n10 1[][c]\n");
    check_story("data: a\n\rdata: b\n\r\ndata: c\n\n", "9 1[][a]\n10 1[][b]\n9 1[][c]\n");
    /* A bare CR is a line end at once; the LF behind belongs to nobody. */
    check_story("data: a\r\r\ndata: b\r\r", "9 1[][a]\n10 1[][b]\n");
}

static void test_comments_and_blanks(void)
{
    check_story(": hi\n\n:\n\n\n\n\ndata: x\n\n", "21 1[][x]\n");
    check_story("data: a\n: between\ndata: b\n\n", "27 1[][a\nb]\n");
    check_story(": only\n\n", "");
    check_story("\n\n\r\r\r\n", "");
}

static void test_bom(void)
{
    check_story("\xEF\xBB\xBF"
                "data: x\n\n",
                "12 1[][x]\n");
    check_story("data: a\n\n\xEF\xBB\xBF"
                "data: b\n\n",
                "9 1[][a]\n12 0[][]\n");
    check_story("\xEF\xBB"
                "data: x\n\n",
                "11 0[][]\n");
    check_story("\xEF\xBB\xBF\xEF\xBB\xBF"
                "data: x\n\n",
                "15 0[][]\n");
    check_story("\xEF\xBB", "2 0[][]\n");
}

static void test_end_without_blank_line(void)
{
    check_story("data: a\n\ndata: {\"usage\":1}\n", "9 1[][a]\n18 1[][{\"usage\":1}]\n");
    check_story("data: a\n\ndata: last", "9 1[][a]\n10 1[][last]\n");
    check_story("data: a\r", "8 1[][a]\n");
    check_story("data: a\r\n\r", "10 1[][a]\n");
    check_story("", "");
}

static void test_nul_and_high_bytes(void)
{
    static const char bytes[] = "data: a\0b\xFF\n\n";
    struct sse sse;
    struct sse_event event;

    sse_init(&sse, MAX_EVENT);
    CHECK(sse_next(&sse, bytes, sizeof(bytes) - 1, false, &event) == SSE_EVENT);
    CHECK(event.data_len == 4 && memcmp(event.data, "a\0b\xFF", 4) == 0);
    sse_free(&sse);
}

/* ---- any pieces, the same events -------------------------------------------------------- */

static const char *const corpus[] = {
    "data: {\"a\":1}\n\ndata: [DONE]\n\n",
    "event: message_start\r\ndata: {\"x\":\"\xC3\xA9\xF0\x9F\x8C\x99\"}\r\n\r\n: ping\r\n\r\n"
    "event: ping\r\ndata: {}\r\n\r\n",
    "data: a\rdata: b\r\rdata: c\r\r: c\r\rdata: d\r",
    "\xEF\xBB\xBF"
    "data: a\n\r\ndata: b\r\n\ndata: c\r\r\ndata: d\n\rdata\n\n",
    "\r\n\n\r:\r\r\n:\n\n\ndata:x\ndata: y\n\r\n\r\n\revent\r\rdata: unfinished",
};
enum { CORPUS = sizeof(corpus) / sizeof(corpus[0]) };

static struct story whole, pieces;

static void check_cuts(const char *bytes, size_t first, size_t second)
{
    struct feed feed;
    size_t len = strlen(bytes);

    feed_begin(&feed, &pieces);
    feed_bytes(&feed, bytes, first, false);
    feed_bytes(&feed, bytes + first, second - first, false);
    feed_bytes(&feed, bytes + second, len - second, false);
    feed_end(&feed);
    CHECK(strcmp(whole.text, pieces.text) == 0);
}

static void test_every_split(void)
{
    for (size_t i = 0; i < CORPUS; i++) {
        size_t len = strlen(corpus[i]);
        read_whole(corpus[i], len, &whole);
        CHECK(whole.events > 0);
        for (size_t first = 0; first <= len; first++) {
            for (size_t second = first; second <= len; second++) {
                check_cuts(corpus[i], first, second);
            }
        }
    }
}

static void test_one_byte_at_a_time(void)
{
    for (size_t i = 0; i < CORPUS; i++) {
        struct feed feed;
        read_whole(corpus[i], strlen(corpus[i]), &whole);
        feed_begin(&feed, &pieces);
        for (const char *at = corpus[i]; *at; at++) {
            feed_bytes(&feed, at, 1, false);
        }
        feed_end(&feed);
        CHECK(strcmp(whole.text, pieces.text) == 0);
    }
}

/* An event leaves with its blank line, not with the bytes behind it. */
static void test_no_lag(void)
{
    static const char *const streams[] = {"data: x\n\n", "data: x\r\n\r\n", "data: x\r\n\n",
                                          "data: x\r\r"};

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        struct feed feed;
        feed_begin(&feed, &pieces);
        for (const char *at = streams[i]; *at; at++) {
            CHECK(pieces.events == 0);
            feed_bytes(&feed, at, 1, false);
        }
        CHECK(pieces.events == 1);
        feed_end(&feed);
        CHECK(pieces.events == 1);
    }
}

/* ---- ceilings and cost ------------------------------------------------------------------ */

/* What the last event of a stream lacks to be one by itself. */
static const char *lacks(const char *bytes)
{
    struct sse sse;
    struct sse_event event;

    sse_init(&sse, MAX_EVENT);
    bool found = sse_next(&sse, bytes, strlen(bytes), true, &event) == SSE_EVENT;
    sse_free(&sse);
    return found ? event.lacks : "no event";
}

/* U-46 */
static void test_unended(void)
{
    CHECK(strcmp(lacks("data: x"), "\n\n") == 0);
    CHECK(strcmp(lacks("data: x\r"), "\n\n") == 0);
    CHECK(strcmp(lacks("data: x\n"), "\n") == 0);
    CHECK(strcmp(lacks("data: x\r\n"), "\n") == 0);
    CHECK(strcmp(lacks("data: x\r\n\r"), "") == 0);
    CHECK(strcmp(lacks("data: x\n\n"), "") == 0);
    CHECK(strcmp(lacks("data: x\n\ndata: y"), "") == 0);
}

static enum sse_result first_result(const char *bytes, size_t len, size_t max, bool ended)
{
    struct sse sse;
    struct sse_event event;

    sse_init(&sse, max);
    enum sse_result result = sse_next(&sse, bytes, len, ended, &event);
    sse_free(&sse);
    return result;
}

static void test_too_long(void)
{
    CHECK(first_result("data: x\n\n", 9, 9, false) == SSE_EVENT);
    CHECK(first_result("data: x\n\n", 9, 8, false) == SSE_TOO_LONG);
    CHECK(first_result("data: xxxx", 10, 9, false) == SSE_TOO_LONG);
    CHECK(first_result("data: xxxx", 10, 9, true) == SSE_TOO_LONG);
    CHECK(first_result("data: xxxx", 10, 10, false) == SSE_MORE);
    CHECK(first_result(":\n\n:\n\n:\n\n:\n\n", 12, 9, false) == SSE_TOO_LONG);
}

static double seconds_of(const char *bytes, size_t len, size_t step)
{
    struct sse sse;
    struct sse_event event;
    clock_t start = clock();
    size_t other = 0;

    sse_init(&sse, len);
    for (size_t have = step; have <= len; have += step) {
        other += sse_next(&sse, bytes, have, false, &event) != SSE_MORE;
    }
    CHECK(other == 0);
    sse_free(&sse);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* A megabyte that never becomes an event, one byte at a time: quadratic work would be 5·10^11
 * byte visits. */
static void test_linear(void)
{
    static char bytes[MAX_EVENT];

    memset(bytes, 'x', sizeof(bytes));
    CHECK(seconds_of(bytes, sizeof(bytes), 1) < 5);
    memset(bytes, '\n', sizeof(bytes));
    CHECK(seconds_of(bytes, sizeof(bytes), 1) < 5);
    memset(bytes, '\r', sizeof(bytes));
    CHECK(seconds_of(bytes, sizeof(bytes), 1) < 5);
    for (size_t i = 0; i + 3 <= sizeof(bytes); i += 3) {
        bytes[i] = ':';
        bytes[i + 1] = '\r';
        bytes[i + 2] = '\r';
    }
    CHECK(seconds_of(bytes, sizeof(bytes), 1) < 5);
}

int main(void)
{
    test_fields();
    test_several_data_lines();
    test_line_ends();
    test_comments_and_blanks();
    test_bom();
    test_end_without_blank_line();
    test_unended();
    test_nul_and_high_bytes();
    test_every_split();
    test_one_byte_at_a_time();
    test_no_lag();
    test_too_long();
    test_linear();
    return check_report();
}
