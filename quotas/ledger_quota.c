#include "quotas/ledger_quota.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "quotas/ledger_state.h"

#define NO_LIMIT (-1)

const struct share_view quota_at_birth = {.borrow = NO_LIMIT, .lend = NO_LIMIT};

/* ---- shares ------------------------------------------------------------------------------------------------ */

bool quota_is_at_birth(const struct share_view *s)
{
    return s->nominal == 0 && s->borrow == NO_LIMIT && s->lend == NO_LIMIT && s->have == 0 && s->total == 0 &&
           s->idle == 0;
}

void quota_init(struct node *n)
{
    n->quota = (struct node_quota){0};
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        n->quota.fixed[i] = quota_at_birth;
    }
}

void quota_fini(struct node *n)
{
    for (size_t i = 0; i < n->quota.generic_count; i++) {
        free(n->quota.generic[i].name);
    }
    free(n->quota.generic);
}

static struct named_share *named(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->quota.generic_count; i++) {
        if (strcmp(n->quota.generic[i].name, name) == 0) {
            return &n->quota.generic[i];
        }
    }
    return NULL;
}

struct share_view quota_share(const struct node *n, size_t index, const char *name)
{
    if (index < LEDGER_FIXED_RESOURCES) {
        return n->quota.fixed[index];
    }
    const struct named_share *s = named(n, name);
    return s ? s->share : quota_at_birth;
}

static void share_add(struct node_quota *q, const char *name, struct share_view share)
{
    q->generic = realloc(q->generic, (q->generic_count + 1) * sizeof q->generic[0]);
    if (!q->generic) {
        abort();
    }
    struct named_share *s = &q->generic[q->generic_count++];
    *s = (struct named_share){.share = share};
    if (str_set(&s->name, name) < 0) {
        abort();
    }
}

/* What is as at birth again leaves no trace: states compare equal however they were reached. */
static void share_put(struct node *n, size_t index, const char *name, struct share_view share)
{
    struct node_quota *q = &n->quota;
    if (index < LEDGER_FIXED_RESOURCES) {
        q->fixed[index] = share;
        return;
    }
    struct named_share *s = named(n, name);
    if (!s && !quota_is_at_birth(&share)) {
        share_add(q, name, share);
    } else if (s && quota_is_at_birth(&share)) {
        free(s->name);
        *s = q->generic[--q->generic_count];
    } else if (s) {
        s->share = share;
    }
}

/* ---- one resource along a path ----------------------------------------------------------------------------- */

int64_t quota_used(const struct node *n, size_t index, const char *name)
{
    return (int64_t)ledger_resource_get(&n->used, index, name);
}

/* T */
int64_t quota_left(const struct node *n, size_t index, const char *name)
{
    return quota_share(n, index, name).have - quota_used(n, index, name);
}

/* G */
int64_t quota_gives(int64_t lend, int64_t left)
{
    return lend == NO_LIMIT ? left : MIN(lend, left);
}

/* From n on upward: have and T grow by g. */
static void carry_up(struct node *n, size_t index, const char *name, int64_t g)
{
    for (; n && g != 0; n = n->parent) {
        struct share_view s = quota_share(n, index, name);
        int64_t before = s.have - quota_used(n, index, name);
        s.have += g;
        share_put(n, index, name, s);
        g = quota_gives(s.lend, before + g) - quota_gives(s.lend, before);
    }
}

static void carry_idle_up(struct node *n, size_t index, const char *name, int64_t g)
{
    for (; n && g != 0; n = n->parent) {
        struct share_view s = quota_share(n, index, name);
        int64_t before = s.idle;
        s.idle += g;
        share_put(n, index, name, s);
        g = quota_gives(s.lend, before + g) - quota_gives(s.lend, before);
    }
}

static void use_one(struct node *const *path, size_t count, size_t index, const char *name, int64_t u)
{
    int64_t before = quota_left(path[0], index, name), after = before - u;
    for (size_t i = 0; i + 1 < count; i++) {
        int64_t lend = quota_share(path[i], index, name).lend;
        int64_t g = quota_gives(lend, after) - quota_gives(lend, before);
        struct share_view above = quota_share(path[i + 1], index, name);
        before = above.have - quota_used(path[i + 1], index, name);
        after = before + g;
        if (g + u != 0) {
            above.have += g + u;
            share_put(path[i + 1], index, name, above);
        }
    }
}

