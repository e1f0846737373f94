#include "tokens_scan.h"

#include <assert.h>

#include "tokens_class.h"

/* The classes, as bits; tokens_class.h has them in this order. */
enum {
    OTHER = 1 << 0,
    WS = 1 << 1,
    NL = 1 << 2,
    NUM = 1 << 3,
    UPPER = 1 << 4,
    LOWER = 1 << 5,
    BOTH = 1 << 6, /* letters without case */
    MARK = 1 << 7,
    LETTER = UPPER | LOWER | BOTH,
    TAIL = 1 << 8, /* not a class: line ends and slashes */
};

enum { SLICE = 64 * 1024 }; /* bytes of a run that one look follows */

/* ---- characters ------------------------------------------------------------------------- */

static inline bool follows(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* The character at p, and its length; a stray byte is U+FFFD, of length 1. */
static inline uint32_t decode(const uint8_t *p, size_t left, unsigned *len)
{
    if (left >= 3 && p[0] >> 4 == 0xE && follows(p[1]) && follows(p[2])) {
        *len = 3;
        return (p[0] & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    if (left >= 2 && p[0] >> 5 == 6 && follows(p[1])) {
        *len = 2;
        return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    }
    if (left >= 4 && p[0] >> 3 == 0x1E && follows(p[1]) && follows(p[2]) && follows(p[3])) {
        *len = 4;
        return (p[0] & 7u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    }
    *len = 1;
    return 0xFFFD;
}

static unsigned wide_class(const uint8_t *p, size_t left, unsigned *len)
{
    uint32_t code = decode(p, left, len);

    if (code < CLASS_DENSE) return 1u << (class_block[class_stage[code / 128]][code % 128] & 7);
    return code >= CLASS_MARK_FIRST && code <= CLASS_MARK_LAST ? MARK : OTHER;
}

static inline unsigned class_at(const uint8_t *p, const uint8_t *end, unsigned *len)
{
    *len = 1;
    return *p < 0x80 ? class_ascii[*p] : wide_class(p, (size_t)(end - p), len);
}

/* 0 at the end of the text. */
static inline unsigned class_or_end(const struct tokens_scan *scan, const uint8_t *p)
{
    unsigned len;

    return p < scan->end ? class_at(p, scan->end, &len) : 0;
}

/* ---- runs ------------------------------------------------------------------------------- */

/* Bytes a to z, eight at a time. */
static inline const uint8_t *walk_lower(const uint8_t *p, const uint8_t *stop)
{
    const uint64_t ones = 0x0101010101010101u;

    while (stop - p >= 8) {
        uint64_t x = tokens_word(p), low = x & (0x7F * ones);
        uint64_t from_a = low + 0x1F * ones, beyond_z = low + 5 * ones;
        uint64_t others = (~from_a | beyond_z | x) & (0x80 * ones);
        if (others) return p + (__builtin_ctzll(others) >> 3);
        p += 8;
    }
    return p;
}

static inline void walk(const struct tokens_scan *scan, struct tokens_span *span,
                        const uint8_t *stop, unsigned mask, unsigned track)
{
    const uint8_t *p = span->end;

    while (p < stop) {
        unsigned len, class = class_at(p, scan->end, &len);
        if (mask == TAIL && *p == '/') class = TAIL;
        if (mask == TAIL && class == NL) class = TAIL;
        if (!(class & mask)) break;
        p += len;
        if (class & track) span->tracked = p;
    }
    span->end = p;
}

static inline const uint8_t *slice_end(const struct tokens_scan *scan, const uint8_t *p)
{
    return scan->end - p > SLICE ? p + SLICE : scan->end;
}

/* A run longer than a slice: from where the last look left it. */
static struct tokens_span run_on(struct tokens_scan *scan, const uint8_t *from, unsigned mask,
                                 unsigned track, struct tokens_span span)
{
    unsigned i = 0;

    if (scan->late) return span; /* what is decided now will be decided again */
    while (i < scan->memos && (scan->memo[i].from != from || scan->memo[i].mask != mask)) {
        i++;
    }
    if (i == scan->memos) {
        assert(i < SCAN_MEMOS);
        scan->memo[i].from = from;
        scan->memo[i].mask = mask;
        scan->memo[i].span = span;
        scan->memos++;
    }
    struct tokens_span *known = &scan->memo[i].span;
    const uint8_t *stop = slice_end(scan, known->end);
    walk(scan, known, stop, mask, track);
    scan->late = known->end >= stop && known->end < scan->end;
    return *known;
}

static inline struct tokens_span run_tracked(struct tokens_scan *scan, const uint8_t *from,
                                             unsigned mask, unsigned track)
{
    const uint8_t *stop = slice_end(scan, from);
    struct tokens_span span = {from, NULL};

    walk(scan, &span, stop, mask, track);
    if (span.end < stop || span.end >= scan->end) return span;
    return run_on(scan, from, mask, track, span);
}

static inline const uint8_t *run(struct tokens_scan *scan, const uint8_t *from, unsigned mask)
{
    return run_tracked(scan, from, mask, 0).end;
}

static inline const uint8_t *run_lower(struct tokens_scan *scan, const uint8_t *from)
{
    const uint8_t *p = walk_lower(from, slice_end(scan, from));

    if (p < scan->end && *p < 0x80 && class_ascii[*p] != LOWER) return p;
    return run(scan, p, LOWER | BOTH | MARK);
}

/* ---- parts of the rules ----------------------------------------------------------------- */

/* The length of 's 't 'm 'd 're 've 'll at p, or 0. `fold`: in any case. U+017F folds to s. */
static size_t contraction(const struct tokens_scan *scan, const uint8_t *p, bool fold)
{
    size_t left = (size_t)(scan->end - p);
    uint8_t bit = fold ? 0x20 : 0;

    if (left < 2 || *p != '\'') return 0;
    uint8_t a = p[1] | bit, b = left > 2 ? p[2] | bit : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' || a == 'v') && b == 'e') return 3;
    if (a == 'l' && b == 'l') return 3;
    return fold && left > 2 && p[1] == 0xC5 && p[2] == 0xBF ? 3 : 0;
}

/* Up to three digits. */
static const uint8_t *digits(const struct tokens_scan *scan, const uint8_t *p)
{
    unsigned len;

    for (int i = 0; i < 3 && p < scan->end; i++) {
        if (class_at(p, scan->end, &len) != NUM) break;
        p += len;
    }
    return p;
}

/* Blanks. `lines`: they may end behind the last line end. The last one goes with the word that
 * follows. */
static const uint8_t *blanks(struct tokens_scan *scan, const uint8_t *p, bool lines)
{
    struct tokens_span span = run_tracked(scan, p, WS | NL, NL);
    const uint8_t *last = span.end;

    if (lines && span.tracked) return span.tracked;
    if (span.end == scan->end) return span.end;
    do {
        last--;
    } while (follows(*last));
    return last > p ? last : span.end;
}

/* ---- o200k ------------------------------------------------------------------------------ */

/* Capitals, then at least one small letter (or one without case). NULL: only capitals, up to
 * *capitals, or no letters. */
static const uint8_t *word(struct tokens_scan *scan, const uint8_t *p, const uint8_t **capitals)
{
    unsigned class = class_or_end(scan, p);

    *capitals = p;
    if (class == LOWER) return run_lower(scan, p);
    if (!(class & (UPPER | BOTH | MARK))) return NULL;
    struct tokens_span span = run_tracked(scan, p, UPPER | BOTH | MARK, BOTH | MARK);
    *capitals = span.end;
    if (class_or_end(scan, span.end) == LOWER) return run_lower(scan, span.end);
    return span.tracked;
}

static const uint8_t *signs(struct tokens_scan *scan, const uint8_t *p, unsigned tail)
{
    return run(scan, run(scan, p, OTHER | MARK), tail);
}

/* A word with at most one sign or blank before it. NULL: there is none. */
static const uint8_t *o200k_word(struct tokens_scan *scan, const uint8_t *p, unsigned class,
                                 unsigned len)
{
    const uint8_t *capitals, *end;

    if (class & (OTHER | WS | MARK)) {
        end = word(scan, p + len, &capitals);
        if (!end && class == MARK) end = word(scan, p, &capitals);
        if (!end && capitals > p + len) end = capitals;
    } else {
        end = word(scan, p, &capitals);
        if (!end && capitals > p) end = capitals;
    }
    return end ? end + contraction(scan, end, true) : NULL;
}

static const uint8_t *o200k(struct tokens_scan *scan, const uint8_t *p)
{
    unsigned len, class = class_at(p, scan->end, &len);

    if (class == NUM) return digits(scan, p);
    if (class != NL) {
        const uint8_t *end = o200k_word(scan, p, class, len);
        if (end) return end;
    }
    if (class & (OTHER | MARK)) return signs(scan, p, TAIL);
    if (*p == ' ' && class_or_end(scan, p + 1) & (OTHER | MARK)) {
        return signs(scan, p + 1, TAIL);
    }
    return blanks(scan, p, true);
}

/* ---- cl100k, r50k ----------------------------------------------------------------------- */

static const uint8_t *cl100k(struct tokens_scan *scan, const uint8_t *p)
{
    unsigned len, class = class_at(p, scan->end, &len);

    if (*p == '\'') {
        size_t n = contraction(scan, p, true);
        if (n) return p + n;
    }
    if (class & LETTER) return run(scan, p, LETTER);
    if (class == NUM) return digits(scan, p);
    if (class != NL && class_or_end(scan, p + len) & LETTER) return run(scan, p + len, LETTER);
    if (class & (OTHER | MARK)) return signs(scan, p, NL);
    if (*p == ' ' && class_or_end(scan, p + 1) & (OTHER | MARK)) return signs(scan, p + 1, NL);
    return blanks(scan, p, true);
}

static const uint8_t *r50k(struct tokens_scan *scan, const uint8_t *p)
{
    size_t n = contraction(scan, p, false);
    const uint8_t *from = p + (*p == ' ');
    unsigned class = class_or_end(scan, from);

    if (n) return p + n;
    if (class & LETTER) return run(scan, from, LETTER);
    if (class == NUM) return run(scan, from, NUM);
    if (class & (OTHER | MARK)) return run(scan, from, OTHER | MARK);
    return blanks(scan, p, false);
}

const uint8_t *tokens_scan(struct tokens_scan *scan, const uint8_t *p)
{
    const uint8_t *end;

    scan->late = false;
    switch (scan->rules) {
    case RULES_R50K: end = r50k(scan, p); break;
    case RULES_CL100K: end = cl100k(scan, p); break;
    default: end = o200k(scan, p);
    }
    if (scan->late) return NULL;
    scan->memos = 0;
    return end;
}
