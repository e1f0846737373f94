/* One connection to a Redis server, kept up by itself, for one script: calls that never take
 * longer than they may, and a breaker before a server that is slow, wrong or away.
 *
 * Depends on hiredis (asynchronous), a loop and names → addresses. Knows nothing of what the
 * script does. All calls and callbacks belong to the loop's thread. */
#ifndef MOONGATE_REDIS_H
#define MOONGATE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log;
struct loop;
struct redis;
struct redis_url;
struct resolver;

enum {
    REDIS_CALL_MS = 50,   /* MATRICES.md T13 */
    REDIS_SLOW_CALLS = 5, /* so many in a row open the breaker */
    REDIS_HELLO_MS = 1000,
};

enum redis_result {
    REDIS_ANSWERED, /* numbers, as the script returned them */
    REDIS_SLOW,     /* none in time; it may have run all the same, and may yet */
    REDIS_REFUSED,  /* an error of any kind, or an answer that is not a list of numbers */
    REDIS_LOST,     /* the connection ended */
};

/* What became of a call; `numbers` is borrowed for the callback. */
struct redis_answer {
    enum redis_result result;
    const int64_t *numbers;
    size_t count;
    int64_t took_us;
};

/* All borrowed; outlive the client. Callbacks may call redis_call(), never redis_free(). */
struct redis_options {
    struct loop *loop;
    struct resolver *resolver;
    struct log *log;
    const struct redis_url *url;
    const char *script;
    /* Connected, signed in, the script known: calls may be made; and the opposite. */
    void (*on_up)(void *owner);
    void (*on_down)(void *owner);
    void (*on_answer)(void *owner, const struct redis_answer *answer);
    void *owner;
};

/* Starts to connect at the loop's next turn. NULL: no memory. */
struct redis *redis_new(const struct redis_options *options)
    __attribute__((warn_unused_result));
void redis_free(struct redis *redis);

/* Once a turn, after loop_poll(): names that were resolved, what waits to be torn down. */
void redis_turn(struct redis *redis);

bool redis_is_up(const struct redis *redis);
/* Whether the server has been given up for a while. */
bool redis_is_open(const struct redis *redis);

/* The script's KEYS and ARGV, as they stand one behind the other; copied. */
struct redis_words {
    const char *const *words;
    const size_t *lens;
    size_t keys, count; /* count: keys and arguments together */
};

/* Run the script. One at a time: the next after on_answer. False: not up, or busy. */
bool redis_call(struct redis *redis, const struct redis_words *words)
    __attribute__((warn_unused_result));

#endif
