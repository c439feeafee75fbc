/*
 * store_repair - bringing Redis up to what the journal's file says: replay of entries it lost, wipe, and seeding from
 * a snapshot. All of it is idempotent: after a failure half way it is done again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/task_state.h"
#include "quotas/ledger.h"
#include "quotas/ledger_names.h"
#include "quotas/store/store_sync.h"

#define WIPE_CHUNK "1000"

/* ---- replay ------------------------------------------------------------------------------------------------ */

static int replay_result(const struct store_result *result, uint64_t seq, struct err *err)
{
    if (result->outcome == STORE_OK || result->outcome == STORE_DUP) {
        return 0;
    }
    if (result->outcome == STORE_FENCED) {
        return err_set(err, -ESTALE, "replay of seq %" PRIu64 ": another writer has taken over", seq);
    }
    if (result->outcome == STORE_REFUSED) {
        return err_set(err, -EUCLEAN, "replay of seq %" PRIu64 ": Redis contradicts the journal (%s %s); rebuild it",
                       seq, result->refusal, result->detail);
    }
    return err_set(err, -EPROTO, "replay of seq %" PRIu64 ": entries before it are missing in Redis", seq);
}

/* The answer to a call of `count` entries from `seq` on. */
static int replay_reply(struct store_sync *s, uint64_t seq, size_t count, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    struct store_result results[STORE_RUN_MAX];
    int rc = store_sync_reply(s, &r, err);
    rc = rc < 0 ? rc : store_reply_results(r, results, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = replay_result(&results[i], seq + i, err);
    }
    return rc;
}

/* Entries [from, …) that are replayed alike: all without refusal, or one that was refused. */
static size_t replay_alike(const char *const *refusals, size_t from, size_t count)
{
    size_t n = 1;
    while (from + n < count && (!refusals || (!refusals[from] && !refusals[from + n]))) {
        n++;
    }
    return n;
}

static int replay_send(struct store_sync *s, const char *writer, uint64_t term, const struct store_entry *entries,
                       const char *refusal, size_t count, size_t *ret_sent, struct err *err)
{
    /* What comes from the file and arrives here is in both copies. */
    struct store_head head = {s->prefix, writer, term, entries[count - 1].seq, refusal ? refusal : "!"};
    int rc = store_call_build(&s->call, &head, entries, count, ret_sent);
    return rc < 0 ? err_set(err, rc, "replay from seq %" PRIu64 " on: no call can be made of it", entries[0].seq)
                  : store_sync_send(s, err);
}

int store_replay(struct store_sync *s, const char *writer, uint64_t term, const struct store_entry *entries,
                 const char *const *refusals, size_t count, struct err *err)
{
    size_t runs[STORE_PIPELINE], sent = 0, answered = 0, calls_sent = 0, calls_answered = 0;
    int rc = 0;
    while (rc == 0 && answered < count) {
        while (rc == 0 && sent < count && calls_sent - calls_answered < STORE_PIPELINE) {
            size_t *run = &runs[calls_sent % STORE_PIPELINE];
            rc = replay_send(s, writer, term, &entries[sent], refusals ? refusals[sent] : NULL,
                             replay_alike(refusals, sent, count), run, err);
            if (rc == 0) {
                sent += *run;
                calls_sent++;
            }
        }
        if (rc == 0) {
            size_t run = runs[calls_answered++ % STORE_PIPELINE];
            rc = replay_reply(s, entries[answered].seq, run, err);
            answered += run;
        }
    }
    if (rc < 0) {
        store_sync_drop(s); /* replies are due that nobody will read */
    }
    return rc;
}

/* ---- wipe -------------------------------------------------------------------------------------------------- */

static int unlink_keys(struct store_sync *s, const redisReply *keys, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    if (keys->elements == 0) {
        return 0;
    }
    store_call_begin(&s->call);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key->type != REDIS_REPLY_STRING || strncmp(key->str, s->prefix, strlen(s->prefix)) != 0) {
            return err_set(err, -EBADMSG, "wipe: SCAN gave a key that wasn't asked for");
        }
        store_call_argn(&s->call, key->str, key->len);
    }
    int rc = store_call_end(&s->call, "UNLINK", NULL, false);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    return rc < 0 ? rc : r->type == REDIS_REPLY_INTEGER ? 0 : store_reply_wrong(r, "UNLINK", err);
}

