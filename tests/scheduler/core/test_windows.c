/*
 * Maintenance windows: what starts before one, what becomes of what runs when it begins, who may say so.
 */
#include <check.h>

#include "scheduler/core/reserve.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

/* guaranteed: to "own", which "acme" borrows */
static void begin_with(uint64_t guaranteed)
{
    struct policy_file p = {.currency = strdup("EUR")};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR, 0); /* a cent a second and core */
    (void)world_rule(&p, "acme");
    world_rule(&p, "own")->quota.guaranteed.cpu_milli = guaranteed * 1000;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
}

static void begin(void)
{
    begin_with(0);
}

static uint64_t submit(uint64_t cores, int64_t limit_us, bool preemptible)
{
    struct job_spec spec = world_spec(cores * 1000, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    spec.preemptible = preemptible;
    return world_submit(&w, "acme", spec);
}

static const char *node_of(uint64_t job)
{
    struct attempt_id id = {.job = job};
    return world_node_of(&w, &id);
}

static void pass(int64_t us)
{
    world_pass(&w, us);
    core_node_seen(w.core, "n1", w.now);
    core_node_seen(w.core, "n2", w.now);
}

static void turns(void)
{
    for (int i = 0; i < 4; i++)
        (void)world_decide(&w);
}

static uint64_t start(uint64_t cores, int64_t limit_us, bool preemptible)
{
    uint64_t job = submit(cores, limit_us, preemptible);
    turns();
    ck_assert(node_of(job) != NULL && world_run(&w, job, 0));
    return job;
}

static int ask(const struct window_call *call, struct window_reply *reply)
{
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_window(w.core, call, "root", w.now, &f, reply, &w.refusal);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    return rc;
}

/* From then on, for an hour. */
static struct window_call hour(const char *node, int64_t in_us)
{
    struct window_call call = {.from_utc_us = w.now.utc_us + in_us, .to_utc_us = w.now.utc_us + in_us + HOUR};
    MUST(str_set(&call.reason, "firmware") == 0);
    if (node != NULL)
        MUST(strs_add(&call.nodes, node) == 0);
    else
        call.cell = true;
    return call;
}

/* Takes the call. */
static uint64_t plan(struct window_call call)
{
    struct window_reply reply = {0};
    ck_assert_int_eq(ask(&call, &reply), CORE_FACT);
    fields_clear(&window_call_fields, &call);
    return reply.window;
}

static int drop(uint64_t window)
{
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_window_drop(w.core, &(struct window_drop_call){.window = window}, "root", w.now, &f,
                                    &w.refusal);
    if (rc == CORE_FACT)
        world_commit(&w, &f);
    return rc;
}

/* What its node is told: why to stop, or END_NONE. */
static uint32_t told(uint64_t job)
{
    struct run_call run = {0};
    struct attempt_id id = {.job = job};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert(world_node_of(&w, &id) != NULL);
    (void)core_duty(w.core, id, true, &run, &paid_us, &cause);
    fields_clear(&run_call_fields, &run);
    return cause;
}

static size_t count_of(uint32_t kind)
{
    size_t count = 0;
    for (size_t i = 0; i < w.journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w.journal.v)[i];
        struct fact f = {0};
        MUST(fact_decode(b->data, b->len, &f, NULL) == 0);
        count += f.kind == kind;
        fact_clear(&f);
    }
    return count;
}

/* ---- what starts ------------------------------------------------------------------------------------ */