void quota_use(struct node *const *path, size_t count, const struct resources *need, bool more)
{
    uint64_t amount;
    const char *name;
    for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        if (amount > 0) {
            use_one(path, count, i, name, more ? (int64_t)amount : -(int64_t)amount);
        }
    }
}

/* ---- rules ------------------------------------------------------------------------------------------------- */

int64_t quota_exact(uint64_t amount)
{
    return (int64_t)MIN(amount, (uint64_t)LEDGER_COUNT_MAX);
}

static void set_one(struct node *n, size_t index, const char *name, const struct quota_rule *q)
{
    struct share_view s = quota_share(n, index, name);
    int64_t nominal = quota_exact(ledger_resource_get(&q->guaranteed, index, name)), grows = nominal - s.nominal;
    int64_t before = s.have - quota_used(n, index, name), gave = quota_gives(s.lend, before);
    int64_t gave_idle = quota_gives(s.lend, s.idle);
    s.nominal = nominal;
    s.borrow = ledger_bound(&q->borrow, index, name);
    s.lend = ledger_bound(&q->lend, index, name);
    s.have += grows;
    s.idle += grows;
    share_put(n, index, name, s);
    carry_idle_up(n->parent, index, name, quota_gives(s.lend, s.idle) - gave_idle);
    carry_up(n->parent, index, name, quota_gives(s.lend, before + grows) - gave);
    struct node *root = n;
    while (root->parent) {
        root = root->parent;
    }
    s = quota_share(root, index, name);
    s.total += grows;
    share_put(root, index, name, s);
}

static void set_named(struct node *n, const struct counts *names, const struct quota_rule *q)
{
    for (size_t i = 0; i < names->count; i++) {
        set_one(n, LEDGER_FIXED_RESOURCES + i, names->v[i].name, q);
    }
}

void quota_set_rule(struct node *n, const struct tenant_rule *rule, int64_t at_utc_us)
{
    static const struct quota_rule none;
    const struct quota_rule *old = &n->rule.quota, *new = rule ? &rule->quota : &none;
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        set_one(n, i, "", new);
    }
    /* What neither names is as it was; what both name is set twice, to the same. */
    const struct counts *const names[] = {&old->guaranteed.generic, &old->borrow.generic, &old->lend.generic,
                                          &new->guaranteed.generic, &new->borrow.generic, &new->lend.generic};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        set_named(n, names[i], new);
    }
    rate_set(&n->quota.submits, MIN(new->submits_per_minute, (uint32_t)RATE_MAX), at_utc_us);
    rate_set(&n->quota.starts, MIN(new->starts_per_minute, (uint32_t)RATE_MAX), at_utc_us);
}

/* Every resource that n has something to do with: each index and name once. */
static void each_resource(const struct node *n, void (*fn)(struct node *n, size_t index, const char *name, int sign),
                          struct node *arg, int sign)
{
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        fn(arg, i, "", sign);
    }
    for (size_t i = 0; i < n->used.generic.count; i++) {
        fn(arg, LEDGER_FIXED_RESOURCES, n->used.generic.v[i].name, sign);
    }
    for (size_t i = 0; i < n->quota.generic_count; i++) {
        if (counts_get(&n->used.generic, n->quota.generic[i].name) == 0) {
            fn(arg, LEDGER_FIXED_RESOURCES, n->quota.generic[i].name, sign);
        }
    }
}

/* Above n: T changes by what n gives, W by what it uses. The caller changes W. */
static void graft(struct node *n, size_t index, const char *name, int sign)
{
    int64_t w = sign * quota_used(n, index, name);
    struct share_view own = quota_share(n, index, name);
    int64_t g = sign * quota_gives(own.lend, own.have - quota_used(n, index, name));
    carry_idle_up(n->parent, index, name, sign * quota_gives(own.lend, own.idle));
    for (struct node *up = n->parent; up && (g != 0 || w != 0); up = up->parent) {
        struct share_view s = quota_share(up, index, name);
        int64_t before = s.have - quota_used(up, index, name);
        s.have += g + w;
        share_put(up, index, name, s);
        g = quota_gives(s.lend, before + g) - quota_gives(s.lend, before);
    }
}

