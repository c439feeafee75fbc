/* Ranges of tasks that are over, beside a row for each of them; and what an array costs by them. */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>

#include "scheduler/core/outcomes.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define TASKS 97

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed % below);
}

static void compare(const struct outcomes *o, const char row[TASKS])
{
    for (uint32_t i = 0; i < TASKS; i++) {
        const struct outcome *r = outcomes_at(o, i);
        ck_assert_int_eq(r == NULL ? 0 : "sfl"[r->how], row[i]);
        uint32_t beyond = i;
        while (beyond < TASKS && row[beyond] != 0)
            beyond++;
        ck_assert_uint_eq(outcomes_beyond(o, i), beyond);
        uint32_t last = i + draw(TASKS - i);
        bool touched = false;
        for (uint32_t k = i; k <= last; k++)
            touched |= row[k] != 0;
        ck_assert_int_eq(outcomes_touch(o, i, last), touched);
    }
    for (uint32_t i = 1; i < o->count; i++)
        ck_assert(o->v[i - 1].last < o->v[i].first &&
                  (o->v[i - 1].last + 1 < o->v[i].first || o->v[i - 1].how != o->v[i].how));
}

START_TEST(ranges_say_what_a_row_for_each_task_says)
{
    for (seed = 1; seed <= 300; seed++) {
        struct outcomes o = {0};
        char row[TASKS] = {0};
        uint64_t start = seed;
        for (int tries = 0; tries < 150; tries++) {
            uint32_t first = draw(TASKS), more = draw(4), last = MIN(first + more, TASKS - 1);
            uint32_t how = draw(3) == 0 ? 1 + draw(2) : OUTCOME_SUCCESS;
            bool free_row = true;
            for (uint32_t i = first; i <= last; i++)
                free_row &= row[i] == 0;
            if (!free_row)
                continue;
            outcomes_add(&o, first, last, how);
            memset(&row[first], "sfl"[how], last - first + 1);
        }
        compare(&o, row);
        outcomes_fini(&o);
        seed = start;
    }
}
END_TEST

static struct world w;

static uint64_t begin_with_a_million(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, EUR, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 4, 16 * GIB);
    (void)world_submit(&w, "acme", world_spec(100, GIB)); /* tables have their first rows */
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, JOB_TASKS_MAX - 1, 0};
    return world_submit(&w, "acme", spec);
}

static void cancel(uint64_t job, uint32_t task)
{
    struct job_call call = {.job = job, .has_task = true, .task = task};
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &call, "root", w.now, &f, 1, &count, &reply, &w.refusal), CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &f);
}

START_TEST(tasks_cancelled_ahead_of_the_next_cost_a_range)
{
    uint64_t job = begin_with_a_million();
    for (uint32_t i = 1000; i < 2000; i++)
        cancel(job, i);
    struct mallinfo2 before = mallinfo2();
    for (uint32_t i = 2000; i < 3000; i++)
        cancel(job, i);
    struct mallinfo2 after = mallinfo2();
    size_t journal = 0; /* the world keeps what it commits */
    for (size_t i = w.journal.count - 1000; i < w.journal.count; i++)
        journal += malloc_usable_size(((struct bytes *)w.journal.v)[i].data) + 16;
    ck_assert_msg(after.uordblks - before.uordblks < journal + 1000 * 16, "%zu bytes beside the journal's",
                  after.uordblks - before.uordblks - journal);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(a_million_waiting_tasks_cost_what_one_costs)
{
    uint64_t job = begin_with_a_million();
    struct job_view view = world_view(&w, job);
    struct buf bytes = {0};
    fields_encode(&job_spec_fields, &view.spec, &bytes);
    size_t text = bytes.len;
    buf_fini(&bytes);
    fields_clear(&job_view_fields, &view);
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, JOB_TASKS_MAX - 1, 0};
    struct submit_call call = {.tenant = (char[]){"acme"}, .spec = spec};
    struct fact f;
    fields_clear(&submit_reply_fields, &w.quote);
    ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &f, &w.quote, &w.refusal), CORE_FACT);
    struct mallinfo2 before = mallinfo2();
    core_apply(w.core, ++w.seq, &f);
    size_t grown = mallinfo2().uordblks - before.uordblks;
    printf("an array of a million tasks: %zu bytes, %zu of them its text\n", grown, text);
    ck_assert_uint_le(grown, 200); /* the job's record; nothing for its tasks */
    fact_clear(&f);
    fields_clear(&job_spec_fields, &spec);
    world_fini(&w);
}
END_TEST

/* The newest sixteen that are over, the oldest of them first; whatever runs stands behind them. */
static void remembers_until(uint64_t job, uint32_t newest)
{
    struct job_view view;
    uint32_t count = MIN(newest + 1, 16u);
    MUST(core_job_view(w.core, &(struct job_call){.job = job}, w.now, &view));
    ck_assert_uint_ge(view.attempts.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct attempt_view *a = &((const struct attempt_view *)view.attempts.v)[i];
        ck_assert_uint_eq(a->task, newest + 1 - count + i);
        ck_assert_str_eq(a->state, "succeeded");
    }
    fields_clear(&job_view_fields, &view);
}

/* Of a long array the core remembers the newest attempts alone: of the others it says that they were. */
START_TEST(what_is_forgotten_is_said_to_be_past)
{
    struct policy_file p = {.currency = strdup("EUR")};
    world_init(&w, NULL);
    world_price(&p, 0, 0, 0);
    (void)world_rule(&p, "acme");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b1", 40, UINT64_C(64) << 30);
    struct job_spec spec = world_spec(1000, 64 << 20);
    spec.array = (struct job_array){.present = true, .last = 49};
    uint64_t job = world_submit(&w, "acme", spec);
    (void)world_decide(&w); /* 40 of 50 */
    for (uint32_t i = 0; i < 40; i++) {
        world_run(&w, job, i);
        MUST(world_end(&w, job, i, END_EXIT, 0, 1000000));
        remembers_until(job, i);
    }
    bool ended;
    struct attempt_id first = {job, 0, 0}, newest = {job, 39, 0}, waits = {job, 45, 0}, none = {job, 45, 1};
    struct attempt_id another = {job, 39, 2};
    ck_assert_ptr_null(core_attempt_node(w.core, &first, &ended));
    ck_assert(core_attempt_is_past(w.core, first));
    ck_assert_str_eq(core_attempt_node(w.core, &newest, &ended), "n1");
    ck_assert(ended);
    ck_assert_ptr_null(core_attempt_node(w.core, &waits, &ended));
    ck_assert(!core_attempt_is_past(w.core, waits));
    ck_assert(!core_attempt_is_past(w.core, none));
    ck_assert(!core_attempt_is_past(w.core, another)); /* there was none: who follows the log asks so */
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core outcomes");
    TCase *t = tcase_create("ranges");
    tcase_add_test(t, ranges_say_what_a_row_for_each_task_says);
    tcase_add_test(t, tasks_cancelled_ahead_of_the_next_cost_a_range);
    tcase_add_test(t, a_million_waiting_tasks_cost_what_one_costs);
    tcase_add_test(t, what_is_forgotten_is_said_to_be_past);
    suite_add_tcase(s, t);
    return run_suite(s);
}
