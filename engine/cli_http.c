#include "cli_http.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "buf.h"

enum { MAX_HEAD = 64 << 10 };

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;

    if (size > sizeof(name.sun_path)) return -1;
    memcpy(name.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0) return fd;
    close(fd);
    return -1;
}

static int connect_tcp(const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    const char *colon = strrchr(address, ':');

    if (!colon || colon == address) {
        errno = EINVAL;
        return -1;
    }
    bool bracket = address[0] == '[' && colon[-1] == ']';
    char *host = strndup(address + bracket, (size_t)(colon - address) - 2 * (size_t)bracket);
    int fd = -1;

    if (!host || getaddrinfo(host, colon + 1, &hints, &found) != 0) found = NULL;
    if (!found) errno = EHOSTUNREACH;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (found) freeaddrinfo(found);
    free(host);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* A token that is no header's value would be two headers. */
static bool is_sendable(const char *token)
{
    for (; *token; token++) {
        if (*token <= ' ' || *token == 0x7F) return false;
    }
    return true;
}

static bool write_head(const struct cli_request *request, struct buf *out)
{
    const char *address = request->address, *token = request->token ? request->token : "";
    const char *host = strncmp(address, "unix:", 5) == 0 ? "localhost" : address;
    const char *parts[] = {request->target,
                           " HTTP/1.1\r\nHost: ",
                           host,
                           "\r\nConnection: close\r\n",
                           *token ? "Authorization: Bearer " : "",
                           token,
                           *token ? "\r\n" : "",
                           request->body ? "Content-Type: application/json\r\n" : ""};
    char length[64];
    int n = snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", request->body_len);

    if (!is_sendable(token)) return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!buf_append(out, parts[i], strlen(parts[i]))) return false;
    }
    return buf_append(out, length, (size_t)n);
}

static bool ask(int fd, const struct cli_request *request)
{
    struct timeval limit = {.tv_sec = request->seconds};
    struct buf head;

    buf_init(&head, MAX_HEAD);
    bool sent = write_head(request, &head) &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
                send_all(fd, head.data, head.len) &&
                (!request->body || send_all(fd, request->body, request->body_len));
    buf_free(&head);
    return sent;
}

/* Until the other side closes. */
static enum cli_outcome read_answer(int fd, struct buf *answer)
{
    char bytes[4096];

    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n == 0) return answer->len ? CLI_ANSWERED : CLI_BROKEN;
        if (n < 0 && errno == EINTR) continue; /* stopped and continued, as shells do */
        if (n < 0) return errno == EAGAIN ? CLI_SILENT : CLI_BROKEN;
        if (!buf_append(answer, bytes, (size_t)n)) return CLI_BROKEN;
    }
}

enum cli_outcome cli_http(const struct cli_request *request, struct buf *answer)
{
    const char *address = request->address;
    bool local = strncmp(address, "unix:", 5) == 0;
    int fd = local ? connect_unix(address + 5) : connect_tcp(address);

    if (fd < 0) return CLI_UNREACHABLE;
    bool asked = ask(fd, request);
    enum cli_outcome outcome = asked ? read_answer(fd, answer) : CLI_BROKEN;
    close(fd);
    return outcome;
}

int cli_http_status(const struct buf *answer)
{
    const char *text = answer->data;

    if (answer->len < 12 || memcmp(text, "HTTP/1.1 ", 9) != 0) return 0;
    return (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
}

const char *cli_http_body(const struct buf *answer, size_t *len)
{
    const char *end = memmem(answer->data, answer->len, "\r\n\r\n", 4);

    *len = end ? answer->len - (size_t)(end + 4 - answer->data) : 0;
    return end ? end + 4 : "";
}
