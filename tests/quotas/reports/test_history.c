/* History: finished jobs newest first, one job with all its attempts, and only for those who may see them. */
#include <errno.h>
#include <stdlib.h>

#include "quotas/reports/history.h"
#include "tests/quotas/reports/journal.h"

#define ALICE 1000 /* fact_job()'s uid */

static char path[160];
static struct report report;

static void array_job(struct book *book, uint64_t job)
{
    static const char *const accounts[] = {"/@total", NULL};
    journal_take(book, fact_job(job, "acme", "alice", "array", 4));
    struct attempt_id first = {job, 0, 1}, again = {job, 0, 2}, second = {job, 1, 1};
    journal_take(book, fact_placed_on(first, AT_NOVEMBER, accounts));
    journal_take(book, fact_running_at(first, AT_NOVEMBER));
    struct fact lost = fact_end(AT_NOVEMBER + 5, first, 0, NEXT_QUEUED, false);
    lost.ended.record.cause = END_NODE_LOST;
    lost.ended.written_off_micros = 9;
    journal_take(book, lost);
    journal_take(book, fact_placed_on(again, AT_NOVEMBER, accounts));
    struct fact renew = {.kind = FACT_HOLD_RENEWED, .renewed = {.id = again, .spent_micros = 30, .hold_micros = 10}};
    must(strs_add(&renew.renewed.accounts, "/@total"));
    add_charge(&renew.renewed.charges, "cpu", 0, 10, 30);
    add_charge(&renew.renewed.charges, "io", 0, 10, 0);
    journal_take(book, renew);
    struct fact end = fact_end(AT_NOVEMBER + 9, again, 50, NEXT_FINAL, false);
    end.ended.record.exit_code = 3;
    end.ended.state = TASK_FAILED;
    add_charge(&end.ended.charges, "cpu", 10, 10, 20);
    add_charge(&end.ended.charges, "io", 9, 11, 0); /* as many bytes as before */
    journal_take(book, end);
    journal_take(book, fact_placed_on(second, AT_NOVEMBER, accounts));
    journal_take(book, fact_end(AT_NOVEMBER + 9, second, 0, NEXT_FINAL, false));
    struct fact held = {.kind = FACT_TASK_HELD, .held = {.job = job, .first = 2, .count = 1}};
    journal_take(book, held);
    struct fact cancelled = {.kind = FACT_TASKS_CANCELLED, .at_utc_us = AT_NOVEMBER + 20,
                             .cancelled = {.job = job, .first = 2, .count = 2, .job_done = true}};
    journal_take(book, cancelled);
}

static struct book *history_make(void)
{
    struct book *book = journal_book(journal_path(path));
    report = (struct report){.database = path};
    journal_job(book, 1, "acme", "alice", "one", AT_NOVEMBER, 10, 5);
    journal_job(book, 2, "beta", "alice", "two", AT_NOVEMBER, 10, 6);
    array_job(book, 3);
    journal_take(book, fact_job(4, "acme", "alice", "waits", 1)); /* unfinished: not in the list */
    return book;
}

/* Ids of the list, as "3 2 1 more". */
static void list_text(const struct viewer *v, struct list_call call, char out[64])
{
    struct params none = {0};
    struct problem problem = {0};
    struct ask ask = {.viewer = v, .params = &none};
    struct list_reply reply = {0};
    struct err err = {0};
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    ck_assert_msg(history_list(&ask, &call, &reply, &err) == 0, "%s", err_text(&err));
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < reply.jobs.count; i++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%llu", i > 0 ? " " : "",
                              (unsigned long long)((struct job_row *)reply.jobs.v)[i].job);
    if (reply.more)
        snprintf(out + n, 64 - n, " more");
    fields_clear(&list_reply_fields, &reply);
    ask_fini(&ask);
}

enum who { ADMIN, ALICE_HERSELF, BOB_OF_ACME, STRANGER };
static const struct {
    const char *what;
    enum who who;
    struct list_call call;
    const char *jobs;
} lists[] = {
    {"newest first, finished ones", ADMIN, {.all_users = true}, "3 2 1"},
    {"a page", ADMIN, {.all_users = true, .limit = 2}, "3 2 more"},
    {"the next one", ADMIN, {.all_users = true, .limit = 2, .after = 2}, "1"},
    {"by state", ADMIN, {.all_users = true, .state = (char *)(uintptr_t)"succeeded"}, "2 1"},
    {"by subtree", ADMIN, {.all_users = true, .tenant = (char *)(uintptr_t)"acme"}, "3 1"},
    {"only one's own when nothing is said", ADMIN, {0}, ""},
    {"one's own, wherever they are", ALICE_HERSELF, {0}, "3 2 1"},
    {"a colleague sees the tenant's", BOB_OF_ACME, {.all_users = true}, "3 1"},
    {"not as their own", BOB_OF_ACME, {0}, ""},
    {"a stranger sees nothing", STRANGER, {.all_users = true}, ""},
};

