#include "quotas/store/store_call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/sha256.h"
#include "quotas/ledger_names.h"

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

void store_call_resource(struct store_call *c, char what, size_t index, const char *name)
{
    bool built_in = index < LEDGER_FIXED_RESOURCES;
    store_call_argf(c, "%c%s:%s", what, built_in ? "" : "g", name);
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

static void key_path(struct store_call *c, const char *prefix, const struct strs *path)
{
    for (size_t i = 0; i < path->count; i++) {
        store_call_key(c, prefix, "t:", path->v[i]);
    }
}

/* Accounts, then the tenant of each; a job's account stands for its own. */
static void key_accounts(struct store_call *c, const char *prefix, const struct strs *accounts)
{
    for (size_t i = 0; i < accounts->count; i++) {
        store_call_key(c, prefix, "a:", accounts->v[i]);
    }
    for (size_t i = 0; i < accounts->count; i++) {
        char buffer[LEDGER_TENANT_MAX];
        const char *tenant = ledger_account_tenant(accounts->v[i], buffer);
        store_call_key(c, prefix, tenant ? "t:" : "a:", tenant ? tenant : accounts->v[i]);
    }
}

static void key_job_account(struct store_call *c, const char *prefix, uint64_t job)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    store_call_key(c, prefix, "a:", ledger_job_account(job, name));
}

static void arg_attempt(struct store_call *c, struct attempt_id id)
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
    char hash[STORE_BODY_HASH_MAX];
    if (!f->tenant || !f->key || f->path.count == 0) {
        return -EINVAL;
    }
    int rc = store_body_hash(&f->spec, hash);
    if (rc < 0) {
        return rc;
    }
    char name[512];
    int len = snprintf(name, sizeof name, "%s:%s", f->tenant, f->key);
    if (len < 0 || (size_t)len >= sizeof name) {
        return -EINVAL;
    }
    bool budget = f->spec.budget_micros != 0;
    store_call_key(c, prefix, "i:", name);
    store_call_key(c, prefix, "k", "");
    key_path(c, prefix, &f->path);
    if (budget) {
        key_job_account(c, prefix, f->job);
    }
    store_call_argf(c, "%" PRIu64, f->job);
    store_call_argf(c, "%s", hash);
    store_call_argf(c, "%" PRIu32, job_spec_tasks(&f->spec));
    store_call_argf(c, "%zu", f->path.count);
    if (budget) {
        store_call_argf(c, "%" PRId64, f->spec.budget_micros);
    } else {
        store_call_arg(c, "");
    }
    store_call_argf(c, "%s", name);
    return 0;
}

static int cancel_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_tasks *f = &fact->cancelled;
    store_call_key(c, prefix, "k", "");
    key_job_account(c, prefix, f->job);
    key_path(c, prefix, &f->path);
    store_call_argf(c, "%" PRIu64, f->job);
    store_call_argf(c, "%" PRIu32, f->count);
    store_call_argf(c, "%zu", f->path.count);
    arg_flag(c, f->job_done);
    store_call_argf(c, "%d", STORE_KEY_TTL_S);
    return f->path.count == 0 ? -EINVAL : 0;
}

static int place_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_placed *f = &fact->placed;
    const char *name;
    uint64_t amount;
    size_t used = 0;
    if (f->path.count == 0 || f->path.count > LEDGER_PATH_MAX || f->accounts.count > LEDGER_ACCOUNTS_MAX ||
        f->resources.generic.count > RESOURCE_GENERIC_MAX) {
        return -EINVAL;
    }
    key_path(c, prefix, &f->path);
    key_accounts(c, prefix, &f->accounts);
    for (size_t i = 0; (name = ledger_resource(&f->resources, i, &amount)) != NULL; i++) {
        used += amount > 0;
    }
    arg_attempt(c, f->id);
    store_call_argf(c, "%" PRId64, f->hold_micros);
    store_call_argf(c, "%zu", f->path.count);
    store_call_argf(c, "%zu", f->accounts.count);
    store_call_argf(c, "%zu", used);
    store_call_arg(c, "l:running");
    store_call_arg(c, "u:running");
    store_call_arg(c, "u:queued");
    for (size_t i = 0; (name = ledger_resource(&f->resources, i, &amount)) != NULL; i++) {
        if (amount > 0) {
            store_call_resource(c, 'l', i, name);
            store_call_resource(c, 'u', i, name);
        }
    }
    for (size_t i = 0; ledger_resource(&f->resources, i, &amount) != NULL; i++) {
        if (amount > 0) {
            store_call_argf(c, "%" PRIu64, amount);
        }
    }
    return 0;
}

static int renew_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_renewed *f = &fact->renewed;
    if (f->accounts.count > LEDGER_ACCOUNTS_MAX) {
        return -EINVAL;
    }
    key_accounts(c, prefix, &f->accounts);
    arg_attempt(c, f->id);
    store_call_argf(c, "%" PRId64, f->spent_micros);
    store_call_argf(c, "%" PRId64, f->hold_micros);
    store_call_argf(c, "%zu", f->accounts.count);
    return 0;
}

static int finish_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct fact_ended *f = &fact->ended;
    store_call_key(c, prefix, "k", "");
    key_job_account(c, prefix, f->id.job);
    arg_attempt(c, f->id);
    store_call_argf(c, "%" PRId64, f->spent_micros);
    arg_flag(c, f->next != NEXT_FINAL);
    arg_flag(c, f->job_done);
    store_call_argf(c, "%" PRIu64, f->id.job);
    store_call_argf(c, "%d", STORE_KEY_TTL_S);
    return 0;
}

/* ---- policy ------------------------------------------------------------------------------------------------ */

