/*
 * world - a core with a journal, a clock and people around it, for tests and benchmarks. What a test commits
 * goes through bytes, as in production: encode, decode, check, apply.
 */
#ifndef REEVE_TESTS_SCHEDULER_CORE_WORLD_H
#define REEVE_TESTS_SCHEDULER_CORE_WORLD_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/core.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define GIB ((uint64_t)1 << 30)
#define WORLD_START_UTC INT64_C(1795478400000000) /* 2026-11-24T00:00:00Z */
#define EUR INT64_C(1000000)

struct world {
    struct core *core;
    struct core_now now;
    uint64_t seq;
    struct list journal; /* struct bytes: every committed fact */
    uint64_t policy_version;
    struct refusal refusal; /* the last one */
    struct submit_reply quote;
    uint64_t next_boot_us;
};

#define MUST(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            abort(); \
        } \
    } while (0)

UNUSED static void world_init(struct world *w, const struct core_limits *limits)
{
    struct err err = {0};
    *w = (struct world){.now = {WORLD_START_UTC, 1000 * SECOND}};
    MUST(core_new(&w->core, limits != NULL ? limits : &core_limits_default, &err) == 0);
}

UNUSED static void world_fini(struct world *w)
{
    for (size_t i = 0; i < w->journal.count; i++)
        free(((struct bytes *)w->journal.v)[i].data);
    free(w->journal.v);
    fields_clear(&refusal_fields, &w->refusal);
    fields_clear(&submit_reply_fields, &w->quote);
    core_free(w->core);
}

UNUSED static void world_pass(struct world *w, int64_t us)
{
    w->now.utc_us += us;
    w->now.boot_us += (uint64_t)us;
}

/* Takes the fact. */
UNUSED static void world_commit(struct world *w, struct fact *f)
{
    struct err err = {0};
    struct buf bytes = {0};
    fact_encode(f, &bytes);
    size_t len = bytes.len;
    struct bytes *entry = list_add(&w->journal, sizeof *entry);
    *entry = (struct bytes){(uint8_t *)buf_take(&bytes), len};
    struct fact read = {0};
    if (fact_decode(entry->data, entry->len, &read, &err) < 0 || core_apply_check(w->core, &read, &err) < 0) {
        fprintf(stderr, "%s: %s\n", names_get(&fact_names, f->kind), err_text(&err));
        abort();
    }
    /* The store asks the same questions before it writes: what is proposed must be admitted. */
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(core_ledger(w->core), &read, &b);
    if (verdict != LEDGER_FITS) {
        fprintf(stderr, "%s: the ledger says %s at %s\n", names_get(&fact_names, f->kind),
                names_get(&ledger_verdict_names, verdict), b.where != NULL ? b.where : "?");
        abort();
    }
    core_apply(w->core, ++w->seq, &read);
    fact_clear(&read);
    fact_clear(f);
}

UNUSED static void world_refuse(struct world *w, struct fact *f, const char *code)
{
    core_refused(w->core, f, code, "", w->now);
    fact_clear(f);
}

/* ---- policy ----------------------------------------------------------------------------------------- */

UNUSED static struct tenant_rule *world_rule(struct policy_file *p, const char *path)
{
    struct tenant_rule *rule = list_add(&p->tenants, sizeof *rule);
    MUST(str_set(&rule->path, path) == 0);
    return rule;
}

UNUSED static void world_price(struct policy_file *p, int64_t from_utc_us, int64_t cpu_hour, int64_t mem_hour)
{
    struct price_version *v = list_add(&p->prices, sizeof *v);
    v->from_utc_us = from_utc_us;
    MUST(counts_set(&v->per_hour, "cpu", (uint64_t)cpu_hour) == 0);
    if (mem_hour > 0)
        MUST(counts_set(&v->per_hour, "memory", (uint64_t)mem_hour) == 0);
}

