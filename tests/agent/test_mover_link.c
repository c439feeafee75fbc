/* The agent's side of a mover, with this program as the mover: wants become grants, lies end the connection, and
 * nothing is left in the queue whatever ends it. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/mover_link.h"
#include "base/io/fd.h"
#include "tests/run.h"

static struct loop *loop;
static struct fair *fair;
static struct mover_link *link_;
static int mover = -1;
static const char *gone;

static void on_gone(void *owner, uint64_t token, const char *why)
{
    ck_assert_ptr_eq(owner, &gone);
    ck_assert_uint_eq(token, 7);
    gone = why;
}

static struct io_counts before; /* as an agent before this one heard */

static void connect_to(const char *tenant)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    struct mover_link_setup with = {.loop = loop, .fair = fair, .tenant = tenant, .job = 1, .sock = ends[0],
                                    .before = &before, .on_gone = on_gone, .owner = &gone, .token = 7};
    ck_assert_int_eq(mover_link_open(&link_, &with), 0);
    mover = ends[1];
    gone = NULL;
}

static void setup(void)
{
    struct err err = {0};
    before = (struct io_counts){0};
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(fair_new(&fair, loop, NULL, &err), 0);
    connect_to("acme");
}

static void teardown(void)
{
    mover_link_free(link_);
    close_p(&mover);
    fair_free(fair);
    loop_free(loop);
}

/* A turn of the loop, in which the link hears what was said. */
static void turn(void)
{
    for (int i = 0; i < 2; i++) {
        struct timer *t;
        ck_assert_int_eq(timer_new(&t, loop, (void (*)(void *))loop_stop, loop), 0);
        timer_set_us(t, 0);
        ck_assert_int_eq(loop_run(loop, NULL), 0);
        timer_free(t);
    }
}

static void say(struct mover_message m)
{
    m.version = MOVER_VERSION;
    ck_assert_int_eq(fd_send_packet(mover, &m, sizeof m, NULL, 0), 0);
}

static void want(uint32_t number, enum mover_dir dir, uint64_t bytes)
{
    say((struct mover_message){.op = MOVER_WANT, .want = number, .dir = dir, .bytes = bytes});
}

static bool hear(struct mover_message *ret)
{
    ssize_t n = fd_recv_packet(mover, ret, sizeof *ret, NULL, NULL);
    ck_assert(n == -EAGAIN || n == (ssize_t)sizeof *ret);
    return n > 0;
}

static struct arbiter_view view(const char *tenant)
{
    struct arbiter_view v = {0};
    for (uint32_t at = 0; arbiter_next_view(fair_arbiter(fair), &at, &v);)
        if (strcmp(v.tenant, tenant) == 0)
            return v;
    return (struct arbiter_view){0};
}

static struct io_counts counts(void)
{
    struct io_counts c = {0};
    mover_link_counts(link_, &c);
    return c;
}

START_TEST(what_is_wanted_is_granted_whole_and_in_order)
{
    struct mover_message m;
    uint64_t at = 0;
    want(3, MOVER_WRITE, MOVER_WANT_BYTES);
    while (at < MOVER_WANT_BYTES) {
        turn();
        while (hear(&m)) {
            ck_assert(mover_message_is_sound(&m, true));
            ck_assert_uint_eq(m.want, 3);
            ck_assert_uint_eq(m.offset, at);
            at += m.bytes;
            say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = m.bytes,
                                       .totals = {.bytes = {0, at}, .ops = {0, 1}}});
        }
    }
    turn();
    ck_assert_ptr_null(gone);
    ck_assert_uint_eq(view("acme").moved.bytes[IO_WRITE], MOVER_WANT_BYTES);
    ck_assert_uint_eq(counts().moved.bytes[IO_WRITE], MOVER_WANT_BYTES);
    want(3, MOVER_READ, 4096); /* the number may be used again */
    turn();
    ck_assert(hear(&m));
    ck_assert_uint_eq(m.bytes, 4096);
}
END_TEST

/* A mover outlives agents: what it moved for the one before, and that one may not have heard, is known with the first
 * word; what of it went through the page cache isn't, and any of it may have. */
