#include "quotas/reports/focus_lookup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/policy.h"
#include "quotas/reports/escape.h"

/* ---- cells ------------------------------------------------------------------------------------------------------ */
void rendered_reset(struct rendered *r)
{
    if (r->text.len > LOOKUP_TEXT_MAX)
        buf_fini(&r->text); /* one large row shouldn't stay large for ever */
    buf_reset(&r->text);
    r->count = 0;
}

void rendered_done(struct rendered *r)
{
    BUG(r->count == RENDERED_MAX);
    r->end[r->count++] = r->text.len;
}

struct cell rendered_get(const struct rendered *r, size_t i)
{
    size_t begin = i == 0 ? 0 : r->end[i - 1];
    return (struct cell){r->text.data + begin, r->end[i] - begin};
}

static void add_text(struct rendered *r, uint32_t format, const char *text)
{
    focus_text(&r->text, format, text);
    rendered_done(r);
}

static int check_memory(const struct rendered *r, struct err *err)
{
    return r->text.failed ? err_set(err, -ENOMEM, "no memory") : 0;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */
int lookup_init(struct focus_lookup *l, struct err *err)
{
    l->attempts = calloc(LOOKUP_ATTEMPTS, sizeof *l->attempts);
    l->skus = calloc(LOOKUP_SKUS, sizeof *l->skus);
    if (l->attempts == NULL || l->skus == NULL)
        return err_set(err, -ENOMEM, "no memory");
    int r = db_prepare(l->db, "SELECT path FROM paths WHERE tenant = ?1", &l->find_tenant, err);
    if (r == 0)
        r = db_prepare(l->db, "SELECT a.job, a.task, a.epoch, a.node, j.name, j.user, j.labels"
                              " FROM attempts a JOIN jobs j USING(job) WHERE a.attempt = ?1", &l->find_attempt, err);
    return r;
}

static void sku_fini(struct focus_sku *s)
{
    free(s->resource);
    free(s->price_class);
    buf_fini(&s->cells.text);
    *s = (struct focus_sku){0};
}

void lookup_fini(struct focus_lookup *l)
{
    for (size_t i = 0; i < l->tenants_size; i++)
        if (l->tenants[i] != NULL) {
            buf_fini(&l->tenants[i]->cells.text);
            free(l->tenants[i]);
        }
    free(l->tenants);
    for (size_t i = 0; l->attempts != NULL && i < LOOKUP_ATTEMPTS; i++)
        buf_fini(&l->attempts[i].cells.text);
    free(l->attempts);
    for (size_t i = 0; i < l->skus_count; i++)
        sku_fini(&l->skus[i]);
    free(l->skus);
    sqlite3_finalize(l->find_tenant);
    sqlite3_finalize(l->find_attempt);
    *l = (struct focus_lookup){0};
}

/* One row by its number; -EUCLEAN when a charge names one that isn't there. */
static int find_row(sqlite3_stmt *s, int64_t row, const char *what, struct err *err)
{
    int r = db_bind(s, "i", row);
    if (r == 0)
        r = db_step(s, err);
    return r == 0 ? err_set(err, -EUCLEAN, "%s %" PRId64 " is not there", what, row) : MIN(r, 0);
}

/* ---- tenants ---------------------------------------------------------------------------------------------------- */
/* Who pays is the tenant at the top: of acme/etl it is acme. The cell itself has no sub account. An invoice has a line
 * for each tenant. */
static int render_tenant(struct focus_lookup *l, struct focus_tenant *t, const char *path, struct err *err)
{
    bool root = strcmp(path, TENANT_ROOT) == 0;
    CLEANUP(free_p) char *top = strndup(path, root ? 1 : strcspn(path, "/"));
    if (top == NULL)
        return err_set(err, -ENOMEM, "no memory");
    t->seen = viewer_sees(l->viewer, path) && (l->top == NULL || tenant_path_is_below(path, l->top));
    add_text(&t->cells, l->format, top);
    add_text(&t->cells, l->format, root ? NULL : path);
    CLEANUP(buf_fini) struct buf invoice = {0};
    buf_addf(&invoice, "%s%s", l->invoice != NULL ? l->invoice : "", top);
    if (invoice.failed)
        return err_set(err, -ENOMEM, "no memory");
    add_text(&t->cells, l->format, l->invoice != NULL ? buf_text(&invoice) : NULL);
    add_text(&t->cells, l->format, l->invoice != NULL ? path : NULL);
    return check_memory(&t->cells, err);
}

static int add_tenant(struct focus_lookup *l, size_t at, struct err *err)
{
    if (at >= l->tenants_size) {
        size_t size = MAX(at + 1, l->tenants_size * 2);
        struct focus_tenant **grown = realloc(l->tenants, size * sizeof *grown);
        if (grown == NULL)
            return err_set(err, -ENOMEM, "no memory");
        memset(grown + l->tenants_size, 0, (size - l->tenants_size) * sizeof *grown);
        l->tenants = grown;
        l->tenants_size = size;
    }
    struct focus_tenant *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, -ENOMEM, "no memory");
    l->tenants[at] = t;
    int r = find_row(l->find_tenant, (int64_t)at, "tenant", err);
    if (r == 0)
        r = render_tenant(l, t, db_text(l->find_tenant, 0), err);
    sqlite3_reset(l->find_tenant);
    return r;
}

