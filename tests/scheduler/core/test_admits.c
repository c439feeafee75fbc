/*
 * What `why` says would admit a job does, and one unit less of any part of it doesn't: in random worlds with one job
 * that waits, the stated change is read and made, and the job starts with the next turn. A failure prints the seed:
 * REEVE_SEED repeats it.
 */
#include <check.h>

#include "scheduler/core/state.h"
#include "tests/run.h"
#include "tests/scheduler/core/changes.h"

#define WORLDS 200
#define STEPS 60

static const char *const tenants[] = {"acme/etl", "acme/ml", "acme", "globex"};

/* ---- the world ---------------------------------------------------------------------------------------- */

static void add_budget(struct sim *s, struct tenant_rule *rule, int64_t unit, uint32_t period)
{
    if (draw(s, 2) == 0)
        rule->budget = (struct budget_rule){
            .present = true, .limit_micros = (int64_t)(1 + draw(s, 4)) * unit, .period = period};
    struct budget_rule *time = draw(s, 3) == 0 ? list_add(&rule->budgets, sizeof *time) : NULL;
    if (time != NULL) {
        *time = (struct budget_rule){
            .present = true, .limit_micros = (int64_t)(1 + draw(s, 6)) * unit / 2, .period = PERIOD_MONTH};
        MUST(str_set(&time->name, "gpus") == 0 && str_set(&time->resource, "gpu") == 0);
    }
}

static void set_quota(struct sim *s, struct policy_file *p)
{
    struct tenant_rule *acme = world_rule(p, "acme"), *rule;
    acme->quota.max.cpu_milli = 4000 + draw(s, 12) * 1000;
    acme->quota.max_running = draw(s, 2) * 5;
    acme->quota.starts_per_minute = (uint32_t)(draw(s, 2) * (3 + draw(s, 6)));
    if (draw(s, 2) == 0)
        MUST(counts_set(&acme->quota.max.generic, "gpu", 2 + draw(s, 3)) == 0);
    add_budget(s, acme, EUR, PERIOD_DAY);
    rule = world_rule(p, "acme/etl");
    rule->quota.max_running = draw(s, 4);
    rule->quota.max.mem_bytes = draw(s, 3) * 4 * GIB;
    rule->quota.submits_per_minute = (uint32_t)(draw(s, 2) * (6 + draw(s, 6)));
    add_budget(s, rule, EUR / 2, PERIOD_MONTH);
    rule = world_rule(p, "acme/ml");
    rule->quota.starts_per_minute = (uint32_t)(draw(s, 2) * (3 + draw(s, 6)));
    if (draw(s, 2) == 0) {
        rule->quota.guaranteed.cpu_milli = 2000;
        rule->quota.borrow.cpu_milli = measure_of(draw(s, 3) * 1000);
    }
    (void)world_rule(p, "globex");
}

static void close_node(struct sim *s, const char *node)
{
    struct window_call call = {.from_utc_us = s->w.now.utc_us + (int64_t)(draw(s, 2) * draw(s, 90)) * MINUTE};
    struct window_reply reply = {0};
    struct fact f;
    call.to_utc_us = call.from_utc_us + HOUR;
    MUST(strs_add(&call.nodes, node) == 0);
    MUST(core_check_window(s->w.core, &call, "root", s->w.now, &f, &reply, &s->w.refusal) == CORE_FACT);
    if (f.kind != FACT_NONE) /* else there is one like it */
        world_commit(&s->w, &f);
    fields_clear(&window_call_fields, &call);
}

static void put_into_quarantine(struct sim *s, const char *node)
{
    struct fact f = {.kind = FACT_NODE_QUARANTINED, .at_utc_us = s->w.now.utc_us};
    f.quarantined = (struct fact_quarantined){
        .quarantined = true, .level = 1, .until_utc_us = s->w.now.utc_us + 24 * HOUR};
    MUST(str_set(&f.quarantined.node, node) == 0 && str_set(&f.quarantined.reason, "3 jobs failed there") == 0);
    world_commit(&s->w, &f);
}

