/* What a service manager (systemd) gives and wants to hear: sockets that it has opened, and
 * states. https://www.freedesktop.org/software/systemd/man/252/sd_notify.html
 * https://www.freedesktop.org/software/systemd/man/252/sd_listen_fds.html */
#ifndef MOONGATE_SERVICE_H
#define MOONGATE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Tell it a state, "READY=1". Where nobody listens, or does not hear, we serve all the same. */
void service_notify(const char *state);

/* How often it wants to hear "WATCHDOG=1", in milliseconds; 0: never. */
int64_t service_watchdog_ms(void);

/* The sockets that it opened for this process: by the names "clients" and "admin", else the
 * first and the second. -1: none. Once; forgets that there were any, so that children do not
 * take them for theirs. False: what was passed is no listening socket. */
bool service_sockets(int *clients, int *admin);

#endif
