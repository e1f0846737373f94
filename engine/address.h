/* Which addresses lie within: this machine, this network, nobody's.
 *
 * Knows addresses and names alone. A public name must not lead to one of them unless its
 * operator says so: who answers for a name could otherwise reach what only we reach
 * (MATRICES.md T6). */
#ifndef MOONGATE_ADDRESS_H
#define MOONGATE_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

/* Loopback, private, shared, link-local (metadata services among them), unique local,
 * multicast, reserved, unspecified; also as IPv4 within IPv6. An unknown family is within. */
bool address_is_within(const struct sockaddr *address);

/* A name that nobody can register: of one label, or below a top that is kept for local use.
 * Never one that reads as a number ("2130706433", "0x7f.1"). */
bool address_name_is_local(const char *host);

/* Ends in a number, as addresses do: where it is none as it is usually written, somebody will
 * read another one out of it than we do (MATRICES.md S-10). */
bool address_ends_in_number(const char *host);

#endif
