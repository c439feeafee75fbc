#include "scheduler/core/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define SIZE_FIRST 16

void table_fini(struct table *t)
{
    free(t->slots);
    *t = (struct table){.is = t->is};
}

/* By the upper bits: every bit of a key moves those, while the lower ones are moved by what is below them alone, which
 * in a text is its first characters. */
static size_t home_of(const struct table *t, uint64_t hash)
{
    return (size_t)((hash >> 32) * t->size >> 32);
}

void table_expect(const struct table *t, uint64_t hash)
{
    if (t->size > 0)
        __builtin_prefetch(&t->slots[home_of(t, hash)]);
}

void *table_find(const struct table *t, uint64_t hash, const void *key)
{
    if (t->count == 0)
        return NULL;
    for (size_t i = home_of(t, hash); t->slots[i].object != NULL; i = (i + 1) & (t->size - 1))
        if (t->slots[i].hash == hash && t->is(t->slots[i].object, key))
            return t->slots[i].object;
    return NULL;
}

static void put(struct table *t, uint64_t hash, void *object)
{
    size_t i = home_of(t, hash);
    while (t->slots[i].object != NULL)
        i = (i + 1) & (t->size - 1);
    t->slots[i] = (struct table_slot){hash, object};
}

static void grow(struct table *t)
{
    struct table_slot *old = t->slots;
    size_t old_size = t->size;
    t->size = old_size == 0 ? SIZE_FIRST : old_size * 2;
    t->slots = calloc(t->size, sizeof t->slots[0]);
    BUG(t->slots == NULL);
    for (size_t i = 0; i < old_size; i++)
        if (old[i].object != NULL)
            put(t, old[i].hash, old[i].object);
    free(old);
}

void table_put(struct table *t, uint64_t hash, void *object)
{
    if (t->size == 0 || t->count >= t->size - t->size / 4)
        grow(t);
    put(t, hash, object);
    t->count++;
}

void table_remove(struct table *t, uint64_t hash, const void *object)
{
    BUG(t->count == 0);
    size_t hole = home_of(t, hash);
    while (t->slots[hole].object != object) {
        BUG(t->slots[hole].object == NULL);
        hole = (hole + 1) & (t->size - 1);
    }
    /* Whoever was pushed along past the hole moves back, so that no search stops too early. */
    for (size_t i = (hole + 1) & (t->size - 1); t->slots[i].object != NULL; i = (i + 1) & (t->size - 1)) {
        size_t home = home_of(t, t->slots[i].hash);
        if (((i - home) & (t->size - 1)) >= ((i - hole) & (t->size - 1))) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole].object = NULL;
    t->count--;
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

uint64_t hash_u64(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (uint8_t)(value >> 8 * i)) * UINT64_C(1099511628211);
    return hash;
}
