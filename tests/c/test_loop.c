/* loop.c: order of timers, removal inside a batch, wake-ups from another thread. */
#include "loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "check.h"

enum { TIMERS = 500 };

static int64_t fired[TIMERS];
static int fired_count;

static void note(struct loop_timer *timer)
{
    fired[fired_count++] = timer->at_ms;
}

static void timers_fire_in_order(void)
{
    struct loop *loop = loop_new();
    static struct loop_timer timers[TIMERS];
    int64_t now = loop_now_ms(loop);
    int cleared = 0;

    srand(7);
    for (int i = 0; i < TIMERS; i++) {
        timers[i].on_fire = note;
        CHECK(loop_timer_set(loop, &timers[i], now + rand() % 20));
    }
    for (int i = 0; i < TIMERS; i += 7) {
        loop_timer_clear(loop, &timers[i]);
        loop_timer_clear(loop, &timers[i]); /* twice is harmless */
        cleared++;
    }
    for (int i = 1; i < TIMERS; i += 5) {
        if (timers[i].slot) CHECK(loop_timer_set(loop, &timers[i], now + rand() % 20));
    }
    while (fired_count < TIMERS - cleared) {
        loop_poll(loop, 50);
    }
    int misordered = 0;
    for (int i = 1; i < fired_count; i++) {
        misordered += fired[i] < fired[i - 1];
    }
    CHECK(misordered == 0);
    CHECK(fired_count == TIMERS - cleared);
    loop_free(loop);
}

struct pair {
    struct loop *loop;
    struct loop_watch *other;
    int seen;
};

static void remove_other(struct loop_watch *watch, uint32_t events)
{
    struct pair *pair = watch->owner;

    (void)events;
    pair->seen++;
    loop_remove(pair->loop, pair->other);
    loop_remove(pair->loop, watch);
}

/* Two descriptors are ready in one batch; the first to be told removes both. */
static void a_removed_watch_is_not_told(void)
{
    struct loop *loop = loop_new();
    int a[2], b[2];

    CHECK(pipe(a) == 0 && pipe(b) == 0);
    struct loop_watch first = {.on_event = remove_other}, second = {.on_event = remove_other};
    struct pair one = {loop, &second, 0}, two = {loop, &first, 0};
    first.owner = &one;
    second.owner = &two;
    CHECK(loop_add(loop, &first, a[0], EPOLLIN));
    CHECK(loop_add(loop, &second, b[0], EPOLLIN));
    CHECK(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
    loop_poll(loop, 1000);
    loop_poll(loop, 0);
    CHECK(one.seen + two.seen == 1);
    CHECK(first.fd == -1 && second.fd == -1);
    loop_free(loop);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void *wake(void *loop)
{
    loop_wake(loop);
    return NULL;
}

static void another_thread_wakes_it(void)
{
    struct loop *loop = loop_new();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, wake, loop) == 0);
    loop_poll(loop, -1); /* would wait for ever */
    CHECK(pthread_join(thread, NULL) == 0);
    loop_free(loop);
}

int main(void)
{
    timers_fire_in_order();
    a_removed_watch_is_not_told();
    another_thread_wakes_it();
    return check_report();
}