void quota_leave(struct node *n)
{
    each_resource(n, graft, n, -1);
}

void quota_join(struct node *n)
{
    each_resource(n, graft, n, 1);
}

/* ---- questions --------------------------------------------------------------------------------------------- */

/* How what n gives its parent changes when T(n) changes by g. */
static int64_t passes_on(const struct node *n, size_t index, const char *name, int64_t g)
{
    int64_t lend = quota_share(n, index, name).lend, before = quota_left(n, index, name);
    return quota_gives(lend, before + g) - quota_gives(lend, before);
}

/* How T of path[at] changes when the leaf uses u more. */
static int64_t falls_at(struct node *const *path, size_t at, size_t index, const char *name, int64_t u)
{
    int64_t g = -u;
    for (size_t i = 0; i < at; i++) {
        g = passes_on(path[i], index, name, g);
    }
    return g;
}

/* Would T(n), changed by g, be less than -borrow? */
static bool borrows_too_much(const struct node *n, size_t index, const char *name, int64_t g, struct blocker_sink *sink)
{
    struct share_view s = quota_share(n, index, name);
    int64_t borrow = n->parent ? s.borrow : 0, used = quota_used(n, index, name);
    if (borrow == NO_LIMIT || s.have - used + g >= -borrow) {
        return false;
    }
    return ledger_blocked(sink, (struct ledger_blocker){.verdict = LEDGER_BORROW,
                                                        .where = n->rule.path,
                                                        .resource = name,
                                                        .limit = s.have + borrow,
                                                        .used = used,
                                                        .need = -g});
}

/* Is somebody guaranteed any of it? */
static bool is_guaranteed(const struct node *root, const struct resources *need)
{
    uint64_t amount;
    const char *name;
    bool some = false;
    for (size_t i = 0; !some && (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        some = amount > 0 && quota_share(root, i, name).total > 0;
    }
    return some;
}

bool quota_borrow_blockers(struct node *const *path, size_t count, const struct resources *need,
                           struct blocker_sink *sink)
{
    if (!is_guaranteed(path[count - 1], need)) {
        return false;
    }
    for (size_t at = 0; at < count; at++) {
        uint64_t amount;
        const char *name;
        for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
            if (amount > 0 && quota_share(path[count - 1], i, name).total > 0 &&
                borrows_too_much(path[at], i, name, falls_at(path, at, i, name, (int64_t)amount), sink)) {
                return true;
            }
        }
    }
    return false;
}

/* As if nobody used anything. */
static bool never_lent(struct node *const *path, size_t count, size_t index, const char *name, int64_t u,
                       struct ledger_blocker *ret)
{
    int64_t g = -u;
    for (size_t i = 0; i < count; i++) {
        struct share_view s = quota_share(path[i], index, name);
        int64_t borrow = path[i]->parent ? s.borrow : 0;
        if (borrow != NO_LIMIT && s.idle + g < -borrow) {
            *ret = (struct ledger_blocker){.verdict = LEDGER_BORROW,
                                           .where = path[i]->rule.path,
                                           .resource = name,
                                           .limit = s.idle + borrow,
                                           .need = -g};
            return true;
        }
        g = quota_gives(s.lend, s.idle + g) - quota_gives(s.lend, s.idle);
    }
    return false;
}

bool ledger_ever_lends(const struct ledger *l, const struct strs *path, const struct resources *need,
                       struct ledger_blocker *ret)
{
    struct node *nodes[LEDGER_PATH_MAX];
    uint64_t amount;
    const char *name;
    size_t count = MIN(path->count, (size_t)LEDGER_PATH_MAX);
    for (size_t i = 0; i < count; i++) {
        nodes[i] = ledger_node(l, path->v[i]);
        BUG(!nodes[i]);
    }
    for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        if (amount > 0 && quota_share(l->root, i, name).total > 0 &&
            never_lent(nodes, count, i, name, quota_exact(amount), ret)) {
            return false;
        }
    }
    return true;
}

static struct node *meeting(struct node *a, struct node *b)
{
    for (; a; a = a->parent) {
        for (struct node *up = b; up; up = up->parent) {
            if (up == a) {
                return a;
            }
        }
    }
    return NULL;
}

