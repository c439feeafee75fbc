#include "base/key.h"

#include <string.h>

#include "base/word.h"

uint64_t key_u64(uint64_t key, uint64_t value)
{
    key = (key ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return key ^ key >> 32;
}

uint64_t key_bytes(uint64_t key, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t word = 0;
    key = key_u64(key, len); /* so that "a","bc" and "ab","c" differ */
    for (; len >= sizeof word; len -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        key = key_u64(key, word);
    }
    return key_u64(key, word_tail(at, len));
}

uint64_t key_text(uint64_t key, const char *text)
{
    return key_bytes(key, text, text != NULL ? strlen(text) : 0);
}
