/* Oracle: a stream cut anywhere gives the events of the stream in one piece. The first bytes
 * of the input choose the cuts, the rest is the stream. */
#include "sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENT = 4096, CUTS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* Everything that came out, one record behind the other. */
struct record {
    struct buf bytes;
    enum sse_result last;
};

static void add(struct record *record, const void *bytes, size_t len)
{
    if (!buf_append(&record->bytes, &len, sizeof(len)) ||
        !buf_append(&record->bytes, bytes, len)) {
        abort();
    }
}

/* Reads what is whole in held[0..len); tells how much of it. */
static size_t drain(struct sse *sse, struct record *record, const char *held, size_t len,
                    bool ended)
{
    struct sse_event event;
    size_t used = 0;

    while ((record->last = sse_next(sse, held + used, len - used, ended, &event)) ==
           SSE_EVENT) {
        if (event.size == 0 || event.size > len - used) abort();
        add(record, event.name, event.name_len);
        add(record, event.data, event.data_len);
        add(record, held + used, event.size);
        used += event.size;
    }
    return used;
}

static void run(struct record *record, const char *stream, size_t len, const uint8_t *cuts)
{
    struct sse sse;
    size_t from = 0, to = 0;

    sse_init(&sse, MAX_EVENT);
    buf_init(&record->bytes, SIZE_MAX / 2);
    for (size_t i = 0; to < len; i++) {
        size_t step = cuts ? (size_t)cuts[i % CUTS] + 1 : len;
        to = len - to < step ? len : to + step;
        from += drain(&sse, record, stream + from, to - from, false);
        if (record->last != SSE_MORE) break;
    }
    if (to == len && (len == 0 || record->last == SSE_MORE)) {
        drain(&sse, record, stream + from, to - from, true);
    }
    sse_free(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < CUTS) return 0;

    size_t len = size - CUTS;
    char *stream = malloc(len + 1);
    struct record whole, cut;
    if (!stream) return 0;
    memcpy(stream, input + CUTS, len);
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
