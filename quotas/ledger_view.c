#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "quotas/ledger_state.h"

/* ---- views ------------------------------------------------------------------------------------------------- */

/* The account that answers for a tenant now: of its rule's period; the root without a rule has "/@total". */
static const struct account *current_account(const struct ledger *l, const struct node *n, int64_t utc_us)
{
    char name[LEDGER_ACCOUNT_MAX];
    const struct budget_rule *b = &n->rule.budget;
    struct period p;
    if (!b->present) {
        return n == l->root ? ledger_account_find(l, LEDGER_ROOT_TOTAL) : NULL;
    }
    period_of(b, ledger_zone(l, b->zone), utc_us, &p);
    return ledger_account_find(l, ledger_budget_account(n->rule.path, b->name, p.name, name));
}

bool ledger_tenant(const struct ledger *l, const char *path, int64_t utc_us, struct tenant_view *ret)
{
    const struct node *n = ledger_node(l, path);
    if (!n) {
        return false;
    }
    const struct account *a = current_account(l, n, utc_us);
    *ret = (struct tenant_view){
        .rule = &n->rule,
        .id = n->id,
        .used = n->used,
        .running = n->running,
        .queued = n->queued,
        .children = n->children,
        .account = a ? a->name : NULL,
        .limit_micros = a ? a->limit : n->rule.budget.present ? n->rule.budget.limit_micros : -1,
        .spent_micros = a ? a->spent : 0,
        .held_micros = a ? a->held : 0,
    };
    return true;
}

uint64_t ledger_next_tenant_id(const struct ledger *l)
{
    return l->next_id;
}

const struct tenant_rule *ledger_rule(const struct ledger *l, const char *path)
{
    const struct node *n = ledger_node(l, path);
    return n ? &n->rule : NULL;
}

void ledger_each_tenant(const struct ledger *l, bool (*fn)(const struct tenant_rule *rule, void *arg), void *arg)
{
    for (size_t i = 0; i < l->nodes.count; i++) {
        if (!fn(&l->sorted[i]->rule, arg)) {
            return;
        }
    }
}

static struct account_view view_of(const struct account *a)
{
    return (struct account_view){
        .name = a->name,
        .resource = a->resource,
        .limit_micros = a->limit,
        .spent_micros = a->spent,
        .held_micros = a->held,
        .carried_micros = a->carried,
        .from_utc_us = a->from_utc_us,
        .to_utc_us = a->to_utc_us,
        .crossed = a->crossed,
    };
}

