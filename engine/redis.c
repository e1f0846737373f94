#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/epoll.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "digest.h"
#include "log.h"
#include "loop.h"
#include "moment.h"
#include "redis_events.h"
#include "redis_url.h"
#include "resolve.h"

enum {
    FIRST_REST_MS = 1000,
    LAST_REST_MS = 2000, /* half of it by chance: back within 3 s of the server (C-22: 5) */
    MAX_NUMBERS = 4096,
    MAX_UNREAD = 1 << 20, /* bytes of an answer that is not whole yet */
    SHA = 40,
    MAX_WORDS = 1024,
    AGAIN_MS = 60000, /* the same trouble is told so often */
    RESOLVED = 8,     /* addresses of a name */
    TAGS = 16,        /* more than calls that may be unanswered at once */
};

enum stage {
    RESTING,    /* until the timer */
    RESOLVING,  /* until the name is known */
    CONNECTING, /* and signing in, and loading the script; at most REDIS_HELLO_MS */
    UP,
};

struct redis {
    struct redis_options options;        /* borrowed */
    redisAsyncContext *context;          /* owned; becomes NULL when hiredis has freed it */
    struct redis_events events;          /* its socket */
    struct loop_timer timer;             /* the stage's, or the call's, deadline */
    struct resolve_question asked;       /* while RESOLVING */
    redisReplyObjectFunctions functions; /* hiredis's own, with ceilings */
    redisReplyObjectFunctions original;
    enum stage stage;
    bool drop;            /* the context is to go once hiredis is not on the stack */
    bool calling, proven; /* proven: the server has answered since it was last given up */
    unsigned attempts;    /* to connect to a name */
    unsigned number;      /* of the call now awaited; late answers have others */
    char tags[TAGS];      /* what hiredis hands back with an answer: &tags[number % TAGS] */
    int64_t started_us;
    int64_t rest_ms; /* the next rest's length */
    int64_t told_ms; /* when the trouble was last logged; 0: there is none */
    int slow;        /* calls in a row */
    char sha[SHA + 1];
    char told[160]; /* the reason that was last logged */
    char why[160];  /* the connection is being given up */
};

/* ---- words for people ---------------------------------------------------------------------
 */

static void because(struct redis *redis, const char *what, const char *detail)
{
    (void)snprintf(redis->why, sizeof(redis->why), "%s%s%.100s", what, *detail ? ": " : "",
                   detail);
}

static void tell_trouble(struct redis *redis)
{
    int64_t now = loop_now_ms(redis->options.loop);

    bool same = strcmp(redis->why, redis->told) == 0;
    if (redis->told_ms && same && now - redis->told_ms < AGAIN_MS) return;
    redis->told_ms = now ? now : 1;
    memcpy(redis->told, redis->why, sizeof(redis->told));
    log_event(redis->options.log, LOG_WARN, "cluster_away",
              "Redis is away (%s): limits hold by what was leased, and it is tried again",
              redis->why);
    log_flush(redis->options.log);
}

static void tell_back(struct redis *redis)
{
    log_event(redis->options.log, LOG_INFO, "cluster_up", "Redis is here: limits are shared");
    log_flush(redis->options.log);
    redis->told_ms = 0;
}

/* ---- resting ------------------------------------------------------------------------------
 */

static void arm(struct redis *redis, int64_t ms)
{
    int64_t at = loop_now_ms(redis->options.loop) + ms;

    /* No memory for a timer: then it fires at once, which errs on the safe side. */
    if (!loop_timer_set(redis->options.loop, &redis->timer, at)) redis->drop = true;
}

static int64_t some_of(int64_t ms)
{
    uint16_t chance = 0;

    (void)!digest_random(&chance, sizeof(chance)); /* without it: no jitter */
    return ms / 2 + ms / 2 * chance / UINT16_MAX;
}

static void finish_call(struct redis *redis, const struct redis_answer *answer)
{
    struct redis_answer full = *answer;

    if (!redis->calling) return;
    redis->calling = false;
    redis->number++;
    full.took_us = moment_monotonic_us() - redis->started_us;
    redis->options.on_answer(redis->options.owner, &full);
}