/* Takes the policy. CORE_FACT: committed. */
UNUSED static int world_apply(struct world *w, struct policy_file *p)
{
    struct apply_call call = {.policy = *p};
    struct apply_reply reply = {0};
    struct fact f;
    fields_clear(&refusal_fields, &w->refusal);
    int rc = core_check_policy(w->core, &call, "root", 0, w->now, &f, &reply, &w->refusal);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(w, &f);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_file_fields, p);
    return rc;
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

/* The node is heard of now, too. */
UNUSED static void world_hello_as(struct world *w, const struct hello_call *call)
{
    struct fact f;
    MUST(core_check_hello(w->core, call, w->now, &f, &w->refusal) == CORE_FACT);
    if (f.kind != FACT_NONE)
        world_commit(w, &f);
    core_node_seen(w->core, call->node, w->now);
}

UNUSED static void world_hello_listing(struct world *w, const char *node, const char *boot, uint64_t cores,
                                       uint64_t mem, const struct list *attempts)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t)boot};
    call.capacity.cpu_milli = cores * 1000;
    call.capacity.mem_bytes = mem;
    if (attempts != NULL)
        call.attempts = *attempts;
    world_hello_as(w, &call);
}

UNUSED static void world_hello(struct world *w, const char *node, const char *boot, uint64_t cores,
                               uint64_t mem)
{
    world_hello_listing(w, node, boot, cores, mem, NULL);
}

/* ---- jobs ------------------------------------------------------------------------------------------- */

UNUSED static struct job_spec world_spec(uint64_t cpu_milli, uint64_t mem)
{
    struct job_spec spec = {.resources = {.cpu_milli = cpu_milli, .mem_bytes = mem, .scratch_bytes = 64 << 20}};
    MUST(strs_add(&spec.command, "/bin/true") == 0);
    return spec;
}

UNUSED static int world_try_submit(struct world *w, const char *tenant, const char *key, struct job_spec *spec,
                                   uint64_t *ret)
{
    struct submit_call call = {
        .tenant = (char *)(uintptr_t)tenant, .key = (char *)(uintptr_t)key, .spec = *spec};
    struct fact f;
    fields_clear(&refusal_fields, &w->refusal);
    fields_clear(&submit_reply_fields, &w->quote);
    int rc = core_check_submit(w->core, &call, 0, "root", w->now, &f, &w->quote, &w->refusal);
    *ret = rc == CORE_FACT ? w->quote.job : 0;
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(w, &f);
    fields_clear(&job_spec_fields, spec);
    return rc;
}

UNUSED static uint64_t world_submit(struct world *w, const char *tenant, struct job_spec spec)
{
    uint64_t job;
    if (world_try_submit(w, tenant, NULL, &spec, &job) != CORE_FACT) {
        fprintf(stderr, "refused: %s: %s\n", w->refusal.code, w->refusal.message);
        abort();
    }
    return job;
}

/* Decides and commits everything; returns how many placements there were. */
UNUSED static size_t world_decide(struct world *w)
{
    static struct fact facts[512];
    size_t placed = 0, count = core_decide(w->core, w->now, facts, COUNT_OF(facts), &w->next_boot_us);
    for (size_t i = 0; i < count; i++) {
        placed += fact_placements(&facts[i]);
        world_commit(w, &facts[i]);
    }
    return placed;
}

UNUSED static const char *world_node_of(struct world *w, struct attempt_id *id)
{
    bool ended = true;
    const char *node = core_attempt_node(w->core, id, &ended);
    return ended ? NULL : node;
}

UNUSED static bool world_run(struct world *w, uint64_t job, uint32_t task)
{
    struct attempt_state state = {.id = {job, task, 0}, .started_utc_us = w->now.utc_us};
    const char *node = world_node_of(w, &state.id);
    struct fact f;
    if (node == NULL || core_check_running(w->core, node, &state, w->now, &f) != CORE_FACT ||
        f.kind == FACT_NONE)
        return false;
    world_commit(w, &f);
    return true;
}

