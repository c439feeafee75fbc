/*
 * The commit function against its model, the C ledger: random operations with repetitions, gaps, wrong terms and
 * refusals; both have to agree on every verdict and, again and again, on every counter.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quotas/store/store_sync.h"
#include "tests/ask_store.h"
#include "tests/quotas/random_ops.h"
#include "tests/quotas/store/redis_server.h"
#include "tests/run.h"

#define OPERATIONS 24000
#define COMPARE_EVERY 500
#define WAITING_MAX 250 /* more than fits in a run */

struct bench {
    struct redis_server redis;
    struct store_sync *s;
    struct ledger *model;
    struct ops_world w;
    uint64_t term, seq, sent, refusals; /* what is behind `sent` only the model knows yet, */
    struct fact waiting[WAITING_MAX]; /* this */
    /* The journal as the file would have it. */
    struct buf *facts;
    char (*codes)[24], (*wheres)[160];
    /* Idempotency keys: what the model of the keys says. */
    struct { char *name; uint64_t job; char hash[STORE_BODY_HASH_MAX]; bool stays; } keys[8192];
    size_t keys_count;
};

/* ---- one call ---------------------------------------------------------------------------------------------- */

static void call_run(struct store_sync *s, const char *writer, uint64_t term, const struct store_entry *entries,
                     size_t count, struct store_result *results)
{
    struct err err = {0};
    struct store_head head = {s->prefix, writer, term, entries[0].seq > 0 ? entries[0].seq - 1 : 0, ""};
    for (size_t i = 0, n; i < count; i += n) {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        ck_assert_int_eq(store_call_build(&s->call, &head, &entries[i], count - i, &n), 0);
        bool said = store_sync_call(s, &r, &err) == 0 && store_reply_results(r, &results[i], n, &err) == 0;
        ck_assert_msg(said, "%s", err_text(&err));
    }
}

static struct store_result call_as(struct store_sync *s, const char *writer, uint64_t term, uint64_t seq,
                                   const struct fact *fact)
{
    struct store_result result = {0};
    CLEANUP(buf_fini) struct buf bytes = {0};
    fact_encode(fact, &bytes);
    struct store_entry e = {seq, (const uint8_t *)bytes.data, bytes.len, fact};
    call_run(s, writer, term, &e, 1, &result);
    return result;
}