static void free_context(struct redis *redis)
{
    redisAsyncContext *context = redis->context;

    redis->context = NULL; /* the callbacks of redisAsyncFree() see that it is not ours */
    if (context) redisAsyncFree(context);
    loop_remove(redis->options.loop, &redis->events.watch);
}

static void rest(struct redis *redis)
{
    bool was_up = redis->stage == UP;

    redis->drop = redis->events.failed = false;
    free_context(redis);
    redis->stage = RESTING;
    redis->slow = 0;
    redis->proven = false;
    arm(redis, some_of(redis->rest_ms));
    redis->rest_ms = redis->rest_ms * 2 > LAST_REST_MS ? LAST_REST_MS : redis->rest_ms * 2;
    finish_call(redis, &(struct redis_answer){.result = REDIS_LOST});
    if (was_up) redis->options.on_down(redis->options.owner);
    tell_trouble(redis);
}

/* From any frame: the next redis_turn() does it. */
static void give_up(struct redis *redis, const char *what, const char *detail)
{
    if (redis->drop) return;
    because(redis, what, detail);
    redis->drop = true;
}

/* ---- what hiredis tells ------------------------------------------
 */

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct redis *redis = watch->owner;
    redisAsyncContext *context = redis->context;

    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) redisAsyncHandleRead(context);
    if (redis->context == context && !redis->drop && context->c.reader->len > MAX_UNREAD) {
        give_up(redis, "its answer is too long", "");
    }
    if (redis->context == context && (events & EPOLLOUT)) redisAsyncHandleWrite(context);
}

/* An answer of ours has some hundred numbers: no list is longer, whatever the server says. */
static void *create_array(const redisReadTask *task, int elements)
{
    const struct redis *redis = task->privdata;

    return elements > MAX_NUMBERS ? NULL : redis->original.createArray(task, elements);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    if (redis->context != context || status == REDIS_OK) return;
    give_up(redis, "no connection", context->c.errstr);
    redis->context = NULL; /* hiredis frees it on return */
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    (void)status;
    if (redis->context != context) return;
    give_up(redis, "the connection ended", context->errstr ? context->errstr : "");
    redis->context = NULL;
}

/* ---- saying hello -------------------------------------------------------------------------
 */

static void on_greeting(redisAsyncContext *context, void *answer, void *number)
{
    struct redis *redis = context->data;
    const redisReply *reply = answer;

    (void)number;
    if (redis->context != context || !reply || redis->drop) return;
    if (reply->type == REDIS_REPLY_ERROR) give_up(redis, "it refuses us", reply->str);
}

static void on_loaded(redisAsyncContext *context, void *answer, void *number)
{
    struct redis *redis = context->data;
    const redisReply *reply = answer;

    (void)number;
    if (redis->context != context || !reply || redis->drop) return;
    if (reply->type != REDIS_REPLY_STRING || reply->len != SHA) {
        give_up(redis, "it does not take our script",
                reply->type == REDIS_REPLY_ERROR ? reply->str : "");
        return;
    }
    memcpy(redis->sha, reply->str, SHA);
    redis->sha[SHA] = '\0';
    if (redis->stage == UP) return; /* it had forgotten the script alone */
    loop_timer_clear(redis->options.loop, &redis->timer);
    redis->stage = UP;
    /* Half open, where it was given up before: one chance. */
    redis->slow = redis->rest_ms > FIRST_REST_MS ? REDIS_SLOW_CALLS - 1 : 0;
    redis->options.on_up(redis->options.owner);
}

