#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"
#include "options_secret.h"
#include "say.h"

enum {
    MAX_WORKERS = 256,
    MAX_WORD = 32,
    MAX_DAYS = 36500,
    MAX_IN_FLIGHT = 100000,
    LEAST_MEMORY = 32 << 20,
    LEAST_QUEUE = 20, /* ms */
    MAX_QUEUE = 60000,
};

/* ---- the nearest right word ------------------------------------------------------------- */

static void lower(unsigned *value, unsigned other)
{
    if (other < *value) *value = other;
}

/* How many letters of the first i of `a` have to be changed, added, left out or swapped to
 * become the first j of `b`, where all shorter ones are known. */
static unsigned step(unsigned table[][MAX_WORD + 1], const char *a, const char *b, size_t i,
                     size_t j)
{
    if (i == 0 || j == 0) return (unsigned)(i + j);

    unsigned best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
    lower(&best, table[i - 1][j] + 1);
    lower(&best, table[i][j - 1] + 1);
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        lower(&best, table[i - 2][j - 2] + 1);
    }
    return best;
}

static unsigned distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    unsigned table[MAX_WORD + 1][MAX_WORD + 1];

    if (rows > MAX_WORD || columns > MAX_WORD) return MAX_WORD;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            table[i][j] = step(table, a, b, i, j);
        }
    }
    return table[rows][columns];
}

const char *options_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    unsigned nearest = (unsigned)strlen(word) / 3 + 1; /* farther is no help */

    for (; *words; words++) {
        unsigned far = distance(word, *words);
        if (far <= nearest && (!best || far < nearest)) {
            best = *words;
            nearest = far;
        }
    }
    return best;
}

/* ---- flags ------------------------------------------------------------------------------ */

enum flag {
    FLAG_ROUTES = 256,
    FLAG_LISTEN,
    FLAG_ADMIN,
    FLAG_ADMIN_TOKEN_FILE,
    FLAG_DATA,
    FLAG_DURABILITY,
    FLAG_RETENTION,
    FLAG_WORKERS,
    FLAG_PROVIDERS,
    FLAG_SCRIPTS,
    FLAG_VOCABULARIES,
    FLAG_WATCH,
    FLAG_LOG_LEVEL,
    FLAG_IN_FLIGHT,
    FLAG_MEMORY,
    FLAG_QUEUE,
    FLAG_CORE,
    FLAG_CA_FILE,
};

static const struct option flags[] = {
    {"routes", required_argument, NULL, FLAG_ROUTES},
    {"listen", required_argument, NULL, FLAG_LISTEN},
    {"admin", required_argument, NULL, FLAG_ADMIN},
    {"admin-token-file", required_argument, NULL, FLAG_ADMIN_TOKEN_FILE},
    {"durability", required_argument, NULL, FLAG_DURABILITY},
    {"retention", required_argument, NULL, FLAG_RETENTION},
    {"data", required_argument, NULL, FLAG_DATA},
    {"workers", required_argument, NULL, FLAG_WORKERS},
    {"in-flight", required_argument, NULL, FLAG_IN_FLIGHT},
    {"memory", required_argument, NULL, FLAG_MEMORY},
    {"queue", required_argument, NULL, FLAG_QUEUE},
    {"core", no_argument, NULL, FLAG_CORE},
    {"ca-file", required_argument, NULL, FLAG_CA_FILE},
    {"providers", required_argument, NULL, FLAG_PROVIDERS},
    {"scripts", required_argument, NULL, FLAG_SCRIPTS},
    {"vocabularies", required_argument, NULL, FLAG_VOCABULARIES},
    {"watch", no_argument, NULL, FLAG_WATCH},
    {"log-level", required_argument, NULL, FLAG_LOG_LEVEL},
    {NULL, 0, NULL, 0},
};

static bool complain(const char *flag, const char *value, const char *want)
{
    say_error("moongate serve: --%s %s: %s\n", flag, value, want);
    return false;
}

static bool read_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && *end == '\0' && port <= 65535;
}

bool options_address(const char *text)
{
    const char *colon = strrchr(text, ':');

    if (strncmp(text, "unix:", 5) == 0) return text[5] != '\0';
    return colon && colon != text && read_port(colon + 1);
}

static bool read_listen(const char *value, const char **address)
{
    *address = value;
    return options_address(value) ||
           complain("listen", value, "an address is HOST:PORT or unix:PATH");
}

static bool read_admin(const char *value, const char **address)
{
    *address = value;
    if (strcmp(value, "off") == 0) return true;
    return options_address(value) ||
           complain("admin", value, "an address is HOST:PORT, unix:PATH or off");
}

bool options_check_admin(const struct moongate_options *options)
{
    if (strcmp(options->admin, "off") == 0 || options->admin_token) return true;
    return listen_is_loopback(options->admin) ||
           complain(
               "admin", options->admin,
               "without an admin token (MOONGATE_ADMIN_TOKEN, --admin-token-file) it is for "
               "this machine only: 127.0.0.1:PORT, unix:PATH or off");
}

/* A whole number from 1 to `most`. */
static bool read_number(const char *value, unsigned long most, unsigned *number)
{
    char *end;
    unsigned long count = strtoul(value, &end, 10);

    *number = (unsigned)count;
    return *value >= '0' && *value <= '9' && *end == '\0' && count > 0 && count <= most;
}

static bool read_workers(const char *value, unsigned *workers)
{
    return read_number(value, MAX_WORKERS, workers) ||
           complain("workers", value, "a number from 1 to 256");
}

