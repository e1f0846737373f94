/* Where a Redis server is and how to sign in: redis://[user][:password]@host[:port][/db].
 *
 * Knows the spelling alone. Start-up only. */
#ifndef MOONGATE_REDIS_URL_H
#define MOONGATE_REDIS_URL_H

#include <stdbool.h>

enum { REDIS_URL_WORD = 256 };

/* Decoded; "" where the address does not say. */
struct redis_url {
    char host[REDIS_URL_WORD]; /* a name or a number, without brackets; "" with a path */
    char path[REDIS_URL_WORD]; /* of a Unix socket (unix:/run/redis.sock) */
    char user[REDIS_URL_WORD], password[REDIS_URL_WORD];
    int port, db;
};

/* False: *why is what is wrong with it, and never repeats any of its text. */
bool redis_url_read(const char *text, struct redis_url *url, const char **why)
    __attribute__((warn_unused_result));

#endif
