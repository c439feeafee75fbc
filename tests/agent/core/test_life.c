/* The life of an attempt on a node: every (state, event) pair, resuming from what lies on disk, and what must be told.
 */
#include <check.h>
#include <errno.h>

#include "agent/core/life.h"
#include "tests/run.h"

struct cell {
    enum life_state state;
    enum life_event event;
    enum life_state next;
    enum life_action action;
    const char *fact;
};

static const struct cell filled[] = {
    {LIFE_ORDERED, LIFE_EV_SLOT, LIFE_LAUNCHING, LIFE_LAUNCH, "an order with a slot is launched"},
    {LIFE_ORDERED, LIFE_EV_VERDICT, LIFE_RECORDING, LIFE_RECORD,
     "an order that was stopped is recorded, never launched"},
    {LIFE_LAUNCHING, LIFE_EV_LAUNCHED, LIFE_GREETING, LIFE_CONNECT, "a launched one is connected to"},
    {LIFE_LAUNCHING, LIFE_EV_BUSY, LIFE_ORDERED, LIFE_QUEUE, "a busy warden puts it back into the queue"},
    {LIFE_LAUNCHING, LIFE_EV_VERDICT, LIFE_RECORDING, LIFE_RECORD, "a launch that failed is recorded"},
    {LIFE_GREETING, LIFE_EV_GREETED, LIFE_RUNNING, LIFE_CAPTURE, "with the pipes it runs"},
    {LIFE_GREETING, LIFE_EV_ENDED, LIFE_DRAINING, LIFE_DRAIN, "one whose keeper left only a record is drained"},
    {LIFE_GREETING, LIFE_EV_LOST, LIFE_KILLING, LIFE_KILL, "one without keeper and record is killed"},
    {LIFE_RUNNING, LIFE_EV_ENDED, LIFE_DRAINING, LIFE_DRAIN, "after the end the pipes are drained"},
    {LIFE_RUNNING, LIFE_EV_LOST, LIFE_KILLING, LIFE_KILL, "a lost keeper's job is killed"},
    {LIFE_KILLING, LIFE_EV_REMOVED, LIFE_DRAINING, LIFE_DRAIN, "killed, its last words are still taken"},
    {LIFE_KILLING, LIFE_EV_LOST, LIFE_KILLING, LIFE_NOTHING, "lost twice is lost once"},
    {LIFE_DRAINING, LIFE_EV_DRAINED, LIFE_READING, LIFE_READ, "drained, its usage is read"},
    {LIFE_DRAINING, LIFE_EV_LOST, LIFE_DRAINING, LIFE_NOTHING, "a keeper may go after its record"},
    {LIFE_READING, LIFE_EV_USAGE, LIFE_RECORDING, LIFE_RECORD, "usage completes the record"},
    {LIFE_READING, LIFE_EV_LOST, LIFE_READING, LIFE_NOTHING, "a keeper may go while usage is read"},
    {LIFE_RECORDING, LIFE_EV_RECORDED, LIFE_REMOVING, LIFE_REMOVE, "groups go only after the record is written"},
    {LIFE_RECORDING, LIFE_EV_LOST, LIFE_RECORDING, LIFE_NOTHING, "a keeper may go while it is recorded"},
    {LIFE_REMOVING, LIFE_EV_REMOVED, LIFE_TELLING, LIFE_TELL, "removed, the end is told"},
    {LIFE_REMOVING, LIFE_EV_LOST, LIFE_REMOVING, LIFE_NOTHING, "a keeper may go while its groups do"},
    {LIFE_TELLING, LIFE_EV_ANSWERED, LIFE_OVER, LIFE_CLOSE, "answered, it is over"},
};

static const struct cell *find(uint32_t state, uint32_t event)
{
    for (size_t i = 0; i < COUNT_OF(filled); i++)
        if (filled[i].state == state && filled[i].event == event)
            return &filled[i];
    return NULL;
}

