#include "digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "moment.h"

enum { POOL = 512 };

struct digest {
    EVP_MD *sha256;      /* owned: looked up once, which is half the cost of a short digest */
    EVP_MD_CTX *context; /* owned */
    EVP_MAC *hmac;       /* owned */
    EVP_MAC_CTX *mac;    /* owned; knows that it uses SHA-256 */
    uint64_t last_ms;    /* of the last UUID */
    unsigned counter;    /* within that millisecond; 12 bits */
    unsigned char pool[POOL];
    size_t pool_left; /* random bytes at its end not used yet */
};

struct digest *digest_new(void)
{
    struct digest *digest = calloc(1, sizeof(*digest));
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
                           OSSL_PARAM_construct_end()};

    if (!digest) return NULL;
    digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    digest->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    digest->mac = digest->hmac ? EVP_MAC_CTX_new(digest->hmac) : NULL;
    if (!digest->sha256 || !digest->context || !digest->mac ||
        !EVP_MAC_CTX_set_params(digest->mac, params)) {
        digest_free(digest);
        return NULL;
    }
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest) return;
    EVP_MAC_CTX_free(digest->mac);
    EVP_MAC_free(digest->hmac);
    EVP_MD_CTX_free(digest->context);
    EVP_MD_free(digest->sha256);
    OPENSSL_cleanse(digest->pool, sizeof(digest->pool));
    free(digest);
}

bool digest_sha256(struct digest *digest, struct digest_bytes bytes,
                   unsigned char out[DIGEST_SIZE])
{
    return EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) &&
           EVP_DigestUpdate(digest->context, bytes.data, bytes.len) &&
           EVP_DigestFinal_ex(digest->context, out, NULL);
}

bool digest_hmac_sha256(struct digest *digest, struct digest_bytes key,
                        struct digest_bytes bytes, unsigned char out[DIGEST_SIZE])
{
    static const unsigned char none[1] = {0};
    size_t len = 0;

    /* Without a key libcrypto would take the last one. */
    return EVP_MAC_init(digest->mac, key.len ? key.data : none, key.len, NULL) &&
           EVP_MAC_update(digest->mac, bytes.data, bytes.len) &&
           EVP_MAC_final(digest->mac, out, &len, DIGEST_SIZE) && len == DIGEST_SIZE;
}

struct digest_mac {
    EVP_MAC *hmac;        /* owned */
    EVP_MAC_CTX *context; /* owned; holds both halves of the key, hashed */
};

struct digest_mac *digest_mac_new(struct digest_bytes key)
{
    struct digest_mac *mac = calloc(1, sizeof(*mac));
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
                           OSSL_PARAM_construct_end()};

    if (!mac) return NULL;
    mac->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    mac->context = mac->hmac ? EVP_MAC_CTX_new(mac->hmac) : NULL;
    if (mac->context && EVP_MAC_init(mac->context, key.data, key.len, params)) return mac;
    digest_mac_free(mac);
    return NULL;
}

void digest_mac_free(struct digest_mac *mac)
{
    if (!mac) return;
    EVP_MAC_CTX_free(mac->context);
    EVP_MAC_free(mac->hmac);
    free(mac);
}

bool digest_mac(struct digest_mac *mac, struct digest_bytes bytes,
                unsigned char out[DIGEST_SIZE])
{
    size_t len = 0;

    /* No key: the one it has, whose first blocks are not hashed again. */
    return EVP_MAC_init(mac->context, NULL, 0, NULL) &&
           EVP_MAC_update(mac->context, bytes.data, bytes.len) &&
           EVP_MAC_final(mac->context, out, &len, DIGEST_SIZE) && len == DIGEST_SIZE;
}

void digest_wipe(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}

