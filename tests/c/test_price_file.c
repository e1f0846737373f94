/* A table of prices is whole, or refused wherever a byte of it is cut, changed or added (S-35).
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "digest.h"
#include "price_file.h"

enum { HEX = 2 * DIGEST_SIZE };

static const char text[] = "moongate prices 1\ndate 2026-07-24\n\n[openai]\nm - - 1 2\n";

/* The text with its last line; *len without a NUL. */
static char *written(size_t *len)
{
    unsigned char sum[DIGEST_SIZE];
    size_t size = sizeof(text) - 1;
    struct digest *digest = digest_new();
    char *out = malloc(size + 7 + HEX + 1);

    if (!digest || !out || !digest_sha256(digest, (struct digest_bytes){text, size}, sum)) {
        abort();
    }
    digest_free(digest);
    memcpy(out, text, size);
    memcpy(out + size, "sha256 ", 7);
    digest_hex((struct digest_bytes){sum, sizeof(sum)}, out + size + 7);
    out[size + 7 + HEX] = '\n';
    *len = size + 7 + HEX + 1;
    return out;
}

int main(void)
{
    size_t len;
    char *bytes = written(&len);

    CHECK(price_file_problem(bytes, len) == NULL);
    for (size_t i = 0; i < len; i++) {
        CHECK(price_file_problem(bytes, i) != NULL);
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
            CHECK(price_file_problem(bytes, len) != NULL);
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
        }
    }
    const char *why = price_file_problem(bytes, len - 1);
    CHECK(why && strcmp(why, "its end is missing") == 0);
    why = price_file_problem("{}", 2);
    CHECK(why && strcmp(why, "it is no table of prices") == 0);
    bytes[40] ^= 1;
    why = price_file_problem(bytes, len);
    CHECK(why && strcmp(why, "it was changed after it was written") == 0);
    free(bytes);
    return check_report();
}
