/* Log capture through a real ring and real pipes: order, kills at any moment, the cap, a full disk, many streams. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/logs.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct loop *loop;
static struct ring *ring;
static struct fair *fair;
static bool plain; /* without io_uring */
static const char *tenant = "acme"; /* of what is opened next */
static struct logs *logs;
static struct scratch scratch;
static int dir;
static unsigned done, wanted;

static uint64_t random_state;

static uint64_t next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void seed(void)
{
    const char *given = getenv("SEED");
    random_state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * UINT64_C(2654435761) + 1;
    printf("seed %" PRIu64 "\n", random_state);
    fflush(stdout);
}

/* Byte i of stream s: so that a lost, doubled or swapped one can't hide. */
static uint8_t byte_at(unsigned s, uint64_t i)
{
    uint64_t h = (i / 8 + s * UINT64_C(1000003)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)((h ^ h >> 29) >> (i % 8 * 8));
}

static void on_done(void *owner, uint64_t token, enum log_stream which)
{
    (void)owner, (void)token, (void)which;
    if (++done == wanted)
        loop_stop(loop);
}

static const struct logs_events events = {.on_done = on_done};

static void open_all(void)
{
    struct err err = {0};
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    int rc = plain ? ring_new_plain(&ring, loop, 256, &err) : ring_new(&ring, loop, 256, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_msg(fair_new(&fair, loop, NULL, &err) == 0, "%s", err.text);
    struct logs_setup with = {.loop = loop, .ring = ring, .fair = fair, .events = &events};
    ck_assert_int_eq(logs_new(&logs, &with), 0);
    dir = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir, 0);
}

static int open_stream(int where, enum log_stream which, const char *name, int pipe, uint64_t cap, uint64_t token,
                       logs_id *ret)
{
    struct logs_source source = {.dir = where, .which = which, .name = name, .tenant = tenant, .job = token,
                                 .pipe = pipe, .cap = cap, .token = token};
    return logs_open(logs, &source, ret);
}

static void close_all(void)
{
    ring_free(ring);
    logs_free(logs);
    fair_free(fair);
    loop_free(loop);
    close(dir);
}

static void setup(void)
{
    scratch = scratch_new();
    done = 0;
    wanted = UINT32_MAX;
}

static void setup_plain(void)
{
    plain = true;
    setup();
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

/* Writes bytes from..to of stream s in odd pieces. */
static void write_stream(int fd, unsigned s, uint64_t from, uint64_t to)
{
    uint8_t piece[20000];
    while (from < to) {
        uint64_t some = 1 + next() % (next() % 4 == 0 ? sizeof piece : 200);
        size_t len = (size_t)MIN(to - from, some);
        for (size_t i = 0; i < len; i++)
            piece[i] = byte_at(s, from + i);
        if (fd_write_all(fd, piece, len) < 0)
            _exit(3);
        from += len;
    }
}

static pid_t start_writer(int fd, unsigned s, uint64_t bytes)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    write_stream(fd, s, 0, bytes);
    _exit(0);
}

static void check_file(const char *name, unsigned s, uint64_t size, uint64_t cap)
{
    int fd = open(scratch_path(&scratch, name), O_RDONLY | O_CLOEXEC);
    struct stat st;
    ck_assert(fd >= 0 && fstat(fd, &st) == 0);
    ck_assert_uint_eq((uint64_t)st.st_size, size);
    struct log_hole hole = log_hole(size, cap);
    uint8_t block[65536];
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(fd, block, sizeof block, (off_t)at);
        ck_assert_int_gt(n, 0);
        for (ssize_t i = 0; i < n; i++, at++) {
            uint8_t want = at >= hole.start && at < hole.end ? 0 : byte_at(s, at);
            if (block[i] != want) /* Check writes a message for every assertion: too slow for every byte */
                ck_abort_msg("%s: byte %" PRIu64 " is %02x, not %02x", name, at, block[i], want);
        }
    }
    close(fd);
}

