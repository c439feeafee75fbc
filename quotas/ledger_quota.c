#include "quotas/ledger_quota.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "quotas/ledger_state.h"

#define NO_LIMIT (-1)

static const struct share_view at_birth = {.borrow = NO_LIMIT, .lend = NO_LIMIT};

/* ---- shares ------------------------------------------------------------------------------------------------ */

static bool is_at_birth(const struct share_view *s)
{
    return s->nominal == 0 && s->borrow == NO_LIMIT && s->lend == NO_LIMIT && s->have == 0 && s->total == 0 &&
           s->idle == 0;
}

void quota_init(struct node *n)
{
    n->quota = (struct node_quota){0};
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        n->quota.fixed[i] = at_birth;
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
    return s ? s->share : at_birth;
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
    if (!s && !is_at_birth(&share)) {
        share_add(q, name, share);
    } else if (s && is_at_birth(&share)) {
        free(s->name);
        *s = q->generic[--q->generic_count];
    } else if (s) {
        s->share = share;
    }
}

/* ---- one resource along a path ----------------------------------------------------------------------------- */

static int64_t used_of(const struct node *n, size_t index, const char *name)
{
    return (int64_t)ledger_resource_get(&n->used, index, name);
}

/* T */
static int64_t left_of(const struct node *n, size_t index, const char *name)
{
    return quota_share(n, index, name).have - used_of(n, index, name);
}

/* G */
static int64_t gives(int64_t lend, int64_t left)
{
    return lend == NO_LIMIT ? left : MIN(lend, left);
}

/* From n on upward: have and T grow by g. */
static void carry_up(struct node *n, size_t index, const char *name, int64_t g)
{
    for (; n && g != 0; n = n->parent) {
        struct share_view s = quota_share(n, index, name);
        int64_t before = s.have - used_of(n, index, name);
        s.have += g;
        share_put(n, index, name, s);
        g = gives(s.lend, before + g) - gives(s.lend, before);
    }
}

static void carry_idle_up(struct node *n, size_t index, const char *name, int64_t g)
{
    for (; n && g != 0; n = n->parent) {
        struct share_view s = quota_share(n, index, name);
        int64_t before = s.idle;
        s.idle += g;
        share_put(n, index, name, s);
        g = gives(s.lend, before + g) - gives(s.lend, before);
    }
}

