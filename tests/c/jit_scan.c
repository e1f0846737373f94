#include "jit_scan.h"

#include <string.h>

#if defined(__x86_64__)
enum {
    CALL = 0xe8, /* and 32 bits of distance from the next instruction */
    CALL_LENGTH = 5,
    XCHG_EAX_EDX = 0x92, /* REX.W would stand before it */
};

static bool is_helper(uintptr_t target, const uintptr_t *helpers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (helpers[i] == target) return true;
    }
    return false;
}

bool jit_scan_cuts(const uint8_t *code, size_t len, uintptr_t at, const uintptr_t *helpers,
                   size_t count)
{
    const uint8_t *end = code + len, *from = code;

    while ((from = memchr(from, CALL, (size_t)(end - from))) != NULL) {
        int32_t distance;
        if (end - from <= CALL_LENGTH) return false;
        if (from[CALL_LENGTH] == XCHG_EAX_EDX) {
            memcpy(&distance, from + 1, sizeof(distance));
            uintptr_t next = at + (uintptr_t)(from - code) + CALL_LENGTH;
            if (is_helper(next + (uintptr_t)(intptr_t)distance, helpers, count)) return true;
        }
        from++;
    }
    return false;
}
#else
bool jit_scan_cuts(const uint8_t *code, size_t len, uintptr_t at, const uintptr_t *helpers,
                   size_t count)
{
    (void)code, (void)len, (void)at, (void)helpers, (void)count;
    return false;
}
#endif
