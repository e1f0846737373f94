/* Calls of the engine's doors in any order with values of any kind, in a real gateway: the
 * request's body is the input, and tests/fuzz/doors/boot.lua does what it says.
 *
 * Oracles: nothing crashes, no handle of a request that has ended leads anywhere (the address
 * sanitizer sees it), each request comes to an end, and the next one is served. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "moongate.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
const char *__asan_default_options(void);

enum { MOST = 3 * 200, SECONDS = 20 };

#define MUST(expr)                                  \
    do {                                            \
        if (!(expr)) {                              \
            fprintf(stderr, "not so: %s\n", #expr); \
            abort();                                \
        }                                           \
    } while (0)

/* LuaJIT keeps its heap where the leak finder does not look for pointers. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static struct sockaddr_in address = {.sin_family = AF_INET};
static struct moongate *gateway;
static char data_dir[] = "/tmp/moongate-fuzz-XXXXXX";

static void start(void)
{
    socklen_t len = sizeof(address);
    char *error = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    (void)signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 16) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&address, &len) == 0 && mkdtemp(data_dir));
    struct moongate_options options = {.routes = "routes.lua",
                                       .admin = "off",
                                       .data_dir = data_dir,
                                       .scripts_dir = "tests/fuzz/doors",
                                       .workers = 1,
                                       .log_level = "error",
                                       .listen_fd = fd};
    gateway = moongate_start(&options, &error);
    if (!gateway) fprintf(stderr, "%s\n", error);
    MUST(gateway);
}

/* From ever other addresses, else there would be no port left within a minute. */
static int connected(void)
{
    static unsigned turn;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_addr.s_addr = htonl(0x7f000100 + turn++ % 250 + 1);
    MUST(fd >= 0);
    MUST(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) == 0);
    MUST(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    MUST(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

/* Sent whole, and what comes back read to its end; the first bytes of it. */
static size_t ask(const uint8_t *bytes, size_t len, char *answer, size_t room)
{
    struct timeval patience = {.tv_sec = SECONDS};
    char head[256], rest[4096];
    size_t kept = 0;
    int fd = connected();
    int n = snprintf(head, sizeof(head),
                     "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     len);

    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    MUST(send(fd, head, (size_t)n, 0) == n);
    MUST(len == 0 || send(fd, bytes, len, 0) == (ssize_t)len);
    ssize_t got;
    do {
        got = recv(fd, rest, sizeof(rest), 0);
        for (ssize_t i = 0; i < got && kept + 1 < room; i++)
            answer[kept++] = rest[i];
    } while (got > 0 || (got < 0 && errno == EINTR)); /* the fuzzer's own clock */
    MUST(got == 0 || errno == ECONNRESET);            /* an end, not our patience's */
    answer[kept] = '\0';
    close(fd);
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    char answer[4096];

    if (size > MOST) return 0;
    if (!gateway) start();
    (void)ask(input, size, answer, sizeof(answer));
    MUST(ask(NULL, 0, answer, sizeof(answer)) > 0);
    MUST(strncmp(answer, "HTTP/1.1 200", 12) == 0 && strstr(answer, "\r\n\r\ndone"));
    return 0;
}