static void reap(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static logs_id polled;
static uint64_t polled_until;
static struct timer *poller;

/* Stops the loop once the polled stream has so many bytes. */
static void on_poller(void *arg)
{
    (void)arg;
    if (logs_size(logs, polled) >= polled_until)
        loop_stop(loop);
    else
        timer_set_us(poller, 500);
}

static void run_until(logs_id id, uint64_t size)
{
    polled = id;
    polled_until = size;
    ck_assert_int_eq(timer_new(&poller, loop, on_poller, NULL), 0);
    timer_set_us(poller, 500);
    ck_assert_int_eq(loop_run(loop, NULL), 0);
    timer_free(poller);
}

START_TEST(every_byte_of_both_streams_arrives_in_order)
{
    seed();
    int out[2], err[2];
    logs_id ids[2];
    ck_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    pid_t a = start_writer(out[1], 0, 3000001), b = start_writer(err[1], 1, 1000003);
    close(out[1]), close(err[1]);
    open_all();
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "1.0.1", out[0], LOG_CAP_DEFAULT, 7, &ids[0]), 0);
    ck_assert_int_eq(open_stream(dir, STREAM_ERR, "1.0.1", err[0], LOG_CAP_DEFAULT, 7, &ids[1]), 0);
    run_until(ids[0], 3000001);
    run_until(ids[1], 1000003);
    reap(a), reap(b);
    unsigned left = !logs_finish(logs, ids[0]);
    left += !logs_finish(logs, ids[1]);
    wanted = done + left;
    if (left > 0)
        ck_assert_int_eq(loop_run(loop, NULL), 0);
    close_all();
    check_file("out", 0, 3000001, LOG_CAP_DEFAULT);
    check_file("err", 1, 1000003, LOG_CAP_DEFAULT);
}
END_TEST

/* A capturing process that goes on from whatever lies there; `last` drains and leaves by itself. */
static pid_t start_capture(const int pipes[2], uint64_t cap, bool last)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    logs_id ids[2];
    open_all();
    for (int i = 0; i < 2; i++)
        if (open_stream(dir, (enum log_stream)i, "1.0.1", dup(pipes[i]), cap, 0, &ids[i]) < 0)
            _exit(4);
    if (last) {
        unsigned left = 0;
        for (int i = 0; i < 2; i++)
            left += !logs_finish(logs, ids[i]);
        wanted = left;
        if (left > 0 && loop_run(loop, NULL) < 0)
            _exit(5);
        close_all();
        _exit(0);
    }
    _exit(loop_run(loop, NULL) < 0 ? 6 : 7);
}