START_TEST(a_mover_that_was_there_before_counts_from_its_birth)
{
    struct mover_message m;
    const struct mover_totals old = {.bytes = {UINT64_C(1) << 40, 77}, .ops = {1000, 1}};
    mover_link_free(link_);
    close_p(&mover);
    before = (struct io_counts){.moved = {.bytes = {[IO_READ] = (UINT64_C(1) << 40) - 300}, .ops = {[IO_READ] = 9}},
                                .memory = {.bytes = {[IO_READ] = 900}, .ops = {[IO_READ] = 2}}, .cached_bytes = 50};
    connect_to("acme");
    want(0, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m));
    ck_assert_uint_eq(counts().moved.bytes[IO_READ], before.moved.bytes[IO_READ]); /* no more is known of it yet */
    ck_assert_uint_eq(counts().out.bytes[IO_READ], 4096);
    struct mover_totals now = old;
    now.bytes[MOVER_READ] += 4096;
    now.ops[MOVER_READ]++;
    say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = 4096, .totals = now,
                               .offset = 900 + 100 + 4096, .want = MOVER_PATH_MEMORY});
    turn();
    struct io_counts c = counts();
    ck_assert(c.moved.bytes[IO_READ] == now.bytes[MOVER_READ] && c.moved.ops[IO_READ] == 1001);
    ck_assert(c.moved.bytes[IO_WRITE] == 77 && c.moved.ops[IO_WRITE] == 1);
    ck_assert(c.memory.bytes[IO_READ] == 5096 && c.memory.ops[IO_READ] == 3 && c.memory.bytes[IO_WRITE] == 0);
    ck_assert(c.out.bytes[IO_READ] == 0 && c.cached_bytes == 50 + 200); /* of 300 not heard of, 100 lay in memory */
    want(0, MOVER_WRITE, 100);
    turn();
    ck_assert(hear(&m));
    say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = 100, .offset = 7, .want = MOVER_PATH_CACHE,
                               .totals = {.bytes = {0, 3}}}); /* and forgets all that: a lie */
    turn();
    ck_assert_uint_eq(counts().memory.bytes[IO_WRITE], 3); /* never more than it moved */
    ck_assert_uint_eq(counts().cached_bytes, 50 + 200 + 100);
    for (int i = 0; i < 2; i++) { /* what is heard by the way is known for what it was */
        want(0, MOVER_READ, 10);
        turn();
        ck_assert(hear(&m));
        now.bytes[MOVER_READ] += 10;
        say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = 10, .totals = now, .offset = 5096,
                                   .want = MOVER_PATH_DISK});
        turn();
    }
    ck_assert_uint_eq(counts().cached_bytes, 50 + 200 + 100);
}
END_TEST

/* Each after a want (number 0, 4096 bytes) whose grant is out. */
static const struct lie_row {
    const char *sentence;
    struct mover_message m;
    size_t size; /* 0: a whole message */
    bool own;    /* `grant` is added to the one that is out */
} lies[] = {
    {"a want that can't be", {.version = MOVER_VERSION, .op = MOVER_WANT, .want = MOVER_WANTS, .bytes = 1}, 0, false},
    {"more than a want may be", {.version = MOVER_VERSION, .op = MOVER_WANT, .bytes = MOVER_WANT_BYTES + 1}, 0, false},
    {"nothing", {.version = MOVER_VERSION, .op = MOVER_WANT, .want = 1}, 0, false},
    {"a direction that isn't", {.version = MOVER_VERSION, .op = MOVER_WANT, .want = 1, .bytes = 1, .dir = 2}, 0, false},
    {"another version", {.version = MOVER_VERSION + 1, .op = MOVER_WANT, .want = 1, .bytes = 1}, 0, false},
    {"what agents say", {.version = MOVER_VERSION, .op = MOVER_GRANT, .want = 1, .bytes = 1}, 0, false},
    {"a grant that nobody has", {.version = MOVER_VERSION, .op = MOVER_DONE, .grant = UINT64_MAX}, 0, false},
    {"a path that isn't", {.version = MOVER_VERSION, .op = MOVER_DONE, .want = MOVER_PATHS}, 0, true},
    {"an older one of that place",
     {.version = MOVER_VERSION, .op = MOVER_DONE, .grant = UINT64_C(0) - (UINT64_C(1) << 32)}, 0, true},
    {"half a message", {.version = MOVER_VERSION, .op = MOVER_WANT, .want = 1, .bytes = 1}, 12, false},
};

