/* Digests, encodings of bytes, randomness, identifiers. libcrypto does the arithmetic.
 *
 * Knows no Lua. A struct digest holds contexts that are costly to make: one a thread. What
 * takes none may be called from any thread. */
#ifndef MOONGATE_DIGEST_H
#define MOONGATE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

struct digest;

/* Borrowed bytes. */
struct digest_bytes {
    const void *data;
    size_t len;
};

enum { DIGEST_SIZE = 32, DIGEST_UUID_SIZE = 37 };

struct digest *digest_new(void) __attribute__((warn_unused_result));
void digest_free(struct digest *digest);

/* False: no memory in libcrypto. */
bool digest_sha256(struct digest *digest, struct digest_bytes bytes,
                   unsigned char out[DIGEST_SIZE]) __attribute__((warn_unused_result));
bool digest_hmac_sha256(struct digest *digest, struct digest_bytes key,
                        struct digest_bytes bytes, unsigned char out[DIGEST_SIZE])
    __attribute__((warn_unused_result));

/* HMAC-SHA-256 with one key, whose half of the work is done once. One a thread. */
struct digest_mac;
struct digest_mac *digest_mac_new(struct digest_bytes key) __attribute__((warn_unused_result));
void digest_mac_free(struct digest_mac *mac);
/* False: no memory in libcrypto. */
bool digest_mac(struct digest_mac *mac, struct digest_bytes bytes,
                unsigned char out[DIGEST_SIZE]) __attribute__((warn_unused_result));

/* Whether the bytes are the same, in a time that depends on their lengths alone. */
bool digest_equal(struct digest_bytes a, struct digest_bytes b);

/* False: the kernel has no randomness to give. */
bool digest_random(void *out, size_t len) __attribute__((warn_unused_result));

/* A version 7 UUID (RFC 9562) in its usual spelling, with a NUL. Each is larger than all before
 * it from the same struct. False: no randomness. */
bool digest_uuid7(struct digest *digest, char out[DIGEST_UUID_SIZE])
    __attribute__((warn_unused_result));

/* Lower-case hex: 2 * len bytes, no NUL. */
void digest_hex(struct digest_bytes bytes, char *out);

/* Overwrite what nobody may find in memory later. */
void digest_wipe(void *bytes, size_t len);

enum digest_alphabet { DIGEST_BASE64, DIGEST_BASE64URL /* no padding */ };

/* Bytes that digest_base64() writes for len; SIZE_MAX: too many. */
size_t digest_base64_size(size_t len);
/* How many it wrote; no NUL. */
size_t digest_base64(enum digest_alphabet alphabet, struct digest_bytes bytes, char *out);
/* Into out, which has room for text.len / 4 * 3 + 3 bytes. False: not written by
 * digest_base64() with this alphabet: a foreign character, wrong padding, bits left over. */
bool digest_unbase64(enum digest_alphabet alphabet, struct digest_bytes text,
                     unsigned char *out, size_t *len);

#endif
