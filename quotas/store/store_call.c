#include "quotas/store/store_call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/sha256.h"
#include "quotas/ledger.h"

#define CELL_MAX 63

/* ---- words ------------------------------------------------------------------------------------------------- */

static struct store_word *word_add(struct store_call *c, struct store_words *words)
{
    if (words->count == words->size) {
        size_t size = words->size ? words->size * 2 : 32;
        struct store_word *v = realloc(words->v, size * sizeof *v);
        if (!v) {
            c->failed = true;
            return NULL;
        }
        words->v = v;
        words->size = size;
    }
    struct store_word *w = &words->v[words->count++];
    *w = (struct store_word){0};
    return w;
}

void store_call_begin(struct store_call *c)
{
    c->keys.count = 0;
    c->args.count = 0;
    c->argc = 0;
    c->failed = false;
    buf_reset(&c->arena);
}

void store_call_fini(struct store_call *c)
{
    free(c->keys.v);
    free(c->args.v);
    free(c->argv);
    free(c->lens);
    buf_fini(&c->arena);
    *c = (struct store_call){0};
}

void store_call_key(struct store_call *c, const char *prefix, const char *kind, const char *name)
{
    struct store_word *w = word_add(c, &c->keys);
    if (w) {
        w->offset = c->arena.len;
        buf_add_str(&c->arena, prefix);
        buf_add_str(&c->arena, kind);
        buf_add_str(&c->arena, name);
        w->len = c->arena.len - w->offset;
    }
}

void store_call_argn(struct store_call *c, const void *bytes, size_t len)
{
    struct store_word *w = word_add(c, &c->args);
    if (w) {
        w->text = bytes ? bytes : "";
        w->len = bytes ? len : 0;
    }
}

void store_call_arg(struct store_call *c, const char *text)
{
    store_call_argn(c, text, text ? strlen(text) : 0);
}

void store_call_argf(struct store_call *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct store_word *w = word_add(c, &c->args);
    if (len < 0 || (size_t)len >= sizeof text) {
        c->failed = true;
    } else if (w) {
        w->offset = c->arena.len;
        w->len = (size_t)len;
        buf_add(&c->arena, text, w->len);
    }
}

static void argv_put(struct store_call *c, const char *text, size_t len)
{
    c->argv[c->argc] = text;
    c->lens[c->argc++] = len;
}

static void argv_put_words(struct store_call *c, const struct store_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct store_word *w = &words->v[i];
        argv_put(c, w->text ? w->text : c->arena.data + w->offset, w->len);
    }
}

int store_call_end(struct store_call *c, const char *command, const char *function, bool counted)
{
    size_t need = c->keys.count + c->args.count + 3;
    size_t number_at = c->arena.len;
    buf_addf(&c->arena, "%zu", c->keys.count);
    if (c->failed || c->arena.failed) {
        return -ENOMEM;
    }
    if (need > c->argv_size) {
        const char **argv = realloc(c->argv, need * sizeof *argv);
        c->argv = argv ? argv : c->argv;
        size_t *lens = realloc(c->lens, need * sizeof *lens);
        c->lens = lens ? lens : c->lens;
        if (!argv || !lens) {
            return -ENOMEM;
        }
        c->argv_size = need;
    }
    argv_put(c, command, strlen(command));
    if (function) {
        argv_put(c, function, strlen(function));
    }
    if (counted) {
        argv_put(c, c->arena.data + number_at, c->arena.len - number_at);
    }
    argv_put_words(c, &c->keys);
    argv_put_words(c, &c->args);
    return 0;
}

/* ---- packed numbers ---------------------------------------------------------------------------------------- */

void store_call_numbers(struct store_call *c, const int64_t *numbers, size_t count, const char *tail)
{
    struct store_word *w = word_add(c, &c->args);
    if (!w) {
        return;
    }
    w->offset = c->arena.len;
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[8];
        for (size_t k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)((uint64_t)numbers[i] >> (8 * k));
        }
        buf_add(&c->arena, bytes, sizeof bytes);
    }
    buf_add_str(&c->arena, tail);
    w->len = c->arena.len - w->offset;
}

/* ---- names ------------------------------------------------------------------------------------------------- */

