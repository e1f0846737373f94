/* Requests that the test itself handles, and a server's clock that stands still but where a
 * test lets it pass: deadlines are met to the millisecond, however long the machine takes. What
 * is waited for otherwise is waited for by the world's own clock, and patiently. */
#ifndef MOONGATE_SERVER_HOLD_H
#define MOONGATE_SERVER_HOLD_H

#include "moment.h"
#include "server_world.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

static int64_t server_ms = 1000000; /* what the server's clock says */

/* First of all. */
static inline void clock_stands(void)
{
    moment_stand(server_ms * 1000);
}

/* So much time passes for the server, and what is due at each millisecond happens in it. */
static inline void pass(struct world *world, int64_t ms)
{
    while (ms-- > 0) {
        moment_stand(++server_ms * 1000);
        for (int n = 0; n < 4 || (n < 1000 && server_timeout_ms(world->server) == 0); n++)
            world_step(world, 0);
    }
}

/* How many milliseconds pass until the server has no connection; `most` + 1: it still has. */
static inline int64_t passes_until_closed(struct world *world, int64_t most)
{
    int64_t from = server_ms;

    while (server_connections(world->server) > 0 && server_ms - from <= most)
        pass(world, 1);
    return server_ms - from;
}

/* A client that the server has taken. */
static inline int accepted(struct world *world)
{
    int64_t end = world_now() + PATIENCE_MS;
    size_t before = server_connections(world->server);
    int client = client_new(world);

    while (server_connections(world->server) == before && world_now() < end)
        world_turn(world);
    return client;
}

/* A client with a request at "/hold". */
static inline int hold(struct world *world, const char *bytes)
{
    int64_t end = world_now() + PATIENCE_MS;
    int client = client_new(world);

    world->held = NULL;
    CHECK(client_say(world, client, bytes));
    while (!world->held && world_now() < end)
        world_turn(world);
    CHECK(world->held != NULL);
    return client;
}

static inline void let_go(struct world *world)
{
    request_release(world->held);
    world->held = NULL;
}

static inline bool await_gone(struct world *world)
{
    int64_t end = world_now() + PATIENCE_MS;

    while (!world->held_gone && world_now() < end)
        world_turn(world);
    return world->held_gone;
}

#endif
