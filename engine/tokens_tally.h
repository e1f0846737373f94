/* Of what kind the pieces of a text are: what tells how many tokens another family would make
 * of it. Knows one piece at a time. */
#ifndef MOONGATE_TOKENS_TALLY_H
#define MOONGATE_TOKENS_TALLY_H

#include <stddef.h>
#include <stdint.h>

/* By the first sign behind a blank. The scripts know them by these numbers, from 1 on. */
enum tally_kind {
    TALLY_WORD,    /* small ASCII letters */
    TALLY_CAPITAL, /* ASCII, with a capital */
    TALLY_ACCENT,  /* Latin beyond ASCII somewhere in it */
    TALLY_DIGITS,
    TALLY_SIGNS,
    TALLY_BLANKS, /* more than the one before a word */
    TALLY_LINES,  /* blanks with a line end */
    TALLY_GREEK,
    TALLY_CYRILLIC,
    TALLY_SEMITIC, /* Hebrew, Arabic */
    TALLY_SOUTH,   /* Devanagari to Khmer */
    TALLY_KANA,    /* and what stands among them */
    TALLY_HAN,
    TALLY_HANGUL,
    TALLY_REST, /* symbols, emoji, further scripts */
    TALLY_KINDS
};

struct tokens_tally {
    uint64_t tokens[TALLY_KINDS], characters[TALLY_KINDS];
};

/* A piece of so many tokens. */
void tokens_tally(struct tokens_tally *tally, const uint8_t *piece, size_t len,
                  uint64_t tokens);

#endif