int store_prefix(const char *cell, char out[STORE_PREFIX_MAX], struct err *err)
{
    int rc = parse_name(cell, CELL_MAX, err);
    if (rc < 0) {
        return err_wrap(err, rc, "cell");
    }
    snprintf(out, STORE_PREFIX_MAX, "reeve%d:{%s}:", STORE_SCHEMA, cell);
    return 0;
}

int store_body_hash(const struct job_spec *spec, char out[STORE_BODY_HASH_MAX])
{
    CLEANUP(buf_fini) struct buf body = {0};
    fields_encode(&job_spec_fields, spec, &body);
    if (body.failed) {
        return -ENOMEM;
    }
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    sha256(&(struct sha256_part){body.data, body.len}, 1, hash);
    /* 128 bits tell a client's own bodies apart. */
    snprintf(out, STORE_BODY_HASH_MAX, "%.32s", sha256_hex(hash, hex));
    return 0;
}

/* Three texts as one word. */
static void arg_joined(struct store_call *c, const char *first, const char *second, const char *third)
{
    struct store_word *w = word_add(c, &c->args);
    if (w) {
        w->offset = c->arena.len;
        buf_add_str(&c->arena, first);
        buf_add_str(&c->arena, second);
        buf_add_str(&c->arena, third);
        w->len = c->arena.len - w->offset;
    }
}

/* "t:acme/etl", "a:job:8" */
static void arg_fields(struct store_call *c, const char *kind, const struct strs *names)
{
    for (size_t i = 0; i < names->count; i++) {
        arg_joined(c, kind, names->v[i], "");
    }
}

struct buf *store_call_pack_begin(struct store_call *c)
{
    struct store_word *w = word_add(c, &c->args);
    if (w) {
        w->offset = c->arena.len;
    }
    return &c->arena;
}

void store_call_pack_end(struct store_call *c)
{
    if (!c->failed) {
        struct store_word *w = &c->args.v[c->args.count - 1];
        w->len = c->arena.len - w->offset;
    }
}

void store_call_attempt(struct store_call *c, struct attempt_id id)
{
    store_call_argf(c, "%" PRIu64 ".%" PRIu32 ".%" PRIu32, id.job, id.task, id.epoch);
}

static void arg_flag(struct store_call *c, bool set)
{
    store_call_arg(c, set ? "1" : "");
}

/* ---- operations, in the order of functions/reeve.lua ------------------------------------------------------------- */

static int submit_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_submitted *f = &fact->submitted;
    char hash[STORE_BODY_HASH_MAX], name[512];
    if (!f->tenant || !f->key || f->path.count == 0) {
        return -EINVAL;
    }
    int rc = store_body_hash(&f->spec, hash);
    int len = snprintf(name, sizeof name, "%s:%s", f->tenant, f->key);
    if (rc < 0 || len < 0 || (size_t)len >= sizeof name) {
        return rc < 0 ? rc : -EINVAL;
    }
    store_call_key(c, prefix, "i:", name);
    store_call_argf(c, "%" PRIu64, f->job);
    store_call_argf(c, "%s", hash);
    store_call_argf(c, "%" PRIu32, job_spec_tasks(&f->spec));
    store_call_argf(c, "%zu", f->path.count);
    if (f->spec.budget_micros != 0) {
        store_call_argf(c, "%" PRId64, f->spec.budget_micros);
    } else {
        store_call_arg(c, "");
    }
    store_call_argf(c, "%s", name);
    arg_fields(c, "t:", &f->path);
    store_call_argf(c, "%" PRId64, fact->at_utc_us);
    return 0;
}

static int cancel_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_tasks *f = &fact->cancelled;
    (void)prefix;
    store_call_argf(c, "%" PRIu64, f->job);
    store_call_argf(c, "%" PRIu32, f->count);
    store_call_argf(c, "%zu", f->path.count);
    arg_flag(c, f->job_done);
    store_call_argf(c, "%d", STORE_KEY_TTL_S);
    arg_fields(c, "t:", &f->path);
    return f->path.count == 0 ? -EINVAL : 0;
}

/* ---- budgets ----------------------------------------------------------------------------------------------- */