static struct viewer viewer_of(enum who who)
{
    static char *acme = (char *)(uintptr_t)"acme";
    const struct viewer viewers[] = {
        [ADMIN] = {.all = true, .has_uid = true, .uid = 0},
        [ALICE_HERSELF] = {.has_uid = true, .uid = ALICE},
        [BOB_OF_ACME] = {.has_uid = true, .uid = 1001, .subtrees = {&acme, 1}},
        [STRANGER] = {.has_uid = true, .uid = 1002},
    };
    return viewers[who];
}

START_TEST(lists_of_jobs)
{
    struct book *book = history_make();
    struct viewer v = viewer_of(lists[_i].who);
    char text[64];
    list_text(&v, lists[_i].call, text);
    ck_assert_msg(strcmp(text, lists[_i].jobs) == 0, "%s: '%s'", lists[_i].what, text);
    book_close(book);
}
END_TEST

static int show(enum who who, struct job_call call, struct job_view *ret)
{
    struct viewer v = viewer_of(who);
    struct params none = {0};
    struct problem problem = {0};
    struct ask ask = {.viewer = &v, .params = &none};
    struct err err = {0};
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    int r = history_show(&ask, &call, ret, &err);
    ck_assert_msg(r >= 0, "%s", err_text(&err));
    ask_fini(&ask);
    return r;
}

START_TEST(a_job_is_shown_with_all_that_happened)
{
    struct book *book = history_make();
    struct job_view view = {0};
    ck_assert_int_eq(show(ADMIN, (struct job_call){.job = 3}, &view), 1);
    ck_assert_str_eq(view.row.state, "failed");
    ck_assert_int_eq(view.exit_code, 3);
    ck_assert_uint_eq(view.row.tasks, 4);
    ck_assert_uint_eq(view.row.done, 4);
    ck_assert_uint_eq(view.row.failed, 3);
    ck_assert_uint_eq(view.row.queued, 0);
    ck_assert_int_eq(view.row.cost_micros, 50);
    ck_assert_str_eq(view.row.nodes, "n1");
    ck_assert_str_eq(view.spec.command.v[0], "true");
    ck_assert_uint_eq(view.attempts.count, 3);
    const struct attempt_view *a = view.attempts.v;
    ck_assert_str_eq(a[0].cause, "node_lost");
    ck_assert_int_eq(a[0].written_off_micros, 9);
    ck_assert_str_eq(a[1].state, "failed");
    ck_assert_int_eq(a[1].record.exit_code, 3);
    ck_assert_uint_eq(a[1].charges.count, 2); /* two slices of one price, joined */
    const struct charge *c = a[1].charges.v;
    ck_assert_int_eq(c->micros, 50);
    ck_assert_uint_eq(c->run_us, 20);
    ck_assert_uint_eq(c->amount, 1000);
    ck_assert_str_eq(c[1].resource, "io");
    ck_assert_uint_eq(c[1].amount, 2000); /* its bytes add up */
    ck_assert_uint_eq(c[1].run_us, 20);
    fields_clear(&job_view_fields, &view);
    ck_assert_int_eq(show(ADMIN, (struct job_call){.job = 3, .has_task = true, .task = 1}, &view), 1);
    ck_assert_uint_eq(view.attempts.count, 1);
    fields_clear(&job_view_fields, &view);
    book_close(book);
}
END_TEST

START_TEST(who_was_left_out_of_a_gang_is_done_and_has_not_failed)
{
    struct book *book = history_make();
    struct job_view view = {0};
    struct attempt_id id = {5, 0, 1};
    struct fact submitted = fact_job(5, "acme", "alice", "gang", 3);
    submitted.submitted.spec.gang = 3;
    journal_take(book, submitted);
    struct fact placed = {.kind = FACT_GANG_PLACED, .at_utc_us = AT_NOVEMBER, .gang_placed = {.job = 5, .left_out = 2}};
    struct gang_member *m = list_add(&placed.gang_placed.members, sizeof *m);
    must(m == NULL);
    *m = (struct gang_member){.task = 0, .epoch = 1, .hold_micros = 1000};
    set_text(&m->node, "n1");
    must(strs_add(&placed.gang_placed.accounts, "/@total"));
    journal_take(book, placed);
    journal_take(book, fact_end(AT_NOVEMBER + 9, id, 0, NEXT_FINAL, true));
    ck_assert_int_eq(show(ADMIN, (struct job_call){.job = 5}, &view), 1);
    ck_assert_str_eq(view.row.state, "succeeded");
    ck_assert_int_eq(view.exit_code, 0);
    ck_assert_uint_eq(view.row.done, 3);
    ck_assert_uint_eq(view.row.left_out, 2);
    ck_assert_uint_eq(view.row.failed, 0);
    ck_assert_ptr_null(view.task);
    fields_clear(&job_view_fields, &view);
    ck_assert_int_eq(show(ADMIN, (struct job_call){.job = 5, .has_task = true, .task = 2}, &view), 1);
    ck_assert_str_eq(view.task, "left_out");
    ck_assert_int_eq(view.left_out_utc_us, AT_NOVEMBER);
    ck_assert_uint_eq(view.attempts.count, 0);
    fields_clear(&job_view_fields, &view);
    ck_assert_int_eq(show(ADMIN, (struct job_call){.job = 5, .has_task = true, .task = 0}, &view), 1);
    ck_assert_int_eq(view.left_out_utc_us, 0); /* it took part, and is done */
    fields_clear(&job_view_fields, &view);
    book_close(book);
}
END_TEST

