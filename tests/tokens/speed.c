/* How fast texts from standard input are counted, warm, in one thread:
 *
 *     speed VOCABULARY
 *
 * A record is its length as text, a line end, and its bytes. A line for each: the count, and
 * the microseconds of the best of seven. The first line: those of opening. */
#include <stdio.h>
#include <stdlib.h>

#include "moment.h"
#include "tokens.h"

enum { ROUNDS = 7, LARGEST = 1 << 26 };

static void measure(const struct tokens *tokens, struct tokens_work *work, const char *text,
                    size_t len)
{
    int64_t best = INT64_MAX;
    uint64_t count = 0;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t from = moment_monotonic_us();
        count = tokens_count(tokens, work, text, len);
        int64_t took = moment_monotonic_us() - from;
        if (took < best) best = took;
    }
    printf("%llu %lld\n", (unsigned long long)count, (long long)best);
}

static void measure_all(const struct tokens *tokens, struct tokens_work *work, char *text)
{
    char line[64];

    while (fgets(line, sizeof(line), stdin)) {
        size_t len = strtoul(line, NULL, 10);
        if (len > LARGEST || fread(text, 1, len, stdin) != len) return;
        measure(tokens, work, text, len);
    }
}

int main(int argc, char **argv)
{
    char why[TOKENS_WHY] = "usage: speed VOCABULARY";
    int64_t from = moment_monotonic_us();
    const struct tokens *tokens = argc == 2 ? tokens_open(argv[1], why) : NULL;
    struct tokens_work *work = tokens_work_new(0);
    char *text = malloc(LARGEST);

    printf("%lld\n", (long long)(moment_monotonic_us() - from));
    if (tokens && work && text) measure_all(tokens, work, text);
    if (!tokens) (void)fprintf(stderr, "%s\n", why);
    free(text);
    tokens_close(tokens);
    tokens_work_free(work);
    return tokens ? 0 : 1;
}
