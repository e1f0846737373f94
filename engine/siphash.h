/* SipHash-1-3: a hash of bytes that others choose, which nobody can guess without the seed.
 *
 * Knows nothing. Any thread. */
#ifndef MOONGATE_SIPHASH_H
#define MOONGATE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* The seed comes from getrandom(), once for each table. */
uint64_t siphash(const uint64_t seed[2], const char *bytes, size_t len);

#endif
