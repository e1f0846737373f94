/* Listening sockets from the addresses people write. Knows sockets only; any thread. */
#ifndef MOONGATE_LISTEN_H
#define MOONGATE_LISTEN_H

#include <stdbool.h>

/* "127.0.0.1:4000", "[::1]:4000", "localhost:4000", "unix:/path" (mode 0600, a stale one is
 * replaced). A non-blocking, close-on-exec descriptor, the caller's to close; -1 with *error
 * (free() it) and errno set. */
int listen_open(const char *address, char **error) __attribute__((warn_unused_result));

enum { LISTEN_NAME = 300 };
/* Where this machine reaches the socket that was opened for `address`: the port it really has,
 * and loopback where it takes any. False: it cannot be told. */
bool listen_name(int fd, const char *address, char out[LISTEN_NAME]);

/* The address that a listening socket is bound to, as listen_open would take it. */
bool listen_bound(int fd, char out[LISTEN_NAME]);

/* Whether only this machine can reach it. False too when it cannot be told. */
bool listen_is_loopback(const char *address);

#endif
