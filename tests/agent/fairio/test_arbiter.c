/* The arbiter: names, lifetimes, meters; grants that are answered late, twice, or after their stream is closed. */
#include <errno.h>

#include "agent/fairio/arbiter.h"
#include "tests/agent/fairio/device.h"
#include "tests/run.h"

#define GRANTS_MAX 256

static struct arbiter *a;
static struct fq_grant got[GRANTS_MAX];
static uint64_t tokens[GRANTS_MAX];
static unsigned count;
static bool fails; /* the owner can't move anything: answers at once */

static void go(void *owner, uint64_t token, const struct fq_grant *g)
{
    ck_assert_ptr_eq(owner, &count);
    tokens[count] = token;
    got[count++] = *g;
    if (fails)
        arbiter_done(a, g, 0, 0);
}

static void setup(void)
{
    struct fairq_setup with = {.cost = disk_cost, .tenants_max = 4, .jobs_max = 4, .streams_max = 6,
                               .requests_max = 64, .grants_max = 64};
    ck_assert_int_eq(arbiter_new(&a, &with, 0), 0);
}

static void teardown(void)
{
    arbiter_free(a);
}

static int try_open(const char *tenant, uint64_t job, uint64_t token, arbiter_id *ret)
{
    struct arbiter_stream s = {.tenant = tenant, .job = job, .out_max = 2, .go = go, .owner = &count, .token = token};
    return arbiter_open(a, &s, ret);
}

static arbiter_id open_stream(const char *tenant, uint64_t job, uint64_t token)
{
    arbiter_id id = 0;
    ck_assert_int_eq(try_open(tenant, job, token, &id), 0);
    return id;
}

static void post(arbiter_id id, enum io_dir dir, uint64_t bytes)
{
    ck_assert_int_eq(arbiter_post(a, id, &(struct fq_request){.dir = dir, .bytes = bytes}, 0), 0);
}

static bool find(const char *tenant, struct arbiter_view *ret)
{
    for (uint32_t at = 0; arbiter_next_view(a, &at, ret);)
        if (strcmp(ret->tenant, tenant) == 0)
            return true;
    return false;
}

START_TEST(a_tenant_is_there_as_long_as_a_stream_of_it)
{
    struct arbiter_view v;
    ck_assert(!find("acme", &v));
    arbiter_id one = open_stream("acme", 1, 1), two = open_stream("acme", 2, 2);
    ck_assert(find("acme", &v));
    ck_assert_uint_eq(v.share.weight, IO_WEIGHT_DEFAULT);
    arbiter_close(a, one);
    ck_assert(find("acme", &v));
    arbiter_close(a, two);
    ck_assert(!find("acme", &v));
    arbiter_close(a, two); /* again: nothing */
    arbiter_close(a, 0);
    ck_assert_int_eq(arbiter_post(a, two, &(struct fq_request){.bytes = 1}, 0), -ENOENT);
}
END_TEST

static int share(const char *tenant, struct disk_share given)
{
    const struct share_given row = {(char *)(uintptr_t)tenant, given};
    return arbiter_shares(a, &row, 1, 0);
}

START_TEST(what_is_shared_out_holds_for_who_comes_and_who_is_there)
{
    struct arbiter_view v;
    const struct share_given rows[] = {{"acme", {.weight = 7, .limits.bytes_per_s = 1 << 20}},
                                       {"other", {.weight = 9}}};
    open_stream("other", 1, 1);
    ck_assert_int_eq(arbiter_shares(a, rows, 2, 0), 0);
    ck_assert(find("other", &v));
    ck_assert_uint_eq(v.share.weight, 9);
    ck_assert(!find("acme", &v)); /* nobody's until somebody comes */
    arbiter_close(a, open_stream("acme", 1, 1));
    open_stream("acme", 1, 1);
    ck_assert(find("acme", &v));
    ck_assert(v.share.weight == 7 && v.share.limits.bytes_per_s == 1 << 20);
    ck_assert_int_eq(share("acme", (struct disk_share){.weight = 0}), -EINVAL);
    ck_assert_int_eq(share("acme", (struct disk_share){.weight = IO_WEIGHT_MAX + 1}), -EINVAL);
    ck_assert(find("other", &v));
    ck_assert_uint_eq(v.share.weight, 9); /* what is refused changes nothing */
    ck_assert_int_eq(share("acme", (struct disk_share){.weight = 3}), 0);
    ck_assert(find("other", &v));
    ck_assert_uint_eq(v.share.weight, IO_WEIGHT_DEFAULT);
}
END_TEST

