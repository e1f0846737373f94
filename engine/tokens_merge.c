#include "tokens_merge.h"

/* A key is the rank of a pair and its place: the least one is the leftmost of those to be
 * merged first. */
enum { PLACE_BITS = 13, PLACE = (1 << PLACE_BITS) - 1, NO_KEY = INT32_MAX, LANES = 8 };

typedef int32_t lanes __attribute__((vector_size(16), may_alias));

/* ---- look-ups --------------------------------------------------------------------------- */

static inline uint32_t find_pair(const struct tokens *tokens, uint32_t left, uint32_t right)
{
    uint64_t key = tokens_pair_key(left, right), hash = tokens_hash(key);
    uint64_t bit = hash >> (64 - FILTER_BITS);

    if (!(tokens->filter[bit / 64] >> bit % 64 & 1)) return NO_ID;
    size_t mask = ((size_t)1 << (64 - tokens->pair_shift)) - 1;
    for (size_t i = hash >> tokens->pair_shift; tokens->pairs[i]; i = (i + 1) & mask) {
        if (tokens->pairs[i] >> ID_BITS == key) return tokens->pairs[i] & NO_ID;
    }
    return NO_ID;
}

bool merge_is_short(const struct tokens *tokens, uint64_t low, uint64_t high)
{
    if (high >> 56 <= 7) { /* then `high` holds no text: one word, the length on top */
        uint64_t key = low | high, mask = ((uint64_t)1 << (64 - tokens->short_shift)) - 1;
        const uint64_t *shorts = tokens->shorts;
        for (uint64_t i = tokens_hash(key) >> tokens->short_shift; shorts[i];
             i = (i + 1) & mask) {
            if (shorts[i] == key) return true;
        }
        return false;
    }
    uint64_t mask = ((uint64_t)1 << (64 - tokens->middle_shift)) - 1;
    const uint64_t *middles = tokens->middles;
    for (uint64_t i = tokens_hash_two(low, high) >> tokens->middle_shift; middles[2 * i + 1];
         i = (i + 1) & mask) {
        if (middles[2 * i] == low && middles[2 * i + 1] == high) return true;
    }
    return false;
}

bool merge_is_long(const struct tokens *tokens, const uint8_t *p, size_t len)
{
    size_t mask = ((size_t)1 << (64 - tokens->long_shift)) - 1;
    const uint32_t *slots = tokens->long_slots;

    for (size_t i = tokens_hash_long(p, len) >> tokens->long_shift; slots[i];
         i = (i + 1) & mask) {
        const uint8_t *token = tokens->text + slots[i];
        if (token[0] == len && memcmp(token + 1, p, len) == 0) return true;
    }
    return false;
}

/* ---- the least key ---------------------------------------------------------------------- */

static inline lanes lesser(lanes a, lanes b)
{
    lanes less = a < b;

    return (a & less) | (b & ~less);
}

/* Of `count` keys, a multiple of LANES. */
static inline int32_t least_of(const int32_t *keys, size_t count)
{
    const lanes *at = (const lanes *)keys;
    lanes a = at[0], b = at[1];

    for (size_t i = 2; i < count / 4; i += 2) {
        a = lesser(a, at[i]);
        b = lesser(b, at[i + 1]);
    }
    a = lesser(a, b);
    int32_t left = a[0] < a[1] ? a[0] : a[1], right = a[2] < a[3] ? a[2] : a[3];
    return left < right ? left : right;
}

static size_t padded(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

static inline void refresh(struct merge *merge, size_t place)
{
    size_t block = place / MERGE_BLOCK;

    merge->least[block] = least_of(merge->key + block * MERGE_BLOCK, MERGE_BLOCK);
}

/* ---- merging ---------------------------------------------------------------------------- */

static void begin(struct merge *merge, const struct tokens *tokens, const uint8_t *p,
                  size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t pair = i + 1 < len ? tokens->byte_pairs[p[i] << 8 | p[i + 1]] : NO_ID;
        merge->id[i] = tokens->bytes[p[i]];
        merge->key[i] = pair == NO_ID ? NO_KEY : (int32_t)(pair << PLACE_BITS | i);
        merge->next[i] = (uint16_t)(i + 1);
        merge->before[i + 1] = (uint16_t)i;
    }
    size_t whole = len > MERGE_BLOCK ? MERGE_BLOCK : LANES;
    for (size_t i = len; i % whole; i++) {
        merge->key[i] = NO_KEY;
    }
}

static inline int32_t key_of(const struct merge *merge, const struct tokens *tokens,
                             size_t left, size_t right)
{
    uint32_t id = find_pair(tokens, merge->id[left], merge->id[right]);

    return id == NO_ID ? NO_KEY : (int32_t)(id << PLACE_BITS | left);
}

/* Merge the pair of this key; returns the place whose pair went away. */
static inline size_t merge_one(struct merge *merge, const struct tokens *tokens, int32_t key,
                               size_t len)
{
    size_t place = (size_t)key & PLACE, right = merge->next[place], after = merge->next[right];

    merge->id[place] = (uint32_t)key >> PLACE_BITS;
    merge->next[place] = (uint16_t)after;
    merge->before[after] = (uint16_t)place;
    merge->key[right] = NO_KEY;
    merge->key[place] = after < len ? key_of(merge, tokens, place, after) : NO_KEY;
    if (place > 0) {
        size_t left = merge->before[place];
        merge->key[left] = key_of(merge, tokens, left, place);
    }
    return right;
}

static size_t merge_small(struct merge *merge, const struct tokens *tokens, size_t len)
{
    size_t count = len, keys = padded(len);

    for (;;) {
        int32_t key = least_of(merge->key, keys);
        if (key == NO_KEY) return count;
        (void)merge_one(merge, tokens, key, len);
        count--;
    }
}

static size_t merge_large(struct merge *merge, const struct tokens *tokens, size_t len)
{
    size_t count = len, blocks = (len + MERGE_BLOCK - 1) / MERGE_BLOCK;

    for (size_t i = blocks; i % LANES; i++) {
        merge->least[i] = NO_KEY;
    }
    for (size_t i = 0; i < blocks; i++) {
        refresh(merge, i * MERGE_BLOCK);
    }
    for (;;) {
        int32_t key = least_of(merge->least, padded(blocks));
        if (key == NO_KEY) return count;
        size_t place = (size_t)key & PLACE;
        size_t right = merge_one(merge, tokens, key, len);
        size_t left = place > 0 ? merge->before[place] : place;
        refresh(merge, place);
        if (right / MERGE_BLOCK != place / MERGE_BLOCK) refresh(merge, right);
        if (left / MERGE_BLOCK != place / MERGE_BLOCK) refresh(merge, left);
        count--;
    }
}

size_t merge_window(struct merge *merge, const struct tokens *tokens, const uint8_t *p,
                    size_t len)
{
    begin(merge, tokens, p, len);
    if (len <= MERGE_BLOCK) return merge_small(merge, tokens, len);
    return merge_large(merge, tokens, len);
}
