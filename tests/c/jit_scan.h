/* Looks for one wrong instruction in code that LuaJIT has made.
 *
 * LuaJIT before April 2022 (Debian 12 has March's) swaps the two results of a call by XCHG EAX,
 * EDX where it means XCHG RAX, RDX: the pointer to the pair that next() found loses its upper
 * half, and the trace reads from nowhere. It takes a loop over pairs() whose registers fall so
 * that both results sit in each other's place: about one in two million of them.
 * https://github.com/LuaJIT/LuaJIT/commit/5e3c45c43bb0e0f1f2917d432e9d2dba12c42a6e */
#ifndef MOONGATE_JIT_SCAN_H
#define MOONGATE_JIT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the code, which runs at address `at`, calls one of the helpers and then swaps the
 * halves. Never true where the processor has another language. */
bool jit_scan_cuts(const uint8_t *code, size_t len, uintptr_t at, const uintptr_t *helpers,
                   size_t count);

#endif
