/* Every (state, event) pair, written out by hand: a second opinion beside the table in base/task_state.c. */
#include <check.h>
#include <errno.h>

#include "base/task_state.h"
#include "tests/run.h"

#define NO (-EPROTO)
/* With `final` = failed. Columns: placed running silent reached requeued ended held released cancelled left_out */
static const int want[TASK_STATE_COUNT][TASK_EVENT_COUNT] = {
    [TASK_QUEUED] = {TASK_STARTING, NO, NO, NO, NO, NO, TASK_HELD, NO, TASK_CANCELLED, TASK_LEFT_OUT},
    [TASK_HELD] = {NO, NO, NO, NO, NO, NO, NO, TASK_QUEUED, TASK_CANCELLED, NO},
    [TASK_STARTING] = {NO, TASK_RUNNING, TASK_UNREACHABLE, NO, TASK_QUEUED, TASK_FAILED, TASK_HELD, NO, NO, NO},
    [TASK_RUNNING] = {NO, NO, TASK_UNREACHABLE, NO, TASK_QUEUED, TASK_FAILED, TASK_HELD, NO, NO, NO},
    [TASK_UNREACHABLE] = {NO, TASK_RUNNING, NO, TASK_RUNNING, TASK_QUEUED, TASK_FAILED, TASK_HELD, NO, NO, NO},
    [TASK_SUCCEEDED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_FAILED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_CANCELLED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_TIMED_OUT] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_OOM_KILLED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_BUDGET_STOPPED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_LOST] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [TASK_LEFT_OUT] = {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
};

START_TEST(every_pair)
{
    uint32_t state = (uint32_t)_i / TASK_EVENT_COUNT, event = (uint32_t)_i % TASK_EVENT_COUNT;
    int got = task_state_next(state, event, TASK_FAILED);
    ck_assert_msg(got == want[state][event], "%s --%s--> %d, want %d", names_get(&task_state_names, state),
                  names_get(&task_event_names, event), got, want[state][event]);
}
END_TEST

START_TEST(final_states_absorb_and_are_not_live)
{
    for (uint32_t s = 0; s < TASK_STATE_COUNT; s++) {
        ck_assert(!(task_state_is_final(s) && task_state_is_live(s)));
        ck_assert_int_eq(task_state_is_final(s), s >= TASK_SUCCEEDED);
    }
}
END_TEST

START_TEST(nonsense_is_refused_not_followed)
{
    ck_assert_int_eq(task_state_next(TASK_STATE_COUNT, TASK_EV_PLACED, TASK_FAILED), NO);
    ck_assert_int_eq(task_state_next(TASK_RUNNING, TASK_EVENT_COUNT, TASK_FAILED), NO);
    ck_assert_int_eq(task_state_next(TASK_RUNNING, TASK_EV_ENDED, TASK_QUEUED), NO);
    ck_assert_int_eq(task_state_next(TASK_RUNNING, TASK_EV_ENDED, 4711), NO);
}
END_TEST

static const struct {
    const char *what;
    struct exit_record record;
    uint32_t want;
} ends[] = {
    {"exit 0 is success", {.cause = END_EXIT}, TASK_SUCCEEDED},
    {"exit 3 is failure", {.cause = END_EXIT, .exit_code = 3}, TASK_FAILED},
    {"a signal is failure", {.cause = END_SIGNAL, .signal = 11}, TASK_FAILED},
    {"out of memory says so", {.cause = END_OOM}, TASK_OOM_KILLED},
    {"the time limit says so", {.cause = END_TIME_LIMIT}, TASK_TIMED_OUT},
    {"the paid end says so", {.cause = END_BUDGET}, TASK_BUDGET_STOPPED},
    {"all paid I/O used says so", {.cause = END_IO_BUDGET}, TASK_BUDGET_STOPPED},
    {"its own limit of I/O is failure", {.cause = END_IO_LIMIT}, TASK_FAILED},
    {"a person's stop is cancelled", {.cause = END_CANCELLED}, TASK_CANCELLED},
    {"a lease that ran out is lost", {.cause = END_LEASE}, TASK_LOST},
    {"a dead keeper is lost", {.cause = END_KEEPER_LOST}, TASK_LOST},
    {"a dead node is lost", {.cause = END_NODE_LOST}, TASK_LOST},
    {"inputs that are missing are failure", {.cause = END_INPUTS}, TASK_FAILED},
    {"outputs that are lost are failure", {.cause = END_OUTPUTS}, TASK_FAILED},
    {"a launch that failed is failure", {.cause = END_LAUNCH_FAILED}, TASK_FAILED},
};

START_TEST(ends_lead_to_states)
{
    ck_assert_msg(task_state_of_end(&ends[_i].record) == ends[_i].want, "%s", ends[_i].what);
}
END_TEST

START_TEST(every_cause_has_a_row)
{
    for (uint32_t c = 0; c < END_CAUSE_COUNT; c++) {
        ck_assert_ptr_nonnull(end_causes[c].name);
        ck_assert_ptr_nonnull(end_causes[c].sentence);
        ck_assert_str_eq(end_causes[c].name, names_get(&end_cause_names, c));
    }
}
END_TEST

static const struct {
    const char *text;
    bool good;
} ids[] = {
    {"812.17.1", true}, {"0.0.0", true},   {"18446744073709551615.4294967295.4294967295", true},
    {"812.17", false},  {"812.17.", false}, {"812.17.1x", false},
    {" 812.17.1", false}, {"+812.17.1", false}, {"0x1.1.1", false}, {"812.17.1.1", false},
    {"1.4294967296.1", false}, {"18446744073709551616.1.1", false}, {"01.1.1", false}, {"", false},
    {"../../etc", false},
};

START_TEST(attempt_ids_are_strict)
{
    struct attempt_id id = {0};
    ck_assert_msg((attempt_id_parse(ids[_i].text, &id) == 0) == ids[_i].good, "'%s'", ids[_i].text);
    char text[ATTEMPT_ID_TEXT_MAX];
    if (ids[_i].good)
        ck_assert_str_eq(attempt_id_format(id, text), ids[_i].text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/task_state");
    TCase *t = tcase_create("table");
    tcase_add_loop_test(t, every_pair, 0, TASK_STATE_COUNT * TASK_EVENT_COUNT);
    tcase_add_test(t, final_states_absorb_and_are_not_live);
    tcase_add_test(t, nonsense_is_refused_not_followed);
    tcase_add_loop_test(t, ends_lead_to_states, 0, (int)COUNT_OF(ends));
    tcase_add_test(t, every_cause_has_a_row);
    tcase_add_loop_test(t, attempt_ids_are_strict, 0, (int)COUNT_OF(ids));
    suite_add_tcase(s, t);
    return run_suite(s);
}