int store_wipe(struct store_sync *s, struct err *err)
{
    char cell[STORE_KEY_MAX], pattern[STORE_KEY_MAX], cursor[32] = "0";
    CLEANUP(store_reply_free) redisReply *gone = NULL;
    /* First the fence: from here on no writer writes, and a wipe that breaks off leaves an empty cell, no torn one. */
    int rc = store_sync_words(s, (const char *const[]){"UNLINK", store_sync_key(s, "c", "", cell), NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &gone, err);
    if (rc == 0 && gone->type != REDIS_REPLY_INTEGER) {
        rc = store_reply_wrong(gone, "UNLINK", err);
    }
    store_sync_key(s, "*", "", pattern); /* a cell's name has no character that a pattern would read */
    do {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        const char *const words[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", WIPE_CHUNK, NULL};
        rc = rc < 0 ? rc : store_sync_words(s, words);
        rc = rc < 0 ? rc : store_sync_call(s, &r, err);
        if (rc < 0) {
            return rc;
        }
        if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[0]->type != REDIS_REPLY_STRING ||
            r->element[0]->len >= sizeof cursor || r->element[1]->type != REDIS_REPLY_ARRAY) {
            return store_reply_wrong(r, "SCAN", err);
        }
        snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
        rc = unlink_keys(s, r->element[1], err);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    return rc;
}

/* ---- seed -------------------------------------------------------------------------------------------------- */

/* One seeding: every step queues commands; the first failure stays in rc. */
struct seeding {
    struct store_sync *s;
    const struct ledger *ledger;
    struct err *err;
    int rc;
};

static void queue(struct seeding *seed, const char *command)
{
    struct store_sync *s = seed->s;
    if (seed->rc == 0) {
        seed->rc = store_call_end(&s->call, command, NULL, false);
    }
    seed->rc = seed->rc < 0 ? seed->rc : store_sync_send(s, seed->err);
    if (seed->rc == 0 && s->due >= STORE_PIPELINE) {
        seed->rc = store_sync_drain(s, STORE_PIPELINE / 2, "seed", seed->err);
    }
}

/* Begins "HSET P c". */
static struct store_call *seed_begin(struct seeding *seed)
{
    struct store_call *c = &seed->s->call;
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "c", "");
    return c;
}

static void share_numbers(struct share_view s, int64_t numbers[STORE_S_COUNT])
{
    numbers[STORE_S_NOMINAL] = s.nominal;
    numbers[STORE_S_BORROW] = s.borrow;
    numbers[STORE_S_LEND] = s.lend;
    numbers[STORE_S_HAVE] = s.have;
    numbers[STORE_S_TOTAL] = s.total;
}

static void seed_generic(struct seeding *seed, const struct tenant_rule *rule, const struct counts *used,
                         const char *name)
{
    struct store_call *c = seed_begin(seed);
    int64_t numbers[STORE_G_COUNT] = {
        [STORE_G_USED] = (int64_t)counts_get(used, name),
        [STORE_G_LIMIT] = (int64_t)MIN(counts_get(&rule->quota.max.generic, name), (uint64_t)LEDGER_COUNT_MAX),
    };
    share_numbers(ledger_share(seed->ledger, rule->path, LEDGER_FIXED_RESOURCES, name), &numbers[STORE_G_SHARE]);
    store_call_argf(c, "t:%s %s", rule->path, name);
    store_call_numbers(c, numbers, STORE_G_COUNT, "");
    queue(seed, "HSET");
}

/* Generic resources: the union of what is used, limited and shared. The names go into `names`, each with a space. */
static void seed_generics(struct seeding *seed, const struct tenant_rule *rule, const struct counts *used,
                          struct buf *names)
{
    const struct counts *limits = &rule->quota.max.generic;
    struct counts all = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < used->count; i++) {
        rc = counts_set(&all, used->v[i].name, 1);
    }
    for (size_t i = 0; rc == 0 && i < limits->count; i++) {
        rc = counts_set(&all, limits->v[i].name, 1);
    }
    const char *name;
    for (size_t i = 0; rc == 0 && (name = ledger_share_name(seed->ledger, rule->path, i)) != NULL; i++) {
        rc = counts_set(&all, name, 1);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (rc == 0 && seed->rc == 0) {
            seed_generic(seed, rule, used, all.v[i].name);
            buf_addf(names, "%s ", all.v[i].name);
        }
        free(all.v[i].name);
    }
    free(all.v);
    if (rc < 0 && seed->rc == 0) {
        seed->rc = err_set(seed->err, rc, "seed: out of memory");
    }
}

