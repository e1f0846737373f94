/* What the client's files share; nobody else includes it.
 *
 * client.c: transfers and turns. client_clock.c: their deadlines. client_socket.c: descriptors.
 * client_name.c: hosts that have to be resolved. client_send.c: what leaves. client_receive.c:
 * what arrives. */
#ifndef MOONGATE_CLIENT_PARTS_H
#define MOONGATE_CLIENT_PARTS_H

#include "client.h"

#include <curl/curl.h>

#include "buf.h"
#include "loop.h"
#include "resolve.h"

enum {
    MAX_URL = 16 * 1024,
    MAX_LINES = 256 * 1024,      /* header lines of a request */
    STREAMS_A_MULTI = 256,       /* curl walks a host's connections (STACK.md 3.1) */
    PAUSE_AT = 48 * 1024,        /* of a stream, received and not consumed */
    STREAM_WINDOW = 128 * 1024,  /* of a stream, received by the kernel and not read */
    MAX_STREAM_BYTES = 16 << 20, /* even where the reader asks for more before it takes */
    MAX_HEAD = 64 * 1024,        /* of an answer */
    MAX_HEADERS = 200,
    WRITE_STALL_MS = 30000, /* the provider takes none of our bytes (U-66) */
};

/* One of curl's multis. */
struct shard {
    CURLM *multi;            /* owned */
    struct client *client;   /* borrowed: the owner */
    struct loop_timer timer; /* curl's own deadlines */
    bool due;                /* curl wants a turn as soon as we are out of its frames */
    size_t transfers;
    struct shard *next; /* owned */
};

/* A descriptor of curl's. It stays in epoll while its connection lives, wanted or not: curl
 * takes it out and puts it back at every transfer (STACK.md, tuning 1). */
struct wire {
    struct loop_watch watch;
    curl_socket_t fd;      /* curl's */
    struct client *client; /* borrowed: the owner */
    struct shard *shard;   /* borrowed; whose curl uses it; NULL before the first use */
    uint32_t events;       /* registered with epoll */
    bool registered;
    bool wanted; /* a transfer waits for it; else it is pooled, or its transfer is paused */
    bool pooled;
};

/* A place in one of the client's queues. */
struct queue {
    struct upstream *first, *last; /* borrowed */
};

/* A host that has to be resolved, and who waits for it. */
struct name {
    struct resolve_question question;
    bool asking;                     /* the resolver holds the question */
    char preferred[RESOLVE_ADDRESS]; /* the address that answered after another did not */
    struct queue waiting;
    struct name *next; /* owned */
};

struct upstream {
    struct client *client; /* borrowed: the owner */
    CURL *easy;            /* owned; constant options were set once */
    struct shard *shard;   /* borrowed; while the transfer runs */
    struct client_request request;
    enum upstream_state state;
    struct upstream_failure failure;
    char error[CURL_ERROR_SIZE]; /* curl's own words; shown for connect, dns and tls only */

    /* What leaves; kept from request to request. */
    struct buf url;          /* the last one, with its NUL */
    char host[RESOLVE_NAME]; /* its host, unbracketed */
    unsigned port;
    unsigned sockets;         /* opened for this transfer: one an address */
    struct buf lines;         /* header lines, NUL-terminated */
    struct curl_slist *nodes; /* owned; over `lines` */
    size_t node_room;
    struct curl_slist resolve; /* over `resolved` */
    char resolved[RESOLVE_NAME + RESOLVE_TEXT + 16];
    const char *method; /* static; what the handle is set to */
    long connect_ms;    /* likewise */

    /* What arrives. */
    struct buf head; /* name NUL value NUL … */
    struct buf body;
    unsigned header_count;
    int status;

    /* The clock. */
    struct loop_timer timer;
    int64_t opened_ms, sent_ms, first_byte_ms, last_byte_ms;
    int64_t progress_ms;    /* the last real event */
    int64_t write_check_ms; /* 0: the body is small, or gone */
    int64_t written;        /* of the body, at the last check */
    unsigned sends;         /* times curl was about to send: the second is forbidden */
    int local_port;         /* of its connection; 0: not known */

    bool named;      /* the host has to be resolved */
    bool public;     /* … and anybody could have registered it */
    bool blocked;    /* an address was not called, being within */
    bool resolving;  /* the handle has addresses set */
    bool progressed; /* a real event was read */
    bool head_done;  /* later header lines are trailers */
    bool paused;
    bool waited;         /* curl has waited for its connection */
    size_t mark;         /* bytes in `body` to pause at */
    struct queue *queue; /* borrowed; where prev and next belong to; NULL: in none */
    struct upstream *prev, *next;
};

struct client {
    struct loop *loop;         /* borrowed */
    struct resolver *resolver; /* borrowed */
    char *ca_file;             /* owned; NULL: the system's */
    struct shard *whole;       /* whole answers */
    struct shard *streams;     /* owned; as many as it takes */
    struct wire **wires;       /* owned; by descriptor */
    size_t wire_room;
    struct name *names; /* owned */
    size_t asking;      /* names of which the resolver holds the question */
    struct queue starting, resuming, spare;
    size_t spares, active;
};

/* ---- client.c --------------------------------------------------------------------------- */

void client_queue_add(struct queue *queue, struct upstream *upstream);
void client_queue_remove(struct upstream *upstream);
struct upstream *client_queue_pop(struct queue *queue); /* the first; NULL: none */
/* Let curl work, then take in what ended. fd may be CURL_SOCKET_TIMEOUT. */
void client_run(struct shard *shard, curl_socket_t fd, int mask);
/* Ends the transfer if it runs. `message` must last. */
void client_fail(struct upstream *upstream, const char *kind, const char *message);

/* ---- client_clock.c -------------------------------------------------------------------- */

/* After one of the clocks may have moved to an earlier time. */
void client_rearm(struct upstream *upstream);
void client_on_clock(struct loop_timer *timer);

/* ---- client_socket.c -------------------------------------------------------------------- */

curl_socket_t client_open_socket(void *owner, curlsocktype purpose,
                                 struct curl_sockaddr *address);
int client_close_socket(void *owner, curl_socket_t fd);
/* Once curl has closed what it had. */
void client_free_wires(struct client *client);
int client_want_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused);
/* Its transfer has paused: nothing that comes makes its connection one that is idle. */
void client_hold_socket(struct upstream *upstream);

/* ---- client_send.c ---------------------------------------------------------------------- */

/* What no request changes. */
bool client_set_constants(struct upstream *upstream);
/* Everything about this request; false: it may not be sent, or no memory. */
bool client_set_request(struct upstream *upstream);
/* Tell curl the addresses of the name. */
bool client_set_addresses(struct upstream *upstream, const char *addresses);

/* ---- client_receive.c ------------------------------------------------------------------- */

size_t client_take_header(char *line, size_t one, size_t len, void *owner);
size_t client_take_body(char *bytes, size_t one, size_t len, void *owner);
/* What curl's verdict means: NULL, or what is wrong. Sets upstream->failure.message. */
const char *client_verdict(struct upstream *upstream, CURLcode code);

/* ---- client_name.c ---------------------------------------------------------------------- */

/* Start the transfer, now or once the addresses of its host are known. */
void client_find_host(struct upstream *upstream);
/* Once a turn, while questions are out. */
void client_take_answers(struct client *client);
/* `peer` (an address as text) stands, after others of the same name were tried in vain: it is
 * the first to be tried from now on. */
void client_prefer(struct upstream *upstream, const char *peer);
void client_free_names(struct client *client);
void client_start(struct upstream *upstream);

#endif
