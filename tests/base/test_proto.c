/* Which logs are known to be empty without asking the node; what of the I/O of an attempt was said. */
#include <check.h>

#include "base/proto.h"
#include "tests/run.h"

static const struct {
    const char *what;
    struct exit_record record;
    bool out_empty, err_empty;
} ends[] = {
    {"a silent program", {.cause = END_EXIT}, true, true},
    {"only stdout", {.cause = END_EXIT, .out_bytes = 1}, false, true},
    {"only stderr", {.cause = END_SIGNAL, .err_bytes = UINT64_MAX}, true, false},
    {"written and not kept", {.cause = END_OOM, .out_bytes = 9, .out_dropped = 9}, false, true},
    {"it never began", {.cause = END_LAUNCH_FAILED}, true, true},
    {"it lives", {.cause = END_NONE}, false, false},
    {"its keeper was lost: nobody counted", {.cause = END_KEEPER_LOST}, false, false},
    {"its node was lost", {.cause = END_NODE_LOST}, false, false},
    {"its lease ended", {.cause = END_LEASE}, false, false},
    {"a cause of a later version", {.cause = END_CAUSE_COUNT, .out_bytes = 1, .err_bytes = 1}, false, false},
};

START_TEST(empty_logs)
{
    ck_assert_msg(log_is_empty(&ends[_i].record, STREAM_OUT) == ends[_i].out_empty, "stdout: %s", ends[_i].what);
    ck_assert_msg(log_is_empty(&ends[_i].record, STREAM_ERR) == ends[_i].err_empty, "stderr: %s", ends[_i].what);
}
END_TEST

/* What one side encoded, as the other reads it. The caller clears it. */
static void pass(const struct fields *table, const void *from, void *to)
{
    struct buf bytes = {.max = 4096};
    struct err err = {0};
    fields_encode(table, from, &bytes);
    ck_assert_msg(fields_decode(table, bytes.data, bytes.len, to, &err) == 0, "%s", err_text(&err));
    buf_fini(&bytes);
}

static const struct {
    const char *what;
    struct measure io_bytes;
} counts[] = {
    {"who doesn't count says nothing", {0}},
    {"nothing moved is a number", {1}},
    {"much moved", {(UINT64_C(1) << 60) + 1}},
};

START_TEST(io_is_said_or_not)
{
    struct exit_record record = {.usage.io_bytes = counts[_i].io_bytes}, heard = {0};
    struct run_call run = {.io_paid_bytes = counts[_i].io_bytes}, order = {0};
    struct paid_call paid = {.io_paid_bytes = counts[_i].io_bytes}, more = {0};
    pass(&exit_record_fields, &record, &heard);
    pass(&run_call_fields, &run, &order);
    pass(&paid_call_fields, &paid, &more);
    ck_assert_msg(heard.usage.io_bytes.plus_one == counts[_i].io_bytes.plus_one, "counted: %s", counts[_i].what);
    ck_assert_msg(order.io_paid_bytes.plus_one == counts[_i].io_bytes.plus_one, "ordered: %s", counts[_i].what);
    ck_assert_msg(more.io_paid_bytes.plus_one == counts[_i].io_bytes.plus_one, "paid: %s", counts[_i].what);
    fields_clear(&exit_record_fields, &heard);
    fields_clear(&run_call_fields, &order);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("logs");
    tcase_add_loop_test(t, empty_logs, 0, COUNT_OF(ends));
    tcase_add_loop_test(t, io_is_said_or_not, 0, COUNT_OF(counts));
    Suite *s = suite_create("proto");
    suite_add_tcase(s, t);
    return run_suite(s);
}