START_TEST(nothing_starts_that_could_still_run_when_its_node_closes)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    (void)plan(hour("n1", HOUR));
    int64_t tail_us = (int64_t)(w.core->limits.grace_ms + w.core->limits.kill_ms) * 1000;
    uint64_t longer = submit(1, HOUR - tail_us + 1000, false), fits = submit(1, HOUR - tail_us, false);
    turns();
    ck_assert(node_of(longer) == NULL && node_of(fits) != NULL);
    world_verify(&w, NULL);
    pass(2 * HOUR - 1);
    turns();
    ck_assert(node_of(longer) == NULL);
    pass(1);
    turns();
    ck_assert_uint_eq(count_of(FACT_WINDOW_DROPPED), 1);
    ck_assert_str_eq(node_of(longer), "n1");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(another_node_takes_it_whatever_it_asks_for)
{
    begin();
    world_hello(&w, "n1", "b", 2, 64 * GIB); /* the fuller one, which pack would take */
    world_hello(&w, "n2", "b", 8, 64 * GIB);
    (void)plan(hour("n1", HOUR));
    struct job_spec pooled = world_spec(1000, GIB), spread = world_spec(1000, GIB);
    MUST(str_set(&pooled.where, "node in (n1, n2)") == 0);
    spread.placement = 1;
    uint64_t jobs[] = {submit(1, 2 * HOUR, false), world_submit(&w, "acme", pooled),
                       world_submit(&w, "acme", spread), submit(1, HOUR / 2, false)};
    turns();
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(node_of(jobs[i]), "n2");
    ck_assert_str_eq(node_of(jobs[3]), "n1");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(without_a_limit_it_waits_for_a_horizon_or_may_be_preempted)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    int64_t horizon_us = (int64_t)w.core->limits.horizon_ms * 1000;
    uint64_t window = plan(hour("n1", horizon_us));
    uint64_t far = submit(1, 0, false);
    turns();
    ck_assert(node_of(far) != NULL);
    struct window_call sooner = hour("n1", horizon_us - 1000);
    sooner.window = window;
    (void)plan(sooner);
    uint64_t near = submit(1, 0, false), preemptible = submit(1, 0, true);
    turns();
    ck_assert(node_of(near) == NULL && node_of(preemptible) != NULL);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(what_may_be_preempted_gets_its_least_time_or_waits)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    int64_t least_us = (int64_t)PREEMPT_MIN_RUN_DEFAULT_MS * 1000 +
                       (int64_t)(w.core->limits.grace_ms + w.core->limits.kill_ms) * 1000 + 1;
    (void)plan(hour("n1", least_us));
    uint64_t just = submit(1, 0, true);
    turns();
    ck_assert(node_of(just) != NULL);
    pass(1);
    uint64_t late = submit(1, 0, true);
    turns();
    ck_assert(node_of(late) == NULL);
    world_fini(&w);
}
END_TEST

/* ---- what runs -------------------------------------------------------------------------------------- */

START_TEST(at_the_begin_goes_what_may_be_preempted_and_the_rest_when_it_is_told)
{
    bool stops = _i == 1;
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t long_one = start(1, 3 * HOUR, false), may_go = start(1, 0, true), no_limit = start(1, 0, false);
    uint64_t soon_over = start(1, HOUR - 8 * SECOND, false);
    struct window_call call = hour("n1", HOUR);
    struct window_reply reply = {0};
    call.at_begin = stops ? WINDOW_STOPS : WINDOW_LEAVES;
    ck_assert_int_eq(ask(&call, &reply), CORE_FACT);
    fields_clear(&window_call_fields, &call);
    ck_assert_uint_eq(reply.nodes, 1);
    ck_assert_uint_eq(reply.running, 3);
    pass(HOUR - 8 * SECOND - 1);
    turns();
    ck_assert_int_eq(told(may_go), END_NONE);
    pass(1);
    turns();
    ck_assert_int_eq(told(may_go), END_MAINTENANCE);
    ck_assert_int_eq(told(long_one), stops ? END_MAINTENANCE : END_NONE);
    ck_assert_int_eq(told(no_limit), stops ? END_MAINTENANCE : END_NONE);
    ck_assert_int_eq(told(soon_over), END_NONE); /* its own limit comes now */
    world_verify(&w, NULL);
    turns();
    ck_assert_uint_eq(count_of(FACT_ATTEMPT_STOPPING), stops ? 3 : 1); /* said once */
    struct core *restored = world_restored(&w, NULL); /* who recovers then asks nobody a second time */
    static struct fact again[64];
    uint64_t next;
    size_t count = core_decide(restored, w.now, again, COUNT_OF(again), &next);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ne(again[i].kind, FACT_ATTEMPT_STOPPING);
        fact_clear(&again[i]);
    }
    core_free(restored);
    world_fini(&w);
}
END_TEST

