/*
 * A world of random people, nodes and mishaps. After every step the whole state is recounted; at the end of
 * each run a snapshot and a replay of the journal must give the same state. A failure prints the seed:
 * REEVE_SEED repeats it.
 */
#include <check.h>
#include <stdlib.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define NODES 5
#define STEPS 1500

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *r, uint64_t below)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state % below;
}

static const char *const tenants[] = {"acme", "acme/etl", "acme/ml", "globex", "globex/a/b"};
static const char *const node_names[NODES] = {"n1", "n2", "n3", "n4", "n5"};

struct sim {
    struct world w;
    struct chance r;
    uint64_t seed;
    uint64_t last_job;
    char boot[NODES][16];
    bool silent[NODES];
    uint32_t boots;
};

static void broken(const struct sim *s, const char *what, const char *text)
{
    fprintf(stderr, "REEVE_SEED=%" PRIu64 ": %s: %s\n", s->seed, what, text);
    abort();
}

static void set_policy(struct sim *s)
{
    struct policy_file p = {0};
    struct tenant_rule *rule;
    world_price(&p, 0, 40000, 5000);
    world_price(&p, WORLD_START_UTC + 20 * MINUTE, 80000, 0);
    (void)world_rule(&p, "globex");
    (void)world_rule(&p, "globex/a");
    (void)world_rule(&p, "globex/a/b");
    rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = 4000 + draw(&s->r, 8) * 1000;
    rule->budget =
        (struct budget_rule){.present = true, .limit_micros = (int64_t)draw(&s->r, 400000), .period = PERIOD_DAY};
    if (draw(&s->r, 2) == 0) {
        rule->quota.guaranteed.cpu_milli = draw(&s->r, 5) * 1000;
        rule->quota.lend.cpu_milli = measure_of(draw(&s->r, 4) * 1000);
        rule->quota.starts_per_minute = (uint32_t)draw(&s->r, 30);
    }
    rule = world_rule(&p, "acme/etl");
    rule->quota.borrow.cpu_milli = draw(&s->r, 2) == 0 ? measure_of(draw(&s->r, 6) * 1000) : (struct measure){0};
    rule->quota.submits_per_minute = (uint32_t)draw(&s->r, 2) * 60;
    rule->quota.max_running = 1 + draw(&s->r, 6);
    rule->quota.max_queued = 40;
    rule->weight = (uint32_t)draw(&s->r, 5);
    rule = world_rule(&p, "acme/ml");
    rule->budget =
        (struct budget_rule){.present = true, .limit_micros = (int64_t)draw(&s->r, 200000),
                             .period = (uint32_t)draw(&s->r, PERIOD_CUSTOM)};
    static const char *const names[] = {"cores", "week"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct budget_rule *b = list_add(&rule->budgets, sizeof *b);
        MUST(str_set(&b->name, names[i]) == 0);
        MUST(str_set(&b->resource, i == 0 ? "cpu" : NULL) == 0);
        b->limit_micros = (int64_t)draw(&s->r, 4000000);
        b->period = i == 0 ? PERIOD_DAY : PERIOD_CUSTOM;
        b->from_utc_us = i == 0 ? 0 : WORLD_START_UTC;
        b->every_days = i == 0 ? 0 : 1 + (uint32_t)draw(&s->r, 3);
        b->soft = draw(&s->r, 4) == 0;
        b->carry = draw(&s->r, 2) == 0 ? CARRY_ALL : CARRY_NONE;
        for (uint32_t of = 0; of < THRESHOLD_OF_COUNT; of++) {
            struct threshold_rule *t = list_add(&b->thresholds, sizeof *t);
            *t = (struct threshold_rule){10 + (uint32_t)draw(&s->r, 100), of};
        }
    }
    int rc = world_apply(&s->w, &p);
    if (rc == CORE_REFUSED && strcmp(s->w.refusal.code, "state") != 0)
        broken(s, "policy", s->w.refusal.message);
}

