/*
 * nameset - records of an array that begin with their name, found by it: open addressing over their numbers, grown at
 * half. A record never moves to another number; one whose name is emptied isn't found any more.
 */
#ifndef REEVE_TESTS_SIM_NAMESET_H
#define REEVE_TESTS_SIM_NAMESET_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct nameset {
    uint32_t *slots; /* number + 1; 0: empty */
    size_t size, count;
};

static inline uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

/* Its slot, or the empty one where it would be. */
static inline uint32_t *nameset_slot(const struct nameset *s, const void *records, size_t each, const char *name)
{
    size_t at = name_hash(name) & (s->size - 1);
    while (s->slots[at] != 0 && strcmp((const char *)records + (s->slots[at] - 1) * each, name) != 0)
        at = (at + 1) & (s->size - 1);
    return &s->slots[at];
}

/* The number of the record; `count`, that of the next one, when there is none of that name: it is noted as that. */
static inline size_t nameset_find(struct nameset *s, const void *records, size_t each, size_t count, const char *name)
{
    if (s->count * 2 >= s->size) {
        free(s->slots);
        s->size = s->size == 0 ? 64 : s->size * 2;
        s->slots = calloc(s->size, sizeof s->slots[0]);
        if (s->slots == NULL)
            abort();
        s->count = 0;
        for (size_t i = 0; i < count; i++) {
            const char *of = (const char *)records + i * each;
            if (of[0] == '\0')
                continue;
            *nameset_slot(s, records, each, of) = (uint32_t)i + 1;
            s->count++;
        }
    }
    uint32_t *slot = nameset_slot(s, records, each, name);
    if (*slot != 0)
        return *slot - 1;
    *slot = (uint32_t)count + 1;
    s->count++;
    return count;
}

#endif