START_TEST(what_was_stopped_is_queued_again_and_pays_like_what_was_preempted)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t bound = start(1, 0, false), may_go = start(1, 0, true);
    struct window_call call = hour("n1", 10 * MINUTE);
    call.at_begin = WINDOW_STOPS;
    (void)plan(call);
    pass(10 * MINUTE - 8 * SECOND);
    turns();
    pass(SECOND);
    int64_t before = world_account(&w, "/@total").spent_micros;
    ck_assert(world_end(&w, bound, 0, END_MAINTENANCE, 0, 100 * SECOND));
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, before); /* refunded beyond what was settled */
    ck_assert(world_end(&w, may_go, 0, END_MAINTENANCE, 0, 593 * SECOND));
    ck_assert_int_gt(world_account(&w, "/@total").spent_micros, before);
    ck_assert(world_is(&w, bound, "pending") && world_is(&w, may_go, "pending"));
    pass(HOUR);
    turns();
    ck_assert(node_of(bound) == NULL && node_of(may_go) == NULL);
    pass(10 * MINUTE);
    turns();
    ck_assert(node_of(bound) != NULL && node_of(may_go) != NULL);
    struct job_view view = world_view(&w, bound);
    ck_assert_uint_eq(view.attempts.count, 2);
    fields_clear(&job_view_fields, &view);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(an_order_that_never_arrived_is_not_taken_for_one_that_ends_by_itself)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t job = submit(1, MINUTE, false);
    struct window_call call = hour("n1", HOUR);
    call.at_begin = WINDOW_STOPS;
    (void)plan(call);
    turns();
    ck_assert(node_of(job) != NULL); /* and its node never says that it runs */
    pass(HOUR);
    turns();
    ck_assert_int_eq(told(job), END_MAINTENANCE);
    world_fini(&w);
}
END_TEST

/* ---- promises --------------------------------------------------------------------------------------- */

START_TEST(a_promise_knows_the_window_and_what_ends_before_it_goes_first)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    (void)start(2, HOUR / 2, false);
    struct window_call call = hour("n1", HOUR);
    int64_t opens_utc_us = call.to_utc_us, start_utc_us = 0;
    (void)plan(call);
    uint64_t large = submit(4, 45 * MINUTE, false), small = submit(2, 40 * MINUTE, false);
    turns();
    const struct node *n;
    ck_assert(reserve_promised(w.core, job_find(w.core, large)->shape, &start_utc_us, &n));
    ck_assert_int_eq(start_utc_us, opens_utc_us); /* there are 30 minutes before it */
    ck_assert(node_of(small) != NULL);
    struct why_reply why;
    ck_assert(core_why(w.core, &(struct job_call){.job = large}, w.now, &why));
    ck_assert_str_eq(why.estimate,
                     "between 2026-11-24T00:00:00Z and 2026-11-24T02:00:00Z, on n1, which is kept for it");
    fields_clear(&why_reply_fields, &why);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(nobody_is_stopped_for_what_would_meet_a_window)
{
    begin_with(4);
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t borrower = start(4, 0, true);
    (void)plan(hour("n1", HOUR));
    pass(5 * MINUTE); /* it has had its least time */
    struct job_spec spec = world_spec(4000, GIB);
    spec.time_limit_ms = 2 * HOUR / 1000;
    uint64_t owner = world_submit(&w, "own", spec);
    turns();
    ck_assert_int_eq(told(borrower), END_NONE);
    spec = world_spec(4000, GIB);
    spec.time_limit_ms = HOUR / 2 / 1000;
    (void)world_submit(&w, "own", spec);
    for (int i = 0; i < 5; i++) {
        pass(2 * SECOND);
        turns();
    }
    ck_assert_int_eq(told(borrower), END_PREEMPTED);
    ck_assert(node_of(owner) == NULL);
    world_fini(&w);
}
END_TEST

/* ---- why -------------------------------------------------------------------------------------------- */

static struct why_reply why(uint64_t job)
{
    struct why_reply reply;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &reply));
    ck_assert_uint_eq(reply.blockers.count, 1);
    return reply;
}