static bool sign_in(struct redis *redis)
{
    const struct redis_url *url = redis->options.url;
    int sent = REDIS_OK;

    if (*url->user) {
        sent = redisAsyncCommand(redis->context, on_greeting, NULL, "AUTH %s %s", url->user,
                                 url->password);
    } else if (*url->password) {
        sent = redisAsyncCommand(redis->context, on_greeting, NULL, "AUTH %s", url->password);
    }
    if (sent == REDIS_OK && url->db) {
        sent = redisAsyncCommand(redis->context, on_greeting, NULL, "SELECT %d", url->db);
    }
    return sent == REDIS_OK &&
           redisAsyncCommand(redis->context, on_loaded, NULL, "SCRIPT LOAD %s",
                             redis->options.script) == REDIS_OK;
}

static void hook_up(struct redis *redis)
{
    redisAsyncContext *context = redis->context;

    context->data = redis;
    redis_events_attach(&redis->events, context);
    redis->original = *context->c.reader->fn;
    redis->functions = redis->original;
    redis->functions.createArray = create_array;
    context->c.reader->fn = &redis->functions;
    context->c.reader->privdata = redis;
}

static void open_connection(struct redis *redis, const char *host)
{
    const struct redis_url *url = redis->options.url;

    redis->stage = CONNECTING;
    arm(redis, REDIS_HELLO_MS);
    redis->context =
        *url->path ? redisAsyncConnectUnix(url->path) : redisAsyncConnect(host, url->port);
    if (!redis->context || redis->context->err) {
        const char *why = redis->context ? redis->context->errstr : "out of memory";
        give_up(redis, "no connection", why ? why : "");
        return;
    }
    hook_up(redis);
    if (redisAsyncSetConnectCallback(redis->context, on_connect) != REDIS_OK ||
        redisAsyncSetDisconnectCallback(redis->context, on_disconnect) != REDIS_OK ||
        !sign_in(redis)) {
        give_up(redis, "no connection", "out of memory");
    }
}

static bool is_number(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void connect_again(struct redis *redis)
{
    const struct redis_url *url = redis->options.url;

    if (*url->path || is_number(url->host)) {
        open_connection(redis, url->host);
        return;
    }
    if (strlen(url->host) >= RESOLVE_NAME) {
        give_up(redis, "no connection", "its name is too long");
        return;
    }
    redis->stage = RESOLVING;
    memcpy(redis->asked.name, url->host, strlen(url->host) + 1);
    redis->asked.loop = redis->options.loop;
    resolver_ask(redis->options.resolver, &redis->asked);
}

static void take_address(struct redis *redis)
{
    const struct resolve_answer *answer = &redis->asked.answer;
    const char *at = answer->addresses;
    char host[64];

    for (unsigned skip = redis->attempts++ % RESOLVED; skip; skip--) { /* each in its turn */
        const char *comma = strchr(at, ',');
        at = comma ? comma + 1 : answer->addresses;
    }
    at += *at == '[';
    size_t len = strcspn(at, "],");

    if (answer->failure || len >= sizeof(host)) {
        redis->stage = CONNECTING; /* the question is answered */
        give_up(redis, "no connection", answer->failure ? answer->failure : "");
        return;
    }
    memcpy(host, at, len);
    host[len] = '\0';
    open_connection(redis, host);
}

/* ---- calls --------------------------------------------------------------------------------
 */

static void load_script(struct redis *redis)
{
    if (redisAsyncCommand(redis->context, on_loaded, NULL, "SCRIPT LOAD %s",
                          redis->options.script) != REDIS_OK) {
        give_up(redis, "the connection ended", "");
    }
}

static void on_error_reply(struct redis *redis, const char *text)
{
    if (strncmp(text, "NOSCRIPT", 8) == 0) {
        load_script(redis); /* restarted, or flushed: nothing is wrong */
    } else {
        give_up(redis, "it answers with an error", text);
    }
    finish_call(redis, &(struct redis_answer){.result = REDIS_REFUSED});
}

static void on_numbers(struct redis *redis, const redisReply *reply)
{
    int64_t numbers[MAX_NUMBERS];
    size_t count = reply->elements;

    for (size_t i = 0; i < count; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER) {
            give_up(redis, "its answer is not what the script returns", "");
            finish_call(redis, &(struct redis_answer){.result = REDIS_REFUSED});
            return;
        }
        numbers[i] = reply->element[i]->integer;
    }
    redis->slow = 0;
    redis->rest_ms = FIRST_REST_MS;
    redis->proven = true;
    if (redis->told_ms) tell_back(redis);
    finish_call(redis, &(struct redis_answer){
                           .result = REDIS_ANSWERED, .numbers = numbers, .count = count});
}