static void rate_numbers(struct rate_view r, int64_t numbers[STORE_R_COUNT])
{
    numbers[STORE_R_LIMIT] = r.per_minute;
    numbers[STORE_R_PARTS] = r.parts;
    numbers[STORE_R_AT] = r.at_utc_us;
}

static void seed_quota(struct seeding *seed, const char *path)
{
    int64_t numbers[STORE_Q_COUNT];
    for (size_t i = 0; i < LEDGER_FIXED_RESOURCES; i++) {
        share_numbers(ledger_share(seed->ledger, path, i, ""), &numbers[STORE_Q_SHARES + i * STORE_S_COUNT]);
    }
    rate_numbers(ledger_rate(seed->ledger, path, false), &numbers[STORE_Q_SUBMITS]);
    rate_numbers(ledger_rate(seed->ledger, path, true), &numbers[STORE_Q_STARTS]);
    struct store_call *c = seed_begin(seed);
    store_call_argf(c, "q:%s", path);
    store_call_numbers(c, numbers, STORE_Q_COUNT, "");
    queue(seed, "HSET");
}

static bool seed_tenant(const struct tenant_rule *rule, void *arg)
{
    struct seeding *seed = arg;
    struct tenant_view view;
    CLEANUP(buf_fini) struct buf names = {0};
    bool there = ledger_tenant(seed->ledger, rule->path, 0, &view);
    BUG(!there);
    int64_t numbers[STORE_T_COUNT] = {
        [STORE_T_QUEUED] = (int64_t)view.queued,
        [STORE_T_RUNNING] = (int64_t)view.running,
        [STORE_T_CPU] = (int64_t)view.used.cpu_milli,
        [STORE_T_MEMORY] = (int64_t)view.used.mem_bytes,
        [STORE_T_SCRATCH] = (int64_t)view.used.scratch_bytes,
        [STORE_T_CHILDREN] = view.children,
        [STORE_T_EXTRA] = ledger_has_extra(seed->ledger, rule->path),
    };
    store_rule_numbers(rule, numbers);
    seed_generics(seed, rule, &view.used.generic, &names);
    if (numbers[STORE_T_EXTRA] != 0) {
        seed_quota(seed, rule->path);
    }
    struct store_call *c = seed_begin(seed);
    store_call_argf(c, "t:%s", rule->path);
    store_call_numbers(c, numbers, STORE_T_COUNT, buf_text(&names));
    queue(seed, "HSET");
    return seed->rc == 0;
}

static bool seed_account(const struct account_view *view, void *arg)
{
    struct seeding *seed = arg;
    const int64_t numbers[STORE_A_COUNT] = {view->limit_micros, view->spent_micros, view->held_micros,
                                            store_instant(view->from_utc_us), store_instant(view->to_utc_us)};
    struct store_call *c = seed_begin(seed);
    store_call_argf(c, "a:%s", view->name);
    store_call_numbers(c, numbers, STORE_A_COUNT, view->resource ? view->resource : "");
    queue(seed, "HSET");
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "as", "");
    store_call_arg(c, view->name);
    queue(seed, "SADD");
    return seed->rc == 0;
}

static bool seed_adjusted(const struct snapshot_adjusted *adjusted, void *arg)
{
    struct seeding *seed = arg;
    struct store_call *c = &seed->s->call;
    char period[16];
    snprintf(period, sizeof period, "%" PRIu32, adjusted->periods_closed);
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "x:", period);
    store_call_arg(c, adjusted->key);
    store_call_argf(c, "%" PRIu64, adjusted->hash);
    queue(seed, "HSET");
    return seed->rc == 0;
}

static void seed_hold(struct seeding *seed, const struct fact_submitted *job, const struct snapshot_task *t)
{
    struct store_call *c = &seed->s->call;
    CLEANUP(buf_fini) struct buf text = {0};
    const struct store_hold_parts hold = {t->spent_micros, t->hold_micros, &t->accounts, &t->times, &job->path,
                                          &job->spec.resources};
    if (!store_pack_hold(&text, &hold) || text.failed) {
        seed->rc = err_set(seed->err, -EINVAL, "seed: the hold of job %" PRIu64 " isn't one", job->job);
        return;
    }
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "h", "");
    store_call_argf(c, "%" PRIu64 ".%" PRIu32 ".%" PRIu32, job->job, t->task, t->epoch);
    store_call_argn(c, text.data, text.len);
    queue(seed, "HSET");
}