START_TEST(no_more_is_reserved_than_leaves_something_for_the_others)
{
    struct share_given rows[] = {{"one", {.weight = 1, .reserved_ppm = 500000}},
                              {"two", {.weight = 1, .reserved_ppm = 300001}},
                              {"one/below", {.weight = 1, .reserved_ppm = 400000}}};
    ck_assert_int_eq(arbiter_shares(a, rows, 2, 0), -ERANGE);
    rows[1].share.reserved_ppm = 300000;
    ck_assert_int_eq(arbiter_shares(a, rows, 3, 0), 0); /* what is below one is a part of its own */
    rows[2].share.reserved_ppm = 500001;
    ck_assert_int_eq(arbiter_shares(a, rows, 3, 0), -ERANGE);
}
END_TEST

START_TEST(a_limit_holds_all_below_it_and_says_whose_it_is)
{
    const struct share_given rows[] = {{"acme", {.weight = 100, .limits.bytes_per_s = 1 << 20}},
                                       {"acme/etl", {.weight = 100, .limits.ops_per_s = 1000}}};
    struct arbiter_view v;
    arbiter_id etl = open_stream("acme/etl", 1, 1), ml = open_stream("acme/ml", 1, 2);
    ck_assert_int_eq(arbiter_shares(a, rows, 2, 0), 0);
    post(etl, IO_READ, 128 << 10);
    ck_assert_uint_eq(arbiter_pump(a, 0), 1); /* an eighth of a second; a tenth may be owed */
    post(ml, IO_READ, 4096);
    ck_assert_uint_eq(arbiter_pump(a, 0), 0);
    ck_assert(find("acme/ml", &v) && v.queue.standing == FQ_LIMITED && v.queue.limit == FQ_LIMIT_BYTES);
    ck_assert_str_eq(v.held_by, "acme");
    const struct arbiter_stream late = {.tenant = "acme/new", .job = 1, .out_max = 1, .go = go, .owner = &count};
    arbiter_id new;
    ck_assert_int_eq(arbiter_open(a, &late, &new), 0);
    post(new, IO_READ, 4096);
    ck_assert_uint_eq(arbiter_pump(a, 0), 0);
    ck_assert_int_eq(arbiter_shares(a, rows, 2, 0), 0); /* told again: what is owed is owed */
    ck_assert_uint_eq(arbiter_pump(a, 0), 0);
    ck_assert_uint_eq(arbiter_pump(a, 25 * MS), 1);
    ck_assert_uint_eq(arbiter_pump(a, 25 * MS), 0);
    ck_assert_int_eq(arbiter_shares(a, rows + 1, 1, 25 * MS), 0); /* acme's is gone */
    ck_assert_uint_eq(arbiter_pump(a, 25 * MS), 1);
    struct arbiter_standing s;
    arbiter_standing(a, "acme/etl/x", &s);
    ck_assert(s.limits.ops_per_s == 1000 && s.limits.bytes_per_s == 0);
}
END_TEST