static void *tag(struct redis *redis)
{
    return &redis->tags[redis->number % TAGS];
}

/* cppcheck-suppress constParameter ; hiredis's type */
static void on_reply(redisAsyncContext *context, void *answer, void *number)
{
    struct redis *redis = context->data;
    const redisReply *reply = answer;

    if (redis->context != context || !reply || redis->drop) return;
    if (!redis->calling || number != tag(redis)) return; /* too late */
    loop_timer_clear(redis->options.loop, &redis->timer);
    if (reply->type == REDIS_REPLY_ERROR) {
        on_error_reply(redis, reply->str);
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        on_numbers(redis, reply);
    } else {
        give_up(redis, "its answer is not what the script returns", "");
        finish_call(redis, &(struct redis_answer){.result = REDIS_REFUSED});
    }
}

bool redis_call(struct redis *redis, const struct redis_words *words)
{
    const char *argv[MAX_WORDS];
    size_t lens[MAX_WORDS];
    char keys[16];

    if (redis->stage != UP || redis->calling || redis->drop) return false;
    if (words->count + 3 > MAX_WORDS) return false;
    int len = snprintf(keys, sizeof(keys), "%zu", words->keys);
    argv[0] = "EVALSHA", lens[0] = 7;
    argv[1] = redis->sha, lens[1] = SHA;
    argv[2] = keys, lens[2] = (size_t)len;
    memcpy(argv + 3, words->words, words->count * sizeof(*argv));
    memcpy(lens + 3, words->lens, words->count * sizeof(*lens));
    if (redisAsyncCommandArgv(redis->context, on_reply, tag(redis), (int)words->count + 3, argv,
                              lens) != REDIS_OK) {
        return false;
    }
    redis->calling = true;
    redis->started_us = moment_monotonic_us();
    arm(redis, REDIS_CALL_MS);
    return true;
}

/* ---- time ---------------------------------------------------------------------------------
 */

static void on_time(struct loop_timer *timer)
{
    struct redis *redis = timer->owner;

    switch (redis->stage) {
    case RESTING: connect_again(redis); return;
    case RESOLVING: return; /* it has no deadline of ours */
    case CONNECTING: give_up(redis, "it does not answer", ""); return;
    case UP: break;
    }
    if (!redis->calling) return;
    /* Given up first, so that who hears of the slow call knows that no further one follows. */
    if (++redis->slow >= REDIS_SLOW_CALLS) give_up(redis, "it is too slow", "");
    finish_call(redis, &(struct redis_answer){.result = REDIS_SLOW});
}

void redis_turn(struct redis *redis)
{
    if (redis->stage == RESOLVING && atomic_load(&redis->asked.done)) take_address(redis);
    if (redis->events.failed) give_up(redis, "its socket cannot be watched", "");
    if (redis->drop) rest(redis);
}

bool redis_is_up(const struct redis *redis)
{
    return redis->stage == UP && !redis->drop;
}

bool redis_is_open(const struct redis *redis)
{
    return !redis->proven;
}

/* ---- life ---------------------------------------------------------------------------------
 */

struct redis *redis_new(const struct redis_options *options)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (!redis) return NULL;
    redis->options = *options;
    redis_events_init(&redis->events, options->loop, on_socket, redis);
    redis->timer = (struct loop_timer){.on_fire = on_time, .owner = redis};
    redis->rest_ms = FIRST_REST_MS;
    connect_again(redis);
    return redis;
}

void redis_free(struct redis *redis)
{
    if (!redis) return;
    if (redis->stage == RESOLVING) resolver_forget(redis->options.resolver, &redis->asked);
    free_context(redis);
    loop_timer_clear(redis->options.loop, &redis->timer);
    free(redis);
}
