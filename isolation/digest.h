/*
 * digest - SHA-256 (FIPS 180-4) for the static program: without heap, without OpenSSL's two megabytes, in pieces as
 * they come. Where the processor has instructions for it they are used; both ways are held against OpenSSL's in
 * tests/isolation/test_digest.c.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_DIGEST_H
#define REEVE_ISOLATION_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_BLOCK 64

struct digest {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t rest[DIGEST_BLOCK]; /* bytes % DIGEST_BLOCK of them */
    bool plain;                 /* without the processor's instructions */
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t len);
void digest_end(struct digest *d, uint8_t out[DIGEST_BYTES]);

#endif