/* There and back; a policy that is set in between has the old places again, and what is elsewhere stays in use. */
static void move(struct sim *s)
{
    static const char *const places[][2] = {{"acme/etl", "globex/etl"}, {"acme/ml", "globex/a/ml"},
                                            {"globex/a", "acme/a"},     {"acme", "globex/acme"}};
    size_t i = (size_t)draw(&s->r, COUNT_OF(places)), back = (size_t)draw(&s->r, 2);
    struct move_call call = {.from = (char *)(uintptr_t)places[i][back], .to = (char *)(uintptr_t)places[i][1 - back]};
    struct apply_reply reply;
    struct fact f;
    fields_clear(&refusal_fields, &s->w.refusal);
    if (core_check_move(s->w.core, &call, "root", s->w.now, &f, &reply, &s->w.refusal) == CORE_FACT)
        world_commit(&s->w, &f);
    fields_clear(&apply_reply_fields, &reply);
}

static void submit(struct sim *s)
{
    struct job_spec spec = world_spec(500 + draw(&s->r, 6) * 500, GIB / 2 + draw(&s->r, 4) * GIB);
    spec.priority = (int32_t)draw(&s->r, 3) - 1;
    spec.retries = (uint32_t)draw(&s->r, 3);
    spec.lease = (uint32_t)draw(&s->r, 2);
    spec.on_node_loss = (uint32_t)draw(&s->r, NODE_LOSS_COUNT);
    if (draw(&s->r, 2) == 0)
        spec.time_limit_ms = 1000 + draw(&s->r, 3000) * 1000;
    if (draw(&s->r, 3) == 0)
        spec.array = (struct job_array){true, (uint32_t)draw(&s->r, 5), 5 + (uint32_t)draw(&s->r, 12),
                                        (uint32_t)draw(&s->r, 4)};
    if (draw(&s->r, 4) == 0)
        spec.budget_micros = (int64_t)draw(&s->r, 30000);
    static const char *const instants[] = {"1s", "90s", "20m", "1h", "2026-11-24T00:30:00Z"};
    if (draw(&s->r, 8) == 0)
        MUST(str_set(draw(&s->r, 2) == 0 ? &spec.start_by : &spec.finish_by,
                     instants[draw(&s->r, COUNT_OF(instants))]) == 0);
    for (uint64_t i = s->last_job > 0 && draw(&s->r, 3) == 0 ? 1 + draw(&s->r, 2) : 0; i > 0; i--) {
        struct job_after *a = list_add(&spec.after, sizeof *a);
        a->job = s->last_job - draw(&s->r, s->last_job < 12 ? s->last_job : 12);
        a->on = (uint32_t)draw(&s->r, AFTER_ON_COUNT);
        a->tasks = spec.array.present ? (uint32_t)draw(&s->r, AFTER_TASKS_COUNT) : AFTER_ALL;
        if (a->tasks == AFTER_ALL && draw(&s->r, 4) == 0)
            a->task = measure_of(draw(&s->r, 3));
        spec.if_unmet = draw(&s->r, 8) == 0 ? UNMET_KEEP : UNMET_CANCEL;
    }
    char key[32];
    snprintf(key, sizeof key, "k%" PRIu64, draw(&s->r, 200));
    uint64_t job;
    if (world_try_submit(&s->w, tenants[draw(&s->r, COUNT_OF(tenants))], draw(&s->r, 2) ? key : NULL, &spec,
                         &job) == CORE_FACT)
        s->last_job = job > s->last_job ? job : s->last_job;
}

static void refuse_one(struct sim *s, struct fact *f, bool *gap)
{
    world_refuse(&s->w, f, "budget");
    *gap = true;
}

static void decide(struct sim *s)
{
    struct fact facts[64];
    size_t max = 1 + draw(&s->r, COUNT_OF(facts));
    size_t count = core_decide(s->w.core, s->w.now, facts, max, &s->w.next_boot_us);
    bool gap = false; /* proposals build on those before them: a prefix of them fits, what comes behind a gap may not */
    for (size_t i = 0; i < count; i++) {
        bool can_be_refused = facts[i].kind == FACT_ATTEMPT_PLACED || facts[i].kind == FACT_HOLD_RENEWED;
        enum ledger_verdict verdict = ledger_check(core_ledger(s->w.core), &facts[i], NULL);
        if (gap && verdict != LEDGER_FITS)
            world_refuse(&s->w, &facts[i], names_get(&ledger_verdict_names, verdict));
        else if (draw(&s->r, can_be_refused ? 6 : 20) == 0 && facts[i].kind != FACT_ATTEMPT_ENDED)
            refuse_one(s, &facts[i], &gap);
        else
            world_commit(&s->w, &facts[i]);
    }
}

