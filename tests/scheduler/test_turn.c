/*
 * The commit turn under more wishes than it can commit: deciding and the nodes' reports keep their place. Against a
 * real redis-server.
 */
#include "tests/run.h"
#include "tests/scheduler/cell.h"

enum { FLOOD = 4 * TURN_BATCH_MAX, BATCHES_ENOUGH = 24 };

/* ---- clients that never stop asking ---- */
struct flood {
    uint64_t next_key, placed_at_first, batches_at_first;
    bool over, decided; /* decided: something was placed before it was over */
};
static struct flood flood;

static uint64_t batches(void)
{
    struct turn_stats s;
    turn_stats(cell.turn, &s);
    return s.batches_total;
}

static uint64_t placed(void)
{
    struct core_stats s;
    core_stats(cell.core, &s);
    return s.placed_total;
}

static enum request_step flood_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                       size_t room, size_t *ret_count)
{
    ((struct wish *)r)->n = flood.next_key++;
    return propose(r, core, now, out, room, ret_count);
}

/* One more submission for each that was answered, until the test has seen enough. */
static bool flood_settled(struct request *r)
{
    return !flood.over || settled(r);
}

static void flood_unavailable(struct request *r, const char *why)
{
    (void)why;
    ((struct wish *)r)->cell->waiting--;
}

static const struct request_ops flood_ops = {false, flood_propose, flood_settled, flood_unavailable, wish_free};

static void flood_begin(size_t wishes)
{
    flood = (struct flood){.next_key = 1000000, .placed_at_first = placed(), .batches_at_first = batches()};
    for (size_t i = 0; i < wishes; i++) {
        struct wish *w = calloc(1, sizeof *w);
        ck_assert_ptr_nonnull(w);
        *w = (struct wish){.base = {.ops = &flood_ops}, .cell = &cell, .check = check_submit};
        cell.waiting++;
        turn_post(cell.turn, &w->base);
    }
}

static bool until_placed(void *arg)
{
    bool again = on_turn(arg);
    flood.decided |= !flood.over && placed() > flood.placed_at_first;
    flood.over |= flood.decided || batches() > flood.batches_at_first + BATCHES_ENOUGH;
    return again;
}

/* What is decided is not only where jobs start: the money of running ones is renewed there, too. */
START_TEST(submissions_leave_room_for_decisions)
{
    loop_on_turn(cell.loop, until_placed, &cell);
    flood_begin(FLOOD);
    settle(&cell);
    ck_assert_msg(flood.decided, "nothing was decided in %d batches full of submissions", BATCHES_ENOUGH);
    books_agree(&cell);
}
END_TEST

/* ---- nodes ---- */
static uint64_t told_at; /* the batch after which the node's report was settled */

static bool report_settled(struct request *r)
{
    told_at = batches();
    return settled(r);
}

static const struct request_ops report_ops = {true, propose, report_settled, unavailable, wish_free};

/* Clients have filled the inbox: a node's report is taken, and doesn't wait for them. */
START_TEST(a_report_of_a_node_comes_before_clients)
{
    uint64_t before = batches();
    flood_begin(TURN_INBOX_MAX + 1);
    flood.over = true;
    struct turn_stats s;
    turn_stats(cell.turn, &s);
    ck_assert_uint_eq(s.busy_total, 1);
    struct wish *w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    *w = (struct wish){.base = {.ops = &report_ops}, .cell = &cell, .check = check_ended, .n = cell.last_job};
    cell.waiting++;
    turn_post(cell.turn, &w->base); /* unavailable() would end the test */
    settle(&cell);
    ck_assert_uint_lt(told_at, before + TURN_INBOX_MAX / TURN_BATCH_MAX / 2);
}
END_TEST

/* ---- bytes ---- */
enum { LARGE = 24 };

static int check_large(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    static char word[60001];
    struct submit_call call = {0};
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    (void)w;
    memset(word, 'x', sizeof word - 1);
    ck_assert_int_eq(str_set(&call.tenant, "acme"), 0);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(strs_add(&call.spec.command, word), 0);
    int answer = core_check_submit(core, &call, 0, "root", now, out, &reply, &refusal);
    ck_assert_msg(answer == CORE_FACT, "%s: %s", refusal.where, refusal.message);
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    return answer;
}

