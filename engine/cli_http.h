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

/* address: "HOST:PORT" or "unix:PATH"; target: "POST /path". All that came back is in *answer.
 */
enum cli_outcome cli_http(const char *address, const char *target, int seconds,
                          struct buf *answer);

/* 0: that was no HTTP. */
int cli_http_status(const struct buf *answer);
const char *cli_http_body(const struct buf *answer, size_t *len);

#endif
