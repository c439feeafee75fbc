/*
 * What jobs move is metered once, on the whole system: by the kernel, by grants, as logs; across the death of agents;
 * up to their own limit; and the node's check of both meters agrees. Root.
 */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/core/io_check.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "tests/system/suite.h"
#include "tests/system/system.h"

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "prices:\n"
                             "  - {from: 2026-01-01, per_hour: {cpu: 0.01}, per_gib: {io: 1024.00},"
                             " io_allowance: 1Mi}\n"
                             "tenants:\n"
                             "  acme: {users: [root], budget: {limit: 100000, period: month}, volumes: {disk: rw}}\n"
                             "  poor: {users: [root]}\n"
                             "  poor/one: {budget: {limit: 8, period: total}, volumes: {disk: rw}}\n"
                             "  poor/two: {budget: {limit: 8, period: total}, volumes: {disk: rw}}\n"
                             "  saver: {users: [root], budget: {limit: 1.04, period: total}, volumes: {disk: rw},"
                             " at_paid_end: checkpoint}\n"
                             "  calm: {users: [root]}\n"
                             "  calm/one: {budget: {limit: 8, period: total}, volumes: {disk: rw},"
                             " at_paid_end: pause}\n"
                             "  calm/two: {budget: {limit: 8, period: total}, volumes: {disk: rw},"
                             " at_paid_end: pause}\n";
#define UNIT INT64_C(1000000) /* of money: a MiB */

#define DISK_BYTES ((uint64_t)1 << 21) /* of the file that is read, written and copied */
#define KILL_AFTER "/mnt/disk/ready"

static const char *build;
static char base[64], options_volume[96];
static bool counts; /* the kernel does, here */

static uint64_t submit_to(const char *tenant, const char *rest)
{
    char spec[4096];
    struct refusal refusal = {0};
    snprintf(spec, sizeof spec, "{\"volumes\":[{\"name\":\"disk\",\"path\":\"/mnt/disk\",\"writable\":true}],"
                                "\"resources\":{\"memory\":\"128Mi\"},%s}", rest);
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    fields_clear(&refusal_fields, &refusal);
    return job;
}

static uint64_t submit(const char *rest)
{
    return submit_to("acme", rest);
}

/* Of the one attempt of a job that ended so; the rest isn't looked at. */
static struct exit_record ended(uint64_t job, const char *state, const char *cause)
{
    struct wait_reply reply = {0};
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    struct job_view view = system_show(job);
    const struct attempt_view *a = view.attempts.v;
    char *err = system_log(job, 0, STREAM_ERR);
    ck_assert_msg(view.attempts.count == 1 && strcmp(reply.row.state, state) == 0 && strcmp(a->cause, cause) == 0,
                  "%s: %s %s: %s", reply.row.state, view.attempts.count > 0 ? a->cause : "", a->sentence, err);
    free(err);
    struct exit_record record = {.usage = a->record.usage, .out_bytes = a->record.out_bytes,
                                 .err_bytes = a->record.err_bytes};
    fields_clear(&wait_reply_fields, &reply);
    fields_clear(&job_view_fields, &view);
    return record;
}

/* A program of the job: copy(from, to) by its mover, and files without the page cache. */
#define PYTHON "#!/usr/bin/python3\\n" \
    "import os, socket, struct, sys, time\\n" \
    "def copy(a, b, to=0):\\n" \
    "  a, b = os.open(a, os.O_RDONLY), os.open(b, os.O_WRONLY | os.O_CREAT, 0o644)\\n" \
    "  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\\n" \
    "  s.connect('/tmp/.reeve-transfer')\\n" \
    "  socket.send_fds(s, [struct.pack('IIQQQ', 1, 0, 0, to, 2 ** 64 - 1)], [a, b])\\n" \
    "  status = 1\\n" \
    "  while status == 1: _, status, _, _, _, text = struct.unpack('IIiIQ104s', s.recv(128))\\n" \
    "  os.close(a); os.close(b); s.close()\\n" \
    "  if status != 2: raise SystemExit(text)\\n" \
    "def dd(a, b, flag): os.system('dd bs=256k if=%s of=%s %s=direct 2>/dev/null' % (a, b, flag))\\n" \
    "def part(a, size=256):\\n" /* no faster than its counters are read */ \
    "  os.system('dd bs=%dk count=1 if=%s of=/dev/null iflag=direct 2>/dev/null' % (size, a)); time.sleep(0.1)\\n" \
    "def make(b): os.system('dd bs=256k count=8 if=/dev/zero of=%s oflag=direct 2>/dev/null' % b)\\n"

