#include "base/io/tree.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)65536)

struct tree_block {
    struct tree_block *next;
    _Alignas(max_align_t) char bytes[];
};

void tree_init(struct tree *t)
{
    t->blocks = NULL;
    t->block = t->first_block;
    t->used = 0;
    t->size = sizeof t->first_block;
}

void tree_fini(struct tree *t)
{
    while (t->blocks != NULL) {
        struct tree_block *next = t->blocks->next;
        free(t->blocks);
        t->blocks = next;
    }
    tree_init(t);
}

static void *take(struct tree *t, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + align - 1) & ~(align - 1);
    if (bytes > t->size - t->used) {
        size_t size = MAX(bytes, BLOCK_SIZE);
        struct tree_block *b = malloc(sizeof *b + size);
        if (b == NULL)
            return NULL;
        b->next = t->blocks;
        t->blocks = b;
        t->block = b->bytes;
        t->used = 0;
        t->size = size;
    }
    void *taken = t->block + t->used;
    t->used += bytes;
    return taken;
}

struct tree_node *tree_add(struct tree *t, struct tree_node *parent, enum tree_kind kind)
{
    struct tree_node *n = take(t, sizeof *n);
    if (n == NULL)
        return NULL;
    memset(n, 0, sizeof *n);
    n->kind = kind;
    if (parent == NULL)
        return n;
    if (parent->last != NULL)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->count++;
    return n;
}

char *tree_copy(struct tree *t, const char *text, size_t len)
{
    char *copy = take(t, len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* By key; equal keys in the order they were written in. */
static int by_key(const void *a, const void *b)
{
    const struct tree_node *x = *(const struct tree_node *const *)a;
    const struct tree_node *y = *(const struct tree_node *const *)b;
    int order = strcmp(x->key, y->key);
    if (order != 0)
        return order;
    if (x->key_line != y->key_line)
        return x->key_line < y->key_line ? -1 : 1;
    return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

const struct tree_node *tree_duplicate(const struct tree_node *map, int *ret_rc)
{
    *ret_rc = 0;
    if (map->count < 2)
        return NULL;
    CLEANUP(free_p) const struct tree_node **sorted = calloc(map->count, sizeof *sorted);
    if (sorted == NULL) {
        *ret_rc = -ENOMEM;
        return NULL;
    }
    size_t count = 0;
    for (const struct tree_node *n = map->first; n != NULL; n = n->next)
        sorted[count++] = n;
    qsort(sorted, count, sizeof *sorted, by_key);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            return sorted[i];
    return NULL;
}
