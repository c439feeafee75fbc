/*
 * keyset - a set of 64-bit hashes, none of them 0: open addressing, grown at half.
 */
#ifndef REEVE_TESTS_SIM_KEYSET_H
#define REEVE_TESTS_SIM_KEYSET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct keyset {
    uint64_t *v;
    size_t count, size;
};

static inline bool keyset_add(struct keyset *s, uint64_t key) /* false: it is there already */
{
    if (s->count * 2 >= s->size) {
        struct keyset grown = {.size = s->size == 0 ? 256 : s->size * 2};
        grown.v = calloc(grown.size, sizeof grown.v[0]);
        if (grown.v == NULL)
            abort();
        for (size_t i = 0; i < s->size; i++)
            if (s->v[i] != 0)
                keyset_add(&grown, s->v[i]);
        free(s->v);
        *s = grown;
    }
    size_t at = key & (s->size - 1);
    for (; s->v[at] != 0; at = (at + 1) & (s->size - 1))
        if (s->v[at] == key)
            return false;
    s->v[at] = key;
    s->count++;
    return true;
}

static inline void keyset_fini(struct keyset *s)
{
    free(s->v);
    *s = (struct keyset){0};
}

#endif