static bool has_ended(pid_t pid)
{
    int status;
    pid_t rc = waitpid(pid, &status, WNOHANG);
    ck_assert(rc == 0 || (rc == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return rc == pid;
}

static const struct {
    const char *fact;
    uint64_t bytes[2], cap;
} kills[] = {
    {"a capture killed again and again loses and doubles nothing", {12 << 20, 5 << 20}, LOG_CAP_DEFAULT},
    {"nor when the middle is being punched out", {12 << 20, (6 << 20) + 77}, 1 << 20},
    {"nor with the smallest cap", {3 << 20, 100001}, LOG_CAP_MIN},
};

START_TEST(kill_nine_at_any_moment)
{
    seed();
    int out[2], err[2];
    ck_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    pid_t a = start_writer(out[1], 0, kills[_i].bytes[0]), b = start_writer(err[1], 1, kills[_i].bytes[1]);
    close(out[1]), close(err[1]);
    const int pipes[2] = {out[0], err[0]};
    unsigned killed = 0;
    for (bool a_done = false, b_done = false; !a_done || !b_done; killed++) {
        pid_t capture = start_capture(pipes, kills[_i].cap, false);
        struct timespec moment = {.tv_nsec = (long)(next() % 12000000)};
        ppoll(NULL, 0, &moment, NULL);
        kill(capture, SIGKILL);
        ck_assert_int_eq(waitpid(capture, NULL, 0), capture);
        a_done = a_done || has_ended(a);
        b_done = b_done || has_ended(b);
    }
    reap(start_capture(pipes, kills[_i].cap, true));
    printf("%u kills\n", killed);
    check_file("out", 0, kills[_i].bytes[0], kills[_i].cap);
    check_file("err", 1, kills[_i].bytes[1], kills[_i].cap);
}
END_TEST

START_TEST(a_finish_takes_what_is_in_the_pipe_and_waits_for_no_stranger)
{
    int ends[2];
    logs_id id;
    random_state = 1;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    write_stream(ends[1], 0, 0, 5000);
    open_all();
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "1.0.1", ends[0], LOG_CAP_DEFAULT, 0, &id), 0);
    wanted = 1;
    ck_assert(!logs_finish(logs, id)); /* ends[1] is still open: somebody got hold of it */
    ck_assert_int_eq(loop_run(loop, NULL), 0);
    ck_assert_uint_eq(logs_size(logs, id), 5000);
    ck_assert(logs_finish(logs, id));
    close_all();
    close(ends[1]);
    check_file("out", 0, 5000, LOG_CAP_DEFAULT);
}
END_TEST

/* The largest file that may be here. */
static uint64_t largest(int fd)
{
    uint64_t size = 0;
    for (uint64_t step = UINT64_C(1) << 62; step > 0; step /= 2)
        size += ftruncate(fd, (off_t)(size + step)) == 0 ? step : 0;
    return size;
}

START_TEST(a_file_that_is_as_large_as_files_can_be_keeps_nobody_from_its_end)
{
    int ends[2];
    logs_id id;
    random_state = 1;
    int fd = open(scratch_path(&scratch, "out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    uint64_t most = largest(fd);
    ck_assert_int_eq(ftruncate(fd, (off_t)(most - 3000)), 0);
    close(fd);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    write_stream(ends[1], 0, 0, 5000);
    open_all();
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "1.0.1", ends[0], LOG_CAP_DEFAULT, 0, &id), 0);
    wanted = 1;
    if (!logs_finish(logs, id))
        ck_assert_int_eq(loop_run(loop, NULL), 0);
    ck_assert_uint_eq(logs_size(logs, id), most); /* the rest is lost */
    close_all();
    close(ends[1]);
}
END_TEST

/* Its job is being killed for what it writes: however long that takes, no more comes than its pipe holds. */
START_TEST(a_held_stream_takes_nothing_until_its_end)
{
    int held[2], other[2];
    logs_id ids[2];
    random_state = 1;
    ck_assert(pipe2(held, O_CLOEXEC) == 0 && pipe2(other, O_CLOEXEC) == 0);
    write_stream(held[1], 0, 0, 5000);
    open_all();
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "1.0.1", held[0], LOG_CAP_DEFAULT, 0, &ids[0]), 0);
    ck_assert_int_eq(open_stream(dir, STREAM_ERR, "1.0.1", other[0], LOG_CAP_DEFAULT, 0, &ids[1]), 0);
    run_until(ids[0], 5000);
    logs_hold(logs, ids[0]);
    write_stream(held[1], 0, 5000, 9000);
    for (uint64_t from = 0; from < 3000000; from += 60000) { /* the loop turns, and others go on */
        write_stream(other[1], 1, from, from + 60000);
        run_until(ids[1], from + 60000);
    }
    ck_assert_uint_eq(logs_size(logs, ids[0]), 5000);
    wanted = 2;
    close(other[1]);
    done += logs_finish(logs, ids[1]);
    ck_assert(!logs_finish(logs, ids[0]));
    if (done < wanted)
        ck_assert_int_eq(loop_run(loop, NULL), 0);
    close_all();
    close(held[1]);
    check_file("out", 0, 9000, LOG_CAP_DEFAULT);
    check_file("err", 1, 3000000, LOG_CAP_DEFAULT);
}
END_TEST

