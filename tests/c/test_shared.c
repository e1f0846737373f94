/* Counters, windows and room in the shared table, from one thread and from four. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "moment.h"
#include "shared.h"

enum { THREADS = 4, ROUNDS = 20000 };

static int64_t clock_us = 1000000000; /* what the table's clock says */

/* It stands still but for this: deadlines are met to the millisecond on any machine. */
static void pass(int64_t ms)
{
    clock_us += ms * 1000;
    moment_stand(clock_us);
}

static struct shared_key named(const char *key)
{
    return (struct shared_key){key, strlen(key)};
}

static bool add(struct shared *shared, const char *key, double n, double *now)
{
    return shared_add(shared, named(key), n, 0, now);
}

/* -1: no such key. */
static double get(struct shared *shared, const char *key)
{
    double value = -1;

    return shared_get(shared, named(key), &value) ? value : -1;
}

static void test_values(void)
{
    struct shared *shared = shared_new(0);
    double now = 0;

    CHECK(get(shared, "a") == -1);
    CHECK(shared_set(shared, named("a"), 5, 0));
    CHECK(get(shared, "a") == 5);
    CHECK(get(shared, "aa") == -1);
    CHECK(add(shared, "a", -7, &now) && now == -2);
    CHECK(add(shared, "b", 9007199254740991.0, &now) && get(shared, "b") == 9007199254740991.0);
    CHECK(shared_set(shared, (struct shared_key){"x\0y", 3}, 1, 0) && get(shared, "x") == -1);
    CHECK(shared_set(shared, named(""), 3, 0) && get(shared, "") == 3);
    CHECK(shared_max(shared, named("m"), 3, 0) && shared_max(shared, named("m"), 2, 0));
    CHECK(get(shared, "m") == 3);
    CHECK(shared_max(shared, named("m"), 4, 0) && get(shared, "m") == 4);
    CHECK(shared_max(shared, named("low"), -4, 0) && get(shared, "low") == -4);
    CHECK(shared_count(shared) == 6);
    shared_free(shared);
    shared_free(NULL);
}

/* Three names that end after 60 ms, of which two are told again before that. */
static void tell_twice(struct shared *shared)
{
    double now = 0;

    CHECK(shared_set(shared, named("set"), 1, 60));
    CHECK(shared_add(shared, named("add"), 1, 60, &now));
    CHECK(shared_max(shared, named("max"), 1, 60));
    pass(30);
    CHECK(get(shared, "set") == 1 && get(shared, "add") == 1);
    CHECK(shared_add(shared, named("add"), 1, 60000, &now)); /* the first deadline stands */
    CHECK(shared_max(shared, named("max"), 0, 60000));
}

static void test_deadlines(void)
{
    struct shared *shared = shared_new(0);
    double now = 0;

    tell_twice(shared);
    pass(70);
    CHECK(get(shared, "set") == -1);
    CHECK(get(shared, "add") == -1);
    CHECK(get(shared, "max") == 1); /* the later deadline stands */
    CHECK(shared_add(shared, named("add"), 5, 0, &now) && now == 5);
    shared_free(shared);
}

static void test_window(void)
{
    struct shared *shared = shared_new(0);
    int64_t retry = 0;

    for (int i = 0; i < 10; i++)
        CHECK(shared_take(shared, named("w"), 1, 10, 60000) == 0);
    CHECK((retry = shared_take(shared, named("w"), 1, 10, 60000)) > 0);
    CHECK(retry > 60000 &&
          retry <= 66001); /* a tenth of this window has to fade from the next */
    CHECK((retry = shared_take(shared, named("w"), 0, 10, 60000)) >
          0); /* n = 0 looks: no room */
    CHECK(shared_take(shared, named("w"), 0, 11, 60000) == 0);
    CHECK(get(shared, "w") == 10);
    CHECK(shared_take(shared, named("w"), -4, 10, 60000) == 0); /* give back */
    CHECK(shared_take(shared, named("w"), 4, 10, 60000) == 0);
    CHECK((retry = shared_take(shared, named("w"), 1, 10, 60000)) > 0);
    CHECK((retry = shared_take(shared, named("big"), 11, 10, 60000)) > 0 && retry == 60000);
    CHECK(get(shared, "big") == 0);
    shared_free(shared);
}

