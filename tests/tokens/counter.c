/* Counts texts from standard input, for comparison with other counters:
 *
 *     counter VOCABULARY
 *
 * A record is its length as text, a line end, and its bytes. A line for each: the count, and
 * `differs: WHAT` where counting by steps, up to a limit or in small windows says otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokens.h"

enum { SMALL = 64, STEP = 777, LARGEST = 1 << 26 };

struct counters {
    const struct tokens *tokens;
    struct tokens_work *work, *small; /* owned */
};

static struct tokens_run run_of(const struct counters *with, const char *text, size_t len)
{
    struct tokens_run run = {with->tokens, with->work, text, len, .limit = TOKENS_NO_LIMIT};

    return run;
}

/* In small steps, with another count in the same workspace between any two. */
static uint64_t by_steps(const struct counters *with, const char *text, size_t len)
{
    struct tokens_run run = run_of(with, text, len);

    while (!tokens_step(&run, STEP)) {
        (void)tokens_count(with->tokens, with->work, "between", 7);
    }
    return run.count;
}

/* The first half of the tokens has so many bytes, and one more limit says so many. */
static bool limits_agree(const struct counters *with, const char *text, size_t len, uint64_t n)
{
    uint64_t half = n / 2;
    size_t bytes = tokens_prefix(with->tokens, with->work, text, len, half);
    struct tokens_run rest = run_of(with, text, len);

    rest.limit = half;
    while (!tokens_step(&rest, STEP)) {
    }
    return bytes <= len && rest.at == bytes &&
           tokens_count_limit(with->tokens, with->work, text, len, n) == n &&
           tokens_prefix(with->tokens, with->work, text, len, n) == len &&
           (n == 0 || tokens_count_limit(with->tokens, with->work, text, len, n - 1) == n) &&
           rest.count == (n > half ? half + 1 : half);
}

static const char *disagreement(const struct counters *with, const char *text, size_t len,
                                uint64_t n)
{
    struct tokens_run run = run_of(with, text, len), small = run;

    while (!tokens_step(&run, SIZE_MAX)) {
    }
    small.work = with->small;
    while (!tokens_step(&small, STEP)) {
    }
    if (run.rough) return "windows did not meet";
    if (run.effort > 3 * len) return "more than linear";
    if (!small.rough && small.count != n) return "small windows";
    if (by_steps(with, text, len) != n) return "steps";
    if (!limits_agree(with, text, len, n)) return "limits";
    return NULL;
}

static bool answer(const struct counters *with, const char *text, size_t len)
{
    uint64_t n = tokens_count(with->tokens, with->work, text, len);
    const char *what = disagreement(with, text, len, n);

    return printf(what ? "%llu differs: %s\n" : "%llu\n", (unsigned long long)n, what) > 0;
}

static bool answer_all(const struct counters *with)
{
    size_t len;
    char *line = malloc(64);
    bool fine = line != NULL;

    while (fine && fgets(line, 64, stdin)) {
        len = strtoul(line, NULL, 10);
        char *text = len <= LARGEST ? malloc(len + 1) : NULL; /* exact: sanitizers watch it */
        fine = text && fread(text, 1, len, stdin) == len && answer(with, text, len);
        free(text);
    }
    free(line);
    return fine && fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    char why[TOKENS_WHY] = "usage: counter VOCABULARY";
    struct counters with = {argc == 2 ? tokens_open(argv[1], why) : NULL, tokens_work_new(0),
                            tokens_work_new(SMALL)};
    bool fine = with.tokens && with.work && with.small && answer_all(&with);

    if (!with.tokens) (void)fprintf(stderr, "%s\n", why);
    tokens_close(with.tokens);
    tokens_work_free(with.work);
    tokens_work_free(with.small);
    return fine ? 0 : 1;
}