START_TEST(a_lie_ends_the_connection_and_nothing_else)
{
    const struct lie_row *row = &lies[_i];
    struct mover_message m, lie = row->m;
    want(0, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m));
    lie.grant += row->own ? m.grant : 0;
    ck_assert_int_eq(fd_send_packet(mover, &lie, row->size > 0 ? row->size : sizeof lie, NULL, 0), 0);
    turn();
    ck_assert_msg(gone != NULL, "%s", row->sentence);
    ck_assert(!fairq_is_busy(arbiter_queue(fair_arbiter(fair)))); /* its grant was given back */
    ck_assert_int_eq(fairq_in_flight_ns(arbiter_queue(fair_arbiter(fair))), 0);
    mover_link_free(link_);
    close_p(&mover);
    connect_to("acme"); /* the next one is not its heir */
    want(0, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m));
    ck_assert_ptr_null(gone);
}
END_TEST

START_TEST(a_want_while_one_is_out_is_a_lie)
{
    const struct share_given little = {"acme", {.weight = 1, .limits.bytes_per_s = 1}};
    struct mover_message m;
    ck_assert_int_eq(fair_shares(fair, &little, 1), 0);
    want(0, MOVER_READ, 4096);
    want(1, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m)); /* one goes through, the limit holds the other */
    ck_assert(!hear(&m));
    want(1, MOVER_READ, 4096);
    turn();
    ck_assert_ptr_nonnull(gone);
}
END_TEST

START_TEST(more_than_was_granted_is_not_believed)
{
    struct mover_message m;
    want(0, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m));
    say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = MOVER_WANT_BYTES});
    turn();
    ck_assert_uint_eq(view("acme").moved.bytes[IO_READ], 4096);
}
END_TEST

/* Else its tenant would be taken for one whose operations don't come back, and be granted nothing anywhere. */
START_TEST(one_that_stands_still_keeps_no_grant_and_goes_on)
{
    struct mover_message m, out[MOVER_GRANTS_MAX];
    uint64_t granted = 0;
    unsigned count = 0;
    for (uint32_t i = 0; i < MOVER_WANTS; i++)
        want(i, MOVER_READ, MOVER_WANT_BYTES);
    turn();
    while (hear(&m)) {
        ck_assert_uint_lt(count, MOVER_GRANTS_MAX);
        out[count++] = m;
    }
    ck_assert_uint_gt(count, 0);
    mover_link_stands(link_, true);
    turn();
    ck_assert(!hear(&m));
    ck_assert(!fairq_is_busy(arbiter_queue(fair_arbiter(fair))));
    mover_link_stands(link_, false); /* goes on, stops again, goes on */
    mover_link_stands(link_, true);
    mover_link_stands(link_, false);
    turn();
    ck_assert(!hear(&m)); /* first it works off what it has */
    uint64_t next[MOVER_WANTS] = {0};
    for (unsigned i = 0; i < count; i++) {
        ck_assert_uint_eq(out[i].offset, next[out[i].want]);
        next[out[i].want] += out[i].bytes;
        granted += out[i].bytes;
        say((struct mover_message){.op = MOVER_DONE, .grant = out[i].grant, .bytes = out[i].bytes});
    }
    while (granted < MOVER_WANTS * MOVER_WANT_BYTES) { /* then the rest, from where it was */
        turn();
        ck_assert_msg(gone == NULL, "%s", gone);
        while (hear(&m)) {
            ck_assert_uint_eq(m.offset, next[m.want]);
            next[m.want] += m.bytes;
            granted += m.bytes;
            say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = m.bytes});
        }
    }
    for (uint32_t i = 0; i < MOVER_WANTS; i++)
        ck_assert_uint_eq(next[i], MOVER_WANT_BYTES);
    for (unsigned i = 0; i < MOVER_GRANTS_MAX; i++) /* a turn hears one word, or two */
        turn();
    ck_assert(!fairq_is_busy(arbiter_queue(fair_arbiter(fair))));
    ck_assert_uint_eq(view("acme").moved.bytes[IO_READ], MOVER_WANTS * MOVER_WANT_BYTES); /* each byte once */
}
END_TEST

/* Takes all grants that are out, and answers each as moved; their bytes. */
static uint64_t move_all(void)
{
    struct mover_message m;
    uint64_t bytes = 0;
    for (unsigned quiet = 0; quiet < MOVER_GRANTS_MAX; quiet++) {
        turn();
        while (hear(&m)) {
            bytes += m.bytes;
            quiet = 0;
            say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = m.bytes});
        }
    }
    return bytes;
}

