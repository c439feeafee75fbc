#include <string.h>

#include "quotas/ledger_names.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/state.h"

static bool tenant_is(const void *object, const void *key)
{
    return strcmp(((const struct tenant *)object)->path, key) == 0;
}

struct tenant *tenant_find(const struct core *c, const char *path)
{
    return path != NULL ? table_find(&c->tenants, key_text(KEY_START, path), path) : NULL;
}

static struct tenant *parent_of(const struct core *c, const char *path)
{
    if (strcmp(path, TENANT_ROOT) == 0)
        return NULL;
    char parent[256];
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    BUG(len >= sizeof parent);
    memcpy(parent, path, len);
    parent[len] = '\0';
    return len > 0 ? tenant_find(c, parent) : c->root;
}

struct tenant *tenant_add(struct core *c, const char *path)
{
    struct tenant *t = core_alloc(sizeof *t);
    t->path = core_text(path);
    t->name = core_intern(c, path);
    t->parent = parent_of(c, path);
    t->place = ledger_place(c->ledger, path);
    t->weight = 1;
    t->whole = (struct claim){.tenant = t, .at = HEAP_NOWHERE};
    t->own = (struct claim){.tenant = t, .at = HEAP_NOWHERE, .own = true};
    t->accounts_policy = UINT64_MAX;
    t->whole.rank.path = t->own.rank.path = t->path;
    if (t->parent == NULL)
        c->root = t;
    else
        t->parent->children++;
    for (const struct tenant *up = t; up != NULL; up = up->parent) {
        int rc = strs_add(&t->line, up->path);
        BUG(rc < 0);
    }
    c->tenants.is = tenant_is;
    table_put(&c->tenants, key_text(KEY_START, path), t);
    return t;
}

static void clear_times(struct tenant *t)
{
    struct tenant_time *v = t->times.v;
    for (size_t i = 0; i < t->times.count; i++) {
        free(v[i].account);
        free(v[i].resource);
    }
    free(v);
    t->times = (struct list){0};
}

void tenant_free(struct tenant *t)
{
    core_clear_strs(&t->line);
    core_clear_strs(&t->accounts);
    clear_times(t);
    core_clear_strs(&t->users);
    heap_fini(&t->claims);
    heap_fini(&t->shapes);
    free(t->path);
    free(t);
}

void tenant_remove(struct core *c, struct tenant *t)
{
    BUG(t->refs > 0 || t == c->root);
    table_remove(&c->tenants, key_text(KEY_START, t->path), t);
    tenant_free(t);
}

void tenant_set_rule(struct tenant *t, const struct tenant_rule *rule)
{
    core_clear_strs(&t->users);
    core_copy_strs(&rule->users, &t->users);
    t->weight = MAX(rule->weight, 1);
    t->paid_end = rule->paid_end;
    t->io = rule->io;
    if (t->io.weight == 0 && rule->weight > 1) /* who has more of the cell has more of its disks */
        t->io.weight = (uint32_t)MIN((uint64_t)rule->weight * IO_WEIGHT_DEFAULT, IO_WEIGHT_MAX);
}

/* ---- moving ----------------------------------------------------------------------------------------- */

static void rename_one(struct core *c, struct tenant *t, char *path)
{
    table_remove(&c->tenants, key_text(KEY_START, t->path), t);
    free(t->path);
    t->path = path;
    t->name = core_intern(c, path);
    t->whole.rank.path = t->own.rank.path = path;
    table_put(&c->tenants, key_text(KEY_START, t->path), t);
    core_clear_strs(&t->line);
    for (const struct tenant *up = t; up != NULL; up = up->parent) {
        int rc = strs_add(&t->line, up->path);
        BUG(rc < 0);
    }
    t->accounts_policy = UINT64_MAX;
}

void tenant_move(struct core *c, const struct fact_tenant_moved *move)
{
    struct tenant *t = tenant_find(c, move->from), *parent = parent_of(c, move->to);
    size_t count;
    BUG(t == NULL || t->parent == NULL || parent == NULL);
    struct shape **shapes = shapes_take(c, move->from, &count);
    claims_leave(t);
    t->parent = parent;
    for (size_t i = 0; i < move->tenants.count; i++) { /* parents first: lines go up by the new names */
        char *path = ledger_moved_name(move->tenants.v[i], move->from, move->to);
        BUG(path == NULL);
        rename_one(c, tenant_find(c, move->tenants.v[i]), path);
    }
    claims_enter(c, t);
    shapes_put_back(c, shapes, count);
    free(shapes);
}

struct walk {
    const struct core *core;
    void (*fn)(void *arg, struct tenant *t);
    void *arg;
};

static bool step(const struct tenant_rule *rule, void *arg)
{
    struct walk *w = arg;
    struct tenant *t = tenant_find(w->core, rule->path);
    BUG(t == NULL);
    w->fn(w->arg, t);
    return true;
}

void tenants_each(const struct core *c, void (*fn)(void *arg, struct tenant *t), void *arg)
{
    struct walk w = {c, fn, arg};
    ledger_each_tenant(c->ledger, step, &w);
}

struct accounts_walk {
    struct tenant *tenant;
    int64_t utc_us;
};

static bool take_budget(const struct ledger_budget *b, void *arg)
{
    const struct accounts_walk *w = arg;
    struct tenant *t = w->tenant;
    if (b->rule == NULL || b->rule->resource == NULL) {
        int rc = strs_add(&t->accounts, b->account);
        BUG(rc < 0);
    } else {
        struct tenant_time *time = list_add(&t->times, sizeof *time);
        BUG(time == NULL);
        *time = (struct tenant_time){core_text(b->account), core_text(b->rule->resource)};
    }
    int64_t change = w->utc_us < b->period.from_utc_us ? b->period.from_utc_us : b->period.to_utc_us;
    if (change > w->utc_us) /* a window that is over stays so */
        t->accounts_end_utc_us = MIN(t->accounts_end_utc_us, change);
    int64_t since = change <= w->utc_us ? change : b->period.from_utc_us;
    if (since <= w->utc_us)
        t->accounts_from_utc_us = MAX(t->accounts_from_utc_us, since);
    return true;
}

int64_t tenant_accounts_end(const struct core *c, struct tenant *t, int64_t utc_us)
{
    (void)tenant_accounts(c, t, utc_us);
    return t->accounts_end_utc_us;
}

bool tenant_has_time(const struct tenant *t, const char *account)
{
    const struct tenant_time *v = t->times.v;
    for (size_t i = 0; i < t->times.count; i++)
        if (strcmp(v[i].account, account) == 0)
            return true;
    return false;
}

const struct strs *tenant_accounts(const struct core *c, struct tenant *t, int64_t utc_us)
{
    bool same = t->accounts_policy == c->policy_version;
    if (same && utc_us >= t->accounts_from_utc_us && utc_us < t->accounts_end_utc_us)
        return &t->accounts;
    core_clear_strs(&t->accounts);
    clear_times(t);
    t->accounts_policy = c->policy_version;
    t->accounts_from_utc_us = INT64_MIN;
    t->accounts_end_utc_us = INT64_MAX;
    struct accounts_walk w = {t, utc_us};
    int rc = ledger_each_budget(c->ledger, &t->line, utc_us, take_budget, &w);
    BUG(rc < 0);
    return &t->accounts;
}
