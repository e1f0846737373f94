#include "options_secret.h"

#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "say.h"
#include "secret_file.h"

enum { LEAST_TOKEN = 16, MOST_TOKEN = 512, MOST_NODE = 64 };

/* A copy of what the variable holds, which is gone after. NULL: it is not set, or empty. */
static char *take(const char *name)
{
    char *value = getenv(name);
    char *copy = value && *value ? strdup(value) : NULL;

    if (value) digest_wipe(value, strlen(value));
    (void)unsetenv(name);
    return copy;
}

static char *read_file(const char *path)
{
    char bytes[MOST_TOKEN + 2];
    const char *why;
    ssize_t len = secret_file_read(path, bytes, sizeof(bytes), &why);

    if (len < 0) {
        say_error("moongate serve: --admin-token-file %s: %s\n", path, why);
        return NULL;
    }
    char *copy = strndup(bytes, (size_t)len);
    if (copy) copy[strcspn(copy, "\r\n")] = '\0';
    digest_wipe(bytes, sizeof(bytes));
    return copy;
}

static bool is_token(const char *text)
{
    size_t len = strlen(text);

    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at > '~') return false;
    }
    return len >= LEAST_TOKEN && len <= MOST_TOKEN;
}

static bool is_node(const char *text)
{
    size_t len =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return len == strlen(text) && len <= MOST_NODE;
}

static void drop(const char **secret)
{
    char *bytes; /* ours, though the options only lend it on */

    memcpy(&bytes, secret, sizeof(bytes));
    *secret = NULL;
    if (bytes) digest_wipe(bytes, strlen(bytes));
    free(bytes);
}

bool options_take_secrets(struct moongate_options *options, const char *token_file)
{
    options->admin_token = take("MOONGATE_ADMIN_TOKEN");
    options->redis_url = take("MOONGATE_REDIS_URL");
    options->postgres_url = take("MOONGATE_POSTGRES_URL");
    options->node = take("MOONGATE_NODE");
    if (token_file) {
        drop(&options->admin_token);
        options->admin_token = read_file(token_file);
        if (!options->admin_token) return false;
    }
    if (options->admin_token && !is_token(options->admin_token)) {
        say_error("moongate serve: the admin token must have 16 to 512 letters, digits and "
                  "signs, without blanks\n");
        return false;
    }
    if (options->node && !is_node(options->node)) {
        say_error("moongate serve: MOONGATE_NODE must have at most 64 letters, digits, dots, "
                  "dashes and underscores\n");
        return false;
    }
    return true;
}

void options_drop_secrets(struct moongate_options *options)
{
    drop(&options->admin_token);
    drop(&options->redis_url);
    drop(&options->postgres_url);
    drop(&options->node);
}
