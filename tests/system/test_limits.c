/*
 * Limits of every kind under a real warden: what is asked for is what the kernel holds and does, and what this machine
 * can't enforce is refused by name. One program for v1, hybrid and v2. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

/* --- one row for each limit -------------------------------------------------------------------------------------- */

static const struct limit_row {
    const char *sentence;
    enum node_feature feature; /* FEATURE_COUNT: every node can */
    struct sandbox_limits limits;
    const char *v1_file, *v1_text, *v2_file, *v2_text; /* "%s" stands for the device */
} rows[] = {
    {"without a word about it nothing is swapped", FEATURE_COUNT, {0}, "memory.memsw.limit_in_bytes", "150994944",
     "memory.swap.max", "0"},
    {"swap is a limit of its own", FEATURE_SWAP, {.swap_bytes = 5 * MIB + 1}, "memory.memsw.limit_in_bytes",
     "156241920", "memory.swap.max", "5246976"},
    {"a soft limit, and the scratch on top", FEATURE_MEMORY_HIGH, {.mem_high_bytes = 32 * MIB}, NULL, NULL,
     "memory.high", "50331648"},
    {"a guarantee", FEATURE_MEMORY_MIN, {.mem_min_bytes = 8 * MIB}, NULL, NULL, "memory.min", "8388608"},
    {"huge pages of 2 MiB", FEATURE_HUGE_2M, {.huge_bytes = {4 * MIB, 0}}, "hugetlb.2MB.limit_in_bytes", "4194304",
     "hugetlb.2MB.max", "4194304"},
    {"huge pages of 1 GiB", FEATURE_HUGE_1G, {.huge_bytes = {0, 1024 * MIB}}, "hugetlb.1GB.limit_in_bytes",
     "1073741824", "hugetlb.1GB.max", "1073741824"},
    {"bytes read", FEATURE_IO_READ_BPS, {.io_read_bps = 1000000}, "blkio.throttle.read_bps_device", "%s 1000000",
     "io.max", "%s rbps=1000000 wbps=max riops=max wiops=max"},
    {"bytes written", FEATURE_IO_WRITE_BPS, {.io_write_bps = 2000000}, "blkio.throttle.write_bps_device", "%s 2000000",
     "io.max", "%s rbps=max wbps=2000000 riops=max wiops=max"},
    {"reads", FEATURE_IO_READ_OPS, {.io_read_ops = 300}, "blkio.throttle.read_iops_device", "%s 300", "io.max",
     "%s rbps=max wbps=max riops=300 wiops=max"},
    {"writes, beside bytes", FEATURE_IO_WRITE_OPS, {.io_write_ops = 400, .io_write_bps = 5000},
     "blkio.throttle.write_iops_device", "%s 400", "io.max", "%s rbps=max wbps=5000 riops=max wiops=400"},
    {"a share of a busy device", FEATURE_IO_WEIGHT, {.io_weight = 250}, "blkio.bfq.weight", "250", "io.weight",
     "default 250"},
};

static void check_file(const struct limit_row *row, uint64_t job)
{
    char want[128];
    const char *file = is_v2() ? row->v2_file : row->v1_file, *text = is_v2() ? row->v2_text : row->v1_text;
    ck_assert_ptr_nonnull(file);
    const char *is = group_file(job, file), *blank = strchr(is, ' ');
    if (strncmp(text, "%s", 2) == 0) /* the device's number, as the file says it */
        snprintf(want, sizeof want, "%.*s%s", (int)(blank != NULL ? blank - is : 0), is, text + 2);
    else
        snprintf(want, sizeof want, "%s", text);
    ck_assert_msg(strcmp(is, want) == 0, "%s: %s reads '%s', not '%s'", row->sentence, file, is, want);
}

START_TEST(test_limit_row)
{
    const struct limit_row *row = &rows[_i];
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    r.spec.limits = row->limits;
    if (row->feature == FEATURE_COUNT || can(row->feature)) {
        start(&r, &t);
        check_file(row, t.id.job);
        stop(&t);
        return;
    }
    char step[64];
    uint32_t lacks = 0; /* the first that it needs and this machine hasn't */
    while ((sandbox_limits_need(&row->limits) & FEATURE_BIT(lacks)) == 0 || can((enum node_feature)lacks))
        lacks++;
    snprintf(step, sizeof step, "limits.%s", names_get(&node_feature_names, lacks));
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_FAILED);
    ck_assert_str_eq(t.launch.step, step);
    ck_assert_int_eq(t.launch.error, EOPNOTSUPP);
    driver_drop(&t);
    ck_assert_uint_eq(driver_ask(&d, OP_READ, t.id).status, OP_GONE);
    printf("row '%s': refused here, as %s\n", row->sentence, step);
}
END_TEST

