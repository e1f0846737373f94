#include "redis_url.h"

#include <stdlib.h>
#include <string.h>

struct span {
    const char *at, *end;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* %XX and all else as it is. False: too long, or a NUL. */
static bool decode(struct span in, char out[REDIS_URL_WORD])
{
    size_t n = 0;

    while (in.at < in.end && n + 1 < REDIS_URL_WORD) {
        char c = *in.at++;
        if (c == '%' && in.end - in.at >= 2 && hex(in.at[0]) >= 0 && hex(in.at[1]) >= 0) {
            c = (char)(hex(in.at[0]) * 16 + hex(in.at[1]));
            in.at += 2;
        }
        if (c == '\0') return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return in.at == in.end;
}

static bool read_number(struct span in, long max, int *number)
{
    char *end;
    long value;

    if (in.at == in.end || *in.at < '0' || *in.at > '9') return false;
    value = strtol(in.at, &end, 10);
    if (end != in.end || value > max) return false;
    *number = (int)value;
    return true;
}

/* user:password, :password, user */
static bool read_login(struct span in, struct redis_url *url)
{
    const char *colon = memchr(in.at, ':', (size_t)(in.end - in.at));
    struct span user = {in.at, colon ? colon : in.end};

    if (colon && !decode((struct span){colon + 1, in.end}, url->password)) return false;
    return decode(user, url->user);
}

static bool read_place(struct span in, struct redis_url *url)
{
    size_t len = (size_t)(in.end - in.at);
    const char *close = in.at < in.end && *in.at == '[' ? memchr(in.at, ']', len) : NULL;
    const char *colon = memrchr(in.at, ':', len);
    struct span host = {in.at, in.end};

    if (close) {
        host = (struct span){in.at + 1, close};
        colon = close + 1 < in.end ? close + 1 : NULL;
        if (colon && *colon != ':') return false;
    } else if (colon) {
        host.end = colon;
    }
    if (colon && !read_number((struct span){colon + 1, in.end}, 65535, &url->port)) {
        return false;
    }
    return host.at < host.end && decode(host, url->host);
}

static const char *first_of(const char *at, const char *end, char c)
{
    const char *found = memchr(at, c, (size_t)(end - at));

    return found ? found : end;
}

static bool read_tcp(const char *text, struct redis_url *url, const char **why)
{
    const char *end = text + strcspn(text, "?#");
    const char *slash = first_of(text, end, '/');
    const char *at = memrchr(text, '@', (size_t)(slash - text));

    *why = "its sign-in part is wrong: redis://USER:PASSWORD@HOST:PORT/DB, others as %XX";
    if (at && !read_login((struct span){text, at}, url)) return false;
    *why = "its host or port is wrong: redis://HOST:PORT";
    if (!read_place((struct span){at ? at + 1 : text, slash}, url)) return false;
    *why = "the number of its database is wrong: redis://HOST:PORT/0";
    if (slash < end && slash + 1 < end &&
        !read_number((struct span){slash + 1, end}, 65535, &url->db)) {
        return false;
    }
    *why = "options behind ? or # are not understood";
    return *end == '\0';
}

bool redis_url_read(const char *text, struct redis_url *url, const char **why)
{
    *url = (struct redis_url){.port = 6379};
    if (strncmp(text, "redis://", 8) == 0) return read_tcp(text + 8, url, why);
    if (strncmp(text, "rediss://", 9) == 0) {
        *why = "rediss:// (TLS) is not available: the Redis library this is built on (hiredis "
               "0.14) has none; put a TLS tunnel beside the gateway and name that";
        return false;
    }
    *why = "the path of its socket is wrong: unix:/run/redis/redis.sock";
    if (strncmp(text, "unix:", 5) == 0) {
        return text[5] && decode((struct span){text + 5, text + strlen(text)}, url->path);
    }
    *why = "it must begin with redis:// or unix:";
    return false;
}