START_TEST(grants_stop_at_the_byte_that_is_paid)
{
    mover_link_bound(link_, 300001, true);
    for (uint32_t i = 0; i < MOVER_WANTS; i++)
        want(i, i % 2 == 0 ? MOVER_READ : MOVER_WRITE, MOVER_WANT_BYTES);
    ck_assert_uint_eq(move_all(), 300001);
    ck_assert(mover_link_waits(link_));
    mover_link_bound(link_, 0, true); /* it is read again, and nothing more is paid */
    ck_assert_uint_eq(move_all(), 0);
    mover_link_bound(link_, 1, true);
    ck_assert_uint_eq(move_all(), 1);
    mover_link_bound(link_, UINT64_MAX, true);
    ck_assert_uint_eq(move_all(), MOVER_WANTS * MOVER_WANT_BYTES - 300002); /* each byte that was wanted, once */
    ck_assert(!mover_link_waits(link_));
    ck_assert_ptr_null(gone);
}
END_TEST

/* Part of a block would make the rest of its want go through the page cache. */
START_TEST(grants_are_whole_blocks_while_more_may_be_paid)
{
    const uint64_t want_bytes = 100000; /* of which the end of a file makes no whole block */
    mover_link_bound(link_, 300001, false);
    want(0, MOVER_READ, MOVER_WANT_BYTES);
    ck_assert_uint_eq(move_all(), 73 * MOVER_BLOCK_BYTES);
    ck_assert(mover_link_waits(link_));
    mover_link_bound(link_, MOVER_BLOCK_BYTES - 1, false);
    ck_assert_uint_eq(move_all(), 0);
    ck_assert(mover_link_waits(link_));
    want(1, MOVER_READ, MOVER_BLOCK_BYTES - 1); /* which is all that is wanted there */
    ck_assert_uint_eq(move_all(), MOVER_BLOCK_BYTES - 1);
    mover_link_bound(link_, MOVER_WANT_BYTES - 73 * MOVER_BLOCK_BYTES + want_bytes, false);
    want(2, MOVER_READ, want_bytes);
    ck_assert_uint_eq(move_all(), MOVER_WANT_BYTES - 73 * MOVER_BLOCK_BYTES + want_bytes);
    ck_assert(!mover_link_waits(link_));
    ck_assert_ptr_null(gone);
}
END_TEST

START_TEST(what_the_job_used_itself_is_taken_from_what_waits)
{
    const struct share_given little = {"acme", {.weight = 1, .limits.bytes_per_s = 1}};
    struct mover_message m;
    ck_assert_int_eq(fair_shares(fair, &little, 1), 0);
    mover_link_bound(link_, 3 * 4096, true);
    for (uint32_t i = 0; i < 3; i++)
        want(i, MOVER_READ, 4096);
    turn();
    ck_assert(hear(&m)); /* one is out, its tenant's limit holds the others */
    mover_link_bound(link_, 4096 + 10, true);
    const struct share_given none = {"acme", {.weight = 1}};
    ck_assert_int_eq(fair_shares(fair, &none, 1), 0);
    say((struct mover_message){.op = MOVER_DONE, .grant = m.grant, .bytes = m.bytes});
    ck_assert_uint_eq(move_all(), 10);
    ck_assert(mover_link_waits(link_));
}
END_TEST

START_TEST(its_end_gives_back_what_was_out)
{
    struct mover_message m;
    for (uint32_t i = 0; i < MOVER_WANTS; i++)
        want(i, MOVER_READ, MOVER_WANT_BYTES);
    turn();
    ck_assert(hear(&m));
    if (_i == 0) {
        close_p(&mover);
        turn();
        ck_assert_ptr_nonnull(gone);
    } else {
        mover_link_free(link_);
        link_ = NULL;
    }
    ck_assert(!fairq_is_busy(arbiter_queue(fair_arbiter(fair))));
    ck_assert_ptr_null(view("acme").tenant);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/mover_link");
    TCase *t = tcase_create("mover_link");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_wanted_is_granted_whole_and_in_order);
    tcase_add_loop_test(t, a_lie_ends_the_connection_and_nothing_else, 0, (int)COUNT_OF(lies));
    tcase_add_test(t, a_want_while_one_is_out_is_a_lie);
    tcase_add_test(t, a_mover_that_was_there_before_counts_from_its_birth);
    tcase_add_test(t, more_than_was_granted_is_not_believed);
    tcase_add_test(t, one_that_stands_still_keeps_no_grant_and_goes_on);
    tcase_add_test(t, grants_stop_at_the_byte_that_is_paid);
    tcase_add_test(t, grants_are_whole_blocks_while_more_may_be_paid);
    tcase_add_test(t, what_the_job_used_itself_is_taken_from_what_waits);
    tcase_add_loop_test(t, its_end_gives_back_what_was_out, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