/* Something happens to the nodes: to one of the first, or to all of them. */
static void disturb(struct sim *s)
{
    uint64_t what = draw(s, 10), only = draw(s, NODES_FIRST + 3);
    for (size_t i = 0; i < NODES_FIRST && what < 4; i++) {
        struct sim_node *n = &s->nodes[i];
        if (only < NODES_FIRST && only != i)
            continue;
        if (what == 0)
            drain(s, n->name, true);
        else if (what == 1)
            close_node(s, n->name);
        else if (what == 2)
            put_into_quarantine(s, n->name);
        n->silent |= what == 3;
    }
    if (what == 3)
        pass(s, 40 * SECOND);
}

/* As it was, but for what was changed for good. */
static void put_right(struct sim *s)
{
    struct windows_reply windows = {0};
    MUST(core_windows(s->w.core, s->w.now, &windows) == 0);
    for (size_t i = 0; i < windows.windows.count; i++) {
        char part[64];
        snprintf(part, sizeof part, "window %llu ends",
                 (unsigned long long)((const struct window_row *)windows.windows.v)[i].window.window);
        (void)make_window(s, part, false);
    }
    fields_clear(&windows_reply_fields, &windows);
    for (size_t i = 0; i < s->nodes_count; i++) {
        s->nodes[i].silent = false;
        core_node_seen(s->w.core, s->nodes[i].name, s->w.now);
        drain(s, s->nodes[i].name, i >= NODES_FIRST);
        if (i < NODES_FIRST)
            drain(s, s->nodes[i].name, false);
    }
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

static void add_after(struct sim *s, struct job_spec *spec)
{
    struct job_after *a = list_add(&spec->after, sizeof *a);
    a->job = s->living[draw(s, s->living_count)];
    a->on = (uint32_t)draw(s, 3);
    if (draw(s, 2) == 0) {
        uint32_t task = first_live(s, a->job, 0, NULL);
        a->task = measure_of(task != UINT32_MAX ? task : 0);
    }
}

static struct job_spec random_spec(struct sim *s)
{
    struct job_spec spec = world_spec((1 + draw(s, 6)) * 1000, (1 + draw(s, 8)) * GIB);
    spec.hold = draw(s, 8) == 0;
    spec.time_limit_ms = draw(s, 2) * (1 + draw(s, 120)) * 60000;
    if (draw(s, 4) == 0)
        MUST(counts_set(&spec.resources.generic, "gpu", 1 + draw(s, 2)) == 0);
    if (s->living_count > 0 && draw(s, 6) == 0)
        add_after(s, &spec);
    if (draw(s, 8) == 0)
        MUST(str_set(&spec.start_by, draw(s, 2) == 0 ? "2h" : "5s") == 0);
    uint64_t kind = draw(s, 4);
    if (kind > 1)
        return spec;
    spec.resources.cpu_milli = (1 + draw(s, 2)) * 1000;
    spec.array = (struct job_array){.present = true, .last = 1 + (uint32_t)draw(s, 5)};
    spec.per_node = (uint32_t)(draw(s, 2) * (1 + draw(s, 2)));
    if (kind == 0) {
        MUST(str_set(&spec.spread, draw(s, 2) == 0 ? "rack" : NULL) == 0);
        spec.array.max_running = (uint32_t)(draw(s, 2) * (1 + draw(s, 2)));
        return spec;
    }
    spec.gang = spec.array.last + 1;
    spec.gang_min = (uint32_t)(draw(s, 2) * (1 + draw(s, spec.gang)));
    if (draw(s, 2) == 0) {
        MUST(str_set(&spec.within, "rack") == 0);
        spec.within_or_any = draw(s, 3) == 0;
    }
    return spec;
}

/* ---- the property ------------------------------------------------------------------------------------- */

static uint64_t checked, never_said, paused;

static bool waits(struct sim *s)
{
    struct why_reply why = {0};
    MUST(core_why(s->w.core, &(struct job_call){.job = s->job}, s->w.now, &why));
    bool any = why.blockers.count > 0;
    fields_clear(&why_reply_fields, &why);
    return any;
}

/* For people, when something is broken. */
static void tell(struct sim *s)
{
    struct why_reply why = {0};
    MUST(core_why(s->w.core, &(struct job_call){.job = s->job}, s->w.now, &why));
    for (size_t i = 0; i < why.blockers.count; i++)
        fprintf(stderr, "%s\n", ((const struct blocker *)why.blockers.v)[i].text);
    fprintf(stderr, "now: %s\n", why.change != NULL ? why.change : why.state);
    fields_clear(&why_reply_fields, &why);
}

/* NULL: it can never start, says the first of what blocks it. */
static char *stated(struct sim *s)
{
    struct why_reply why = {0};
    MUST(core_why(s->w.core, &(struct job_call){.job = s->job}, s->w.now, &why));
    const struct blocker *first = why.blockers.v;
    bool never = why.blockers.count > 0 && strcmp(first->kind, "never") == 0;
    if (!never && (why.blockers.count == 0 || why.change == NULL))
        broken(s, "waits, and nothing is said that would help", why.blockers.count > 0 ? first->text : why.estimate);
    char *change = never ? NULL : strdup(why.change);
    never_said += never;
    fields_clear(&why_reply_fields, &why);
    return change;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Is one unit less of this part too little? Not where another part brings more than is asked for: who ends gives back
 * all that it has; what is submitted anew waits for no pause and holds for a shorter time; a node that says hello is
 * heard of. */
static bool is_sharp(struct sim *s, const char *change, size_t part)
{
    char *copy = strdup(change);
    const char *parts[PARTS_MAX], *p;
    size_t count = parts_of(copy, parts);
    bool other = false, own = false, anew = false;
    for (size_t i = 0; i < count; i++) {
        own |= strstr(parts[i], " of job ") != NULL;
        other |= begins(parts[i], "job ") || begins(parts[i], "task ");
        anew |= begins(parts[i], "time_limit");
    }
    p = parts[part];
    bool money = begins(p, "budget "), time = begins(p, "it is "), end = begins(p, "job ") || begins(p, "task ");
    bool heard = strstr(p, "heard of") != NULL && strstr(change, "free on") != NULL;
    bool bound = begins(p, "time_limit") && s->spec.finish_by != NULL;
    bool never = begins(p, "room for") && s->nodes_count == 0; /* with less all nodes are too small */
    bool rate = begins(p, "quota.starts_per_minute"); /* with less a gang would be refused anew */
    free(copy);
    return (!other || end) && !(own && money) && !(anew && (money || time || rate)) && !heard && !bound &&
           !never;
}

/* The whole change, in two steps: but for one unit, which isn't enough, and then what is said to be left. */
static void apply(struct sim *s, bool (*goes)(struct sim *s, uint64_t before), uint64_t before)
{
    char *said = stated(s), *left;
    if (said == NULL)
        return;
    size_t part = (size_t)draw(s, change_parts(said));
    if (draw(s, 2) == 0 && is_sharp(s, said, part)) {
        change_make(s, said, part);
        turn(s);
        if (goes(s, before))
            broken(s, "starts with less than what was said to be needed", said);
        left = stated(s);
        if (left == NULL)
            broken(s, "was said to start, and now never will", said);
    } else {
        left = strdup(said);
    }
    change_make(s, left, SIZE_MAX);
    turn(s);
    /* Time has passed: others have asked for money. */
    if (!goes(s, before) && strstr(left, "it is ") != NULL && waits(s)) {
        free(left);
        left = stated(s);
        if (left != NULL && begins(left, "budget ")) {
            change_make(s, left, SIZE_MAX);
            turn(s);
        }
    }
    if (!goes(s, before)) {
        tell(s);
        broken(s, "that was said to admit it, and doesn't", left != NULL ? left : said);
    }
    checked++;
    free(said);
    free(left);
}

static bool has_started(struct sim *s, uint64_t before)
{
    return placed(s) > before;
}

/* As often as something of it still waits. */
static void admit(struct sim *s)
{
    for (int i = 0; i < 6; i++) {
        begin_running(s, s->job);
        uint64_t before = placed(s);
        turn(s);
        if (has_started(s, before))
            continue;
        if (!waits(s))
            break;
        apply(s, has_started, before);
        if (!has_started(s, before))
            break;
    }
    begin_running(s, s->job);
    cancel(s, s->job, false);
}

/* Refused by a rate: not a millisecond sooner than it was told. */
static bool submit_when_told(struct sim *s)
{
    if (submit(s))
        return true;
    if (strcmp(s->w.refusal.code, "rate") != 0)
        return false;
    int64_t after_us = (int64_t)s->w.refusal.retry_after_ms * 1000;
    pass(s, after_us - 1000);
    if (submit(s))
        broken(s, "is taken sooner than was told", NULL);
    pass(s, 1000);
    if (!submit(s))
        broken(s, "isn't taken when it was told", s->w.refusal.message);
    return true;
}

/* Less than its tasks need together, as few as they may be; before, it would have been refused. */
static void lower_rate(struct sim *s)
{
    struct policy_reply now = {0};
    MUST(core_policy(s->w.core, &now) == 0);
    rule_of(&now.policy, "acme")->quota.starts_per_minute = job_spec_gang_min(&s->spec) - 1;
    MUST(world_apply(&s->w, &now.policy) == CORE_FACT);
    fields_clear(&policy_reply_fields, &now);
}

static void submit_one(struct sim *s)
{
    fields_clear(&job_spec_fields, &s->spec);
    snprintf(s->tenant, sizeof s->tenant, "%s", tenants[draw(s, COUNT_OF(tenants))]);
    s->spec = random_spec(s);
    if (!submit_when_told(s))
        return; /* it could never run */
    if (job_spec_gang_min(&s->spec) > 1 && draw(s, 8) == 0)
        lower_rate(s);
    admit(s);
}

/* It fails and waits to be tried again. */
static void retry_one(struct sim *s)
{
    fields_clear(&job_spec_fields, &s->spec);
    snprintf(s->tenant, sizeof s->tenant, "globex");
    s->spec = world_spec(1000, GIB);
    s->spec.retries = 2;
    if (draw(s, 3) == 0)
        MUST(str_set(&s->spec.finish_by, "3s") == 0);
    if (!submit_when_told(s))
        return;
    admit(s);
    if (first_live(s, s->job, 0, NULL) == UINT32_MAX)
        return;
    end_task(s, s->job, 0, 1);
    admit(s);
    end_all(s, s->job, 0); /* so that of all that lives a failure is the end */
}

/* Its node does what it was told. */
static void node_says(struct sim *s, bool stands, uint32_t number)
{
    struct attempt_id id = {s->job, 0, 0};
    const char *node = world_node_of(&s->w, &id);
    if (node != NULL)
        core_attempt_stands(s->w.core, node, id, number, stands, s->w.now);
}

static bool goes_on(struct sim *s, uint64_t before)
{
    struct job_row row = {0};
    (void)before;
    pass(s, 2 * SECOND); /* what is paused is looked at now and then */
    turn(s);
    MUST(core_job_row(s->w.core, s->job, s->w.now, &row));
    bool runs = strcmp(row.state, "running") == 0;
    fields_clear(&job_row_fields, &row);
    return runs;
}

/* It stands still, others take its cores, and it is to go on. */
static void suspend_one(struct sim *s)
{
    fields_clear(&job_spec_fields, &s->spec);
    snprintf(s->tenant, sizeof s->tenant, "globex");
    s->spec = world_spec((1 + draw(s, 4)) * 1000, GIB);
    if (!submit_when_told(s))
        return;
    admit(s);
    uint64_t job = s->job;
    if (first_live(s, job, 0, NULL) == UINT32_MAX)
        return;
    pass(s, 2 * SECOND);
    set_suspended(s, true);
    node_says(s, true, 1);
    pass(s, 2 * SECOND);
    turn(s);
    for (uint64_t others = draw(s, 4); others > 0; others--)
        submit_one(s);
    put_right(s);
    s->job = job;
    if (first_live(s, job, 0, NULL) == UINT32_MAX)
        return; /* others waited for its end */
    if (!waits(s))
        broken(s, "stands still, and nothing is said of it", NULL);
    apply(s, goes_on, 0);
    cancel(s, job, true);
}

static bool is_paused(struct sim *s)
{
    struct job_row row = {0};
    MUST(core_job_row(s->w.core, s->job, s->w.now, &row));
    bool is = strcmp(row.state, "paused") == 0;
    fields_clear(&job_row_fields, &row);
    return is;
}

/* Its node says what it ran, as far as that was paid: to its paid end, if there is one. */
static void run_to_its_end(struct sim *s)
{
    int64_t began_utc_us = s->w.now.utc_us;
    for (int i = 0; i < 120 && !is_paused(s); i++) {
        pass(s, MINUTE);
        struct attempt_id id = {s->job, 0, 0};
        const char *node = world_node_of(&s->w, &id);
        const struct task *t = node != NULL ? task_of(s->w.core, id) : NULL;
        if (t == NULL)
            return;
        core_attempt_seen(s->w.core, node, id, MIN((uint64_t)(s->w.now.utc_us - began_utc_us), t->paid_us), s->w.now);
        turn(s);
    }
}

/* Somebody else runs where there is room, at once or not at all. */
static void fill_up(struct sim *s)
{
    fields_clear(&job_spec_fields, &s->spec);
    snprintf(s->tenant, sizeof s->tenant, "%s", tenants[draw(s, COUNT_OF(tenants))]);
    s->spec = world_spec((1 + draw(s, 6)) * 1000, (1 + draw(s, 4)) * GIB);
    if (!submit_when_told(s))
        return;
    turn(s);
    begin_running(s, s->job);
    cancel(s, s->job, false);
}

static uint64_t paid_us(struct sim *s)
{
    const struct task *t = task_find(job_find(s->w.core, s->job), 0);
    return t != NULL ? t->paid_us : 0;
}

/* For the least time that is sold, it may be, which is over by now. */
static bool has_gone_on(struct sim *s, uint64_t before)
{
    pass(s, 2 * SECOND); /* what is paused is looked at now and then */
    turn(s);
    return paid_us(s) > before;
}

/* What was paid is over, others take its cores, and it is to go on. */
static void pause_one(struct sim *s)
{
    fields_clear(&job_spec_fields, &s->spec);
    snprintf(s->tenant, sizeof s->tenant, "acme/poor");
    s->spec = world_spec((1 + draw(s, 3)) * 500, GIB);
    if (!submit_when_told(s))
        return;
    admit(s);
    uint64_t job = s->job;
    if (first_live(s, job, 0, NULL) == UINT32_MAX)
        return;
    run_to_its_end(s);
    for (uint64_t others = draw(s, 6); others > 0; others--)
        fill_up(s);
    s->job = job;
    bool is = first_live(s, job, 0, NULL) != UINT32_MAX && is_paused(s); /* others may have waited for its end */
    if (is && !waits(s))
        broken(s, "is paused, and nothing is said of it", NULL);
    if (is)
        apply(s, has_gone_on, paid_us(s));
    paused += is;
    cancel(s, job, true); /* nobody else is to take what it is given */
}

static void step(struct sim *s)
{
    uint64_t what = draw(s, 10);
    for (uint64_t times = 1 + draw(s, 3) / 2; times > 0; times--)
        disturb(s);
    if (what == 0)
        retry_one(s);
    else if (what == 1)
        suspend_one(s);
    else
        submit_one(s);
    put_right(s);
    pass(s, SECOND);
    while (s->living_count > 10 || (s->living_count > 0 && draw(s, 4) == 0))
        end_all(s, s->living[draw(s, s->living_count)], 0);
}

static void begin(struct sim *s)
{
    struct policy_file p = {0};
    world_init(&s->w, NULL);
    world_price(&p, 0, EUR, EUR / 10);
    set_quota(s, &p);
    ck_assert_int_eq(world_apply(&s->w, &p), CORE_FACT);
    if (draw(s, 4) == 0)
        submit_one(s); /* before any node is there */
    for (size_t i = s->nodes_count; i < NODES_FIRST; i++) {
        (void)node_add_like(s, i == 0 ? "r1" : "r2", 6000 + draw(s, 4) * 1000, (12 + draw(s, 12)) * GIB, draw(s, 3));
        s->nodes[i].attempts = (uint32_t)(draw(s, 3) / 2 * (2 + draw(s, 5)));
        hello(s, i);
    }
}

START_TEST(what_is_said_to_admit_a_job_admits_it)
{
    static struct sim s;
    const char *again = getenv("REEVE_SEED");
    uint64_t first = again != NULL ? strtoull(again, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (again != NULL ? 1 : WORLDS); seed++) {
        s = (struct sim){.seed = seed, .random = seed * UINT64_C(0xd1342543de82ef95) + 1};
        begin(&s);
        for (int i = 0; i < STEPS; i++)
            step(&s);
        world_recount(s.w.core);
        fields_clear(&job_spec_fields, &s.spec);
        world_fini(&s.w);
    }
    printf("%" PRIu64 " changes made, %" PRIu64 " jobs that never can start;", checked, never_said);
    for (size_t i = 0; i < COUNT_OF(part_kinds); i++)
        printf(" %s %" PRIu64 "+%" PRIu64, part_kinds[i].name, part_kinds[i].made, part_kinds[i].lessened);
    printf("\n");
    for (size_t i = 0; again == NULL && i < COUNT_OF(part_kinds); i++)
        ck_assert_msg(part_kinds[i].made > 5, "%s was made %" PRIu64 " times", part_kinds[i].name, part_kinds[i].made);
}
END_TEST

/* Money is its own tenant's, or that of all above it. */
static void begin_poor(struct sim *s)
{
    struct policy_file p = {0};
    world_init(&s->w, NULL);
    world_price(&p, 0, EUR, EUR / 10);
    struct tenant_rule *rule = world_rule(&p, "acme");
    if (draw(s, 2) == 0)
        rule->budget = (struct budget_rule){
            .present = true, .limit_micros = EUR / 2 + (int64_t)draw(s, 2 * EUR), .period = PERIOD_TOTAL};
    rule = world_rule(&p, "acme/poor"); /* for a slice of a core, and a bit */
    rule->budget = (struct budget_rule){
        .present = true, .limit_micros = EUR / 3 + (int64_t)draw(s, EUR), .period = PERIOD_TOTAL};
    rule->paid_end = PAID_END_PAUSE;
    (void)world_rule(&p, "acme/etl");
    (void)world_rule(&p, "acme/ml");
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&s->w, &p), CORE_FACT);
    for (size_t i = 0; i < NODES_FIRST; i++)
        (void)node_add_like(s, "r1", 2000 + draw(s, 4) * 1000, (12 + draw(s, 12)) * GIB, 0);
}