/* A limit that comes to somebody who runs, is replaced, and goes. */
START_TEST(test_limits_of_reads_and_writes_follow_while_it_runs)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    start(&r, &t);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct limit_row *row = &rows[i];
        const struct sandbox_limits none = {0}, io = sandbox_limits_io(&row->limits);
        if (memcmp(&io, &none, sizeof io) == 0)
            continue;
        struct op_reply reply = driver_limit(&d, t.id, &row->limits);
        if (!can(row->feature)) {
            ck_assert_msg(reply.status == OP_FAILED && reply.error == EOPNOTSUPP, "%s: %s", row->sentence, reply.step);
            printf("row '%s': refused here, as %s\n", row->sentence, reply.step);
            continue;
        }
        ck_assert_msg(reply.status == OP_DONE, "%s: %s: %s", row->sentence, reply.step, strerror(reply.error));
        check_file(row, t.id.job);
        ck_assert_uint_eq(driver_limit(&d, t.id, &row->limits).status, OP_DONE); /* again: nothing new */
        check_file(row, t.id.job);
        ck_assert_uint_eq(driver_limit(&d, t.id, &none).status, OP_DONE);
        const char *is = group_file(t.id.job, is_v2() ? row->v2_file : row->v1_file);
        bool usual = strcmp(is, "") == 0 || strcmp(is, "100") == 0 || strcmp(is, "default 100") == 0;
        ck_assert_msg(usual, "%s: what is left is '%s'", row->sentence, is);
    }
    stop(&t);
    ck_assert_uint_eq(driver_limit(&d, t.id, &(struct sandbox_limits){0}).status, OP_GONE);
}
END_TEST

static const struct not_while_it_runs {
    const char *says;
    struct sandbox_limits limits;
} not_while_it_runs[] = {
    {"memory", {.mem_high_bytes = 1}},
    {"swap", {.swap_bytes = 1}},
    {"huge pages", {.huge_bytes = {2 * MIB, 0}}},
    {"processors", {.pinned_cpus = 1}},
    {"devices", {.devices = 1}},
    {"what isn't known", {.reserved = 1}},
    {"a rate that none is", {.io_read_bps = UINT64_MAX}},
    {"a weight that none is", {.io_weight = LIMIT_IO_WEIGHT_MAX + 1}},
};

START_TEST(test_no_other_limit_changes_while_it_runs)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    start(&r, &t);
    for (size_t i = 0; i < COUNT_OF(not_while_it_runs); i++)
        ck_assert_msg(driver_limit(&d, t.id, &not_while_it_runs[i].limits).status == OP_BAD_REQUEST, "%s",
                      not_while_it_runs[i].says);
    until_done(OP_FREEZE, t.id); /* whoever stands still is limited as well */
    ck_assert_uint_eq(driver_limit(&d, t.id, &(struct sandbox_limits){0}).status, OP_DONE);
    stop(&t);
}
END_TEST

START_TEST(test_the_base_guarantees_what_its_attempts_were_promised)
{
    if (!can(FEATURE_MEMORY_MIN)) {
        printf("skipped: no memory can be guaranteed here\n");
        return;
    }
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task a, b;
    r.spec.limits.mem_min_bytes = 8 * MIB;
    start(&r, &a);
    r.spec.id.job = d.job++;
    start(&r, &b);
    ck_assert_str_eq(group_file(0, "memory.min"), "16777216");
    stop(&a);
    ck_assert_str_eq(group_file(0, "memory.min"), "8388608");
    driver_kill_warden(&d); /* the next one knows of the one that lives on */
    driver_start_warden(&d);
    (void)driver_able(&d);
    stop(&b);
    ck_assert_str_eq(group_file(0, "memory.min"), "0");
}
END_TEST

/* --- processors -------------------------------------------------------------------------------------------------- */

static void start_pinned(struct task *t, char cpu[16])
{
    struct run r = driver_run(&d, python("import os,time\nprint(sorted(os.sched_getaffinity(0)),flush=True)\n"
                                         "time.sleep(60)"));
    r.spec.limits.pinned_cpus = 1;
    ck_assert_msg(driver_launch(&d, &r, t) == OP_DONE, "step %s", t->launch.step);
    ck_assert(driver_link(t, NULL));
    ssize_t n = read(t->out, cpu, 15);
    ck_assert_int_gt(n, 0);
    cpu[n] = '\0';
}

