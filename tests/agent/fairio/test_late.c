/* What doesn't come back in time: it costs its own tenant, and nobody else. */
#include <check.h>

#include "tests/agent/fairio/device.h"
#include "tests/run.h"

START_TEST(a_stuck_operation_leaves_the_window_and_costs_its_tenant_alone)
{
    struct fairq *q = new_queue();
    struct client bad = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false),
                  good = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false);
    struct fq_grant g, stuck[16];
    unsigned held = 0;
    struct fq_view v;
    for (int i = 0; i < 8; i++)
        client_post(q, &bad, 0);
    for (; fairq_next(q, 0, &g); held++)
        stuck[held] = g;
    ck_assert_uint_gt(held, 0);
    client_post(q, &bad, 0);
    fairq_tick(q, SECOND / 2);
    ck_assert_uint_eq(fairq_times(q)->stuck, 0);
    fairq_tick(q, 30 * SECOND);
    ck_assert_int_eq(fairq_in_flight_ns(q), 0);
    ck_assert_int_eq(fairq_view(q, bad.tenant, &v), 0);
    ck_assert_int_eq(v.standing, FQ_STUCK);
    ck_assert(fairq_times(q)->stuck == held && fairq_times(q)->stuck_total == held);
    client_post(q, &good, 30 * SECOND);
    ck_assert(fairq_next(q, 30 * SECOND, &g));
    ck_assert_uint_eq(g.stream, good.stream);
    ck_assert(!fairq_next(q, 30 * SECOND, &g)); /* nothing for the other */
    for (unsigned i = 0; i < held; i++)
        fairq_done(q, stuck[i].id, stuck[i].bytes, 31 * SECOND); /* it comes back after all */
    ck_assert_int_eq(fairq_in_flight_ns(q), io_cost_of(&disk_cost, IO_READ, false, 64 << 10));
    ck_assert(fairq_times(q)->stuck == 0 && fairq_times(q)->stuck_total == held);
    ck_assert_uint_eq(fairq_times(q)->served.counts[LATENCY_BUCKETS - 1], held); /* 31 s: above all bounds */
    ck_assert(fairq_next(q, 31 * SECOND, &g));
    ck_assert_uint_eq(g.stream, bad.stream);
    fairq_free(q);
}
END_TEST

/* A mover that has next to no cpu: what it was granted fills the window, and the disk does nothing. */
START_TEST(who_moves_slowly_keeps_the_disk_from_nobody)
{
    struct fairq *q = new_queue();
    struct client slow = new_client(q, (struct fq_share){.weight = 1}, 128 << 10, false),
                  good = new_client(q, (struct fq_share){.weight = 1}, 128 << 10, false);
    struct fq_grant g, out[16];
    unsigned held = 0;
    struct fq_view v;
    for (int i = 0; i < 16; i++)
        client_post(q, &slow, 0);
    while (fairq_next(q, 0, &g))
        out[held++] = g;
    for (int i = 0; i < 16; i++)
        client_post(q, &good, 1);
    while (fairq_next(q, 1, &g)) /* a little passes */
        ck_assert_uint_eq(g.stream, good.stream);
    ck_assert_int_eq(fairq_wake_ns(q), FQ_LATE_MIN_NS); /* a window that is full asks to be looked at again */
    fairq_tick(q, FQ_LATE_MIN_NS - 1);
    ck_assert(!fairq_next(q, FQ_LATE_MIN_NS - 1, &g));
    fairq_tick(q, FQ_LATE_MIN_NS);
    ck_assert_int_le(fairq_in_flight_ns(q), io_cost_of(&disk_cost, IO_READ, false, 128 << 10)); /* what passed */
    for (int i = 0; i < 8; i++) {
        ck_assert(fairq_next(q, FQ_LATE_MIN_NS, &g));
        ck_assert_uint_eq(g.stream, good.stream);
        fairq_done(q, g.id, g.bytes, FQ_LATE_MIN_NS + 1);
    }
    ck_assert_int_eq(fairq_view(q, slow.tenant, &v), 0);
    ck_assert(v.standing != FQ_STUCK && v.in_flight_ns == 0 && v.late_ns > 0 && fairq_times(q)->stuck_total == 0);
    for (unsigned i = 0; i < held; i++)
        fairq_done(q, out[i].id, out[i].bytes, 2 * FQ_LATE_MIN_NS);
    bool back = false;
    for (int i = 0; i < 64 && !back; i++) { /* it takes part again */
        client_post(q, &slow, 2 * FQ_LATE_MIN_NS);
        client_post(q, &good, 2 * FQ_LATE_MIN_NS);
        ck_assert(fairq_next(q, 2 * FQ_LATE_MIN_NS, &g));
        back = g.stream == slow.stream;
        fairq_done(q, g.id, g.bytes, 2 * FQ_LATE_MIN_NS);
    }
    ck_assert(back);
    fairq_free(q);
}
END_TEST

/* Grants to it as long as there are any, at most so many; how many that were. */
static unsigned fill(struct fairq *q, const struct client *c, int64_t now_ns, struct fq_grant *out, unsigned most)
{
    unsigned count = 0;
    while (count < most && fairq_next(q, now_ns, &out[count])) {
        ck_assert_uint_eq(out[count].stream, c->stream);
        count++;
    }
    return count;
}

