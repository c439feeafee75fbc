/* Which logs are known to be empty without asking the node. */
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

int main(void)
{
    TCase *t = tcase_create("logs");
    tcase_add_loop_test(t, empty_logs, 0, COUNT_OF(ends));
    Suite *s = suite_create("proto");
    suite_add_tcase(s, t);
    return run_suite(s);
}
