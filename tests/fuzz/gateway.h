/* A whole gateway in the fuzzer's process, with a data folder that goes away, and connections
 * to it. */
#ifndef MOONGATE_FUZZ_GATEWAY_H
#define MOONGATE_FUZZ_GATEWAY_H

#include "fuzz.h"
#include "luajit.h"

#include <ftw.h>
#include <signal.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "moongate.h"

static struct {
    struct moongate *running;
    struct sockaddr_in address;
    char dir[64]; /* its data */
} gateway;

static inline int gateway_remove(const char *path, const struct stat *about, int kind,
                                 struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static inline void gateway_end(void)
{
    moongate_stop(gateway.running, 0);
    (void)nftw(gateway.dir, gateway_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* A listening socket of 127.0.0.1, at a port that is free. */
static inline int gateway_listen(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(fd, (struct sockaddr *)address, len) == 0 && listen(fd, 64) == 0);
    MUST(getsockname(fd, (struct sockaddr *)address, &len) == 0);
    return fd;
}

/* The folder that it will keep its data in. */
static inline void gateway_dir(void)
{
    snprintf(gateway.dir, sizeof(gateway.dir), "/tmp/moongate-fuzz-XXXXXX");
    MUST(mkdtemp(gateway.dir));
}

/* After gateway_dir(). */
static inline void gateway_start(const char *routes, const char *scripts_dir)
{
    char *error = NULL;

    (void)signal(SIGPIPE, SIG_IGN);
    struct moongate_options options = {.routes = routes,
                                       .admin = "off",
                                       .data_dir = gateway.dir,
                                       .scripts_dir = scripts_dir,
                                       .workers = 1,
                                       .durability = MOONGATE_FAST,
                                       .log_level = "error",
                                       .listen_fd = gateway_listen(&gateway.address)};
    gateway.running = moongate_start(&options, &error);
    if (!gateway.running) fprintf(stderr, "%s\n", error);
    MUST(gateway.running && atexit(gateway_end) == 0);
}

/* From ever other addresses, else there would be no port left within a minute. */
static inline int gateway_connect(void)
{
    static unsigned turn;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    from.sin_addr.s_addr = htonl(0x7f000100 + turn++ % 250 + 1);
    MUST(fd >= 0);
    MUST(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) == 0);
    MUST(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    MUST(connect(fd, (struct sockaddr *)&gateway.address, sizeof(gateway.address)) == 0);
    return fd;
}

#endif