bool ledger_account(const struct ledger *l, const char *name, struct account_view *ret)
{
    const struct account *a = ledger_account_find(l, name);
    if (a) {
        *ret = view_of(a);
    }
    return a != NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct account *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

void ledger_each_account(const struct ledger *l, bool (*fn)(const struct account_view *view, void *arg), void *arg)
{
    const struct account **sorted = calloc(l->accounts.count + 1, sizeof(struct account *));
    if (!sorted) {
        abort();
    }
    size_t count = 0, at = 0;
    for (const struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        sorted[count++] = a;
    }
    qsort(sorted, count, sizeof sorted[0], by_name);
    for (size_t i = 0; i < count; i++) {
        struct account_view view = view_of(sorted[i]);
        if (!fn(&view, arg)) {
            break;
        }
    }
    free(sorted);
}

bool ledger_hold_of(const struct ledger *l, struct attempt_id id, struct hold_view *ret)
{
    const struct hold *h = ledger_hold(l, id);
    if (h) {
        *ret = (struct hold_view){h->id, h->now.spent, h->now.held};
    }
    return h != NULL;
}

bool ledger_hold_on(const struct ledger *l, struct attempt_id id, const char *account, struct hold_view *ret)
{
    const struct hold *h = ledger_hold(l, id);
    for (size_t i = 0; h && i < h->now.accounts_count; i++) {
        if (strcmp(h->now.accounts[i]->name, account) == 0) {
            *ret = (struct hold_view){id, h->now.spent, h->now.held};
            return true;
        }
    }
    for (size_t i = 0; h && i < h->now.times_count; i++) {
        const struct time_part *part = &h->now.times[i];
        if (strcmp(part->account->name, account) == 0) {
            *ret = (struct hold_view){id, part->spent, part->held};
            return true;
        }
    }
    return false;
}

size_t ledger_holds_count(const struct ledger *l)
{
    return l->holds.count;
}

/* ---- recount ----------------------------------------------------------------------------------------------- */

static void recount_begin(const struct ledger *l)
{
    for (size_t i = 0; i < l->nodes.count; i++) {
        struct node *n = l->sorted[i];
        fields_clear(&resources_fields, &n->recount);
        n->recount_running = 0;
        n->recount_queued = 0;
    }
    size_t at = 0;
    for (struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        a->recount = 0;
        a->recount_holds = 0;
    }
}

static void recount_resources(struct resources *sum, const struct resources *need)
{
    sum->cpu_milli += need->cpu_milli;
    sum->mem_bytes += need->mem_bytes;
    sum->scratch_bytes += need->scratch_bytes;
    for (size_t i = 0; i < need->generic.count; i++) {
        const struct count *c = &need->generic.v[i];
        if (c->value > 0 && counts_set(&sum->generic, c->name, counts_get(&sum->generic, c->name) + c->value) < 0) {
            abort();
        }
    }
}

static int recount_hold(const struct ledger *l, const struct hold *h, struct err *err)
{
    char id[ATTEMPT_ID_TEXT_MAX];
    if (h->now.spent < 0 || h->now.held < 0) {
        return err_set(err, -EUCLEAN, "hold %s: spent %" PRId64 ", held %" PRId64, attempt_id_format(h->id, id),
                       h->now.spent, h->now.held);
    }
    for (size_t i = 0; i < h->now.accounts_count; i++) {
        struct account *a = h->now.accounts[i];
        if (ledger_account_find(l, a->name) != a) {
            return err_set(err, -EUCLEAN, "hold %s: its account is gone", attempt_id_format(h->id, id));
        }
        a->recount += h->now.held;
        a->recount_holds++;
    }
    for (size_t i = 0; i < h->now.times_count; i++) {
        struct account *a = h->now.times[i].account;
        if (ledger_account_find(l, a->name) != a || h->now.times[i].held < 0 || h->now.times[i].spent < 0) {
            return err_set(err, -EUCLEAN, "hold %s: its time is wrong", attempt_id_format(h->id, id));
        }
        a->recount += h->now.times[i].held;
        a->recount_holds++;
    }
    for (size_t i = 0; i < h->path_count; i++) {
        struct node *n = h->path[i];
        n->recount_running++;
        recount_resources(&n->recount, &h->need);
    }
    return 0;
}

static int verify_account(const struct account *a, struct err *err)
{
    if (a->held < 0 || a->limit < -1) { /* spent falls below zero by credits */
        return err_set(err, -EUCLEAN, "account %s: limit %" PRId64 ", spent %" PRId64 ", held %" PRId64, a->name,
                       a->limit, a->spent, a->held);
    }
    if (a->holds != a->recount_holds) {
        return err_set(err, -EUCLEAN, "account %s: %" PRIu32 " holds, but %" PRIu32 " name it", a->name, a->holds,
                       a->recount_holds);
    }
    if (a->held != a->recount) {
        return err_set(err, -EUCLEAN, "account %s: held %" PRId64 ", but its holds sum to %" PRId64, a->name, a->held,
                       a->recount);
    }
    return 0;
}

static int verify_node(const struct node *n, struct err *err)
{
    const char *path = n->rule.path;
    if (n->running != n->recount_running) {
        return err_set(err, -EUCLEAN, "tenant %s: %" PRIu64 " running, but %" PRIu64 " holds", path, n->running,
                       n->recount_running);
    }
    if (!fields_equal(&resources_fields, &n->used, &n->recount)) {
        return err_set(err, -EUCLEAN, "tenant %s: its use is not the sum of its holds", path);
    }
    if (n->queued < n->recount_queued) {
        return err_set(err, -EUCLEAN, "tenant %s: %" PRIu64 " queued, its children %" PRIu64, path, n->queued,
                       n->recount_queued);
    }
    return 0;
}

int ledger_verify(const struct ledger *l, struct err *err)
{
    recount_begin(l);
    int rc = 0;
    size_t at = 0;
    for (const struct hold *h; rc == 0 && (h = map_each(&l->holds, &at)) != NULL;) {
        rc = recount_hold(l, h, err);
    }
    at = 0;
    for (const struct account *a; rc == 0 && (a = map_each(&l->accounts, &at)) != NULL;) {
        rc = verify_account(a, err);
    }
    for (size_t i = 0; i < l->nodes.count; i++) {
        if (l->sorted[i]->parent) {
            l->sorted[i]->parent->recount_queued += l->sorted[i]->queued;
        }
    }
    for (size_t i = 0; rc == 0 && i < l->nodes.count; i++) {
        rc = verify_node(l->sorted[i], err);
    }
    return rc < 0 ? rc : quota_verify(l->sorted, l->nodes.count, err);
}
