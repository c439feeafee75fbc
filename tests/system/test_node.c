/* What `reeve up` is told of its node reaches the node: a whole system, jobs that use it. Root. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/core/io_status.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "tests/system/suite.h"
#include "tests/system/system.h"

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "tenants:\n"
                             "  acme: {users: [root], volumes: {node-etc: ro}}\n"
                             "  acme/etl: {}\n";

/* What acme and all below it may read, bytes a second; 0 = no limit. */
static void limit_acme(uint64_t bytes_per_s)
{
    struct policy_reply now = {0};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_POLICY], NULL, &now, &refusal, 10000), 0);
    struct apply_call call = {.policy = now.policy};
    struct tenant_rule *rules = call.policy.tenants.v;
    for (size_t i = 0; i < call.policy.tenants.count; i++)
        if (strcmp(rules[i].path, "acme") == 0)
            rules[i].io.bytes_per_s = bytes_per_s;
    ck_assert_msg(system_call(&client_methods[CALL_APPLY], &call, &reply, &refusal, 10000) == 0, "%s", refusal.message);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_reply_fields, &now);
}

/* Reads a file of the attempt's group until it says `want` ("": nothing) behind a device's number; what it says. */
static const char *limit_of(uint64_t job, const char *want)
{
    static char text[256];
    char command[512], cell[24];
    system_cell(cell);
    snprintf(command, sizeof command,
             "cat $(find /sys/fs/cgroup/blkio -path '*reeve-%s/a%" PRIu64 ".0.1.s*/blkio.throttle.read_bps_device') "
             "/dev/null 2>/dev/null | cut -d' ' -f2", cell, job);
    for (uint64_t until = system_now_ms() + 20000; system_now_ms() < until; system_pause_ms(50)) {
        FILE *f = popen(command, "re"); /* lint: allow in tests */
        ck_assert_ptr_nonnull(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        pclose(f);
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text, want) == 0)
            break;
    }
    return text;
}

/* The kernel's limits on who runs: they come with the policy, loosen with it, and go with it; also when an agent was
 * away meanwhile. A job's own stays where it is tighter. */
START_TEST(what_runs_follows_the_policys_limits)
{
    struct refusal refusal = {0};
    if (access("/sys/fs/cgroup/blkio", F_OK) < 0) {
        printf("skipped: nothing limits what jobs read here\n");
        return;
    }
    uint64_t job = system_submit("acme/etl", NULL, "{\"command\":\"sleep 300\"}", &refusal);
    uint64_t tight = system_submit("acme/etl", NULL, "{\"command\":\"sleep 300\",\"limits\":{\"io\":{\"read_bps\":"
                                   "2000000}}}", &refusal);
    ck_assert_msg(job != 0 && tight != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    system_wait_state(job, "running");
    system_wait_state(tight, "running");
    ck_assert_str_eq(limit_of(job, ""), "");
    limit_acme(5000000);
    ck_assert_str_eq(limit_of(job, "5000000"), "5000000");
    limit_acme(1000000);
    ck_assert_str_eq(limit_of(tight, "1000000"), "1000000");
    limit_acme(7000000);
    ck_assert_str_eq(limit_of(job, "7000000"), "7000000");
    ck_assert_str_eq(limit_of(tight, "2000000"), "2000000");
    ck_assert_int_eq(kill(system_pid("agent"), SIGSTOP), 0); /* it can't hear, then it is gone */
    limit_acme(0);
    ck_assert_int_eq(kill(system_pid("agent"), SIGKILL), 0);
    ck_assert_str_eq(limit_of(job, ""), "");
    ck_assert_str_eq(limit_of(tight, "2000000"), "2000000");
    for (int i = 0; i < 2; i++) {
        struct job_call call = {.job = i == 0 ? job : tight};
        struct cancel_reply reply = {0};
        ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &reply, &refusal, 10000), 0);
        ck_assert(system_wait(call.job, 30000, &(struct wait_reply){0}));
    }
}
END_TEST

START_TEST(a_job_sees_the_volume_of_the_node)
{
    static const char spec[] = "{\"command\":\"ls -d /mnt/node-etc/passwd; echo x > /mnt/node-etc/x || echo no\","
                               "\"volumes\":[{\"name\":\"node-etc\"}]}";
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    uint64_t job = system_submit("acme", NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 20000, &reply), "job %" PRIu64 " did not end", job);
    ck_assert_str_eq(reply.row.state, "succeeded");
    char *out = system_log(job, 0, STREAM_OUT);
    ck_assert_str_eq(out, "/mnt/node-etc/passwd\nno\n");
    free(out);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

