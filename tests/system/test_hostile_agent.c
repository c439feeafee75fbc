/*
 * An agent that was taken over: everything it can say to the warden's socket, and to a keeper's. Root.
 * Afterwards nothing exists that a legal request couldn't have made, the warden lives or has ended cleanly, and nothing
 * leaks. Random requests come from a seed that is printed; SEED=n repeats them, REQUESTS=n says how many.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/driver.h"
#include "tests/system/suite.h"

#define REQUESTS 6000
#define ANSWER_MAX 65536 /* more than any answer of the warden's */
#define RSS_GROWTH_KIB 8192

static struct driver d;
static uint64_t rng;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t below(uint64_t limit)
{
    return next_random() % limit;
}

static void setup(void)
{
    driver_init(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0}); /* it is up */
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

static long number_of(const char *command)
{
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    char text[64] = "";
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    pclose(f);
    return strtol(text, NULL, 10);
}

static long fds_of_warden(void)
{
    char command[128];
    snprintf(command, sizeof command, "ls /proc/%d/fd | wc -l", (int)d.pid);
    return number_of(command);
}

static long rss_of_warden(void)
{
    char command[128];
    snprintf(command, sizeof command, "awk '/VmRSS/ {print $2}' /proc/%d/status", (int)d.pid);
    return number_of(command);
}

/* --- what an agent may hold ------------------------------------------------------------------------------------- */

enum { FDS = 24 };
static int fds[FDS];
static int fds_count;

static void keep(int fd)
{
    ck_assert_int_lt(fds_count, FDS);
    if (fd >= 0)
        fds[fds_count++] = fd;
}

static int bound(int type, bool listens)
{
    struct sockaddr name = {.sa_family = AF_UNIX}; /* autobind */
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &name, sizeof(sa_family_t)), 0);
    if (listens)
        ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* Every kind of thing that a descriptor can be; the first five are what a launch wants. */
