/* Tokens of any text, with a real vocabulary where one was made (build/vocabularies).
 *
 * Oracles: the count is that of a slow reference that merges the pair of the lowest rank, one
 * at a time; small windows, small steps and limits come to the same; the effort is linear. The
 * first byte of the input says how often the rest is repeated. */

#include "fuzz.h"

#include "tokens.h"
#include "tokens_merge.h"
#include "tokens_scan.h"

enum { SMALL = 64, MOST = 2048, STEP = 100, WASTE = 4 * MERGE_MOST };

static const struct tokens *tokens;
static struct tokens_work *work, *small;

/* ---- the reference ------------------------------------------------------------------------
 */

/* A walk through all pairs would take for ever: this one follows the file's own table. */
static uint32_t rank_of(uint32_t left, uint32_t right)
{
    uint64_t key = tokens_pair_key(left, right);
    size_t mask = ((size_t)1 << (64 - tokens->pair_shift)) - 1;

    for (size_t i = tokens_hash(key) >> tokens->pair_shift; tokens->pairs[i];
         i = (i + 1) & mask) {
        if (tokens->pairs[i] >> ID_BITS == key) return tokens->pairs[i] & NO_ID;
    }
    return NO_ID;
}

static bool is_token(const uint8_t *p, size_t len)
{
    uint64_t word[2] = {0, 0};

    if (len > TOKEN_LONGEST) return false;
    if (len > 15) return merge_is_long(tokens, p, len);
    memcpy(word, p, len);
    return merge_is_short(tokens, word[0], word[1] | (uint64_t)len << 56);
}

static size_t merged(const uint8_t *p, size_t len)
{
    static uint32_t id[MOST];

    if (is_token(p, len)) return 1;
    for (size_t i = 0; i < len; i++)
        id[i] = tokens->bytes[p[i]];
    for (;;) {
        uint32_t least = NO_ID;
        size_t at = 0;
        for (size_t i = 0; i + 1 < len; i++) {
            uint32_t rank = rank_of(id[i], id[i + 1]);
            if (rank < least) least = rank, at = i;
        }
        if (least == NO_ID) return len;
        id[at] = least;
        memmove(&id[at + 1], &id[at + 2], (len - at - 2) * sizeof(id[0]));
        len--;
    }
}

static uint64_t reference(const uint8_t *text, size_t len)
{
    struct tokens_scan scan = {.end = text + len,
                               .rules = (enum tokens_rules)tokens->header->rules};
    uint64_t count = 0;

    for (const uint8_t *p = text; p < text + len;) {
        const uint8_t *end = tokens_scan(&scan, p);
        if (!end) continue; /* ask again */
        MUST(end > p && end <= text + len);
        count += merged(p, (size_t)(end - p));
        p = end;
    }
    return count;
}

/* ---- the run ------------------------------------------------------------------------------
 */

static void try_text(const char *text, size_t len)
{
    struct tokens_run run = {tokens, work, text, len, .limit = TOKENS_NO_LIMIT}, slow = run;
    struct tokens_run narrow = run;

    while (!tokens_step(&run, SIZE_MAX)) {
    }
    while (!tokens_step(&slow, STEP)) {
    }
    narrow.work = small;
    while (!tokens_step(&narrow, SIZE_MAX)) {
    }
    MUST(run.count == slow.count && run.at == len && slow.at == len);
    MUST(narrow.rough || narrow.count == run.count);
    MUST(run.effort <= 8 * (uint64_t)len + WASTE);
    MUST(run.count <= len && (len == 0 || run.count > 0));
    if (len <= MOST) MUST(run.count == reference((const uint8_t *)text, len));
    uint64_t half = run.count / 2;
    MUST(tokens_prefix(tokens, work, text, len, half) <= len);
    MUST(tokens_count_limit(tokens, work, text, len, half) ==
         (run.count > half ? half + 1 : half));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const char *const files[] = {"build/vocabularies/o200k_base.mgv",
                                        "build/vocabularies/cl100k_base.mgv"};
    char why[TOKENS_WHY];

    if (size < 1 || size > MOST) return 0;
    for (int i = 0; !tokens && i < 2; i++)
        tokens = tokens_open(files[i], why);
    if (!tokens) return 0; /* nobody could make one: nothing to compare with */
    if (!work) work = tokens_work_new(0);
    if (!small) small = tokens_work_new(SMALL);
    MUST(work && small);
    size_t times = (size_t)input[0] + 1, len = (size - 1) * times;
    char *text = malloc(len ? len : 1); /* of this size: the sanitizer watches its end */
    MUST(text);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * (size - 1), input + 1, size - 1);
    try_text(text, len);
    free(text);
    return 0;
}
