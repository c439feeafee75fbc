/* The loop: order of a turn, timers, watches, signals, and freeing things while they run. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/io/loop.h"
#include "tests/run.h"

static struct loop *loop;
static char seen[256];

static void note(const char *what)
{
    strncat(seen, what, sizeof seen - strlen(seen) - 1);
}

static void setup(void)
{
    ck_assert_int_eq(loop_new(&loop, NULL), 0);
    seen[0] = '\0';
}

static void teardown(void)
{
    loop_free(loop);
}

static void run(void)
{
    struct err err = {0};
    ck_assert_msg(loop_run(loop, &err) == 0, "%s", err.text);
}

static void note_and_stop(void *arg)
{
    note(arg);
    loop_stop(loop);
}

static void note_only(void *arg)
{
    note(arg);
}

static bool turn_noted(void *arg)
{
    note(arg);
    return false;
}

static char mark_a[] = "a", mark_b[] = "b", mark_turn[] = "T", mark_flush[] = "F";

START_TEST(the_last_round_still_turns_and_flushes)
{
    struct loop_flush flush = {.fn = note_only, .arg = mark_flush};
    struct timer *t;
    ck_assert_int_eq(timer_new(&t, loop, note_and_stop, mark_a), 0);
    timer_set_ms(t, 1);
    loop_on_turn(loop, turn_noted, mark_turn);
    loop_on_flush(loop, &flush);
    run();
    ck_assert_str_eq(seen, "TFaTF"); /* the first round waits for nothing */
    loop_off_flush(loop, &flush);
    loop_off_flush(loop, &flush); /* not hanging = fine */
    timer_free(t);
}
END_TEST

static bool three_turns(void *arg)
{
    int *turns = arg;
    if (++*turns == 3)
        loop_stop(loop);
    return true;
}

START_TEST(a_turn_that_wants_more_is_called_without_an_event)
{
    int turns = 0;
    loop_on_turn(loop, three_turns, &turns);
    run();
    ck_assert_int_eq(turns, 3);
}
END_TEST

static struct loop_flush first, second;

static void take_both_off(void *arg)
{
    (void)arg;
    note("x");
    loop_off_flush(loop, &first);
    loop_off_flush(loop, &second);
    loop_stop(loop);
}

START_TEST(a_flush_may_take_itself_and_the_next_one_off)
{
    first = (struct loop_flush){.fn = take_both_off};
    second = (struct loop_flush){.fn = take_both_off};
    loop_on_flush(loop, &second);
    loop_on_flush(loop, &first);
    run();
    ck_assert_str_eq(seen, "x");
}
END_TEST

START_TEST(timers_fire_in_order_of_time_and_once)
{
    struct timer *a, *b;
    ck_assert_int_eq(timer_new(&a, loop, note_and_stop, mark_a), 0);
    ck_assert_int_eq(timer_new(&b, loop, note_only, mark_b), 0);
    timer_set_ms(a, 3);
    timer_set_us(b, 500);
    run();
    ck_assert_str_eq(seen, "ba");
    timer_free(a);
    timer_free(b);
}
END_TEST

START_TEST(setting_again_moves_and_cancelling_silences)
{
    struct timer *a, *b, *stop;
    ck_assert_int_eq(timer_new(&a, loop, note_only, mark_a), 0);
    ck_assert_int_eq(timer_new(&b, loop, note_only, mark_b), 0);
    ck_assert_int_eq(timer_new(&stop, loop, note_and_stop, mark_turn), 0);
    timer_set_ms(a, 0);
    timer_set_ms(a, UINT64_MAX); /* moved beyond the end of the test; no overflow */
    timer_set_ms(b, 0);
    timer_cancel(b);
    timer_set_ms(stop, 2);
    run();
    ck_assert_str_eq(seen, "T");
    timer_free(a);
    timer_free(b);
    timer_free(stop);
}
END_TEST

static struct timer *suicidal;

static void free_itself(void *arg)
{
    (void)arg;
    timer_free(suicidal);
    loop_stop(loop);
}

START_TEST(a_timer_may_free_itself)
{
    ck_assert_int_eq(timer_new(&suicidal, loop, free_itself, NULL), 0);
    timer_set_us(suicidal, 0);
    run();
}
END_TEST

