/* Characters in bytes that may not be UTF-8. Knows nothing. Any thread. */
#ifndef MOONGATE_UTF8_H
#define MOONGATE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of the well-formed character at p (RFC 3629), 0 where there is none; *code is its
 * number. len is at least 1. */
size_t utf8_decode(const unsigned char *p, size_t len, uint32_t *code);

#endif
