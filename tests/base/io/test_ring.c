/* The ring in the loop: every operation, its bounds, cancelling, and going away with requests in flight. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/ring.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct loop *loop;
static struct ring *ring;
static struct scratch scratch;
static int32_t results[64];
static unsigned answers, expected;
static bool plain; /* no io_uring */

static void on_answer(void *owner, uint64_t token, int32_t result)
{
    ck_assert_ptr_eq(owner, &results);
    results[token] = result;
    if (++answers == expected)
        loop_stop(loop);
}

static struct ring_reply to(uint64_t token)
{
    return (struct ring_reply){.fn = on_answer, .owner = &results, .token = token};
}

static void run_for(unsigned count)
{
    struct err err = {0};
    answers = 0;
    expected = count;
    ck_assert_msg(loop_run(loop, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(answers, count);
}

static void setup(void)
{
    struct err err = {0};
    scratch = scratch_new();
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    int rc = plain ? ring_new_plain(&ring, loop, 32, &err) : ring_new(&ring, loop, 32, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    memset(results, 0x55, sizeof results);
}

static void setup_plain(void)
{
    plain = true;
    setup();
}

static void teardown(void)
{
    ring_free(ring);
    loop_free(loop);
    scratch_remove(&scratch);
}

static int open_new(const char *name)
{
    int fd = open(scratch_path(&scratch, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(what_is_written_is_read_back_and_synced)
{
    int fd = open_new("file");
    char back[6] = "";
    ck_assert_int_eq(ring_write(ring, fd, "hello", 5, 3, to(0), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[0], 5);
    ck_assert_int_eq(ring_fsync(ring, fd, true, to(1), NULL), 0);
    ck_assert_int_eq(ring_read(ring, fd, back, 5, 3, to(2), NULL), 0);
    run_for(2);
    ck_assert_int_eq(results[1], 0);
    ck_assert_int_eq(results[2], 5);
    ck_assert_str_eq(back, "hello");
    close(fd);
}
END_TEST

START_TEST(a_splice_takes_what_the_pipe_has_and_never_waits)
{
    int ends[2], fd = open_new("file");
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(ring_splice_in(ring, ends[0], fd, 0, 4096, to(0), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[0], -EAGAIN);
    ck_assert_int_eq(write(ends[1], "abcdef", 6), 6);
    ck_assert_int_eq(ring_splice_in(ring, ends[0], fd, 10, 4, to(1), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[1], 4);
    close(ends[1]);
    ck_assert_int_eq(ring_splice_in(ring, ends[0], fd, 14, 4096, to(2), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[2], 2);
    ck_assert_int_eq(ring_splice_in(ring, ends[0], fd, 16, 4096, to(3), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[3], 0);
    char back[7] = "";
    ck_assert_int_eq(pread(fd, back, 6, 10), 6);
    ck_assert_str_eq(back, "abcdef");
    close(ends[0]);
    close(fd);
}
END_TEST

START_TEST(a_poll_answers_when_there_is_something_or_nobody_left)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(0), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[0], POLLIN);
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(1), NULL), 0);
    close(ends[1]);
    run_for(1);
    ck_assert_int_eq(results[1], POLLHUP);
    close(ends[0]);
}
END_TEST

START_TEST(a_punched_hole_keeps_the_size_and_frees_the_room)
{
    int fd = open_new("file");
    char block[65536];
    memset(block, 'x', sizeof block);
    ck_assert_int_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
    ck_assert_int_eq(ring_fallocate(ring, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 57344, to(0), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[0], 0);
    struct stat st;
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, (off_t)sizeof block);
    ck_assert_int_le(st.st_blocks * 512, 16384);
    close(fd);
}
END_TEST

START_TEST(a_full_ring_refuses_and_works_again_after_an_answer)
{
    int ends[2];
    ring_id first = 0, other;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    for (uint64_t i = 0; i < 32; i++)
        ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(i), i == 0 ? &first : &other), 0);
    ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(32), NULL), -ENOBUFS);
    ck_assert_uint_eq(ring_in_flight(ring), 32);
    ring_cancel(ring, first);
    run_for(1);
    ck_assert_int_eq(results[0], -ECANCELED);
    ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(32), NULL), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    run_for(32);
    for (int i = 1; i <= 32; i++)
        ck_assert_int_eq(results[i], POLLIN);
    ck_assert_uint_eq(ring_in_flight(ring), 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(cancelling_what_was_answered_does_nothing_to_who_came_after)
{
    int ends[2], other[2];
    ring_id old;
    ck_assert(pipe2(ends, O_CLOEXEC) == 0 && pipe2(other, O_CLOEXEC) == 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, to(0), &old), 0);
    run_for(1);
    ck_assert_int_eq(ring_poll(ring, other[0], POLLIN, to(1), NULL), 0); /* takes the same slot */
    ring_cancel(ring, old);
    ring_cancel(ring, 0);
    ring_cancel(ring, UINT64_MAX);
    ck_assert_int_eq(write(other[1], "x", 1), 1);
    run_for(1);
    ck_assert_int_eq(results[1], POLLIN);
    close(ends[0]), close(ends[1]), close(other[0]), close(other[1]);
}
END_TEST

static int chain_fd;
static unsigned chain_left;

static void on_chain(void *owner, uint64_t token, int32_t result)
{
    (void)owner;
    ck_assert_int_eq(result, 1);
    if (--chain_left == 0)
        loop_stop(loop);
    else
        ck_assert_int_eq(ring_write(ring, chain_fd, "c", 1, token + 1,
                                    (struct ring_reply){.fn = on_chain, .owner = owner, .token = token + 1}, NULL), 0);
}

START_TEST(an_answer_may_ask_again)
{
    chain_fd = open_new("file");
    chain_left = 500;
    ck_assert_int_eq(ring_write(ring, chain_fd, "c", 1, 0, (struct ring_reply){.fn = on_chain, .owner = NULL}, NULL),
                     0);
    ck_assert_int_eq(loop_run(loop, NULL), 0);
    struct stat st;
    ck_assert(fstat(chain_fd, &st) == 0 && st.st_size == 500);
    close(chain_fd);
}
END_TEST

static void on_never(void *owner, uint64_t token, int32_t result)
{
    (void)owner, (void)token, (void)result;
    ck_abort_msg("a freed ring must not answer");
}

START_TEST(a_ring_freed_with_requests_in_flight_answers_no_more)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(ring_poll(ring, ends[0], POLLIN, (struct ring_reply){.fn = on_never}, NULL), 0);
    ring_flush(ring);
    ring_free(ring);
    ring = NULL;
    ck_assert_int_eq(ring_new(&ring, loop, 4, NULL), 0);
    close(ends[0]), close(ends[1]);
}
END_TEST

START_TEST(a_bad_descriptor_is_an_answer)
{
    char byte;
    ck_assert_int_eq(ring_read(ring, 9999, &byte, 1, 0, to(0), NULL), 0);
    run_for(1);
    ck_assert_int_eq(results[0], -EBADF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    const TTest *const tests[] = {
        what_is_written_is_read_back_and_synced,
        a_splice_takes_what_the_pipe_has_and_never_waits,
        a_poll_answers_when_there_is_something_or_nobody_left,
        a_punched_hole_keeps_the_size_and_frees_the_room,
        a_full_ring_refuses_and_works_again_after_an_answer,
        cancelling_what_was_answered_does_nothing_to_who_came_after,
        an_answer_may_ask_again,
        a_ring_freed_with_requests_in_flight_answers_no_more,
        a_bad_descriptor_is_an_answer,
    };
    for (int way = 0; way < 2; way++) { /* by io_uring, and without it: nobody can tell */
        TCase *c = tcase_create(way == 0 ? "ring" : "plain");
        tcase_add_checked_fixture(c, way == 0 ? setup : setup_plain, teardown);
        for (size_t i = 0; i < COUNT_OF(tests); i++)
            tcase_add_test(c, tests[i]);
        suite_add_tcase(suite, c);
    }
    return run_suite(suite);
}
