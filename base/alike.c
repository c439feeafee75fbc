#include "base/alike.h"

#include <stdlib.h>
#include <string.h>

#include "base/key.h"

#define SIZE_FIRST 64

struct alike_slot {
    uint64_t key;
    const struct fields *fields;
    struct bytes from;
    const void *object; /* NULL = empty */
};

void alike_fini(struct alike *a)
{
    arena_fini(&a->arena);
    free(a->slots);
    *a = (struct alike){0};
}

static uint64_t key_of(struct bytes from)
{
    return key_bytes(KEY_START, from.data, from.len);
}

/* Theirs, or the empty one where they would go. */
static struct alike_slot *slot_of(const struct alike *a, uint64_t key, const struct fields *f, struct bytes from)
{
    for (size_t at = (size_t)(key >> 32) & (a->size - 1);; at = (at + 1) & (a->size - 1)) {
        struct alike_slot *s = &a->slots[at];
        if (s->object == NULL || (s->key == key && s->fields == f && s->from.len == from.len &&
                                  memcmp(s->from.data, from.data, from.len) == 0))
            return s;
    }
}

const void *alike_find(const struct alike *a, const struct fields *f, struct bytes from)
{
    return a->size > 0 ? slot_of(a, key_of(from), f, from)->object : NULL;
}

bool alike_has_room(const struct alike *a, size_t len)
{
    return len <= ALIKE_MAX_BYTES - MIN(a->bytes, ALIKE_MAX_BYTES);
}

static bool grow(struct alike *a)
{
    struct alike bigger = *a;
    bigger.size = a->size == 0 ? SIZE_FIRST : a->size * 2;
    bigger.slots = calloc(bigger.size, sizeof bigger.slots[0]);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < a->size; i++)
        if (a->slots[i].object != NULL)
            *slot_of(&bigger, a->slots[i].key, a->slots[i].fields, a->slots[i].from) = a->slots[i];
    free(a->slots);
    *a = bigger;
    return true;
}

void alike_add(struct alike *a, const struct fields *f, struct bytes from, const void *object)
{
    if (a->count >= a->size / 2 && !grow(a))
        return;
    char *bytes = arena_text(&a->arena, (const char *)from.data, from.len);
    void *copy = arena_take(&a->arena, f->size);
    if (bytes == NULL || copy == NULL)
        return;
    memcpy(copy, object, f->size);
    uint64_t key = key_of(from);
    *slot_of(a, key, f, from) = (struct alike_slot){key, f, {(uint8_t *)bytes, from.len}, copy};
    a->count++;
    a->bytes += from.len + f->size;
}
