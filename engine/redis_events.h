/* What hiredis wants to wait for → a watch of the loop. redis.c's alone. */
#ifndef MOONGATE_REDIS_EVENTS_H
#define MOONGATE_REDIS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

struct redisAsyncContext;

struct redis_events {
    struct loop *loop; /* borrowed */
    struct loop_watch watch;
    uint32_t wanted;
    int fd;      /* the context's */
    bool failed; /* the kernel refused to watch it */
};

/* Events are told to on_event with `owner`. */
void redis_events_init(struct redis_events *events, struct loop *loop,
                       void (*on_event)(struct loop_watch *watch, uint32_t events),
                       void *owner);
/* From now on for this context; until it is freed, which removes the watch. */
void redis_events_attach(struct redis_events *events, struct redisAsyncContext *context);

#endif
