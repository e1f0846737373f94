#include "check.h"
#include "eventstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGE = 1 << 20, ROOM = 1 << 16 };

/* ---- messages, made here ------------------------------------------------------------------
 */

struct bytes {
    unsigned char data[ROOM];
    size_t len;
};

static void put(struct bytes *out, const void *data, size_t len)
{
    if (out->len + len > ROOM) abort();
    if (len) memcpy(out->data + out->len, data, len);
    out->len += len;
}

static void put_number(struct bytes *out, uint32_t n)
{
    unsigned char four[] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                            (unsigned char)(n >> 8), (unsigned char)n};

    put(out, four, sizeof(four));
}

/* Bit by bit: other code than the parser's. */
static uint32_t slow_crc(const unsigned char *at, size_t len)
{
    uint32_t crc = 0xFFFFFFFF;

    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
    return ~crc;
}

/* A message with these headers (as they stand on the wire) and payload. */
static void put_message(struct bytes *out, const struct bytes *headers, const void *payload,
                        size_t len)
{
    size_t start = out->len;

    put_number(out, (uint32_t)(16 + headers->len + len));
    put_number(out, (uint32_t)headers->len);
    put_number(out, slow_crc(out->data + start, 8));
    put(out, headers->data, headers->len);
    put(out, payload, len);
    put_number(out, slow_crc(out->data + start, out->len - start));
}

static void put_text(struct bytes *headers, const char *name, const char *value)
{
    unsigned char head[] = {(unsigned char)strlen(name)};
    unsigned char type[] = {7, (unsigned char)(strlen(value) >> 8),
                            (unsigned char)strlen(value)};

    put(headers, head, 1);
    put(headers, name, strlen(name));
    put(headers, type, 3);
    put(headers, value, strlen(value));
}

static void put_event(struct bytes *out, const char *name, const char *payload)
{
    struct bytes headers = {.len = 0};

    put_text(&headers, ":event-type", name);
    put_text(&headers, ":content-type", "application/json");
    put_text(&headers, ":message-type", "event");
    put_message(out, &headers, payload, strlen(payload));
}

/* ---- what comes out -----------------------------------------------------------------------
 */

/* One message a line, for comparison. */
struct story {
    char text[ROOM];
    size_t len, messages;
    enum eventstream_result last;
};

static void tell(struct story *story, const struct eventstream_message *m)
{
    int n = snprintf(story->text + story->len, ROOM - story->len, "%zu %.*s/%.*s/%.*s[%.*s]\n",
                     m->size, (int)m->kind.len, m->kind.len ? m->kind.bytes : "",
                     (int)m->name.len, m->name.len ? m->name.bytes : "", (int)m->why.len,
                     m->why.len ? m->why.bytes : "", (int)m->payload.len, m->payload.bytes);

    if (n > 0 && story->len + (size_t)n < ROOM) story->len += (size_t)n;
    story->messages++;
}

/* The stream in pieces of `step` bytes, each buffer exactly as large as what has come, so that
 * a sanitizer sees each read beyond it. */
static void read_in(struct story *story, const struct bytes *stream, size_t step)
{
    size_t from = 0, to = 0;

    memset(story, 0, sizeof(*story));
    while (to < stream->len) {
        to = stream->len - to < step ? stream->len : to + step;
        char *held = malloc(to - from + 1);
        size_t used = 0;
        struct eventstream_message message;
        if (!held) abort();
        memcpy(held, stream->data + from, to - from);
        held = realloc(held, to - from); /* to the byte */
        if (!held) abort();
        while ((story->last = eventstream_next(held + used, to - from - used, MAX_MESSAGE,
                                               &message)) == EVENTSTREAM_MESSAGE) {
            tell(story, &message);
            used += message.size;
            if (used == to - from) break;
        }
        from += used;
        free(held);
        if (story->last > EVENTSTREAM_MORE) break;
    }
}

static enum eventstream_result next(const struct bytes *in, struct eventstream_message *message)
{
    return eventstream_next((const char *)in->data, in->len, MAX_MESSAGE, message);
}

/* ---- the tests ----------------------------------------------------------------------------
 */

static void test_checksum(void)
{
    unsigned char all[256];

    CHECK(eventstream_crc("", 0) == 0);
    CHECK(eventstream_crc("123456789", 9) == 0xCBF43926); /* the check value of CRC-32 */
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (size_t len = 0; len <= 256; len++)
        CHECK(eventstream_crc(all, len) == slow_crc(all, len));
}

