#include "client_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "address.h"

static struct wire *wire_at(const struct client *client, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < client->wire_room ? client->wires[fd] : NULL;
}

static bool make_room(struct client *client, curl_socket_t fd)
{
    size_t room = client->wire_room ? client->wire_room : 64;

    while (room <= (size_t)fd)
        room *= 2;
    if (room == client->wire_room) return true;
    struct wire **wires = realloc(client->wires, room * sizeof(struct wire *));
    if (!wires) return false;
    memset(wires + client->wire_room, 0, (room - client->wire_room) * sizeof(struct wire *));
    client->wires = wires;
    client->wire_room = room;
    return true;
}

static void unregister(struct wire *wire)
{
    if (wire->registered) loop_remove(wire->client->loop, &wire->watch);
    wire->registered = false;
    wire->events = 0;
}

/* Put a closed socket in its place: curl, which looks only for an end of stream when it picks a
 * pooled connection, will not take this one (K7, U-18), and its peer is rid of it at once. */
static void spoil(curl_socket_t fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        shutdown(fd, SHUT_RDWR); /* no descriptors left: the next best */
        return;
    }
    close(pair[1]);
    dup3(pair[0], fd, O_CLOEXEC);
    close(pair[0]);
}

/* Nobody waits for it. A pooled connection on which anything happens is of no more use: it was
 * closed, or something came that nobody asked for. */
static void on_unwanted(struct wire *wire)
{
    unregister(wire);
    if (wire->pooled) spoil(wire->fd);
}

static void on_event(struct loop_watch *watch, uint32_t events)
{
    struct wire *wire = watch->owner;
    int mask = 0;

    if (!wire->wanted) {
        on_unwanted(wire);
        return;
    }
    /* An error shows itself in what curl tries next, and nothing that came before it is lost.
     */
    bool both = events & (EPOLLERR | EPOLLHUP);
    if (both || (events & EPOLLIN)) mask |= CURL_CSELECT_IN;
    if (both || (events & EPOLLOUT)) mask |= CURL_CSELECT_OUT;
    client_run(wire->shard, wire->fd, mask);
}

static void wire_free(struct wire *wire)
{
    unregister(wire);
    wire->client->wires[wire->fd] = NULL;
    free(wire);
}

static struct wire *wire_new(struct client *client, curl_socket_t fd)
{
    struct wire *gone = wire_at(client, fd);

    /* curl closes a socket that never became a connection without a word to us: its number is
     * all that is left of it. */
    if (gone) wire_free(gone);
    struct wire *wire = make_room(client, fd) ? calloc(1, sizeof(*wire)) : NULL;
    if (!wire) return NULL;
    wire->client = client;
    wire->watch.on_event = on_event;
    wire->watch.owner = wire;
    wire->watch.fd = -1;
    wire->fd = fd;
    client->wires[fd] = wire;
    return wire;
}

curl_socket_t client_open_socket(void *owner, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    static const int window = STREAM_WINDOW;
    struct upstream *upstream = owner;
    int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;

    (void)purpose;
    if (upstream->sends) return CURL_SOCKET_BAD; /* only a silent re-send asks again */
    /* The address that is called, not one that was looked at before: no name can change between
     * (U-07, S-11). */
    if (upstream->public && !upstream->request.private && address_is_within(&address->addr)) {
        upstream->blocked = true;
        return CURL_SOCKET_BAD;
    }
    upstream->sockets++;
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    if (upstream->request.stream) {
        /* A paused stream must not fill megabytes of the kernel's, as it would by itself. */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
    }
    if (!wire_new(upstream->client, fd)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

int client_close_socket(void *owner, curl_socket_t fd)
{
    struct client *client = owner;
    struct wire *wire = wire_at(client, fd);

    if (wire) wire_free(wire);
    return close(fd);
}

void client_free_wires(struct client *client)
{
    for (size_t fd = 0; fd < client->wire_room; fd++)
        free(client->wires[fd]);
    free(client->wires);
}

static void reregister(struct wire *wire, uint32_t events)
{
    struct loop *loop = wire->client->loop;

    if (wire->registered && wire->events == events) return;
    bool done = wire->registered && loop_change(loop, &wire->watch, events);
    /* Not there, or the kernel lost it with an earlier descriptor of the same number (K4). */
    if (!done) done = loop_add(loop, &wire->watch, wire->fd, events);
    if (!done && errno == EEXIST) {
        wire->watch.fd = wire->fd;
        done = loop_change(loop, &wire->watch, events);
    }
    wire->registered = done; /* where not, a deadline ends the transfer */
    wire->events = done ? events : 0;
}

/* The port of our side; 0: not known. */
static int port_of(curl_socket_t fd)
{
    struct sockaddr_in6 address; /* the port stands where IPv4 has it */
    socklen_t len = sizeof(address);

    memset(&address, 0, sizeof(address));
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) return 0;
    return ntohs(address.sin6_port);
}

/* Was the request sent on it? If not, it may never have been a connection, or have lost a race
 * of addresses, and those curl closes without a word to us: their number may be anybody's
 * before this turn is over. */
static bool was_sent_on(const struct wire *wire, const struct upstream *upstream)
{
    if (!upstream || !upstream->sends) return false;
    return upstream->sockets < 2 || port_of(wire->fd) == upstream->local_port;
}

int client_want_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused)
{
    struct shard *shard = owner;
    struct wire *wire = wire_at(shard->client, fd);
    struct upstream *upstream = NULL;
    uint32_t events = 0;

    (void)unused;
    if (!wire) return 0; /* closed already */
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &upstream);
    if (what == CURL_POLL_REMOVE) {
        wire->wanted = false;
        bool sent = was_sent_on(wire, upstream);
        wire->pooled = sent && !upstream->paused;
        if (!sent) unregister(wire);
        return 0;
    }
    if (what & CURL_POLL_IN) events |= EPOLLIN;
    if (what & CURL_POLL_OUT) events |= EPOLLOUT;
    if (upstream) upstream->waited = true;
    wire->shard = shard;
    wire->wanted = true;
    wire->pooled = false;
    reregister(wire, events);
    return 0;
}

/* An answer may come so fast that a transfer on a pooled connection pauses before curl ever
 * waits for it. Then curl says nothing of the connection, since nothing changes, and here it
 * would still be thought idle; what comes next would spoil it in the middle of an answer. */
void client_hold_socket(struct upstream *upstream)
{
    struct client *client = upstream->client;

    if (upstream->waited) return;
    for (size_t fd = 0; fd < client->wire_room; fd++) {
        struct wire *wire = client->wires[fd];
        bool idle = wire && wire->pooled && !wire->wanted;
        if (idle && port_of(wire->fd) == upstream->local_port) wire->pooled = false;
    }
}