START_TEST(why_says_the_window_and_the_limit_it_says_starts)
{
    begin();
    world_hello(&w, "n1", "b", 2, 64 * GIB);
    world_hello(&w, "n2", "b", 4, 64 * GIB);
    (void)plan(hour("n1", HOUR));
    (void)plan(hour("n2", 2 * HOUR));
    uint64_t job = submit(1, 3 * HOUR, false);
    turns();
    struct why_reply r = why(job);
    const struct blocker *b = r.blockers.v;
    ck_assert_str_eq(b->text, "placement: n2 has room now, but closes at 2026-11-24T02:00:00Z until "
                              "2026-11-24T03:00:00Z for: firmware (window 2): 1h59m are left before, needs 3h");
    ck_assert_str_eq(b->where, "node n2");
    ck_assert_str_eq(b->resource, "time_limit");
    ck_assert_int_eq(b->need - b->free, b->short_by);
    ck_assert_int_eq(b->need, 3 * HOUR / 1000);
    ck_assert_str_eq(r.change, "time_limit <= 1h59m");
    fields_clear(&why_reply_fields, &r);
    uint64_t changed = submit(1, 119 * MINUTE, false);
    turns();
    ck_assert_str_eq(node_of(changed), "n2");
    ck_assert(node_of(job) == NULL);
    world_fini(&w);
}
END_TEST

START_TEST(why_says_that_it_is_closed_and_until_when)
{
    begin();
    world_hello(&w, "n1", "b", 2, 64 * GIB);
    (void)plan(hour("n1", 0));
    uint64_t job = submit(1, MINUTE, false);
    turns();
    struct why_reply r = why(job);
    const struct blocker *b = r.blockers.v;
    ck_assert_str_eq(b->text, "placement: n1 has room now, but is closed until 2026-11-24T01:00:00Z for: firmware "
                              "(window 1): 0ms are left before, needs 1m");
    ck_assert_str_eq(r.change, "window 1 ends");
    fields_clear(&why_reply_fields, &r);
    struct node_reply nodes;
    ck_assert_int_eq(core_nodes(w.core, w.now, &nodes), 0);
    const struct node_row *row = nodes.nodes.v;
    ck_assert_str_eq(row->state, "closed");
    ck_assert_str_eq(row->reason, "firmware");
    ck_assert_uint_eq(row->window, 1);
    fields_clear(&node_reply_fields, &nodes);
    ck_assert_int_eq(drop(1), CORE_FACT);
    turns();
    ck_assert(node_of(job) != NULL);
    world_fini(&w);
}
END_TEST

/* ---- which nodes, and who says so ------------------------------------------------------------------- */

START_TEST(closed_nodes_are_counted_as_of_now_and_not_of_the_last_fact)
{
    struct core_stats stats;
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    (void)plan(hour("n1", 5 * MINUTE));
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.nodes_closed, 0);
    pass(6 * MINUTE);
    turns(); /* nothing happens in them */
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.nodes_closed, 1);
    world_fini(&w);
}
END_TEST

static void hello_labelled(const char *node, const char *rack)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t)"b"};
    call.capacity = (struct resources){.cpu_milli = 4000, .mem_bytes = 64 * GIB};
    MUST(rack == NULL || pairs_set(&call.labels, "rack", rack) == 0);
    world_hello_as(&w, &call);
    for (size_t i = 0; i < call.labels.count; i++) {
        free(call.labels.v[i].key);
        free(call.labels.v[i].value);
    }
    free(call.labels.v);
}

