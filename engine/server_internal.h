/* What the files of the server share, and nobody else sees.
 *
 *   server.c             open, accept, one turn, close
 *   server_connection.c  microhttpd's callbacks, and who owns a connection when
 *   server_answer.c      whole answers and the heads of streams, by microhttpd
 *   server_raw.c         bytes written past microhttpd: streams, and answers it cannot give
 *   server_request.c     what the owner of a request sees */
#ifndef MOONGATE_SERVER_INTERNAL_H
#define MOONGATE_SERVER_INTERNAL_H

#include <arpa/inet.h>

#include "buf.h"
#include "head.h"
#include "loop.h"
#include "server.h"

struct MHD_Connection;
struct MHD_Daemon;

/* Who may touch the socket, and what for. "Suspended" is microhttpd's word: it does not look at
 * such a connection, and every way out of there is a resume. */
enum connection_state {
    CONNECTION_READING,  /* microhttpd's: idle, or reading a head or a body */
    CONNECTION_PARKED,   /* suspended: the body, or its rest, is not being read */
    CONNECTION_HELD,     /* suspended: the request is whole and waits for its answer */
    CONNECTION_HEAD,     /* microhttpd's: it sends the head of a stream */
    CONNECTION_RAW,      /* suspended: stream bytes are written by us */
    CONNECTION_LAST,     /* microhttpd's: it sends a whole answer, or the end of a stream */
    CONNECTION_DRAINING, /* suspended: answered by us; what still comes is thrown away */
    CONNECTION_CLOSING,  /* microhttpd's, to be closed and nothing else */
};

enum stream_end { STREAM_OPEN, STREAM_CLEAN, STREAM_CUT };

struct connection {
    struct server *server;      /* borrowed */
    struct MHD_Connection *mhd; /* borrowed; until the connection is freed */
    struct request *request;    /* the one being read or answered, or NULL */
    struct loop_watch watch; /* hang-ups always; readable and writable where we wait for it */
    uint32_t events;         /* what is watched for */
    struct loop_timer timer; /* fires at the deadline or before */
    int64_t deadline_ms;     /* 0: none */
    int fd;                  /* borrowed from microhttpd, which closes it */
    enum connection_state state;
    enum stream_end end;
    bool served;    /* a request came before on this connection */
    bool hangup;    /* the client closed, or its sending half */
    bool lost;      /* no answer will reach it; waits to be closed */
    bool dirty;     /* in the server's list of those with work to do */
    bool unframed;  /* bytes go out without chunk framing: HTTP/1.0, or not a stream */
    bool crowded;   /* more than LOW_WATER was unsent: the owner hears when that is over */
    bool blocked;   /* the kernel has no room; EPOLLOUT will tell */
    bool pauses;    /* a stream that was cut: all is said, and the client has time to hear it */
    bool shut;      /* our half is shut: what was to be said is said */
    struct buf out; /* bytes not yet taken by the kernel, and those of the chunk in hand */
    size_t chunk,
        chunk_sent;      /* the chunk in hand: its content's size; sent, framing included */
    size_t drained;      /* bytes thrown away */
    int64_t progress_ms; /* when the kernel last took something */
    uint64_t acked;      /* what the client's kernel had taken at the last look */
    struct connection *next, *prev;             /* all of the server's; next: also the pool's */
    struct connection *dirty_next, *dirty_prev; /* valid while dirty */
    char peer[INET6_ADDRSTRLEN];
};

struct request {
    struct server *server; /* borrowed; NULL when the server was closed before the owner */
    struct connection *connection; /* borrowed; NULL once microhttpd is done with the request */
    void *owner;                   /* the owner's pointer */
    bool announced;                /* on_request was called */
    bool owned;                    /* … and request_release() was not */
    bool forgotten;                /* released where nothing may be said: at the next turn */
    bool gone;                     /* the client is, or an answer can no longer reach it */
    bool answered;                 /* begun or whole */
    bool streaming;                /* begun, and not finished by the owner */
    bool mute;                     /* the answer has no content: what is sent is dropped */
    bool asked;                    /* a body that waits for 100 Continue was asked for */
    bool leaves;                   /* its answer closes the connection */
    enum request_body body;
    size_t coming;           /* bytes of its body that the server counts as on their way */
    struct refusal *refusal; /* owned; what is said instead of a plain 500; NULL */
    struct buf bytes;        /* the body */
    struct head head;
    char *text; /* owned: the target, then the head's bytes, each kept beyond the library's */
    size_t text_cap;
    size_t target_len;
    const char *query;    /* into text */
    const char *raw;      /* borrowed while the head is read: where the target was */
    const char *method;   /* into text */
    int64_t started_ms;   /* the head was in */
    int64_t body_from_ms; /* the body was first waited for */
    char peer[INET6_ADDRSTRLEN];
    struct request *next, *prev; /* all of the server's in use; next: also the pool's */
};

/* A copy of what was given to request_refuse(). */
struct refusal {
    int status;
    char id[48];
    size_t len;
    char body[]; /* without a NUL */
};

/* Content to send. */
struct answer_body {
    char *bytes; /* borrowed, or taken: the function says */
    size_t len;
    bool omitted; /* only its length is told: HEAD */
};

