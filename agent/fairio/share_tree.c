#include "agent/fairio/share_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/tenant_path.h"

#define ALL_BITS 40 /* 2^40 = all of the disk */
#define ALL (UINT64_C(1) << ALL_BITS)

const struct disk_share share_default = {.weight = IO_WEIGHT_DEFAULT};

/* ---- rows ---- */

struct share_row {
    char *path;
    struct disk_share share;
    uint64_t reserved_ppm; /* for it and all below it */
    uint32_t after;        /* the first row that isn't below it */
    uint32_t cap, above;   /* its own; the nearest above it; 0: none */
};

static int by_row(const void *a, const void *b)
{
    return tenant_path_compare(((const struct share_row *)a)->path, ((const struct share_row *)b)->path);
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

static uint64_t reserved_between(const struct share_tree *t, size_t from, size_t to)
{
    uint64_t sum = 0;
    for (size_t i = from; i < to; i = t->v[i].after)
        sum += t->v[i].reserved_ppm;
    return sum;
}

/* From the last to the first, so that what is below a row is known before it. */
static void add_up(struct share_tree *t)
{
    for (size_t i = t->count; i-- > 0;) {
        struct share_row *row = &t->v[i];
        size_t end = i + 1;
        while (end < t->count && tenant_path_is_below(t->v[end].path, row->path))
            end = t->v[end].after;
        row->after = (uint32_t)end;
        row->reserved_ppm = MAX(row->share.reserved_ppm, reserved_between(t, i + 1, end));
    }
}

static bool has_limits(const struct fq_limits *l)
{
    return l->ppm > 0 || l->bytes_per_s > 0 || l->ops_per_s > 0;
}

static void number_caps(struct share_tree *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct share_row *row = &t->v[i];
        row->cap = has_limits(&row->share.limits) ? ++t->caps : 0;
        for (size_t k = i + 1; row->cap > 0 && k < row->after; k++)
            t->v[k].above = row->cap; /* nearer ones come later */
    }
}