static bool job_is_finished(const struct fact_snapshot_job *f)
{
    uint64_t ended = 0;
    for (size_t i = 0; i < f->ended.count; i++) {
        ended += f->ended.v[i].value;
    }
    return ended >= job_spec_tasks(&f->submitted.spec);
}

/* The idempotency key; of a finished job for another while, since it isn't known how long ago it ended. */
static void seed_key(struct seeding *seed, const struct fact_snapshot_job *f)
{
    struct store_call *c = &seed->s->call;
    const struct fact_submitted *job = &f->submitted;
    char hash[STORE_BODY_HASH_MAX], name[512];
    if (!job->tenant || !job->key) {
        seed->rc = err_set(seed->err, -EINVAL, "seed: job %" PRIu64 " has no tenant or no key", job->job);
        return;
    }
    seed->rc = store_body_hash(&job->spec, hash);
    snprintf(name, sizeof name, "%s:%s", job->tenant, job->key);
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "i:", name);
    store_call_argf(c, "%" PRIu64 " %s", job->job, hash);
    if (job_is_finished(f)) {
        store_call_arg(c, "EX");
        store_call_argf(c, "%d", STORE_KEY_TTL_S);
    }
    queue(seed, "SET");
    if (!job_is_finished(f)) {
        (void)seed_begin(seed);
        store_call_argf(c, "k:%" PRIu64, job->job);
        store_call_argf(c, "%s", name);
        queue(seed, "HSET");
    }
}

static void seed_jobs(struct seeding *seed, const struct fact *snapshot, size_t count)
{
    for (size_t i = 0; i < count && seed->rc == 0; i++) {
        const struct fact_snapshot_job *f = &snapshot[i].snapshot_job;
        if (snapshot[i].kind != FACT_SNAPSHOT_JOB) {
            continue;
        }
        seed_key(seed, f);
        for (size_t k = 0; k < f->tasks.count && seed->rc == 0; k++) {
            const struct snapshot_task *t = &((const struct snapshot_task *)f->tasks.v)[k];
            if (task_state_is_live(t->state)) {
                seed_hold(seed, &f->submitted, t);
            }
        }
    }
}

/* Last: with the fence the cell exists. */
static void seed_fence(struct seeding *seed, const char *writer, uint64_t term, uint64_t seq)
{
    struct store_call *c = &seed->s->call;
    const struct { const char *name; uint64_t value; } fields[] = {
        {"schema", STORE_SCHEMA}, {"library", STORE_LIBRARY}, {"term", term}, {"seq", seq}, {"durable", seq},
        {"closed", ledger_periods_closed(seed->ledger)},
    };
    if (seed->rc == 0) {
        seed->rc = store_sync_drain(seed->s, 0, "seed", seed->err);
    }
    (void)seed_begin(seed);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        store_call_arg(c, fields[i].name);
        store_call_argf(c, "%" PRIu64, fields[i].value);
    }
    store_call_arg(c, "writer");
    store_call_arg(c, writer);
    store_call_arg(c, "about");
    store_call_arg(c, STORE_ABOUT);
    queue(seed, "HSET");
    if (seed->rc == 0) {
        seed->rc = store_sync_drain(seed->s, 0, "seed", seed->err);
    }
}

static int seed_is_welcome(struct store_sync *s, struct err *err)
{
    struct store_status status;
    int rc = store_status(s, &status, err);
    if (rc == 0 && !status.empty) {
        rc = err_set(err, -EEXIST, "seed: the cell isn't empty; wipe it first");
    }
    return rc;
}

int store_seed(struct store_sync *s, const char *writer, uint64_t term, uint64_t seq, const struct fact *snapshot,
               size_t count, struct err *err)
{
    struct ledger *ledger = NULL;
    int rc = seed_is_welcome(s, err);
    rc = rc < 0 ? rc : ledger_new(&ledger, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        ledger_apply(ledger, &snapshot[i]);
    }
    struct seeding seed = {s, ledger, err, 0};
    ledger_each_tenant(ledger, seed_tenant, &seed);
    ledger_each_account(ledger, seed_account, &seed);
    ledger_each_adjusted(ledger, seed_adjusted, &seed);
    seed_jobs(&seed, snapshot, count);
    seed_fence(&seed, writer, term, seq);
    ledger_free(ledger);
    if (seed.rc < 0) {
        store_sync_drop(s);
    }
    return seed.rc;
}
