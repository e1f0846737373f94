/* RSA signatures: RS256 of RFC 7518, which is RSASSA-PKCS1-v1_5 over SHA-256. */
#ifndef MOONGATE_RSA_H
#define MOONGATE_RSA_H

#include <stdbool.h>
#include <stddef.h>

#include "digest.h"

/* Bytes of the longest signature: of a key of 8192 bits. */
enum { RSA_SIGNATURE_MAX = 1024 };

/* Sign `text` with the private key in `pem` (PKCS#8 or PKCS#1, without a password). False where
 * that holds no RSA key of 2048 to 8192 bits. Takes a millisecond or so. */
bool rsa_sign(struct digest_bytes pem, struct digest_bytes text,
              unsigned char out[RSA_SIGNATURE_MAX], size_t *len)
    __attribute__((warn_unused_result));

#endif