static bool read_days(const char *value, unsigned *days)
{
    return read_number(value, MAX_DAYS, days) ||
           complain("retention", value, "days, from 1 to 36500");
}

static bool read_in_flight(const char *value, unsigned *requests)
{
    return read_number(value, MAX_IN_FLIGHT, requests) ||
           complain("in-flight", value, "requests of one worker, from 1 to 100000");
}

/* "512M", "2G"; "off". */
static bool read_memory(const char *value, long long *bytes)
{
    char *end;
    unsigned long long size = strtoull(value, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

    *bytes = -1;
    if (strcmp(value, "off") == 0) return true;
    if (*value >= '0' && *value <= '9' && size < 1ULL << 30 && (!shift || end[1] == '\0') &&
        (shift || *end == '\0') && size << shift >= LEAST_MEMORY) {
        *bytes = (long long)(size << shift);
        return true;
    }
    return complain("memory", value, "a size as 512M or 2G, from 32M on, or off");
}

static bool read_queue(const char *value, int *ms)
{
    char *end;
    unsigned long count = strtoul(value, &end, 10);

    *ms = -1;
    if (strcmp(value, "off") == 0) return true;
    if (*value >= '0' && *value <= '9' && (*end == '\0' || strcmp(end, "ms") == 0) &&
        count >= LEAST_QUEUE && count <= MAX_QUEUE) {
        *ms = (int)count;
        return true;
    }
    return complain("queue", value, "milliseconds, from 20 to 60000, or off");
}

static bool read_durability(const char *value, enum moongate_durability *durability)
{
    static const char *const modes[] = {"safe", "fast", "strict", NULL};

    for (size_t i = 0; modes[i]; i++) {
        *durability = (enum moongate_durability)i;
        if (strcmp(modes[i], value) == 0) return true;
    }
    return complain("durability", value, "one of fast, safe, strict");
}

static bool read_level(const char *value, const char **level)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

    *level = value;
    for (size_t i = 0; levels[i]; i++) {
        if (strcmp(levels[i], value) == 0) return true;
    }
    return complain("log-level", value, "one of debug, info, warn, error");
}

/* Who trusts nobody by mistake should hear of it before the first call. */
static bool read_ca_file(const char *value, const char **path)
{
    *path = value;
    return access(value, R_OK) == 0 || complain("ca-file", value, strerror(errno));
}

static bool read_flag(int flag, const char *value, struct moongate_options *options)
{
    switch (flag) {
    case FLAG_DURABILITY: return read_durability(value, &options->durability);
    case FLAG_RETENTION: return read_days(value, &options->retention_days);
    case FLAG_ROUTES: options->routes = value; return true;
    case FLAG_LISTEN: return read_listen(value, &options->listen);
    case FLAG_ADMIN: return read_admin(value, &options->admin);
    case FLAG_DATA: options->data_dir = value; return true;
    case FLAG_WORKERS: return read_workers(value, &options->workers);
    case FLAG_PROVIDERS: options->providers_dir = value; return true;
    case FLAG_SCRIPTS: options->scripts_dir = value; return true;
    case FLAG_VOCABULARIES: options->vocabularies_dir = value; return true;
    case FLAG_WATCH: options->watch = true; return true;
    case FLAG_CORE: options->core = true; return true;
    case FLAG_CA_FILE: return read_ca_file(value, &options->ca_file);
    case FLAG_IN_FLIGHT: return read_in_flight(value, &options->in_flight);
    case FLAG_MEMORY: return read_memory(value, &options->memory);
    case FLAG_QUEUE: return read_queue(value, &options->queue_ms);
    default: return read_level(value, &options->log_level);
    }
}

static const char *nearest_flag(const char *word)
{
    static const char *const names[] = {"--routes",    "--listen",
                                        "--admin",     "--data",
                                        "--workers",   "--providers",
                                        "--scripts",   "--watch",
                                        "--log-level", "--vocabularies",
                                        "--help",      "--durability",
                                        "--retention", "--admin-token-file",
                                        "--in-flight", "--memory",
                                        "--queue",     "--core",
                                        "--ca-file",   NULL};

    return options_nearest(word, names);
}

static bool unknown(const char *word)
{
    const char *meant = word[0] == '-' ? nearest_flag(word) : NULL;

    say_error("moongate serve: unknown %s %s", word[0] == '-' ? "flag" : "word", word);
    if (meant) say_error("; did you mean %s?", meant);
    say_error("\nmoongate serve --help lists the flags\n");
    return false;
}

bool options_read(int argc, char **argv, struct moongate_options *options)
{
    *options = (struct moongate_options){
        .listen = "127.0.0.1:4000", .admin = "127.0.0.1:4001", .data_dir = "data", .log_fd = 2};
    const char *token_file = NULL;

    opterr = 0;
    optind = 1;
    for (;;) {
        int at = optind;
        int flag = getopt_long(argc, argv, "+:", flags, NULL);
        if (flag == -1) break;
        if (flag == '?') return unknown(argv[at]);
        if (flag == ':') {
            say_error("moongate serve: %s needs a value\n", argv[at]);
            return false;
        }
        if (flag == FLAG_ADMIN_TOKEN_FILE) {
            token_file = optarg;
        } else if (!read_flag(flag, optarg, options)) {
            return false;
        }
    }
    if (optind != argc) return unknown(argv[optind]);
    return options_take_secrets(options, token_file) && options_check_admin(options);
}
