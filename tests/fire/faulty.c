/* What sanitizers are there to find, done on purpose: tests/live/sanitizer_spec.lua asks
 * whether the tests would hear of it.
 *
 *     faulty fine | overrun | freed | undefined | leak | race
 */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16, TIMES = 64 };

static volatile int shared;

/* Where the compiler does not see through it. */
static char *volatile block;

static void overrun(void)
{
    volatile size_t at = BLOCK;

    block = malloc(BLOCK);
    if (block) block[at] = 1;
    free(block);
}

static void freed(void)
{
    block = malloc(BLOCK);
    char *kept = block;
    free(block);
    if (kept) *(volatile char *)kept = 1;
}

static void undefined(void)
{
    volatile int most = INT_MAX;

    shared = most + 1;
}

static void leak(void)
{
    for (int i = 0; i < TIMES; i++) {
        block = malloc(BLOCK);
        if (block) memset(block, i, BLOCK);
    }
    block = NULL;
}

static void *write_shared(void *nothing)
{
    for (int i = 0; i < 1000; i++)
        shared = shared + 1;
    return nothing;
}

static void race(void)
{
    pthread_t one, two;

    if (pthread_create(&one, NULL, write_shared, NULL) != 0) return;
    if (pthread_create(&two, NULL, write_shared, NULL) == 0) (void)pthread_join(two, NULL);
    (void)pthread_join(one, NULL);
}

static void fine(void)
{
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } faults[] = {{"fine", fine},           {"overrun", overrun}, {"freed", freed},
                  {"undefined", undefined}, {"leak", leak},       {"race", race}};

    for (size_t i = 0; argc > 1 && i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(argv[1], faults[i].name) != 0) continue;
        faults[i].run();
        return 0;
    }
    return 2;
}