START_TEST(what_is_reserved_for_a_parent_is_had_by_whoever_is_there)
{
    const struct share_given rows[] = {{"acme", {.weight = 1, .reserved_ppm = 500000}},
                                       {"acme/etl", {.weight = 100, .reserved_ppm = 300000}},
                                       {"labs", {.weight = 10000}}};
    const char *names[] = {"acme/ml", "labs"};
    int64_t had[2] = {0};
    for (uint64_t i = 0; i < 2; i++) {
        const struct arbiter_stream s = {.tenant = names[i], .job = 1, .out_max = 64, .go = go, .owner = &count,
                                         .token = i};
        arbiter_id id;
        ck_assert_int_eq(arbiter_open(a, &s, &id), 0);
        post(id, IO_READ, UINT64_C(1) << 36);
    }
    ck_assert_int_eq(arbiter_shares(a, rows, 3, 0), 0);
    for (int64_t now = 0; now < 5 * SECOND; now += MS / 2) {
        count = 0;
        arbiter_pump(a, now);
        for (unsigned i = 0; i < count; i++) {
            had[tokens[i]] += got[i].cost_ns;
            arbiter_done(a, &got[i], got[i].bytes, now + MS / 4);
        }
    }
    int64_t ppm = had[0] * PPM / (had[0] + had[1]);
    ck_assert_msg(ppm > 490000 && ppm < 510000, "%" PRId64, ppm);
}
END_TEST

static uint32_t part(const char *tenant)
{
    struct arbiter_view v;
    ck_assert_msg(find(tenant, &v), "%s", tenant);
    return v.part_ppm;
}

START_TEST(a_part_is_of_those_who_want_the_disk_now)
{
    const struct share_given rows[] = {{"acme", {.weight = 300}}, {"acme/etl", {.weight = 200}}};
    arbiter_id etl = open_stream("acme/etl", 1, 1), ml = open_stream("acme/ml", 1, 2), labs = open_stream("labs", 1, 3);
    ck_assert_int_eq(arbiter_shares(a, rows, 2, 0), 0);
    post(labs, IO_READ, 4096);
    arbiter_pump(a, 0);
    ck_assert(part("labs") == 1000000 && part("acme/etl") == 0);
    post(etl, IO_READ, 4096);
    arbiter_pump(a, MS); /* a newcomer counts at once */
    ck_assert(part("labs") == 250000 && part("acme/etl") == 750000);
    post(ml, IO_READ, 4096);
    arbiter_pump(a, 2 * MS);
    ck_assert(part("labs") == 250000 && part("acme/etl") == 500000 && part("acme/ml") == 250000);
    for (unsigned i = 0; i < count; i++)
        arbiter_done(a, &got[i], 4096, 3 * MS);
    post(ml, IO_READ, 4096);
    arbiter_pump(a, 2 * MS + FQ_CONTENDED_NS - 1); /* they may be back in a moment */
    ck_assert_uint_eq(part("labs"), 250000);
    arbiter_pump(a, 2 * MS + 2 * FQ_CONTENDED_NS);
    ck_assert(part("labs") == 0 && part("acme/etl") == 0 && part("acme/ml") == 1000000);
    arbiter_close(a, etl); /* who is gone is gone at once */
    arbiter_close(a, labs);
    arbiter_pump(a, 200 * MS);
    ck_assert_uint_eq(part("acme/ml"), 1000000);
}
END_TEST

/* What it would have is had by who is beside it in the tree, not by all; and by itself when it comes back. */
START_TEST(a_part_of_who_is_stuck_is_its_siblings)
{
    arbiter_id etl = open_stream("acme/etl", 1, 1), ml = open_stream("acme/ml", 1, 2), labs = open_stream("labs", 1, 3);
    post(etl, IO_READ, 4096);
    arbiter_pump(a, 0);
    post(etl, IO_READ, 4096);
    post(etl, IO_READ, 4096); /* waits: two are out */
    arbiter_pump(a, 0);
    ck_assert_uint_eq(count, 2);
    arbiter_pump(a, 2 * FQ_STUCK_MIN_NS);
    post(ml, IO_READ, 4096);
    post(labs, IO_READ, 4096);
    arbiter_pump(a, 2 * FQ_STUCK_MIN_NS + WINDOW_TICK_NS);
    ck_assert(part("labs") == 500000 && part("acme/ml") == 500000 && part("acme/etl") == 0);
    for (unsigned i = 0; i < 2; i++)
        arbiter_done(a, &got[i], 4096, 3 * FQ_STUCK_MIN_NS);
    arbiter_pump(a, 3 * FQ_STUCK_MIN_NS);
    ck_assert(part("labs") == 500000 && part("acme/ml") == 250000 && part("acme/etl") == 250000);
}
END_TEST

