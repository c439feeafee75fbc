/* Doctor's judgements on what it saw, and its table. What it tries is tested in tests/system/test_doctor.c. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "cli/doctor.h"
#include "tests/run.h"

static const struct doctor_check fails = {.name = "x", .worst = DOCTOR_FAIL},
                                 warns = {.name = "x", .worst = DOCTOR_WARN};
static struct finding f;

#define NOW INT64_C(1767225600000000) /* 2026-01-01 */
static const struct clock_row {
    const char *sentence;
    struct clock_seen seen;
    uint32_t status;
    const char *found;
} clock_rows[] = {
    {"well", {NOW, 200000, 200100, 0, true}, DOCTOR_OK, "synchronised"},
    {"nobody says", {NOW, 200000, 200100, EPERM, false}, DOCTOR_OK, "can't be seen"},
    {"unsynchronised", {NOW, 200000, 200100, 0, false}, DOCTOR_WARN, "nothing synchronises"},
    {"set forward", {NOW, 3800000000, 200100, 0, true}, DOCTOR_WARN, "UTC went 3800000000"},
    {"set back", {NOW, -5000000, 200100, 0, true}, DOCTOR_WARN, "UTC went -5000000"},
    {"stands", {NOW, 0, 0, 0, true}, DOCTOR_WARN, "BOOTTIME went 0"},
    {"an empty battery", {86400000000, 200000, 200000, 0, true}, DOCTOR_WARN, "1970-01-02"},
};

START_TEST(a_clock_is_judged)
{
    const struct clock_row *row = &clock_rows[_i];
    doctor_judge_clock(&row->seen, &warns, &f);
    ck_assert_msg(f.status == row->status && strstr(f.found, row->found) != NULL, "%s: %u %s", row->sentence, f.status,
                  f.found);
    ck_assert_msg((f.status == DOCTOR_OK) == (f.fix[0] == '\0'), "%s: fix '%s'", row->sentence, f.fix);
}
END_TEST

#define INFO(version, role, loading, policy, aof)                                                                      \
    "$99\r\n# Server\r\nredis_version:" version "\r\nloading:" loading "\r\naof_enabled:" aof                          \
    "\r\nmaxmemory_policy:" policy "\r\nrole:" role "\r\n"
static const struct redis_row {
    const char *info;
    uint32_t status;
    const char *found;
} redis_rows[] = {
    {INFO("7.0.15", "master", "0", "noeviction", "1"), DOCTOR_OK, "7.0.15"},
    {INFO("10.1.0", "master", "0", "noeviction", "1"), DOCTOR_OK, "10.1.0"},
    {INFO("6.2.1", "master", "0", "noeviction", "1"), DOCTOR_FAIL, "6.2.1"},
    {INFO("7.2.0", "slave", "0", "noeviction", "1"), DOCTOR_FAIL, "role slave"},
    {INFO("7.2.0", "master", "1", "noeviction", "1"), DOCTOR_FAIL, "loading"},
    {INFO("7.2.0", "master", "0", "allkeys-lru", "1"), DOCTOR_FAIL, "allkeys-lru"},
    {INFO("7.2.0", "master", "0", "noeviction", "0"), DOCTOR_FAIL, "append-only"},
    {"-NOAUTH Authentication required.\r\n", DOCTOR_FAIL, "NOAUTH"},
    {"HTTP/1.1 400 Bad Request\r\n", DOCTOR_FAIL, "HTTP"},
    {"", DOCTOR_FAIL, "it answers"},
};

START_TEST(a_store_is_judged)
{
    const struct redis_row *row = &redis_rows[_i];
    doctor_judge_redis(row->info, &fails, &f);
    ck_assert_msg(f.status == row->status && strstr(f.found, row->found) != NULL, "%s: %u %s", row->info, f.status,
                  f.found);
    ck_assert_msg((f.status == DOCTOR_OK) == (f.fix[0] == '\0'), "%s: fix '%s'", row->info, f.fix);
}
END_TEST

START_TEST(bytes_that_were_charged_twice_are_a_finding)
{
    char node[] = "n1";
    struct ledger_io_row row = {.node = node, .day_utc_us = 1, .attempts = 1, .kernel_bytes = 10 << 20,
                                .told_bytes = 10 << 20, .charged_bytes = 10 << 20};
    struct ledger_io_reply reply = {.rows = {.v = &row, .count = 1}, .compared = 1};
    doctor_judge_ledger_io(&reply, &warns, &f);
    ck_assert_uint_eq(f.status, DOCTOR_OK);
    row.charged_bytes += row.twice_bytes = 10 << 20;
    reply.differing = 1;
    doctor_judge_ledger_io(&reply, &warns, &f);
    ck_assert_uint_eq(f.status, DOCTOR_WARN);
    ck_assert_msg(strstr(f.found, "n1: differs: the kernel counted 10485760 bytes, 20971520") != NULL, "%s", f.found);
}
END_TEST

START_TEST(each_check_stands_once_in_the_table)
{
    for (size_t i = 0; i < doctor_checks_count; i++) {
        ck_assert(doctor_checks[i].run != NULL);
        ck_assert_ptr_eq(doctor_find(doctor_checks[i].name), &doctor_checks[i]);
        ck_assert(doctor_checks[i].worst == DOCTOR_WARN || doctor_checks[i].worst == DOCTOR_FAIL);
        ck_assert_uint_le(strlen(doctor_checks[i].name), 18);
    }
    ck_assert_ptr_null(doctor_find("nope"));
}
END_TEST

static void dies(const struct doctor *d, const struct doctor_check *c, struct finding *ret)
{
    (void)d, (void)c, (void)ret;
    abort();
}

static void leaves_a_child(const struct doctor *d, const struct doctor_check *c, struct finding *ret)
{
    (void)d, (void)c;
    if (fork() == 0)
        for (;;)
            pause();
    finding_ok(ret, "said");
}

START_TEST(a_check_that_dies_is_a_finding)
{
    const struct doctor d = {.dir = "/"};
    const struct doctor_check row = {.name = "x", .worst = DOCTOR_FAIL, .run = dies};
    doctor_run(&d, &row, &f);
    ck_assert_uint_eq(f.status, DOCTOR_FAIL);
    ck_assert_ptr_nonnull(strstr(f.found, "ended by signal 6"));
}
END_TEST

START_TEST(what_a_check_leaves_goes_with_it)
{
    const struct doctor d = {.dir = "/"};
    const struct doctor_check row = {.name = "x", .worst = DOCTOR_FAIL, .run = leaves_a_child};
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0); /* at its end only when the child, which has it too, is gone */
    doctor_run(&d, &row, &f);
    ck_assert_str_eq(f.found, "said");
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("doctor");
    tcase_add_loop_test(t, a_clock_is_judged, 0, (int)COUNT_OF(clock_rows));
    tcase_add_loop_test(t, a_store_is_judged, 0, (int)COUNT_OF(redis_rows));
    tcase_add_test(t, bytes_that_were_charged_twice_are_a_finding);
    tcase_add_test(t, each_check_stands_once_in_the_table);
    tcase_add_test(t, a_check_that_dies_is_a_finding);
    tcase_add_test(t, what_a_check_leaves_goes_with_it);
    Suite *s = suite_create("cli/doctor");
    suite_add_tcase(s, t);
    return run_suite(s);
}