static uint64_t kernel(const struct usage *u)
{
    return measured(u->read_bytes) + measured(u->written_bytes);
}

/* Its program was in the page cache when it began, or not; it makes folders and files. */
static void check_near(uint64_t is, uint64_t least, const char *what)
{
    ck_assert_msg(is >= least && is <= least + (16 << 20), "%s: %" PRIu64 ", of at least %" PRIu64, what, is, least);
}

START_TEST(each_byte_is_billed_once)
{
    uint64_t job = submit("\"transfer\":true,\"script\":\"" PYTHON "make('/mnt/disk/a')\\n"
                          "dd('/mnt/disk/a', '/dev/null', 'iflag')\\n"
                          "copy('/mnt/disk/a', '/mnt/disk/b')\\n" /* from the disk to the disk */
                          "copy('/mnt/disk/a', '/tmp/c')\\n"      /* to memory */
                          "copy('/tmp/c', '/tmp/d')\\n"           /* within it */
                          "print('x' * 99999)\\n\"");
    const struct exit_record r = ended(job, "succeeded", "exit");
    const struct usage *u = &r.usage;
    ck_assert_uint_eq(measured(u->moved_read_bytes), 3 * DISK_BYTES);
    ck_assert_uint_eq(measured(u->moved_written_bytes), 3 * DISK_BYTES + 100000);
    if (!counts) {
        printf("skipped: nothing counts what jobs read and write here\n");
        ck_assert(!is_measured(u->io_bytes));
        return;
    }
    check_near(measured(u->read_bytes), 3 * DISK_BYTES, "read");
    check_near(measured(u->written_bytes), 2 * DISK_BYTES, "written");
    /* Three times it was moved in memory alone; all else the kernel has seen. */
    ck_assert_uint_eq(measured(u->io_bytes), kernel(u) + 3 * DISK_BYTES + 100000);
}
END_TEST

START_TEST(what_is_brought_in_and_out_is_billed_once)
{
    uint64_t job = submit("\"command\":\"cat in >/dev/null; head -c 3000000 /dev/zero >out\","
                          "\"inputs\":[{\"from\":\"/mnt/disk/a\",\"to\":\"in\"}],"
                          "\"outputs\":[{\"from\":\"out\",\"to\":\"/mnt/disk/out\"}]");
    const struct exit_record r = ended(job, "succeeded", "exit");
    const struct usage *u = &r.usage;
    ck_assert_uint_eq(measured(u->moved_read_bytes), DISK_BYTES + 3000000);
    ck_assert_uint_eq(measured(u->moved_written_bytes), DISK_BYTES + 3000000);
    if (counts) /* to and from its scratch, in memory; the output's end goes through the page cache */
        ck_assert_uint_ge(measured(u->io_bytes), kernel(u) + DISK_BYTES + 3000000);
    if (counts)
        ck_assert_uint_le(measured(u->io_bytes), kernel(u) + DISK_BYTES + 3000000 + 4096);
}
END_TEST

static void wait_for(const char *path)
{
    uint64_t until = system_now_ms() + 20000;
    while (access(path, F_OK) < 0 && system_now_ms() < until)
        system_pause_ms(10);
    ck_assert_msg(access(path, F_OK) == 0, "%s does not come", path);
}

static void kill_agent(void)
{
    pid_t agent = system_pid("agent");
    kill(agent, SIGKILL);
    uint64_t until = system_now_ms() + 20000;
    while ((system_pid("agent") == agent || system_pid("agent") == 0) && system_now_ms() < until)
        system_pause_ms(20);
}

