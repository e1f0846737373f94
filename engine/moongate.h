/* moongate, embedded: three calls. The only header that outsiders include.
 *
 * A gateway runs in threads of its own; it installs no signal handler (SIGPIPE is the caller's
 * to ignore) and owns no file of the caller's. */
#ifndef MOONGATE_H
#define MOONGATE_H

#include <stdbool.h>

/* All other names of the library are its own business. */
#pragma GCC visibility push(default)

struct moongate;

/* When the journal's lines are on disk (in every mode they are on file before an answer ends,
 * so that a crash of the process loses none). */
enum moongate_durability {
    MOONGATE_SAFE,   /* within 50 ms: what a power cut may take */
    MOONGATE_FAST,   /* when the system pleases */
    MOONGATE_STRICT, /* before a call leaves, and before an answer ends */
};

/* Zeroed members mean the default. Strings and descriptors are borrowed for the gateway's life.
 */
struct moongate_options {
    const char *routes;   /* a file; NULL: ./routes.lua if it is there, else the built-in one */
    const char *listen;   /* "127.0.0.1:4000" */
    const char *admin;    /* "127.0.0.1:4001", "unix:/path", "off" */
    const char *data_dir; /* "data": the usage journal */
    const char *providers_dir;    /* drop-in adapters; NULL: none */
    const char *scripts_dir;      /* scripts for development; NULL: the built-in ones */
    const char *vocabularies_dir; /* NULL: `vocabularies` beside the binary, or installed */
    const char *log_level;        /* "debug" "info" "warn" "error" */
    const char *ca_file;          /* certificates to trust providers by; NULL: the system's */
    const char *admin_token;  /* who has it may use the admin listener from anywhere; NULL */
    const char *redis_url;    /* limits are shared with other gateways; NULL: they are not */
    const char *postgres_url; /* usage goes there too; NULL: it does not */
    const char *node;         /* this gateway's name among others; NULL: made up */
    enum moongate_durability durability;
    unsigned retention_days; /* of single requests in the ledger; 0: 90 */
    unsigned in_flight;      /* requests of one worker at once; 0: 4,000 */
    long long memory;        /* bytes to stay below; 0: 3/4 of what there is; -1: no ceiling */
    int queue_ms;     /* what a request may wait for its turn, for long; 0: 500; -1: for ever */
    unsigned workers; /* 0: one a core */
    bool watch;       /* reload when a routes, provider or script file is saved */
    bool core;        /* the supervisor leaves core files and debuggers alone */
    int log_fd;       /* 0: standard error */
    int listen_fd, admin_fd; /* listening sockets from a supervisor; 0: opened here */
    bool listen_ends;        /* nobody goes on with listen_fd when this gateway stops */
    const char *crashed;     /* why the process before this one ended, for the log; NULL */
};

/* Load the routes and serve. NULL with *error (free() it) set and errno telling what kind of
 * failure: EINVAL: the routes were refused, and *error has every reason with its line; else
 * what the system said. Returns when the first request can be answered. */
struct moongate *moongate_start(const struct moongate_options *options, char **error)
    __attribute__((warn_unused_result));

/* Read all files again; new requests are served by them, running ones finish on the old. Any
 * thread; waits until every worker has changed over. False: refused, *error (free() it) says
 * why with the line, and nothing changed. */
bool moongate_reload(struct moongate *gateway, char **error);

/* Stop accepting, let requests finish for at most drain_ms, cut the rest, free everything. */
void moongate_stop(struct moongate *gateway, int drain_ms);

#pragma GCC visibility pop

#endif