START_TEST(by_labels_it_closes_what_suits_it_now_or_later)
{
    begin();
    hello_labelled("n1", "r1");
    struct window_call call = hour(NULL, HOUR);
    call.cell = false;
    MUST(str_set(&call.where, "rack == r1") == 0);
    (void)plan(call);
    uint64_t job = submit(1, 2 * HOUR, false);
    turns();
    ck_assert(node_of(job) == NULL);
    hello_labelled("n2", "r1"); /* comes later */
    turns();
    ck_assert(node_of(job) == NULL);
    world_verify(&w, NULL);
    hello_labelled("n2", "r2"); /* stands elsewhere now */
    turns();
    ck_assert_str_eq(node_of(job), "n2");
    uint64_t more = submit(1, 2 * HOUR, false);
    hello_labelled("n2", "r1");
    turns();
    ck_assert(node_of(more) == NULL);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(it_is_changed_and_taken_back_and_the_same_again_is_the_same)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t first = plan(hour(NULL, HOUR)), again = plan(hour(NULL, HOUR)), other = plan(hour(NULL, 5 * HOUR));
    ck_assert_uint_eq(first, again);
    ck_assert_uint_eq(other, first + 1);
    ck_assert_uint_eq(count_of(FACT_WINDOW_SET), 2);
    uint64_t job = submit(1, 2 * HOUR, false);
    turns();
    ck_assert(node_of(job) == NULL);
    struct window_call later = hour(NULL, 4 * HOUR);
    later.window = first;
    ck_assert_uint_eq(plan(later), first);
    world_verify(&w, NULL);
    turns();
    ck_assert(node_of(job) != NULL);
    uint64_t longer = submit(1, 5 * HOUR, false);
    turns();
    ck_assert(node_of(longer) == NULL);
    ck_assert_int_eq(drop(first), CORE_FACT);
    turns();
    ck_assert(node_of(longer) == NULL); /* the other one is still there */
    ck_assert_int_eq(drop(other), CORE_FACT);
    turns();
    ck_assert(node_of(longer) != NULL);
    ck_assert_int_eq(drop(first), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "not_found");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(nonsense_is_refused_by_name)
{
    static const struct {
        const char *node, *where;
        bool cell;
        uint64_t window;
        int64_t from, until;
        const char *code, *at;
    } rows[] = {
        {"n9", NULL, false, 0, HOUR, 2 * HOUR, "not_found", "nodes"},
        {NULL, NULL, false, 0, HOUR, 2 * HOUR, "bad_request", "nodes"},
        {"n1", NULL, true, 0, HOUR, 2 * HOUR, "bad_request", "nodes"},
        {NULL, "rack ==", false, 0, HOUR, 2 * HOUR, "bad_request", "where"},
        {"n1", NULL, false, 0, HOUR, HOUR, "bad_request", "until"},
        {"n1", NULL, false, 0, -HOUR, 0, "bad_request", "until"},
        {"n1", NULL, false, 0, HOUR, HOUR + WINDOW_LONGEST_US + 1, "bad_request", "until"},
        {"n1", NULL, false, 7, HOUR, 2 * HOUR, "not_found", "window"},
    };
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct window_call call = {.window = rows[i].window, .cell = rows[i].cell,
                                   .from_utc_us = w.now.utc_us + rows[i].from,
                                   .to_utc_us = w.now.utc_us + rows[i].until};
        struct window_reply reply = {0};
        MUST(rows[i].node == NULL || strs_add(&call.nodes, rows[i].node) == 0);
        MUST(str_set(&call.where, rows[i].where) == 0);
        ck_assert_int_eq(ask(&call, &reply), CORE_REFUSED);
        ck_assert_str_eq(w.refusal.code, rows[i].code);
        ck_assert_str_eq(w.refusal.where, rows[i].at);
        fields_clear(&window_call_fields, &call);
    }
    for (int64_t i = 0; i < WINDOWS_MAX; i++)
        (void)plan(hour("n1", HOUR + i));
    struct window_call one_more = hour("n1", 9 * HOUR);
    struct window_reply reply = {0};
    ck_assert_int_eq(ask(&one_more, &reply), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "windows_full");
    fields_clear(&window_call_fields, &one_more);
    ck_assert_uint_eq(plan(hour("n1", HOUR)), 1); /* one that is there may be asked for again */
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(two_at_once_come_one_after_the_other_and_nothing_is_placed_beside_them)
{
    struct fact f, g, facts[8];
    struct window_reply reply = {0};
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    struct window_call call = hour("n1", HOUR);
    ck_assert_int_eq(core_check_window(w.core, &call, "root", w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_int_eq(core_check_window(w.core, &call, "root", w.now, &g, &reply, &w.refusal), CORE_LATER);
    (void)submit(1, 2 * HOUR, false);
    ck_assert_uint_eq(core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us), 0);
    world_refuse(&w, &f, "dropped"); /* the store was away */
    ck_assert_uint_eq(world_decide(&w), 1);
    fields_clear(&window_call_fields, &call);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

/* ---- whatever is planned ---------------------------------------------------------------------------- */

#define SEEN_MAX 400
static struct { int64_t from, to; uint64_t number; const char *node; } known[SEEN_MAX];

START_TEST(whatever_is_planned_nothing_with_a_limit_is_placed_into_it)
{
    static const char *const names[] = {"n1", "n2"};
    uint64_t seed = random_seed("windows") + (uint64_t)_i, r = seed, jobs[SEEN_MAX];
    int64_t limits[SEEN_MAX], ends[SEEN_MAX];
    size_t count = 0, windows = 0, placed = 0;
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    world_hello(&w, "n2", "b", 4, 64 * GIB);
    for (int step = 0; step < 300; step++) {
        if (count < SEEN_MAX) {
            limits[count] = (int64_t)(1 + random_below(&r, 90)) * MINUTE;
            ends[count] = 0;
            jobs[count] = submit(1 + random_below(&r, 4), limits[count], false);
            count++;
        }
        if (random_below(&r, 6) == 0 && windows < SEEN_MAX) {
            const char *node = names[random_below(&r, 2)];
            struct window_call call = hour(node, (int64_t)random_below(&r, 180) * MINUTE);
            call.to_utc_us = call.from_utc_us + (int64_t)(1 + random_below(&r, 60)) * MINUTE;
            int64_t from = call.from_utc_us, to = call.to_utc_us;
            known[windows].node = node;
            known[windows].from = from;
            known[windows].to = to;
            known[windows++].number = plan(call);
        }
        if (windows > 0 && random_below(&r, 12) == 0) {
            size_t i = random_below(&r, (uint32_t)windows);
            bool dropped = known[i].to > w.now.utc_us && drop(known[i].number) == CORE_FACT;
            for (size_t k = 0; dropped && k < windows; k++) /* the same was planned twice */
                if (known[k].number == known[i].number)
                    known[k].to = known[k].from;
        }
        turns();
        for (size_t i = 0; i < count; i++) {
            if (ends[i] == 0 && node_of(jobs[i]) != NULL) {
                int64_t over = w.now.utc_us + limits[i] + 8 * SECOND;
                for (size_t k = 0; k < windows; k++)
                    ck_assert_msg(strcmp(known[k].node, node_of(jobs[i])) != 0 || known[k].to <= w.now.utc_us ||
                                      known[k].from == known[k].to || over <= known[k].from,
                                  "seed %llu: job %zu is placed into window %llu", (unsigned long long)seed, i,
                                  (unsigned long long)known[k].number);
                ends[i] = w.now.utc_us + (int64_t)(1 + random_below(&r, (uint32_t)(limits[i] / SECOND))) * SECOND;
                ck_assert(world_run(&w, jobs[i], 0));
                placed++;
            }
        }
        pass((int64_t)(1 + random_below(&r, 4)) * MINUTE);
        for (size_t i = 0; i < count; i++)
            if (ends[i] > 0 && ends[i] <= w.now.utc_us && node_of(jobs[i]) != NULL)
                ck_assert(world_end(&w, jobs[i], 0, END_EXIT, 0, MINUTE));
        if (step % 50 == 0)
            world_verify(&w, NULL);
    }
    ck_assert_uint_gt(placed, 30);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("windows");
    TCase *t = tcase_create("windows");
    tcase_add_test(t, nothing_starts_that_could_still_run_when_its_node_closes);
    tcase_add_test(t, another_node_takes_it_whatever_it_asks_for);
    tcase_add_test(t, without_a_limit_it_waits_for_a_horizon_or_may_be_preempted);
    tcase_add_test(t, what_may_be_preempted_gets_its_least_time_or_waits);
    tcase_add_loop_test(t, at_the_begin_goes_what_may_be_preempted_and_the_rest_when_it_is_told, 0, 2);
    tcase_add_test(t, what_was_stopped_is_queued_again_and_pays_like_what_was_preempted);
    tcase_add_test(t, an_order_that_never_arrived_is_not_taken_for_one_that_ends_by_itself);
    tcase_add_test(t, a_promise_knows_the_window_and_what_ends_before_it_goes_first);
    tcase_add_test(t, nobody_is_stopped_for_what_would_meet_a_window);
    tcase_add_test(t, why_says_the_window_and_the_limit_it_says_starts);
    tcase_add_test(t, why_says_that_it_is_closed_and_until_when);
    tcase_add_test(t, closed_nodes_are_counted_as_of_now_and_not_of_the_last_fact);
    tcase_add_test(t, by_labels_it_closes_what_suits_it_now_or_later);
    tcase_add_test(t, it_is_changed_and_taken_back_and_the_same_again_is_the_same);
    tcase_add_test(t, nonsense_is_refused_by_name);
    tcase_add_test(t, two_at_once_come_one_after_the_other_and_nothing_is_placed_beside_them);
    tcase_add_loop_test(t, whatever_is_planned_nothing_with_a_limit_is_placed_into_it, 0, 8);
    suite_add_tcase(s, t);
    return run_suite(s);
}
