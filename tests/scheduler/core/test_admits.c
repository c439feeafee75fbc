/*
 * What `why` says would admit a job does: in random worlds with one job that waits, the stated change is read and made,
 * and the job starts with the next turn. A failure prints the seed: REEVE_SEED repeats it.
 */
#include <check.h>
#include <stdlib.h>

#include "base/parse.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define STEPS 60
#define NODES 3

struct sim {
    struct world w;
    uint64_t seed, random;
    uint64_t cpu_milli[NODES], mem_bytes[NODES];
    uint64_t running[STEPS + 8];
    size_t running_count;
};
static uint64_t made[7]; /* changes, by what they are about */
static const char *const node_names[NODES] = {"n1", "n2", "n3"};
static const char *const tenants[] = {"acme/etl", "acme/ml", "acme", "globex"};

static uint64_t draw(struct sim *s, uint64_t below)
{
    return random_next(&s->random) % below;
}

static void broken(const struct sim *s, const char *what, const char *text)
{
    fprintf(stderr, "REEVE_SEED=%" PRIu64 ": %s: %s\n", s->seed, what, text != NULL ? text : "nothing");
    abort();
}

static void hello(struct sim *s, size_t i)
{
    struct list attempts = {0};
    for (size_t k = 0; k < s->running_count; k++) {
        struct attempt_state *a = list_add(&attempts, sizeof *a);
        a->id = (struct attempt_id){s->running[k], 0, 1};
    }
    world_hello_listing(&s->w, node_names[i], "b", s->cpu_milli[i] / 1000, s->mem_bytes[i], &attempts);
    free(attempts.v);
}

static void begin(struct sim *s)
{
    struct policy_file p = {0};
    world_init(&s->w, NULL);
    world_price(&p, 0, EUR, EUR / 10);
    struct tenant_rule *acme = world_rule(&p, "acme"), *rule;
    acme->quota.max.cpu_milli = 4000 + draw(s, 12) * 1000;
    acme->quota.max_running = draw(s, 2) * 5;
    if (draw(s, 2) == 0)
        acme->budget = (struct budget_rule){.present = true, .limit_micros = (int64_t)(1 + draw(s, 4)) * EUR,
                                            .period = PERIOD_DAY};
    rule = world_rule(&p, "acme/etl");
    rule->quota.max_running = draw(s, 4);
    rule->quota.max.mem_bytes = draw(s, 3) * 4 * GIB;
    if (draw(s, 2) == 0)
        rule->budget = (struct budget_rule){.present = true, .limit_micros = (int64_t)(1 + draw(s, 4)) * EUR / 2,
                                            .period = PERIOD_MONTH};
    rule = world_rule(&p, "acme/ml");
    if (draw(s, 2) == 0) {
        rule->quota.guaranteed.cpu_milli = 2000;
        rule->quota.borrow.cpu_milli = measure_of(draw(s, 3) * 1000);
    }
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&s->w, &p), CORE_FACT);
    for (size_t i = 0; i < NODES; i++) {
        s->cpu_milli[i] = 6000 + draw(s, 4) * 1000;
        s->mem_bytes[i] = (12 + draw(s, 12)) * GIB;
        hello(s, i);
    }
}

/* ---- the change, read and made ---- */
static struct tenant_rule *rule_of(struct policy_file *p, const char *path)
{
    for (size_t i = 0; i < p->tenants.count; i++)
        if (strcmp(((struct tenant_rule *)p->tenants.v)[i].path, path) == 0)
            return &((struct tenant_rule *)p->tenants.v)[i];
    return NULL;
}

static uint64_t amount_of(struct sim *s, const char *resource, const char *text)
{
    struct err err = {0};
    uint64_t value = 0;
    bool cpu = strcmp(resource, "cpu") == 0, running = strcmp(resource, "running") == 0;
    int rc = running ? (value = strtoull(text, NULL, 10), 0)
                     : cpu ? parse_cpu(text, &value, &err) : parse_size(text, &value, &err);
    if (rc < 0 || value == 0)
        broken(s, "no amount", text);
    return value;
}

static void grow_quota(struct sim *s, struct tenant_rule *rule, const char *resource, const char *by)
{
    uint64_t amount = amount_of(s, resource, by);
    if (strcmp(resource, "running") == 0)
        rule->quota.max_running += amount;
    else if (strcmp(resource, "cpu") == 0)
        rule->quota.max.cpu_milli += amount;
    else
        rule->quota.max.mem_bytes += amount;
}

/* A part of the policy; false: it is about something else. */
static bool make_policy(struct sim *s, struct policy_file *p, const char *part)
{
    char what[64], path[64], by[64];
    int64_t micros;
    struct err err = {0};
    if (sscanf(part, "quota.borrow.%63s of %63s grows by %63s", what, path, by) == 3) {
        struct measure *m = &rule_of(p, path)->quota.borrow.cpu_milli;
        *m = measure_of(measured(*m) + amount_of(s, what, by));
        made[2]++;
    } else if (sscanf(part, "quota %63s of %63s grows by %63s", what, path, by) == 3) {
        grow_quota(s, rule_of(p, path), what, by);
        made[0]++;
    } else if (sscanf(part, "budget %63s grows by %63s", path, by) == 2) {
        if (parse_money(by, &micros, &err) < 0)
            broken(s, "no money", part);
        rule_of(p, path)->budget.limit_micros += micros;
        made[1]++;
    } else if (sscanf(part, "%63s guaranteed to / grows by %63s", what, by) == 2) {
        struct tenant_rule *root = rule_of(p, "/");
        root = root != NULL ? root : world_rule(p, "/");
        root->quota.guaranteed.cpu_milli += amount_of(s, what, by);
        made[6]++;
    } else {
        return false;
    }
    return true;
}

