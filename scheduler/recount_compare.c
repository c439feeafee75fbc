#include "scheduler/recount_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define ROOT_TOTAL "/@total"

int recount_books_init(struct recount_books *b, struct err *err)
{
    *b = (struct recount_books){.lines_micros = 0};
    if (str_set(&b->reply.currency, CURRENCY_DEFAULT) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    return ledger_new(&b->ledger, err);
}

void recount_books_fini(struct recount_books *b)
{
    ledger_free(b->ledger);
    fields_clear(&verify_reply_fields, &b->reply);
}

/* ---- saying what differs ---- */
PRINTF_LIKE(3, 4) static void differs(struct recount_books *b, uint64_t seq, const char *format, ...)
{
    char what[400], text[440];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(text, sizeof text, "seq %" PRIu64 ": %s", seq, what);
    b->reply.differences_total++;
    if (b->reply.differences.count < VERIFY_DIFFERENCES_MAX && strs_add(&b->reply.differences, text) < 0)
        return; /* it is counted all the same */
}

static const char *account_text(const struct account_view *v, char out[3 * PARSE_TEXT_MAX + 40])
{
    char limit[PARSE_TEXT_MAX] = "none", spent[PARSE_TEXT_MAX], held[PARSE_TEXT_MAX];
    if (v->limit_micros >= 0)
        format_money(v->limit_micros, limit);
    snprintf(out, 3 * PARSE_TEXT_MAX + 40, "limit %s spent %s held %s", limit, format_money(v->spent_micros, spent),
             format_money(v->held_micros, held));
    return out;
}

/* ---- the books ---- */
static int64_t total_of(const struct recount_books *b)
{
    struct account_view v = {0};
    return ledger_account(b->ledger, ROOT_TOTAL, &v) ? v.spent_micros : 0;
}

void recount_seed(struct recount_books *b, const struct fact *fact)
{
    ledger_apply(b->ledger, fact);
    b->lines_micros = total_of(b);
    if (fact->kind == FACT_POLICY_SET && fact->policy.currency != NULL)
        (void)!str_set(&b->reply.currency, fact->policy.currency);
}

static int64_t lines_of(const struct fact *fact)
{
    const struct list *charges = fact->kind == FACT_HOLD_RENEWED    ? &fact->renewed.charges
                                 : fact->kind == FACT_ATTEMPT_ENDED ? &fact->ended.charges
                                                                    : NULL;
    int64_t sum = fact->kind == FACT_LEDGER_ADJUSTED && fact->adjusted.accounts.count > 0 ? fact->adjusted.micros : 0;
    for (size_t i = 0; charges != NULL && i < charges->count; i++)
        sum += ((const struct charge *)charges->v)[i].micros;
    return sum;
}

void recount_fact(struct recount_books *b, uint64_t seq, const struct fact *fact)
{
    struct ledger_blocker blocker = {0};
    enum ledger_verdict verdict = ledger_check(b->ledger, fact, &blocker);
    if (verdict != LEDGER_FITS)
        differs(b, seq, "%s was committed, but the ledger says %s%s%s", names_get(&fact_names, fact->kind),
                names_get(&ledger_verdict_names, verdict), blocker.where != NULL ? " at " : "",
                blocker.where != NULL ? blocker.where : "");
    if (fact->at_utc_us < b->at_utc_us)
        differs(b, seq, "%s is older than the fact before it", names_get(&fact_names, fact->kind));
    b->at_utc_us = MAX(b->at_utc_us, fact->at_utc_us);
    int64_t before = total_of(b), lines = lines_of(fact);
    ledger_apply(b->ledger, fact);
    if (total_of(b) - before != lines)
        differs(b, seq, "%s: its lines come to %" PRId64 " micro-units, the accounts take %" PRId64,
                names_get(&fact_names, fact->kind), lines, total_of(b) - before);
    b->lines_micros += lines;
    if (fact->kind == FACT_POLICY_SET && fact->policy.currency != NULL)
        (void)!str_set(&b->reply.currency, fact->policy.currency);
}

/* ---- names ---- */
struct missing {
    struct recount_books *b;
    uint64_t seq;
    const struct strs *sorted;
    const char *prefix; /* of the names in `sorted` */
    size_t count;       /* that the books have */
};

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static bool is_named(const struct strs *sorted, const char *name)
{
    return sorted->count > 0 && bsearch(&name, sorted->v, sorted->count, sizeof sorted->v[0], by_text) != NULL;
}

static bool account_missing(const struct account_view *v, void *arg)
{
    struct missing *m = arg;
    char text[3 * PARSE_TEXT_MAX + 40];
    m->count++;
    if (!is_named(m->sorted, v->name))
        differs(m->b, m->seq, "account %s: the journal has %s, Redis none", v->name, account_text(v, text));
    return true;
}

static bool tenant_missing(const struct tenant_rule *rule, void *arg)
{
    struct missing *m = arg;
    char name[300];
    m->count++;
    snprintf(name, sizeof name, "t:%s", rule->path);
    if (!is_named(m->sorted, name))
        differs(m->b, m->seq, "tenant %s: the journal has it, Redis has not", rule->path);
    return true;
}

static void accounts_unknown(struct recount_books *b, uint64_t seq, const struct strs *names)
{
    struct account_view v;
    for (size_t i = 0; i < names->count; i++)
        if (!ledger_account(b->ledger, names->v[i], &v))
            differs(b, seq, "account %s: Redis has it, the journal has not", names->v[i]);
}

static void tenants_unknown(struct recount_books *b, uint64_t seq, const struct strs *names)
{
    struct tenant_view v;
    for (size_t i = 0; i < names->count; i++)
        if (strchr(names->v[i], ' ') == NULL && !ledger_tenant(b->ledger, names->v[i] + 2, b->at_utc_us, &v))
            differs(b, seq, "tenant %s: Redis has it, the journal has not", names->v[i] + 2);
}

static void holds_compare(struct recount_books *b, uint64_t seq, const struct strs *names)
{
    size_t known = 0;
    for (size_t i = 0; i < names->count; i++) {
        struct attempt_id id;
        struct hold_view v;
        if (attempt_id_parse(names->v[i], &id) == 0 && ledger_hold_of(b->ledger, id, &v))
            known++;
        else
            differs(b, seq, "hold %s: Redis has it, the journal has not", names->v[i]);
    }
    if (ledger_holds_count(b->ledger) != known)
        differs(b, seq, "the journal has %zu holds, Redis has %zu of them", ledger_holds_count(b->ledger), known);
}

void recount_names(struct recount_books *b, uint64_t seq, const struct store_names *names)
{
    struct missing accounts = {.b = b, .seq = seq, .sorted = &names->accounts};
    struct missing tenants = {.b = b, .seq = seq, .sorted = &names->tenants};
    if (names->seq != seq)
        differs(b, seq, "Redis stands at seq %" PRIu64 ", before what the files begin with", names->seq);
    ledger_each_account(b->ledger, account_missing, &accounts);
    ledger_each_tenant(b->ledger, tenant_missing, &tenants);
    accounts_unknown(b, seq, &names->accounts);
    tenants_unknown(b, seq, &names->tenants);
    holds_compare(b, seq, &names->holds);
}

/* ---- parts ---- */
static void account_compare(struct recount_books *b, uint64_t seq, const struct store_account *a)
{
    struct account_view ours, theirs = {a->name, a->limit_micros, a->spent_micros, a->held_micros};
    char left[3 * PARSE_TEXT_MAX + 40], right[3 * PARSE_TEXT_MAX + 40];
    b->reply.accounts++;
    if (!ledger_account(b->ledger, a->name, &ours))
        differs(b, seq, "account %s: Redis has %s, the journal none", a->name, account_text(&theirs, left));
    else if (ours.limit_micros != theirs.limit_micros || ours.spent_micros != theirs.spent_micros ||
             ours.held_micros != theirs.held_micros)
        differs(b, seq, "account %s: Redis has %s, the journal %s", a->name, account_text(&theirs, left),
                account_text(&ours, right));
}

static uint64_t used_of(const struct resources *r, const char *resource)
{
    if (strcmp(resource, "cpu") == 0)
        return r->cpu_milli;
    if (strcmp(resource, "memory") == 0)
        return r->mem_bytes;
    return strcmp(resource, "scratch") == 0 ? r->scratch_bytes : counts_get(&r->generic, resource);
}

static void use_compare(struct recount_books *b, uint64_t seq, const char *path, const char *what, uint64_t redis,
                        uint64_t ours)
{
    if (redis != ours)
        differs(b, seq, "tenant %s: Redis has %s %" PRIu64 ", the journal %" PRIu64, path, what, redis, ours);
}

static void tenant_compare(struct recount_books *b, uint64_t seq, const struct store_tenant *t)
{
    struct tenant_view v;
    static const char *const own[] = {"cpu", "memory", "scratch"};
    b->reply.tenants++;
    if (!ledger_tenant(b->ledger, t->path, b->at_utc_us, &v)) {
        differs(b, seq, "tenant %s: Redis has it, the journal has not", t->path);
        return;
    }
    use_compare(b, seq, t->path, "queued", t->queued, v.queued);
    use_compare(b, seq, t->path, "running", t->running, v.running);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        use_compare(b, seq, t->path, own[i], counts_get(&t->used, own[i]), used_of(&v.used, own[i]));
    for (size_t i = 0; i < v.used.generic.count; i++) {
        const struct count *c = &v.used.generic.v[i];
        use_compare(b, seq, t->path, c->name, counts_get(&t->used, c->name), c->value);
    }
    for (size_t i = 0; i < t->used.count; i++) /* and what only Redis counts */
        if (used_of(&v.used, t->used.v[i].name) == 0)
            use_compare(b, seq, t->path, t->used.v[i].name, t->used.v[i].value, 0);
}

static void hold_compare(struct recount_books *b, uint64_t seq, const struct store_hold *h)
{
    struct hold_view v = {.spent_micros = -1};
    char id[ATTEMPT_ID_TEXT_MAX];
    b->reply.holds++;
    if (!ledger_hold_of(b->ledger, h->id, &v) || v.spent_micros != h->spent_micros || v.held_micros != h->held_micros)
        differs(b, seq, "hold %s: Redis has spent %" PRId64 " held %" PRId64 ", the journal spent %" PRId64
                " held %" PRId64, attempt_id_format(h->id, id), h->spent_micros, h->held_micros, v.spent_micros,
                v.held_micros);
}

/* What was named a moment before and is not there any more must be gone from the books, too. */
static void gone_compare(struct recount_books *b, uint64_t seq, const struct store_names *gone)
{
    struct account_view account;
    struct tenant_view tenant;
    for (size_t i = 0; i < gone->accounts.count; i++)
        if (ledger_account(b->ledger, gone->accounts.v[i], &account))
            differs(b, seq, "account %s: the journal has it, Redis has lost it", gone->accounts.v[i]);
    for (size_t i = 0; i < gone->tenants.count; i++)
        if (ledger_tenant(b->ledger, gone->tenants.v[i], b->at_utc_us, &tenant))
            differs(b, seq, "tenant %s: the journal has it, Redis has lost it", gone->tenants.v[i]);
    for (size_t i = 0; i < gone->holds.count; i++) {
        struct attempt_id id;
        struct hold_view v;
        if (attempt_id_parse(gone->holds.v[i], &id) == 0 && ledger_hold_of(b->ledger, id, &v))
            differs(b, seq, "hold %s: the journal has it, Redis has lost it", gone->holds.v[i]);
    }
}

void recount_part(struct recount_books *b, const struct store_part *part)
{
    const struct store_account *a = part->accounts.v;
    const struct store_tenant *t = part->tenants.v;
    const struct store_hold *h = part->holds.v;
    for (size_t i = 0; i < part->accounts.count; i++)
        account_compare(b, part->seq, &a[i]);
    for (size_t i = 0; i < part->tenants.count; i++)
        tenant_compare(b, part->seq, &t[i]);
    for (size_t i = 0; i < part->holds.count; i++)
        hold_compare(b, part->seq, &h[i]);
    gone_compare(b, part->seq, &part->gone);
}

/* ---- the end ---- */
void recount_end(struct recount_books *b, uint64_t seq)
{
    struct err err = {0};
    if (ledger_verify(b->ledger, &err) < 0)
        differs(b, seq, "the journal contradicts itself: %s", err_text(&err));
    b->reply.total_micros = total_of(b);
    if (b->lines_micros != b->reply.total_micros)
        differs(b, seq, "all lines come to %" PRId64 " micro-units, spent is %" PRId64, b->lines_micros,
                b->reply.total_micros);
}