START_TEST(every_pair_does_what_its_row_says_and_all_others_are_refused)
{
    for (uint32_t state = 0; state < LIFE_STATE_COUNT; state++)
        for (uint32_t event = 0; event < LIFE_EVENT_COUNT; event++) {
            struct life_step step = {LIFE_STATE_COUNT, LIFE_ACTION_COUNT};
            int rc = life_next(state, event, &step);
            const struct cell *row = find(state, event);
            if (row == NULL) {
                ck_assert_msg(rc == -EPROTO && step.next == LIFE_STATE_COUNT, "%s + %s must be refused",
                              names_get(&life_state_names, state), names_get(&life_event_names, event));
                continue;
            }
            ck_assert_msg(rc == 0 && step.next == row->next && step.action == row->action, "%s", row->fact);
        }
}
END_TEST

START_TEST(numbers_beyond_the_tables_are_refused)
{
    struct life_step step;
    ck_assert_int_eq(life_next(LIFE_STATE_COUNT, LIFE_EV_SLOT, &step), -EPROTO);
    ck_assert_int_eq(life_next(LIFE_ORDERED, LIFE_EVENT_COUNT, &step), -EPROTO);
    ck_assert_int_eq(life_next(UINT32_MAX, UINT32_MAX, &step), -EPROTO);
}
END_TEST

START_TEST(nothing_is_launched_from_any_state_but_an_order)
{
    for (uint32_t state = 0; state < LIFE_STATE_COUNT; state++)
        for (uint32_t event = 0; event < LIFE_EVENT_COUNT; event++) {
            struct life_step step;
            if (life_next(state, event, &step) == 0 && step.action == LIFE_LAUNCH)
                ck_assert_uint_eq(state, LIFE_ORDERED);
        }
}
END_TEST

START_TEST(every_life_can_reach_its_end)
{
    bool reaches[LIFE_STATE_COUNT] = {[LIFE_OVER] = true};
    for (int round = 0; round < LIFE_STATE_COUNT; round++)
        for (uint32_t state = 0; state < LIFE_STATE_COUNT; state++)
            for (uint32_t event = 0; event < LIFE_EVENT_COUNT; event++) {
                struct life_step step;
                if (life_next(state, event, &step) == 0)
                    reaches[state] = reaches[state] || reaches[step.next];
            }
    for (uint32_t state = 0; state < LIFE_STATE_COUNT; state++)
        ck_assert_msg(reaches[state], "%s is a dead end", names_get(&life_state_names, state));
}
END_TEST

static const struct {
    const char *fact;
    struct life_found found;
    bool worth;
    enum life_state state;
    enum life_event event;
} resumes[] = {
    {"an empty folder is worth nothing", {0}, false, 0, 0},
    {"a record without an order was confirmed already", {.ended = true}, false, 0, 0},
    {"an `exit` without an order was confirmed already", {.asked = true}, false, 0, 0},
    {"a confirmed one keeps only its logs", {.over = true}, true, LIFE_OVER, LIFE_EVENT_COUNT},
    {"a confirmed one stays so after a reboot",
     {.over = true, .ended = true, .rebooted = true},
     true,
     LIFE_OVER,
     LIFE_EVENT_COUNT},
    {"an order nobody asked the warden for is launched", {.order = true}, true, LIFE_ORDERED, LIFE_EVENT_COUNT},
    {"an order the warden may have heard of is never launched again",
     {.order = true, .asked = true},
     true,
     LIFE_LAUNCHING,
     LIFE_EV_LAUNCHED},
    {"after a reboot an order ends with the node",
     {.order = true, .rebooted = true},
     true,
     LIFE_ORDERED,
     LIFE_EV_VERDICT},
    {"after a reboot a running one ends with the node",
     {.order = true, .asked = true, .rebooted = true},
     true,
     LIFE_ORDERED,
     LIFE_EV_VERDICT},
    {"a recorded end is removed and told",
     {.order = true, .asked = true, .ended = true},
     true,
     LIFE_RECORDING,
     LIFE_EV_RECORDED},
    {"a recorded end is told after a reboot too",
     {.order = true, .asked = true, .ended = true, .rebooted = true},
     true,
     LIFE_RECORDING,
     LIFE_EV_RECORDED},
};