struct live {
    struct attempt_id ids[64];
    size_t count;
};

static void note(void *arg, struct attempt_id id)
{
    struct live *l = arg;
    if (l->count < COUNT_OF(l->ids))
        l->ids[l->count++] = id;
}

static bool pick(struct sim *s, size_t node, struct attempt_id *ret)
{
    struct live l = {.count = 0};
    core_each_attempt(s->w.core, node_names[node], note, &l);
    if (l.count == 0)
        return false;
    *ret = l.ids[draw(&s->r, l.count)];
    return true;
}

static void report(struct sim *s)
{
    struct attempt_id id;
    size_t node = (size_t)draw(&s->r, NODES);
    if (s->silent[node] || !pick(s, node, &id))
        return;
    if (draw(&s->r, 3) != 0) {
        (void)world_run(&s->w, id.job, id.task);
        return;
    }
    static const uint32_t causes[] = {END_EXIT,  END_EXIT,          END_EXIT,       END_SIGNAL,
                                      END_OOM,   END_TIME_LIMIT,    END_BUDGET,     END_CANCELLED,
                                      END_LEASE, END_LAUNCH_FAILED, END_KEEPER_LOST};
    uint32_t cause = causes[draw(&s->r, COUNT_OF(causes))];
    (void)world_end(&s->w, id.job, id.task, cause, (int32_t)draw(&s->r, 2), draw(&s->r, 3000) * 1000000);
}

/* The same end twice before it is committed: only one may come of it. */
static void report_twice(struct sim *s)
{
    struct attempt_state state = {.ended = true, .record = {.cause = END_EXIT, .run_us = 5000000}};
    size_t node = (size_t)draw(&s->r, NODES);
    struct fact f, g;
    if (s->silent[node] || !pick(s, node, &state.id))
        return;
    if (core_check_ended(s->w.core, node_names[node], &state, s->w.now, &f) != CORE_FACT || f.kind == FACT_NONE)
        broken(s, "ended", "a live attempt's end was not taken");
    if (core_check_ended(s->w.core, node_names[node], &state, s->w.now, &g) != CORE_LATER)
        broken(s, "ended", "the same end was taken twice");
    world_commit(&s->w, &f);
    if (core_check_ended(s->w.core, node_names[node], &state, s->w.now, &g) != CORE_FACT || g.kind != FACT_NONE)
        broken(s, "ended", "an end that is known was taken again");
}

static void cancel(struct sim *s)
{
    struct job_call call = {.job = 1 + draw(&s->r, s->last_job + 1),
                            .has_task = draw(&s->r, 2) == 0,
                            .task = (uint32_t)draw(&s->r, 18)};
    struct fact facts[4];
    size_t count;
    struct cancel_reply reply;
    fields_clear(&refusal_fields, &s->w.refusal);
    if (core_check_cancel(s->w.core, &call, "root", s->w.now, facts, COUNT_OF(facts), &count, &reply,
                          &s->w.refusal) != CORE_FACT)
        return;
    for (size_t i = 0; i < count; i++)
        world_commit(&s->w, &facts[i]);
}

/* Whatever a person may change of a job. */
static void change(struct sim *s)
{
    struct job_call call = {.job = 1 + draw(&s->r, s->last_job + 1),
                            .has_task = draw(&s->r, 3) == 0,
                            .task = (uint32_t)draw(&s->r, 18)};
    struct priority_call priority = {call.job, (int32_t)draw(&s->r, 7) - 3};
    struct cancel_reply reply;
    struct fact facts[4];
    size_t count = 1;
    int rc;
    fields_clear(&refusal_fields, &s->w.refusal);
    if (draw(&s->r, 3) == 0)
        rc = core_check_hold(s->w.core, &call, "root", s->w.now, facts, &s->w.refusal);
    else if (draw(&s->r, 2) == 0)
        rc = core_check_priority(s->w.core, &priority, "root", s->w.now, facts, &s->w.refusal);
    else
        rc = core_check_requeue(s->w.core, &call, "root", s->w.now, facts, COUNT_OF(facts), &count, &reply,
                                &s->w.refusal);
    for (size_t i = 0; rc == CORE_FACT && i < count; i++)
        if (facts[i].kind != FACT_NONE)
            world_commit(&s->w, &facts[i]);
}