static struct watch *reader;

static void on_pipe(void *arg, int what)
{
    ck_assert_int_eq(what, WATCH_READ);
    note("r");
    if (strlen(seen) < 2)
        return; /* not read: level-triggered means it comes again */
    watch_free(reader);
    note_and_stop(arg);
}

START_TEST(a_watch_is_level_triggered_and_may_free_itself)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(watch_new(&reader, loop, ends[0], WATCH_READ, on_pipe, mark_a), 0);
    run();
    ck_assert_str_eq(seen, "rra");
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static void on_endless(void *arg, int what)
{
    (void)what;
    ++*(int *)arg;
}

static bool turn_of_three(void *arg)
{
    static int turns;
    if (++turns == 3)
        loop_stop(loop);
    ck_assert_int_le(*(int *)arg, turns); /* at most one callback of it per turn */
    return true;
}

START_TEST(a_watch_that_is_always_ready_does_not_starve_the_turn)
{
    int ends[2], callbacks = 0;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(watch_new(&reader, loop, ends[1], WATCH_WRITE, on_endless, &callbacks), 0);
    loop_on_turn(loop, turn_of_three, &callbacks);
    run();
    ck_assert_int_eq(callbacks, 3);
    watch_free(reader);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_watch_on_a_closed_descriptor_is_a_failure)
{
    struct watch *w = NULL;
    ck_assert_int_eq(watch_new(&w, loop, 999, WATCH_READ, on_pipe, NULL), -EINVAL);
    ck_assert_ptr_null(w);
}
END_TEST

static void on_signal(void *arg, int what)
{
    (void)what;
    note_and_stop(arg);
}

START_TEST(a_signal_arrives_as_a_callback)
{
    struct watch *w;
    ck_assert_int_eq(watch_signal(&w, loop, SIGUSR1, on_signal, mark_b), 0);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    run();
    ck_assert_str_eq(seen, "b");
    watch_free(w);
}
END_TEST

static void raise_term(void *arg)
{
    (void)arg;
    raise(SIGTERM);
}

START_TEST(sigterm_stops_the_loop)
{
    struct timer *t;
    ck_assert_int_eq(timer_new(&t, loop, raise_term, NULL), 0);
    timer_set_us(t, 0);
    run();
    timer_free(t);
}
END_TEST

START_TEST(sigterm_asks_who_wants_to_be_asked)
{
    struct timer *t;
    ck_assert_int_eq(timer_new(&t, loop, raise_term, NULL), 0);
    timer_set_us(t, 0);
    loop_on_stop(loop, note_and_stop, mark_a);
    run();
    ck_assert_str_eq(seen, "a");
    timer_free(t);
}
END_TEST

START_TEST(a_second_sigterm_kills_as_in_any_program)
{
    struct timer *t, *again;
    ck_assert_int_eq(timer_new(&t, loop, raise_term, NULL), 0);
    ck_assert_int_eq(timer_new(&again, loop, raise_term, NULL), 0);
    timer_set_us(t, 0);
    timer_set_ms(again, 5);
    loop_on_stop(loop, note_only, mark_a); /* never stops */
    run();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("loop");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_last_round_still_turns_and_flushes);
    tcase_add_test(t, a_turn_that_wants_more_is_called_without_an_event);
    tcase_add_test(t, a_flush_may_take_itself_and_the_next_one_off);
    tcase_add_test(t, timers_fire_in_order_of_time_and_once);
    tcase_add_test(t, setting_again_moves_and_cancelling_silences);
    tcase_add_test(t, a_timer_may_free_itself);
    tcase_add_test(t, a_watch_is_level_triggered_and_may_free_itself);
    tcase_add_test(t, a_watch_that_is_always_ready_does_not_starve_the_turn);
    tcase_add_test(t, a_watch_on_a_closed_descriptor_is_a_failure);
    tcase_add_test(t, a_signal_arrives_as_a_callback);
    tcase_add_test(t, sigterm_stops_the_loop);
    tcase_add_test(t, sigterm_asks_who_wants_to_be_asked);
    tcase_add_test_raise_signal(t, a_second_sigterm_kills_as_in_any_program, SIGTERM);
    Suite *s = suite_create("base/io/loop");
    suite_add_tcase(s, t);
    return run_suite(s);
}