START_TEST(what_is_said_to_let_the_paused_go_on_does)
{
    static struct sim s;
    const char *again = getenv("REEVE_SEED");
    uint64_t first = again != NULL ? strtoull(again, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (again != NULL ? 1 : WORLDS); seed++) {
        s = (struct sim){.seed = seed, .random = seed * UINT64_C(0xd1342543de82ef95) + 1};
        begin_poor(&s);
        for (int i = 0; i < STEPS / 6; i++) {
            pause_one(&s);
            while (s.living_count > 6 || (s.living_count > 0 && draw(&s, 3) == 0))
                end_all(&s, s.living[draw(&s, s.living_count)], 0);
        }
        world_recount(s.w.core);
        fields_clear(&job_spec_fields, &s.spec);
        world_fini(&s.w);
    }
    printf("%" PRIu64 " paused ones;", paused);
    for (size_t i = 0; i < COUNT_OF(part_kinds); i++)
        if (part_kinds[i].made > 0)
            printf(" %s %" PRIu64 "+%" PRIu64, part_kinds[i].name, part_kinds[i].made, part_kinds[i].lessened);
    printf("\n");
    ck_assert(again != NULL || paused > WORLDS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core admits");
    TCase *t = tcase_create("admits");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_said_to_admit_a_job_admits_it);
    tcase_add_test(t, what_is_said_to_let_the_paused_go_on_does);
    suite_add_tcase(s, t);
    return run_suite(s);
}