START_TEST(grants_come_to_who_asked_and_are_metered_once)
{
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 11), two = open_stream("acme", 2, 22);
    post(one, IO_READ, 4096);
    post(two, IO_WRITE, 8192);
    ck_assert_uint_eq(arbiter_pump(a, 0), 2);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(got[i].stream, tokens[i] == 11 ? one : two);
        arbiter_done(a, &got[i], got[i].bytes, 1);
        arbiter_done(a, &got[i], got[i].bytes, 2); /* said twice */
    }
    ck_assert(find("acme", &v));
    ck_assert(v.moved.ops[IO_READ] == 1 && v.moved.ops[IO_WRITE] == 1);
    ck_assert(v.moved.bytes[IO_READ] == 4096 && v.moved.bytes[IO_WRITE] == 8192);
}
END_TEST

START_TEST(more_than_was_granted_is_never_metered)
{
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 1);
    post(one, IO_READ, 4096);
    arbiter_pump(a, 0);
    arbiter_done(a, &got[0], UINT64_MAX, 1);
    ck_assert(find("acme", &v));
    ck_assert_uint_eq(v.moved.bytes[IO_READ], 4096);
}
END_TEST

START_TEST(a_stream_closed_in_flight_goes_with_its_last_answer)
{
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 1);
    post(one, IO_READ, 1 << 20);
    ck_assert_uint_eq(arbiter_pump(a, 0), 2); /* out_max */
    arbiter_close(a, one);
    ck_assert(find("acme", &v));
    arbiter_done(a, &got[0], got[0].bytes, 1);
    ck_assert_uint_eq(arbiter_pump(a, 1), 0); /* what waited is forgotten */
    ck_assert(find("acme", &v));
    ck_assert_uint_eq(v.moved.ops[IO_READ], 1);
    arbiter_done(a, &got[1], got[1].bytes, 2);
    ck_assert(!find("acme", &v));
    arbiter_id other = open_stream("acme", 1, 1);
    ck_assert_uint_ne(other, one);
    arbiter_done(a, &got[1], got[1].bytes, 3); /* late, of a stream that is gone */
    ck_assert(find("acme", &v));
    ck_assert_uint_eq(v.moved.ops[IO_READ], 0);
}
END_TEST

START_TEST(an_owner_that_fails_at_once_ends_its_request)
{
    fails = true;
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 1);
    post(one, IO_READ, 1 << 20);
    ck_assert_uint_ge(arbiter_pump(a, 0), 1 << 20 >> 19);
    ck_assert_uint_eq(arbiter_pump(a, 0), 0);
    ck_assert(find("acme", &v));
    ck_assert_uint_eq(v.moved.bytes[IO_READ], 0);
    ck_assert(!fairq_is_busy(arbiter_queue(a)));
    ck_assert_int_eq(arbiter_wake_ns(a), INT64_MAX);
}
END_TEST

START_TEST(its_bounds_are_refusals)
{
    char name[ARBITER_NAME_MAX + 1];
    arbiter_id id;
    memset(name, 'n', ARBITER_NAME_MAX);
    name[ARBITER_NAME_MAX] = '\0';
    ck_assert_int_eq(try_open(name, 1, 1, &id), -ENAMETOOLONG);
    for (uint64_t job = 0; job < 4; job++)
        open_stream("acme", job, 1);
    ck_assert_int_eq(try_open("acme", 9, 1, &id), -ENOSPC);
    ck_assert_int_eq(try_open("new", 1, 1, &id), -ENOSPC); /* no job is left: and no tenant stays behind */
    struct arbiter_view v;
    ck_assert(!find("new", &v));
    open_stream("acme", 0, 1);
    open_stream("acme", 0, 1);
    ck_assert_int_eq(try_open("acme", 0, 1, &id), -ENOSPC);
}
END_TEST

