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

static int replay_reply(struct store_sync *s, uint64_t seq, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    struct store_result result;
    int rc = store_sync_reply(s, &r, err);
    rc = rc < 0 ? rc : store_reply_result(r, &result, err);
    if (rc < 0) {
        return rc;
    }
    if (result.outcome == STORE_OK || result.outcome == STORE_DUP) {
        return 0;
    }
    if (result.outcome == STORE_FENCED) {
        return err_set(err, -ESTALE, "replay of seq %" PRIu64 ": another writer has taken over", seq);
    }
    return err_set(err, -EPROTO, "replay of seq %" PRIu64 ": entries before it are missing in Redis", seq);
}

int store_replay(struct store_sync *s, const char *writer, uint64_t term, const struct store_entry *entries,
                 const char *const *refusals, size_t count, struct err *err)
{
    size_t sent = 0, answered = 0;
    while (answered < count) {
        for (; sent < count && sent - answered < STORE_PIPELINE; sent++) {
            const char *refusal = refusals ? refusals[sent] : NULL;
            /* What comes from the file and arrives here is in both copies. */
            struct store_head head = {s->prefix, writer, term, entries[sent].seq, refusal ? refusal : "!"};
            int rc = store_call_build(&s->call, &head, &entries[sent]);
            rc = rc < 0 ? err_set(err, rc, "replay of seq %" PRIu64 ": no call can be made of it", entries[sent].seq)
                        : store_sync_send(s, err);
            if (rc < 0) {
                store_sync_drop(s); /* replies are due that nobody will read */
                return rc;
            }
        }
        int rc = replay_reply(s, entries[answered].seq, err);
        if (rc < 0) {
            store_sync_drop(s);
            return rc;
        }
        answered++;
    }
    return 0;
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
    char meta[STORE_KEY_MAX], pattern[STORE_KEY_MAX], cursor[32] = "0";
    CLEANUP(store_reply_free) redisReply *gone = NULL;
    /* First the fence: from here on no writer writes, and a wipe that breaks off leaves an empty cell, not a torn one. */
    int rc = store_sync_words(s, (const char *const[]){"DEL", store_sync_key(s, "meta", "", meta), NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &gone, err);
    if (rc == 0 && gone->type != REDIS_REPLY_INTEGER) {
        rc = store_reply_wrong(gone, "DEL", err);
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

static void queue(struct seeding *seed, const char *command, const char *function)
{
    struct store_sync *s = seed->s;
    if (seed->rc == 0) {
        seed->rc = store_call_end(&s->call, command, function, function != NULL);
    }
    seed->rc = seed->rc < 0 ? seed->rc : store_sync_send(s, seed->err);
    if (seed->rc == 0 && s->due >= STORE_PIPELINE) {
        seed->rc = store_sync_drain(s, STORE_PIPELINE / 2, "seed", seed->err);
    }
}

static void seed_set_member(struct seeding *seed, const char *set, const char *member)
{
    struct store_call *c = &seed->s->call;
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, set, "");
    store_call_arg(c, member);
    queue(seed, "SADD", NULL);
}

static void seed_use(struct store_call *c, const struct resources *used)
{
    const char *name;
    uint64_t amount;
    for (size_t i = 0; (name = ledger_resource(used, i, &amount)) != NULL; i++) {
        if (amount > 0) {
            store_call_resource(c, 'u', i, name);
            store_call_argf(c, "%" PRIu64, amount);
        }
    }
}

static bool seed_tenant(const struct tenant_rule *rule, void *arg)
{
    struct seeding *seed = arg;
    struct store_call *c = &seed->s->call;
    struct tenant_view view;
    char buffer[LEDGER_TENANT_MAX];
    const char *parent = ledger_parent_path(rule->path, buffer);
    bool there = ledger_tenant(seed->ledger, rule->path, 0, &view);
    BUG(!there);
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "t:", rule->path);
    store_call_arg(c, "u:queued");
    store_call_argf(c, "%" PRIu64, view.queued);
    store_call_arg(c, "u:running");
    store_call_argf(c, "%" PRIu64, view.running);
    store_call_arg(c, "n");
    store_call_arg(c, "0"); /* parents come first in this walk; each child adds itself below */
    seed_use(c, &view.used);
    (void)store_call_rule(c, rule);
    queue(seed, "HSET", NULL);
    seed_set_member(seed, "ts", rule->path);
    if (parent) {
        store_call_begin(c);
        store_call_key(c, seed->s->prefix, "t:", parent);
        store_call_arg(c, "n");
        store_call_arg(c, "1");
        queue(seed, "HINCRBY", NULL);
    }
    return seed->rc == 0;
}

static bool seed_account(const struct account_view *view, void *arg)
{
    struct seeding *seed = arg;
    struct store_call *c = &seed->s->call;
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "a:", view->name);
    store_call_arg(c, "limit");
    store_call_argf(c, "%" PRId64, view->limit_micros);
    store_call_arg(c, "spent");
    store_call_argf(c, "%" PRId64, view->spent_micros);
    store_call_arg(c, "held");
    store_call_argf(c, "%" PRId64, view->held_micros);
    queue(seed, "HSET", NULL);
    seed_set_member(seed, "as", view->name);
    return seed->rc == 0;
}

