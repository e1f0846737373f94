#include "price_file.h"

#include <string.h>

#include "digest.h"

static const char first_line[] = "moongate prices 1\n";
static const char last_word[] = "sha256 ";

enum {
    FIRST = sizeof(first_line) - 1,
    WORD = sizeof(last_word) - 1,
    HEX = 2 * DIGEST_SIZE,
    LAST = WORD + HEX + 1, /* the last line, with its end */
};

/* The sum of all that stands before the last line is the one in it. */
static const char *compare(const char *bytes, size_t len)
{
    unsigned char sum[DIGEST_SIZE];
    char hex[HEX];
    struct digest *digest = digest_new();
    bool made = digest && digest_sha256(digest, (struct digest_bytes){bytes, len - LAST}, sum);

    digest_free(digest);
    if (!made) return "there is no memory to check it";
    digest_hex((struct digest_bytes){sum, sizeof(sum)}, hex);
    bool same = memcmp(hex, bytes + len - HEX - 1, HEX) == 0;
    return same ? NULL : "it was changed after it was written";
}

const char *price_file_problem(const char *bytes, size_t len)
{
    if (len < FIRST || memcmp(bytes, first_line, FIRST) != 0) {
        return "it is no table of prices";
    }
    if (len < FIRST + LAST || memcmp(bytes + len - LAST, last_word, WORD) != 0 ||
        bytes[len - 1] != '\n' || bytes[len - LAST - 1] != '\n') {
        return "its end is missing";
    }
    return compare(bytes, len);
}
