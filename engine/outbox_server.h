/* One connection to PostgreSQL that is opened when it is needed, and statements that end within
 * a time or are told what kind of trouble they met.
 *
 * Knows libpq through outbox_library.h, and no table. Belongs to one thread, which waits here;
 * a byte on `wake_fd` ends any wait. */
#ifndef MOONGATE_OUTBOX_SERVER_H
#define MOONGATE_OUTBOX_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct outbox_library;
struct outbox_server;
struct resolver;

enum {
    OUTBOX_CONNECT_MS = 10000,
    OUTBOX_STATEMENT_MS = 30000,
};

enum outbox_result {
    OUTBOX_DONE,
    OUTBOX_LATER,    /* nothing is wrong with what was sent: again after a while */
    OUTBOX_BAD_ROW,  /* the server will not have one of these rows */
    OUTBOX_NO_TABLE, /* a table is missing */
    OUTBOX_STOPPED,  /* woken: the process ends */
};

/* Borrowed, all of them. */
struct outbox_server_options {
    const struct outbox_library *library;
    struct resolver *resolver; /* libpq would wait for name servers, with no way to wake it */
    const char *url;  /* postgres://… or key=value …; of a server that may be away */
    const char *name; /* of this gateway, in the server's list of sessions */
    int wake_fd;
};

/* NULL: no memory. */
struct outbox_server *outbox_server_new(const struct outbox_server_options *options)
    __attribute__((warn_unused_result));
void outbox_server_free(struct outbox_server *server);

/* Run one statement with two text parameters, or (both NULL) several without any. *count: rows
 * that it changed, or the number it returned. */
enum outbox_result outbox_server_run(struct outbox_server *server, const char *statement,
                                     const char *const parameters[2], int64_t *count)
    __attribute__((warn_unused_result));

/* Why the last one was not done, in one line. */
const char *outbox_server_why(const struct outbox_server *server);
/* Whether the last statement got an answer, be it a bad one. */
bool outbox_server_is_up(const struct outbox_server *server);

/* Is this an address; *password: its password, for free(), or NULL. */
bool outbox_server_address(const struct outbox_library *library, const char *url,
                           char **password) __attribute__((warn_unused_result));

#endif
