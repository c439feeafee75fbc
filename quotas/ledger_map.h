/*
 * ledger_map - the ledger's index: a hash map from a run of bytes to an object. Internal to quotas/ledger*.
 * Ownership: keys and objects belong to the caller; a key must live, unchanged, as long as its entry (so it is
 *            usually a part of the object).
 * Order:     map_each() has no order that anything may depend on: sort what leaves the ledger.
 * Purity:    pure. Lack of memory aborts, as ledger_apply() promises.
 */
#ifndef REEVE_QUOTAS_LEDGER_MAP_H
#define REEVE_QUOTAS_LEDGER_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t hash;
    const void *key;
    size_t len;
    void *object; /* NULL = empty slot */
};
struct map {
    struct map_slot *slots;
    size_t size; /* power of two, or 0 */
    size_t count;
};

void map_fini(struct map *m);
/* The key will be asked for: what memory has of it is on its way meanwhile. */
void map_expect(const struct map *m, const void *key, size_t len);
void *map_find(const struct map *m, const void *key, size_t len); /* NULL = absent */
void map_put(struct map *m, const void *key, size_t len, void *object); /* must not be there yet */
void map_remove(struct map *m, const void *key, size_t len);            /* must be there */
/* Walks all objects: for (size_t at = 0; (o = map_each(m, &at)) != NULL;). Not across put or remove. */
void *map_each(const struct map *m, size_t *at);

#endif
