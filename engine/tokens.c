#include "tokens.h"

#include <stdlib.h>

#include "tokens_merge.h"

enum {
    CACHE_BITS = 14,
    WINDOW = 1024,
    WINDOW_LEAST = 16,
    PACKED = 15,      /* bytes of a piece that a key holds */
    COUNT_SHIFT = 48, /* where a key of up to 14 bytes has room for its count */
};

#define COUNT_MASK ((uint64_t)0xFF << COUNT_SHIFT)

/* Pieces seen before, with how many tokens they were: half of all that is not one token. One
 * line of the processor's cache for each, for that is most of what a short text costs; only
 * where a piece fills its key the count lies apart. */
struct cache {
    uint64_t key[1 << CACHE_BITS][2];
    uint8_t count[1 << CACHE_BITS];
};

struct tokens_work {
    struct cache cache;
    struct merge merge;
    uint64_t marks[MERGE_MOST / 64 + 1]; /* bits: where tokens of the last window begin */
    const uint8_t *marked;               /* which window that is; NULL: none */
    size_t window;
};

struct tokens_work *tokens_work_new(size_t window)
{
    struct tokens_work *work = calloc(1, sizeof(*work));

    if (!work) return NULL;
    work->window = window ? window : WINDOW;
    if (work->window < WINDOW_LEAST) work->window = WINDOW_LEAST;
    if (work->window > MERGE_MOST) work->window = MERGE_MOST;
    return work;
}

void tokens_work_free(struct tokens_work *work)
{
    free(work);
}

/* ---- taking tokens ---------------------------------------------------------------------- */

static const uint8_t *text_of(const struct tokens_run *run)
{
    return (const uint8_t *)run->text;
}

/* `count` tokens up to `end`: true where the limit lets them in. */
static inline bool take(struct tokens_run *run, uint64_t count, size_t end)
{
    if (run->limit - run->count < count) return false;
    run->count += count;
    run->at = end;
    return true;
}

/* Tokens of the window in `merge` from place to place, one by one, until the limit. */
static void take_few(struct tokens_run *run, size_t window, size_t from, size_t to)
{
    const uint16_t *next = run->work->merge.next;

    for (size_t at = from; at < to; at = next[at]) {
        if (!take(run, 1, window + next[at])) {
            run->count = run->limit + 1;
            return;
        }
    }
}

static void merge_at(struct tokens_run *run, size_t window, size_t width, size_t *count)
{
    run->effort += width;
    *count = merge_window(&run->work->merge, run->tokens, text_of(run) + window, width);
}

/* ---- long pieces: windows that meet ----------------------------------------------------- */

/* Two windows that overlap and both have the same token at the same place: what is left of it
 * in the first, and right of it in the second, is together the one encoding of both. For each
 * neighbouring pair of tokens in it is one that merging would leave alone, and that is all
 * there is to being an encoding. */

static bool marked(const struct tokens_work *work, size_t place)
{
    return work->marks[place / 64] >> place % 64 & 1;
}

/* The first mark from `place` on; `width` where there is none. */
static size_t next_mark(const struct tokens_work *work, size_t place, size_t width)
{
    while (place < width) {
        uint64_t rest = work->marks[place / 64] >> place % 64;
        if (rest) return place + (size_t)__builtin_ctzll(rest);
        place = (place / 64 + 1) * 64;
    }
    return width;
}

/* Keep where the tokens of the merged window begin, and its end. */
static void set_marks(struct tokens_work *work, const uint8_t *window, size_t width)
{
    memset(work->marks, 0, (width / 64 + 1) * sizeof(work->marks[0]));
    for (size_t at = 0; at < width; at = work->merge.next[at]) {
        work->marks[at / 64] |= (uint64_t)1 << at % 64;
    }
    work->marks[width / 64] |= (uint64_t)1 << width % 64;
    work->marked = window;
}