/* Moved in memory, and by itself; killed in the middle, and once when the mover has said its last. */
START_TEST(agents_that_are_killed_lose_and_double_nothing)
{
    char path[128];
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit("\"transfer\":true,\"script\":\"" PYTHON "dd('/mnt/disk/a', '/dev/null', 'iflag')\\n"
                          "copy('/mnt/disk/a', '/mnt/disk/b')\\n"
                          "copy('/mnt/disk/a', '/tmp/c')\\n"
                          "print('x' * 99999, flush=True)\\n"
                          "time.sleep(2.5)\\n" /* it is told of */
                          "open('" KILL_AFTER "', 'w').close()\\n"
                          "while os.path.exists('" KILL_AFTER "'): time.sleep(0.02)\\n"
                          "dd('/mnt/disk/a', '/dev/null', 'iflag')\\n\"");
    wait_for(path);
    for (int i = 0; i < 3; i++) {
        kill_agent();
        if (i == 1)
            unlink(path); /* the job goes on meanwhile */
    }
    const struct exit_record r = ended(job, "succeeded", "exit");
    const struct usage *u = &r.usage;
    ck_assert_uint_eq(measured(u->moved_read_bytes), 2 * DISK_BYTES);
    ck_assert_uint_eq(measured(u->moved_written_bytes), 2 * DISK_BYTES + 100000);
    if (counts)
        ck_assert_uint_eq(measured(u->io_bytes), kernel(u) + DISK_BYTES + 100000);
}
END_TEST

#define LIMIT UINT64_C(33554431)
#define FOREVER(step) "\"transfer\":true,\"limits\":{\"io_bytes\":33554431},\"script\":\"" PYTHON \
    "while True: " step "\\n\""

static const struct limit_row {
    const char *sentence, *job;
    uint64_t beyond; /* at most is moved */
} limits[] = {
    {"what it does itself", FOREVER("dd('/mnt/disk/a', '/dev/null', 'iflag')"), 0},
    {"what is copied for it", FOREVER("copy('/mnt/disk/a', '/tmp/c')"), 0}, /* grants stop at the byte */
    {"its logs", FOREVER("print('x' * 99999, flush=True)"), 2 << 20}, /* what its pipe holds */
};

START_TEST(it_ends_at_its_own_limit)
{
    const struct limit_row *row = &limits[_i];
    if (!counts)
        return; /* such a job is placed nowhere */
    const struct exit_record r = ended(submit(row->job), "failed", "io_limit");
    ck_assert_msg(measured(r.usage.io_bytes) >= LIMIT, "%s: %" PRIu64, row->sentence, measured(r.usage.io_bytes));
    uint64_t moved = measured(r.usage.moved_read_bytes) + measured(r.usage.moved_written_bytes);
    ck_assert_msg(moved <= LIMIT + row->beyond, "%s: %" PRIu64, row->sentence, moved);
}
END_TEST

static int64_t cost_of(uint64_t job)
{
    struct job_view view = system_show(job);
    int64_t cost = view.row.cost_micros;
    fields_clear(&job_view_fields, &view);
    return cost;
}

/* What it moved after it was last asked for more, and until it was halted or over, nobody pays. */
static int64_t unpaid_of(uint64_t job)
{
    struct job_view view = system_show(job);
    int64_t micros = ((const struct attempt_view *)view.attempts.v)[0].written_off_micros;
    fields_clear(&job_view_fields, &view);
    return micros;
}

static const struct paid_row {
    const char *sentence, *stopped, *paused; /* by tenants' rule: jobs */
} paid[] = {
    {"what it does itself",
     "\"script\":\"" PYTHON "while True: part('/mnt/disk/a')\\n\"",
     "\"script\":\"" PYTHON "for i in range(64): part('/mnt/disk/a')\\n\""},
    {"what is copied for it",
     "\"transfer\":true,\"script\":\"" PYTHON "while True: copy('/mnt/disk/a', '/tmp/c')\\n\"",
     "\"transfer\":true,\"script\":\"" PYTHON "for i in range(4): copy('/mnt/disk/a', '/tmp/c')\\n\""},
};

