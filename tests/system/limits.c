#include "tests/system/limits.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/confine_rows.h"

struct driver d;
struct ended e;
struct node_abilities able;

bool has_disk(void)
{
    return access(DISK, F_OK) == 0;
}

void limits_setup(void)
{
    static const char *const plain[] = {"--device", "terminal=/dev/tty", NULL};
    static const char *const with_disk[] = {"--device", "terminal=/dev/tty", "--device", "disk=" DISK,
                                            "--io-device", DISK, NULL};
    driver_init_with(&d, has_disk() ? with_disk : plain);
    able = driver_able(&d);
}

void limits_teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

bool can(enum node_feature f)
{
    return (able.features & FEATURE_BIT(f)) != 0;
}

/* What a file of an attempt's group (job 0: of the base) holds, wherever the file is; "" when there is none. */
const char *group_file(uint64_t job, const char *file)
{
    static char text[4096];
    char command[512], group[32] = "";
    if (job > 0)
        snprintf(group, sizeof group, "/a%lu.0.1.s*", (unsigned long)job);
    snprintf(command, sizeof command, "exec 2>/dev/null; cat $(find /sys/fs/cgroup -path '*reeve-%s%s/%s') /dev/null",
             d.cgroup, group, file);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    pclose(f);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    text[n] = '\0';
    return text;
}

bool is_v2(void)
{
    return group_file(0, "memory.max")[0] != '\0';
}

static bool says_a_byte(struct run *r, struct task *t)
{
    char byte;
    ck_assert_msg(driver_launch(&d, r, t) == OP_DONE, "launch: step %s: %s", t->launch.step,
                  strerror(t->launch.error));
    ck_assert(driver_link(t, NULL));
    return read(t->out, &byte, 1) == 1;
}

/* One that says a byte when it runs, then sleeps. */
void start(struct run *r, struct task *t)
{
    ck_assert(says_a_byte(r, t));
}

void start_before(struct run *r, struct task *t, uint64_t *end_us)
{
    for (; !says_a_byte(r, t); *end_us *= 2)
        stop(t);
}

void stop(struct task *t)
{
    ck_assert_uint_eq(driver_remove(&d, t->id).status, OP_DONE);
    driver_drop(t);
}

/* Reads a mebibyte past the cache: here a program of the host's on its disk, there the disk itself. */
struct run reader(void)
{
    const char *program = has_disk() ? "dd if=/dev/disk of=/dev/null bs=64k count=16 iflag=direct 2>&1"
                                     : "dd if=$(readlink -f /usr/bin/python3) of=/dev/null bs=64k count=16 "
                                       "iflag=direct 2>&1";
    struct run r = driver_run(&d, shell(program));
    if (has_disk())
        r.spec.limits.devices = DEVICE_DISK;
    return r;
}

void until_done(enum op_kind kind, struct attempt_id id)
{
    struct op_reply reply = {.status = OP_BUSY};
    while (reply.status == OP_BUSY) /* on a machine this busy it may take its time; the test's own limit ends it */
        reply = driver_ask(&d, kind, id);
    ck_assert_uint_eq(reply.status, OP_DONE);
}

void check_end(enum end_cause cause, int exit_code, int sig)
{
    ck_assert_msg(e.record.cause == (uint32_t)cause && e.record.exit_code == exit_code && e.record.signal == sig,
                  "cause %u exit %d signal %d, not %d %d %d\nout: %s\nerr: %s", e.record.cause, e.record.exit_code,
                  e.record.signal, cause, exit_code, sig, e.out, e.err);
}

/* The lower bound is the promise. The upper one tells a stop from none, so it has room for a machine that is busy. */
#define BUSY_MS 15000
void check_run_ms(uint64_t least, uint64_t most)
{
    most += BUSY_MS;
    ck_assert_msg(e.record.run_us >= least * 1000 && e.record.run_us <= most * 1000, "ran %lu us, not %lu..%lu ms",
                  (unsigned long)e.record.run_us, (unsigned long)least, (unsigned long)most);
}