static void release(struct sim *s)
{
    struct job_call call = {.job = 1 + draw(&s->r, s->last_job + 1)};
    struct fact f;
    fields_clear(&refusal_fields, &s->w.refusal);
    if (core_check_release(s->w.core, &call, "root", s->w.now, &f, &s->w.refusal) == CORE_FACT &&
        f.kind != FACT_NONE)
        world_commit(&s->w, &f);
}

static void hello(struct sim *s, size_t node)
{
    struct list listed = {0};
    struct live l = {.count = 0};
    core_each_attempt(s->w.core, node_names[node], note, &l);
    for (size_t i = 0; i < l.count; i++)
        if (draw(&s->r, 5) != 0)
            ((struct attempt_state *)list_add(&listed, sizeof(struct attempt_state)))->id = l.ids[i];
    world_hello_listing(&s->w, node_names[node], s->boot[node], 4 + node, 16 * GIB, &listed);
    free(listed.v);
    s->silent[node] = false;
}

static void reboot(struct sim *s, size_t node)
{
    snprintf(s->boot[node], sizeof s->boot[node], "boot-%u", ++s->boots);
    world_hello(&s->w, node_names[node], s->boot[node], 4 + node, 16 * GIB);
    s->silent[node] = false;
}

static void adjust(struct sim *s)
{
    char key[16];
    struct fact facts[16];
    size_t count;
    struct adjust_reply reply = {0};
    snprintf(key, sizeof key, "k%" PRIu64, draw(&s->r, 30));
    struct adjust_call call = {.tenant = (char *)(uintptr_t)tenants[draw(&s->r, COUNT_OF(tenants))],
                               .key = key,
                               .reason = key,
                               .micros = (int64_t)draw(&s->r, 20000) - 10000,
                               .kind = ADJUST_ADJUSTMENT};
    fields_clear(&refusal_fields, &s->w.refusal);
    if (core_check_adjust(s->w.core, &call, "root", s->w.now, facts, 1 + draw(&s->r, COUNT_OF(facts)), &count, &reply,
                          &s->w.refusal) == CORE_FACT)
        for (size_t i = 0; i < count; i++)
            world_commit(&s->w, &facts[i]);
    fields_clear(&adjust_reply_fields, &reply);
}

static void drain(struct sim *s)
{
    struct drain_call call = {.node = (char *)(uintptr_t)node_names[draw(&s->r, NODES)],
                              .drain = draw(&s->r, 3) == 0};
    struct fact f;
    if (core_check_drain(s->w.core, &call, "root", s->w.now, &f, &s->w.refusal) == CORE_FACT &&
        f.kind != FACT_NONE)
        world_commit(&s->w, &f);
}

static void pass(struct sim *s)
{
    static const int64_t steps[] = {10000, SECOND, 10 * SECOND, 3 * MINUTE, 12 * MINUTE};
    int64_t step = steps[draw(&s->r, COUNT_OF(steps))];
    if (draw(&s->r, 40) == 0)
        step = 2 * HOUR;
    world_pass(&s->w, step);
    for (size_t i = 0; i < NODES; i++)
        if (!s->silent[i])
            core_node_seen(s->w.core, node_names[i], s->w.now);
}

static bool account_is_sound(const struct account_view *a, void *arg)
{
    struct sim *s = arg;
    if (a->held_micros < 0) /* spent may be below zero, by credits */
        broken(s, "money below zero", a->name);
    return true;
}

