#include "agent/fairio/share_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/tenant_path.h"

#define ALL_BITS 40 /* 2^40 = all of the disk */

const struct fq_share share_default = {.weight = IO_WEIGHT_DEFAULT};

/* ---- rows ---- */

static int by_row(const void *a, const void *b)
{
    return tenant_path_compare(((const struct share_given *)a)->path, ((const struct share_given *)b)->path);
}

static int by_want(const void *a, const void *b)
{
    return tenant_path_compare(((const struct share_want *)a)->path, ((const struct share_want *)b)->path);
}

static void forget_twice(struct share_tree *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (kept > 0 && strcmp(t->v[kept - 1].path, t->v[i].path) == 0)
            free(t->v[i].path);
        else
            t->v[kept++] = t->v[i];
    }
    t->count = kept;
}

int share_tree_set(struct share_tree *t, const struct share_given *rows, size_t count)
{
    struct share_tree made = {.v = calloc(count + 1, sizeof *made.v)};
    for (; made.v != NULL && made.count < count; made.count++) {
        made.v[made.count] = rows[made.count];
        made.v[made.count].path = strdup(rows[made.count].path);
        if (made.v[made.count].path == NULL)
            break;
    }
    if (made.v == NULL || made.count < count) {
        share_tree_fini(&made);
        return -ENOMEM;
    }
    qsort(made.v, made.count, sizeof *made.v, by_row);
    forget_twice(&made);
    share_tree_fini(t);
    *t = made;
    return 0;
}

void share_tree_fini(struct share_tree *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->v[i].path);
    free(t->v);
    *t = (struct share_tree){0};
}

static const struct share_given *find(const struct share_tree *t, const char *path)
{
    const struct share_given key = {.path = (char *)(uintptr_t)path};
    return t->count == 0 ? NULL : bsearch(&key, t->v, t->count, sizeof *t->v, by_row);
}

bool share_tree_has(const struct share_tree *t, const char *path)
{
    return find(t, path) != NULL;
}

const struct fq_share *share_tree_get(const struct share_tree *t, const char *path)
{
    const struct share_given *row = find(t, path);
    return row != NULL ? &row->share : &share_default;
}

/* ---- parts ---- */

/* Those of wants[from..to) that begin with the first `len` bytes of the first one's path share `all`. */
struct level {
    size_t from, to, len;
    uint64_t all;
};

/* Up to where the one that begins at `at` goes: itself and what is below it. */
static size_t child_end(const struct share_want *wants, const struct level *l, size_t at, size_t *ret_len)
{
    const char *path = wants[at].path;
    size_t len = l->len > 0 ? l->len + 1 : 0;
    len += strcspn(path + len, "/");
    size_t end = at + 1;
    while (end < l->to && strncmp(wants[end].path, path, len) == 0 &&
           (wants[end].path[len] == '/' || wants[end].path[len] == '\0'))
        end++;
    *ret_len = len;
    return end;
}

static uint32_t weight_of(const struct share_tree *t, const char *path, size_t len)
{
    char name[SHARE_PATH_MAX];
    if (len >= sizeof name)
        return share_default.weight;
    memcpy(name, path, len);
    name[len] = '\0';
    return share_tree_get(t, name)->weight;
}

static uint32_t part_of(uint64_t all)
{
    uint64_t part = (all * FQ_WEIGHT_MAX + (UINT64_C(1) << (ALL_BITS - 1))) >> ALL_BITS; /* 2^40 * 10^6 fits */
    return (uint32_t)(part > 0 ? part : 1);
}

static void share_out(const struct share_tree *t, struct share_want *wants, struct level l)
{
    bool own = l.len > 0 && wants[l.from].path[l.len] == '\0';
    uint64_t sum = own ? share_default.weight : 0;
    size_t first = l.from + own, len, end;
    if (first == l.to) {
        wants[l.from].part = part_of(l.all);
        return;
    }
    for (size_t at = first; at < l.to; at = end) {
        end = child_end(wants, &l, at, &len);
        sum += weight_of(t, wants[at].path, len);
    }
    if (own)
        wants[l.from].part = part_of(l.all * share_default.weight / sum);
    for (size_t at = first; at < l.to; at = end) {
        end = child_end(wants, &l, at, &len);
        share_out(t, wants, (struct level){at, end, len, l.all * weight_of(t, wants[at].path, len) / sum});
    }
}

void share_tree_weigh(const struct share_tree *t, struct share_want *wants, size_t count)
{
    if (count == 0)
        return;
    qsort(wants, count, sizeof *wants, by_want);
    share_out(t, wants, (struct level){0, count, 0, UINT64_C(1) << ALL_BITS});
}
