/* redis_url.c: addresses as operators write them; redis.c: a server that is not there. Those
 * that are there are asked in tests/live/cluster_spec.lua. */
#include "redis.h"

#include <stdlib.h>

#include <unistd.h>

#include "check.h"
#include "log.h"
#include "loop.h"
#include "moment.h"
#include "redis_url.h"
#include "resolve.h"

static struct redis_url read_good(const char *text)
{
    struct redis_url url;
    const char *why = "";

    if (!CHECK(redis_url_read(text, &url, &why))) fprintf(stderr, "%s: %s\n", text, why);
    return url;
}

static void addresses_are_read(void)
{
    struct redis_url url = read_good("redis://u%40x:p%3a%2F@cache.example:6380/2");

    CHECK(strcmp(url.user, "u@x") == 0);
    CHECK(strcmp(url.password, "p:/") == 0);
    CHECK(strcmp(url.host, "cache.example") == 0);
    CHECK(url.port == 6380 && url.db == 2);
    url = read_good("redis://:secret@[::1]");
    CHECK(strcmp(url.host, "::1") == 0 && url.port == 6379 && url.db == 0);
    CHECK(*url.user == '\0' && strcmp(url.password, "secret") == 0);
    url = read_good("redis://127.0.0.1/");
    CHECK(strcmp(url.host, "127.0.0.1") == 0 && *url.path == '\0');
    url = read_good("unix:/run/redis/redis.sock");
    CHECK(strcmp(url.path, "/run/redis/redis.sock") == 0 && *url.host == '\0');
}

static void wrong_addresses_are_refused_without_their_text(void)
{
    static const char *const wrong[] = {
        "",
        "localhost",
        "rediss://h",
        "redis://",
        "redis://h:",
        "redis://h:99999",
        "redis://h/x",
        "redis://h/1?a=b",
        "unix:",
        "redis://:x",
        "redis://[::1]x",
        "redis://secretsecret%00@h",
        "redis://:secret-of-mine@h:port",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct redis_url url;
        const char *why = NULL;
        if (CHECK(!redis_url_read(wrong[i], &url, &why)) && CHECK(why != NULL)) {
            CHECK(strstr(why, "secret") == NULL);
        } else {
            fprintf(stderr, "taken: %s\n", wrong[i]);
        }
    }
}

struct seen {
    int ups, downs, answers;
};

static void on_up(void *owner)
{
    ((struct seen *)owner)->ups++;
}

static void on_down(void *owner)
{
    ((struct seen *)owner)->downs++;
}

static void on_answer(void *owner, const struct redis_answer *answer)
{
    (void)answer;
    ((struct seen *)owner)->answers++;
}

static void nobody_there_is_tried_again_and_costs_nothing(void)
{
    struct seen seen = {0};
    struct redis_url url = read_good("redis://127.0.0.1:1");
    struct log *log = log_new(STDERR_FILENO, LOG_ERROR);
    struct resolver *resolver = resolver_new();
    struct loop *loop = loop_new();
    struct redis *redis = redis_new(&(struct redis_options){.loop = loop,
                                                            .resolver = resolver,
                                                            .log = log,
                                                            .url = &url,
                                                            .script = "return {}",
                                                            .on_up = on_up,
                                                            .on_down = on_down,
                                                            .on_answer = on_answer,
                                                            .owner = &seen});
    int64_t end = moment_monotonic_us() + 150000;

    while (moment_monotonic_us() < end) {
        redis_turn(redis);
        CHECK(!redis_is_up(redis));
        loop_poll(loop, 20);
    }
    CHECK(!redis_call(redis, &(struct redis_words){.count = 0}));
    CHECK(redis_is_open(redis));
    CHECK(seen.ups == 0 && seen.downs == 0 && seen.answers == 0);
    redis_free(redis);
    loop_free(loop);
    resolver_free(resolver);
    log_free(log);
}

int main(void)
{
    addresses_are_read();
    wrong_addresses_are_refused_without_their_text();
    nobody_there_is_tried_again_and_costs_nothing();
    return check_report();
}
