/* Linked into gateways under the address sanitizer alone. Their allocator is part of the
 * program, which comes before whatever is preloaded: faultpre.c would not be asked for memory.
 * This stands before the allocator and asks it, where it is there.
 *
 * It runs before the sanitizer has begun, so none of it is instrumented. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define BARE   __attribute__((no_sanitize("address", "undefined")))

/* The sanitizer's own; `malloc` is a weak name of it. */
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *block, size_t size);

typedef bool asked(const void *caller);

static asked *starves;

BARE __attribute__((constructor)) static void begin(void)
{
    void *found = dlsym(RTLD_DEFAULT, "faultpre_starves");

    memcpy(&starves, &found, sizeof(starves));
}

EXPORT BARE void *malloc(size_t size)
{
    if (starves && starves(__builtin_return_address(0))) return NULL;
    return __interceptor_malloc(size);
}

EXPORT BARE void *calloc(size_t count, size_t size)
{
    if (starves && starves(__builtin_return_address(0))) return NULL;
    return __interceptor_calloc(count, size);
}

EXPORT BARE void *realloc(void *block, size_t size)
{
    if (starves && starves(__builtin_return_address(0))) return NULL;
    return __interceptor_realloc(block, size);
}