static const struct {
    enum who who;
    struct job_call call;
    int found;
} shows[] = {
    {ADMIN, {.job = 4}, 1},
    {ADMIN, {.job = 5}, 0},
    {ADMIN, {.job = UINT64_MAX}, 0},
    {ADMIN, {.job = 3, .has_task = true, .task = 4}, 0},
    {ADMIN, {.job = 1, .has_task = true, .task = 0}, 1},
    {ALICE_HERSELF, {.job = 2}, 1},
    {BOB_OF_ACME, {.job = 1}, 1},
    {BOB_OF_ACME, {.job = 2}, 0},
    {STRANGER, {.job = 1}, 0},
};

START_TEST(who_may_see_a_job)
{
    struct book *book = history_make();
    struct job_view view = {0};
    ck_assert_int_eq(show(shows[_i].who, shows[_i].call, &view), shows[_i].found);
    fields_clear(&job_view_fields, &view);
    book_close(book);
}
END_TEST

static const struct {
    const char *what;
    enum who who;
    struct log_call call;
    int found;
    uint32_t epoch, cause;
} logs[] = {
    {"epoch 0 is the newest attempt", ADMIN, {.job = 3}, 1, 2, END_EXIT},
    {"an earlier one by its epoch", ADMIN, {.job = 3, .epoch = 1}, 1, 1, END_NODE_LOST},
    {"each task has its own", ADMIN, {.job = 3, .task = 1}, 1, 1, END_EXIT},
    {"a task that never started", ADMIN, {.job = 3, .task = 2}, 0, 0, 0},
    {"an attempt that never was", ADMIN, {.job = 3, .epoch = 3}, 0, 0, 0},
    {"a job that waits", ADMIN, {.job = 4}, 0, 0, 0},
    {"a job that never was", ADMIN, {.job = UINT64_MAX, .task = UINT32_MAX, .epoch = UINT32_MAX}, 0, 0, 0},
    {"one's own, in another tenant", ALICE_HERSELF, {.job = 2}, 1, 1, END_EXIT},
    {"a colleague's", BOB_OF_ACME, {.job = 1}, 1, 1, END_EXIT},
    {"another tenant's", BOB_OF_ACME, {.job = 2}, 0, 0, 0},
    {"a stranger's", STRANGER, {.job = 1}, 0, 0, 0},
};

START_TEST(where_a_log_lies)
{
    struct book *book = history_make();
    struct viewer v = viewer_of(logs[_i].who);
    struct params none = {0};
    struct problem problem = {0};
    struct ask ask = {.viewer = &v, .params = &none};
    struct attempt_view a = {0};
    struct err err = {0};
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    int r = history_attempt(&ask, &logs[_i].call, &a, &err);
    ck_assert_msg(r == logs[_i].found, "%s: %d %s", logs[_i].what, r, err_text(&err));
    ck_assert_msg(a.epoch == logs[_i].epoch && a.record.cause == logs[_i].cause, "%s: attempt %u", logs[_i].what,
                  a.epoch);
    if (r == 1)
        ck_assert_str_eq(a.node, "n1");
    fields_clear(&attempt_view_fields, &a);
    ask_fini(&ask);
    book_close(book);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("history");
    TCase *tc = tcase_create("history");
    tcase_add_loop_test(tc, lists_of_jobs, 0, (int)COUNT_OF(lists));
    tcase_add_test(tc, a_job_is_shown_with_all_that_happened);
    tcase_add_test(tc, who_was_left_out_of_a_gang_is_done_and_has_not_failed);
    tcase_add_loop_test(tc, who_may_see_a_job, 0, (int)COUNT_OF(shows));
    tcase_add_loop_test(tc, where_a_log_lies, 0, (int)COUNT_OF(logs));
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