int lookup_tenant(struct focus_lookup *l, int64_t row, const struct rendered **ret, struct err *err)
{
    size_t at = (size_t)row;
    int r = row < 0 || row > 10000000 ? err_set(err, -EUCLEAN, "tenant %" PRId64 " is not there", row) : 0;
    if (r == 0 && (at >= l->tenants_size || l->tenants[at] == NULL))
        r = add_tenant(l, at, err);
    if (r == 0)
        *ret = l->tenants[at]->seen ? &l->tenants[at]->cells : NULL;
    return r;
}

/* ---- attempts --------------------------------------------------------------------------------------------------- */
static int render_attempt(const struct focus_lookup *l, struct rendered *c, sqlite3_stmt *s, struct err *err)
{
    char id[64], resource[32];
    long long job = sqlite3_column_int64(s, 0);
    const char *name = db_text(s, 4), *labels = db_text(s, 6);
    snprintf(resource, sizeof resource, "job:%lld", job);
    snprintf(id, sizeof id, "%lld.%d.%d", job, sqlite3_column_int(s, 1), sqlite3_column_int(s, 2));
    add_text(c, l->format, resource);
    add_text(c, l->format, name[0] != '\0' ? name : NULL);
    add_text(c, l->format, "Batch Job");
    focus_object(&c->text, l->format, strcmp(labels, "{}") != 0 ? labels : NULL);
    rendered_done(c);
    add_text(c, l->format, id);
    add_text(c, l->format, db_text(s, 5));
    add_text(c, l->format, db_text(s, 3));
    buf_addf(&c->text, "task %lld.%d", job, sqlite3_column_int(s, 1));
    rendered_done(c);
    return check_memory(c, err);
}

int lookup_attempt(struct focus_lookup *l, int64_t row, const struct rendered **ret, struct err *err)
{
    struct focus_attempt *a = &l->attempts[(uint64_t)row % LOOKUP_ATTEMPTS];
    *ret = &a->cells;
    if (a->attempt == row)
        return 0;
    a->attempt = 0;
    rendered_reset(&a->cells);
    int r = find_row(l->find_attempt, row, "attempt", err);
    if (r == 0)
        r = render_attempt(l, &a->cells, l->find_attempt, err);
    sqlite3_reset(l->find_attempt);
    /* What is large is not kept: the memory of an export has a bound. */
    if (r == 0 && a->cells.text.len <= LOOKUP_TEXT_MAX)
        a->attempt = row;
    return r;
}