START_TEST(test_pinned_jobs_have_cores_of_their_own)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct task t[2], more;
    char cpu[2][16];
    if (!can(FEATURE_PIN_CPUS) || cores != 2) {
        printf("skipped: pinning needs a cpuset controller and two cores, here are %ld\n", cores);
        return;
    }
    start_pinned(&t[0], cpu[0]);
    driver_kill_warden(&d); /* what is pinned stays known */
    driver_start_warden(&d);
    start_pinned(&t[1], cpu[1]);
    ck_assert_str_eq(cpu[0], "[0]\n");
    ck_assert_str_eq(cpu[1], "[1]\n");
    struct run r = driver_run(&d, shell("true"));
    r.spec.limits.pinned_cpus = 1;
    ck_assert_uint_eq(driver_launch(&d, &r, &more), OP_FAILED); /* there is no third */
    ck_assert_str_eq(more.launch.step, "cgroup");
    driver_drop(&more);
    r = driver_run(&d, shell("nproc"));
    driver_do(&d, &r, &e); /* who isn't pinned must run somewhere */
    ck_assert_str_eq(e.out, "2\n");
    stop(&t[0]);
    start_pinned(&t[0], cpu[0]); /* given back */
    ck_assert_str_eq(cpu[0], "[0]\n");
    stop(&t[0]);
    stop(&t[1]);
}
END_TEST

static void expect_line(const struct task *t, const char *want)
{
    char line[32] = "";
    for (size_t n = 0; n < sizeof line - 1 && read(t->out, line + n, 1) == 1 && line[n] != '\n'; n++)
        continue;
    line[strcspn(line, "\n")] = '\0';
    ck_assert_str_eq(line, want);
}

/* Also who was there before, and across lives of the warden. */
START_TEST(test_who_isnt_pinned_leaves_the_cores_of_the_pinned)
{
    static const char tells[] = "import os,time\nlast=None\nwhile True:\n now=sorted(os.sched_getaffinity(0))\n"
                                " if now!=last: print(now,flush=True)\n last=now\n time.sleep(0.005)";
    struct task free_one, pinned, more;
    char cpu[16];
    if (!can(FEATURE_PIN_CPUS) || sysconf(_SC_NPROCESSORS_ONLN) != 2)
        return;
    struct run r = driver_run(&d, python(tells));
    r.spec.paid_us *= 10; /* an emulated machine is slow */
    ck_assert_uint_eq(driver_launch(&d, &r, &free_one), OP_DONE);
    ck_assert(driver_link(&free_one, NULL));
    expect_line(&free_one, "[0, 1]");
    start_pinned(&pinned, cpu);
    ck_assert_str_eq(cpu, "[0]\n");
    expect_line(&free_one, "[1]");
    driver_kill_warden(&d);
    driver_start_warden(&d);
    r = driver_run(&d, python(tells));
    r.spec.paid_us *= 10;
    ck_assert_uint_eq(driver_launch(&d, &r, &more), OP_DONE);
    ck_assert(driver_link(&more, NULL));
    expect_line(&more, "[1]");
    stop(&pinned);
    expect_line(&more, "[0, 1]");
    expect_line(&free_one, "[0, 1]");
    stop(&more);
    stop(&free_one);
}
END_TEST

/* --- devices ----------------------------------------------------------------------------------------------------- */

#define OPEN_ALL                                                                                                       \
    "import os,errno\nfor n in ('null','zero','full','random','urandom','terminal'):\n"                               \
    " try: os.close(os.open('/dev/'+n,os.O_RDWR)); print(n)\n"                                                         \
    " except OSError as x: print(n,errno.errorcode[x.errno])\n"

START_TEST(test_a_device_opens_for_who_was_given_it)
{
    struct run r = driver_run(&d, python(OPEN_ALL));
    ck_assert_uint_ge(able.devices_count, 1);
    ck_assert_str_eq(able.devices[0], "terminal");
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "null\nzero\nfull\nrandom\nurandom\nterminal EPERM\n");
    r = driver_run(&d, python(OPEN_ALL));
    r.spec.limits.devices = DEVICE_TERMINAL;
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "null\nzero\nfull\nrandom\nurandom\nterminal ENXIO\n"); /* it has none, but may ask */
    struct task t;
    r = driver_run(&d, shell("true"));
    r.spec.limits.devices = 1u << able.devices_count;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_FAILED);
    ck_assert_str_eq(t.launch.step, "limits.devices");
    driver_drop(&t);
}
END_TEST