/* Not a node's fault: another node has the same root, so nothing is tried again there. */
START_TEST(a_place_that_the_root_lacks_is_the_jobs_fault)
{
    static const char spec[] = "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"node-etc\",\"path\":\"/no/such\"}]}";
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    uint64_t job = system_submit("acme", NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 20000, &reply), "job %" PRIu64 " did not end", job);
    ck_assert_str_eq(reply.row.state, "failed");
    ck_assert_int_eq(reply.exit_code, 126);
    char *err = system_log(job, 0, STREAM_ERR);
    ck_assert_str_eq(err, "reeve: volume: its place is no folder of the root, and none can be made there\n");
    free(err);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

/* By hand, as base/transfer.h says it: any language will do. */
START_TEST(a_job_has_files_copied_by_its_mover)
{
    static const char spec[] =
        "{\"transfer\":true,\"resources\":{\"memory\":\"64Mi\"},\"script\":\"#!/usr/bin/python3\\n"
        "import os, socket, struct\\n"
        "open('/tmp/a', 'wb').write(os.urandom(3000000))\\n"
        "a, b = os.open('/tmp/a', os.O_RDONLY), os.open('/tmp/b', os.O_WRONLY | os.O_CREAT)\\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\\n"
        "s.connect('/tmp/.reeve-transfer')\\n"
        "socket.send_fds(s, [struct.pack('IIQQQ', 1, 0, 0, 0, 2 ** 64 - 1)], [a, b])\\n"
        "status = 1\\n"
        "while status == 1: _, status, error, _, moved, text = struct.unpack('IIiIQ104s', s.recv(128))\\n"
        "print(status, error, moved, open('/tmp/a', 'rb').read() == open('/tmp/b', 'rb').read())\\n\"}";
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    uint64_t job = system_submit("acme", NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    char *out = system_log(job, 0, STREAM_OUT);
    ck_assert_str_eq(out, "2 0 3000000 True\n");
    ck_assert_str_eq(reply.row.state, "succeeded");
    free(out);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

static long filters_of(const char *name)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)system_pid(name));
    ck_assert_int_eq(file_read(path, 65536, &text, NULL), 0);
    const char *at = strstr(buf_text(&text), "Seccomp_filters:");
    ck_assert_ptr_nonnull(at);
    long count = strtol(at + strlen("Seccomp_filters:"), NULL, 10);
    buf_fini(&text);
    return count;
}

/* This node has a volume, so its warden may mount; its agent may not. */
START_TEST(the_agent_has_a_filter_above_its_wardens)
{
    ck_assert_int_eq(filters_of("warden"), 1);
    ck_assert_int_eq(filters_of("agent"), 2);
}
END_TEST

/* A report is written while jobs move something, and looked at by the same program that people have. */
START_TEST(how_the_disk_is_shared_can_be_looked_at)
{
    char command[4600], text[4096] = "";
    snprintf(command, sizeof command, "%s --dir %s top --io --once 2>&1; %s --dir %s top --io --json", system_program(),
             system_dir(), system_program(), system_dir());
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    ck_assert_int_eq(pclose(f), 0);
    text[n] = '\0';
    ck_assert_msg(strncmp(text, "device ", 7) == 0 && strstr(text, "\"window_us\":") != NULL, "%s", text);
}
END_TEST

/* What a job reads past the queue and the page cache: the kernel counts it for its group, its tenant is charged.
 * Without a block device behind the root's files there is nothing to count. */
START_TEST(what_a_job_reads_by_itself_counts_for_its_tenant)
{
    static const char spec[] = "{\"command\":\"for i in 1 2 3 4 5 6 7 8; do dd if=/usr/bin/python3 of=/dev/null "
                               "bs=256k iflag=direct 2>/dev/null; done\"}"; /* over before its first reading */
    struct refusal refusal = {0};
    char path[4400];
    uint64_t job = system_submit("acme", NULL, spec, &refusal), direct = 0;
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    snprintf(path, sizeof path, "%s/node/io.now", system_dir());
    uint64_t until = system_now_ms() + 20000;
    while (direct == 0 && system_now_ms() < until) {
        struct buf text = {0};
        struct io_status s = {0};
        if (file_read(path, 1 << 20, &text, NULL) == 0 &&
            json_read(&io_status_fields, buf_text(&text), text.len, JSON_LENIENT, &s, NULL) == 0)
            for (size_t i = 0; i < s.tenants.count; i++)
                direct += ((struct io_tenant *)s.tenants.v)[i].direct_read_bytes;
        fields_clear(&io_status_fields, &s);
        buf_fini(&text);
        system_pause_ms(100);
    }
    ck_assert(system_wait(job, 20000, &(struct wait_reply){0}));
    if (direct == 0 && access("/sys/fs/cgroup/blkio", F_OK) < 0)
        printf("skipped: nothing counts what jobs read here\n");
    else
        ck_assert_uint_gt(direct, 0);
}
END_TEST

