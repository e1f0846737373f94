#include "utf8.h"

#include <stdbool.h>

static bool follows(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_decode(const unsigned char *p, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (size == 0 || p[0] > 0xf4 || size > len) return 0;
    if (size == 1) {
        *code = p[0];
        return 1;
    }
    *code = p[0] & (0xff >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (!follows(p[i])) return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return size;
}
