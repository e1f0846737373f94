/* A program of the build: makes a vocabulary file (tokens_file.h) of a published table, which
 * is a line a token: base64, a blank, its rank.
 *
 *     vocabulary RULES NUMBER IN OUT
 *
 * RULES is r50k, cl100k or o200k; NUMBER, 0 to 15, tells the vocabularies of one gateway apart.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokens_file.h"

enum { MOST = 1 << ID_BITS, MAP_BITS = 20, LARGEST = 1 << 26 };

struct token {
    uint32_t rank;
    uint8_t len;
    uint8_t text[TOKEN_LONGEST];
};

/* All there is to a vocabulary, while it is made. */
struct table {
    struct token *tokens; /* owned */
    uint32_t count;
    uint32_t *map; /* owned; by text: which token, + 1 */
    struct tokens_header header;
    void *section[SECTIONS]; /* owned */
};

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "vocabulary: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *bytes = calloc(count, size);

    if (!bytes) fail("memory", "there is no more");
    return bytes;
}

/* ---- the source ------------------------------------------------------------------------- */

static int digit(char c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Where the base64 ends; NULL: it is none, or too long. */
static const char *unbase64(const char *p, struct token *token)
{
    unsigned held = 0, bits = 0;

    for (; digit(*p) >= 0; p++) {
        held = held << 6 | (unsigned)digit(*p);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        if (token->len == TOKEN_LONGEST) return NULL;
        token->text[token->len++] = (uint8_t)(held >> bits);
        held &= (1u << bits) - 1;
    }
    while (*p == '=') {
        p++;
    }
    return token->len ? p : NULL;
}

static uint64_t hash_text(const uint8_t *text, size_t len)
{
    uint64_t hash = len;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ text[i]) * TOKENS_MIX;
    }
    return tokens_hash(hash) >> (64 - MAP_BITS);
}

/* The slot of a text: its token's, or an empty one. */
static uint32_t *slot_of(const struct table *table, const uint8_t *text, size_t len)
{
    for (uint64_t i = hash_text(text, len);; i = (i + 1) & ((1 << MAP_BITS) - 1)) {
        uint32_t *slot = &table->map[i];
        if (!*slot) return slot;
        const struct token *token = &table->tokens[*slot - 1];
        if (token->len == len && memcmp(token->text, text, len) == 0) return slot;
    }
}

static uint32_t rank_of(const struct table *table, const uint8_t *text, size_t len)
{
    uint32_t slot = len <= TOKEN_LONGEST ? *slot_of(table, text, len) : 0;

    return slot ? table->tokens[slot - 1].rank : NO_ID;
}

static void parse(struct table *table, const char *text)
{
    uint32_t last = 0;

    while (*text) {
        struct token *token = &table->tokens[table->count];
        const char *p = unbase64(text, token);
        char *end = NULL;
        unsigned long rank = p && *p == ' ' ? strtoul(p + 1, &end, 10) : MOST;
        if (!end || *end != '\n' || rank >= NO_ID) fail("a line", "not base64 and a rank");
        if (table->count && rank <= last) fail("a line", "not by rising rank");
        uint32_t *slot = slot_of(table, token->text, token->len);
        if (*slot) fail("a line", "the token is there twice");
        token->rank = last = (uint32_t)rank;
        *slot = ++table->count;
        text = end + 1;
        if (table->count == MOST - 1) fail("the file", "too many tokens");
    }
}

static char *read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *text = allocate(LARGEST + 1, 1);

    if (!file) fail(name, strerror(errno));
    size_t len = fread(text, 1, LARGEST, file);
    if (ferror(file) || fclose(file) != 0) fail(name, "cannot be read");
    if (len == 0 || len == LARGEST || strlen(text) != len) fail(name, "not a table of tokens");
    return text;
}

/* ---- the sections ----------------------------------------------------------------------- */

static void *add_section(struct table *table, unsigned i, uint32_t bits, size_t size)
{
    size_t end = (size + TOKENS_ALIGN - 1) / TOKENS_ALIGN * TOKENS_ALIGN;

    table->header.section[i].at = table->header.size;
    table->header.section[i].bits = bits;
    table->header.size += end;
    table->section[i] = allocate(end, 1);
    return table->section[i];
}

