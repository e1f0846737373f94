#include "eventstream.h"

#include <stdbool.h>
#include <string.h>

enum {
    PRELUDE = 12,
    CHECKSUM = 4,
    LEAST = PRELUDE + CHECKSUM, /* a message without headers and payload */
};

/* ---- the checksum ------------------------------------------------------------------------
 */

/* Reflected 0xEDB88320, half a byte at a time: sixteen words are enough for pieces of text. */
static const uint32_t crc_words[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
    0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
    0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint32_t eventstream_crc(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint32_t crc = 0xFFFFFFFF;

    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc_words[crc & 15] ^ crc >> 4;
        crc = crc_words[crc & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* ---- numbers ------------------------------------------------------------------------------
 */

static uint32_t number_at(const char *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- headers ------------------------------------------------------------------------------
 */

/* What is left of the headers. */
struct rest {
    const char *at;
    size_t len;
};

/* The next `n` bytes; false where there are fewer. */
static bool take(struct rest *rest, size_t n, struct eventstream_text *taken)
{
    if (n > rest->len) return false;
    *taken = (struct eventstream_text){rest->at, n};
    rest->at += n;
    rest->len -= n;
    return true;
}

enum {
    TYPE_BYTES = 6,
    TYPE_STRING = 7,
};

/* A value, stepped over; *value is filled in where it is text. */
static bool take_value(struct rest *rest, struct eventstream_text *value)
{
    /* true, false, byte, short, int, long, bytes, string, timestamp, uuid */
    static const unsigned char sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    struct eventstream_text head;

    if (!take(rest, 1, &head)) return false;

    size_t type = (unsigned char)head.bytes[0];
    if (type >= sizeof(sizes)) return false;
    if (type != TYPE_BYTES && type != TYPE_STRING) return take(rest, sizes[type], &head);
    if (!take(rest, 2, &head)) return false;

    size_t len = (size_t)(unsigned char)head.bytes[0] << 8 | (unsigned char)head.bytes[1];
    return take(rest, len, type == TYPE_STRING ? value : &head);
}

static bool is_called(const struct eventstream_text *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->bytes, text, name->len) == 0;
}

/* Where the value of a header goes; NULL: nobody asks for it. */
static struct eventstream_text *place_of(struct eventstream_message *message,
                                         const struct eventstream_text *name)
{
    if (is_called(name, ":message-type")) return &message->kind;
    if (is_called(name, ":event-type")) return &message->name;
    if (is_called(name, ":exception-type")) return &message->name;
    if (is_called(name, ":error-code")) return &message->name;
    if (is_called(name, ":error-message")) return &message->why;
    return NULL;
}

static bool read_headers(struct rest rest, struct eventstream_message *message)
{
    while (rest.len) {
        struct eventstream_text head, name, value = {0};

        if (!take(&rest, 1, &head)) return false;
        if (!take(&rest, (unsigned char)head.bytes[0], &name)) return false;
        if (!take_value(&rest, &value)) return false;

        struct eventstream_text *place = place_of(message, &name);
        if (place) *place = value;
    }
    return true;
}

/* ---- messages -----------------------------------------------------------------------------
 */

enum eventstream_result eventstream_next(const char *bytes, size_t len, size_t max,
                                         struct eventstream_message *message)
{
    if (len < PRELUDE) return EVENTSTREAM_MORE;
    if (eventstream_crc(bytes, 8) != number_at(bytes + 8)) return EVENTSTREAM_BROKEN;

    size_t total = number_at(bytes), headers = number_at(bytes + 4);
    if (total < LEAST || headers > total - LEAST) return EVENTSTREAM_BROKEN;
    if (total > max || headers > EVENTSTREAM_HEADERS_MAX) return EVENTSTREAM_TOO_LONG;
    if (len < total) return EVENTSTREAM_MORE;

    size_t end = total - CHECKSUM;
    if (eventstream_crc(bytes, end) != number_at(bytes + end)) return EVENTSTREAM_BROKEN;

    *message = (struct eventstream_message){.size = total};
    if (!read_headers((struct rest){bytes + PRELUDE, headers}, message)) {
        return EVENTSTREAM_BROKEN;
    }
    message->payload.bytes = bytes + PRELUDE + headers;
    message->payload.len = end - PRELUDE - headers;
    return EVENTSTREAM_MESSAGE;
}