bool digest_equal(struct digest_bytes a, struct digest_bytes b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

/* ---- randomness ---------------------------------------------------------------------------
 */

bool digest_random(void *out, size_t len)
{
    unsigned char *at = out;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* A few random bytes without a system call each; used ones are wiped. */
static bool draw(struct digest *digest, void *out, size_t len)
{
    if (digest->pool_left < len) {
        if (!digest_random(digest->pool, POOL)) return false;
        digest->pool_left = POOL;
    }
    unsigned char *from = digest->pool + POOL - digest->pool_left;
    memcpy(out, from, len);
    OPENSSL_cleanse(from, len);
    digest->pool_left -= len;
    return true;
}

/* The counter begins in the lower half of its 12 bits, so that a millisecond has room for 2,048
 * at least; more than that, or a clock set back, and the time of the identifiers runs ahead. */
bool digest_uuid7(struct digest *digest, char out[DIGEST_UUID_SIZE])
{
    unsigned char id[16];
    char hex[32];
    uint64_t now = (uint64_t)(moment_wall_us() / 1000);

    if (!draw(digest, id + 6, 10)) return false;
    unsigned start = ((unsigned)id[6] << 8 | id[7]) & 0x7ff;
    if (now > digest->last_ms) {
        digest->last_ms = now;
        digest->counter = start;
    } else if (++digest->counter > 0xfff) {
        digest->last_ms++;
        digest->counter = start;
    }
    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(digest->last_ms >> (40 - 8 * i));
    id[6] = (unsigned char)(0x70 | digest->counter >> 8);
    id[7] = (unsigned char)digest->counter;
    id[8] = (id[8] & 0x3f) | 0x80;
    digest_hex((struct digest_bytes){id, sizeof(id)}, hex);
    for (size_t i = 0, at = 0; i < sizeof(hex); i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) out[at++] = '-';
        out[at++] = hex[i];
    }
    out[DIGEST_UUID_SIZE - 1] = '\0';
    return true;
}

/* ---- spelling bytes -----------------------------------------------------------------------
 */

void digest_hex(struct digest_bytes bytes, char *out)
{
    const unsigned char *p = bytes.data;

    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
}

static const char *letters(enum digest_alphabet alphabet)
{
    return alphabet == DIGEST_BASE64
               ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

size_t digest_base64_size(size_t len)
{
    return len / 3 < SIZE_MAX / 4 - 1 ? len / 3 * 4 + 4 : SIZE_MAX;
}

size_t digest_base64(enum digest_alphabet alphabet, struct digest_bytes bytes, char *out)
{
    const char *letter = letters(alphabet);
    const unsigned char *p = bytes.data;
    size_t at = 0, left = bytes.len;

    for (; left > 0; p += 3) {
        unsigned has = left < 3 ? (unsigned)left : 3;
        unsigned long bits = (unsigned long)p[0] << 16;
        if (has > 1) bits |= (unsigned long)p[1] << 8;
        if (has > 2) bits |= p[2];
        for (unsigned i = 0; i < 4; i++) {
            if (i <= has)
                out[at++] = letter[bits >> (18 - 6 * i) & 63];
            else if (alphabet == DIGEST_BASE64)
                out[at++] = '=';
        }
        left -= has;
    }
    return at;
}

static int value_of(enum digest_alphabet alphabet, unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (alphabet == DIGEST_BASE64 ? '+' : '-')) return 62;
    if (c == (alphabet == DIGEST_BASE64 ? '/' : '_')) return 63;
    return -1;
}

bool digest_unbase64(enum digest_alphabet alphabet, struct digest_bytes text,
                     unsigned char *out, size_t *len)
{
    const unsigned char *p = text.data;
    size_t n = text.len;
    unsigned long bits = 0;
    unsigned have = 0; /* bits read and not yet written */

    *len = 0;
    if (alphabet == DIGEST_BASE64) {
        if (n % 4 != 0) return false;
        for (unsigned i = 0; i < 2 && n > 0 && p[n - 1] == '='; i++)
            n--;
    }
    if (n % 4 == 1) return false;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(alphabet, p[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (unsigned long)value) & 0xffffff;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[(*len)++] = (unsigned char)(bits >> have);
    }
    return (bits & ((1UL << have) - 1)) == 0;
}