size_t store_call_rule(struct store_call *c, const struct tenant_rule *rule)
{
    const char *name;
    uint64_t amount;
    size_t fields = 0;
    for (size_t i = 0; (name = ledger_resource(&rule->quota.max, i, &amount)) != NULL; i++) {
        if (amount > 0) {
            store_call_resource(c, 'l', i, name);
            store_call_argf(c, "%" PRIu64, amount);
            fields++;
        }
    }
    const struct { const char *name; uint64_t value; } counts[] = {
        {"l:running", rule->quota.max_running},
        {"l:queued", rule->quota.max_queued},
    };
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (counts[i].value > 0) {
            store_call_arg(c, counts[i].name);
            store_call_argf(c, "%" PRIu64, counts[i].value);
            fields++;
        }
    }
    if (rule->budget.present) {
        store_call_arg(c, "bl");
        store_call_argf(c, "%" PRId64, rule->budget.limit_micros);
        store_call_arg(c, "bp");
        store_call_arg(c, names_get(&period_kind_names, rule->budget.period));
        fields += 2;
    }
    return fields;
}

/* A number that is known only after what it counts was written: a place is kept for it. */
static size_t count_reserve(struct store_call *c)
{
    store_call_argf(c, "%06d", 0);
    return c->args.count - 1;
}

static void count_set(struct store_call *c, size_t at, size_t count)
{
    char text[24];
    if (c->failed || c->arena.failed) {
        return;
    }
    snprintf(text, sizeof text, "%06zu", count);
    memcpy(c->arena.data + c->args.v[at].offset, text, c->args.v[at].len);
}

static void set_words(struct store_call *c, const char *prefix, const struct tenant_rule *rule, int64_t at_utc_us)
{
    char parent[LEDGER_TENANT_MAX], name[LEDGER_ACCOUNT_MAX];
    const char *above = ledger_parent_path(rule->path, parent);
    size_t accounts = 0;
    store_call_key(c, prefix, "t:", rule->path);
    store_call_key(c, prefix, "t:", above ? above : rule->path);
    size_t accounts_at = count_reserve(c), fields_at = count_reserve(c);
    if (!above && !ledger_budget_is_total(&rule->budget)) {
        store_call_key(c, prefix, "a:", LEDGER_ROOT_TOTAL);
        store_call_arg(c, "-1");
        accounts++;
    }
    if (rule->budget.present && ledger_tenant_account(rule->path, rule->budget.period, at_utc_us, name)) {
        store_call_key(c, prefix, "a:", name);
        store_call_argf(c, "%" PRId64, rule->budget.limit_micros);
        accounts++;
    }
    count_set(c, accounts_at, accounts);
    count_set(c, fields_at, store_call_rule(c, rule));
}

static int policy_words(struct store_call *c, const char *prefix, const struct fact *fact)
{
    const struct policy_change *f = &fact->policy;
    const struct tenant_rule *rules = f->tenants.v;
    char parent[LEDGER_TENANT_MAX];
    for (size_t i = 0; i < f->removed.count; i++) {
        const char *above = ledger_parent_path(f->removed.v[i], parent);
        if (!above) {
            return -EINVAL; /* the root stays */
        }
        store_call_key(c, prefix, "t:", f->removed.v[i]);
        store_call_key(c, prefix, "t:", above);
    }
    store_call_argf(c, "%zu", f->removed.count);
    store_call_argf(c, "%zu", f->tenants.count);
    size_t written = 0;
    for (size_t depth = 0; depth <= TENANT_DEPTH_MAX; depth++) {
        for (size_t i = 0; i < f->tenants.count; i++) {
            if (rules[i].path && ledger_path_depth(rules[i].path) == depth) {
                set_words(c, prefix, &rules[i], fact->at_utc_us);
                written++;
            }
        }
    }
    return written == f->tenants.count ? 0 : -EINVAL;
}

/* ---- the call ---------------------------------------------------------------------------------------------- */

struct operation {
    const char *name;
    int (*words)(struct store_call *c, const char *prefix, const struct fact *fact);
};

static const struct operation operations[FACT_KIND_COUNT] = {
    [FACT_POLICY_SET] = {"policy", policy_words},      [FACT_JOB_SUBMITTED] = {"submit", submit_words},
    [FACT_TASKS_CANCELLED] = {"cancel", cancel_words}, [FACT_ATTEMPT_PLACED] = {"place", place_words},
    [FACT_HOLD_RENEWED] = {"renew", renew_words},      [FACT_ATTEMPT_ENDED] = {"finish", finish_words},
};

int store_call_build(struct store_call *c, const struct store_head *head, const struct store_entry *entry)
{
    /* A refusal that is only recorded needs no more than the note does. */
    bool recorded = head->mode[0] != '\0' && strcmp(head->mode, "!") != 0;
    const struct operation *op = &(const struct operation){"note", NULL};
    if (!recorded && entry->fact->kind < FACT_KIND_COUNT && operations[entry->fact->kind].words) {
        op = &operations[entry->fact->kind];
    }
    store_call_begin(c);
    store_call_key(c, head->prefix, "meta", "");
    store_call_key(c, head->prefix, "j", "");
    store_call_key(c, head->prefix, "h", "");
    store_call_arg(c, head->writer);
    store_call_argf(c, "%" PRIu64, head->term);
    store_call_argf(c, "%" PRIu64, entry->seq);
    store_call_argf(c, "%" PRIu64, head->durable);
    store_call_arg(c, head->mode);
    store_call_arg(c, op->name);
    store_call_argn(c, entry->bytes, entry->len);
    int rc = op->words ? op->words(c, head->prefix, entry->fact) : 0;
    return rc < 0 ? rc : store_call_end(c, "FCALL", "reeve_commit", true);
}