/* After a while in which all that it has out is late, for `passed_ns` of which somebody else's was done. */
static struct fairq *after_late(struct client *bad, int64_t passed_ns, int64_t *now_ns)
{
    struct fairq *q = new_queue();
    struct client good = new_client(q, (struct fq_share){.weight = 1}, 4096, false);
    struct fq_grant g, out[16];
    *bad = new_client(q, (struct fq_share){.weight = 1}, 128 << 10, false);
    *now_ns = 0;
    for (int i = 0; i < 64; i++)
        client_post(q, bad, 0);
    unsigned held = fill(q, bad, 0, out, COUNT_OF(out));
    ck_assert_uint_gt(held, 1);
    *now_ns = FQ_LATE_MIN_NS;
    fairq_tick(q, *now_ns);
    for (int64_t end_ns = *now_ns + passed_ns; *now_ns < end_ns;) {
        *now_ns += MS;
        client_post(q, &good, *now_ns);
        ck_assert(fairq_next(q, *now_ns, &g));
        ck_assert_uint_eq(g.stream, good.stream);
        fairq_done(q, g.id, g.bytes, *now_ns);
        fairq_tick(q, *now_ns);
    }
    *now_ns += MS;
    for (unsigned i = 0; i < held; i++)
        fairq_done(q, out[i].id, out[i].bytes, *now_ns);
    return q;
}

START_TEST(who_was_slow_has_one_operation_out_for_a_second)
{
    struct client bad;
    int64_t now_ns;
    struct fq_grant out[16];
    struct fairq *q = after_late(&bad, FQ_SLOW_SEEN_NS + 2 * MS, &now_ns);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(fill(q, &bad, now_ns, out, COUNT_OF(out)), 1);
        now_ns += MS;
        fairq_done(q, out[0].id, out[0].bytes, now_ns);
    }
    now_ns += FQ_SLOW_NS;
    ck_assert_uint_eq(fill(q, &bad, now_ns, out, 1), 1);
    fairq_done(q, out[0].id, out[0].bytes, now_ns);
    ck_assert_uint_gt(fill(q, &bad, now_ns, out, COUNT_OF(out)), 1);
    fairq_free(q);
}
END_TEST

/* A disk that stands still for a moment, and then ends what it has in any order, makes nobody slow. */
START_TEST(a_disk_that_is_slow_makes_nobody_slow)
{
    struct client bad;
    int64_t now_ns;
    struct fq_grant out[16];
    struct fairq *q = after_late(&bad, FQ_SLOW_SEEN_NS / 2, &now_ns);
    ck_assert_uint_gt(fill(q, &bad, now_ns, out, COUNT_OF(out)), 1);
    fairq_free(q);
}
END_TEST

/* Who is beside it has the disk as if it were alone, until it comes back. */
START_TEST(who_is_stuck_contends_with_nobody)
{
    struct fairq *q = new_queue();
    struct client bad = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false),
                  good = new_client(q, (struct fq_share){.weight = 1}, 4 << 20, false);
    struct fq_grant g, stuck;
    client_post(q, &bad, 0);
    ck_assert(fairq_next(q, 0, &stuck));
    client_post(q, &good, 0);
    ck_assert(fairq_next(q, 0, &g));
    ck_assert_uint_eq(g.bytes, FQ_CHUNK_CONTENDED);
    fairq_done(q, g.id, g.bytes, 0);
    fairq_tick(q, 30 * SECOND);
    client_post(q, &bad, 30 * SECOND); /* it waits, too */
    for (int i = 1; i < 5; i++)
        fairq_tick(q, 30 * SECOND + i * WINDOW_TICK_NS);
    ck_assert_int_eq(fairq_window(q)->limit_ns, WINDOW_ALONE_NS);
    ck_assert(fairq_next(q, 31 * SECOND, &g));
    ck_assert_uint_gt(g.bytes, FQ_CHUNK_CONTENDED);
    fairq_done(q, stuck.id, stuck.bytes, 31 * SECOND);
    fairq_tick(q, 31 * SECOND);
    ck_assert_int_eq(fairq_window(q)->limit_ns, WINDOW_CONTENDED_NS);
    fairq_done(q, g.id, g.bytes, 31 * SECOND);
    ck_assert(fairq_next(q, 32 * SECOND, &g) && fairq_next(q, 32 * SECOND, &stuck)); /* both have work */
    ck_assert(g.stream != stuck.stream && MAX(g.bytes, stuck.bytes) <= FQ_CHUNK_CONTENDED);
    fairq_free(q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/late");
    TCase *t = tcase_create("late");
    tcase_add_test(t, a_stuck_operation_leaves_the_window_and_costs_its_tenant_alone);
    tcase_add_test(t, who_moves_slowly_keeps_the_disk_from_nobody);
    tcase_add_test(t, who_was_slow_has_one_operation_out_for_a_second);
    tcase_add_test(t, a_disk_that_is_slow_makes_nobody_slow);
    tcase_add_test(t, who_is_stuck_contends_with_nobody);
    suite_add_tcase(s, t);
    return run_suite(s);
}