START_TEST(direct_use_is_charged_and_metered_apart)
{
    struct arbiter_view v;
    open_stream("acme", 1, 1);
    arbiter_direct(a, "acme", IO_WRITE, 10, 1 << 20, 0);
    arbiter_direct(a, "nobody", IO_WRITE, 10, 1 << 20, 0);
    ck_assert(find("acme", &v));
    ck_assert(v.direct.ops[IO_WRITE] == 10 && v.direct.bytes[IO_WRITE] == 1 << 20 && v.moved.bytes[IO_WRITE] == 0);
    ck_assert_int_eq(v.queue.charged_ns, io_cost_of_many(&disk_cost, IO_WRITE, false, 10, 1 << 20));
    arbiter_direct(a, "acme", IO_READ, UINT64_MAX, UINT64_MAX, 0); /* a counter that makes no sense overflows nothing */
    arbiter_direct(a, "acme", IO_READ, 1, 1, 0);
}
END_TEST

START_TEST(what_was_taken_directly_counts_for_the_limits_and_not_for_ever)
{
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 1);
    ck_assert_int_eq(share("acme", (struct disk_share){.weight = 1, .limits.bytes_per_s = 1 << 20}), 0);
    arbiter_direct(a, "acme", IO_READ, 16, 2 << 20, 0); /* two seconds' worth; a tenth may be owed */
    post(one, IO_READ, 4096);
    ck_assert_uint_eq(arbiter_pump(a, 0), 0);
    ck_assert(find("acme", &v));
    ck_assert_int_eq(v.queue.standing, FQ_LIMITED);
    ck_assert_int_eq(v.queue.until_ns, 2 * SECOND - FQ_BURST_NS);
    ck_assert(v.queue.limit == FQ_LIMIT_BYTES && v.queue.limited_total[FQ_LIMIT_BYTES] == 1);
    arbiter_direct(a, "acme", IO_READ, 1 << 20, UINT64_C(1) << 40, 0);
    ck_assert(find("acme", &v));
    ck_assert_int_eq(v.queue.until_ns, FQ_DEBT_NS);
    ck_assert_uint_eq(arbiter_pump(a, FQ_DEBT_NS), 1);
}
END_TEST

START_TEST(direct_use_waits_its_turn_but_not_for_ever)
{
    arbiter_id much = open_stream("much", 1, 1), other = 0;
    const struct arbiter_stream wide = {.tenant = "other", .job = 1, .out_max = 64, .go = go, .owner = &count,
                                        .token = 2}; /* never all of it in flight: the disk is never for the asking */
    ck_assert_int_eq(arbiter_open(a, &wide, &other), 0);
    post(other, IO_READ, 4096);
    arbiter_pump(a, 0);
    arbiter_done(a, &got[0], 4096, 0);
    for (int i = 0; i < 1000; i++) /* hours of it */
        arbiter_direct(a, "much", IO_READ, 1, UINT64_C(1) << 34, 0);
    post(much, IO_READ, 4096);
    post(other, IO_READ, UINT64_C(1) << 36);
    int64_t served = 0;
    for (int64_t now = MS; served < 20 * FQ_DEBT_NS; now += MS) {
        count = 0;
        arbiter_pump(a, now);
        for (unsigned i = 0; i < count; i++) {
            if (tokens[i] == 1) {
                /* both have the same weight: as much as it took, at most FQ_DEBT_NS of it */
                ck_assert_msg(served > FQ_DEBT_NS * 99 / 100 && served < FQ_DEBT_NS * 101 / 100, "%" PRId64, served);
                return;
            }
            served += got[i].cost_ns;
            arbiter_done(a, &got[i], got[i].bytes, now);
        }
    }
    ck_abort_msg("it waits for ever");
}
END_TEST

