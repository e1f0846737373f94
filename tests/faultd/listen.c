/* Where connections come from: plain ports, TLS as it should be and as it should not, ports
 * that never answer. */
#include "faultd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { BACKLOG = 4096, FILLERS = 8 };

static int socket_at(unsigned port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, backlog) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) need(NULL);
    return ntohs(address.sin_port);
}

static void watch_listener(struct listener *listener)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = listener};

    if (epoll_ctl(mock.epoll, EPOLL_CTL_ADD, listener->fd, &e) != 0) need(NULL);
}

struct listener *listener_new(bool control)
{
    if (mock.listener_count == LISTENERS) return NULL;
    struct listener *listener = &mock.listeners[mock.listener_count++];

    *listener = (struct listener){.control = control, .fd = socket_at(0, BACKLOG)};
    if (listener->fd < 0) need(NULL);
    listener->port = port_of(listener->fd);
    watch_listener(listener);
    return listener;
}

struct listener *listener_at(unsigned port)
{
    for (size_t i = 0; i < mock.listener_count && port; i++) {
        if (mock.listeners[i].port == port) return &mock.listeners[i];
    }
    return &mock.listeners[0];
}

/* Where it refuses nobody listens; later somebody does again, at the same port. */
void listener_mode(struct listener *listener, const char *mode)
{
    bool refuse = strcmp(mode, "refuse") == 0;

    (void)snprintf(listener->mode, sizeof(listener->mode), "%s", mode);
    if (listener->blackhole || refuse == (listener->fd < 0)) return;
    if (refuse) {
        (void)close(listener->fd);
        listener->fd = -1;
        return;
    }
    listener->fd = socket_at(listener->port, BACKLOG);
    if (listener->fd < 0) need(NULL);
    watch_listener(listener);
}

/* A port whose queue is full, and which nobody empties: the kernel drops what knocks. */
struct listener *listener_blackhole(void)
{
    if (mock.listener_count == LISTENERS) return NULL;
    struct listener *listener = &mock.listeners[mock.listener_count++];

    *listener = (struct listener){.fd = socket_at(0, 0), .blackhole = true};
    if (listener->fd < 0) need(NULL);
    listener->port = port_of(listener->fd);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)listener->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < FILLERS; i++) { /* kept open for as long as we live */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0) (void)connect(fd, (struct sockaddr *)&to, sizeof(to));
    }
    return listener;
}

/* ---- TLS --------------------------------------------------------------------------------- */

static int offer_nonsense(SSL *tls, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *unused)
{
    static const unsigned char other[] = "spdy/99";

    (void)tls, (void)in, (void)in_len, (void)unused;
    *out = other;
    *out_len = sizeof(other) - 1;
    return SSL_TLSEXT_ERR_OK;
}

/* `how`: "good" where the certificate is all there is to it; tls1.0; alpn. */
struct listener *listener_tls(const char *certificate, const char *key, const char *how)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (!tls) need(NULL);
    if (strcmp(how, "tls1.0") == 0) {
        SSL_CTX_set_security_level(tls, 0);
        (void)SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
        (void)SSL_CTX_set_max_proto_version(tls, TLS1_VERSION);
    }
    if (strcmp(how, "alpn") == 0) SSL_CTX_set_alpn_select_cb(tls, offer_nonsense, NULL);
    (void)SSL_CTX_set_mode(tls,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    struct listener *listener = listener_new(false);
    if (listener) listener->tls = tls;
    return listener;
}

/* ---- connections ------------------------------------------------------------------------- */

static void begin_fate(struct conn *c)
{
    if (mock.fate_count == mock.fate_cap) {
        mock.fate_cap = mock.fate_cap * 2 + 64;
        mock.fates = need(realloc(mock.fates, mock.fate_cap * sizeof(*mock.fates)));
    }
    c->id = (unsigned)mock.fate_count;
    mock.fates[mock.fate_count++] = (struct fate){.state = "open", .at_ms = now_ms()};
}

void listener_accept(struct listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));

    struct conn *c = need(calloc(1, sizeof(*c)));
    c->fd = fd;
    c->control = listener->control;
    c->repeats = -1;
    c->next = mock.conns;
    mock.conns = c;
    if (!c->control) {
        begin_fate(c);
        c->hold = strcmp(listener->mode, "hold") == 0;
    }
    bool cut = strcmp(listener->mode, "cut") == 0; /* its first byte is the handshake's */
    if (listener->tls && !cut) {
        c->tls = need(SSL_new(listener->tls));
        (void)SSL_set_fd(c->tls, fd);
        SSL_set_accept_state(c->tls);
    }
    struct epoll_event e = {.events = c->hold ? 0 : EPOLLIN, .data.ptr = c};
    (void)epoll_ctl(mock.epoll, EPOLL_CTL_ADD, fd, &e);
    if (!c->control && strcmp(listener->mode, "rst") == 0) conn_reset(c);
    if (!c->control && (strcmp(listener->mode, "fin") == 0 || cut)) c->parting = true;
}

void conn_free(struct conn *c)
{
    if (c->tls) SSL_free(c->tls);
    bytes_free(&c->in);
    bytes_free(&c->out);
    bytes_free(&c->steps);
    free(c);
}

/* As recv and send: < 0 with EAGAIN where there is nothing to be done now. */
static ssize_t tls_result(struct conn *c, int n)
{
    if (n > 0) return n;
    int why = SSL_get_error(c->tls, n);
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t conn_read(struct conn *c, void *to, size_t len)
{
    if (!c->tls) return recv(c->fd, to, len, 0);
    return tls_result(c, SSL_read(c->tls, to, (int)len));
}

ssize_t conn_write(struct conn *c, const void *from, size_t len)
{
    if (!c->tls) return send(c->fd, from, len, MSG_NOSIGNAL);
    return tls_result(c, SSL_write(c->tls, from, len > 1 << 20 ? 1 << 20 : (int)len));
}

bool conn_pending(const struct conn *c)
{
    return c->tls && SSL_pending(c->tls) > 0;
}
