/* S-19: what a wrong key costs tells nothing about how it is wrong. Welch's t-test between two
 * classes that take turns at random, the slowest tenth of both cut off: the machine has other
 * work. A leak shows in every try; noise does not, so the least |t| of a few tries counts. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "digest.h"
#include "keyring.h"

enum { SAMPLES = 1000000, TRIES = 5, KEYS = 500, WARM_UP = 1000 };

struct samples {
    double *ns[2]; /* owned */
    size_t count[2];
};

static uint64_t seed = 88172645463325252;

/* xorshift64: which class is next must be nobody's guess, least of all the branch predictor's.
 */
static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct moments {
    double n, mean, variance;
};

static struct moments moments_of(const double *ns, size_t n, double most)
{
    struct moments m = {0};
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        if (ns[i] > most) continue;
        m.n++;
        sum += ns[i];
        squares += ns[i] * ns[i];
    }
    m.mean = sum / m.n;
    m.variance = squares / m.n - m.mean * m.mean;
    return m;
}

/* Of the samples below the ninth decile of all of them. */
static double welch(const struct samples *samples)
{
    size_t n = samples->count[0] + samples->count[1];
    double *all = calloc(n, sizeof(*all));

    if (!all) return 0;
    memcpy(all, samples->ns[0], samples->count[0] * sizeof(*all));
    memcpy(all + samples->count[0], samples->ns[1], samples->count[1] * sizeof(*all));
    qsort(all, n, sizeof(*all), by_size);
    double most = all[n / 10 * 9];
    free(all);
    struct moments a = moments_of(samples->ns[0], samples->count[0], most);
    struct moments b = moments_of(samples->ns[1], samples->count[1], most);
    double noise = sqrt(a.variance / a.n + b.variance / b.n);
    printf("  %.3f ns and %.3f ns\n", a.mean, b.mean);
    return noise > 0 ? fabs(a.mean - b.mean) / noise : 0;
}

/* Of one try: `act` does what is measured for a class, with what `prepare` has laid out. */
static double compare(void (*prepare)(void *, unsigned), void (*act)(void *), void *what)
{
    struct samples samples = {
        {calloc(SAMPLES, sizeof(double)), calloc(SAMPLES, sizeof(double))}, {0, 0}};
    double t = INFINITY;

    for (size_t i = 0; samples.ns[0] && samples.ns[1] && i < SAMPLES + WARM_UP; i++) {
        unsigned class = draw() >> 33 & 1;
        prepare(what, class);
        int64_t begin = now_ns();
        act(what);
        int64_t took = now_ns() - begin;
        if (i >= WARM_UP) samples.ns[class][samples.count[class]++] = (double)took;
    }
    if (samples.count[0] && samples.count[1]) t = welch(&samples);
    free(samples.ns[0]);
    free(samples.ns[1]);
    return t;
}

static void tells_nothing(const char *name, void (*prepare)(void *, unsigned),
                          void (*act)(void *), void *what)
{
    double least = INFINITY;

    printf("%s\n", name);
    for (int i = 0; i < TRIES && least >= 4.5; i++)
        least = fmin(least, compare(prepare, act, what));
    printf("  t = %.2f over %d samples\n", least, SAMPLES);
    CHECK(least < 4.5);
}

/* ---- the compare: wrong at the first byte, or at the last -------------------------------- */

struct pair {
    unsigned char want[KEYRING_MAC], got[KEYRING_MAC];
    volatile bool same;
};

static void prepare_pair(void *what, unsigned class)
{
    struct pair *pair = what;

    memcpy(pair->got, pair->want, KEYRING_MAC);
    pair->got[class ? 31 : 0] ^= 1;
}

static void compare_pair(void *what)
{
    struct pair *pair = what;

    pair->same = digest_equal((struct digest_bytes){pair->want, KEYRING_MAC},
                              (struct digest_bytes){pair->got, KEYRING_MAC});
}

static void test_compare(void)
{
    struct pair pair;

    CHECK(digest_random(pair.want, sizeof(pair.want)));
    tells_nothing("wrong at byte 0, at byte 31", prepare_pair, compare_pair, &pair);
}

/* ---- the look-up: a known id with another secret, or an unknown id ----------------------- */

/* Unknown ids that lie right behind known ones: both searches end at the same entry, so that
 * what the processor's caches hold is the same for both. */
struct look {
    struct keyring_reader *reader;
    char ids[2][KEYS][KEYRING_ID]; /* unknown, known */
    char token[KEYRING_TOKEN];
    volatile bool found;
};

static void prepare_look(void *what, unsigned class)
{
    struct look *look = what;
    size_t i = draw() % KEYS;

    if (!keyring_mint(look->token)) abort();
    memcpy(look->token + 3, look->ids[class][i], KEYRING_ID);
    look->found = memcmp(look->token + 3, look->ids[!class][i], KEYRING_ID) == 0;
}

static void look_up(void *what)
{
    struct look *look = what;
    struct keyring_text id, record, token = {look->token, KEYRING_TOKEN};

    look->found = keyring_find(look->reader, token, &id, &record);
}

/* The next id of the same part: 64 is two of the last letter but one. */
static bool behind(const char known[KEYRING_ID], char unknown[KEYRING_ID])
{
    memcpy(unknown, known, KEYRING_ID);
    unknown[KEYRING_ID - 2] = (char)(unknown[KEYRING_ID - 2] + 2);
    return known[KEYRING_ID - 2] >= 'a' && known[KEYRING_ID - 2] <= 'x';
}

static bool add(struct look *look, struct keyring *keyring, size_t i)
{
    unsigned char mac[KEYRING_MAC];
    struct keyring_text token = {look->token, KEYRING_TOKEN};

    do {
        if (!keyring_mint(look->token)) return false;
        memcpy(look->ids[1][i], look->token + 3, KEYRING_ID);
    } while (!behind(look->ids[1][i], look->ids[0][i]));
    return keyring_hash(look->reader, token, mac) &&
           keyring_put(keyring, (struct keyring_text){look->ids[1][i], KEYRING_ID}, mac,
                       (struct keyring_text){"{}", 2});
}

static void test_look(void)
{
    static struct look look;
    struct keyring *keyring = keyring_new();
    bool fine = true;

    look.reader = keyring_reader_new(keyring);
    for (size_t i = 0; i < KEYS; i++)
        fine = add(&look, keyring, i) && fine;
    CHECK(fine);
    tells_nothing("an unknown id, a known one", prepare_look, look_up, &look);
    keyring_reader_free(look.reader);
    keyring_free(keyring);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED 1 /* what it times is not what is shipped */
#endif
#endif
#ifndef INSTRUMENTED
#define INSTRUMENTED 0
#endif

int main(void)
{
    if (INSTRUMENTED) {
        printf("not shown by this build: tests/c/test_keyring_timing.c: speed (how long a "
               "comparison takes is asked of what is shipped)\n");
        return check_report();
    }
    test_compare();
    test_look();
    return check_report();
}
