/*
 * table - a hash table from a key to an object, the key being part of the object. Internal to scheduler/core.
 * Ownership: objects belong to the caller.
 * Order:     none that anything may depend on; there is no walk.
 * Purity:    pure. Lack of memory aborts: a committed fact can't be half applied.
 */
#ifndef REEVE_SCHEDULER_CORE_TABLE_H
#define REEVE_SCHEDULER_CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

struct table_slot {
    uint64_t hash;
    void *object; /* NULL = empty */
};
struct table {
    struct table_slot *slots;
    size_t size; /* power of two, or 0 */
    size_t count;
    bool (*is)(const void *object, const void *key);
};

void table_fini(struct table *t);
void table_expect(const struct table *t, uint64_t hash); /* it will be looked for: its place is on its way meanwhile */
void *table_find(const struct table *t, uint64_t hash, const void *key); /* NULL = absent */
void table_put(struct table *t, uint64_t hash, void *object);            /* must not be there yet */
void table_remove(struct table *t, uint64_t hash, const void *object);   /* must be there */

#define HASH_START UINT64_C(14695981039346656037)
/* FNV-1a, continued: the same on every machine. For what states are compared by. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);
uint64_t hash_text(uint64_t hash, const char *text); /* with its end, so that "a","bc" and "ab","c" differ; NULL = "" */
uint64_t hash_u64(uint64_t hash, uint64_t value);

#endif