static void bench_start(struct bench *b, bool aof)
{
    struct err err = {0};
    b->redis = redis_start(aof);
    ck_assert_msg(store_sync_open(&b->s, b->redis.url, "test", &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_load_library(b->s, &err) == 0, "%s", err_text(&err));
    b->term = 1;
    ck_assert_msg(store_take_term(b->s, "w1", b->term, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(ledger_new(&b->model, NULL), 0);
    b->facts = calloc(OPERATIONS + 2, sizeof *b->facts);
    b->codes = calloc(OPERATIONS + 2, sizeof *b->codes);
    b->wheres = calloc(OPERATIONS + 2, sizeof *b->wheres);
}

static void bench_stop(struct bench *b)
{
    for (uint64_t i = 1; i <= b->seq; i++) {
        buf_fini(&b->facts[i]);
    }
    for (size_t i = 0; i < b->keys_count; i++) {
        free(b->keys[i].name);
    }
    free(b->facts);
    free(b->codes);
    free(b->wheres);
    ledger_free(b->model);
    store_sync_close(b->s);
    redis_stop(&b->redis);
}

/* ---- comparing --------------------------------------------------------------------------------------------- */

struct account_list { struct account_view v[4096]; size_t count; };

static bool take_account(const struct account_view *view, void *arg)
{
    struct account_list *l = arg;
    ck_assert_uint_lt(l->count, COUNT_OF(l->v));
    l->v[l->count++] = *view;
    return true;
}

static void same_accounts(struct bench *b)
{
    static struct account_list want;
    struct list got = {0};
    struct err err = {0};
    want.count = 0;
    ledger_each_account(b->model, take_account, &want);
    ck_assert_msg(store_accounts(b->s, &got, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(got.count, want.count);
    for (size_t i = 0; i < got.count; i++) {
        const struct store_account *a = &((const struct store_account *)got.v)[i];
        ck_assert_str_eq(a->name, want.v[i].name);
        ck_assert_msg(a->limit_micros == want.v[i].limit_micros && a->spent_micros == want.v[i].spent_micros &&
                          a->held_micros == want.v[i].held_micros,
                      "seq %" PRIu64 ", %s: Redis %" PRId64 " %" PRId64 " %" PRId64 ", ledger %" PRId64 " %" PRId64
                      " %" PRId64, b->seq, a->name, a->limit_micros, a->spent_micros, a->held_micros,
                      want.v[i].limit_micros, want.v[i].spent_micros, want.v[i].held_micros);
    }
    store_accounts_clear(&got);
}

static bool count_tenant(const struct tenant_rule *rule, void *arg)
{
    (void)rule;
    ++*(size_t *)arg;
    return true;
}

/* A field of packed numbers, as it is in Redis; false: isn't there. */
static bool numbers_of(struct bench *b, const char *field, int64_t *numbers, size_t count)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    struct err err = {0};
    char key[STORE_KEY_MAX];
    ck_assert_int_eq(store_sync_words(b->s, (const char *const[]){"HGET", store_sync_key(b->s, "c", "", key), field,
                                                                   NULL}), 0);
    ck_assert_msg(store_sync_call(b->s, &r, &err) == 0, "%s", err_text(&err));
    return r->type == REDIS_REPLY_STRING && store_numbers_read(r->str, r->len, numbers, count);
}

static void same_share(const struct bench *b, const char *path, const char *what, const int64_t *got,
                       struct share_view want)
{
    ck_assert_msg(got[STORE_S_NOMINAL] == want.nominal && got[STORE_S_BORROW] == want.borrow &&
                      got[STORE_S_LEND] == want.lend && got[STORE_S_HAVE] == want.have &&
                      got[STORE_S_TOTAL] == want.total,
                  "seq %" PRIu64 ", %s %s: Redis %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                  ", ledger %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, b->seq, path, what,
                  got[STORE_S_NOMINAL], got[STORE_S_BORROW], got[STORE_S_LEND], got[STORE_S_HAVE], got[STORE_S_TOTAL],
                  want.nominal, want.borrow, want.lend, want.have, want.total);
}

static void same_rate(const struct bench *b, const char *path, const int64_t *got, struct rate_view want)
{
    ck_assert_msg(got[STORE_R_LIMIT] == want.per_minute && got[STORE_R_PARTS] == want.parts &&
                      got[STORE_R_AT] == want.at_utc_us,
                  "seq %" PRIu64 ", %s: Redis' bucket %" PRId64 " %" PRId64 " %" PRId64 ", the ledger's %u %" PRId64
                  " %" PRId64, b->seq, path, got[STORE_R_LIMIT], got[STORE_R_PARTS], got[STORE_R_AT], want.per_minute,
                  want.parts, want.at_utc_us);
}

static void same_quota(struct bench *b, const char *path)
{
    static const char *const fixed[] = {"cpu", "memory", "scratch"};
    int64_t q[STORE_Q_COUNT] = {0}, g[STORE_G_COUNT] = {0};
    char field[300];
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        q[i * STORE_S_COUNT + STORE_S_BORROW] = q[i * STORE_S_COUNT + STORE_S_LEND] = -1;
    }
    g[STORE_G_SHARE + STORE_S_BORROW] = g[STORE_G_SHARE + STORE_S_LEND] = -1;
    snprintf(field, sizeof field, "q:%s", path);
    bool there = numbers_of(b, field, q, STORE_Q_COUNT);
    ck_assert_msg(there || !ledger_has_extra(b->model, path), "%s is missing", field);
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        same_share(b, path, fixed[i], &q[i * STORE_S_COUNT], ledger_share(b->model, path, i, fixed[i]));
    }
    same_rate(b, path, &q[STORE_Q_SUBMITS], ledger_rate(b->model, path, false));
    same_rate(b, path, &q[STORE_Q_STARTS], ledger_rate(b->model, path, true));
    snprintf(field, sizeof field, "t:%s gpu", path);
    (void)numbers_of(b, field, g, STORE_G_COUNT);
    same_share(b, path, "gpu", &g[STORE_G_SHARE], ledger_share(b->model, path, COUNT_OF(fixed), "gpu"));
}

static void same_tenants(struct bench *b)
{
    struct list got = {0};
    struct err err = {0};
    size_t count = 0;
    ledger_each_tenant(b->model, count_tenant, &count);
    ck_assert_msg(store_tenants(b->s, &got, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(got.count, count);
    for (size_t i = 0; i < got.count; i++) {
        const struct store_tenant *t = &((const struct store_tenant *)got.v)[i];
        struct tenant_view v;
        ck_assert_msg(ledger_tenant(b->model, t->path, 0, &v), "%s", t->path);
        ck_assert_msg(t->running == v.running && t->queued == v.queued, "seq %" PRIu64 ", %s", b->seq, t->path);
        ck_assert_uint_eq(counts_get(&t->used, "cpu"), v.used.cpu_milli);
        ck_assert_uint_eq(counts_get(&t->used, "memory"), v.used.mem_bytes);
        ck_assert_uint_eq(counts_get(&t->used, "scratch"), v.used.scratch_bytes);
        ck_assert_uint_eq(counts_get(&t->used, "gpu"), counts_get(&v.used.generic, "gpu"));
        same_quota(b, t->path);
    }
    store_tenants_clear(&got);
}

static void same_holds(struct bench *b)
{
    uint64_t count;
    int64_t micros, want = 0;
    struct err err = {0};
    ck_assert_msg(store_holds(b->s, &count, &micros, &err) == 0, "%s", err_text(&err));
    for (size_t i = 0; i < b->w.live_count; i++) {
        want += b->w.live[i].held;
    }
    ck_assert_uint_eq(count, b->w.live_count);
    ck_assert_int_eq(micros, want);
}

static void same(struct bench *b)
{
    struct store_status status;
    struct err err = {0};
    same_accounts(b);
    same_tenants(b);
    same_holds(b);
    ASK_STORE(store_status(b->s, &status, &err));
    ck_assert_uint_eq(status.seq, b->seq);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static const char *key_verdict(struct bench *b, const struct fact_submitted *f, uint64_t *ret_job)
{
    char name[256], hash[STORE_BODY_HASH_MAX];
    snprintf(name, sizeof name, "%s:%s", f->tenant, f->key);
    ck_assert_int_eq(store_body_hash(&f->spec, hash), 0);
    for (size_t i = 0; i < b->keys_count; i++) {
        if (strcmp(b->keys[i].name, name) == 0) {
            *ret_job = b->keys[i].job;
            return strcmp(b->keys[i].hash, hash) == 0 ? "key_exists" : "key_conflict";
        }
    }
    return NULL;
}

static void key_note(struct bench *b, const struct fact_submitted *f)
{
    char name[256];
    ck_assert_uint_lt(b->keys_count, COUNT_OF(b->keys));
    snprintf(name, sizeof name, "%s:%s", f->tenant, f->key);
    b->keys[b->keys_count].name = strdup(name);
    b->keys[b->keys_count].job = f->job;
    b->keys[b->keys_count].stays = false;
    ck_assert_int_eq(store_body_hash(&f->spec, b->keys[b->keys_count++].hash), 0);
}

static void key_forget(struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->keys_count; i++) {
        if (strcmp(b->keys[i].name, name) == 0) {
            free(b->keys[i].name);
            b->keys[i] = b->keys[--b->keys_count];
            return;
        }
    }
}

static void key_rename(struct bench *b, uint64_t job, char *name)
{
    for (size_t i = 0; i < b->keys_count; i++) {
        if (b->keys[i].job == job) {
            free(b->keys[i].name);
            b->keys[i].name = name;
            return;
        }
    }
    abort();
}

/* A job that is done takes its key nowhere any more; the walk calls some done while others of it still live. */
static void key_stays(struct bench *b, uint64_t job)
{
    for (size_t i = 0; i < b->keys_count; i++) {
        b->keys[i].stays |= b->keys[i].job == job;
    }
}

/* Keys of unfinished jobs go along with their tenant; an older job's of the same name is gone. */
static void keys_move(struct bench *b, const struct fact_tenant_moved *m)
{
    for (size_t k = 0; k < m->jobs.count; k++) {
        uint64_t job = ((const struct moved_job *)m->jobs.v)[k].job;
        for (size_t i = 0; i < b->keys_count; i++) {
            if (b->keys[i].job == job && !b->keys[i].stays) {
                char *old = b->keys[i].name;
                b->keys[i].name = strdup("");
                char *moved = ledger_moved_name(old, m->from, m->to);
                free(old);
                key_forget(b, moved);
                key_rename(b, job, moved);
                break;
            }
        }
    }
}

/* ---- the walk ---------------------------------------------------------------------------------------------- */

/* Calls that must change nothing, whatever they carry. */
static void nuisance(struct bench *b, const struct fact *fact)
{
    uint64_t *seed = &b->w.seed;
    switch (random_below(seed, 12)) {
    case 0:
        if (b->sent > 0) {
            uint64_t old = 1 + random_below(seed, b->sent);
            ck_assert_uint_eq(call_as(b->s, "w1", b->term, old, fact).outcome, STORE_DUP);
        }
        break;
    case 1: ck_assert_uint_eq(call_as(b->s, "w1", b->term, b->sent + 2, fact).outcome, STORE_GAP); break;
    case 2: ck_assert_uint_eq(call_as(b->s, "w1", b->term + 1, b->sent + 1, fact).outcome, STORE_FENCED); break;
    case 3: ck_assert_uint_eq(call_as(b->s, "w1", b->term - 1, b->sent + 1, fact).outcome, STORE_FENCED); break;
    case 4: ck_assert_uint_eq(call_as(b->s, "w2", b->term, b->sent + 1, fact).outcome, STORE_FENCED); break;
    default: break;
    }
}

static struct store_entry entry_of(const struct bench *b, uint64_t seq, const struct fact *fact)
{
    return (struct store_entry){seq, (const uint8_t *)b->facts[seq].data, b->facts[seq].len, fact};
}

/* Tells Redis what the model knows already, in as few calls as it takes; they have to say the same to each entry. */
static void tell(struct bench *b)
{
    size_t count = b->seq - b->sent;
    struct store_entry entries[WAITING_MAX];
    struct store_result results[WAITING_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        entries[i] = entry_of(b, b->sent + 1 + i, &b->waiting[i]);
    }
    if (count > 0) {
        nuisance(b, &b->waiting[0]);
        call_run(b->s, "w1", b->term, entries, count, results);
    }
    for (size_t i = 0; i < count; i++) {
        const char *code = b->codes[entries[i].seq], *where = b->wheres[entries[i].seq];
        ck_assert_msg(strcmp(results[i].refusal, code) == 0 && strcmp(results[i].detail, where) == 0,
                      "seq %" PRIu64 " (%zu of %zu) %s: Redis says '%s' at '%s', the ledger '%s' at '%s'",
                      entries[i].seq, i + 1, count, names_get(&fact_names, b->waiting[i].kind), results[i].refusal,
                      results[i].detail, code, where);
        ck_assert_uint_eq(results[i].outcome, code[0] ? STORE_REFUSED : STORE_OK);
        fact_clear(&b->waiting[i]);
    }
    b->sent = b->seq;
}

/* The fact is the bench's from here on. */
static void one(struct bench *b, struct fact *fact)
{
    struct ledger_blocker blocker;
    uint64_t job = 0;
    char where[sizeof ((struct store_result *)NULL)->detail];
    const char *code = fact->kind == FACT_JOB_SUBMITTED ? key_verdict(b, &fact->submitted, &job) : NULL;
    enum ledger_verdict verdict = ledger_check(b->model, fact, &blocker);
    if (code) {
        snprintf(where, sizeof where, "%" PRIu64, job);
    } else {
        code = verdict == LEDGER_FITS ? "" : names_get(&ledger_verdict_names, verdict);
        snprintf(where, sizeof where, "%s", verdict != LEDGER_FITS && blocker.where ? blocker.where : "");
    }
    b->seq++;
    snprintf(b->wheres[b->seq], sizeof b->wheres[0], "%s", where);
    fact_encode(fact, &b->facts[b->seq]);
    snprintf(b->codes[b->seq], sizeof b->codes[0], "%s", code);
    b->refusals += code[0] != '\0';
    b->waiting[b->seq - b->sent - 1] = *fact;
    if (!code[0]) {
        ledger_apply(b->model, fact);
        ops_admitted(&b->w, fact);
        if (fact->kind == FACT_JOB_SUBMITTED) {
            key_note(b, &fact->submitted);
        } else if (fact->kind == FACT_TENANT_MOVED) {
            keys_move(b, &fact->tenant_moved);
        } else if (fact->kind == FACT_ATTEMPT_ENDED && fact->ended.job_done) {
            key_stays(b, fact->ended.id.job);
        }
    }
}

static void walk(struct bench *b, const char *name, uint64_t operations)
{
    b->w = (struct ops_world){.seed = random_seed(name), .at = AT_NOVEMBER, .next_job = 1};
    while (b->seq < operations) {
        struct fact f = ops_next(&b->w, b->model);
        /* A repeated key is answered before any other question. */
        if (ops_is_fair(&b->w, &f)) {
            one(b, &f);
            bool due = b->seq % COMPARE_EVERY == 0;
            bool chance = random_below(&b->w.seed, 2 + b->seq / 100 % 40) == 0; /* runs of many lengths */
            if (due || chance || b->seq - b->sent == WAITING_MAX) {
                tell(b);
            }
            if (due) {
                same(b);
            }
        } else {
            fact_clear(&f);
        }
    }
    fact_clear(&b->w.waiting);
    tell(b);
    same(b);
}

struct journal_check {
    struct bench *b;
    uint64_t next;
};

static bool check_entry(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct journal_check *j = arg;
    ck_assert_uint_eq(seq, j->next);
    ck_assert_str_eq(refusal ? refusal : "", j->b->codes[seq]);
    ck_assert_uint_eq(len, j->b->facts[seq].len);
    ck_assert_mem_eq(bytes, j->b->facts[seq].data, len);
    j->next++;
    return true;
}

static void journal_is_whole(struct bench *b)
{
    struct err err = {0};
    struct journal_check j = {b, 1};
    ck_assert_msg(store_read(b->s, 1, SIZE_MAX, check_entry, &j, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(j.next, b->seq + 1);
}

static struct bench the;

START_TEST(redis_and_the_ledger_agree_on_everything)
{
    bench_start(&the, false);
    walk(&the, "commit", OPERATIONS);
    journal_is_whole(&the);
    ck_assert_uint_gt(the.refusals, OPERATIONS / 20);
    ck_assert_uint_lt(the.refusals, OPERATIONS / 4 * 3);
    bench_stop(&the);
}
END_TEST

/* What a random walk seldom meets. one() compares every verdict, same() every counter. */
static void step(struct bench *b, struct fact fact)
{
    struct fact opening;
    bool holds = fact_placements(&fact) > 0 || fact.kind == FACT_HOLD_RENEWED;
    while (holds && ledger_opening_for(b->model, &fact, &opening)) {
        one(b, &opening);
    }
    if (fact.kind == FACT_POLICY_SET) {
        (void)ledger_new_limits(b->model, &fact.policy, fact.at_utc_us);
    }
    one(b, &fact);
    tell(b);
    same(b);
}

static struct fact set_budget(const char *path, int64_t limit, uint32_t period)
{
    struct fact f = fact_policy(AT_NOVEMBER);
    fact_tenant(&f, path)->budget = (struct budget_rule){.present = true, .limit_micros = limit, .period = period};
    return f;
}

START_TEST(both_refuse_what_would_leave_the_exact_numbers)
{
    struct bench *b = &the;
    bench_start(b, false);
    b->w = (struct ops_world){.at = AT_NOVEMBER, .next_job = 1};
    struct fact tenants = fact_policy(AT_NOVEMBER);
    fact_tenant(&tenants, "acme");
    step(b, tenants);
    step(b, fact_submit(b->model, AT_NOVEMBER, 1, "acme", "k", 20, 0));
    const int64_t holds[] = {-1, MONEY_MICROS_MAX + 1, INT64_MAX, MONEY_MICROS_MAX, MONEY_MICROS_MAX,
                             MONEY_MICROS_MAX - 1, 1, 0};
    const bool fits[] = {false, false, false, true, false, true, false, true};
    for (uint32_t i = 0; i < COUNT_OF(holds); i++) {
        uint64_t refusals = b->refusals;
        step(b, fact_place(b->model, AT_NOVEMBER, (struct attempt_id){1, i, 1}, "acme", false, holds[i]));
        ck_assert_msg((b->refusals == refusals) == fits[i], "%" PRId64, holds[i]);
    }
    const uint64_t bytes[] = {UINT64_MAX, UINT64_C(1) << 53, (UINT64_C(1) << 53) - 1};
    for (uint32_t i = 0; i < COUNT_OF(bytes); i++) {
        uint64_t refusals = b->refusals;
        struct fact f = fact_place(b->model, AT_NOVEMBER, (struct attempt_id){1, 10 + i, 1}, "acme", false, 0);
        f.placed.resources.mem_bytes = bytes[i];
        step(b, f);
        ck_assert_uint_eq(b->refusals, refusals + 1); /* others hold some */
    }
    const int64_t posted[] = {MONEY_MICROS_MAX + 1, INT64_MIN, INT64_MAX, 1, -MONEY_MICROS_MAX, -MONEY_MICROS_MAX, -1};
    const bool posts[] = {false, false, false, false, true, false, true};
    for (size_t i = 0; i < COUNT_OF(posted); i++) {
        char key[16];
        struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = AT_NOVEMBER};
        snprintf(key, sizeof key, "k%zu", i);
        set_text(&f.adjusted.tenant, "acme");
        set_text(&f.adjusted.key, key);
        must(strs_add(&f.adjusted.accounts, LEDGER_ROOT_TOTAL));
        f.adjusted.micros = posted[i];
        uint64_t refusals = b->refusals;
        step(b, f);
        ck_assert_msg((b->refusals == refusals) == posts[i], "%" PRId64, posted[i]);
    }
    bench_stop(b);
}
END_TEST

static struct fact take_away(const char *path)
{
    struct fact f = fact_policy(AT_NOVEMBER);
    must(strs_add(&f.policy.removed, path));
    return f;
}

START_TEST(the_total_has_a_limit_only_while_the_rule_says_total)
{
    struct attempt_id id = {1, 0, 1};
    bench_start(&the, false);
    the.w = (struct ops_world){.at = AT_NOVEMBER};
    step(&the, set_budget("/", 100, PERIOD_MONTH)); /* before "/@total" is there */
    step(&the, fact_submit(the.model, AT_NOVEMBER, 1, "/", "k", 9, 0));
    step(&the, fact_place(the.model, AT_NOVEMBER, id, "/", false, 50));
    step(&the, set_budget("/", 60, PERIOD_TOTAL));
    id.task = 1;
    step(&the, fact_place(the.model, AT_NOVEMBER, id, "/", false, 11)); /* refused */
    ck_assert_uint_eq(the.refusals, 1);
    step(&the, set_budget("/", 1, PERIOD_DAY));
    step(&the, set_budget("/", 200, PERIOD_MONTH));
    step(&the, fact_place(the.model, AT_NOVEMBER, id, "/", false, 11));
    ck_assert_uint_eq(the.refusals, 1);
    bench_stop(&the);
}
END_TEST

START_TEST(a_parent_may_go_when_its_children_have_gone)
{
    bench_start(&the, false);
    the.w = (struct ops_world){.at = AT_NOVEMBER};
    step(&the, set_budget("a", 1, PERIOD_DAY));
    step(&the, set_budget("a/b", 1, PERIOD_DAY));
    step(&the, set_budget("a/b/c", 1, PERIOD_DAY));
    step(&the, set_budget("x/y", 1, PERIOD_DAY)); /* no parent */
    step(&the, take_away("a/b"));                 /* has a child */
    ck_assert_uint_eq(the.refusals, 2);
    step(&the, take_away("a/b/c"));
    step(&the, take_away("a/b"));
    step(&the, take_away("a"));
    step(&the, take_away("a"));
    ck_assert_uint_eq(the.refusals, 3);
    struct fact together = set_budget("a", 1, PERIOD_DAY);
    fact_tenant(&together, "a/b");
    step(&the, together);
    struct fact both = take_away("a");
    must(strs_add(&both.policy.removed, "a/b"));
    step(&the, both);
    ck_assert_uint_eq(the.refusals, 3);
    bench_stop(&the);
}
END_TEST

START_TEST(a_replay_that_contradicts_the_counters_is_an_error)
{
    struct err err = {0};
    struct fact end = fact_end(AT_NOVEMBER, (struct attempt_id){1, 0, 1}, 5, NEXT_FINAL, true);
    CLEANUP(buf_fini) struct buf bytes = {0};
    bench_start(&the, false);
    fact_encode(&end, &bytes);
    struct store_entry e = {1, (const uint8_t *)bytes.data, bytes.len, &end};
    ck_assert_int_eq(store_replay(the.s, "w1", 1, &e, NULL, 1, &err), -EUCLEAN);
    ck_assert_int_eq(store_replay(the.s, "w2", 1, &e, NULL, 1, &err), -ESTALE);
    e.seq = 2;
    ck_assert_int_eq(store_replay(the.s, "w1", 1, &e, NULL, 1, &err), -EPROTO);
    same(&the); /* nothing was written */
    fact_clear(&end);
    bench_stop(&the);
}
END_TEST

/* ---- replay ------------------------------------------------------------------------------------------------ */

static void replay_from(struct bench *b, uint64_t from)
{
    struct err err = {0};
    size_t count = b->seq - from + 1;
    struct fact *facts = calloc(count, sizeof *facts);
    struct store_entry *entries = calloc(count, sizeof *entries);
    const char **refusals = calloc(count, sizeof *refusals);
    for (size_t i = 0; i < count; i++) {
        const struct buf *bytes = &b->facts[from + i];
        ck_assert_msg(fact_decode(bytes->data, bytes->len, &facts[i], &err) == 0, "%s", err_text(&err));
        entries[i] = (struct store_entry){from + i, (const uint8_t *)bytes->data, bytes->len, &facts[i]};
        refusals[i] = b->codes[from + i][0] ? b->codes[from + i] : NULL;
    }
    ASK_STORE(store_replay(b->s, "w2", b->term, entries, refusals, count, &err));
    for (size_t i = 0; i < count; i++) {
        fact_clear(&facts[i]);
    }
    free(facts);
    free(entries);
    free(refusals);
}

START_TEST(an_emptied_redis_is_rebuilt_from_the_journal)
{
    struct err err = {0};
    bench_start(&the, false);
    walk(&the, "replay", 4000);
    ASK_STORE(store_wipe(the.s, &err));
    ASK_STORE(store_take_term(the.s, "w2", ++the.term, &err)); /* another one each time */
    replay_from(&the, 1);
    same(&the);
    journal_is_whole(&the);
    replay_from(&the, 1); /* all of it again: dup, dup, dup */
    same(&the);
    bench_stop(&the);
}
END_TEST

START_TEST(a_killed_redis_gets_back_what_it_lost)
{
    struct err err = {0};
    struct store_status status;
    bench_start(&the, true);
    walk(&the, "killed", 3000);
    /* kill -9 alone loses nothing that reached the page cache; so the tail is cut as well. */
    redis_kill(&the.redis);
    char path[160];
    snprintf(path, sizeof path, "%s/appendonlydir/appendonly.aof.1.incr.aof", the.redis.dir);
    ck_assert_int_eq(truncate(path, 300000), 0);
    redis_run(&the.redis);
    ck_assert_msg(store_status(the.s, &status, &err) < 0, "the old connection is dead");
    ASK_STORE(store_status(the.s, &status, &err));
    ck_assert_uint_gt(status.seq, 0);
    ck_assert_uint_lt(status.seq, the.seq);
    ASK_STORE(store_load_library(the.s, &err));
    ASK_STORE(store_take_term(the.s, "w2", ++the.term, &err));
    replay_from(&the, status.seq > 100 ? status.seq - 100 : 1);
    same(&the);
    journal_is_whole(&the);
    bench_stop(&the);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/store/commit");
    TCase *t = tcase_create("commit");
    tcase_set_timeout(t, 240);
    tcase_add_test(t, redis_and_the_ledger_agree_on_everything);
    tcase_add_test(t, both_refuse_what_would_leave_the_exact_numbers);
    tcase_add_test(t, the_total_has_a_limit_only_while_the_rule_says_total);
    tcase_add_test(t, a_parent_may_go_when_its_children_have_gone);
    tcase_add_test(t, a_replay_that_contradicts_the_counters_is_an_error);
    tcase_add_test(t, an_emptied_redis_is_rebuilt_from_the_journal);
    tcase_add_test(t, a_killed_redis_gets_back_what_it_lost);
    suite_add_tcase(s, t);
    test_top_make();
    int rc = run_suite(s);
    test_top_remove();
    return rc;
}