START_TEST(a_quiet_stream_makes_no_file)
{
    int ends[2];
    logs_id id;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    open_all();
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "1.0.1", ends[0], LOG_CAP_DEFAULT, 0, &id), 0);
    close(ends[1]);
    wanted = 1;
    if (!logs_finish(logs, id))
        ck_assert_int_eq(loop_run(loop, NULL), 0);
    close_all();
    ck_assert_int_eq(access(scratch_path(&scratch, "out"), F_OK), -1);
}
END_TEST

START_TEST(a_stream_on_a_full_disk_waits_holds_nobody_and_loses_nothing)
{
    seed();
    char full[256], name[300];
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    snprintf(full, sizeof full, "%s", scratch_path(&scratch, "full"));
    ck_assert_int_eq(mkdir(full, 0700), 0);
    ck_assert_int_eq(mount("tmpfs", full, "tmpfs", 0, "size=256k"), 0);
    snprintf(name, sizeof name, "%s/ballast", full);
    int ballast = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(posix_fallocate(ballast, 0, 192 << 10), 0);

    open_all();
    int full_dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC), a[2], b[2];
    logs_id stuck, free_one;
    ck_assert(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
    pid_t writer_a = start_writer(a[1], 0, 150000), writer_b = start_writer(b[1], 1, 2000000);
    close(a[1]), close(b[1]);
    ck_assert_int_eq(open_stream(full_dir, STREAM_OUT, "1.0.1", a[0], LOG_CAP_DEFAULT, 0, &stuck), 0);
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "2.0.1", b[0], LOG_CAP_DEFAULT, 0, &free_one), 0);
    run_until(free_one, 2000000);
    reap(writer_b);
    run_until(stuck, 64 << 10);
    while (logs_counts(logs).waiting == 0)
        run_until(stuck, 64 << 10);
    ck_assert_uint_eq(logs_size(logs, stuck), 64 << 10);

    ck_assert_int_eq(ftruncate(ballast, 0), 0);
    run_until(stuck, 150000);
    ck_assert_uint_eq(logs_counts(logs).waiting, 0);
    reap(writer_a);
    close_all();
    check_file("out", 1, 2000000, LOG_CAP_DEFAULT);
    check_file("full/out", 0, 150000, LOG_CAP_DEFAULT);
    close(ballast), close(full_dir);
    ck_assert_int_eq(umount(full), 0);
}
END_TEST