/* The vectors of the AWS SDKs' own tests: an empty message; a payload; one header of 32 bits.
 */
static void test_known_bytes(void)
{
    static const unsigned char empty[] = {0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
                                          0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff};
    static const unsigned char payload[] = {
        0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52, 0x8c, 0x5a, '{',  '\'', 'f',
        'o',  'o',  '\'', ':',  '\'', 'b',  'a',  'r',  '\'', '}',  0xc3, 0x65, 0x39, 0x36};
    static const unsigned char int32[] = {0x00, 0x00, 0x00, 0x2d, 0x00, 0x00, 0x00, 0x10, 0x41,
                                          0xc4, 0x24, 0xb8, 0x0a, 'e',  'v',  'e',  'n',  't',
                                          '-',  't',  'y',  'p',  'e',  0x04, 0x00, 0x00, 0xa0,
                                          0x0c, '{',  '\'', 'f',  'o',  'o',  '\'', ':',  '\'',
                                          'b',  'a',  'r',  '\'', '}',  0x36, 0xf4, 0x80, 0xa0};
    struct eventstream_message m;

    CHECK(eventstream_next((const char *)empty, sizeof(empty), MAX_MESSAGE, &m) ==
          EVENTSTREAM_MESSAGE);
    CHECK(m.size == 16 && m.payload.len == 0 && m.kind.bytes == NULL);
    CHECK(eventstream_next((const char *)payload, sizeof(payload), MAX_MESSAGE, &m) ==
          EVENTSTREAM_MESSAGE);
    CHECK_TEXT(m.payload.bytes, m.payload.len, "{'foo':'bar'}");
    CHECK(eventstream_next((const char *)int32, sizeof(int32), MAX_MESSAGE, &m) ==
          EVENTSTREAM_MESSAGE);
    CHECK_TEXT(m.payload.bytes, m.payload.len, "{'foo':'bar'}");
    CHECK(m.name.bytes == NULL);
}

static void test_kinds(void)
{
    struct bytes stream = {.len = 0}, headers = {.len = 0};
    struct story story;

    put_event(&stream, "messageStart", "{\"role\":\"assistant\"}");
    put_text(&headers, ":message-type", "exception");
    put_text(&headers, ":exception-type", "throttlingException");
    put_message(&stream, &headers, "{\"message\":\"slow\"}", 18);
    headers.len = 0;
    put_text(&headers, ":error-code", "InternalError");
    put_text(&headers, ":message-type", "error");
    put_text(&headers, ":error-message", "it broke");
    put_message(&stream, &headers, "", 0);
    read_in(&story, &stream, stream.len);
    CHECK(story.messages == 3);
    CHECK_TEXT(story.text, story.len,
               "118 event/messageStart/[{\"role\":\"assistant\"}]\n"
               "98 exception/throttlingException/[{\"message\":\"slow\"}]\n"
               "92 error/InternalError/it broke[]\n");
}

/* Each type of header stands in front of the one that is looked for. */
static void test_every_header_type(void)
{
    static const size_t sizes[] = {0, 0, 1, 2, 4, 8, 2, 2, 8, 16};

    for (unsigned char type = 0; type < 12; type++) {
        struct bytes stream = {.len = 0}, headers = {.len = 0};
        unsigned char head[] = {1, 'x', type};
        struct eventstream_message m;
        put(&headers, head, sizeof(head));
        if (type < sizeof(sizes) / sizeof(*sizes)) {
            put(&headers, (unsigned char[16]){0}, sizes[type]);
        }
        put_text(&headers, ":event-type", "metadata");
        put_message(&stream, &headers, "{}", 2);
        if (type > 9) {
            CHECK(next(&stream, &m) == EVENTSTREAM_BROKEN);
        } else if (CHECK(next(&stream, &m) == EVENTSTREAM_MESSAGE)) {
            CHECK_TEXT(m.name.bytes, m.name.len, "metadata");
        }
    }
}

static void test_any_split(void)
{
    struct bytes stream = {.len = 0};
    struct story whole, cut;
    char text[64];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "{\"n\":%d,\"p\":\"%.*s\"}", i, i,
                       "abcdefghijklmnopqrstuvwxyz");
        put_event(&stream, i % 3 ? "contentBlockDelta" : "contentBlockStop", text);
    }
    read_in(&whole, &stream, stream.len);
    CHECK(whole.messages == 20);
    for (size_t step = 1; step < 200; step++) {
        read_in(&cut, &stream, step);
        CHECK(cut.len == whole.len && memcmp(cut.text, whole.text, cut.len) == 0);
    }
}

