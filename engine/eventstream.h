/* Bytes in any pieces → whole messages of an AWS event stream.
 *
 * application/vnd.amazon.eventstream, as Amazon's Smithy specification writes it down
 * (https://smithy.io/2.0/aws/amazon-eventstream.html). All numbers are big endian:
 *
 *     4  length of the whole message
 *     4  length of the headers
 *     4  CRC-32 of these eight bytes
 *     n  headers: 1 byte length, name, 1 byte type, value
 *     m  payload
 *     4  CRC-32 of everything before it
 *
 * Knows bytes only. Works over the caller's buffer and keeps nothing: no state, no memory of
 * its own, and no length is believed before its checksum was. */
#ifndef MOONGATE_EVENTSTREAM_H
#define MOONGATE_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    EVENTSTREAM_HEADERS_MAX = 128 << 10, /* bytes: the specification's ceiling */
};

/* Borrowed from the buffer; NULL and 0 where the message has no such header. */
struct eventstream_text {
    const char *bytes;
    size_t len;
};

struct eventstream_message {
    struct eventstream_text kind; /* :message-type: event, exception or error */
    struct eventstream_text name; /* :event-type, :exception-type or :error-code */
    struct eventstream_text why;  /* :error-message */
    struct eventstream_text payload;
    size_t size; /* bytes from the front of the buffer to the message's end */
};

enum eventstream_result {
    EVENTSTREAM_MESSAGE, /* *message is whole; consume message->size bytes */
    EVENTSTREAM_MORE,    /* not enough bytes yet; at the end of an answer: it broke off */
    EVENTSTREAM_TOO_LONG,
    EVENTSTREAM_BROKEN, /* no such message: nothing behind it can be read either */
};

/* The message at the front of bytes[0..len), of at most `max` bytes. */
enum eventstream_result eventstream_next(const char *bytes, size_t len, size_t max,
                                         struct eventstream_message *message);

/* CRC-32 of bytes[0..len), the one of zlib and Ethernet. */
uint32_t eventstream_crc(const void *bytes, size_t len);

#endif
