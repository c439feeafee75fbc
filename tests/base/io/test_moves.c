/* moves: on a ring and by plain calls the same answers; bounds; a restricted ring; too little locked memory. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/moves.h"
#include "tests/run.h"
#include "tests/scratch.h"

#define DEPTH 8
#define BUFFER 8192

static struct scratch scratch;
static struct moves *m;
/* _i of a looped test. */
enum { BY_RING, BY_RESTRICTED_RING, BY_PLAIN_CALLS, WAYS };

static void make(int way)
{
    struct err err = {0};
    struct moves_setup setup = {.depth = DEPTH, .buffers = DEPTH, .buffer_bytes = BUFFER,
                                .plain = way == BY_PLAIN_CALLS, .restricted = way == BY_RESTRICTED_RING};
    scratch = scratch_new();
    ck_assert_msg(moves_new(&m, &setup, &err) == 0, "%s", err.text);
    ck_assert_msg(moves_has_ring(m) == (way != BY_PLAIN_CALLS), "%s", moves_how(m));
}

static void end(void)
{
    moves_free(m);
    scratch_remove(&scratch);
}

static int open_new(const char *name)
{
    int fd = open(scratch_path(&scratch, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int32_t once(const struct move *move)
{
    struct moved got[2];
    ck_assert_int_eq(moves_ask(m, move), 0);
    ck_assert_int_eq(moves_wait(m, got, 2, -1), 1);
    ck_assert_uint_eq(got[0].token, move->token);
    ck_assert_uint_eq(moves_in_flight(m), 0);
    return got[0].result;
}

START_TEST(what_is_written_is_read)
{
    make(_i);
    int fd = open_new("file");
    int a = moves_lend(m), b = moves_lend(m);
    memset(moves_buffer(m, (uint32_t)a), 'x', BUFFER);
    struct move move = {.kind = MOVE_WRITE, .fd = fd, .buffer = (uint32_t)a, .bytes = 5000, .offset = 100, .token = 7};
    ck_assert_int_eq(once(&move), 5000);
    move = (struct move){.kind = MOVE_READ, .fd = fd, .buffer = (uint32_t)b, .skip = 10, .bytes = 6000, .token = 8};
    ck_assert_int_eq(once(&move), 5100); /* short: the file's end */
    const char *got = moves_buffer(m, (uint32_t)b);
    ck_assert(got[10] == 0 && got[109] == 0 && got[110] == 'x' && got[5109] == 'x' && got[5110] == 0);
    ck_assert_int_eq(once(&(struct move){.kind = MOVE_SYNC, .fd = fd, .token = 9}), 0);
    move.offset = 100000;
    ck_assert_int_eq(once(&move), 0);
    move.fd = -1;
    ck_assert_int_eq(once(&move), -EBADF);
    close(fd);
    end();
}
END_TEST

START_TEST(each_is_answered_once_and_no_more_than_depth_fly)
{
    make(_i);
    int fd = open_new("file");
    struct moved got[DEPTH];
    unsigned seen = 0, taken = 0;
    ck_assert_int_eq(ftruncate(fd, DEPTH * BUFFER), 0);
    for (uint32_t i = 0; i < DEPTH; i++) {
        int b = moves_lend(m);
        ck_assert_int_ge(b, 0);
        struct move move = {.kind = MOVE_READ, .fd = fd, .buffer = (uint32_t)b, .bytes = BUFFER,
                            .offset = i * BUFFER, .token = i};
        ck_assert_int_eq(moves_ask(m, &move), 0);
    }
    ck_assert_int_eq(moves_lend(m), -1);
    ck_assert_int_eq(moves_ask(m, &(struct move){.kind = MOVE_SYNC, .fd = fd}), -ENOBUFS);
    while (taken < DEPTH) {
        int n = moves_wait(m, got, 3, -1);
        ck_assert_int_gt(n, 0);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(got[i].result, BUFFER);
            ck_assert((seen & 1u << got[i].token) == 0);
            seen |= 1u << got[i].token;
        }
        taken += (unsigned)n;
    }
    ck_assert_int_eq(moves_wait(m, got, 1, 0), 0);
    ck_assert_int_eq(moves_wait(m, got, 1, -1), 0); /* nothing would ever come: it doesn't wait */
    for (uint32_t i = 0; i < DEPTH; i++)
        moves_give_back(m, i);
    close(fd);
    end();
}
END_TEST

START_TEST(a_socket_is_heard_beside_the_moves)
{
    make(_i);
    int pipes[2], fd = open_new("file");
    struct moved got[4];
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    ck_assert_int_eq(moves_ask(m, &(struct move){.kind = MOVE_POLL, .fd = pipes[0], .events = POLLIN, .token = 1}), 0);
    ck_assert_int_eq(moves_wait(m, got, 4, 0), 0);
    ck_assert_int_eq(moves_wait(m, got, 4, 1000000), 0); /* a millisecond */
    ck_assert_int_eq(moves_ask(m, &(struct move){.kind = MOVE_SYNC, .fd = fd, .token = 2}), 0);
    ck_assert_int_eq(moves_wait(m, got, 4, -1), 1);
    ck_assert_uint_eq(got[0].token, 2);
    ck_assert_int_eq(write(pipes[1], "x", 1), 1);
    ck_assert_int_eq(moves_wait(m, got, 4, -1), 1);
    ck_assert_uint_eq(got[0].token, 1);
    ck_assert_int_eq(got[0].result & POLLIN, POLLIN);
    int b = moves_lend(m);
    struct move move = {.kind = MOVE_READ, .fd = pipes[0], .buffer = (uint32_t)b, .bytes = 10,
                        .offset = MOVES_ANY_OFFSET, .token = 3};
    ck_assert_int_eq(once(&move), 1);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
    end();
}
END_TEST

START_TEST(direct_io_works_with_its_buffers)
{
    make(_i);
    int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0) { /* a file system that has both */
        int b = moves_lend(m);
        memset(moves_buffer(m, (uint32_t)b), 'd', BUFFER);
        struct move move = {.kind = MOVE_WRITE, .fd = fd, .buffer = (uint32_t)b, .bytes = BUFFER};
        ck_assert_int_eq(once(&move), BUFFER);
        memset(moves_buffer(m, (uint32_t)b), 0, BUFFER);
        move.kind = MOVE_READ;
        ck_assert_int_eq(once(&move), BUFFER);
        ck_assert_int_eq(*(char *)moves_buffer(m, (uint32_t)b), 'd');
        close(fd);
    }
    end();
}
END_TEST

START_TEST(without_io_uring_it_says_so_and_works)
{
    /* A limit of no descriptors: the ring can't have one. */
    struct rlimit now, none;
    struct err err = {0};
    struct moves_setup setup = {.depth = 2, .buffers = 2, .buffer_bytes = 4096};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = now.rlim_max};
    scratch = scratch_new();
    int fd = open_new("file");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_msg(moves_new(&m, &setup, &err) == 0, "%s", err.text);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    ck_assert(!moves_has_ring(m));
    ck_assert_msg(strncmp(moves_how(m), "plain calls, one at a time: ", 28) == 0, "%s", moves_how(m));
    struct move move = {.kind = MOVE_WRITE, .fd = fd, .buffer = 0, .bytes = 4096, .token = 1};
    ck_assert_int_eq(once(&move), 4096);
    close(fd);
    end();
}
END_TEST

