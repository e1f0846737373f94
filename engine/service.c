#include "service.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

enum { FIRST_FD = 3, MAX_FDS = 16 };

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;

    if (len == 0 || len >= sizeof(name.sun_path)) return;
    memcpy(name.sun_path, path, len);
    if (path[0] == '@') name.sun_path[0] = '\0'; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name, size);
    close(fd);
}

static long long number(const char *variable)
{
    const char *text = getenv(variable);

    return text ? strtoll(text, NULL, 10) : 0;
}

/* WATCHDOG_PID names the parent; it is the serving child that speaks. Twice as often as asked,
 * as the manual has it. */
int64_t service_watchdog_ms(void)
{
    long long limit_us = number("WATCHDOG_USEC");

    return limit_us >= 2000 ? limit_us / 2000 : 0;
}

static bool is_listener(int fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

static bool take(int fd, int *place)
{
    int flags = fcntl(fd, F_GETFL);

    if (*place >= 0 || !is_listener(fd) || flags < 0) return false;
    *place = fd;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool service_sockets(int *clients, int *admin)
{
    const char *given = getenv("LISTEN_FDNAMES");
    char *names = given ? strdup(given) : NULL;
    bool mine = number("LISTEN_PID") == getpid(), fine = true;
    long long count = mine ? number("LISTEN_FDS") : 0;
    char *rest = names;

    *clients = *admin = -1;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (count > MAX_FDS) fine = false;
    for (int i = 0; fine && i < count; i++) {
        const char *name = rest ? strsep(&rest, ":") : "";
        bool second =
            strcmp(name, "admin") == 0 || (*clients >= 0 && strcmp(name, "clients") != 0);
        fine = take(FIRST_FD + i, second ? admin : clients);
    }
    free(names);
    return fine;
}