struct server {
    struct server_options options;
    struct MHD_Daemon *daemon; /* owned */
    struct loop_watch library; /* microhttpd's own epoll */
    struct loop_watch listener;
    struct loop_timer retry; /* accepts again after the descriptors ran out, or are kept */
    struct connection *connections; /* owned; all of them */
    struct request *requests;       /* owned; all in use */
    struct connection *dirty;       /* borrowed; those with work to do in server_turn() */
    struct request *request_pool;   /* owned */
    struct connection *accepting;   /* borrowed; during MHD_add_connection() */
    size_t connection_count, request_count;
    size_t coming; /* bytes of large bodies on their way */
    size_t pooled;
    int64_t linger_until_ms; /* while stopping */
    bool paused;             /* nothing is accepted: as many connections as may be are there */
    bool due;                /* microhttpd must run */
    bool running;            /* … and is: the owner may not answer from here */
    bool closing;            /* owners hear nothing any more */
    bool stopping;           /* no new connections; the rest with Connection: close */
    bool probing;            /* the self-test: heads are judged, not served */
    const struct head_refusal *verdict; /* of the last probe */
    bool judged;                        /* there was one */
};

enum {
    LOW_WATER = 64 * 1024,        /* fewer unsent bytes than this are worth telling */
    OUT_LIMIT = 32 * 1024 * 1024, /* unsent bytes of one stream, at most */
    DRAIN_BYTES = 1024 * 1024,    /* read and thrown away behind an early answer */
    DRAIN_MS = 1000,
    CUT_MS = 250,               /* for a client to hear why its stream ends */
    LINGER_MS = 1000,           /* for a request that was sent before its sender knew better */
    TICK_MS = 10000,            /* a connection's timer never sleeps longer */
    LARGE_BODY = 64 * 1024,     /* smaller ones are not counted while they come */
    UNKNOWN_BODY = 1024 * 1024, /* what a chunked one counts as */
};

/* ---- server.c ---- */

/* Run microhttpd once. */
void server_run(struct server *server);
/* A connection ended: another may come where they were held off. */
void server_has_room(struct server *server);

/* ---- server_connection.c: what a connection is up to ---- */

struct connection *connection_new(struct server *server, int fd);
void connection_free(struct connection *connection);
/* Watch for hang-ups, and for `more` (EPOLLIN, EPOLLOUT). False: the kernel refused. */
bool connection_watch(struct connection *connection, uint32_t more);
/* 0: none. */
void connection_set_deadline(struct connection *connection, int64_t at_ms);
void connection_mark_dirty(struct connection *connection);
/* No answer can reach the client any more: tells the owner; closed at the next turn. */
void connection_lose(struct connection *connection);
/* The body is waited for from now on, and read. */
void connection_expect_body(struct connection *connection);
/* The body cannot be had; PARKED until the owner answers. */
void connection_stop_body(struct connection *connection, enum request_body why);
/* Into DRAINING: what is in `out` goes to the client, then the connection is closed. */
void connection_drain(struct connection *connection);
/* What is to be done for a dirty connection, once a turn. */
void connection_work(struct connection *connection);
/* The request is over: back to READING, for the next. */
void connection_reset(struct connection *connection);

/* ---- server_library.c: microhttpd ---- */

struct MHD_Daemon *library_start(struct server *server);
/* microhttpd takes the descriptor. False: it closed it, and `connection` was freed. */
bool library_add(struct connection *connection, const struct sockaddr *address, socklen_t len);
bool library_is_suspended(const struct connection *connection);
/* From microhttpd's state into a suspended one. */
void library_suspend(struct connection *connection, enum connection_state state);
/* Out of a suspended state. */
void library_resume(struct connection *connection, enum connection_state state);
/* microhttpd found a fault by itself and is answering. */
bool library_answers(const struct connection *connection);

/* ---- server_answer.c: what is said ---- */

/* A head that is refused; the connection is PARKED. */
void answer_refusal(struct connection *connection, const struct head_refusal *refusal);
/* To a connection above the cap. Takes the descriptor. */
void answer_busy(int fd);

/* ---- server_raw.c: bytes past microhttpd ---- */

size_t raw_unsent(const struct connection *connection);
/* Write what can be written. False: the client is gone. */
bool raw_flush(struct connection *connection);
/* Throw away what came, up to a limit. True: the client has nothing more to say. */
bool raw_drain(struct connection *connection);

/* ---- server_request.c: what the owner sees ---- */

struct request *request_new(struct connection *connection, const char *target);
/* Keep the head's bytes beyond the library's. False: no memory. */
bool request_keep_head(struct request *request, size_t size);
/* Its body begins to come; has come, or will not. */
void request_body_begins(struct request *request);
void request_body_ends(struct request *request, enum request_body how);
/* Tell the owner that something happened, if there is one. */
void request_tell(struct request *request);
/* Answer, or end, what its owner left. */
void request_abandon(struct request *request);
/* microhttpd is done with it. */
void request_detach(struct request *request, bool delivered);
/* At the server's end. Those that still have an owner are left to request_release(). */
void requests_free(struct server *server);

#endif
