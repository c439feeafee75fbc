#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct arena_block {
    struct arena_block *older;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

static void enter(struct arena *a, struct arena_block *b)
{
    a->newest = b;
    a->at = b != NULL ? b->bytes : NULL;
    a->end = b != NULL ? b->bytes + b->size : NULL;
}

static void free_from(struct arena_block *b)
{
    while (b != NULL) {
        struct arena_block *older = b->older;
        free(b);
        b = older;
    }
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = a->newest;
    if (kept == NULL)
        return;
    free_from(kept->older);
    kept->older = NULL;
    if (kept->size > BLOCK_BYTES) {
        free(kept);
        kept = NULL;
    }
    enter(a, kept);
}

void arena_fini(struct arena *a)
{
    free_from(a->newest);
    *a = (struct arena){0};
}

/* A block for at least that much; what is left of the one before stays empty. */
static int add_block(struct arena *a, size_t size)
{
    size_t bytes = MAX(size, BLOCK_BYTES);
    struct arena_block *b = bytes <= SIZE_MAX - sizeof *b ? malloc(sizeof *b + bytes) : NULL;
    if (b == NULL)
        return -1;
    b->older = a->newest;
    b->size = bytes;
    enter(a, b);
    return 0;
}

static void *take(struct arena *a, size_t size, size_t align)
{
    size_t gap = -(uintptr_t)a->at & (align - 1);
    size_t room = (size_t)(a->end - a->at);
    if (room < gap || room - gap < size) {
        if (add_block(a, size) < 0)
            return NULL;
        gap = 0; /* a block begins aligned */
    }
    char *piece = a->at + gap;
    a->at = piece + size;
    return piece;
}

void *arena_take(struct arena *a, size_t size)
{
    return take(a, size, _Alignof(max_align_t));
}

char *arena_text(struct arena *a, const char *bytes, size_t len)
{
    char *text = a != NULL ? take(a, len + 1, 1) : malloc(len + 1);
    if (text == NULL)
        return NULL;
    if (len > 0)
        memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

/* In an arena a row has room for a power of two. */
void *arena_grow(struct arena *a, void *row, size_t count, size_t each)
{
    if (a == NULL)
        return reallocarray(row, count + 1, each);
    if (count > 0 && (count & (count - 1)) != 0)
        return row;
    size_t bytes;
    if (__builtin_mul_overflow(MAX(count * 2, (size_t)1), each, &bytes))
        return NULL;
    void *grown = arena_take(a, bytes);
    if (grown != NULL && count > 0)
        memcpy(grown, row, count * each);
    return grown;
}