/* ---- what is sold ------------------------------------------------------------------------------------------------ */
static const struct { const char *resource, *meter, *unit; } meters[] = {
    {"cpu", "CPU Time", "Core-Hours"},
    {"memory", "Memory Time", "GiB-Hours"},
    {"scratch", "Scratch Time", "GiB-Hours"},
    {RESOURCE_IO, "I/O Volume", "GiB"},
};

const char *focus_unit(const char *resource)
{
    for (size_t i = 0; i < COUNT_OF(meters); i++)
        if (strcmp(meters[i].resource, resource) == 0)
            return meters[i].unit;
    return "Unit-Hours";
}

static void meter_text(const char *resource, char *out, size_t size)
{
    snprintf(out, size, "%s Time", resource);
    for (size_t i = 0; i < COUNT_OF(meters); i++)
        if (strcmp(meters[i].resource, resource) == 0)
            snprintf(out, size, "%s", meters[i].meter);
}

/* The price's id doesn't name a version of the book: what is sold stays the same when its price changes. */
static int render_sku(const struct focus_lookup *l, const struct focus_good *g, struct rendered *c, struct err *err)
{
    char meter[128];
    const char *kind = g->preemptible ? "preemptible" : "standard", *by = names_get(&price_by_names, g->by);
    CLEANUP(buf_fini) struct buf id = {0}, details = {0};
    buf_addf(&id, "%s%s%s", g->resource, g->price_class != NULL ? "@" : "",
             g->price_class != NULL ? g->price_class : "");
    buf_addf(&details, "{\"x_ChargedBy\":\"%s\",\"x_Preemptible\":%s,\"x_PriceClass\":", by,
             g->preemptible ? "true" : "false");
    json_text(&details, g->price_class);
    buf_add_str(&details, "}");
    meter_text(g->resource, meter, sizeof meter);
    add_text(c, l->format, buf_text(&id));
    add_text(c, l->format, meter);
    buf_addf(&id, "/%s/%s", kind, by);
    add_text(c, l->format, buf_text(&id));
    focus_object(&c->text, l->format, buf_text(&details));
    rendered_done(c);
    add_text(c, l->format, focus_unit(g->resource));
    add_text(c, l->format, g->preemptible ? "Dynamic" : "Standard");
    add_text(c, l->format, g->price_class);
    add_text(c, l->format, by);
    buf_add_str(&c->text, meter);
    rendered_done(c);
    return id.failed || details.failed ? err_set(err, -ENOMEM, "no memory") : check_memory(c, err);
}

static bool is_sku(const struct focus_sku *s, const struct focus_good *g)
{
    return s->by == g->by && s->preemptible == g->preemptible && strcmp(s->resource, g->resource) == 0 &&
           str_same(s->price_class, g->price_class);
}

int lookup_sku(struct focus_lookup *l, const struct focus_good *good, const struct rendered **ret, struct err *err)
{
    for (size_t i = 0; i < l->skus_count; i++) {
        size_t at = (l->sku_last + i) % l->skus_count;
        if (is_sku(&l->skus[at], good)) {
            *ret = &l->skus[at].cells;
            l->sku_last = at + 1 < l->skus_count ? at + 1 : 0; /* the next line is mostly of the next resource */
            return 0;
        }
    }
    if (l->skus_count == LOOKUP_SKUS) {
        l->skus_count--;
        sku_fini(&l->skus[l->skus_count]);
    }
    struct focus_sku *s = &l->skus[l->skus_count++];
    *s = (struct focus_sku){.preemptible = good->preemptible, .by = good->by};
    l->sku_last = 0;
    *ret = &s->cells;
    if (str_set(&s->resource, good->resource) < 0 ||
        (good->price_class != NULL && str_set(&s->price_class, good->price_class) < 0))
        return err_set(err, -ENOMEM, "no memory");
    return render_sku(l, good, &s->cells, err);
}