START_TEST(the_agent_comes_before_what_only_computes)
{
    errno = 0;
    ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)system_pid("agent")), -15);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)system_pid("zygote")), 0);
}
END_TEST

static const struct wrong_row {
    const char *options, *says;
} wrong[] = {
    {"--images /no/such/folder", "--images: '/no/such/folder': No such file or directory"},
    {"--volume x", "--volume: 'x' is not of the form NAME=PATH"},
    {"--volume x=/no/such/folder:ro", "--volume: '/no/such/folder': No such file or directory"},
    {"--cpus many", "--cpus: 'many'"},
    {"--logs-age soon", "--logs-age: 'soon'"},
    {"--http-port 65536", "--http-port"},
    {"--frobnicate", "'--frobnicate' is not an option"},
    {"word", "'word' is one word too many"},
    {"--dir ''", "--dir DIR is needed"},
};

START_TEST(what_is_wrong_is_said_and_nothing_starts)
{
    char command[4600], text[1024] = "";
    snprintf(command, sizeof command, "%s up --dir %s/other %s 2>&1; echo $?; test ! -e %s/other || echo made",
             system_program(), system_dir(), wrong[_i].options, system_dir());
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    pclose(f);
    ck_assert_msg(n > 3 && strcmp(text + n - 3, "\n2\n") == 0 && strstr(text, wrong[_i].says) != NULL, "%s: %s",
                  wrong[_i].options, text);
}
END_TEST

static const struct {
    const char *words, *says;
    int exit;
} no_windows[] = {
    {"change 99 --stop", "refused: there is no window 99, or it is over", 1},
    {"change 99 --for 1h", "refused: there is no window 99, or it is over", 1},
    {"drop 99", "refused: there is no window 99, or it is over", 1},
    {"add --cell --for 200000000000d", "is out of range; write 1s to 366d", 2},
    {"add --cell --for 0s", "is out of range; write 1s to 366d", 2},
    {"add --cell", "--until TIME or --for TIME is needed", 2},
};

START_TEST(what_is_no_window_is_said)
{
    char command[4600], text[1024] = "", end[16];
    snprintf(command, sizeof command, "%s --dir %s window %s 2>&1; echo $?", system_program(), system_dir(),
             no_windows[_i].words);
    snprintf(end, sizeof end, "\n%d\n", no_windows[_i].exit);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    pclose(f);
    ck_assert_msg(n > 3 && strcmp(text + n - 3, end) == 0 && strstr(text, no_windows[_i].says) != NULL, "%s: %s",
                  no_windows[_i].words, text);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_node BUILD\n");
        return 2;
    }
    system_start(argv[1], policy);
    TCase *t = tcase_create("node");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_job_sees_the_volume_of_the_node);
    tcase_add_loop_test(t, what_is_no_window_is_said, 0, COUNT_OF(no_windows));
    tcase_add_test(t, a_place_that_the_root_lacks_is_the_jobs_fault);
    tcase_add_test(t, a_job_has_files_copied_by_its_mover);
    tcase_add_test(t, the_agent_has_a_filter_above_its_wardens);
    tcase_add_test(t, how_the_disk_is_shared_can_be_looked_at);
    tcase_add_test(t, what_a_job_reads_by_itself_counts_for_its_tenant);
    tcase_add_test(t, what_runs_follows_the_policys_limits);
    tcase_add_test(t, the_agent_comes_before_what_only_computes);
    tcase_add_loop_test(t, what_is_wrong_is_said_and_nothing_starts, 0, (int)COUNT_OF(wrong));
    Suite *s = suite_create("node");
    suite_add_tcase(s, t);
    return suite_run_on_system(s);
}