static const struct start_row {
    const char *options, *says;
} starts[] = {
    {"--device x=/etc/passwd", "--device: /etc/passwd is not a device"},
    {"--device x=/dev/no-such-device", "--device: /dev/no-such-device: No such file or directory"},
    {"--device null=/dev/tty", "--device: 'null' is a name that every sandbox has already"},
    {"--device ../x=/dev/tty", "--device: '../x=/dev/tty' is not NAME=PATH"},
    {"--device /dev/tty", "is not NAME=PATH"},
    {"--device x=/dev/tty --device x=/dev/zero", "--device: 'x' is there twice"},
    {"--io-device /no/such/path", "--io-device: /no/such/path: No such file or directory"},
};

START_TEST(test_a_wrong_device_ends_the_start_and_leaves_nothing)
{
    char command[2048], text[512] = "";
    struct driver other = d;
    snprintf(other.cgroup, sizeof other.cgroup, "wrong%d", (int)getpid());
    snprintf(command, sizeof command, "%s --dir %s --cgroup %s --keeper %s --socket-fd 0 %s 2>&1 | tail -1", d.warden,
             d.dir, other.cgroup, d.keeper, starts[_i].options);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    pclose(f);
    ck_assert_msg(strstr(text, starts[_i].says) != NULL, "%s: %s", starts[_i].options, text);
    ck_assert(driver_groups_gone(&other));
}
END_TEST

/* --- what is counted, and what a rate does ----------------------------------------------------------------------- */

START_TEST(test_bytes_and_operations_of_devices_are_counted)
{
    struct run r = reader();
    driver_do(&d, &r, &e);
    if (!can(FEATURE_IO_READ_BPS)) {
        if (access("/sys/fs/cgroup/blkio", F_OK) < 0 && access("/sys/fs/cgroup/io.stat", F_OK) < 0)
            ck_assert(!is_measured(e.usage.read_bytes)); /* absent, not 0 */
        else
            printf("skipped: no block device lies behind this folder\n");
        return;
    }
    ck_assert_msg(e.record.exit_code == 0, "%s", e.out);
    ck_assert_uint_ge(measured(e.usage.read_bytes), MIB);
    ck_assert_uint_ge(measured(e.usage.read_ops), 16);
    ck_assert_uint_lt(measured(e.usage.read_bytes), 64 * MIB);
}
END_TEST

START_TEST(test_a_rate_holds_reads_back)
{
    struct run r = reader();
    if (!can(FEATURE_IO_READ_BPS))
        return;
    r.spec.limits.io_read_bps = MIB / 2;
    driver_do(&d, &r, &e);
    ck_assert_msg(e.record.exit_code == 0, "%s", e.out);
    ck_assert_uint_ge(e.record.run_us, 1500000); /* the promise: never faster. Two seconds, less the first slice */
}
END_TEST

START_TEST(test_times_of_use_add_up)
{
    struct run r = driver_run(&d, python("s=0\nfor i in range(2000000): s+=i"));
    driver_do(&d, &r, &e);
    ck_assert(is_measured(e.usage.cpu_user_us) && is_measured(e.usage.cpu_system_us));
    ck_assert_uint_gt(measured(e.usage.cpu_user_us), 0);
    ck_assert_uint_le(measured(e.usage.cpu_user_us) + measured(e.usage.cpu_system_us), e.usage.cpu_us + 1);
    ck_assert(is_measured(e.usage.oom_kills) && measured(e.usage.oom_kills) == 0);
    bool psi = access("/proc/pressure/cpu", R_OK) == 0;
    ck_assert_int_eq(is_measured(e.usage.cpu_wait_us), psi);
    ck_assert_int_eq(is_measured(e.usage.memory_wait_us), psi);
    ck_assert_int_eq(is_measured(e.usage.pids_peak), group_file(0, "pids.peak")[0] != '\0');
}
END_TEST