/* What was paid for: less than a sixteenth of an allowance is left, and what its time costs. The disk is faster than
 * renewals are: it stands still again and again, and is not stopped while there is money. */
static void check_cost(uint64_t job, const char *sentence)
{
    int64_t cost = cost_of(job);
    ck_assert_msg(cost <= 8 * UNIT && cost >= 7 * UNIT, "%s: %" PRId64, sentence, cost);
}

START_TEST(it_ends_where_its_budget_does)
{
    const char *const tenants[] = {"poor/one", "poor/two"};
    if (!counts)
        return;
    uint64_t job = submit_to(tenants[_i], paid[_i].stopped);
    const struct exit_record r = ended(job, "budget_stopped", "io_budget");
    ck_assert_uint_ge(measured(r.usage.io_bytes), (uint64_t)7 << 20);
    check_cost(job, paid[_i].sentence);
}
END_TEST

START_TEST(it_stands_still_where_its_budget_ends_and_goes_on)
{
    const char *const tenants[] = {"calm/one", "calm/two"};
    if (!counts)
        return;
    uint64_t job = submit_to(tenants[_i], paid[_i].paused);
    system_wait_state(job, "paused");
    check_cost(job, paid[_i].sentence);
    system_set_budget(tenants[_i], 100 * UNIT);
    const struct exit_record r = ended(job, "succeeded", "exit");
    int64_t cost = cost_of(job), all = cost + unpaid_of(job);
    uint64_t bytes = measured(r.usage.io_bytes);
    ck_assert_msg(cost > 8 * UNIT, "%s: %" PRId64, paid[_i].sentence, cost); /* of the first budget and the second */
    ck_assert_msg(bytes >= 8 * DISK_BYTES && bytes <= 8 * DISK_BYTES + (4 << 20), "%s: %" PRIu64, paid[_i].sentence,
                  bytes);
    /* Its time costs little. */
    int64_t exact = (int64_t)(bytes * (uint64_t)UNIT >> 20);
    ck_assert_msg(all >= exact - UNIT / 10 && all <= exact + UNIT / 10, "%s: %" PRId64 " of %" PRId64 " for %" PRIu64,
                  paid[_i].sentence, cost, all, bytes);
}
END_TEST

/* It has written something, and then for a second nothing more. */
static void wait_still(uint64_t job)
{
    char path[4400];
    struct stat st = {0};
    uint64_t now = system_now_ms(), until = now + 20000, changed = now;
    snprintf(path, sizeof path, "%s/node/attempts/%" PRIu64 ".0.1/out", system_dir(), job);
    for (off_t size = 0; now < until && (size == 0 || now - changed < 1000); now = system_now_ms()) {
        ck_assert_int_eq(stat(path, &st), 0);
        changed = st.st_size != size ? now : changed;
        size = st.st_size;
        system_pause_ms(10);
    }
    ck_assert_msg(now < until, "job %" PRIu64 " doesn't stand still", job);
}

