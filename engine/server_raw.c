/* Bytes that go past microhttpd: while a connection is suspended the descriptor is ours. */
#include "server_internal.h"

#include <errno.h>

#include <sys/socket.h>

enum { CHUNK_HEAD = 16 + 2 + 1 }; /* hex digits, CRLF, NUL */

/* "1f\r\n"; nothing where content goes out as it is. */
static size_t chunk_head(const struct connection *connection, char head[CHUNK_HEAD])
{
    static const char digits[] = "0123456789abcdef";
    char reversed[16];
    size_t n = 0, len = 0;

    if (connection->unframed) return 0;
    for (size_t size = connection->chunk; size; size /= 16)
        reversed[n++] = digits[size % 16];
    while (n)
        head[len++] = reversed[--n];
    head[len++] = '\r';
    head[len++] = '\n';
    return len;
}

/* The three parts of the chunk in hand, without what was sent of them. */
static size_t chunk_parts(const struct connection *connection, char head[CHUNK_HEAD],
                          struct iovec parts[3])
{
    static char tail[] = "\r\n";
    size_t sent = connection->chunk_sent, left = 0;

    parts[0] = (struct iovec){head, chunk_head(connection, head)};
    parts[1] = (struct iovec){connection->out.data, connection->chunk};
    parts[2] = (struct iovec){tail, connection->unframed ? 0 : 2};
    for (int i = 0; i < 3; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + skip;
        parts[i].iov_len -= skip;
        sent -= skip;
        left += parts[i].iov_len;
    }
    return left;
}

size_t raw_unsent(const struct connection *connection)
{
    char head[CHUNK_HEAD];
    size_t before = chunk_head(connection, head), sent = 0;

    if (connection->chunk_sent > before) sent = connection->chunk_sent - before;
    if (sent > connection->chunk) sent = connection->chunk;
    return connection->out.len - sent;
}

/* All that waits becomes one chunk; what is appended meanwhile, the next. */
bool raw_flush(struct connection *connection)
{
    while (connection->out.len) {
        char head[CHUNK_HEAD];
        struct iovec parts[3];

        if (!connection->chunk) connection->chunk = connection->out.len;
        size_t left = chunk_parts(connection, head, parts);
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;

        connection->progress_ms = loop_now_ms(connection->server->options.loop);
        connection->chunk_sent += (size_t)sent;
        if ((size_t)sent < left) return true; /* the kernel has enough: writable later */
        buf_consume(&connection->out, connection->chunk);
        connection->chunk = 0;
        connection->chunk_sent = 0;
    }
    return true;
}

bool raw_drain(struct connection *connection)
{
    char waste[16 * 1024];

    while (connection->drained < DRAIN_BYTES) {
        ssize_t got = recv(connection->fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
        if (got <= 0) return true;
        connection->drained += (size_t)got;
    }
    return false; /* the rest stays where it is, while the client has time to read the answer */
}
