#include "redis_events.h"

#include <sys/epoll.h>

#include <hiredis/async.h>

void redis_events_init(struct redis_events *events, struct loop *loop,
                       void (*on_event)(struct loop_watch *watch, uint32_t events), void *owner)
{
    *events = (struct redis_events){.loop = loop};
    events->watch = (struct loop_watch){.on_event = on_event, .owner = owner, .fd = -1};
}

static void want(struct redis_events *events, uint32_t wanted)
{
    if (wanted == events->wanted) return;
    events->wanted = wanted;
    bool fine = events->watch.fd >= 0
                    ? loop_change(events->loop, &events->watch, wanted)
                    : loop_add(events->loop, &events->watch, events->fd, wanted);
    if (!fine) events->failed = true;
}

static void add_read(void *data)
{
    struct redis_events *events = data;
    want(events, events->wanted | EPOLLIN);
}

static void del_read(void *data)
{
    struct redis_events *events = data;
    want(events, events->wanted & ~(uint32_t)EPOLLIN);
}

static void add_write(void *data)
{
    struct redis_events *events = data;
    want(events, events->wanted | EPOLLOUT);
}

static void del_write(void *data)
{
    struct redis_events *events = data;
    want(events, events->wanted & ~(uint32_t)EPOLLOUT);
}

/* Before it closes the socket. */
static void cleanup(void *data)
{
    struct redis_events *events = data;
    loop_remove(events->loop, &events->watch);
}

void redis_events_attach(struct redis_events *events, struct redisAsyncContext *context)
{
    events->wanted = 0;
    events->failed = false;
    events->fd = context->c.fd;
    context->ev.data = events;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
}