UNUSED static bool world_end(struct world *w, uint64_t job, uint32_t task, uint32_t cause, int32_t code,
                             uint64_t run_us)
{
    struct attempt_state state = {.id = {job, task, 0}, .ended = true};
    const char *node = world_node_of(w, &state.id);
    struct fact f;
    state.record = (struct exit_record){
        .cause = cause, .exit_code = code, .run_us = run_us, .started_utc_us = w->now.utc_us - (int64_t)run_us};
    if (node == NULL || core_check_ended(w->core, node, &state, w->now, &f) != CORE_FACT || f.kind == FACT_NONE)
        return false;
    world_commit(w, &f);
    return true;
}

UNUSED static struct job_view world_view(struct world *w, uint64_t job)
{
    struct job_view view = {0};
    struct job_call call = {.job = job};
    MUST(core_job_view(w->core, &call, w->now, &view));
    return view;
}

UNUSED static bool world_is(struct world *w, uint64_t job, const char *state)
{
    struct job_row row = {0};
    MUST(core_job_row(w->core, job, w->now, &row));
    bool is = strcmp(row.state, state) == 0;
    if (!is)
        fprintf(stderr, "job %" PRIu64 " is %s, not %s\n", job, row.state, state);
    fields_clear(&job_row_fields, &row);
    return is;
}

UNUSED static struct account_view world_account(struct world *w, const char *name)
{
    struct account_view view = {.limit_micros = -2};
    (void)ledger_account(core_ledger(w->core), name, &view);
    return view;
}

/* ---- the state as a whole --------------------------------------------------------------------------- */

UNUSED static int world_into(void *arg, const struct fact *f)
{
    struct core *to = arg;
    struct err err = {0};
    struct buf bytes = {0};
    struct fact read = {0};
    fact_encode(f, &bytes);
    if (fact_decode(bytes.data, bytes.len, &read, &err) < 0 || core_apply_check(to, &read, &err) < 0) {
        fprintf(stderr, "snapshot: %s: %s\n", names_get(&fact_names, f->kind), err_text(&err));
        abort();
    }
    core_apply(to, 0, &read);
    fact_clear(&read);
    buf_fini(&bytes);
    return 0;
}

UNUSED static struct core *world_restored(struct world *w, const struct core_limits *limits)
{
    struct core *to;
    struct err err = {0};
    MUST(core_new(&to, limits != NULL ? limits : &core_limits_default, &err) == 0);
    MUST(core_snapshot(w->core, world_into, to) == 0);
    return to;
}

UNUSED static struct core *world_replayed(struct world *w, const struct core_limits *limits)
{
    struct core *to;
    struct err err = {0};
    MUST(core_new(&to, limits != NULL ? limits : &core_limits_default, &err) == 0);
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        struct fact f = {0};
        MUST(fact_decode(b->data, b->len, &f, &err) == 0);
        core_apply(to, i + 1, &f);
        fact_clear(&f);
    }
    return to;
}

UNUSED static void world_recount(const struct core *core)
{
    struct err err = {0};
    if (core_verify(core, &err) == 0)
        return;
    fprintf(stderr, "core_verify: %s\n", err_text(&err));
    abort();
}

/* How many attempts were told to stop for others. */
UNUSED static size_t world_stops(const struct world *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        struct err err = {0};
        struct fact f = {0};
        MUST(fact_decode(b->data, b->len, &f, &err) == 0);
        count += f.kind == FACT_ATTEMPT_STOPPING && f.stopping.cause == END_PREEMPTED;
        fact_clear(&f);
    }
    return count;
}

/* Every invariant holds, and what a snapshot and the journal bring back is the same state. */
UNUSED static void world_verify(struct world *w, const struct core_limits *limits)
{
    struct core *restored = world_restored(w, limits), *replayed = world_replayed(w, limits);
    world_recount(w->core);
    world_recount(restored);
    MUST(core_hash(restored) == core_hash(w->core));
    MUST(core_hash(replayed) == core_hash(w->core));
    core_free(restored);
    core_free(replayed);
}

#endif