static bool move_blocked(struct node *n, struct node *to, size_t index, const char *name, struct blocker_sink *sink)
{
    struct node *root = n, *meet = meeting(n->parent, to);
    while (root->parent) {
        root = root->parent;
    }
    if (quota_share(root, index, name).total == 0) {
        return false;
    }
    int64_t gave = quota_gives(quota_share(n, index, name).lend, quota_left(n, index, name)), joins = gave, g = -gave;
    for (struct node *up = to; up != meet; up = up->parent) {
        joins = passes_on(up, index, name, joins);
    }
    for (struct node *up = n->parent; up; up = up->parent) {
        g += up == meet ? joins : 0;
        if (g < 0 && borrows_too_much(up, index, name, g, sink)) {
            return true;
        }
        g = passes_on(up, index, name, g);
    }
    g = gave;
    for (struct node *up = to; up != meet; up = up->parent) {
        if (g < 0 && borrows_too_much(up, index, name, g, sink)) {
            return true;
        }
        g = passes_on(up, index, name, g);
    }
    return false;
}

/* The same text, as long as n lives. */
static const char *own_name(const struct node *n, const char *name)
{
    const struct named_share *s = named(n, name);
    for (size_t i = 0; !s && i < n->used.generic.count; i++) {
        if (strcmp(n->used.generic.v[i].name, name) == 0) {
            return n->used.generic.v[i].name;
        }
    }
    return s ? s->name : NULL;
}

bool quota_move_blockers(struct node *n, struct node *to, struct blocker_sink *sink)
{
    static const char *const fixed[LEDGER_FIXED_RESOURCES] = {"cpu", "memory", "scratch"};
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        if (move_blocked(n, to, i, fixed[i], sink)) {
            return true;
        }
    }
    /* In the order of names, whichever way n has to do with them. */
    struct counts names = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n->used.generic.count; i++) {
        rc = counts_set(&names, n->used.generic.v[i].name, 1);
    }
    for (size_t i = 0; rc == 0 && i < n->quota.generic_count; i++) {
        rc = counts_set(&names, n->quota.generic[i].name, 1);
    }
    if (rc < 0) {
        abort();
    }
    bool stop = false;
    for (size_t i = 0; i < names.count; i++) {
        stop = stop || move_blocked(n, to, LEDGER_FIXED_RESOURCES, own_name(n, names.v[i].name), sink);
        free(names.v[i].name);
    }
    free(names.v);
    return stop;
}

struct rate *quota_rate(struct node *n, bool starts)
{
    return starts ? &n->quota.starts : &n->quota.submits;
}

bool quota_rate_blockers(struct node *const *path, size_t count, bool starts, uint64_t tasks, int64_t at_utc_us,
                         struct blocker_sink *sink)
{
    for (size_t i = 0; i < count; i++) {
        const struct rate *r = quota_rate(path[i], starts);
        if (!rate_has(r, tasks, at_utc_us) &&
            ledger_blocked(sink, (struct ledger_blocker){.verdict = LEDGER_RATE,
                                                         .where = path[i]->rule.path,
                                                         .resource = starts ? "starts" : "submits",
                                                         .limit = r->per_minute,
                                                         .need = (int64_t)tasks,
                                                         .when_utc_us = rate_when(r, tasks, at_utc_us)})) {
            return true;
        }
    }
    return false;
}

void quota_rate_take(struct node *const *path, size_t count, bool starts, uint64_t tasks, int64_t at_utc_us)
{
    for (size_t i = 0; i < count; i++) {
        rate_take(quota_rate(path[i], starts), tasks, at_utc_us);
    }
}

void quota_rate_give_back(struct node *const *path, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rate_give_back(&path[i]->quota.starts, 1);
    }
}

void quota_rate_restore(struct ledger *l, const struct snapshot_rate *s)
{
    struct node *n = ledger_node(l, s->tenant);
    struct rate *r = n ? quota_rate(n, s->starts) : NULL;
    if (r && r->per_minute != 0) {
        *r = (struct rate){.per_minute = r->per_minute, .parts = s->parts, .at_utc_us = s->at_utc_us};
    }
}