static void open_everything(void)
{
    static const char args[] = "RVA1\1\0\0\0\0\0\0\0\0\0\0\0true\0\0";
    int pipes[2], pair[2];
    keep(memfd_sealed("args", args, sizeof args));
    keep(open(d.dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    keep(bound(SOCK_SEQPACKET, true));
    keep(open(d.dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    keep(open(d.dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    keep(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    keep(memfd_create("never to be sealed", MFD_CLOEXEC));
    keep(open(d.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    keep(open(d.dir, O_PATH | O_CLOEXEC));
    keep(open("/dev/null", O_WRONLY | O_CLOEXEC));
    keep(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    keep(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    keep(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    keep(open(d.dir, O_TMPFILE | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    keep(open(d.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    keep(bound(SOCK_STREAM, true));
    keep(bound(SOCK_SEQPACKET, false));
    keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    keep(eventfd(0, EFD_CLOEXEC));
    keep(epoll_create1(EPOLL_CLOEXEC));
    if (pipe2(pipes, O_CLOEXEC) == 0)
        keep(pipes[0]), keep(pipes[1]);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0)
        keep(pair[0]), keep(pair[1]);
}

/* --- random requests -------------------------------------------------------------------------------------------- */

static uint64_t odd_number(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     3,
                                     4,
                                     63,
                                     64,
                                     4095,
                                     4096,
                                     32768,
                                     32769,
                                     INT32_MAX,
                                     UINT32_MAX,
                                     (uint64_t)INT32_MAX + 1,
                                     INT64_MAX,
                                     UINT64_MAX,
                                     (uint64_t)1 << 22,
                                     (uint64_t)1 << 62};
    return below(3) == 0 ? next_random() >> below(64)
                         : edges[below(COUNT_OF(edges))] + (below(4) == 0 ? below(3) - 1 : 0);
}

static struct sandbox_spec good_spec(void)
{
    static const char *const argv[] = {"true", NULL};
    struct sandbox_spec spec = driver_run(&d, argv).spec;
    spec.id = (struct attempt_id){1 + below(20), (uint32_t)below(2), 1 + (uint32_t)below(2)}; /* so that some meet */
    return spec;
}

static void spoil(struct sandbox_spec *s)
{
    uint64_t *const wide[] = {&s->id.job,         &s->term,          &s->cpu_milli, &s->mem_bytes, &s->scratch_bytes,
                              &s->scratch_inodes, &s->time_limit_us, &s->paid_us,   &s->lease_us,  &s->grace_us};
    uint32_t *const narrow[] = {&s->id.task, &s->id.epoch, &s->pids_max, &s->network};
    switch (below(5)) {
    case 0: *wide[below(COUNT_OF(wide))] = odd_number(); break;
    case 1: *narrow[below(COUNT_OF(narrow))] = (uint32_t)odd_number(); break;
    case 2: s->hostname[below(sizeof s->hostname)] = (char)below(256); break;
    case 3: memset(s->hostname, 'a', sizeof s->hostname); break;
    default: ((unsigned char *)s)[below(sizeof *s)] ^= (unsigned char)(1u << below(8)); break;
    }
}

static struct op_request random_request(void)
{
    struct op_request q = {.version = OPS_VERSION, .kind = 1 + (uint32_t)below(4), .tag = next_random()};
    q.sandbox = good_spec();
    q.id = good_spec().id;
    for (uint64_t times = below(4); times > 0; times--)
        spoil(&q.sandbox);
    if (below(8) == 0)
        q.version = (uint32_t)odd_number();
    if (below(8) == 0)
        q.kind = (uint32_t)odd_number();
    if (below(8) == 0)
        q.id = (struct attempt_id){odd_number(), (uint32_t)odd_number(), (uint32_t)odd_number()};
    return q;
}

/* As a launch wants them, with one or more replaced; or any number of anything. */
static size_t random_fds(uint32_t kind, int out[FD_PACKET_MAX])
{
    size_t count = kind == OP_LAUNCH && below(8) != 0 ? (size_t)LAUNCH_FDS : below(4) == 0 ? below(FD_PACKET_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        out[i] = i < LAUNCH_FDS && below(12) != 0 ? fds[i] : fds[below((uint64_t)fds_count)];
    return count;
}

static void take_answers(bool wait)
{
    static char packet[ANSWER_MAX];
    struct pollfd at = {.fd = d.sock, .events = POLLIN};
    while (poll(&at, 1, wait ? 20000 : 0) > 0) {
        ck_assert_msg(fd_recv_packet(d.sock, packet, sizeof packet, NULL, NULL) > 0, "the warden is gone");
        wait = false;
    }
}

static void say_something(void)
{
    struct op_request q = random_request();
    int with[FD_PACKET_MAX];
    size_t count = random_fds(q.kind, with), size = sizeof q;
    char long_packet[sizeof q + 64] = {0};
    memcpy(long_packet, &q, sizeof q);
    if (below(10) == 0)
        size = below(2) == 0 ? 1 + below(sizeof q) : sizeof q + 1 + below(63);
    ck_assert_int_eq(fd_send_packet(d.sock, long_packet, size, with, count), 0);
}

struct answer {
    struct op_reply reply;
    union {
        struct attempt_id ids[OPS_LIST_MAX];
        struct node_abilities able;
    };
};

/* The answer to `tag`; launches that were under way answer in between. */
static void await(uint64_t tag, struct answer *ret)
{
    do
        ck_assert_int_gt(fd_recv_packet(d.sock, ret, sizeof *ret, NULL, NULL), 0);
    while (ret->reply.tag != tag);
}

static void say_op(enum op_kind kind, uint64_t tag, struct attempt_id id)
{
    struct op_request q = {.version = OPS_VERSION, .kind = kind, .tag = tag, .id = id};
    ck_assert_int_eq(fd_send_packet(d.sock, &q, sizeof q, NULL, 0), 0);
}

static size_t list(struct attempt_id *ids, size_t room)
{
    static struct answer a;
    size_t count = 0;
    uint64_t tag = UINT64_MAX - 2;
    say_op(OP_LIST, tag, (struct attempt_id){0});
    do {
        await(tag, &a);
        for (uint32_t i = 0; i < a.reply.count && count < room; i++)
            ids[count++] = a.ids[i];
    } while (a.reply.count > 0);
    return count;
}

/* Takes down whatever it made, as a legal agent would. */
static void remove_listed(void)
{
    static struct attempt_id ids[4096];
    static struct answer a;
    for (size_t i = 0, count = list(ids, COUNT_OF(ids)); i < count; i++) {
        do {
            say_op(OP_REMOVE, UINT64_MAX - 3, ids[i]);
            await(UINT64_MAX - 3, &a);
        } while (a.reply.status == OP_BUSY);
    }
}

static void settle(void)
{
    static struct answer a;
    uint64_t tag = UINT64_MAX - 1;
    say_op((enum op_kind)99, tag, (struct attempt_id){0}); /* refused, and behind all that was asked before */
    await(tag, &a);
}

START_TEST(test_thousands_of_random_requests_change_nothing)
{
    const char *seed = getenv("SEED"), *wanted = getenv("REQUESTS");
    uint64_t start = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    int requests = wanted != NULL ? (int)strtol(wanted, NULL, 10) : REQUESTS;
    printf("seed %lu\n", (unsigned long)start);
    fflush(stdout);
    rng = start;
    open_everything();
    long before = fds_of_warden(), rss = rss_of_warden();
    for (int i = 0; i < requests; i++) {
        say_something();
        take_answers(below(2) == 0);
        if (i % 200 == 199) {
            settle();
            remove_listed();
        }
    }
    settle();
    remove_listed();
    struct pollfd at = {.fd = d.sock, .events = POLLIN}; /* launches under way: each answers within its deadline */
    for (int ms = 0; ms < 20000 && fds_of_warden() != before; ms += 50) {
        if (poll(&at, 1, 50) > 0)
            take_answers(false);
        remove_listed();
    }
    struct attempt_id left;
    ck_assert_uint_eq(list(&left, 1), 0);
    ck_assert_int_eq(fds_of_warden(), before);
    ck_assert_int_le(rss_of_warden(), rss + RSS_GROWTH_KIB);
    ck_assert_int_eq(waitpid(d.pid, NULL, WNOHANG), 0);
}
END_TEST

/* --- floods, halves, replays ------------------------------------------------------------------------------------ */

static void wait_clean_end(void)
{
    int status;
    ck_assert_int_eq(waitpid(d.pid, &status, 0), d.pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the warden ended with status %#x", (unsigned)status);
    close_p(&d.sock);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
    driver_start_warden(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0});
}

START_TEST(test_an_agent_that_reads_nothing_is_dropped)
{
    struct op_request list = {.version = OPS_VERSION, .kind = OP_LIST, .tag = 1};
    ck_assert_int_eq(fd_nonblock(d.sock, true), 0);
    struct pollfd at = {.fd = d.sock,
                        .events = POLLOUT}; /* full: until the warden's patience ends and the socket with it */
    for (;;) {
        int rc = fd_send_packet(d.sock, &list, sizeof list, NULL, 0);
        if (rc == -EAGAIN)
            poll(&at, 1, 20000);
        else if (rc < 0)
            break;
    }
    wait_clean_end();
}
END_TEST

START_TEST(test_closing_in_the_middle_of_launches_leaves_nothing)
{
    static const char *const argv[] = {"sleep", "100", NULL};
    for (int round = 0; round < 6; round++) {
        struct task tasks[8];
        for (int i = 0; i < 8; i++) {
            struct run r = driver_run(&d, argv);
            driver_launch_begin(&d, &r, &tasks[i]);
        }
        for (int got = 0; got < round; got++) { /* after none, one, two... answers */
            struct op_reply reply;
            ck_assert_int_gt(fd_recv_packet(d.sock, &reply, sizeof reply, NULL, NULL), 0);
        }
        shutdown(d.sock, SHUT_RDWR);
        wait_clean_end();
        for (int i = 0; i < 8; i++)
            driver_drop(&tasks[i]);
    }
}
END_TEST

START_TEST(test_a_replayed_launch_exists_already)
{
    static const char *const argv[] = {"sleep", "100", NULL};
    struct run r = driver_run(&d, argv);
    struct task first, again;
    ck_assert_uint_eq(driver_launch(&d, &r, &first), OP_DONE);
    for (int i = 0; i < 50; i++) {
        ck_assert_uint_eq(driver_launch(&d, &r, &again), OP_EXISTS);
        driver_drop(&again);
    }
    ck_assert_uint_eq(driver_ask(&d, OP_REMOVE, first.id).status, OP_DONE);
    for (int i = 0; i < 50; i++)
        ck_assert_uint_eq(driver_ask(&d, OP_REMOVE, first.id).status, OP_GONE);
    driver_drop(&first);
}
END_TEST

START_TEST(test_more_launches_than_slots_are_refused_by_name)
{
    static const char *const argv[] = {"true", NULL};
    enum { MANY = 200 };
    static struct task tasks[MANY];
    int done = 0, busy = 0, late = 0;
    for (int i = 0; i < MANY; i++) {
        struct run r = driver_run(&d, argv);
        driver_launch_begin(&d, &r, &tasks[i]);
    }
    for (int i = 0; i < MANY; i++) {
        struct op_reply reply;
        ck_assert_int_eq(fd_recv_packet(d.sock, &reply, sizeof reply, NULL, NULL), (ssize_t)sizeof reply);
        done += reply.status == OP_DONE;
        busy += reply.status == OP_BUSY && strcmp(reply.step, "slot") == 0;
        late += reply.status == OP_FAILED && reply.error == ETIMEDOUT; /* so many at once on a machine this busy */
    }
    ck_assert_int_eq(done + busy + late, MANY);
    ck_assert_int_gt(done, 0);
    remove_listed();
    for (int i = 0; i < MANY; i++)
        driver_drop(&tasks[i]);
}
END_TEST

/* A keeper hears whoever reaches its socket: it must not do more than the list, for less than its own id. */
START_TEST(test_a_keeper_obeys_nothing_but_its_list)
{
    static const char *const argv[] = {"sleep", "100", NULL};
    struct run r = driver_run(&d, argv);
    struct task t;
    char bytes[sizeof(struct keeper_message) + 16];
    rng = 4711;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    for (int i = 0; i < 300; i++) {
        struct keeper_message m = {.version = KEEPER_VERSION, .op = (uint32_t)odd_number(), .id = t.id};
        if (m.op == KEEPER_STOP || m.op == KEEPER_PAID) /* legal: another test's */
            m.id.job++;
        memset(bytes, (int)below(256), sizeof bytes);
        memcpy(bytes, &m, sizeof m);
        ck_assert_msg(driver_link(&t, NULL), "message %d: the keeper is gone", i);
        int with[2] = {t.out, t.err}; /* fds that it didn't ask for */
        size_t size = below(3) == 0 ? 1 + below(sizeof bytes) : sizeof m;
        ck_assert_int_eq(fd_send_packet(t.link, bytes, size, with, below(3)), 0);
    }
    ck_assert(driver_link(&t, NULL));
    driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 1000});
    static struct ended e;
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_hostile_agent: needs root\n");
        return 1;
    }
    Suite *s = suite_create("hostile agent");
    TCase *t = tcase_create("hostile agent");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_thousands_of_random_requests_change_nothing);
    tcase_add_test(t, test_an_agent_that_reads_nothing_is_dropped);
    tcase_add_test(t, test_closing_in_the_middle_of_launches_leaves_nothing);
    tcase_add_test(t, test_a_replayed_launch_exists_already);
    tcase_add_test(t, test_more_launches_than_slots_are_refused_by_name);
    tcase_add_test(t, test_a_keeper_obeys_nothing_but_its_list);
    suite_add_tcase(s, t);
    return run_suite(s);
}
