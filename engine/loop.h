/* One thread's event loop: descriptors (epoll), timers (a heap), wake-ups from other threads.
 *
 * Depends on the kernel alone; knows no HTTP and no Lua. Every call but loop_wake() belongs to
 * the thread that polls. Callbacks run inside loop_poll() and may add, change and remove
 * anything, themselves included: an event for a watch that was removed is never delivered. */
#ifndef MOONGATE_LOOP_H
#define MOONGATE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* A descriptor being watched. Embedded in its owner; must live until loop_remove(). */
struct loop_watch {
    void (*on_event)(struct loop_watch *watch, uint32_t events); /* EPOLLIN … */
    void *owner; /* borrowed; for the callback */
    int fd;      /* borrowed; -1 when not watched */
};

/* A one-shot timer. Embedded in its owner; zeroed before first use; cleared before it is freed.
 */
struct loop_timer {
    void (*on_fire)(struct loop_timer *timer);
    void *owner;   /* borrowed; for the callback */
    int64_t at_ms; /* monotonic */
    size_t slot;   /* place in the heap, counted from 1; 0 when not set */
};

struct loop *loop_new(void) __attribute__((warn_unused_result));
void loop_free(struct loop *loop);

/* Watch fd for `events` (epoll's). False: the kernel refused (errno tells). */
bool loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
    __attribute__((warn_unused_result));
bool loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
    __attribute__((warn_unused_result));
/* Harmless when not watched, and when the descriptor was closed already. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* (Re)arm a timer. False: no memory. */
bool loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ms)
    __attribute__((warn_unused_result));
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Monotonic milliseconds, read once a turn. */
int64_t loop_now_ms(const struct loop *loop);

/* Microseconds spent waiting for something to happen, so far. */
int64_t loop_idle_us(const struct loop *loop);

/* Microseconds spent waiting for something to happen, so far. */
int64_t loop_idle_us(const struct loop *loop);

/* Wait at most `max_ms` (-1: until something happens) and deliver what happened. */
void loop_poll(struct loop *loop, int64_t max_ms);

/* Make a waiting loop_poll() return. Any thread; async-signal-safe. */
void loop_wake(struct loop *loop);

#endif