/* Faster than anybody can answer it: nothing more will be paid, and it has something left to save what it has done. */
START_TEST(it_saves_what_it_has_done_where_its_budget_ends)
{
    char path[128];
    if (!counts)
        return;
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit_to("saver", "\"script\":\"" PYTHON "import signal\\n"
                             "def save(*_):\\n"
                             "  os.system('dd bs=64k count=1 if=/dev/zero of=/mnt/disk/saved oflag=direct')\\n"
                             "  os._exit(0)\\n"
                             "signal.signal(signal.SIGUSR1, save)\\n"
                             "open('" KILL_AFTER "', 'w').close()\\n"
                             "while os.path.exists('" KILL_AFTER "'): time.sleep(0.02)\\n"
                             "while True: part('/mnt/disk/a', 64); print(1, flush=True)\\n\"");
    wait_for(path);
    pid_t reeved = system_pid("reeved");
    ck_assert_int_eq(kill(reeved, SIGSTOP), 0);
    unlink(path);
    wait_still(job);
    ck_assert_int_eq(kill(reeved, SIGCONT), 0);
    (void)ended(job, "succeeded", "exit");
    snprintf(path, sizeof path, "%s/saved", base);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* More than what is paid at a time, and longer than its node would wait for who is there: only who knows that there is
 * no money has it stopped. */
START_TEST(it_waits_for_a_scheduler_that_is_away)
{
    char path[128];
    if (!counts)
        return;
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit("\"script\":\"" PYTHON "open('" KILL_AFTER "', 'w').close()\\n"
                          "while os.path.exists('" KILL_AFTER "'): time.sleep(0.02)\\n"
                          "for i in range(32): part('/mnt/disk/a')\\n\"");
    wait_for(path);
    pid_t reeved = system_pid("reeved");
    ck_assert_int_eq(kill(reeved, SIGSTOP), 0);
    unlink(path);
    system_pause_ms(10000);
    ck_assert_int_eq(kill(reeved, SIGCONT), 0);
    const struct exit_record r = ended(job, "succeeded", "exit");
    check_near(measured(r.usage.io_bytes), (uint64_t)32 << 18, "moved");
}
END_TEST

/* The exit status of a program; its output into `text`. */
static int run(const char *command, char *text, size_t size)
{
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct io_window window(void)
{
    char path[4400];
    struct buf file = {0};
    struct io_check check = {0};
    struct err err = {0};
    snprintf(path, sizeof path, "%s/node/io.check", system_dir());
    ck_assert_int_eq(file_read(path, 65536, &file, &err), 0);
    ck_assert_int_eq(json_read(&io_check_fields, buf_text(&file), file.len, JSON_LENIENT, &check, &err), 0);
    buf_fini(&file);
    return check.now;
}

static struct io_verdict verdict(void)
{
    const struct io_window w = window();
    return io_verdict(&w.sums);
}

/* After all of the above: by disks, in memory, logs, beyond limits, with agents that were killed. */
START_TEST(both_meters_of_the_node_agree)
{
    char command[9000], text[4096];
    uint64_t until = system_now_ms() + 20000;
    while (counts && verdict().kernel_bytes < 50 * 1000 * 1000 && system_now_ms() < until)
        system_pause_ms(100); /* the agent writes it once a second */
    snprintf(command, sizeof command, "%s/reeve-agent io-check --dir %s 2>&1", build, system_dir());
    int code = run(command, text, sizeof text);
    fputs(text, stdout);
    ck_assert_int_eq(code, 0);
    struct io_verdict v = verdict();
    ck_assert_msg(v.agrees && v.off_percent < 2 && v.off_percent > -2, "%s", text);
    if (counts)
        ck_assert_uint_gt(v.kernel_bytes, 50 * 1000 * 1000);
    /* What is paid for in steps is copied past the page cache all the same, but for the end of a file. */
    ck_assert_uint_lt(window().sums.cached_bytes, (uint64_t)1 << 19);
}
END_TEST

#define CACHED_TWICE(pause) "\"transfer\":true,\"script\":\"" PYTHON \
    "copy('/mnt/disk/a', '/mnt/disk/b', 1)\\n" pause "open('" KILL_AFTER "', 'w').close()\\n" \
    "while os.path.exists('" KILL_AFTER "'): time.sleep(0.02)\\n" \
    "copy('/mnt/disk/a', '/mnt/disk/b', 1)\\n\""

/* Told, or just not yet, and then again under the next agent: which of it no meter of the kernel's need have seen is
 * known of both. */
START_TEST(what_went_through_the_page_cache_is_known_to_the_next_agent)
{
    static const char *const jobs[] = {CACHED_TWICE("time.sleep(2.5)\\n"), CACHED_TWICE("")};
    char path[128];
    if (!counts)
        return;
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit(jobs[_i]);
    wait_for(path);
    kill_agent();
    unlink(path);
    const struct exit_record r = ended(job, "succeeded", "exit");
    uint64_t cached = measured(r.usage.io_cached_bytes); /* what nobody heard of may have been any of it */
    ck_assert_msg(cached >= 2 * DISK_BYTES && cached <= (_i == 0 ? 2 : 3) * DISK_BYTES, "%" PRIu64, cached);
}
END_TEST

/* What all of the above was charged, as the books hold it: to the limit, to the end of budgets, with holds that were
 * renewed for bytes; and what the kernel counted. */
START_TEST(the_ledger_and_the_kernel_agree)
{
    char command[9000], text[32768];
    snprintf(command, sizeof command, "%s --dir %s ledger verify 2>&1", system_program(), system_dir());
    int code = run(command, text, sizeof text);
    fputs(text, stdout);
    ck_assert_msg(code == 0, "%s", text);
    if (!counts) {
        ck_assert_ptr_nonnull(strstr(text, "I/O       no attempts to compare"));
        return;
    }
    const char *row = strstr(text, "I/O       ");
    uint64_t kernel_bytes = 0;
    ck_assert(row != NULL && sscanf(row, "%*s %*s %*s agrees: the kernel counted %" SCNu64, &kernel_bytes) == 1);
    ck_assert_uint_gt(kernel_bytes, 50 * 1000 * 1000);
    ck_assert_ptr_nonnull(strstr(row, "written off"));
    ck_assert_ptr_null(strstr(row, "charged twice"));
    ck_assert_ptr_null(strstr(row, "on nobody's bill"));
    snprintf(command, sizeof command, "%s doctor --dir %s --only ledger 2>&1 && "
             "curl -s --unix-socket %s/report/http.sock http://reeve/metrics", system_program(), system_dir(),
             system_dir());
    ck_assert_msg(run(command, text, sizeof text) == 0, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "what was charged is what the kernel counted"));
    ck_assert_ptr_nonnull(strstr(text, "\nreeve_ledger_io_agrees{node=\"n1\"} 1\n"));
}
END_TEST

START_TEST(bytes_that_are_billed_twice_are_seen)
{
    char command[9000], text[4096];
    if (!counts)
        return;
    /* As if what the disk saw had been told twice. */
    snprintf(command, sizeof command,
             "mkdir -p %s/double/node && python3 -c 'import json; c = json.load(open(\"%s/node/io.check\")); "
             "n = c[\"now\"]; n[\"billed_bytes\"] += n[\"kernel_read_bytes\"] + n[\"kernel_written_bytes\"]; "
             "json.dump(c, open(\"%s/double/node/io.check\", \"w\"))' && %s/reeve-agent io-check --dir %s/double 2>&1",
             base, system_dir(), base, build, base);
    ck_assert_msg(run(command, text, sizeof text) == 1 && strstr(text, " differs: ") != NULL, "%s", text);
    fputs(text, stdout);
}
END_TEST

#define MOVED "moved   read 2Mi   written 2Mi   with all else, each byte once: "
/* What the command prints, as soon as it says this. */
static void says(const char *command, const char *what, char *text, size_t size)
{
    uint64_t until = system_now_ms() + 20000;
    do
        ck_assert_int_eq(run(command, text, size), 0);
    while (strstr(text, what) == NULL && system_now_ms() < until);
    ck_assert_msg(strstr(text, what) != NULL, "%s", text);
}

START_TEST(people_see_both_meters)
{
    char command[9000], text[8192], path[128];
    const char *moved = counts ? MOVED : "moved   read 2Mi   written 2Mi";
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit("\"transfer\":true,\"script\":\"" PYTHON "copy('/mnt/disk/a', '/tmp/c')\\n"
                          "open('" KILL_AFTER "', 'w').close()\\n"
                          "while os.path.exists('" KILL_AFTER "'): time.sleep(0.02)\\n\"");
    wait_for(path);
    snprintf(command, sizeof command, "%s --dir %s show %" PRIu64 ".0 2>&1", system_program(), system_dir(), job);
    says(command, moved, text, sizeof text);
    ck_assert_msg(strstr(text, "\n    so far  cpu ") != NULL, "%s", text);
    unlink(path);
    (void)ended(job, "succeeded", "exit");
    says(command, moved, text, sizeof text);
    ck_assert_msg(strstr(text, "\n    used    cpu ") != NULL, "%s", text);
}
END_TEST

START_TEST(people_see_which_job_moves)
{
    char command[9000], text[8192], path[128], row[64];
    snprintf(path, sizeof path, "%s/ready", base);
    unlink(path);
    uint64_t job = submit("\"transfer\":true,\"script\":\"" PYTHON "open('" KILL_AFTER "', 'w').close()\\n"
                          "while os.path.exists('" KILL_AFTER "'):\\n"
                          "  copy('/mnt/disk/a', '/tmp/c'); time.sleep(0.1)\\n\"");
    wait_for(path);
    snprintf(command, sizeof command, "%s --dir %s top --io --once 2>&1", system_program(), system_dir());
    snprintf(row, sizeof row, "\n%3" PRIu64 "  acme  ", job);
    says(command, row, text, sizeof text);
    fputs(text, stdout);
    ck_assert_msg(strstr(text, "agrees: the kernel counted ") != NULL, "%s", text);
    unlink(path);
    (void)ended(job, "succeeded", "exit");
}
END_TEST

START_TEST(the_books_are_right)
{
    char text[512];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("meters");
    TCase *t = tcase_create("meters");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, each_byte_is_billed_once);
    tcase_add_test(t, what_is_brought_in_and_out_is_billed_once);
    tcase_add_test(t, agents_that_are_killed_lose_and_double_nothing);
    tcase_add_loop_test(t, it_ends_at_its_own_limit, 0, (int)COUNT_OF(limits));
    tcase_add_loop_test(t, it_ends_where_its_budget_does, 0, (int)COUNT_OF(paid));
    tcase_add_loop_test(t, it_stands_still_where_its_budget_ends_and_goes_on, 0, (int)COUNT_OF(paid));
    tcase_add_test(t, it_saves_what_it_has_done_where_its_budget_ends);
    tcase_add_test(t, it_waits_for_a_scheduler_that_is_away);
    tcase_add_test(t, both_meters_of_the_node_agree);
    tcase_add_loop_test(t, what_went_through_the_page_cache_is_known_to_the_next_agent, 0, 2);
    tcase_add_test(t, the_ledger_and_the_kernel_agree);
    tcase_add_test(t, bytes_that_are_billed_twice_are_seen);
    tcase_add_test(t, people_see_both_meters);
    tcase_add_test(t, people_see_which_job_moves);
    tcase_add_test(t, the_books_are_right);
    suite_add_tcase(s, t);
    return s;
}

