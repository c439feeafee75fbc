#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdbool.h>

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
