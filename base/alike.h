/*
 * alike - structs that many records say in the same bytes (FIELD_ALIKE), read once: who reads many records one after
 * the other lends its reader a memory of them.
 * Ownership: what was read lies in its memory until alike_fini(); objects found there share it and aren't cleared.
 * Bound:     ALIKE_MAX_BYTES of what was read; what comes later is read each time.
 * Purity:    pure (allocates). Lack of memory: it remembers less.
 */
#ifndef REEVE_BASE_ALIKE_H
#define REEVE_BASE_ALIKE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/fields.h"

#define ALIKE_MAX_BYTES ((size_t)4 << 20)

struct alike_slot;
struct alike { /* all zero: empty */
    struct arena arena;       /* where what is to be remembered is read into */
    struct alike_slot *slots; /* by key */
    size_t size, count, bytes;
};

void alike_fini(struct alike *a);
/* What was made of just these bytes by this table; NULL: not known. */
const void *alike_find(const struct alike *a, const struct fields *f, struct bytes from);
/* May so many bytes still be read into its arena? */
bool alike_has_room(const struct alike *a, size_t len);
/* The object was read from these bytes, into the arena, and wasn't known. */
void alike_add(struct alike *a, const struct fields *f, struct bytes from, const void *object);

#endif