static bool try(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    return system(command) == 0; /* lint: allow in tests */
}

/* In user-mode-linux (tests/system/cgroup2.sh) there is one block device, and on the host's files nobody but root may
 * write: the volume gets a file system there, the system lives in memory. */
#define UML_DISK "/run/disk"
static bool settle_in_uml(void)
{
    static char program_dir[] = "/tmp/reeve-build";
    char command[1024];
    snprintf(command, sizeof command,
             "mkdir %s && cp %s/reeve %s/reeve?* %s/ && mkfs.ext4 -q -F " UML_DISK " && mount " UML_DISK " %s",
             program_dir, build, build, program_dir, base);
    build = program_dir;
    return system(command) == 0; /* lint: allow in tests */
}

int main(int argc, char **argv)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    build = argc > 1 ? argv[1] : "build";
    strcpy(base, "/var/tmp/reeve-meters-XXXXXX"); /* lint: allow it fits */
    bool in_uml = access(UML_DISK, F_OK) == 0;
    if (mkdtemp(base) == NULL || (in_uml && !settle_in_uml()) ||
        !try("chown 4321:4321 . && chmod 755 ."))
        return 1;
    counts = try("[ -e /sys/fs/cgroup/blkio ] || grep -qw io /sys/fs/cgroup/cgroup.controllers 2>/dev/null");
    snprintf(options_volume, sizeof options_volume, "disk=%s", base);
    const char *options[] = {"--volume", options_volume, NULL};
    system_start_with(build, policy, options);
    int code = suite_run_on_system(suite());
    bool left = !try("rm -rf ./*") || (in_uml && umount(base) < 0) || rmdir(base) < 0;
    return left ? 1 : code;
}
