/*
 * sha256 - the hash of our chains; the only owner of OpenSSL's digest calls.
 * Purity: the same bytes give the same hash; no I/O. Keeps one digest context for the process (no threads).
 *         Aborts when OpenSSL has no memory for it: a chain can't go on without its hash.
 */
#ifndef REEVE_BASE_SHA256_H
#define REEVE_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_MAX (2 * SHA256_BYTES + 1)

struct sha256_part {
    const void *bytes;
    size_t len;
};

/* Hash of the parts laid end to end. */
void sha256(const struct sha256_part *parts, size_t count, uint8_t out[SHA256_BYTES]);
/* HMAC-SHA256 (RFC 2104) of the parts laid end to end. */
void sha256_hmac(const void *key, size_t key_len, const struct sha256_part *parts, size_t count,
                 uint8_t out[SHA256_BYTES]);
/* Equal? It takes the same time whatever matches: for what a stranger may guess at. */
bool sha256_same(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES]);
/* Lower-case hex; returns out. */
const char *sha256_hex(const uint8_t hash[SHA256_BYTES], char out[SHA256_HEX_MAX]);

#endif