START_TEST(too_little_locked_memory_costs_the_registration_alone)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct rlimit little = {0, 0};
    struct err err = {0};
    struct moves_setup setup = {.depth = 2, .buffers = 2, .buffer_bytes = 65536};
    scratch = scratch_new();
    int fd = open_new("file");
    if (geteuid() == 0 && nobody != NULL) {
        pid_t child = fork();
        if (child == 0) {
            ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &little), 0);
            ck_assert_int_eq(setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid), 0);
            ck_assert_msg(moves_new(&m, &setup, &err) == 0, "%s", err.text);
            ck_assert_ptr_nonnull(strstr(moves_how(m), "locked memory"));
            struct move move = {.kind = MOVE_WRITE, .fd = fd, .buffer = 1, .bytes = 65536, .token = 1};
            ck_assert_int_eq(once(&move), 65536);
            _exit(0);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    close(fd);
    scratch_remove(&scratch);
}
END_TEST

/* The ring's own descriptor, -1. */
static int find_ring(void)
{
    char path[64], what[64];
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, what, sizeof what - 1);
        what[MAX(n, 0)] = '\0';
        if (strcmp(what, "anon_inode:[io_uring]") == 0)
            return fd;
    }
    return -1;
}

START_TEST(a_restricted_ring_learns_nothing_new)
{
    make(_i);
    int spare[1] = {-1};
    int ring = find_ring();
    ck_assert_int_ge(ring, 0);
    errno = 0;
    long rc = syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, spare, 1);
    ck_assert_int_eq(rc, _i == BY_RESTRICTED_RING ? -1 : 0);
    ck_assert_int_eq(errno, _i == BY_RESTRICTED_RING ? EACCES : 0);
    end();
}
END_TEST

START_TEST(a_setup_out_of_range_is_refused)
{
    static const struct moves_setup bad[] = {
        {.depth = 0, .buffers = 1, .buffer_bytes = 4096},
        {.depth = MOVES_DEPTH_MAX + 1, .buffers = 1, .buffer_bytes = 4096},
        {.depth = 1, .buffers = MOVES_DEPTH_MAX + 1, .buffer_bytes = 4096},
        {.depth = 1, .buffers = 1, .buffer_bytes = 100},
        {.depth = 1, .buffers = 1, .buffer_bytes = 0},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(moves_new(&m, &bad[i], NULL), -EINVAL);
    moves_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/io/moves");
    TCase *t = tcase_create("moves");
    tcase_add_loop_test(t, what_is_written_is_read, 0, WAYS);
    tcase_add_loop_test(t, each_is_answered_once_and_no_more_than_depth_fly, 0, WAYS);
    tcase_add_loop_test(t, a_socket_is_heard_beside_the_moves, 0, WAYS);
    tcase_add_loop_test(t, direct_io_works_with_its_buffers, 0, WAYS);
    tcase_add_test(t, without_io_uring_it_says_so_and_works);
    tcase_add_test(t, too_little_locked_memory_costs_the_registration_alone);
    tcase_add_loop_test(t, a_restricted_ring_learns_nothing_new, 0, BY_PLAIN_CALLS);
    tcase_add_test(t, a_setup_out_of_range_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
