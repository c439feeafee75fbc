#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policies/retry.h"
#include "tests/run.h"

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
        ck_assert_int_eq(retry_pause_us(NULL, END_EXIT, i + 1, 0), seconds[i] * 1000000);
        ck_assert_int_eq(retry_pause_us(NULL, END_NODE_LOST, 0, i + 1), seconds[i] * 1000000);
    }
    ck_assert_int_eq(retry_pause_us(NULL, END_EXIT, UINT32_MAX, 0), 60000000);
}
END_TEST

/* What a job says: words apart by spaces. */
struct wish {
    const char *on, *codes, *not_codes;
    uint64_t pause_s, pause_max_s;
};

static void add_words(struct strs *to, const char *words)
{
    char text[64];
    snprintf(text, sizeof text, "%s", words != NULL ? words : "");
    for (char *at = text, *word; (word = strsep(&at, " ")) != NULL;)
        ck_assert(word[0] == '\0' || strs_add(to, word) == 0);
}

static struct retry_rule rule_of(struct wish wish)
{
    struct job_retry r = {.present = true, .pause_ms = wish.pause_s * 1000, .pause_max_ms = wish.pause_max_s * 1000};
    struct err err = {0};
    add_words(&r.on, wish.on);
    add_words(&r.exit_codes, wish.codes);
    add_words(&r.not_exit_codes, wish.not_codes);
    ck_assert_msg(job_retry_check(&r, 1, &err) == 0, "%s", err.text);
    struct retry_rule rule = retry_rule_of(&r);
    fields_clear(&job_retry_fields, &r);
    return rule;
}

static const struct {
    const char *fact;
    struct wish wish;
    uint32_t cause;
    int32_t code;
    bool late;
    uint32_t next, user_retry;
} wishes[] = {
    {"who says nothing of causes has the usual ones", {0}, END_SIGNAL, 0, false, NEXT_QUEUED, 1},
    {"and the time limit is none of them", {0}, END_TIME_LIMIT, 0, false, NEXT_FINAL, 0},
    {"a cause that isn't named is final", {.on = "exit"}, END_SIGNAL, 0, false, NEXT_FINAL, 0},
    {"out of memory can be final", {.on = "exit signal inputs"}, END_OOM, 0, false, NEXT_FINAL, 0},
    {"inputs alone can be tried again", {.on = "inputs"}, END_INPUTS, 0, false, NEXT_QUEUED, 1},
    {"a time limit that is named is tried again", {.on = "time_limit"}, END_TIME_LIMIT, 0, false, NEXT_QUEUED, 1},
    {"but not when finish_by has come", {.on = "time_limit"}, END_TIME_LIMIT, 0, true, NEXT_FINAL, 0},
    {"a named exit code is tried again", {.codes = "75 100-110"}, END_EXIT, 75, false, NEXT_QUEUED, 1},
    {"the first of a range is", {.codes = "75 100-110"}, END_EXIT, 100, false, NEXT_QUEUED, 1},
    {"the last of a range is", {.codes = "75 100-110"}, END_EXIT, 110, false, NEXT_QUEUED, 1},
    {"the one behind it is final", {.codes = "75 100-110"}, END_EXIT, 111, false, NEXT_FINAL, 0},
    {"exit codes say nothing of signals", {.codes = "75"}, END_SIGNAL, 0, false, NEXT_QUEUED, 1},
    {"a code that is ruled out is final", {.not_codes = "2"}, END_EXIT, 2, false, NEXT_FINAL, 0},
    {"others are tried again", {.not_codes = "2"}, END_EXIT, 255, false, NEXT_QUEUED, 1},
    {"success stays success", {.not_codes = "2"}, END_EXIT, 0, false, NEXT_FINAL, 0},
    {"a code that no process has isn't named", {.codes = "1-255"}, END_EXIT, 256, false, NEXT_FINAL, 0},
    {"nor ruled out", {.not_codes = "2"}, END_EXIT, -1, false, NEXT_QUEUED, 1},
    {"a node's fault is not the job's to judge", {.on = "time_limit"}, END_NODE_LOST, 0, false, NEXT_QUEUED, 0},
    {"nor is being preempted", {.on = "time_limit"}, END_PREEMPTED, 0, false, NEXT_QUEUED, 0},
    {"a spent budget is final whatever it says", {.on = "exit"}, END_BUDGET, 0, false, NEXT_FINAL, 0},
};

START_TEST(a_job_says_which_failures_are_tried_again)
{
    struct retry_rule rule = rule_of(wishes[_i].wish);
    struct exit_record record = {.cause = wishes[_i].cause, .exit_code = wishes[_i].code};
    struct retry_case c = {.record = &record, .rule = &rule, .retries = 1, .late = wishes[_i].late};
    struct retry_answer a = retry_after(&c);
    ck_assert_msg(a.next == wishes[_i].next && a.user_retry == wishes[_i].user_retry, "%s: next %u retry %u",
                  wishes[_i].fact, a.next, a.user_retry);
    c.retries_used = 1;
    a = retry_after(&c);
    ck_assert_msg(a.user_retry == 0 && (wishes[_i].user_retry == 0 || a.next == NEXT_FINAL),
                  "%s: and no more often than `retries`", wishes[_i].fact);
}
END_TEST

START_TEST(a_job_says_how_long_it_waits)
{
    static const struct {
        struct wish wish;
        int64_t seconds[5];
    } rows_of_pauses[] = {
        {{0}, {1, 2, 4, 8, 16}},
        {{.pause_s = 10}, {10, 20, 40, 60, 60}},
        {{.pause_s = 10, .pause_max_s = 25}, {10, 20, 25, 25, 25}},
        {{.pause_s = 300}, {300, 300, 300, 300, 300}}, /* the largest is never below the first */
        {{.pause_max_s = 3}, {1, 2, 3, 3, 3}},
        {{.pause_s = 86400, .pause_max_s = 86400}, {86400, 86400, 86400, 86400, 86400}},
    };
    for (size_t i = 0; i < COUNT_OF(rows_of_pauses); i++) {
        struct retry_rule rule = rule_of(rows_of_pauses[i].wish);
        for (uint32_t k = 0; k < 5; k++)
            ck_assert_int_eq(retry_pause_us(&rule, END_EXIT, k + 1, 7), rows_of_pauses[i].seconds[k] * 1000000);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("retry");
    TCase *t = tcase_create("rows");
    tcase_add_loop_test(t, what_follows_an_end, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_a_person_wants_run_again_is_queued_unless_it_succeeded);
    tcase_add_test(t, pauses_double_from_a_second_to_a_minute);
    tcase_add_loop_test(t, a_job_says_which_failures_are_tried_again, 0, (int)COUNT_OF(wishes));
    tcase_add_test(t, a_job_says_how_long_it_waits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
