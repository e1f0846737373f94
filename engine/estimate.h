/* How many tokens a text has, about: for where no vocabulary is loaded.
 *
 * Knows bytes only. Any thread; linear, hundreds of MB a second. */
#ifndef MOONGATE_ESTIMATE_H
#define MOONGATE_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

uint64_t estimate_tokens(const char *text, size_t len);

#endif