/* Tokens of the marked window between two marks. */
static void take_marks(struct tokens_run *run, size_t from, size_t to)
{
    const struct tokens_work *work = run->work;
    uint64_t count = 0;

    for (size_t at = from; at < to; at = next_mark(work, at + 1, to)) {
        count++;
    }
    if (take(run, count, run->window + to)) return;
    while (run->count <= run->limit) {
        from = next_mark(work, from + 1, to);
        if (!take(run, 1, run->window + from)) run->count = run->limit + 1;
    }
}

/* The window whose tokens are being taken, merged unless it still is. */
static void open_window(struct tokens_run *run)
{
    const uint8_t *window = text_of(run) + run->window;
    size_t count;

    if (run->work->marked == window) return;
    merge_at(run, run->window, run->width, &count);
    set_marks(run->work, window, run->width);
}

static size_t width_at(const struct tokens_run *run, size_t window, size_t width)
{
    return run->piece - window < width ? run->piece - window : width;
}

/* The first place of a token that both windows have, or the first one's width. */
static size_t meeting(const struct tokens_run *run, size_t second)
{
    const struct tokens_work *work = run->work;
    size_t shift = second - run->window;

    for (size_t at = 0; shift + at < run->width; at = work->merge.next[at]) {
        size_t from = shift + at, to = shift + work->merge.next[at];
        if (to > run->width) break;
        if (marked(work, from) && next_mark(work, from + 1, run->width) == to) return from;
    }
    return run->width;
}

/* No meeting: look at more. Where the token that comes next is no longer one, or there is no
 * more room to look, the count is off by a few. */
static void widen(struct tokens_run *run)
{
    struct tokens_work *work = run->work;
    size_t from = run->at - run->window;
    size_t to = next_mark(work, from + 1, run->width);
    bool most = run->width >= MERGE_MOST;

    if (most) { /* begin anew behind what is certain */
        take_marks(run, from, next_mark(work, run->width * 3 / 4, run->width));
        run->rough = true;
        run->window = run->at;
        run->width = width_at(run, run->window, work->window);
    } else {
        run->width = width_at(run, run->window, run->width * 8);
        if (run->width > MERGE_MOST) run->width = MERGE_MOST;
    }
    work->marked = NULL;
    if (run->count > run->limit || most) return;
    open_window(run);
    if (marked(work, from) && next_mark(work, from + 1, run->width) == to) return;
    run->rough = true;
    if (from == 0) return; /* the window already begins here: use its greater width */
    run->window = run->at;
    run->width = width_at(run, run->window, work->window);
    work->marked = NULL;
}

/* Take tokens of a long piece up to where the next window has the same. */
static void step_long(struct tokens_run *run)
{
    struct tokens_work *work = run->work;
    size_t count;

    open_window(run);
    size_t from = run->at - run->window;
    if (run->window + run->width == run->piece) {
        take_marks(run, from, run->width);
        run->piece = 0;
        return;
    }
    size_t near = run->width * 3 / 4;
    size_t place = next_mark(work, near > from ? near : from, run->width);
    if (place == run->width) {
        widen(run);
        return;
    }
    size_t second = run->window + place, width = width_at(run, second, work->window);
    merge_at(run, second, width, &count);
    size_t meets = meeting(run, second);
    if (meets == run->width) {
        work->marked = NULL;
        open_window(run);
        widen(run);
        return;
    }
    take_marks(run, from, meets);
    set_marks(work, text_of(run) + second, width);
    run->window = second;
    run->width = width;
}

/* ---- pieces ----------------------------------------------------------------------------- */

static inline void pack(const uint8_t *p, size_t len, size_t left, uint64_t key[2])
{
    uint8_t bytes[16] = {0};

    if (left < 16) {
        memcpy(bytes, p, len);
        p = bytes;
    }
    uint64_t low = tokens_word(p), high = tokens_word(p + 8);
    if (len < 8) {
        low &= ((uint64_t)1 << 8 * len) - 1;
        high = 0;
    } else {
        high &= ((uint64_t)1 << 8 * (len - 8)) - 1;
    }
    key[0] = low;
    key[1] = high | (uint64_t)len << 56;
}

