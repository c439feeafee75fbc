#include "base/sha256.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/macros.h"

/* Fetching the algorithm costs more than hashing a short record with it: both are made once. */
static EVP_MD_CTX *context(void)
{
    static EVP_MD_CTX *kept;
    if (kept != NULL)
        return kept;
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *made = EVP_MD_CTX_new();
    BUG(md == NULL || made == NULL || EVP_DigestInit_ex2(made, md, NULL) != 1);
    EVP_MD_free(md); /* the context holds its own reference */
    return kept = made;
}

void sha256(const struct sha256_part *parts, size_t count, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *c = context();
    bool ok = EVP_DigestInit_ex2(c, NULL, NULL) == 1;
    for (size_t i = 0; i < count; i++)
        ok = ok && EVP_DigestUpdate(c, parts[i].bytes, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
    BUG(!ok);
}

#define BLOCK_BYTES 64
#define HMAC_PARTS_MAX 8

/* The key's block, each byte turned over by `with`, before the parts. */
static void hash_keyed(const uint8_t key[BLOCK_BYTES], uint8_t with, const struct sha256_part *parts, size_t count,
                       uint8_t out[SHA256_BYTES])
{
    uint8_t block[BLOCK_BYTES];
    struct sha256_part all[HMAC_PARTS_MAX + 1] = {{block, sizeof block}};
    BUG(count > HMAC_PARTS_MAX);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ with;
    for (size_t i = 0; i < count; i++)
        all[i + 1] = parts[i];
    sha256(all, count + 1, out);
}

void sha256_hmac(const void *key, size_t key_len, const struct sha256_part *parts, size_t count,
                 uint8_t out[SHA256_BYTES])
{
    uint8_t block[BLOCK_BYTES] = {0}, inner[SHA256_BYTES];
    if (key_len > BLOCK_BYTES)
        sha256(&(struct sha256_part){key, key_len}, 1, block);
    else if (key_len > 0)
        memcpy(block, key, key_len);
    hash_keyed(block, 0x36, parts, count, inner);
    hash_keyed(block, 0x5c, &(struct sha256_part){inner, sizeof inner}, 1, out);
}

bool sha256_same(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
    volatile uint8_t differs = 0; /* no early end */
    for (size_t i = 0; i < SHA256_BYTES; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

const char *sha256_hex(const uint8_t hash[SHA256_BYTES], char out[SHA256_HEX_MAX])
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digit[hash[i] >> 4];
        out[2 * i + 1] = digit[hash[i] & 15];
    }
    out[SHA256_HEX_MAX - 1] = '\0';
    return out;
}
