/* The scan that watches over the LuaJIT of the specs, by itself. */
#include "check.h"
#include "jit_scan.c"

#include <stdint.h>

/* From a crash: the call of lj_vm_next, the swap, and what reads through RDX. */
static const uint8_t CRASH[] = {0x48, 0x8b, 0x7c, 0x24, 0x28, 0xe8, 0x11, 0xfc,
                                0xd8, 0xff, 0x92, 0x48, 0x8b, 0x7c, 0x24, 0x28,
                                0xc4, 0x63, 0xfb, 0xf0, 0x5a, 0x08, 0x2f};
enum { AT = 0x10000000, CALL_AT = 5 };

static const uintptr_t HELPER = (uintptr_t)(AT + CALL_AT + 5) - 0x2703ef; /* 0xffd8fc11 */

static void test_scan(void)
{
    uint8_t code[sizeof(CRASH)];

    CHECK(jit_scan_cuts(CRASH, sizeof(CRASH), AT, &HELPER, 1));
    CHECK(!jit_scan_cuts(CRASH, sizeof(CRASH), AT + 1, &HELPER, 1)); /* another callee */
    CHECK(!jit_scan_cuts(CRASH, sizeof(CRASH), AT, &HELPER, 0));
    for (size_t len = 0; len <= CALL_AT + 5; len++) /* never past the end */
        CHECK(!jit_scan_cuts(CRASH, len, AT, &HELPER, 1));
    memcpy(code, CRASH, sizeof(code));
    code[CALL_AT + 5] = 0x48; /* as later LuaJITs have it */
    code[CALL_AT + 6] = 0x92;
    CHECK(!jit_scan_cuts(code, sizeof(code), AT, &HELPER, 1));
}

int main(void)
{
    test_scan();
    return check_report();
}
