#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "moment.h"

enum {
    BATCH = 256,
    FIRST_TIMERS = 64,
};

struct loop {
    int epoll_fd;                     /* owned */
    int wake_fd;                      /* owned; an eventfd */
    int64_t now_ms;                   /* monotonic; read once a turn */
    int64_t idle_us;                  /* spent in epoll_wait() */
    struct loop_timer **heap;         /* owned; the timers in it are borrowed */
    size_t timers, room;              /* in use, allocated */
    struct epoll_event events[BATCH]; /* the batch being delivered */
    int batch;                        /* how many of them; 0 outside delivery */
};

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop) return NULL;
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->heap = calloc(FIRST_TIMERS, sizeof(struct loop_timer *));
    loop->room = FIRST_TIMERS;
    loop->now_ms = moment_monotonic_us() / 1000;

    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (loop->wake_fd < 0 || loop->epoll_fd < 0 || !loop->heap ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop) return;
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    if (loop->wake_fd >= 0) close(loop->wake_fd);
    free(loop->heap);
    free(loop);
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int64_t loop_idle_us(const struct loop *loop)
{
    return loop->idle_us;
}

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    int saved = errno;
    /* It fails only when 2^64-2 wake-ups are pending: then the loop will wake anyway. */
    ssize_t written = write(loop->wake_fd, &one, sizeof(one));

    (void)written;
    errno = saved;
}

/* ---- descriptors ---- */

bool loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) return false;
    watch->fd = fd;
    return true;
}

bool loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    if (watch->fd < 0) return;
    /* A descriptor that was closed has left the set by itself: nothing to check. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    for (int i = 0; i < loop->batch; i++) {
        if (loop->events[i].data.ptr == watch) loop->events[i].events = 0;
    }
}

/* ---- timers: a binary heap, slots counted from 1 ---- */

static void place(struct loop *loop, size_t slot, struct loop_timer *timer)
{
    loop->heap[slot - 1] = timer;
    timer->slot = slot;
}

static void sift_up(struct loop *loop, size_t slot, struct loop_timer *timer)
{
    while (slot > 1) {
        struct loop_timer *parent = loop->heap[slot / 2 - 1];
        if (parent->at_ms <= timer->at_ms) break;
        place(loop, slot, parent);
        slot /= 2;
    }
    place(loop, slot, timer);
}

static void sift_down(struct loop *loop, size_t slot, struct loop_timer *timer)
{
    for (;;) {
        size_t child = slot * 2;
        if (child > loop->timers) break;
        if (child < loop->timers && loop->heap[child]->at_ms < loop->heap[child - 1]->at_ms) {
            child++;
        }
        if (timer->at_ms <= loop->heap[child - 1]->at_ms) break;
        place(loop, slot, loop->heap[child - 1]);
        slot = child;
    }
    place(loop, slot, timer);
}

bool loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ms)
{
    if (timer->slot) {
        int64_t before = timer->at_ms;
        timer->at_ms = at_ms;
        if (at_ms < before) sift_up(loop, timer->slot, timer);
        if (at_ms > before) sift_down(loop, timer->slot, timer);
        return true;
    }
    if (loop->timers == loop->room) {
        size_t room = loop->room * 2;
        struct loop_timer **heap = realloc(loop->heap, room * sizeof(struct loop_timer *));
        if (!heap) return false;
        loop->heap = heap;
        loop->room = room;
    }
    timer->at_ms = at_ms;
    sift_up(loop, ++loop->timers, timer);
    return true;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->slot) return;

    size_t slot = timer->slot;
    struct loop_timer *last = loop->heap[--loop->timers];
    timer->slot = 0;
    if (last == timer) return;
    if (slot > 1 && loop->heap[slot / 2 - 1]->at_ms > last->at_ms) {
        sift_up(loop, slot, last);
    } else {
        sift_down(loop, slot, last);
    }
}

static void fire_timers(struct loop *loop)
{
    while (loop->timers && loop->heap[0]->at_ms <= loop->now_ms) {
        struct loop_timer *timer = loop->heap[0];
        loop_timer_clear(loop, timer);
        timer->on_fire(timer);
    }
}

/* ---- one turn ---- */

/* The clock is read afresh: a turn's work has taken time since. */
static int wait_ms(const struct loop *loop, int64_t max_ms, int64_t now_ms)
{
    int64_t wait = max_ms;

    if (loop->timers) {
        int64_t due = loop->heap[0]->at_ms - now_ms;
        if (due < 0) due = 0;
        if (wait < 0 || due < wait) wait = due;
    }
    if (wait > 0) wait = moment_unhurried(wait);
    return wait > 60000 ? 60000 : (int)wait;
}

static void deliver(struct loop *loop, const struct epoll_event *event)
{
    struct loop_watch *watch = event->data.ptr;

    if (!watch) {
        uint64_t count;
        ssize_t got = read(loop->wake_fd, &count, sizeof(count));
        (void)got; /* the wake-up itself is all there is to know */
        return;
    }
    if (event->events) watch->on_event(watch, event->events); /* 0: removed in this batch */
}

void loop_poll(struct loop *loop, int64_t max_ms)
{
    assert(loop->batch == 0);

    int64_t from_us = moment_monotonic_us();
    int n =
        epoll_wait(loop->epoll_fd, loop->events, BATCH, wait_ms(loop, max_ms, from_us / 1000));
    int64_t now_us = moment_monotonic_us();
    loop->idle_us += now_us - from_us;
    loop->now_ms = now_us / 1000;
    loop->batch = n > 0 ? n : 0; /* a signal is no error: just a short turn */
    for (int i = 0; i < loop->batch; i++) {
        deliver(loop, &loop->events[i]);
    }
    loop->batch = 0;
    fire_timers(loop);
}