/* So many that `count` entries fill at most four fifths. */
static uint32_t bits_for(size_t count)
{
    uint32_t bits = 4;

    while (((size_t)1 << bits) * 4 / 5 < count) {
        bits++;
    }
    return bits;
}

/* The two tokens that a token is merged of: what is left before its own rank. */
static bool halves(const struct table *table, const struct token *token, uint32_t half[2])
{
    uint8_t cut[TOKEN_LONGEST + 1];
    unsigned parts = token->len;

    for (unsigned i = 0; i <= parts; i++) {
        cut[i] = (uint8_t)i;
    }
    for (;;) {
        uint32_t best = token->rank;
        unsigned at = parts;
        for (unsigned i = 0; i + 2 <= parts; i++) {
            uint32_t rank = rank_of(table, token->text + cut[i], (size_t)(cut[i + 2] - cut[i]));
            if (rank >= best) continue;
            best = rank;
            at = i;
        }
        if (at == parts) break;
        memmove(cut + at + 1, cut + at + 2, parts - at - 1);
        parts--;
    }
    if (parts != 2) return false;
    half[0] = rank_of(table, token->text, cut[1]);
    half[1] = rank_of(table, token->text + cut[1], (size_t)(token->len - cut[1]));
    return half[0] != NO_ID && half[1] != NO_ID;
}

static void add_pairs(struct table *table)
{
    uint32_t bits = bits_for(table->count);
    uint64_t *filter =
        add_section(table, SECTION_FILTER, FILTER_BITS - 3, 1u << (FILTER_BITS - 3));
    uint64_t *pairs = add_section(table, SECTION_PAIRS, bits, sizeof(uint64_t) << bits);

    for (uint32_t i = 0; i < table->count; i++) {
        const struct token *token = &table->tokens[i];
        uint32_t half[2];
        if (token->len == 1) continue;
        if (!halves(table, token, half)) fail("a token", "not merged of two others");
        uint64_t key = tokens_pair_key(half[0], half[1]), hash = tokens_hash(key);
        uint64_t bit = hash >> (64 - FILTER_BITS), slot = hash >> (64 - bits);
        filter[bit / 64] |= (uint64_t)1 << bit % 64;
        while (pairs[slot]) {
            slot = (slot + 1) & (((uint64_t)1 << bits) - 1);
        }
        pairs[slot] = key << ID_BITS | token->rank;
    }
}

static void add_bytes(struct table *table)
{
    uint32_t *bytes = add_section(table, SECTION_BYTES, 8, 256 * sizeof(uint32_t));
    uint32_t *pairs = add_section(table, SECTION_BYTE_PAIRS, 16, 65536 * sizeof(uint32_t));

    for (unsigned a = 0; a < 256; a++) {
        uint8_t text[2] = {(uint8_t)a};
        bytes[a] = rank_of(table, text, 1);
        if (bytes[a] == NO_ID) fail("a byte", "is no token");
        for (unsigned b = 0; b < 256; b++) {
            text[1] = (uint8_t)b;
            pairs[a << 8 | b] = rank_of(table, text, 2);
        }
    }
}

/* How many tokens have so many bytes. */
static size_t count_of(const struct table *table, unsigned least, unsigned most)
{
    size_t count = 0;

    for (uint32_t i = 0; i < table->count; i++) {
        count += table->tokens[i].len >= least && table->tokens[i].len <= most;
    }
    return count;
}

