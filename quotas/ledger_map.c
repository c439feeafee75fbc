#include "quotas/ledger_map.h"

#include <string.h>

#include "base/macros.h"
#include "base/word.h"

#define SIZE_FIRST 64

/* Eight bytes at a time, then a finalizer: linear probing needs good low bits. */
static uint64_t hash_of(const void *key, size_t len)
{
    const uint8_t *bytes = key;
    uint64_t h = len, word = 0;
    for (; len >= sizeof word; len -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    h = (h ^ word_tail(bytes, len)) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 29);
}

/* The slot that holds the key, or the empty one where it would go. size > count, so there is one. */
static size_t slot_of(const struct map *m, uint64_t hash, const void *key, size_t len)
{
    size_t at = hash & (m->size - 1);
    while (m->slots[at].object) {
        const struct map_slot *s = &m->slots[at];
        if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0) {
            break;
        }
        at = (at + 1) & (m->size - 1);
    }
    return at;
}

static void grow(struct map *m)
{
    struct map bigger = {.size = m->size ? m->size * 2 : SIZE_FIRST, .count = m->count};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots) {
        abort();
    }
    for (size_t i = 0; i < m->size; i++) {
        const struct map_slot *s = &m->slots[i];
        if (s->object) {
            bigger.slots[slot_of(&bigger, s->hash, s->key, s->len)] = *s;
        }
    }
    free(m->slots);
    *m = bigger;
}

void map_fini(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

void map_expect(const struct map *m, const void *key, size_t len)
{
    if (m->size)
        __builtin_prefetch(&m->slots[hash_of(key, len) & (m->size - 1)]);
}

void *map_find(const struct map *m, const void *key, size_t len)
{
    return m->size ? m->slots[slot_of(m, hash_of(key, len), key, len)].object : NULL;
}

void map_put(struct map *m, const void *key, size_t len, void *object)
{
    if (m->count + 1 > m->size / 4 * 3) {
        grow(m);
    }
    uint64_t hash = hash_of(key, len);
    size_t at = slot_of(m, hash, key, len);
    BUG(m->slots[at].object);
    m->slots[at] = (struct map_slot){hash, key, len, object};
    m->count++;
}

void map_remove(struct map *m, const void *key, size_t len)
{
    BUG(m->size == 0);
    size_t hole = slot_of(m, hash_of(key, len), key, len);
    BUG(!m->slots[hole].object);
    /* Close the hole: an entry further on moves back unless its home lies between the hole and itself. */
    for (size_t at = (hole + 1) & (m->size - 1); m->slots[at].object; at = (at + 1) & (m->size - 1)) {
        size_t home = m->slots[at].hash & (m->size - 1);
        if (((at - home) & (m->size - 1)) >= ((at - hole) & (m->size - 1))) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->count--;
}

void *map_each(const struct map *m, size_t *at)
{
    while (*at < m->size) {
        void *object = m->slots[(*at)++].object;
        if (object) {
            return object;
        }
    }
    return NULL;
}
