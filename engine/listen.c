#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int complain(char **error, const char *address, const char *why)
{
    int saved = errno;

    if (asprintf(error, "cannot listen on %s: %s", address, why) < 0) *error = NULL;
    errno = saved;
    return -1;
}

/* "host:port" or "[host]:port", cut into the caller's buffers. */
static bool cut_address(const char *address, char host[256], char port[16])
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;

    if (!colon || !colon[1] || strlen(colon + 1) > 15) return false;
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    if (len == 0 || len > 255) return false;
    memcpy(host, address, len);
    host[len] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static struct addrinfo *look_up(const char *address)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;

    if (!cut_address(address, host, port)) return NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) return NULL;
    return found;
}

static int bind_to(int fd, const struct sockaddr *name, socklen_t len)
{
    if (bind(fd, name, len) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Does somebody serve there? A file that a killed process left behind answers nobody. */
static bool answers(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 ||
                              errno == EAGAIN); /* its queue is full */

    if (fd >= 0) close(fd);
    return served;
}

static int open_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat about;

    if (strlen(path) >= sizeof(name.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    if (answers(&name)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode)) unlink(path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    mode_t before = umask(0177);
    fd = bind_to(fd, (const struct sockaddr *)&name, sizeof(name));
    umask(before);
    return fd;
}

static int open_tcp(const struct addrinfo *at)
{
    int yes = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -1;
    /* Refused options only make a restart slower: no reason not to serve. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    return bind_to(fd, at->ai_addr, at->ai_addrlen);
}

int listen_open(const char *address, char **error)
{
    *error = NULL;
    if (strncmp(address, "unix:", 5) == 0) {
        int fd = open_unix(address + 5);
        return fd < 0 ? complain(error, address, strerror(errno)) : fd;
    }
    struct addrinfo *found = look_up(address);
    if (!found) {
        char host[256], port[16];
        bool whole = cut_address(address, host, port);
        errno = EADDRNOTAVAIL;
        return complain(error, address,
                        whole ? "there is no such host"
                              : "an address is host:port or unix:/path");
    }
    int fd = open_tcp(found);
    int saved = errno;
    freeaddrinfo(found);
    errno = saved;
    return fd < 0 ? complain(error, address, strerror(errno)) : fd;
}

static bool is_loopback(const struct sockaddr *name)
{
    if (name->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)name;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)name;
    return name->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

bool listen_is_loopback(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) return true;

    struct addrinfo *found = look_up(address);
    bool loopback = found != NULL;
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        loopback = loopback && is_loopback(at->ai_addr);
    }
    if (found) freeaddrinfo(found);
    return loopback;
}

union name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage room;
};

static bool write_name(const union name *name, char out[LISTEN_NAME])
{
    char host[INET6_ADDRSTRLEN];

    if (name->any.sa_family == AF_UNIX) {
        return snprintf(out, LISTEN_NAME, "unix:%s", name->un.sun_path) > 0;
    }
    if (name->any.sa_family == AF_INET) {
        if (!inet_ntop(AF_INET, &name->in.sin_addr, host, sizeof(host))) return false;
        return snprintf(out, LISTEN_NAME, "%s:%u", host, ntohs(name->in.sin_port)) > 0;
    }
    if (name->any.sa_family != AF_INET6) return false;
    if (!inet_ntop(AF_INET6, &name->in6.sin6_addr, host, sizeof(host))) return false;
    return snprintf(out, LISTEN_NAME, "[%s]:%u", host, ntohs(name->in6.sin6_port)) > 0;
}

bool listen_bound(int fd, char out[LISTEN_NAME])
{
    union name name = {.room = {0}};
    socklen_t size = sizeof(name);

    return getsockname(fd, &name.any, &size) == 0 && write_name(&name, out);
}

bool listen_name(int fd, const char *address, char out[LISTEN_NAME])
{
    union name name = {.room = {0}};
    socklen_t size = sizeof(name);

    if (strncmp(address, "unix:", 5) == 0) {
        return snprintf(out, LISTEN_NAME, "%s", address) < LISTEN_NAME;
    }
    if (getsockname(fd, &name.any, &size) != 0) return false;
    if (name.any.sa_family == AF_INET && name.in.sin_addr.s_addr == INADDR_ANY) {
        name.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    if (name.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&name.in6.sin6_addr)) {
        name.in6.sin6_addr = in6addr_loopback;
    }
    return write_name(&name, out);
}
