/*
 * word - the last bytes of a key, for those who read it eight bytes at a time. A copy of a length that isn't known when
 * it is compiled is a call, and keys are short.
 * Purity: pure.
 */
#ifndef REEVE_BASE_WORD_H
#define REEVE_BASE_WORD_H

#include <stdint.h>
#include <string.h>

/* Fewer than eight, the first lowest; 0 for none. */
static inline uint64_t word_tail(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    uint32_t four;
    uint16_t two;
    unsigned at = 0;
    if ((len & 4) != 0) {
        memcpy(&four, bytes, sizeof four);
        word = four;
        at = 4;
    }
    if ((len & 2) != 0) {
        memcpy(&two, bytes + at, sizeof two);
        word |= (uint64_t)two << 8 * at;
        at += 2;
    }
    return (len & 1) != 0 ? word | (uint64_t)bytes[at] << 8 * at : word;
}

#endif