int64_t store_instant(int64_t utc_us)
{
    return MIN(MAX(utc_us, -LEDGER_COUNT_MAX), LEDGER_COUNT_MAX);
}

static int open_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_budget_opened *f = &fact->budget_opened;
    char tenant[LEDGER_TENANT_MAX];
    (void)prefix;
    if (!f->account || strlen(f->account) >= LEDGER_ACCOUNT_MAX) {
        return -EINVAL;
    }
    const char *of = ledger_account_tenant(f->account, tenant);
    store_call_arg(c, f->account);
    store_call_argf(c, "%s%s", of ? "t:" : "", of ? of : "");
    store_call_argf(c, "%" PRId64, f->limit_micros);
    store_call_argf(c, "%" PRId64, store_instant(f->from_utc_us));
    store_call_argf(c, "%" PRId64, store_instant(f->to_utc_us));
    store_call_arg(c, f->resource);
    return 0;
}

static int adjust_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_adjusted *f = &fact->adjusted;
    char key[LEDGER_KEY_MAX];
    if (!ledger_adjust_key(f, key) || f->accounts.count == 0 || f->accounts.count > LEDGER_ACCOUNTS_MAX) {
        return -EINVAL;
    }
    (void)prefix;
    store_call_argf(c, "%" PRId64, f->micros);
    store_call_argf(c, "%zu", f->accounts.count);
    arg_joined(c, key, "", "");
    store_call_argf(c, "%" PRIu64, ledger_adjust_hash(f));
    arg_fields(c, "a:", &f->accounts);
    return 0;
}

static int close_accounts_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct list *accounts = &fact->accounts_closed.accounts;
    const struct closed_account *v = accounts->v;
    (void)prefix;
    if (accounts->count == 0 || accounts->count > ACCOUNTS_CLOSED_MAX) {
        return -EINVAL;
    }
    store_call_argf(c, "%zu", accounts->count);
    store_call_argf(c, "%" PRId64, fact->at_utc_us);
    for (size_t i = 0; i < accounts->count; i++) {
        if (!v[i].account) {
            return -EINVAL;
        }
        store_call_arg(c, v[i].account);
        store_call_argf(c, "%" PRId64, v[i].spent_micros);
    }
    return 0;
}

static int close_period_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    (void)prefix;
    (void)fact;
    store_call_argf(c, "%d", LEDGER_KEYS_PERIODS);
    return 0;
}

/* ---- policy ------------------------------------------------------------------------------------------------ */

void store_rule_numbers(const struct tenant_rule *rule, int64_t numbers[STORE_T_COUNT])
{
    const struct quota_rule *q = &rule->quota;
    const uint64_t limits[] = {q->max_queued, q->max_running, q->max.cpu_milli, q->max.mem_bytes, q->max.scratch_bytes};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        /* What is beyond all counters limits nothing, but is no zero either. */
        numbers[STORE_T_LIMIT_QUEUED + i] = (int64_t)MIN(limits[i], (uint64_t)LEDGER_COUNT_MAX);
    }
}

static void share_numbers(const struct quota_rule *q, size_t index, const char *name, int64_t numbers[3])
{
    numbers[0] = (int64_t)MIN(ledger_resource_get(&q->guaranteed, index, name), (uint64_t)LEDGER_COUNT_MAX);
    numbers[1] = ledger_bound(&q->borrow, index, name);
    numbers[2] = ledger_bound(&q->lend, index, name);
}

/* RULE of functions/reeve.lua. */
static void arg_quota(struct store_call *c, const struct quota_rule *q)
{
    int64_t numbers[3 * LEDGER_FIXED_RESOURCES + 2];
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        share_numbers(q, i, "", &numbers[3 * i]);
    }
    numbers[9] = MIN(q->submits_per_minute, (uint32_t)RATE_MAX);
    numbers[10] = MIN(q->starts_per_minute, (uint32_t)RATE_MAX);
    store_call_numbers(c, numbers, COUNT_OF(numbers), "");
}