START_TEST(a_folder_says_where_to_go_on)
{
    enum life_state state = LIFE_STATE_COUNT;
    enum life_event event;
    bool worth = life_resume(resumes[_i].found, &state, &event);
    ck_assert_msg(worth == resumes[_i].worth, "%s", resumes[_i].fact);
    if (!worth)
        return;
    ck_assert_msg(state == resumes[_i].state && event == resumes[_i].event, "%s", resumes[_i].fact);
    struct life_step step;
    ck_assert(event == LIFE_EVENT_COUNT || life_next(state, event, &step) == 0);
}
END_TEST

/* ---- telling ---- */

START_TEST(an_end_is_told_until_it_is_answered)
{
    for (uint32_t from = 0; from < TELL_END_KNOWN; from++) {
        uint32_t s = tell_next(from, TELL_EV_END);
        ck_assert(s == TELL_END_DUE || s == TELL_END_SENT);
        s = tell_next(tell_next(s, TELL_EV_SENT), TELL_EV_UNANSWERED);
        ck_assert_msg(tell_is_due(s), "from %s", names_get(&tell_state_names, from));
        s = tell_next(s, TELL_EV_SENT);
        ck_assert_uint_eq(tell_next(s, TELL_EV_END_ANSWERED), TELL_END_KNOWN);
    }
}
END_TEST

START_TEST(a_late_answer_about_running_is_no_answer_about_the_end)
{
    uint32_t s = tell_next(tell_next(TELL_NOTHING, TELL_EV_RUNNING), TELL_EV_SENT);
    s = tell_next(tell_next(s, TELL_EV_END), TELL_EV_SENT);
    ck_assert_uint_eq(tell_next(s, TELL_EV_RUNNING_ANSWERED), TELL_END_SENT);
    ck_assert_uint_eq(tell_next(tell_next(s, TELL_EV_RUNNING_ANSWERED), TELL_EV_UNANSWERED), TELL_END_DUE);
}
END_TEST

START_TEST(what_was_answered_is_never_told_again)
{
    for (uint32_t event = 0; event < TELL_EVENT_COUNT; event++)
        ck_assert_uint_eq(tell_next(TELL_END_KNOWN, event), TELL_END_KNOWN);
    ck_assert_uint_eq(tell_next(TELL_RUNNING_KNOWN, TELL_EV_UNANSWERED), TELL_RUNNING_KNOWN);
}
END_TEST

START_TEST(a_scheduler_that_sends_the_order_again_is_told_again)
{
    ck_assert_uint_eq(tell_next(TELL_RUNNING_KNOWN, TELL_EV_ASKED), TELL_RUNNING_DUE);
    ck_assert_uint_eq(tell_next(TELL_END_SENT, TELL_EV_ASKED), TELL_END_DUE);
}
END_TEST

START_TEST(no_event_takes_back_an_end)
{
    for (uint32_t event = 0; event < TELL_EVENT_COUNT; event++) {
        ck_assert_uint_ge(tell_next(TELL_END_DUE, event), TELL_END_DUE);
        ck_assert_uint_ge(tell_next(TELL_END_SENT, event), TELL_END_DUE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("life");
    TCase *c = tcase_create("life");
    tcase_add_test(c, every_pair_does_what_its_row_says_and_all_others_are_refused);
    tcase_add_test(c, numbers_beyond_the_tables_are_refused);
    tcase_add_test(c, nothing_is_launched_from_any_state_but_an_order);
    tcase_add_test(c, every_life_can_reach_its_end);
    tcase_add_loop_test(c, a_folder_says_where_to_go_on, 0, (int)COUNT_OF(resumes));
    tcase_add_test(c, an_end_is_told_until_it_is_answered);
    tcase_add_test(c, a_late_answer_about_running_is_no_answer_about_the_end);
    tcase_add_test(c, what_was_answered_is_never_told_again);
    tcase_add_test(c, a_scheduler_that_sends_the_order_again_is_told_again);
    tcase_add_test(c, no_event_takes_back_an_end);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