/* A batch has to be answered within the store's deadline, however long its entries are. */
START_TEST(large_entries_go_a_few_at_a_time)
{
    uint64_t before = batches();
    for (int i = 0; i < LARGE; i++)
        post(&cell, check_large, 0);
    settle(&cell);
    ck_assert_uint_ge(batches(), before + LARGE / 2);
    books_agree(&cell);
}
END_TEST

/* ---- both ---- */
enum { ENDS = 2 * TURN_BATCH_MAX, TASKS = ENDS + 100 };

static uint64_t cancelled_at, ends_told;

static int check_array(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    struct submit_call call = {.spec.array = {.present = true, .last = TASKS - 1}};
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(str_set(&call.tenant, "acme"), 0);
    ck_assert_int_eq(strs_add(&call.spec.command, "/bin/true"), 0);
    call.spec.resources = (struct resources){.cpu_milli = 10, .mem_bytes = 4 << 20, .scratch_bytes = 1};
    int answer = core_check_submit(core, &call, 0, "root", now, out, &reply, &refusal);
    ck_assert_msg(answer == CORE_FACT, "%s: %s", refusal.where, refusal.message);
    w->cell->last_job = out->submitted.job;
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    return answer;
}

static int check_end(struct wish *w, struct core *core, struct core_now now, struct fact *out)
{
    struct attempt_state s = {.id = {w->cell->last_job, (uint32_t)w->n, 1}, .ended = true,
                              .record = {.cause = END_EXIT, .run_us = 1000}};
    return core_check_ended(core, "n1", &s, now, out);
}

static bool end_settled(struct request *r)
{
    ends_told++;
    return settled(r);
}

static enum request_step cancel_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    struct wish *w = (struct wish *)r;
    struct cancel_reply reply;
    struct refusal refusal = {0};
    struct job_call call = {.job = w->cell->last_job};
    int answer = core_check_cancel(core, &call, "root", now, out, room, ret_count, &reply, &refusal);
    return answer == CORE_LATER ? REQUEST_LATER : REQUEST_FACTS;
}

static bool cancel_settled(struct request *r)
{
    cancelled_at = ends_told;
    return settled(r);
}

static const struct request_ops end_ops = {true, propose, end_settled, unavailable, wish_free};
static const struct request_ops cancel_ops = {false, cancel_propose, cancel_settled, unavailable, wish_free};

static void post_as(const struct request_ops *how, uint64_t n)
{
    struct wish *w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    *w = (struct wish){.base = {.ops = how}, .cell = &cell, .check = check_end, .n = n};
    cell.waiting++;
    turn_post(cell.turn, &w->base);
}

/* Who had to wait, because something about the job was on its way, is asked before the nodes say the next thing. */
START_TEST(reports_of_a_job_do_not_keep_its_cancel_waiting)
{
    post(&cell, check_array, 0);
    settle(&cell);
    for (uint64_t i = 0; i < ENDS; i++)
        post_as(&end_ops, i);
    post_as(&cancel_ops, 0);
    settle(&cell);
    ck_assert_uint_eq(ends_told, ENDS);
    ck_assert_uint_lt(cancelled_at, ENDS);
    books_agree(&cell);
}
END_TEST

/* ---- time ---- */
/* What waits for an instant (a retry, a renewal) must not wait until a clock that was set back is there again. */
START_TEST(time_goes_on_when_the_clock_was_set_back)
{
    cell_down(&cell, false);
    cell.ahead_us = INT64_C(3600) * 1000000;
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    struct core_now before = turn_now(cell.turn), now = before;
    ck_assert_int_gt(before.utc_us, clock_utc_us() + cell.ahead_us / 2);
    while (now.boot_us < before.boot_us + 20000) {
        int64_t last_utc_us = now.utc_us;
        now = turn_now(cell.turn);
        ck_assert_int_ge(now.utc_us, last_utc_us);
    }
    int64_t gone_us = (int64_t)(now.boot_us - before.boot_us), felt_us = now.utc_us - before.utc_us;
    ck_assert_int_le(felt_us, gone_us + 1000);
    ck_assert_int_ge(felt_us, gone_us - gone_us / 500 - 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turn");
    TCase *t = tcase_create("turn");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, submissions_leave_room_for_decisions);
    tcase_add_test(t, a_report_of_a_node_comes_before_clients);
    tcase_add_test(t, large_entries_go_a_few_at_a_time);
    tcase_add_test(t, time_goes_on_when_the_clock_was_set_back);
    tcase_add_test(t, reports_of_a_job_do_not_keep_its_cancel_waiting);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
