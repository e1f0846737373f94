/* What every fuzz target has. */
#ifndef MOONGATE_FUZZ_H
#define MOONGATE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* A claim that an oracle makes: where it does not hold, the run ends, and the input is kept. */
#define MUST(expr)                                                             \
    do {                                                                       \
        if (!(expr)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #expr); \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* What lies behind the bytes given is nobody's to look at, and what is hidden can be shown
 * again: the address sanitizer sees who looks. */
#if defined(__SANITIZE_ADDRESS__)
#define FUZZ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_ASAN 1
#endif
#endif

#ifdef FUZZ_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define LEAKS()       __lsan_do_recoverable_leak_check()
#define HIDE(at, len) __asan_poison_memory_region((at), (len))
#define SHOW(at, len) __asan_unpoison_memory_region((at), (len))
#else
#define LEAKS()       0
#define HIDE(at, len) ((void)(at), (void)(len))
#define SHOW(at, len) ((void)(at), (void)(len))
#endif

/* For targets that keep something from run to run (pools, connections): libFuzzer would take
 * what is kept for a leak and search all memory after every run, which costs ten times what the
 * run does. So it is told not to (tests/tools/fuzz.sh), and asked here, now and then. */
static inline void fuzz_leaks(void)
{
    static unsigned runs;

    if (++runs % 4096 == 0) MUST(LEAKS() == 0);
}

/* Bytes borrowed from an input. */
struct text {
    const char *at;
    size_t len;
};

static inline bool text_same(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A copy of its own size: a step beyond it is seen. The caller frees it. */
static inline char *text_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);

    MUST(copy);
    if (len) memcpy(copy, bytes, len);
    return copy;
}

#endif
