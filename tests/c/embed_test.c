/* Embedding, as an outsider would: starts a gateway, asks it something, reloads, stops. */
#include "moongate.h"

#include "check.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char question[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer any\r\nContent-Length: 68\r\n\r\n"
    "{\"model\":\"mock\",\"messages\":[{\"role\":\"user\",\"content\":\"hello moon\"}]}";

/* A listening socket on a free port, as a supervisor would hand over. */
static int listening(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)address, len) == 0 &&
                listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)address, &len) == 0;
    return good ? fd : -1;
}

static bool ask(const struct sockaddr_in *address)
{
    char answer[8192];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return false;
    if (send(fd, question, sizeof(question) - 1, 0) != (ssize_t)sizeof(question) - 1)
        return false;
    for (ssize_t n = 1; n > 0 && len<sizeof(answer) - 1; len += n> 0 ? (size_t)n : 0) {
        n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
    }
    answer[len] = '\0';
    (void)close(fd);
    return strstr(answer, "HTTP/1.1 200") && strstr(answer, "\"chat.completion\"");
}

int main(void)
{
    char *error = NULL;
    struct sockaddr_in address;

    (void)signal(SIGPIPE, SIG_IGN);
    struct moongate_options options = {.routes = "routes.lua",
                                       .admin = "off",
                                       .data_dir = "build/embed-data",
                                       .workers = 1,
                                       .log_level = "error",
                                       .listen_fd = listening(&address)};

    struct moongate *gateway = moongate_start(&options, &error);
    if (CHECK(gateway)) {
        CHECK(ask(&address));
        CHECK(moongate_reload(gateway, &error));
        CHECK(ask(&address));
        moongate_stop(gateway, 1000);
    }
    if (error) (void)fprintf(stderr, "%s\n", error);
    free(error);
    return check_report();
}