/* Generic resources that a rule says anything about, each once. */
static int rule_generics(const struct quota_rule *q, struct counts *ret)
{
    const struct counts *const from[] = {&q->max.generic, &q->guaranteed.generic, &q->borrow.generic, &q->lend.generic};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        for (size_t k = 0; rc == 0 && k < from[i]->count; k++) {
            const char *name = from[i]->v[k].name;
            rc = counts_set(ret, name, MIN(counts_get(&q->max.generic, name), (uint64_t)LEDGER_COUNT_MAX));
        }
    }
    return rc;
}

static void arg_generics(struct store_call *c, const struct quota_rule *q, const struct counts *names)
{
    for (size_t i = 0; i < names->count; i++) {
        int64_t numbers[4] = {(int64_t)names->v[i].value};
        share_numbers(q, LEDGER_FIXED_RESOURCES, names->v[i].name, &numbers[1]);
        store_call_argf(c, "%s", names->v[i].name);
        store_call_numbers(c, numbers, COUNT_OF(numbers), "");
    }
}

static void counts_fini(struct counts *counts)
{
    for (size_t i = 0; i < counts->count; i++) {
        free(counts->v[i].name);
    }
    free(counts->v);
}

static void set_words(struct store_call *c, const struct tenant_rule *rule)
{
    char parent[LEDGER_TENANT_MAX];
    int64_t numbers[STORE_T_COUNT];
    CLEANUP(counts_fini) struct counts generic = {0};
    const char *above = ledger_parent_path(rule->path, parent);
    store_call_arg(c, rule->path);
    store_call_argf(c, "%s", above ? above : rule->path);
    c->failed = c->failed || rule_generics(&rule->quota, &generic) < 0;
    store_call_argf(c, "%zu", generic.count);
    store_rule_numbers(rule, numbers);
    for (size_t i = STORE_T_LIMIT_QUEUED; i <= STORE_T_LIMIT_SCRATCH; i++) {
        store_call_argf(c, "%" PRId64, numbers[i]);
    }
    arg_quota(c, &rule->quota);
    arg_generics(c, &rule->quota, &generic);
}

static void limit_words(struct store_call *c, const struct list *limits)
{
    const struct account_limit *v = limits->v;
    store_call_argf(c, "%zu", limits->count);
    for (size_t i = 0; i < limits->count; i++) {
        arg_joined(c, "a:", v[i].account ? v[i].account : "", "");
        store_call_argf(c, "%" PRId64, v[i].limit_micros);
        store_call_argf(c, "%" PRId64, store_instant(v[i].from_utc_us));
        store_call_argf(c, "%" PRId64, store_instant(v[i].to_utc_us));
    }
}

static int policy_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct policy_change *f = &fact->policy;
    const struct tenant_rule *rules = f->tenants.v;
    char parent[LEDGER_TENANT_MAX];
    (void)prefix;
    store_call_argf(c, "%zu", f->removed.count);
    store_call_argf(c, "%zu", f->tenants.count);
    for (size_t i = 0; i < f->removed.count; i++) {
        const char *above = ledger_parent_path(f->removed.v[i], parent);
        if (!above) {
            return -EINVAL; /* the root stays */
        }
        store_call_arg(c, f->removed.v[i]);
        store_call_argf(c, "%s", above);
    }
    size_t written = 0;
    for (size_t depth = 0; depth <= TENANT_DEPTH_MAX; depth++) {
        for (size_t i = 0; i < f->tenants.count; i++) {
            if (rules[i].path && tenant_path_depth(rules[i].path) == depth) {
                set_words(c, &rules[i]);
                written++;
            }
        }
    }
    limit_words(c, &f->limits);
    store_call_argf(c, "%" PRId64, fact->at_utc_us);
    return written == f->tenants.count ? 0 : -EINVAL;
}

/* ---- moving ------------------------------------------------------------------------------------------------ */

