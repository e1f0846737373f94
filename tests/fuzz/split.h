/* Split invariance: a stream cut anywhere gives what the stream in one piece gives, and its
 * reader never looks at what has not come yet.
 *
 * The first CUTS bytes of an input are the sizes of the pieces, less one, round and round. */
#ifndef MOONGATE_FUZZ_SPLIT_H
#define MOONGATE_FUZZ_SPLIT_H

#include "fuzz.h"

#include "buf.h"

enum { CUTS = 8 };

/* What came out of a stream. */
struct record {
    struct buf all;  /* everything, one thing behind the other, with the bytes that it was */
    struct buf told; /* what a reference must come to as well */
    size_t events;   /* how many, where the reader counts them */
    int last;        /* the reader's last word */
};

/* Reads what is whole in held[0..len), notes it, and tells how many bytes it was. `ended`: no
 * more will come. */
typedef size_t split_drain(void *reader, struct record *record, const char *held, size_t len,
                           bool ended);

/* A reader, fresh, and what it says where it wants more. */
struct split {
    split_drain *drain;
    void *reader;
    int more;
};

static inline void put(struct buf *buf, const void *bytes, size_t len)
{
    MUST(buf_append(buf, &len, sizeof(len)) && buf_append(buf, bytes, len));
}

static inline void record_init(struct record *record)
{
    *record = (struct record){.last = -1};
    buf_init(&record->all, SIZE_MAX / 2);
    buf_init(&record->told, SIZE_MAX / 2);
}

static inline void record_free(struct record *record)
{
    buf_free(&record->all);
    buf_free(&record->told);
}

static inline bool buf_same(const struct buf *a, const struct buf *b)
{
    return text_same((struct text){a->data, a->len}, (struct text){b->data, b->len});
}

/* cuts NULL: in one piece. */
static inline void split_run(const struct split *split, struct record *record, char *stream,
                             size_t len, const uint8_t *cuts)
{
    size_t from = 0, to = 0;

    record_init(record);
    record->last = split->more;
    for (size_t i = 0; to < len && record->last == split->more; i++) {
        size_t step = cuts ? (size_t)cuts[i % CUTS] + 1 : len;
        SHOW(stream, len);
        to = len - to < step ? len : to + step;
        HIDE(stream + to, len - to);
        from += split->drain(split->reader, record, stream + from, to - from, false);
        MUST(from <= to);
    }
    SHOW(stream, len);
    if (record->last == split->more) {
        split->drain(split->reader, record, stream + from, to - from, true);
    }
}

static inline void split_compare(const struct record *whole, const struct record *cut)
{
    MUST(whole->last == cut->last);
    MUST(buf_same(&whole->all, &cut->all));
    MUST(buf_same(&whole->told, &cut->told));
}

#endif