static void step(struct sim *s)
{
    switch (draw(&s->r, 16)) {
    case 0:
    case 1:
    case 2: submit(s); break;
    case 3:
    case 4:
    case 5: decide(s); break;
    case 6:
    case 7:
    case 8: report(s); break;
    case 9: draw(&s->r, 3) == 0 ? adjust(s) : report_twice(s); break;
    case 10: draw(&s->r, 3) == 0 ? cancel(s) : draw(&s->r, 2) == 0 ? release(s) : change(s); break;
    case 11: pass(s); break;
    case 12: hello(s, (size_t)draw(&s->r, NODES)); break;
    case 13: s->silent[draw(&s->r, NODES)] = draw(&s->r, 4) == 0; break;
    case 14: draw(&s->r, 12) == 0 ? reboot(s, (size_t)draw(&s->r, NODES)) : drain(s); break;
    default: draw(&s->r, 10) == 0 ? set_policy(s) : draw(&s->r, 4) == 0 ? move(s) : pass(s); break;
    }
}

static void look(struct sim *s)
{
    struct err err = {0};
    if (core_verify(s->w.core, &err) < 0)
        broken(s, "recount", err_text(&err));
    ledger_each_account(core_ledger(s->w.core), account_is_sound, s);
}

static void compare(struct sim *s, struct core *other, const char *how)
{
    struct err err = {0};
    if (core_verify(other, &err) < 0)
        broken(s, how, err_text(&err));
    if (core_hash(other) != core_hash(s->w.core))
        broken(s, how, "gives another state");
    core_free(other);
}

/* Everything is cancelled, everybody reports: nothing may stay held. */
static void finish(struct sim *s)
{
    for (int round = 0; round < 40; round++) {
        for (uint64_t job = 1; job <= s->last_job; job++) {
            struct job_call call = {.job = job};
            struct fact facts[64];
            size_t count;
            struct cancel_reply reply;
            fields_clear(&refusal_fields, &s->w.refusal);
            if (core_check_cancel(s->w.core, &call, "root", s->w.now, facts, COUNT_OF(facts), &count, &reply,
                                  &s->w.refusal) == CORE_FACT)
                for (size_t i = 0; i < count; i++)
                    world_commit(&s->w, &facts[i]);
        }
        for (size_t n = 0; n < NODES; n++) {
            struct live l = {.count = 0};
            core_each_attempt(s->w.core, node_names[n], note, &l);
            for (size_t i = 0; i < l.count; i++)
                (void)world_end(&s->w, l.ids[i].job, l.ids[i].task, END_CANCELLED, 0, 1000000);
        }
        look(s);
    }
    struct core_stats stats;
    core_stats(s->w.core, &stats);
    if (stats.jobs != 0 || stats.running + stats.starting + stats.unreachable + stats.queued + stats.held != 0)
        broken(s, "end", "something is left over");
    if (world_account(&s->w, "/@total").held_micros > 0)
        broken(s, "end", "money is still held");
}

static void run(uint64_t seed)
{
    struct sim s = {.r = {seed * 2654435761u + 88172645463325252u}, .seed = seed};
    struct core_limits limits = core_limits_default;
    limits.finished_max = 20;
    limits.slice_ms = seed % 2 == 0 ? 900000 : 60000;
    world_init(&s.w, &limits);
    set_policy(&s);
    for (size_t i = 0; i < NODES; i++)
        reboot(&s, i);
    for (int i = 0; i < STEPS; i++) {
        step(&s);
        look(&s);
        if (i % 250 == 0)
            compare(&s, world_restored(&s.w, &limits), "snapshot");
    }
    compare(&s, world_restored(&s.w, &limits), "snapshot");
    compare(&s, world_replayed(&s.w, &limits), "replay");
    finish(&s);
    compare(&s, world_replayed(&s.w, &limits), "replay");
    world_fini(&s.w);
}

START_TEST(whatever_happens_the_books_add_up)
{
    const char *seed = getenv("REEVE_SEED");
    if (seed != NULL)
        run(strtoull(seed, NULL, 10));
    else
        for (uint64_t i = 0; i < 8; i++)
            run((uint64_t)_i * 8 + i + 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("simulation");
    TCase *t = tcase_create("seeds");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, whatever_happens_the_books_add_up, 0, 5);
    suite_add_tcase(s, t);
    return run_suite(s);
}
