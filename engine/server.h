/* The clients' side: requests in, bytes out, back-pressure, who hung up. Wraps microhttpd.
 *
 * Depends on loop, head and buf; knows no Lua, no route, no provider. One server belongs to one
 * thread. Callbacks only tell that something happened: the owner acts later, in the same loop
 * turn, outside any of microhttpd's stack frames. */
#ifndef MOONGATE_SERVER_H
#define MOONGATE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct loop;
struct request;
struct server;

/* A header to send, or one that came. Name and value are borrowed for the call. */
struct http_header {
    const char *name;
    const char *value;
};

struct server_options {
    struct loop *loop;          /* borrowed; outlives the server */
    int listen_fd;              /* borrowed; shared with other workers (EPOLLEXCLUSIVE) */
    bool listen_ends;           /* nobody else listens on it when this server stops */
    bool admin;                 /* the admin listener: its requests say so */
    size_t max_body;            /* bytes of a request's body; more is a 413 */
    unsigned max_connections;   /* this worker's; above it a connection is refused */
    unsigned pause_connections; /* at this many none is taken, and they wait; 0: never */
    int64_t header_ms, body_ms; /* deadlines: whole head, whole body */
    int64_t idle_ms;            /* keep-alive */
    int64_t reader_stall_ms;    /* a stream's reader that takes nothing for so long is cut */
    /* The head is in and was audited; the body may still be coming. */
    void (*on_request)(void *ctx, struct request *request);
    /* Something the owner may wait for: the body is whole or failed, the client took bytes, or
     * it is gone. Never called after request_release(). */
    void (*on_ready)(void *ctx, struct request *request);
    void *ctx; /* borrowed */
};

/* NULL with *error set (static text) on failure; also when the head audit's self-test does not
 * bite (STACK.md 3.3): such a library must not be served with. */
struct server *server_open(const struct server_options *options, const char **error)
    __attribute__((warn_unused_result));

/* The library's version, for people. */
const char *server_library(void);

/* Once a loop turn, after the tasks ran: releases answers, writes stream bytes, runs
 * microhttpd. */
void server_turn(struct server *server);
/* Milliseconds until microhttpd wants a turn; -1: none. */
int64_t server_timeout_ms(const struct server *server);
/* For drain: take no new connections, close idle ones, answer the rest with Connection: close.
 */
void server_stop_accepting(struct server *server);
/* After server_stop_accepting(): somebody whose answer has just ended may have asked again on
 * the same connection before hearing that this is the end. */
bool server_lingers(const struct server *server);
size_t server_connections(const struct server *server);
size_t server_requests(const struct server *server); /* in flight */
/* Bytes of large bodies that are on their way. */
size_t server_coming(const struct server *server);
/* Ends every connection (resuming what is suspended first) and frees all. */
void server_close(struct server *server);

/* ---- one request; valid from on_request until request_release() -------------------------- */

enum request_body {
    REQUEST_BODY_COMING,    /* wait for on_ready */
    REQUEST_BODY_WHOLE,     /* *bytes are all of it */
    REQUEST_BODY_TOO_LARGE, /* 413 */
    REQUEST_BODY_TIMEOUT,   /* 408 */
    REQUEST_BODY_NO_MEMORY, /* 503 */
    REQUEST_BODY_BROKEN,    /* framing error or client gone */
};

const char *request_method(const struct request *request);
const char *
request_path(const struct request *request); /* raw, without the query, never decoded */
const char *request_query(const struct request *request); /* raw, "" when none */
/* NULL when absent; names compare without case. The first of several. */
const char *request_header(const struct request *request, const char *name);
/* How many headers of that name came (two that differ are refused by scripts). */
unsigned request_header_count(const struct request *request, const char *name);
/* A header as it came; borrowed from the request, ended by their lengths alone. */
struct request_field {
    const char *name, *value;
    size_t name_len, value_len;
};
/* False behind the last one. */
bool request_field(const struct request *request, unsigned index, struct request_field *field);
const char *request_peer(const struct request *request); /* numeric address, no port */
bool request_is_admin(const struct request *request);
bool request_is_gone(const struct request *request); /* the client hung up */
/* How long ago its last bytes came from the network. A system call. */
int64_t request_age_us(const struct request *request);
bool request_is_large(const struct request *request); /* its body counts in server_coming() */
int64_t request_started_ms(const struct request *request); /* monotonic: the head was in */

/* What has become of the body. The buffer stays the request's until release; the caller may
 * buf_take() it once whole. */
enum request_body request_body(struct request *request, struct buf **bytes);

/* The whole answer. `body` (may be NULL) becomes the server's, who frees it with free().
 * content-length, date and connection are the server's; all else is in `headers`. Answering
 * before the body was read drains a bounded rest (STACK.md finding 6) and closes. False:
 * already answered, gone, or no memory (`body` is freed all the same). */
bool request_respond(struct request *request, int status, const struct http_header *headers,
                     size_t n, char *body, size_t len);

/* Begin a stream: status and headers now, bytes by request_send(), end by request_finish(). */
bool request_begin(struct request *request, int status, const struct http_header *headers,
                   size_t n) __attribute__((warn_unused_result));
/* Queue bytes of a stream; they leave at server_turn(), framed as one chunk a turn. False:
 * gone, or no memory. Never waits: who sends much looks at request_unsent(). */
bool request_send(struct request *request, const void *bytes, size_t len)
    __attribute__((warn_unused_result));
size_t request_unsent(const struct request *request); /* bytes not yet taken by the kernel */
/* A stream with more than this unsent gets no more until its reader has taken some: with what
 * waits on the provider's side, 256 KiB in all (MATRICES.md 3.4). */
enum { REQUEST_CROWDED = 96 * 1024 };
/* End a stream. `clean` false: close the connection without the last chunk, so that nobody
 * takes what came for a whole answer. */
void request_finish(struct request *request, bool clean);

/* What is said to a request that is not served; borrowed for the call. */
struct request_refusal {
    int status;
    const char *body; /* NULL: a plain one */
    size_t len;
    const char *id; /* "": none */
    bool leave;     /* close the connection behind it */
};

/* Refuse, and forget as request_release() does; also from on_request(). The connection is kept
 * where the request was read whole. */
void request_refuse(struct request *request, const struct request_refusal *refusal);

/* The owner forgets the request. Unanswered: a plain 500. A stream not finished: as unclean. */
void request_release(struct request *request);

/* One pointer for the owner. */
void request_set_owner(struct request *request, void *owner);
void *request_owner(const struct request *request);

#endif
