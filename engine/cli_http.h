/* One HTTP request to a gateway on this machine, over a blocking socket.
 *
 * Knows sockets alone. For the command line: never on a worker's thread. */
#ifndef MOONGATE_CLI_HTTP_H
#define MOONGATE_CLI_HTTP_H

#include <stddef.h>

struct buf;

enum cli_outcome {
    CLI_ANSWERED,
    CLI_SILENT,      /* connected, but no whole answer in time */
    CLI_UNREACHABLE, /* errno tells */
    CLI_BROKEN,
};

/* All borrowed. */
struct cli_request {
    const char *address; /* "HOST:PORT" or "unix:PATH" */
    const char *target;  /* "POST /path" */
    const char *token;   /* of the admin listener; NULL or "": none */
    const char *body;    /* JSON; NULL: none */
    size_t body_len;
    int seconds; /* how long it may be silent */
};

/* All that came back is in *answer. */
enum cli_outcome cli_http(const struct cli_request *request, struct buf *answer);

/* 0: that was no HTTP. */
int cli_http_status(const struct buf *answer);
const char *cli_http_body(const struct buf *answer, size_t *len);

#endif