START_TEST(test_a_removal_reads_usage_only_if_it_isnt_known)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    start(&r, &t);
    struct op_reply reply = {0};
    struct op_request request = {
        .version = OPS_VERSION, .kind = OP_REMOVE, .tag = 77, .id = t.id, .flags = OP_USAGE_IS_KNOWN};
    ck_assert_int_eq(fd_send_packet(d.sock, &request, sizeof request, NULL, 0), 0);
    struct pollfd at = {.fd = d.sock, .events = POLLIN};
    ck_assert_int_eq(poll(&at, 1, 20000), 1);
    ck_assert_int_eq(fd_recv_packet(d.sock, &reply, sizeof reply, NULL, NULL), (ssize_t)sizeof reply);
    ck_assert_uint_eq(reply.status, OP_DONE);
    ck_assert_uint_eq(reply.usage.cpu_us, 0);
    driver_drop(&t);
    start(&r, &t);
    ck_assert_uint_gt(driver_remove(&d, t.id).usage.cpu_us, 0);
    driver_drop(&t);
}
END_TEST

/* --- killing ------------------------------------------------------------------------------------------------------ */

/* More than a thousand processes that fork for as long as they live: DONE means within the second that a removal
 * has. */
START_TEST(test_a_fork_bomb_of_a_thousand_is_gone_within_the_kill)
{
    struct run r = driver_run(&d, shell("b() { echo >/tmp/full 2>/dev/null; while :; do b & done 2>/dev/null; }\n"
                                        "trap '' TERM\nb & while :; do :; done"));
    struct task t;
    r.spec.pids_max = 1200;
    r.spec.mem_bytes = 700 * MIB;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert(driver_link(&t, NULL));
    for (int i = 0; i < 12000 && atoi(group_file(t.id.job, "pids.current")) < 1100; i++) /* lint: allow in tests */
        poll(NULL, 0, 10); /* no event tells of a number of processes */
    ck_assert_int_ge(atoi(group_file(t.id.job, "pids.current")), 1000); /* lint: allow in tests */
    if (has_disk()) /* under user-mode-linux the end of a process costs milliseconds: dead they are, but not gone */
        ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    else
        ck_assert_uint_eq(driver_ask(&d, OP_REMOVE, t.id).status, OP_DONE);
    driver_drop(&t);
}
END_TEST

/* --- what an earlier life left ----------------------------------------------------------------------------------- */

static void make_leftovers(void)
{
    char command[512];
    snprintf(command, sizeof command,
             "set -- $(find /sys/fs/cgroup -type d -name 'reeve-%s'); mkdir $1/a999.0.1.s77 $1/.probe", d.cgroup);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(pclose(f), 0);
}

START_TEST(test_a_new_life_keeps_the_living_and_clears_halves)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    bool unified = is_v2();
    start(&r, &t);
    driver_kill_warden(&d);
    make_leftovers();
    driver_start_warden(&d);
    struct node_abilities again = driver_able(&d);
    ck_assert_uint_eq(again.features, able.features);
    ck_assert_uint_eq(driver_ask(&d, OP_READ, t.id).status, OP_DONE);
    ck_assert_str_eq(group_file(0, ".probe/pids.max"), "");
    ck_assert_str_eq(group_file(0, ".probe/cgroup.procs"), "");
    stop(&t);
    if (unified) { /* one hierarchy: a half can't be told from a whole, and the agent asks for its end */
        struct attempt_id left = {999, 0, 1};
        ck_assert_uint_eq(driver_remove(&d, left).status, OP_DONE);
    }
    ck_assert_uint_eq(driver_ask(&d, OP_LIST, (struct attempt_id){0}).count, 0);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_limits: needs root\n");
        return 1;
    }
    const TTest *const tests[] = {
        test_limits_of_reads_and_writes_follow_while_it_runs,
        test_no_other_limit_changes_while_it_runs,
        test_the_base_guarantees_what_its_attempts_were_promised,
        test_pinned_jobs_have_cores_of_their_own,
        test_who_isnt_pinned_leaves_the_cores_of_the_pinned,
        test_a_device_opens_for_who_was_given_it,
        test_bytes_and_operations_of_devices_are_counted,
        test_a_rate_holds_reads_back,
        test_times_of_use_add_up,
        test_a_removal_reads_usage_only_if_it_isnt_known,
        test_a_fork_bomb_of_a_thousand_is_gone_within_the_kill,
        test_a_new_life_keeps_the_living_and_clears_halves,
    };
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");
    tcase_add_checked_fixture(t, limits_setup, limits_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_a_wrong_device_ends_the_start_and_leaves_nothing, 0, (int)COUNT_OF(starts));
    tcase_add_loop_test(t, test_limit_row, 0, (int)COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
