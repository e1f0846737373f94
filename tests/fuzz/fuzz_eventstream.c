/* Oracle: a stream cut anywhere gives the messages of the stream in one piece. The first bytes
 * of the input choose the cuts, the rest is the stream: messages whose checksums are put right,
 * so that what is behind them is reached, and then bytes as they are. */
#include "eventstream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

enum { MAX_MESSAGE = 4096, CUTS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* Everything that came out, one record behind the other. */
struct record {
    struct buf bytes;
    enum eventstream_result last;
};

static void add(struct record *record, const void *bytes, size_t len)
{
    if (!buf_append(&record->bytes, &len, sizeof(len)) ||
        (len && !buf_append(&record->bytes, bytes, len))) {
        abort();
    }
}

static void check_inside(const struct eventstream_text *text, const char *held, size_t size)
{
    if (!text->bytes) return;
    if (text->bytes < held || text->bytes + text->len > held + size) abort();
}

static void note(struct record *record, const struct eventstream_message *message,
                 const char *held)
{
    const struct eventstream_text *texts[] = {&message->kind, &message->name, &message->why,
                                              &message->payload};

    for (size_t i = 0; i < 4; i++) {
        check_inside(texts[i], held, message->size);
        add(record, texts[i]->bytes, texts[i]->len);
    }
    add(record, held, message->size);
}

static void run(struct record *record, const char *stream, size_t len, const uint8_t *cuts)
{
    size_t from = 0, to = 0;
    struct eventstream_message message;

    buf_init(&record->bytes, SIZE_MAX / 2);
    record->last = EVENTSTREAM_MORE;
    for (size_t i = 0; to < len && record->last == EVENTSTREAM_MORE; i++) {
        size_t step = cuts ? (size_t)cuts[i % CUTS] + 1 : len;
        to = len - to < step ? len : to + step;
        while ((record->last = eventstream_next(stream + from, to - from, MAX_MESSAGE,
                                                &message)) == EVENTSTREAM_MESSAGE) {
            if (message.size == 0 || message.size > to - from) abort();
            note(record, &message, stream + from);
            from += message.size;
        }
    }
}

static void write_number(char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(n >> (24 - 8 * i));
}

static uint32_t read_number(const char *at)
{
    uint32_t n = 0;

    for (int i = 0; i < 4; i++)
        n = n << 8 | (unsigned char)at[i];
    return n;
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
    if (size < CUTS + 1) return 0;

    size_t len = size - CUTS - 1;
    char *stream = malloc(len + 1);
    struct record whole, cut;
    if (!stream) return 0;
    memcpy(stream, input + CUTS + 1, len);
    if (input[CUTS] & 1) mend(stream, len);
    run(&whole, stream, len, NULL);
    run(&cut, stream, len, input);
    if (whole.last != cut.last || whole.bytes.len != cut.bytes.len) abort();
    if (whole.bytes.len && memcmp(whole.bytes.data, cut.bytes.data, cut.bytes.len) != 0) {
        abort();
    }
    buf_free(&whole.bytes);
    buf_free(&cut.bytes);
    free(stream);
    return 0;
}