static int move_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_tenant_moved *f = &fact->tenant_moved;
    const struct attempt_id *attempts = f->attempts.v;
    (void)prefix;
    if (!f->from || !f->to || f->tenants.count + f->accounts.count + f->attempts.count + f->jobs.count > MOVED_MAX) {
        return -EINVAL;
    }
    store_call_arg(c, f->from);
    store_call_arg(c, f->to);
    store_call_argf(c, "%zu", f->tenants.count);
    store_call_argf(c, "%zu", f->accounts.count);
    store_call_argf(c, "%zu", f->attempts.count);
    store_call_argf(c, "%zu", f->jobs.count);
    for (size_t i = 0; i < f->tenants.count; i++) {
        store_call_arg(c, f->tenants.v[i]);
    }
    for (size_t i = 0; i < f->accounts.count; i++) {
        store_call_arg(c, f->accounts.v[i].key);
        store_call_arg(c, f->accounts.v[i].value);
    }
    for (size_t i = 0; i < f->attempts.count; i++) {
        store_call_attempt(c, attempts[i]);
    }
    for (size_t i = 0; i < f->jobs.count; i++) {
        store_call_argf(c, "%" PRIu64, ((const struct moved_job *)f->jobs.v)[i].job);
    }
    return 0;
}

/* ---- the call ---------------------------------------------------------------------------------------------- */

struct operation { /* alone: its name, the bytes of the fact, the words */
    const char *name;
    int (*words)(struct store_call *c, const char *prefix, const struct fact *fact);
};

static const struct operation operations[FACT_KIND_COUNT] = {
    [FACT_POLICY_SET] = {"policy", policy_words},      [FACT_JOB_SUBMITTED] = {"submit", submit_words},
    [FACT_TASKS_CANCELLED] = {"cancel", cancel_words}, [FACT_BUDGET_OPENED] = {"open", open_words},
    [FACT_LEDGER_ADJUSTED] = {"adjust", adjust_words}, [FACT_TENANT_MOVED] = {"move", move_words},
    [FACT_PERIOD_CLOSED] = {"close_period", close_period_words},
    [FACT_ACCOUNTS_CLOSED] = {"close_accounts", close_accounts_words},
};

/* NULL: it goes in a run. */
static const struct operation *operation_of(const struct fact *fact)
{
    return fact->kind < FACT_KIND_COUNT && operations[fact->kind].words ? &operations[fact->kind] : NULL;
}

static size_t run_weight(const struct fact *fact)
{
    return MAX(fact_placements(fact), (size_t)1);
}

/* How many of the entries go in one call. A refusal that is only recorded goes alone, whatever was refused. */
static size_t run_length(const struct store_entry *entries, size_t count, bool recorded)
{
    size_t n = 1, weight = run_weight(entries[0].fact);
    while (!recorded && n < count && !operation_of(entries[0].fact) && !operation_of(entries[n].fact) &&
           entries[n].seq == entries[0].seq + n && weight + run_weight(entries[n].fact) <= STORE_RUN_MAX) {
        weight += run_weight(entries[n++].fact);
    }
    return n;
}

static int entry_words(struct store_call *c, const char *prefix, const struct store_entry *entry,
                       const struct fact_renewed *before)
{
    const struct operation *op = operation_of(entry->fact);
    if (op) {
        store_call_arg(c, op->name);
        store_call_argn(c, entry->bytes, entry->len);
        return op->words(c, prefix, entry->fact);
    }
    return store_run_words(c, entry, before);
}

int store_call_build(struct store_call *c, const struct store_head *head, const struct store_entry *entries,
                     size_t count, size_t *ret_count)
{
    bool recorded = head->mode[0] != '\0' && strcmp(head->mode, "!") != 0;
    size_t n = run_length(entries, count, recorded);
    const struct fact_renewed *renewal = NULL;
    int rc = 0;
    store_call_begin(c);
    store_call_key(c, head->prefix, "c", "");
    store_call_key(c, head->prefix, "j", "");
    store_call_key(c, head->prefix, "h", "");
    store_call_arg(c, head->writer);
    store_call_argf(c, "%" PRIu64, head->term);
    store_call_argf(c, "%" PRIu64, entries[0].seq);
    store_call_argf(c, "%" PRIu64, head->durable);
    store_call_arg(c, head->mode);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = recorded ? store_run_note(c, &entries[i]) : entry_words(c, head->prefix, &entries[i], renewal);
        renewal = entries[i].fact->kind == FACT_HOLD_RENEWED ? &entries[i].fact->renewed : renewal;
    }
    rc = rc < 0 ? rc : store_call_end(c, "FCALL", "reeve_commit", true);
    if (rc == 0) {
        *ret_count = n;
    }
    return rc;
}