static void seed_strs(struct store_call *c, const struct strs *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        store_call_arg(c, texts->v[i]);
    }
}

static void seed_hold(struct seeding *seed, const struct fact_submitted *job, const struct snapshot_task *t)
{
    struct store_call *c = &seed->s->call;
    const struct resources *need = &job->spec.resources;
    const char *name;
    uint64_t amount;
    size_t used = 0;
    for (size_t i = 0; ledger_resource(need, i, &amount) != NULL; i++) {
        used += amount > 0;
    }
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "meta", "");
    store_call_key(c, seed->s->prefix, "j", "");
    store_call_key(c, seed->s->prefix, "h", "");
    store_call_argf(c, "%" PRIu64 ".%" PRIu32 ".%" PRIu32, job->job, t->task, t->epoch);
    store_call_argf(c, "%" PRId64, t->spent_micros);
    store_call_argf(c, "%" PRId64, t->hold_micros);
    store_call_argf(c, "%zu", job->path.count);
    store_call_argf(c, "%zu", used);
    store_call_argf(c, "%zu", t->accounts.count);
    seed_strs(c, &job->path);
    for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        if (amount > 0) {
            store_call_resource(c, 'u', i, name);
        }
    }
    for (size_t i = 0; ledger_resource(need, i, &amount) != NULL; i++) {
        if (amount > 0) {
            store_call_argf(c, "%" PRIu64, amount);
        }
    }
    seed_strs(c, &t->accounts);
    queue(seed, "FCALL", "reeve_seed_hold");
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
    queue(seed, "SET", NULL);
    if (!job_is_finished(f)) {
        store_call_begin(c);
        store_call_key(c, seed->s->prefix, "k", "");
        store_call_argf(c, "%" PRIu64, job->job);
        store_call_argf(c, "%s", name);
        queue(seed, "HSET", NULL);
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

/* Last: with the meta hash the cell exists. */
static void seed_meta(struct seeding *seed, const char *writer, uint64_t term, uint64_t seq)
{
    struct store_call *c = &seed->s->call;
    const struct { const char *name; uint64_t value; } fields[] = {
        {"schema", STORE_SCHEMA}, {"library", STORE_LIBRARY}, {"term", term}, {"seq", seq}, {"durable", seq},
    };
    if (seed->rc == 0) {
        seed->rc = store_sync_drain(seed->s, 0, "seed", seed->err);
    }
    store_call_begin(c);
    store_call_key(c, seed->s->prefix, "meta", "");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        store_call_arg(c, fields[i].name);
        store_call_argf(c, "%" PRIu64, fields[i].value);
    }
    store_call_arg(c, "writer");
    store_call_arg(c, writer);
    queue(seed, "HSET", NULL);
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
    seed_jobs(&seed, snapshot, count);
    seed_meta(&seed, writer, term, seq);
    ledger_free(ledger);
    if (seed.rc < 0) {
        store_sync_drop(s);
    }
    return seed.rc;
}
