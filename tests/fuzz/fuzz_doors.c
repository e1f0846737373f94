/* F8. Calls of the engine's doors in any order with values of any kind, in a real gateway: the
 * request's body is the input, and tests/fuzz/doors/boot.lua does what it says.
 *
 * Oracles: nothing crashes, no handle of a request that has ended leads anywhere (the address
 * sanitizer sees it), each request comes to an end, and the next one is served; descriptors do
 * not add up. */
#include "gateway.h"

#include <dirent.h>
#include <errno.h>

#include <sys/time.h>

enum { MOST = 3 * 200, SECONDS = 20, EVERY = 128, SPARE = 64 };

/* Sent whole, and what comes back read to its end; the first bytes of it. */
static size_t ask(const uint8_t *bytes, size_t len, char *answer, size_t room)
{
    struct timeval patience = {.tv_sec = SECONDS};
    char head[256], rest[4096];
    size_t kept = 0;
    int fd = gateway_connect();
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

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    MUST(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* What the first runs leave open is what it needs; what others add is not given back. */
static void check_descriptors(void)
{
    static unsigned runs, usual;

    if (runs++ % EVERY != EVERY - 1) return;
    unsigned now = descriptors();
    if (!usual) usual = now;
    MUST(now <= usual + SPARE);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    char answer[4096];

    if (size > MOST) return 0;
    if (!gateway.running) {
        gateway_dir();
        gateway_start("routes.lua", "tests/fuzz/doors");
    }
    (void)ask(input, size, answer, sizeof(answer));
    MUST(ask(NULL, 0, answer, sizeof(answer)) > 0);
    MUST(strncmp(answer, "HTTP/1.1 200", 12) == 0 && strstr(answer, "\r\n\r\ndone"));
    check_descriptors();
    return 0;
}
