/* DATA/prices: is it whole, byte for byte as it was written?
 *
 * Knows its last line, not what prices are. May be called from any thread. */
#ifndef MOONGATE_PRICE_FILE_H
#define MOONGATE_PRICE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* NULL: it is. Else why not, a text that lives for ever. */
const char *price_file_problem(const char *bytes, size_t len)
    __attribute__((warn_unused_result));

#endif
