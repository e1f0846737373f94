/* The providers' side: requests out, bytes in, pause, cancel. Wraps curl's multi interface.
 *
 * Depends on loop, resolve and buf; knows no Lua, no provider. One client belongs to one
 * thread. on_ready only tells that something happened; it is called from inside curl's frames,
 * so the owner notes it and acts later. */
#ifndef MOONGATE_CLIENT_H
#define MOONGATE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h" /* struct http_header */

struct buf;
struct client;
struct loop;
struct resolver;
struct upstream;

/* Milliseconds; 0: none. */
struct client_timeouts {
    int64_t connect_ms;     /* name, TCP, TLS */
    int64_t first_event_ms; /* from sending to the first upstream_progress(); streams only */
    int64_t idle_ms;        /* no byte for so long; streams only */
    int64_t event_ms;       /* from one upstream_progress() to the next; streams only */
    int64_t total_ms;       /* from client_open() on */
};

struct client_request {
    const char *method;
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    const char *body; /* borrowed until upstream_close(); NULL: none */
    size_t body_len;
    struct client_timeouts timeouts;
    bool stream;     /* the answer is read piece by piece: pauses above a mark */
    bool private;    /* a public name may lead to an address within (address.h) */
    size_t max_body; /* of a whole answer */
    void (*on_ready)(void *owner);
    void *owner;
};

/* Both are borrowed and outlive the client; one resolver serves the whole process. */
struct client *client_new(struct loop *loop, struct resolver *resolver)
    __attribute__((warn_unused_result));
/* Every transfer was closed before. */
void client_free(struct client *client);
/* Trust the certificates in this file instead of the system's. Before the first transfer.
 * False: no memory. */
bool client_trust(struct client *client, const char *ca_file)
    __attribute__((warn_unused_result));

/* The libraries' versions, for people. */
const char *client_library(void);
const char *client_tls_library(void);

/* Prepare a transfer; it leaves at the next client_turn(). NULL: no memory, or a header or URL
 * that may not be sent (CR, LF, NUL: STACK.md K12; a scheme that is neither http nor https). */
struct upstream *client_open(struct client *client, const struct client_request *request)
    __attribute__((warn_unused_result));

/* Once a loop turn, after the tasks ran and the journal was flushed: starts what was opened,
 * collects what ended. */
void client_turn(struct client *client);
size_t client_active(const struct client *client);

/* The first that holds. */
enum upstream_state {
    UPSTREAM_WAITING, /* no status line yet */
    UPSTREAM_OPEN,    /* status and headers are here, the body is coming */
    UPSTREAM_ENDED,   /* the body is whole */
    UPSTREAM_FAILED,  /* see upstream_failure(); bytes received before may still be read */
};

struct upstream_failure {
    const char *kind; /* static: dns connect connect_timeout tls closed timeout
                         first_token_timeout stalled truncated invalid too_large blocked */
    const char
        *message; /* for people; never holds a header or a credential; valid until close */
    bool sent;    /* the request may have reached the provider */
};

enum upstream_state upstream_state(const struct upstream *upstream);
const struct upstream_failure *upstream_failure(const struct upstream *upstream); /* or NULL */
int upstream_status(const struct upstream *upstream);
const char *upstream_header(const struct upstream *upstream, const char *name); /* or NULL */
/* Received and not yet consumed. buf_consume() through upstream_consume() only, which lets a
 * paused transfer go on; buf_take() is allowed once ENDED. */
struct buf *upstream_bytes(struct upstream *upstream);
/* 0 means: what is here is not enough to find anything (an event larger than the mark); more
 * will come although nothing was taken. */
void upstream_consume(struct upstream *upstream, size_t len);
/* A real event was read, or its reader is what is slow: ends the first-event clock, and turns
 * the clock between events back. */
void upstream_progress(struct upstream *upstream);
int64_t upstream_first_byte_ms(const struct upstream *upstream); /* monotonic; 0: none yet */
/* Ends the transfer if it runs; the connection is dropped unless the answer was whole. */
void upstream_close(struct upstream *upstream);

#endif
