#include <check.h>

#include "policies/retry.h"

struct row {
    const char *fact;
    uint32_t cause;
    int32_t code;
    uint32_t retries, used, faults, on_loss;
    bool cancelled;
    uint32_t next, state, user_retry;
};

static const struct row rows[] = {
    {"a task that exits with 0 has succeeded", END_EXIT, 0, 3, 0, 0, 0, false, NEXT_FINAL, TASK_SUCCEEDED, 0},
    {"a failure with retries left is tried again and uses one up", END_EXIT, 1, 3, 2, 0, 0, false, NEXT_QUEUED,
     0, 1},
    {"a failure without retries left is final", END_EXIT, 1, 3, 3, 0, 0, false, NEXT_FINAL, TASK_FAILED, 0},
    {"a signal of its own making is the user's failure", END_SIGNAL, 0, 1, 0, 0, 0, false, NEXT_QUEUED, 0, 1},
    {"running out of memory is the user's failure", END_OOM, 0, 0, 0, 0, 0, false, NEXT_FINAL, TASK_OOM_KILLED,
     0},
    {"inputs that can't be brought in are the user's failure", END_INPUTS, 0, 1, 0, 0, 0, false, NEXT_QUEUED, 0, 1},
    {"so are outputs that can't be brought out", END_OUTPUTS, 0, 1, 1, 0, 0, false, NEXT_FINAL, TASK_FAILED, 0},
    {"a time limit is final even with retries left", END_TIME_LIMIT, 0, 9, 0, 0, 0, false, NEXT_FINAL,
     TASK_TIMED_OUT, 0},
    {"a spent budget is final even with retries left", END_BUDGET, 0, 9, 0, 0, 0, false, NEXT_FINAL,
     TASK_BUDGET_STOPPED, 0},
    {"a lost node costs no retry", END_NODE_LOST, 0, 0, 0, 0, NODE_LOSS_RERUN, false, NEXT_QUEUED, 0, 0},
    {"a lost node holds a task that may not run twice", END_NODE_LOST, 0, 5, 0, 0, NODE_LOSS_HOLD, false,
     NEXT_HELD, 0, 0},
    {"a lost node fails a task that wants it so", END_LEASE, 0, 5, 0, 0, NODE_LOSS_FAIL, false, NEXT_FINAL,
     TASK_LOST, 0},
    {"a launch that failed has not run: it is tried again whatever on_node_loss says", END_LAUNCH_FAILED, 0, 0,
     0, 0, NODE_LOSS_FAIL, false, NEXT_QUEUED, 0, 0},
    {"the twentieth node fault holds the task", END_LAUNCH_FAILED, 0, 0, 0, 19, 0, false, NEXT_HELD, 0, 0},
    {"the nineteenth does not", END_KEEPER_LOST, 0, 0, 0, 18, 0, false, NEXT_QUEUED, 0, 0},
    {"what was cancelled is not tried again", END_CANCELLED, 0, 5, 0, 0, 0, true, NEXT_FINAL, TASK_CANCELLED,
     0},
    {"what was cancelled is not tried again when its node is lost", END_NODE_LOST, 0, 5, 0, 0, 0, true,
     NEXT_FINAL, TASK_CANCELLED, 0},
    {"what was cancelled and failed meanwhile is cancelled", END_EXIT, 143, 5, 0, 0, 0, true, NEXT_FINAL,
     TASK_CANCELLED, 0},
    {"what had succeeded before the cancellation reached it stays so", END_EXIT, 0, 0, 0, 0, 0, true,
     NEXT_FINAL, TASK_SUCCEEDED, 0},
};

START_TEST(what_follows_an_end)
{
    const struct row *r = &rows[_i];
    struct exit_record record = {.cause = r->cause, .exit_code = r->code};
    struct retry_case c = {.record = &record,
                           .retries = r->retries,
                           .retries_used = r->used,
                           .node_faults = r->faults,
                           .on_node_loss = r->on_loss,
                           .cancelled = r->cancelled};
    struct retry_answer a = retry_after(&c);
    ck_assert_msg(a.next == r->next && a.user_retry == r->user_retry &&
                      (a.next != NEXT_FINAL || a.state == r->state),
                  "%s: next %u state %u retry %u", r->fact, a.next, a.state, a.user_retry);
}
END_TEST

START_TEST(what_a_person_wants_run_again_is_queued_unless_it_succeeded)
{
    static const struct {
        uint32_t cause;
        int32_t code;
        bool cancelled;
        uint32_t next;
    } ends[] = {
        {END_REQUEUED, 0, false, NEXT_QUEUED},  {END_EXIT, 143, false, NEXT_QUEUED}, {END_EXIT, 0, false, NEXT_FINAL},
        {END_NODE_LOST, 0, false, NEXT_QUEUED}, {END_REQUEUED, 0, true, NEXT_FINAL},
    };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct exit_record record = {.cause = ends[i].cause, .exit_code = ends[i].code};
        struct retry_case c = {.record = &record,
                               .on_node_loss = NODE_LOSS_FAIL,
                               .cancelled = ends[i].cancelled,
                               .requeued = true};
        struct retry_answer a = retry_after(&c);
        ck_assert_msg(a.next == ends[i].next && a.user_retry == 0, "row %zu: next %u", i, a.next);
    }
}
END_TEST

START_TEST(pauses_double_from_a_second_to_a_minute)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (uint32_t i = 0; i < COUNT_OF(seconds); i++) {
        ck_assert_int_eq(retry_pause_us(END_EXIT, i + 1, 0), seconds[i] * 1000000);
        ck_assert_int_eq(retry_pause_us(END_NODE_LOST, 0, i + 1), seconds[i] * 1000000);
    }
    ck_assert_int_eq(retry_pause_us(END_EXIT, UINT32_MAX, 0), 60000000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("retry");
    TCase *t = tcase_create("rows");
    tcase_add_loop_test(t, what_follows_an_end, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_a_person_wants_run_again_is_queued_unless_it_succeeded);
    tcase_add_test(t, pauses_double_from_a_second_to_a_minute);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
