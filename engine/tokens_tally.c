#include "tokens_tally.h"

#include <stdbool.h>

#include "utf8.h"

static enum tally_kind kind_of_code(uint32_t code)
{
    static const struct {
        uint32_t end;
        enum tally_kind kind;
    } ranges[] = {
        {0xC0, TALLY_REST},      {0x370, TALLY_ACCENT},   {0x400, TALLY_GREEK},
        {0x530, TALLY_CYRILLIC}, {0x590, TALLY_REST},     {0x900, TALLY_SEMITIC},
        {0x1100, TALLY_SOUTH},   {0x1200, TALLY_HANGUL},  {0x1780, TALLY_REST},
        {0x1800, TALLY_SOUTH},   {0x1E00, TALLY_REST},    {0x1F00, TALLY_ACCENT},
        {0x2000, TALLY_GREEK},   {0x3000, TALLY_REST},    {0x3100, TALLY_KANA},
        {0x3130, TALLY_HAN},     {0x3190, TALLY_HANGUL},  {0xA960, TALLY_HAN},
        {0xAC00, TALLY_REST},    {0xD7FC, TALLY_HANGUL},  {0xF900, TALLY_REST},
        {0xFB00, TALLY_HAN},     {0xFB1D, TALLY_REST},    {0xFE00, TALLY_SEMITIC},
        {0xFE70, TALLY_REST},    {0xFEFF, TALLY_SEMITIC}, {0xFF00, TALLY_REST},
        {0xFFA0, TALLY_KANA},    {0x20000, TALLY_REST},   {0x30000, TALLY_HAN},
    };
    size_t i = 0;

    while (i < sizeof(ranges) / sizeof(*ranges) && code >= ranges[i].end) {
        i++;
    }
    return i < sizeof(ranges) / sizeof(*ranges) ? ranges[i].kind : TALLY_REST;
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Of a word that begins with an ASCII letter. */
static enum tally_kind kind_of_word(const uint8_t *p, size_t len)
{
    bool capital = false;

    for (size_t i = 0; i < len; i++) {
        if (p[i] >= 0x80) return TALLY_ACCENT;
        capital = capital || (p[i] >= 'A' && p[i] <= 'Z');
    }
    return capital ? TALLY_CAPITAL : TALLY_WORD;
}

static enum tally_kind kind_of(const uint8_t *p, size_t len)
{
    bool line = false;
    size_t at = 0;
    uint32_t code;

    for (; at < len && (p[at] <= ' '); at++) {
        line = line || p[at] == '\n' || p[at] == '\r';
    }
    if (at == len) return line ? TALLY_LINES : TALLY_BLANKS;
    /* A sign before a letter goes with the word. */
    bool word = is_letter(p[at]) || (at + 1 < len && is_letter(p[at + 1]));
    if (p[at] < 0x80 && word) return kind_of_word(p + at, len - at);
    if (p[at] >= '0' && p[at] <= '9') return TALLY_DIGITS;
    if (p[at] < 0x80 && at + 1 < len && p[at + 1] >= 0x80) at++;
    if (p[at] < 0x80) return TALLY_SIGNS;
    return utf8_decode(p + at, len - at, &code) ? kind_of_code(code) : TALLY_REST;
}

void tokens_tally(struct tokens_tally *tally, const uint8_t *piece, size_t len, uint64_t tokens)
{
    enum tally_kind kind = kind_of(piece, len);
    size_t characters = 0;

    for (size_t i = 0; i < len; i++) {
        characters += (piece[i] & 0xC0) != 0x80;
    }
    tally->tokens[kind] += tokens;
    tally->characters[kind] += characters;
}
