/*
 * Limits that are there only where a machine is set up for them: io weights, huge pages. Where it isn't a machine made
 * for the tests, nothing is changed. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

/* Only a machine that was made for the tests has its settings changed; the next test finds them as they were. */
static bool is_ours(void)
{
    if (!has_disk())
        printf("skipped: this machine's settings aren't changed; tried under user-mode-linux and qemu\n");
    return has_disk();
}

static bool set_machine(const char *path, const char *text)
{
    CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static void number_of_disk(char out[24])
{
    struct stat st;
    ck_assert_int_eq(stat(DISK, &st), 0);
    snprintf(out, 24, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

/* What is switched on counts for a warden that starts then. */
static void weigh(const char *file)
{
    struct run r;
    struct task t;
    driver_kill_warden(&d);
    driver_start_warden(&d);
    able = driver_able(&d);
    ck_assert_msg(can(FEATURE_IO_WEIGHT), "weights are not offered");
    r = driver_run(&d, shell("echo; sleep 60"));
    r.spec.limits.io_weight = 250;
    start(&r, &t);
    ck_assert_str_eq(group_file(t.id.job, file), "default 250");
    ck_assert_uint_eq(driver_limit(&d, t.id, &(struct sandbox_limits){.io_weight = 7}).status, OP_DONE);
    ck_assert_str_eq(group_file(t.id.job, file), "default 7");
    ck_assert_uint_eq(driver_limit(&d, t.id, &(struct sandbox_limits){0}).status, OP_DONE);
    ck_assert_str_eq(group_file(t.id.job, file), "default 100");
    stop(&t);
    r = reader();
    r.spec.limits.io_weight = LIMIT_IO_WEIGHT_MAX;
    driver_do(&d, &r, &e);
    ck_assert_msg(e.record.exit_code == 0, "%s", e.out);
}

START_TEST(test_a_weight_is_the_bfq_schedulers)
{
    char number[24], path[64];
    if (!is_ours())
        return;
    number_of_disk(number);
    snprintf(path, sizeof path, "/sys/dev/block/%s/queue/scheduler", number);
    if (!set_machine(path, "bfq")) {
        printf("skipped: this kernel has no bfq scheduler for %s: %s\n", DISK, strerror(errno));
        return;
    }
    if (group_file(0, "io.bfq.weight")[0] != '\0')
        weigh("io.bfq.weight");
    else
        printf("skipped: this kernel's bfq scheduler knows no groups\n");
    ck_assert(set_machine(path, "none"));
}
END_TEST

START_TEST(test_a_weight_is_the_cost_models)
{
    char number[24], text[64];
    if (!is_ours())
        return;
    number_of_disk(number);
    snprintf(text, sizeof text, "%s enable=1", number);
    if (!set_machine("/sys/fs/cgroup/io.cost.qos", text)) {
        printf("skipped: this kernel has no io cost model: %s\n", strerror(errno));
        return;
    }
    weigh("io.weight");
    snprintf(text, sizeof text, "%s enable=0", number);
    ck_assert(set_machine("/sys/fs/cgroup/io.cost.qos", text));
}
END_TEST

/* Touches one page after the other; beyond the limit that is a bus error. */
#define TOUCH_PAGES(size_shift)                                                                                     \
    "import mmap\nm=mmap.mmap(-1,3<<" #size_shift ",flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x40000|(" #size_shift  \
    "<<26))\nfor i in range(3): m[i<<" #size_shift "]=1; print(i,flush=True)\n"

START_TEST(test_huge_pages_are_had_up_to_the_limit)
{
    static const char pool[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    if (!is_ours())
        return;
    if (!set_machine(pool, "8")) {
        printf("skipped: this kernel has no huge pages of 2 MiB: %s\n", strerror(errno));
        return;
    }
    driver_kill_warden(&d);
    driver_start_warden(&d);
    able = driver_able(&d);
    ck_assert_msg(can(FEATURE_HUGE_2M), "no huge pages are offered");
    struct run r = driver_run(&d, python(TOUCH_PAGES(21)));
    r.spec.limits.huge_bytes[HUGE_2M] = 4 * MIB;
    driver_do(&d, &r, &e);
    ck_assert_msg(strcmp(e.out, "0\n1\n") == 0 && e.record.signal == SIGBUS, "%s%s", e.out, e.err);
    r = driver_run(&d, python(TOUCH_PAGES(21)));
    r.spec.limits.huge_bytes[HUGE_2M] = 6 * MIB;
    driver_do(&d, &r, &e);
    ck_assert_msg(strcmp(e.out, "0\n1\n2\n") == 0 && e.record.exit_code == 0, "%s%s", e.out, e.err);
    r = driver_run(&d, python(TOUCH_PAGES(21))); /* who asked for none has none */
    driver_do(&d, &r, &e);
    ck_assert_msg(e.out[0] == '\0' && e.record.signal == SIGBUS, "%s%s", e.out, e.err);
    ck_assert(set_machine(pool, "0"));
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_machine: needs root\n");
        return 1;
    }
    const TTest *const tests[] = {
        test_a_weight_is_the_bfq_schedulers,
        test_a_weight_is_the_cost_models,
        test_huge_pages_are_had_up_to_the_limit,
    };
    Suite *s = suite_create("machine");
    TCase *t = tcase_create("machine");
    tcase_add_checked_fixture(t, limits_setup, limits_teardown);
    tcase_set_timeout(t, 120);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