static void add_short(struct table *table)
{
    uint32_t bits = bits_for(count_of(table, 1, 7)), more = bits_for(count_of(table, 8, 15));
    uint64_t *shorts = add_section(table, SECTION_SHORT, bits, sizeof(uint64_t) << bits);
    uint64_t *middles = add_section(table, SECTION_MIDDLE, more, 2 * sizeof(uint64_t) << more);

    for (uint32_t i = 0; i < table->count; i++) {
        const struct token *token = &table->tokens[i];
        uint64_t low = tokens_word(token->text), high = tokens_word(token->text + 8);
        uint64_t len = (uint64_t)token->len << 56;
        if (token->len > 15) continue;
        bool one = token->len < 8;
        uint64_t hash = one ? tokens_hash(low | len) : tokens_hash_two(low, high | len);
        uint32_t size = one ? bits : more;
        uint64_t slot = hash >> (64 - size);
        while (one ? shorts[slot] : middles[2 * slot + 1]) {
            slot = (slot + 1) & (((uint64_t)1 << size) - 1);
        }
        if (one) {
            shorts[slot] = low | len;
        } else {
            middles[2 * slot] = low;
            middles[2 * slot + 1] = high | len;
        }
    }
}

static void add_long(struct table *table)
{
    size_t count = count_of(table, 16, TOKEN_LONGEST);
    uint32_t bits = bits_for(2 * count), end = 1;
    uint32_t *slots = add_section(table, SECTION_LONG, bits, sizeof(uint32_t) << bits);
    uint32_t size = (uint32_t)(1 + count * (TOKEN_LONGEST + 1));
    uint8_t *text = allocate(size, 1);

    for (uint32_t i = 0; i < table->count; i++) {
        const struct token *token = &table->tokens[i];
        if (token->len < 16) continue;
        uint64_t slot = tokens_hash_long(token->text, token->len) >> (64 - bits);
        while (slots[slot]) {
            slot = (slot + 1) & (((uint64_t)1 << bits) - 1);
        }
        slots[slot] = end;
        text[end++] = token->len;
        memcpy(text + end, token->text, token->len);
        end += token->len;
    }
    memcpy(add_section(table, SECTION_TEXT, end, end), text, end);
    free(text);
}

/* ---- the file --------------------------------------------------------------------------- */

static void write_file(struct table *table, const char *name)
{
    size_t size = table->header.size;
    uint8_t *bytes = allocate(size, 1);

    for (unsigned i = 0; i < SECTIONS; i++) {
        size_t at = table->header.section[i].at;
        size_t next = i + 1 < SECTIONS ? table->header.section[i + 1].at : size;
        memcpy(bytes + at, table->section[i], next - at);
    }
    uint64_t lane[4] = {1, 2, 3, 4};
    tokens_check_more(lane, bytes + sizeof(table->header), size - sizeof(table->header));
    table->header.check = tokens_check_end(lane);
    memcpy(bytes, &table->header, sizeof(table->header));

    FILE *file = fopen(name, "wb");
    if (!file) fail(name, strerror(errno));
    bool whole = fwrite(bytes, 1, size, file) == size;
    if (fclose(file) != 0 || !whole) fail(name, "cannot be written");
    free(bytes);
}

static uint32_t rules_of(const char *name)
{
    if (strcmp(name, "r50k") == 0) return RULES_R50K;
    if (strcmp(name, "cl100k") == 0) return RULES_CL100K;
    if (strcmp(name, "o200k") != 0) fail(name, "not one of r50k, cl100k, o200k");
    return RULES_O200K;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: vocabulary RULES NUMBER IN OUT\n");
        return 2;
    }
    struct table table = {.header = {.magic = TOKENS_MAGIC,
                                     .version = TOKENS_VERSION,
                                     .rules = rules_of(argv[1]),
                                     .number = (uint32_t)strtoul(argv[2], NULL, 10) & 15,
                                     .size = sizeof(struct tokens_header)}};
    char *text = read_file(argv[3]);

    table.tokens = allocate(MOST, sizeof(struct token));
    table.map = allocate(1 << MAP_BITS, sizeof(uint32_t));
    parse(&table, text);
    table.header.tokens = table.count;
    add_bytes(&table);
    add_pairs(&table);
    add_short(&table);
    add_long(&table);
    write_file(&table, argv[4]);
    free(text);
    free(table.tokens);
    free(table.map);
    for (unsigned i = 0; i < SECTIONS; i++) {
        free(table.section[i]);
    }
    return 0;
}