/* No beginning of a message is one. */
static void test_broken_off(void)
{
    struct bytes stream = {.len = 0};
    struct eventstream_message m;

    put_event(&stream, "metadata", "{\"usage\":{}}");
    for (size_t len = 0; len < stream.len; len++) {
        char *held = malloc(len + 1);
        if (!held) abort();
        memcpy(held, stream.data, len);
        CHECK(eventstream_next(held, len, MAX_MESSAGE, &m) == EVENTSTREAM_MORE);
        free(held);
    }
}

/* Whatever bit is turned over, no message comes of it. */
static void test_bad_checksums(void)
{
    struct bytes stream = {.len = 0};
    struct eventstream_message m;

    put_event(&stream, "metadata", "{\"usage\":{}}");
    for (size_t at = 0; at < stream.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct bytes bad = stream;
            bad.data[at] ^= (unsigned char)(1 << bit);
            CHECK(next(&bad, &m) == EVENTSTREAM_BROKEN);
        }
    }
}

/* A prelude as it should not be, with a checksum that is right. */
static enum eventstream_result prelude(uint32_t total, uint32_t headers, size_t max)
{
    struct bytes stream = {.len = 0};
    struct eventstream_message m;

    put_number(&stream, total);
    put_number(&stream, headers);
    put_number(&stream, slow_crc(stream.data, 8));
    return eventstream_next((const char *)stream.data, stream.len, max, &m);
}

static void test_lengths(void)
{
    CHECK(prelude(0, 0, MAX_MESSAGE) == EVENTSTREAM_BROKEN);
    CHECK(prelude(15, 0, MAX_MESSAGE) == EVENTSTREAM_BROKEN);
    CHECK(prelude(16, 0, MAX_MESSAGE) == EVENTSTREAM_MORE);
    CHECK(prelude(16, 1, MAX_MESSAGE) == EVENTSTREAM_BROKEN);
    CHECK(prelude(100, 0xFFFFFFFF, MAX_MESSAGE) == EVENTSTREAM_BROKEN);
    CHECK(prelude(MAX_MESSAGE, 0, MAX_MESSAGE) == EVENTSTREAM_MORE);
    CHECK(prelude(MAX_MESSAGE + 1, 0, MAX_MESSAGE) == EVENTSTREAM_TOO_LONG);
    CHECK(prelude(0xFFFFFFFF, 0, MAX_MESSAGE) == EVENTSTREAM_TOO_LONG);
    CHECK(prelude(0xFFFFFFFF, 0xFFFFFFFF - 16, SIZE_MAX) == EVENTSTREAM_TOO_LONG);
    CHECK(prelude(1 << 19, EVENTSTREAM_HEADERS_MAX, MAX_MESSAGE) == EVENTSTREAM_MORE);
    CHECK(prelude(1 << 19, EVENTSTREAM_HEADERS_MAX + 1, MAX_MESSAGE) == EVENTSTREAM_TOO_LONG);
}

/* Headers that say they are longer than they are, under a checksum that is right. */
static void test_short_headers(void)
{
    static const struct {
        unsigned char bytes[8];
        size_t len;
    } bad[] = {
        {{5, 'a'}, 2},          /* a name that is not all here */
        {{1, 'a'}, 2},          /* no type */
        {{1, 'a', 7}, 3},       /* no length */
        {{1, 'a', 7, 0}, 4},    /* half of one */
        {{1, 'a', 7, 0, 1}, 5}, /* no value */
        {{1, 'a', 6, 255, 255}, 5},
        {{1, 'a', 9, 1, 2, 3}, 6}, /* a short uuid */
        {{1, 'a', 255}, 3},        /* no such type */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct bytes stream = {.len = 0}, headers = {.len = 0};
        struct eventstream_message m;
        put(&headers, bad[i].bytes, bad[i].len);
        put_message(&stream, &headers, "{}", 2);
        CHECK(next(&stream, &m) == EVENTSTREAM_BROKEN);
    }
}

int main(void)
{
    test_checksum();
    test_known_bytes();
    test_kinds();
    test_every_header_type();
    test_any_split();
    test_broken_off();
    test_bad_checksums();
    test_lengths();
    test_short_headers();
    return check_report();
}