static void make_other(struct sim *s, const char *part, uint64_t job)
{
    char what[64], node[64], by[64];
    unsigned long long other;
    if (sscanf(part, "%63s free on %63s grows by %63s", what, node, by) == 3) {
        size_t i = (size_t)(node[1] - '1');
        uint64_t amount = amount_of(s, what, by);
        bool cpu = strcmp(what, "cpu") == 0;
        s->cpu_milli[i] += cpu ? (amount + 999) / 1000 * 1000 : 0;
        s->mem_bytes[i] += cpu ? 0 : amount;
        hello(s, i);
        made[3]++;
    } else if (sscanf(part, "job %llu ends", &other) == 1) {
        MUST(world_end(&s->w, other, 0, END_EXIT, 0, (uint64_t)MINUTE));
        for (size_t i = 0; i < s->running_count; i++)
            if (s->running[i] == other)
                s->running[i] = s->running[--s->running_count];
        made[4]++;
    } else if (strcmp(part, "somebody releases it") == 0) {
        struct fact f;
        MUST(core_check_release(s->w.core, &(struct job_call){.job = job}, "ann", s->w.now, &f, &s->w.refusal) ==
             CORE_FACT);
        world_commit(&s->w, &f);
        made[5]++;
    } else {
        broken(s, "can't be made", part);
    }
}

static void make(struct sim *s, char *change, uint64_t job)
{
    static const char joint[] = ", and ";
    struct policy_reply now = {0};
    bool policy = false;
    MUST(core_policy(s->w.core, &now) == 0);
    for (char *part = change, *next; part != NULL; part = next) {
        next = strstr(part, joint);
        if (next != NULL) {
            *next = '\0';
            next += sizeof joint - 1;
        }
        bool mine = make_policy(s, &now.policy, part);
        policy |= mine;
        if (!mine)
            make_other(s, part, job);
    }
    if (policy && world_apply(&s->w, &now.policy) != CORE_FACT)
        broken(s, "policy", s->w.refusal.message);
    fields_clear(&policy_reply_fields, &now);
}

/* ---- one job after the other ---- */
static bool runs(struct sim *s, uint64_t job)
{
    struct job_row row = {0};
    MUST(core_job_row(s->w.core, job, s->w.now, &row));
    bool live = row.live > 0;
    fields_clear(&job_row_fields, &row);
    return live;
}

static void turn(struct sim *s)
{
    for (int i = 0; i < 3; i++) /* accounts open in one, holds in the next */
        (void)world_decide(&s->w);
}

static struct job_spec random_spec(struct sim *s)
{
    struct job_spec spec = world_spec((1 + draw(s, 6)) * 1000, (1 + draw(s, 8)) * GIB);
    spec.hold = draw(s, 8) == 0;
    if (s->running_count > 0 && draw(s, 6) == 0) {
        struct job_after *a = list_add(&spec.after, sizeof *a);
        a->job = s->running[draw(s, s->running_count)];
        a->on = AFTER_END;
    }
    return spec;
}

static void step(struct sim *s)
{
    struct job_spec spec = random_spec(s);
    uint64_t job;
    if (world_try_submit(&s->w, tenants[draw(s, COUNT_OF(tenants))], NULL, &spec, &job) != CORE_FACT)
        return; /* it could never run */
    turn(s);
    if (!runs(s, job)) {
        struct why_reply why = {0};
        MUST(core_why(s->w.core, &(struct job_call){.job = job}, s->w.now, &why));
        if (why.blockers.count == 0 || why.change == NULL)
            broken(s, "waits, and nothing is said that would help", why.estimate);
        char *said = strdup(why.change);
        make(s, why.change, job);
        turn(s);
        if (!runs(s, job))
            broken(s, "that was said to admit it, and doesn't", said);
        free(said);
        fields_clear(&why_reply_fields, &why);
    }
    MUST(world_run(&s->w, job, 0));
    s->running[s->running_count++] = job;
    world_pass(&s->w, SECOND);
    for (size_t i = 0; i < NODES; i++)
        core_node_seen(s->w.core, node_names[i], s->w.now);
}

START_TEST(what_is_said_to_admit_a_job_admits_it)
{
    static struct sim s;
    const char *again = getenv("REEVE_SEED");
    for (uint64_t seed = again != NULL ? strtoull(again, NULL, 10) : 1, last = again != NULL ? seed : 40; seed <= last;
         seed++) {
        s = (struct sim){.seed = seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
        begin(&s);
        for (int i = 0; i < STEPS; i++)
            step(&s);
        world_recount(s.w.core);
        world_fini(&s.w);
    }
    for (size_t i = 0; again == NULL && i < COUNT_OF(made); i++)
        ck_assert_msg(made[i] > 5, "change %zu was made %" PRIu64 " times", i, made[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core admits");
    TCase *t = tcase_create("admits");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_said_to_admit_a_job_admits_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
