#include "rsa.h"

#include <limits.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { LEAST_BITS = 2048, MOST_BITS = 8192 };

/* libcrypto's own would ask whoever sits at the terminal. */
static int no_password(char *buffer, int size, int for_writing, void *data)
{
    (void)buffer, (void)size, (void)for_writing, (void)data;
    return -1;
}

/* The caller frees it. */
static EVP_PKEY *read_key(struct digest_bytes pem)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;

    if (!bio) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!key) return NULL;
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA") && bits >= LEAST_BITS && bits <= MOST_BITS) return key;
    EVP_PKEY_free(key);
    return NULL;
}

bool rsa_sign(struct digest_bytes pem, struct digest_bytes text,
              unsigned char out[RSA_SIGNATURE_MAX], size_t *len)
{
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;

    *len = RSA_SIGNATURE_MAX;
    bool ok = context &&
              EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL) &&
              EVP_DigestSign(context, out, len, text.data, text.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error(); /* the thread's TLS would take what is left for its own */
    return ok;
}