static void use_one(struct node *const *path, size_t count, size_t index, const char *name, int64_t u)
{
    int64_t before = left_of(path[0], index, name), after = before - u;
    for (size_t i = 0; i + 1 < count; i++) {
        int64_t lend = quota_share(path[i], index, name).lend;
        int64_t g = gives(lend, after) - gives(lend, before);
        struct share_view above = quota_share(path[i + 1], index, name);
        before = above.have - used_of(path[i + 1], index, name);
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

static int64_t exact(uint64_t amount)
{
    return (int64_t)MIN(amount, (uint64_t)LEDGER_COUNT_MAX);
}

static void set_one(struct node *n, size_t index, const char *name, const struct quota_rule *q)
{
    struct share_view s = quota_share(n, index, name);
    int64_t nominal = exact(ledger_resource_get(&q->guaranteed, index, name)), grows = nominal - s.nominal;
    int64_t before = s.have - used_of(n, index, name), gave = gives(s.lend, before);
    int64_t gave_idle = gives(s.lend, s.idle);
    s.nominal = nominal;
    s.borrow = ledger_bound(&q->borrow, index, name);
    s.lend = ledger_bound(&q->lend, index, name);
    s.have += grows;
    s.idle += grows;
    share_put(n, index, name, s);
    carry_idle_up(n->parent, index, name, gives(s.lend, s.idle) - gave_idle);
    carry_up(n->parent, index, name, gives(s.lend, before + grows) - gave);
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
    int64_t w = sign * used_of(n, index, name);
    struct share_view own = quota_share(n, index, name);
    int64_t g = sign * gives(own.lend, own.have - used_of(n, index, name));
    carry_idle_up(n->parent, index, name, sign * gives(own.lend, own.idle));
    for (struct node *up = n->parent; up && (g != 0 || w != 0); up = up->parent) {
        struct share_view s = quota_share(up, index, name);
        int64_t before = s.have - used_of(up, index, name);
        s.have += g + w;
        share_put(up, index, name, s);
        g = gives(s.lend, before + g) - gives(s.lend, before);
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

/* How T of path[at] changes when the leaf uses u more. */
static int64_t falls_at(struct node *const *path, size_t at, size_t index, const char *name, int64_t u)
{
    int64_t g = -u;
    for (size_t i = 0; i < at; i++) {
        int64_t lend = quota_share(path[i], index, name).lend, before = left_of(path[i], index, name);
        g = gives(lend, before + g) - gives(lend, before);
    }
    return g;
}

static bool borrow_blocked(struct node *const *path, size_t at, size_t index, const char *name, int64_t u,
                           struct blocker_sink *sink)
{
    const struct node *n = path[at];
    struct share_view s = quota_share(n, index, name);
    int64_t borrow = n->parent ? s.borrow : 0;
    int64_t g = falls_at(path, at, index, name, u);
    int64_t used = used_of(n, index, name);
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

bool quota_borrow_blockers(struct node *const *path, size_t count, const struct resources *need,
                           struct blocker_sink *sink)
{
    for (size_t at = 0; at < count; at++) {
        uint64_t amount;
        const char *name;
        for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
            if (amount > 0 && quota_share(path[count - 1], i, name).total > 0 &&
                borrow_blocked(path, at, i, name, (int64_t)amount, sink)) {
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
        g = gives(s.lend, s.idle + g) - gives(s.lend, s.idle);
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
            never_lent(nodes, count, i, name, exact(amount), ret)) {
            return false;
        }
    }
    return true;
}

static struct rate *rate_of(struct node *n, bool starts)
{
    return starts ? &n->quota.starts : &n->quota.submits;
}

bool quota_rate_blockers(struct node *const *path, size_t count, bool starts, uint64_t tasks, int64_t at_utc_us,
                         struct blocker_sink *sink)
{
    for (size_t i = 0; i < count; i++) {
        const struct rate *r = rate_of(path[i], starts);
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
        rate_take(rate_of(path[i], starts), tasks, at_utc_us);
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
    struct rate *r = n ? rate_of(n, s->starts) : NULL;
    if (r && r->per_minute != 0) {
        *r = (struct rate){.per_minute = r->per_minute, .parts = s->parts, .at_utc_us = s->at_utc_us};
    }
}

/* ---- views ------------------------------------------------------------------------------------------------- */

struct share_view ledger_share(const struct ledger *l, const char *path, size_t index, const char *resource)
{
    const struct node *n = ledger_node(l, path);
    return n ? quota_share(n, index, resource) : at_birth;
}

const char *ledger_share_name(const struct ledger *l, const char *path, size_t at)
{
    const struct node *n = ledger_node(l, path);
    return n && at < n->quota.generic_count ? n->quota.generic[at].name : NULL;
}

struct rate_view ledger_rate(const struct ledger *l, const char *path, bool starts)
{
    struct node *n = ledger_node(l, path);
    const struct rate *r = n ? rate_of(n, starts) : NULL;
    return r ? (struct rate_view){r->per_minute, r->parts, r->at_utc_us} : (struct rate_view){0};
}

bool ledger_has_extra(const struct ledger *l, const char *path)
{
    const struct node *n = ledger_node(l, path);
    bool has = n && (n->quota.submits.per_minute != 0 || n->quota.starts.per_minute != 0);
    for (size_t i = 0; n && i < LEDGER_FIXED_RESOURCES; i++) {
        has = has || !is_at_birth(&n->quota.fixed[i]);
    }
    return has;
}

void ledger_borrowed(const struct ledger *l, const char *path, struct resources *ret)
{
    const struct node *n = ledger_node(l, path);
    uint64_t *const fixed[LEDGER_FIXED_RESOURCES] = {&ret->cpu_milli, &ret->mem_bytes, &ret->scratch_bytes};
    uint64_t used;
    const char *name;
    *ret = (struct resources){0};
    for (size_t i = 0; n && (name = ledger_resource(&n->used, i, &used)) != NULL; i++) {
        int64_t left = left_of(n, i, name);
        if (left >= 0 || quota_share(l->root, i, name).total == 0) {
            continue;
        }
        if (i < LEDGER_FIXED_RESOURCES) {
            *fixed[i] = (uint64_t)-left;
        } else if (counts_set(&ret->generic, name, (uint64_t)-left) < 0) {
            abort();
        }
    }
}

/* ---- recount ----------------------------------------------------------------------------------------------- */

/* From the definition alone: N, use, lend. Nodes in path order: a child after its parent. */
static int verify_one(struct node *const *sorted, size_t count, size_t index, const char *name, struct err *err)
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tenant_rule *rule = &sorted[i]->rule;
        int64_t nominal = exact(ledger_resource_get(&rule->quota.guaranteed, index, name));
        sorted[i]->recount_left = nominal - used_of(sorted[i], index, name);
        sorted[i]->recount_idle = nominal;
        total += nominal;
    }
    for (size_t i = count; i-- > 0;) {
        struct node *n = sorted[i], *up = n->parent;
        if (n->recount_left != left_of(n, index, name)) {
            return err_set(err, -EUCLEAN, "tenant %s: %s left %" PRId64 ", counted %" PRId64, n->rule.path, name,
                           left_of(n, index, name), n->recount_left);
        }
        if (n->recount_idle != quota_share(n, index, name).idle) {
            return err_set(err, -EUCLEAN, "tenant %s: %s when idle: %" PRId64 ", counted %" PRId64, n->rule.path, name,
                           quota_share(n, index, name).idle, n->recount_idle);
        }
        if (up) { /* D is what the children don't use */
            up->recount_left += used_of(n, index, name) +
                                gives(ledger_bound(&n->rule.quota.lend, index, name), n->recount_left);
            up->recount_idle += gives(ledger_bound(&n->rule.quota.lend, index, name), n->recount_idle);
        } else if (quota_share(n, index, name).total != total) {
            return err_set(err, -EUCLEAN, "%s guaranteed: %" PRId64 " noted, %" PRId64 " counted", name,
                           quota_share(n, index, name).total, total);
        }
    }
    return 0;
}

int quota_verify(struct node *const *sorted, size_t count, struct err *err)
{
    static const char *const fixed[LEDGER_FIXED_RESOURCES] = {"cpu", "memory", "scratch"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < LEDGER_FIXED_RESOURCES; i++) {
        rc = verify_one(sorted, count, i, fixed[i], err);
    }
    /* A resource that nobody has a share of needs no recount: its have is 0 everywhere. */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        for (size_t k = 0; rc == 0 && k < sorted[i]->quota.generic_count; k++) {
            rc = verify_one(sorted, count, LEDGER_FIXED_RESOURCES, sorted[i]->quota.generic[k].name, err);
        }
    }
    return rc;
}

static bool sum_is_exact(const struct ledger *l, const struct policy_change *change, size_t index)
{
    const struct tenant_rule *rules = change->tenants.v;
    int64_t sum = quota_share(l->root, index, "").total;
    for (size_t i = 0; i < change->tenants.count; i++) {
        const struct node *n = ledger_node(l, rules[i].path);
        int64_t nominal = exact(ledger_resource_get(&rules[i].quota.guaranteed, index, ""));
        sum += nominal - (n ? quota_share(n, index, "").nominal : 0);
        if (sum > LEDGER_COUNT_MAX) {
            return false;
        }
    }
    return true;
}

bool quota_sum_is_exact(const struct ledger *l, const struct policy_change *change)
{
    bool is = true;
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        is = is && sum_is_exact(l, change, i);
    }
    return is;
}
