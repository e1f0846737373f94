/* F1. The first bytes of the input choose the cuts (split.h), the rest is the stream.
 *
 * Oracles: a stream cut anywhere gives the events of the stream in one piece; they are those
 * that a slow reader of the specification's words finds, cut off at the same ceiling; the last
 * one, with what it lacks, is the same event by itself; what is kept aside never passes the
 * ceiling. */
#include "sse.h"

#include "split.h"

enum { MAX_EVENT = 4096 };

/* ---- the reference: line by line, a byte at a time ---------------------------------------
 */

struct plain {
    const char *bytes;
    size_t len;
    size_t at;    /* the next byte */
    bool bare_cr; /* the line before ended with CR alone */
};

/* The next line, without its end. A blank line behind a bare CR ends with its first byte: an LF
 * behind it begins what comes next (sse.c says why). */
static struct text plain_line(struct plain *in)
{
    size_t from = in->at;
    bool after_cr = in->bare_cr;

    while (in->at < in->len && in->bytes[in->at] != '\r' && in->bytes[in->at] != '\n')
        in->at++;
    struct text line = {in->bytes + from, in->at - from};
    in->bare_cr = false;
    if (in->at == in->len) return line;
    bool cr = in->bytes[in->at++] == '\r';
    if (cr && line.len == 0 && after_cr) {
        in->bare_cr = true;
        return line;
    }
    bool pair = cr && in->at < in->len && in->bytes[in->at] == '\n';
    if (pair) in->at++;
    in->bare_cr = cr && !pair;
    return line;
}

struct plain_event {
    struct text name;
    struct buf data;
    bool has_data, some; /* some: more than comments */
};

static void plain_field(struct plain_event *event, struct text line)
{
    size_t colon = 0;

    while (colon < line.len && line.at[colon] != ':')
        colon++;
    size_t value = colon < line.len ? colon + 1 : colon;
    if (value < line.len && line.at[value] == ' ') value++;
    struct text rest = {line.at + value, line.len - value};
    event->some = true;
    if (text_same((struct text){line.at, colon}, (struct text){"event", 5})) event->name = rest;
    if (!text_same((struct text){line.at, colon}, (struct text){"data", 4})) return;
    if (event->has_data) MUST(buf_append(&event->data, "\n", 1));
    MUST(buf_append(&event->data, rest.at, rest.len));
    event->has_data = true;
}

static void tell(struct buf *told, struct text name, bool has_data, struct text data)
{
    put(told, name.at, name.len);
    put(told, &has_data, 1);
    put(told, data.at, data.len);
}

/* One block; false behind the last one. */
static bool plain_block(struct plain *in, struct plain_event *event)
{
    *event = (struct plain_event){.name = {"", 0}};
    buf_init(&event->data, SIZE_MAX / 2);
    if (in->at == in->len) return false;
    in->bare_cr = false;
    while (in->at < in->len) {
        struct text line = plain_line(in);
        if (line.len == 0) break;
        if (line.at[0] != ':') plain_field(event, line);
    }
    return true;
}

static void plain_read(struct record *record, const char *bytes, size_t len)
{
    struct plain in = {.bytes = bytes, .len = len};
    struct plain_event event;
    size_t front = 0;

    record_init(record);
    record->last = SSE_MORE;
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) in.at = 3;
    while (record->last == SSE_MORE && plain_block(&in, &event)) {
        if (in.at - front > MAX_EVENT) {
            record->last = SSE_TOO_LONG;
        } else if (event.some) {
            struct text data = {event.data.data, event.data.len};
            tell(&record->told, event.name, event.has_data, data);
            front = in.at;
        }
        buf_free(&event.data);
    }
}

/* ---- the run -----------------------------------------------------------------------------
 */

/* With its blank line, the event is whole while more may come, and nothing is left of it. */
static void complete(const struct sse_event *event, const char *bytes)
{
    struct sse sse;
    struct sse_event again;
    struct buf whole;

    sse_init(&sse, MAX_EVENT + 2);
    buf_init(&whole, MAX_EVENT + 2);
    MUST(buf_append(&whole, bytes, event->size));
    MUST(buf_append(&whole, event->lacks, strlen(event->lacks)));
    sse.begun = true; /* a mark is looked for before the first event alone */
    MUST(sse_next(&sse, whole.data, whole.len, false, &again) == SSE_EVENT);
    MUST(again.size == whole.len && again.has_data == event->has_data && !again.lacks[0]);
    MUST(text_same((struct text){again.name, again.name_len},
                   (struct text){event->name, event->name_len}));
    MUST(text_same((struct text){again.data, again.data_len},
                   (struct text){event->data, event->data_len}));
    sse_free(&sse);
    buf_free(&whole);
}

static size_t drain(void *reader, struct record *record, const char *held, size_t len,
                    bool ended)
{
    struct sse *sse = reader;
    struct sse_event event;
    size_t used = 0;

    while ((record->last = sse_next(sse, held + used, len - used, ended, &event)) ==
           SSE_EVENT) {
        MUST(event.size > 0 && event.size <= len - used && event.size <= MAX_EVENT);
        MUST(event.data_len <= event.size && event.name_len <= event.size);
        tell(&record->told, (struct text){event.name, event.name_len}, event.has_data,
             (struct text){event.data, event.data_len});
        put(&record->all, held + used, event.size);
        put(&record->all, event.lacks, strlen(event.lacks));
        MUST(ended || !event.lacks[0]);
        if (event.lacks[0] && record->events) complete(&event, held + used);
        record->events++;
        used += event.size;
    }
    MUST(sse->joined.cap <= MAX_EVENT);
    return used;
}

static void run(struct record *record, char *stream, size_t len, const uint8_t *cuts)
{
    struct sse sse;
    struct split split = {drain, &sse, SSE_MORE};

    sse_init(&sse, MAX_EVENT);
    split_run(&split, record, stream, len, cuts);
    sse_free(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct record whole, cut, plain;

    if (size < CUTS) return 0;
    size_t len = size - CUTS;
    char *stream = text_copy(input + CUTS, len);
    run(&whole, stream, len, NULL);
    run(&cut, stream, len, input);
    split_compare(&whole, &cut);
    plain_read(&plain, stream, len);
    MUST(whole.last == plain.last && buf_same(&whole.told, &plain.told));
    record_free(&whole);
    record_free(&cut);
    record_free(&plain);
    free(stream);
    return 0;
}
