/* F1, for Amazon's streams. The first bytes of the input choose the cuts (split.h), the next
 * one whether lengths and checksums are put right, so that what is behind them is reached; the
 * rest is the stream.
 *
 * Oracles: a stream cut anywhere gives the messages of the stream in one piece; checksums and
 * places are those of a slow reader; every text lies within its message's headers. */
#include "eventstream.h"

#include "split.h"

enum { MAX_MESSAGE = 4096, PRELUDE = 12, CHECKSUM = 4 };

static uint32_t read_number(const char *at)
{
    uint32_t n = 0;

    for (int i = 0; i < 4; i++)
        n = n << 8 | (unsigned char)at[i];
    return n;
}

static void write_number(char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(n >> (24 - 8 * i));
}

/* CRC-32, bit by bit. */
static uint32_t plain_crc(const char *bytes, size_t len)
{
    uint32_t crc = 0xFFFFFFFF;

    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = (((unsigned char)bytes[i / 8] >> (i % 8)) ^ crc) & 1;
        crc = (crc >> 1) ^ (bit ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static void check(const struct eventstream_message *message, const char *held)
{
    const struct eventstream_text *texts[] = {&message->kind, &message->name, &message->why};
    size_t headers = read_number(held + 4), end = message->size - CHECKSUM;

    MUST(message->size == read_number(held) && message->size <= MAX_MESSAGE);
    MUST(plain_crc(held, 8) == read_number(held + 8));
    MUST(plain_crc(held, end) == read_number(held + end));
    MUST(message->payload.bytes == held + PRELUDE + headers);
    MUST(message->payload.len == end - PRELUDE - headers);
    for (size_t i = 0; i < 3; i++) {
        if (!texts[i]->bytes) continue;
        MUST(texts[i]->bytes >= held + PRELUDE);
        MUST(texts[i]->bytes + texts[i]->len <= message->payload.bytes);
    }
}

static size_t drain(void *reader, struct record *record, const char *held, size_t len,
                    bool ended)
{
    struct eventstream_message message;
    size_t used = 0;

    (void)reader, (void)ended;
    while ((record->last = eventstream_next(held + used, len - used, MAX_MESSAGE, &message)) ==
           EVENTSTREAM_MESSAGE) {
        MUST(message.size > 0 && message.size <= len - used);
        check(&message, held + used);
        put(&record->all, held + used, message.size);
        put(&record->told, message.kind.bytes, message.kind.len);
        put(&record->told, message.name.bytes, message.name.len);
        put(&record->told, message.why.bytes, message.why.len);
        used += message.size;
    }
    return used;
}

/* As many messages at the front as say lengths that the bytes can hold. */
static void mend(char *stream, size_t len)
{
    while (len >= 16) {
        uint32_t total = read_number(stream) % 1024 + 16;
        if (total > len) return;
        write_number(stream, total);
        write_number(stream + 4, read_number(stream + 4) % (total - 15));
        write_number(stream + 8, eventstream_crc(stream, 8));
        write_number(stream + total - 4, eventstream_crc(stream, total - 4));
        stream += total;
        len -= total;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const struct split split = {drain, NULL, EVENTSTREAM_MORE};
    struct record whole, cut;

    if (size < CUTS + 1) return 0;
    size_t len = size - CUTS - 1;
    char *stream = text_copy(input + CUTS + 1, len);
    if (input[CUTS] & 1) mend(stream, len);
    split_run(&split, &whole, stream, len, NULL);
    split_run(&split, &cut, stream, len, input);
    split_compare(&whole, &cut);
    record_free(&whole);
    record_free(&cut);
    free(stream);
    return 0;
}