/* What `retry` promises holds: then it fits, and the window never lets twice the limit through.
 */
static void test_sliding(void)
{
    struct shared *shared = shared_new(0);
    int64_t retry = 0, window = 200;
    double taken = 0;

    for (int i = 0; i < 5; i++)
        CHECK(shared_take(shared, named("s"), 1, 5, window) == 0);
    CHECK((retry = shared_take(shared, named("s"), 1, 5, window)) > 0);
    CHECK(retry > window && retry <= window + window / 5 + 1);
    pass(retry + 1);
    CHECK(shared_take(shared, named("s"), 1, 5, window) == 0);
    pass(2 * window); /* all of it has left the window */
    for (int ms = 0; ms < window; ms++, pass(1)) {
        while (taken < 100 && shared_take(shared, named("s"), 1, 5, window) == 0)
            taken++;
    }
    CHECK(taken >= 5 && taken <= 10);
    pass(2 * window);
    CHECK(get(shared, "s") <= 0); /* gone */
    shared_free(shared);
}

static void test_full(void)
{
    struct shared *shared = shared_new(8);
    char key[24];
    double now;

    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        CHECK(shared_set(shared, named(key), i, i < 4 ? 50 : 0));
    }
    CHECK(!shared_set(shared, named("new"), 1, 0));
    CHECK(shared_refused(shared) == 1);
    CHECK(shared_set(shared, named("key7"), 70, 0) &&
          get(shared, "key7") == 70); /* an old one: yes */
    pass(160);                        /* four expire, and the table may be searched again */
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "late%d", i);
        CHECK(shared_add(shared, named(key), 1, 0, &now));
    }
    CHECK(shared_count(shared) == 8);
    CHECK(add(shared, "late0", -1, &now) && now == 0);
    pass(110);
    CHECK(add(shared, "last", 1, &now)); /* takes the place of a tally that is back at 0 */
    CHECK(get(shared, "late0") == -1 && get(shared, "key4") == 4);
    shared_free(shared);
}

static void test_long_key(void)
{
    struct shared *shared = shared_new(8);
    static char key[1100];
    int64_t retry = 0;

    memset(key, 'k', sizeof(key));
    CHECK(!shared_set(shared, (struct shared_key){key, sizeof(key)}, 1, 0));
    CHECK((retry = shared_take(shared, (struct shared_key){key, sizeof(key)}, 1, 5, 1000)) >
              0 &&
          retry == 1000);
    CHECK(shared_set(shared, (struct shared_key){key, 1024}, 1, 0));
    CHECK(shared_refused(shared) == 2);
    shared_free(shared);
}

struct crowd {
    struct shared *shared;
    _Atomic unsigned taken;
};

static void *push(void *arg)
{
    struct crowd *crowd = arg;
    double now;
    char key[24];

    for (int i = 0; i < ROUNDS; i++) {
        shared_add(crowd->shared, named("sum"), 1, 0, &now);
        shared_max(crowd->shared, named("max"), i, 0);
        if (shared_take(crowd->shared, named("limit"), 1, 1000, 600000) == 0) crowd->taken++;
        snprintf(key, sizeof(key), "k%d", i % 3000);
        shared_add(crowd->shared, named(key), 1, i % 7 ? 0 : 1, &now);
        if (i % 16 == 0) shared_add(crowd->shared, named(key), -1, 0, &now);
    }
    return NULL;
}

/* Exactly the n-th is refused, no addition is lost, and nothing is touched twice (TSan looks).
 */
static void test_threads(void)
{
    struct crowd crowd = {.shared = shared_new(2000)};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, push, &crowd) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(crowd.taken == 1000);
    CHECK(get(crowd.shared, "sum") == THREADS * ROUNDS);
    CHECK(get(crowd.shared, "max") == ROUNDS - 1);
    CHECK(shared_count(crowd.shared) <= 2000);
    CHECK(shared_refused(crowd.shared) > 0);
    shared_free(crowd.shared);
}

int main(void)
{
    test_threads();
    pass(0);
    test_values();
    test_deadlines();
    test_window();
    test_sliding();
    test_full();
    test_long_key();
    return check_report();
}
