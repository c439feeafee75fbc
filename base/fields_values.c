/* The small helpers of base/fields.h: names of enums, and growing the kinds that own memory. */
#include <errno.h>
#include <string.h>

#include "base/fields.h"

#define COUNTS_FEW 8 /* names: walked, as their first letters tell most of them apart */

const char *names_get(const struct names *n, uint32_t value)
{
    return value < n->count && n->name[value] != NULL ? n->name[value] : "?";
}

int names_find(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->name[i] != NULL && strcmp(n->name[i], name) == 0)
            return (int)i;
    return -1;
}

void names_list(const struct names *n, struct buf *out)
{
    const char *between = "";
    for (size_t i = 0; i < n->count; i++) {
        if (n->name[i] == NULL)
            continue;
        buf_add_str(out, between);
        buf_add_str(out, n->name[i]);
        between = ", ";
    }
}

bool str_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int str_set(char **field, const char *text)
{
    char *copy = NULL;
    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL)
            return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

int strs_add(struct strs *s, const char *text)
{
    CLEANUP(free_p) char *copy = strdup(text);
    char **v = realloc(s->v, (s->count + 1) * sizeof *v);
    if (v != NULL)
        s->v = v;
    if (v == NULL || copy == NULL)
        return -ENOMEM;
    s->v[s->count++] = TAKE_PTR(copy);
    return 0;
}

/* Where `key` is, or would be inserted, in an array of entries that begin with their key. */
static size_t search(const void *entries, size_t count, size_t size, const char *key, bool *ret_found)
{
    size_t low = 0;
    size_t high = count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *found = *(char *const *)((const char *)entries + middle * size);
        int order = strcmp(found, key);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
_Static_assert(offsetof(struct pair, key) == 0 && offsetof(struct count, name) == 0, "search() reads the key first");

int pairs_set(struct pairs *p, const char *key, const char *value)
{
    bool found = false;
    size_t i = search(p->v, p->count, sizeof *p->v, key, &found);
    if (found)
        return str_set(&p->v[i].value, value);
    CLEANUP(free_p) char *key_copy = strdup(key);
    CLEANUP(free_p) char *value_copy = strdup(value != NULL ? value : "");
    struct pair *v = realloc(p->v, (p->count + 1) * sizeof *v);
    if (v != NULL)
        p->v = v;
    if (v == NULL || key_copy == NULL || value_copy == NULL)
        return -ENOMEM;
    memmove(&p->v[i + 1], &p->v[i], (p->count - i) * sizeof *p->v);
    p->v[i] = (struct pair){ TAKE_PTR(key_copy), TAKE_PTR(value_copy) };
    p->count++;
    return 0;
}

const char *pairs_get(const struct pairs *p, const char *key)
{
    bool found = false;
    size_t i = search(p->v, p->count, sizeof *p->v, key, &found);
    if (!found)
        return NULL;
    return p->v[i].value != NULL ? p->v[i].value : "";
}

int counts_set(struct counts *c, const char *name, uint64_t value)
{
    bool found = false;
    size_t i = search(c->v, c->count, sizeof *c->v, name, &found);
    if (found) {
        c->v[i].value = value;
        return 0;
    }
    CLEANUP(free_p) char *copy = strdup(name);
    struct count *v = realloc(c->v, (c->count + 1) * sizeof *v);
    if (v != NULL)
        c->v = v;
    if (v == NULL || copy == NULL)
        return -ENOMEM;
    memmove(&c->v[i + 1], &c->v[i], (c->count - i) * sizeof *c->v);
    c->v[i] = (struct count){ TAKE_PTR(copy), value };
    c->count++;
    return 0;
}

uint64_t counts_get(const struct counts *c, const char *name)
{
    bool found = false;
    size_t i = 0;
    if (c->count > COUNTS_FEW)
        i = search(c->v, c->count, sizeof *c->v, name, &found);
    for (; c->count <= COUNTS_FEW && !found && i < c->count; i += !found)
        found = c->v[i].name[0] == name[0] && strcmp(c->v[i].name, name) == 0;
    return found ? c->v[i].value : 0;
}

/* Exact growth each time: no hidden capacity, so any array of the right length may stand in a list. */
void *list_add(struct list *l, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(l->count + 1, size, &bytes))
        return NULL;
    char *v = realloc(l->v, bytes);
    if (v == NULL)
        return NULL;
    l->v = v;
    void *element = v + l->count++ * size;
    memset(element, 0, size);
    return element;
}