static uint64_t count_packed(struct tokens_run *run, const uint8_t *p, const uint64_t key[2])
{
    struct cache *cache = &run->work->cache;
    bool full = key[1] >> 56 == PACKED;
    uint64_t mine = key[1] | (uint64_t)run->tokens->header->number << 60;
    size_t slot = tokens_hash_two(key[0], mine) >> (64 - CACHE_BITS), count = 1;
    uint64_t *known = cache->key[slot];

    if (known[0] == key[0] && (known[1] & ~(full ? 0 : COUNT_MASK)) == mine) {
        return full ? cache->count[slot] : (known[1] & COUNT_MASK) >> COUNT_SHIFT;
    }
    if (!merge_is_short(run->tokens, key[0], key[1])) {
        merge_at(run, (size_t)(p - text_of(run)), key[1] >> 56, &count);
    }
    known[0] = key[0];
    known[1] = full ? mine : mine | (uint64_t)count << COUNT_SHIFT;
    cache->count[slot] = (uint8_t)count;
    return count;
}

static uint64_t count_piece(struct tokens_run *run, const uint8_t *p, size_t len)
{
    size_t count = 1;

    if (len <= PACKED) {
        uint64_t key[2];
        pack(p, len, run->len - (size_t)(p - text_of(run)), key);
        return count_packed(run, p, key);
    }
    if (len > TOKEN_LONGEST || !merge_is_long(run->tokens, p, len)) {
        merge_at(run, (size_t)(p - text_of(run)), len, &count);
    }
    return count;
}

/* The limit lies within a piece. A piece that is one token never was merged here. */
static void cut_piece(struct tokens_run *run, size_t len)
{
    size_t window = run->at, count;

    if (run->count == run->limit) {
        run->count++;
        return;
    }
    merge_at(run, window, len, &count);
    take_few(run, window, 0, len);
}

static inline void step_piece(struct tokens_run *run, const uint8_t *p, const uint8_t *end)
{
    size_t len = (size_t)(end - p);

    if (len > run->work->window) {
        run->piece = run->at + len;
        run->window = run->at;
        run->width = run->work->window;
        return;
    }
    uint64_t count = count_piece(run, p, len);
    if (run->tally) tokens_tally(run->tally, p, len, count);
    if (!take(run, count, run->at + len)) cut_piece(run, len);
}

static void step_tallied(struct tokens_run *run)
{
    size_t at = run->at;
    uint64_t before = run->count;

    step_long(run);
    if (!run->tally) return;
    tokens_tally(run->tally, text_of(run) + at, run->at - at, run->count - before);
}

bool tokens_step(struct tokens_run *run, size_t most)
{
    size_t stop = run->len - run->at > most ? run->at + most : run->len;

    run->work->marked = NULL; /* others may have been here */
    run->scan.end = text_of(run) + run->len;
    run->scan.rules = run->tokens->header->rules;
    while (run->at < run->len && run->count <= run->limit) {
        if (run->at >= stop) return false;
        if (run->piece) {
            step_tallied(run);
            continue;
        }
        const uint8_t *p = text_of(run) + run->at, *end = tokens_scan(&run->scan, p);
        if (!end) return false;
        step_piece(run, p, end);
    }
    return true;
}

/* ---- all at once ------------------------------------------------------------------------ */

static struct tokens_run run_whole(struct tokens_run run)
{
    while (!tokens_step(&run, SIZE_MAX)) {
        /* a piece longer than one look */
    }
    return run;
}

uint64_t tokens_count(const struct tokens *tokens, struct tokens_work *work, const char *text,
                      size_t len)
{
    return tokens_count_limit(tokens, work, text, len, TOKENS_NO_LIMIT);
}

uint64_t tokens_count_limit(const struct tokens *tokens, struct tokens_work *work,
                            const char *text, size_t len, uint64_t limit)
{
    struct tokens_run run = {tokens, work, text, len, .limit = limit};

    return run_whole(run).count;
}

size_t tokens_prefix(const struct tokens *tokens, struct tokens_work *work, const char *text,
                     size_t len, uint64_t limit)
{
    struct tokens_run run = {tokens, work, text, len, .limit = limit};

    return run_whole(run).at;
}
