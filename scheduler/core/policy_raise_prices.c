/* Two price books against each other: where, at any time and for anybody, does the new one ask less? */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "scheduler/core/policy_raise.h"
#include "scheduler/core/state.h"

static const struct price_version *version_at(const struct list *book, size_t i)
{
    return &((const struct price_version *)book->v)[i];
}

/* The version in force; NULL = none yet: everything is free. Dates rise. */
static const struct price_version *in_force(const struct list *book, int64_t utc_us)
{
    const struct price_version *found = NULL;
    for (size_t i = 0; i < book->count && version_at(book, i)->from_utc_us <= utc_us; i++)
        found = version_at(book, i);
    return found;
}

static const struct price_class *class_of(const struct price_version *v, const char *name)
{
    const struct price_class *classes = v->classes.v;
    for (size_t i = 0; name != NULL && i < v->classes.count; i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

static bool is_named(const struct counts *prices, const char *resource)
{
    for (size_t i = 0; i < prices->count; i++)
        if (strcmp(prices->v[i].name, resource) == 0)
            return true;
    return false;
}

static uint64_t list_price(const struct price_version *v, const char *class, const char *resource)
{
    const struct price_class *own = class_of(v, class);
    if (strcmp(resource, RESOURCE_IO) == 0)
        return counts_get(own != NULL && is_named(&own->per_gib, resource) ? &own->per_gib : &v->per_gib, resource);
    return counts_get(own != NULL && is_named(&own->per_hour, resource) ? &own->per_hour : &v->per_hour, resource);
}

/* The nearest ancestor's. */
static uint64_t discount(const struct price_version *v, const char *tenant)
{
    char path[256];
    snprintf(path, sizeof path, "%s", tenant);
    for (;;) {
        char *slash = strrchr(path, '/');
        if (is_named(&v->discounts, path))
            return counts_get(&v->discounts, path);
        if (slash == NULL || slash == path)
            return counts_get(&v->discounts, TENANT_ROOT);
        *slash = '\0';
    }
}

static uint32_t by(const struct price_version *v, const char *resource)
{
    const char *name = pairs_get(&v->by, resource);
    int found = name != NULL ? names_find(&price_by_names, name) : PRICE_BY_REQUEST;
    return found < 0 ? PRICE_BY_REQUEST : (uint32_t)found;
}

static uint32_t preemptible(const struct price_version *v)
{
    return v->preemptible_percent != 0 ? v->preemptible_percent : 100;
}

/* ---- one pair of versions --------------------------------------------------------------------------- */

struct pair_look {
    const struct price_version *before, *after;
    const char *when; /* " from 2026-12-01T00:00:00Z" */
    struct strs *raises;
};

static void add(const struct pair_look *l, const char *what, const char *of)
{
    struct buf line = {0};
    buf_addf(&line, "%s%s%s%s", what, of[0] != '\0' ? " " : "", of, l->when);
    for (size_t i = 0; i < l->raises->count; i++)
        if (strncmp(l->raises->v[i], "prices  ", 8) == 0 && strcmp(l->raises->v[i] + 8, buf_text(&line)) == 0) {
            buf_fini(&line);
            return;
        }
    raises_add(l->raises, "prices", buf_text(&line));
    buf_fini(&line);
}

static void resource(const struct pair_look *l, const char *class, const char *name)
{
    if (list_price(l->after, class, name) < list_price(l->before, class, name))
        add(l, name, "");
    if (by(l->after, name) != by(l->before, name) && by(l->after, name) != PRICE_BY_GREATER)
        add(l, "by", name);
}

static void resources_in(const struct pair_look *l, const char *class, const struct counts *named)
{
    for (size_t i = 0; i < named->count; i++)
        resource(l, class, named->v[i].name);
}

/* Whatever one of the two names; what neither does is free in both. */
static void class_in(const struct pair_look *l, const char *name)
{
    const struct price_version *v[] = {l->before, l->after};
    for (size_t i = 0; i < COUNT_OF(v); i++) {
        const struct price_class *class = class_of(v[i], name);
        resources_in(l, name, &v[i]->per_hour);
        resources_in(l, name, &v[i]->per_gib);
        if (class != NULL) {
            resources_in(l, name, &class->per_hour);
            resources_in(l, name, &class->per_gib);
        }
        for (size_t k = 0; k < v[i]->by.count; k++)
            resource(l, name, v[i]->by.v[k].key);
    }
}

static void compare(const struct pair_look *l)
{
    const struct price_version *v[] = {l->before, l->after};
    class_in(l, NULL);
    for (size_t i = 0; i < COUNT_OF(v); i++) {
        const struct price_class *classes = v[i]->classes.v;
        for (size_t k = 0; k < v[i]->classes.count; k++)
            class_in(l, classes[k].name);
        for (size_t k = 0; k < v[i]->discounts.count; k++) {
            const char *path = v[i]->discounts.v[k].name;
            if (discount(l->after, path) > discount(l->before, path))
                add(l, "discount", path);
        }
    }
    if (preemptible(l->after) < preemptible(l->before))
        add(l, "preemptible_percent", "");
}

/* ---- the books -------------------------------------------------------------------------------------- */

static bool same(const struct price_version *a, const struct price_version *b)
{
    struct price_version as_b = *a; /* borrows */
    as_b.version = b->version;
    as_b.from_utc_us = b->from_utc_us;
    return fields_equal(&price_version_fields, &as_b, b);
}

static void at(const struct list *before, const struct list *after, int64_t utc_us, struct strs *ret)
{
    static const struct price_version free_of_charge;
    char date[PARSE_TEXT_MAX], when[PARSE_TEXT_MAX + 8];
    const struct price_version *old = in_force(before, utc_us), *new = in_force(after, utc_us);
    struct pair_look l = {old != NULL ? old : &free_of_charge, new != NULL ? new : &free_of_charge, when, ret};
    snprintf(when, sizeof when, " from %s", format_time(utc_us, date));
    if (!same(l.before, l.after))
        compare(&l);
}

void raises_prices(const struct list *before, const struct list *after, struct strs *ret)
{
    for (size_t i = 0; i < before->count; i++)
        at(before, after, version_at(before, i)->from_utc_us, ret);
    for (size_t i = 0; i < after->count; i++)
        at(before, after, version_at(after, i)->from_utc_us, ret);
}