START_TEST(who_left_in_debt_finds_it_again_but_not_for_ever)
{
    struct arbiter_view v;
    arbiter_id one = open_stream("acme", 1, 1);
    arbiter_pump(a, 0);
    arbiter_direct(a, "acme", IO_READ, 1, UINT64_C(1) << 31, 0); /* two seconds of the disk */
    arbiter_close(a, one);
    ck_assert(find("acme", &v));
    ck_assert_int_gt(v.queue.ahead_ns, SECOND);
    ck_assert_int_le(arbiter_wake_ns(a), FQ_DEBT_NS);
    one = open_stream("acme", 2, 1); /* the next short job */
    ck_assert(find("acme", &v));
    ck_assert_int_gt(v.queue.ahead_ns, SECOND);
    arbiter_close(a, one);
    arbiter_pump(a, FQ_DEBT_NS - 1);
    ck_assert(find("acme", &v));
    arbiter_pump(a, FQ_DEBT_NS + WINDOW_TICK_NS);
    ck_assert(!find("acme", &v));
    ck_assert_int_eq(arbiter_wake_ns(a), INT64_MAX);
    one = open_stream("other", 1, 1); /* a little is nobody's debt */
    arbiter_direct(a, "other", IO_READ, 1, 4096, 0);
    arbiter_close(a, one);
    ck_assert(!find("other", &v));
}
END_TEST

START_TEST(who_has_work_comes_before_who_owes)
{
    struct arbiter_view v;
    char name[] = "owes0";
    for (int i = 0; i < 4; i++, name[4]++) { /* as many tenants as there may be */
        arbiter_id id = open_stream(name, 1, 1);
        arbiter_direct(a, name, IO_READ, 1, UINT64_C(1) << 31, 0);
        arbiter_close(a, id);
    }
    ck_assert(find("owes0", &v));
    open_stream("works", 1, 1);
    ck_assert(find("works", &v) && !find("owes0", &v) && find("owes1", &v));
}
END_TEST

START_TEST(a_newcomer_narrows_the_window_at_once)
{
    arbiter_id one = open_stream("acme", 1, 1), two = open_stream("other", 1, 2);
    post(one, IO_READ, 1 << 20);
    arbiter_pump(a, MS);
    ck_assert_int_eq(fairq_window(arbiter_queue(a))->limit_ns, WINDOW_ALONE_NS);
    post(two, IO_READ, 4096);
    arbiter_pump(a, 2 * MS);
    ck_assert_int_eq(fairq_window(arbiter_queue(a))->limit_ns, WINDOW_CONTENDED_NS);
    ck_assert_int_le(arbiter_wake_ns(a), 2 * MS + WINDOW_TICK_NS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/arbiter");
    TCase *t = tcase_create("arbiter");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_tenant_is_there_as_long_as_a_stream_of_it);
    tcase_add_test(t, what_is_shared_out_holds_for_who_comes_and_who_is_there);
    tcase_add_test(t, a_part_is_of_those_who_want_the_disk_now);
    tcase_add_test(t, a_part_of_who_is_stuck_is_its_siblings);
    tcase_add_test(t, a_limit_holds_all_below_it_and_says_whose_it_is);
    tcase_add_test(t, what_is_reserved_for_a_parent_is_had_by_whoever_is_there);
    tcase_add_test(t, no_more_is_reserved_than_leaves_something_for_the_others);
    tcase_add_test(t, grants_come_to_who_asked_and_are_metered_once);
    tcase_add_test(t, more_than_was_granted_is_never_metered);
    tcase_add_test(t, a_stream_closed_in_flight_goes_with_its_last_answer);
    tcase_add_test(t, an_owner_that_fails_at_once_ends_its_request);
    tcase_add_test(t, its_bounds_are_refusals);
    tcase_add_test(t, direct_use_is_charged_and_metered_apart);
    tcase_add_test(t, what_was_taken_directly_counts_for_the_limits_and_not_for_ever);
    tcase_add_test(t, direct_use_waits_its_turn_but_not_for_ever);
    tcase_add_test(t, who_left_in_debt_finds_it_again_but_not_for_ever);
    tcase_add_test(t, who_has_work_comes_before_who_owes);
    tcase_add_test(t, a_newcomer_narrows_the_window_at_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}