START_TEST(a_stalled_stream_holds_no_other)
{
    seed();
    enum { STREAMS = 40 };
    int silent[2], ends[STREAMS][2], dirs[STREAMS];
    pid_t writers[STREAMS];
    logs_id ids[STREAMS], quiet;
    char name[32];
    open_all();
    ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "quiet"), 0700), 0);
    int quiet_dir = open(scratch_path(&scratch, "quiet"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(open_stream(quiet_dir, STREAM_OUT, "0.0.1", silent[0], LOG_CAP_DEFAULT, 0, &quiet), 0);
    for (unsigned i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof name, "%u", i);
        ck_assert_int_eq(mkdir(scratch_path(&scratch, name), 0700), 0);
        dirs[i] = open(scratch_path(&scratch, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(pipe2(ends[i], O_CLOEXEC), 0);
        writers[i] = start_writer(ends[i][1], i, 60000 + i);
        close(ends[i][1]);
        ck_assert_int_eq(open_stream(dirs[i], STREAM_OUT, name, ends[i][0], LOG_CAP_MIN, i, &ids[i]), 0);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        run_until(ids[i], 60000 + i);
        reap(writers[i]);
    }
    ck_assert_uint_eq(logs_size(logs, quiet), 0);
    close_all();
    for (unsigned i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof name, "%u/out", i);
        close(dirs[i]);
        ck_assert_uint_gt(log_hole(60000 + i, LOG_CAP_MIN).end, log_hole(60000 + i, LOG_CAP_MIN).start);
    }
    close(silent[1]), close(quiet_dir);
}
END_TEST

/* Stops the loop once a tenant waits for its limit. */
static void on_limit_poller(void *arg)
{
    (void)arg;
    struct arbiter_view v;
    for (uint32_t at = 0; arbiter_next_view(fair_arbiter(fair), &at, &v);)
        if (v.queue.standing == FQ_LIMITED) {
            loop_stop(loop);
            return;
        }
    timer_set_us(poller, 500);
}

START_TEST(a_tenant_at_its_limit_waits_alone_and_can_be_closed)
{
    seed();
    enum { FAST = 500000 };
    int slow[2], fast[2];
    logs_id slow_id, fast_id;
    open_all();
    const struct share_given little = {"little", {.weight = 1, .limits.bytes_per_s = 1}};
    ck_assert_int_eq(fair_shares(fair, &little, 1), 0);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "slow"), 0700), 0);
    int slow_dir = open(scratch_path(&scratch, "slow"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(pipe2(slow, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(fast, O_CLOEXEC), 0);
    ck_assert_int_eq(write(slow[1], "first", 5), 5); /* goes through: a limit may owe one */
    tenant = "little";
    ck_assert_int_eq(open_stream(slow_dir, STREAM_OUT, "1.0.1", slow[0], LOG_CAP_DEFAULT, 0, &slow_id), 0);
    run_until(slow_id, 5);
    ck_assert_int_eq(write(slow[1], "second", 6), 6);
    tenant = "acme";
    pid_t writer = start_writer(fast[1], 0, FAST);
    close(fast[1]);
    ck_assert_int_eq(open_stream(dir, STREAM_OUT, "2.0.1", fast[0], LOG_CAP_DEFAULT, 1, &fast_id), 0);
    run_until(fast_id, FAST);
    reap(writer);
    ck_assert_int_eq(timer_new(&poller, loop, on_limit_poller, NULL), 0);
    timer_set_us(poller, 0);
    ck_assert_int_eq(loop_run(loop, NULL), 0);
    timer_free(poller);
    ck_assert_uint_eq(logs_size(logs, slow_id), 5);
    logs_close(logs, slow_id); /* while it waits for its turn: gone at once */
    ck_assert_uint_eq(logs_counts(logs).streams, 1);
    close_all();
    check_file("out", 0, FAST, LOG_CAP_DEFAULT);
    close(slow_dir), close(slow[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logs");
    for (int way = 0; way < 2; way++) { /* by io_uring, and by plain calls: nobody can tell */
        TCase *c = tcase_create(way == 0 ? "logs" : "plain");
        tcase_add_checked_fixture(c, way == 0 ? setup : setup_plain, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, every_byte_of_both_streams_arrives_in_order);
        tcase_add_loop_test(c, kill_nine_at_any_moment, 0, (int)COUNT_OF(kills));
        tcase_add_test(c, a_finish_takes_what_is_in_the_pipe_and_waits_for_no_stranger);
        tcase_add_test(c, a_file_that_is_as_large_as_files_can_be_keeps_nobody_from_its_end);
        tcase_add_test(c, a_held_stream_takes_nothing_until_its_end);
        tcase_add_test(c, a_quiet_stream_makes_no_file);
        if (geteuid() == 0)
            tcase_add_test(c, a_stream_on_a_full_disk_waits_holds_nobody_and_loses_nothing);
        else
            puts("skip: a full disk needs root, for a small tmpfs");
        tcase_add_test(c, a_stalled_stream_holds_no_other);
        tcase_add_test(c, a_tenant_at_its_limit_waits_alone_and_can_be_closed);
        suite_add_tcase(suite, c);
    }
    return run_suite(suite);
}
