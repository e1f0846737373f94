/* A vocabulary as it lies in its file, and is mapped: hash tables with everything inline.
 *
 * Written by engine/tools/vocabulary.c, read by tokens*.c. Little-endian; never written to once
 * it is there. Ids are ranks: the lower, the sooner merged. */
#ifndef MOONGATE_TOKENS_FILE_H
#define MOONGATE_TOKENS_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TOKENS_MAGIC "mgvocab\n"

enum {
    TOKENS_VERSION = 1,
    TOKENS_ALIGN = 64,
    TOKEN_LONGEST = 128, /* bytes of a token */
    ID_BITS = 18,
    FILTER_BITS = 21,
    NO_ID = (1 << ID_BITS) - 1,
};

/* How a text is cut into pieces before anything is merged. */
enum tokens_rules {
    RULES_R50K = 1, /* letters, digits, signs, each with a blank before it */
    RULES_CL100K,   /* any sign before letters, digits by three, contractions of their own */
    RULES_O200K,    /* words by their case, contractions behind them */
};

enum tokens_section {
    SECTION_BYTES,      /* uint32[256]: the id of a byte */
    SECTION_BYTE_PAIRS, /* uint32[65536]: the id of two bytes, or NO_ID */
    SECTION_FILTER,     /* bits: clear where no pair has this hash */
    SECTION_PAIRS,      /* uint64: left, right, what they merge to; 0: empty */
    SECTION_SHORT,      /* uint64: tokens of up to 7 bytes, the length on top; 0: empty */
    SECTION_MIDDLE,     /* two uint64: those of 8 to 15 bytes, likewise */
    SECTION_LONG,       /* uint32: where in the last section a longer one stands; 0: empty */
    SECTION_TEXT,       /* a byte of length, then the token; from 1 on */
    SECTIONS
};

struct tokens_header {
    char magic[8];
    uint32_t version;
    uint32_t rules;  /* enum tokens_rules */
    uint32_t number; /* 0 to 15: tells the entries of a shared cache apart */
    uint32_t tokens; /* how many there are */
    uint64_t size;   /* of the whole file */
    uint64_t check;  /* of what follows the header: tokens_check_end() */
    struct {
        uint64_t at;
        uint32_t bits; /* it has 1 << bits entries; of the text: bytes */
        uint32_t unused;
    } section[SECTIONS];
} __attribute__((aligned(TOKENS_ALIGN)));

#define TOKENS_MIX 0x9E3779B97F4A7C15u

static inline uint64_t tokens_pair_key(uint32_t left, uint32_t right)
{
    return (uint64_t)left << ID_BITS | right;
}

/* Its highest bits are an index. */
static inline uint64_t tokens_hash(uint64_t key)
{
    key *= TOKENS_MIX;
    return (key ^ key >> 32) * 0xD6E8FEB86659FD93u;
}

static inline uint64_t tokens_hash_two(uint64_t low, uint64_t high)
{
    return tokens_hash(low ^ (high << 29 | high >> 35));
}

static inline uint64_t tokens_word(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

/* Of 16 bytes and more. */
static inline uint64_t tokens_hash_long(const uint8_t *p, size_t len)
{
    uint64_t hash = len;

    for (size_t at = 0; at + 8 <= len; at += 8) {
        hash = tokens_hash_two(tokens_word(p + at), hash);
    }
    return tokens_hash_two(tokens_word(p + len - 8), hash);
}

/* Tells an altered file; four lanes, for it reads megabytes at every start. Begin with the
 * lanes 1 to 4; len: of 32s. */
static inline void tokens_check_more(uint64_t lane[4], const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len; at += 32) {
        for (size_t i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ tokens_word(p + at + 8 * i)) * TOKENS_MIX;
            lane[i] ^= lane[i] >> 29;
        }
    }
}

static inline uint64_t tokens_check_end(const uint64_t lane[4])
{
    return tokens_hash_two(tokens_hash_two(lane[0], lane[1]),
                           tokens_hash_two(lane[2], lane[3]));
}

#endif