int share_tree_set(struct share_tree *t, const struct share_given *rows, size_t count)
{
    struct share_tree made = {.v = calloc(count + 1, sizeof *made.v)};
    for (; made.v != NULL && made.count < count; made.count++) {
        made.v[made.count] = (struct share_row){.path = strdup(rows[made.count].path),
                                                .share = rows[made.count].share};
        if (made.v[made.count].path == NULL)
            break;
    }
    if (made.v == NULL || made.count < count) {
        share_tree_fini(&made);
        return -ENOMEM;
    }
    qsort(made.v, made.count, sizeof *made.v, by_row);
    forget_twice(&made);
    add_up(&made);
    number_caps(&made);
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

/* Where it is, or would be. */
static size_t place_of(const struct share_tree *t, const char *path)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (tenant_path_compare(t->v[mid].path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const struct share_row *find(const struct share_tree *t, const char *path)
{
    size_t at = place_of(t, path);
    return at < t->count && strcmp(t->v[at].path, path) == 0 ? &t->v[at] : NULL;
}

bool share_tree_has(const struct share_tree *t, const char *path)
{
    return find(t, path) != NULL;
}

const struct disk_share *share_tree_get(const struct share_tree *t, const char *path)
{
    const struct share_row *row = find(t, path);
    return row != NULL ? &row->share : &share_default;
}

size_t share_tree_rows(const struct share_tree *t, struct share_given *ret)
{
    for (size_t i = 0; i < t->count; i++)
        ret[i] = (struct share_given){t->v[i].path, t->v[i].share};
    return t->count;
}

uint64_t share_tree_reserved_ppm(const struct share_tree *t)
{
    return reserved_between(t, 0, t->count);
}

/* ---- limits ---- */

/* The row of the nearest tenant at or above `path` that is named. */
static const struct share_row *nearest(const struct share_tree *t, const char *path)
{
    char name[SHARE_PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof name)
        return NULL;
    memcpy(name, path, len + 1);
    for (;;) {
        const struct share_row *row = find(t, name);
        char *last = strrchr(name, '/');
        if (row != NULL || last == NULL)
            return row;
        *last = '\0';
    }
}

void share_tree_caps(const struct share_tree *t, const struct share_tree *before, struct fq_cap *ret)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct share_row *row = &t->v[i], *was = row->cap > 0 ? find(before, row->path) : NULL;
        if (row->cap > 0)
            ret[row->cap - 1] = (struct fq_cap){.limits = row->share.limits, .under = row->above,
                                                .was = was != NULL ? was->cap : 0};
    }
}

uint32_t share_tree_cap(const struct share_tree *t, const char *path)
{
    const struct share_row *row = nearest(t, path);
    return row == NULL ? 0 : row->cap > 0 ? row->cap : row->above;
}

const char *share_tree_cap_of(const struct share_tree *t, uint32_t cap)
{
    for (size_t i = 0; cap > 0 && i < t->count; i++)
        if (t->v[i].cap == cap)
            return t->v[i].path;
    return NULL;
}

#define TIGHTEN(limit, other) ((limit) = (other) > 0 && ((limit) == 0 || (other) < (limit)) ? (other) : (limit))

struct fq_limits share_tree_limits(const struct share_tree *t, const char *path)
{
    struct fq_limits all = {0};
    for (const struct share_row *row = t->v; t->count > 0 && row < t->v + t->count; row++) {
        if (row->cap == 0 || !tenant_path_is_below(path, row->path))
            continue;
        TIGHTEN(all.ppm, row->share.limits.ppm);
        TIGHTEN(all.bytes_per_s, row->share.limits.bytes_per_s);
        TIGHTEN(all.ops_per_s, row->share.limits.ops_per_s);
    }
    return all;
}

/* ---- parts ---- */

/* Those of wants[from..to) that begin with the first `len` bytes of the first one's path share `all` of the disk and
 * what is reserved of it for them. */
struct level {
    size_t from, to, len;
    uint64_t all, reserved_ppm;
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

struct child {
    uint32_t weight;
    uint64_t reserved_ppm;
};

/* Of a tenant that isn't named, what those below it have. */
static struct child child_of(const struct share_tree *t, const char *path, size_t len)
{
    char name[SHARE_PATH_MAX];
    if (len >= sizeof name)
        return (struct child){share_default.weight, 0};
    memcpy(name, path, len);
    name[len] = '\0';
    size_t at = place_of(t, name), end = at;
    if (at < t->count && strcmp(t->v[at].path, name) == 0)
        return (struct child){t->v[at].share.weight, t->v[at].reserved_ppm};
    while (end < t->count && tenant_path_is_below(t->v[end].path, name))
        end = t->v[end].after;
    return (struct child){share_default.weight, reserved_between(t, at, end)};
}

static void put(struct share_want *w, uint64_t all, uint64_t reserved_ppm)
{
    uint64_t part = (all * FQ_WEIGHT_MAX + ALL / 2) >> ALL_BITS; /* 2^40 * 10^6 fits */
    w->has = (struct fq_share){.weight = (uint32_t)(part > 0 ? part : 1), .reserved_ppm = (uint32_t)reserved_ppm};
}

static void share_out(const struct share_tree *t, struct share_want *wants, struct level l)
{
    bool own = l.len > 0 && wants[l.from].path[l.len] == '\0';
    uint64_t sum = own ? share_default.weight : 0, left = l.reserved_ppm;
    size_t first = l.from + own, len, end;
    if (first == l.to) {
        put(&wants[l.from], l.all, l.reserved_ppm);
        return;
    }
    for (size_t at = first; at < l.to; at = end) {
        end = child_end(wants, &l, at, &len);
        struct child c = child_of(t, wants[at].path, len);
        sum += c.weight;
        left -= l.len > 0 ? c.reserved_ppm : 0; /* at the top nothing but theirs is reserved */
    }
    if (own)
        put(&wants[l.from], l.all * share_default.weight / sum, left * share_default.weight / sum);
    for (size_t at = first; at < l.to; at = end) {
        end = child_end(wants, &l, at, &len);
        struct child c = child_of(t, wants[at].path, len);
        share_out(t, wants, (struct level){at, end, len, l.all * c.weight / sum,
                                           c.reserved_ppm + left * c.weight / sum});
    }
}

void share_tree_weigh(const struct share_tree *t, struct share_want *wants, size_t count)
{
    if (count == 0)
        return;
    qsort(wants, count, sizeof *wants, by_want);
    share_out(t, wants, (struct level){0, count, 0, ALL, 0});
}
