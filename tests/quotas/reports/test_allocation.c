/* Idle and shared cost: never below nothing, never lost, never counted twice. */
#include <stdlib.h>

#include "quotas/reports/idle.h"
#include "quotas/reports/split.h"
#include "tests/quotas/reports/asking.h"

#define GIB ((uint64_t)1 << 30)

/* ---- amounts cut into parts ------------------------------------------------------------------------------------- */
static const struct {
    const char *what;
    int64_t amount;
    uint64_t weights[5];
    int64_t parts[5];
} splits[] = {
    {"evenly", 9, {1, 1, 1}, {3, 3, 3}},
    {"what is left goes to the earliest of equals", 11, {1, 1, 1}, {4, 4, 3}},
    {"and first to whom most was cut", 10, {1, 2, 4}, {1, 3, 6}},
    {"no weight, no part", 7, {0, 5, 0, 2}, {0, 5, 0, 2}},
    {"less than there are takers", 2, {1, 1, 1, 1}, {1, 1, 0, 0}},
    {"nothing", 0, {1, 1}, {0, 0}},
    {"a credit", -11, {1, 1, 1}, {-4, -4, -3}},
    {"large weights", 1000000, {UINT64_MAX, UINT64_MAX, 1}, {500000, 500000, 0}},
    {"the largest amount", INT64_MAX, {1, 2}, {INT64_C(3074457345618258602), INT64_C(6148914691236517205)}},
};

START_TEST(parts_are_the_whole)
{
    struct split v[5] = {0};
    for (size_t i = 0; i < 5; i++)
        v[i].weight = splits[_i].weights[i];
    split_amount(v, 5, splits[_i].amount);
    for (size_t i = 0; i < 5; i++)
        ck_assert_msg(v[i].part == splits[_i].parts[i], "%s: part %zu is %lld", splits[_i].what, i,
                      (long long)v[i].part);
}
END_TEST

START_TEST(random_parts_are_the_whole)
{
    uint64_t seed = random_seed("parts");
    for (int i = 0; i < 20000; i++) {
        struct split v[9] = {0};
        size_t count = 1 + random_below(&seed, 9);
        int64_t amount = (int64_t)random_below(&seed, (uint64_t)1 << random_below(&seed, 62)), sum = 0;
        amount = random_below(&seed, 2) == 0 ? amount : -amount;
        for (size_t k = 0; k < count; k++)
            v[k].weight = random_below(&seed, (uint64_t)1 << random_below(&seed, 53)) + (k == 0);
        split_amount(v, count, amount);
        for (size_t k = 0; k < count; k++) {
            sum += v[k].part;
            ck_assert(v[k].weight > 0 || v[k].part == 0);
        }
        ck_assert_int_eq(sum, amount);
    }
}
END_TEST

/* ---- a cell with nodes ------------------------------------------------------------------------------------------ */
struct fixture {
    char path[160];
    struct book *book;
    struct report report;
};

static struct fact fact_node_there(int64_t at, const char *node, uint64_t cpu_milli, uint64_t mem, const char *class)
{
    struct fact f = {.kind = FACT_NODE_JOINED, .at_utc_us = at};
    set_text(&f.joined.node, node);
    f.joined.capacity.cpu_milli = cpu_milli;
    f.joined.capacity.mem_bytes = mem;
    if (class != NULL)
        must(pairs_set(&f.joined.labels, PRICE_CLASS_LABEL, class));
    return f;
}

static struct fact fact_node_away(int64_t at, const char *node)
{
    struct fact f = {.kind = FACT_NODE_LOST, .at_utc_us = at};
    set_text(&f.lost.node, node);
    return f;
}

/* cpu 1.00 an hour, 2.00 from noon on the second day; nodes of class "big" 4.00. */
static struct fact fact_prices(void)
{
    struct fact policy = fact_policy(AT_NOVEMBER);
    set_text(&policy.policy.currency, "EUR");
    policy.policy.set_prices = true;
    static const int64_t from[] = {0, AT_NOVEMBER + DAY_US + DAY_US / 2};
    for (uint32_t i = 0; i < 2; i++) {
        struct price_version *v = list_add(&policy.policy.prices, sizeof *v);
        ck_assert_ptr_nonnull(v);
        v->version = i + 1;
        v->from_utc_us = from[i];
        must(counts_set(&v->per_hour, "cpu", (i + 1) * UINT64_C(1000000)));
        struct price_class *class = list_add(&v->classes, sizeof *class);
        ck_assert_ptr_nonnull(class);
        set_text(&class->name, "big");
        must(counts_set(&class->per_hour, "cpu", 4000000));
    }
    fact_tenant(&policy, "acme");
    fact_tenant(&policy, "beta");
    fact_tenant(&policy, "platform");
    fact_tenant(&policy, "platform/dns");
    return policy;
}

/* An attempt on n1 of `cpu_milli` from `at` for `us`, charged `micros`. */
static void add_attempt(struct fixture *f, uint64_t job, const char *tenant, const char *node, int64_t at, uint64_t us,
                        uint64_t cpu_milli, int64_t micros)
{
    struct attempt_id id = {job, 0, 1};
    journal_take(f->book, fact_job(job, tenant, "u", "j", 1));
    struct fact placed = fact_placed_on(id, at, (const char *const[]){"/@total", NULL});
    set_text(&placed.placed.node, node);
    placed.placed.resources.cpu_milli = cpu_milli;
    journal_take(f->book, placed);
    struct fact end = fact_end(at + (int64_t)us, id, micros, NEXT_FINAL, true);
    end.ended.record.started_utc_us = at;
    end.ended.record.run_us = us;
    add_charge(&end.ended.charges, "cpu", 0, us, micros);
    journal_take(f->book, end);
}

static void fixture_make(struct fixture *f)
{
    *f = (struct fixture){0};
    f->book = journal_book(journal_path(f->path));
    f->report = (struct report){.database = f->path, .book = f->book};
    journal_take(f->book, fact_prices());
    journal_take(f->book, fact_node_there(AT_NOVEMBER, "n1", 2000, 0, NULL));
    add_attempt(f, 1, "acme", "n1", AT_NOVEMBER, 12 * HOUR_US, 1000, 12000000);
    add_attempt(f, 2, "beta", "n1", AT_NOVEMBER, 6 * HOUR_US, 1000, 6000000);
    add_attempt(f, 3, "platform/dns", "n1", AT_NOVEMBER + (int64_t)(6 * HOUR_US), 1 * HOUR_US, 1000, 1000000);
    /* The newest entry: all that isn't over ends there. */
    journal_take(f->book, fact_policy(AT_NOVEMBER + DAY_US));
}

static const struct {
    const char *what;
    report_fn *report;
    const char *query, *lines;
} reports[] = {
    {"two cores for a day, 19 hours of them held", idle_answer, "format=csv",
     "class,resource,capacity_hours,allocated_hours,idle_hours,used_ratio,capacity_cost,capacity_cost_micros,idle_cost,"
     "idle_cost_micros,currency\r\n"
     ",cpu,48.000000,19.000000,29.000000,0.395833,48.000000,48000000,29.000000,29000000,EUR\r\n"},
    {"idle stands by itself", allocation_answer, "format=csv",
     "tenant,own_cost,own_cost_micros,idle_cost,idle_cost_micros,shared_cost,shared_cost_micros,cost,cost_micros,"
     "currency\r\n"
     ",0.000000,0,29.000000,29000000,0.000000,0,29.000000,29000000,EUR\r\n"
     "acme,12.000000,12000000,0.000000,0,0.000000,0,12.000000,12000000,EUR\r\n"
     "beta,6.000000,6000000,0.000000,0,0.000000,0,6.000000,6000000,EUR\r\n"
     "platform/dns,1.000000,1000000,0.000000,0,0.000000,0,1.000000,1000000,EUR\r\n"},
    {"by usage, and what platform does goes to whom it serves", allocation_answer,
     "format=csv&idle=usage&shared=platform",
     "tenant,own_cost,own_cost_micros,idle_cost,idle_cost_micros,shared_cost,shared_cost_micros,cost,cost_micros,"
     "currency\r\n"
     "acme,12.000000,12000000,19.333333,19333333,0.666667,666667,32.000000,32000000,EUR\r\n"
     "beta,6.000000,6000000,9.666667,9666667,0.333333,333333,16.000000,16000000,EUR\r\n"},
    {"evenly", allocation_answer, "format=csv&idle=even&shared=platform&share=even",
     "tenant,own_cost,own_cost_micros,idle_cost,idle_cost_micros,shared_cost,shared_cost_micros,cost,cost_micros,"
     "currency\r\n"
     "acme,12.000000,12000000,14.500000,14500000,0.500000,500000,27.000000,27000000,EUR\r\n"
     "beta,6.000000,6000000,14.500000,14500000,0.500000,500000,21.000000,21000000,EUR\r\n"},
    {"shared, but left where it is", allocation_answer,
     "flat=1&idle=even&shared=platform&share=separate&to=2026-11-23T06:00:00Z",
     "[\n{\"tenant\":\"acme\",\"own_cost\":\"6.000000\",\"own_cost_micros\":6000000,\"idle_cost\":\"0.000000\","
     "\"idle_cost_micros\":0,\"shared_cost\":\"0.000000\",\"shared_cost_micros\":0,\"cost\":\"6.000000\","
     "\"cost_micros\":6000000,\"currency\":\"EUR\"},\n"
     "{\"tenant\":\"beta\",\"own_cost\":\"6.000000\",\"own_cost_micros\":6000000,\"idle_cost\":\"0.000000\","
     "\"idle_cost_micros\":0,\"shared_cost\":\"0.000000\",\"shared_cost_micros\":0,\"cost\":\"6.000000\","
     "\"cost_micros\":6000000,\"currency\":\"EUR\"}]\n"},
    {"no such way", allocation_answer, "idle=fairly", "400 idle"},
    {"no such tenant", allocation_answer, "shared=nobody", "404 shared"},
    {"too many days", idle_answer, "granularity=day&from=0&to=9000-01-01", NULL},
};

START_TEST(rows_are_as_asked)
{
    struct fixture f;
    struct viewer all = {.all = true};
    struct buf out = {0};
    fixture_make(&f);
    asking(&f.report, reports[_i].report, &all, reports[_i].query, NULL, &out);
    if (reports[_i].lines != NULL)
        ck_assert_msg(strcmp(buf_text(&out), reports[_i].lines) == 0, "%s:\n%s", reports[_i].what, buf_text(&out));
    buf_fini(&out);
    book_close(f.book);
}
END_TEST

/* Nodes that come, change, go and come again; a price that changes at noon; a class of its own. */
START_TEST(capacity_follows_the_nodes)
{
    struct fixture f;
    struct buf out = {0};
    struct viewer all = {.all = true};
    int64_t day2 = AT_NOVEMBER + DAY_US;
    fixture_make(&f);
    journal_take(f.book, fact_node_there(day2, "n1", 2000, 0, NULL));                            /* nothing new */
    journal_take(f.book, fact_node_there(day2, "n2", 1000, 0, "big"));
    add_attempt(&f, 10, "acme", "n2", day2, 5 * HOUR_US, 1000, 1);
    journal_take(f.book, fact_node_away(day2 + (int64_t)(6 * HOUR_US), "n2"));
    journal_take(f.book, fact_node_there(day2 + (int64_t)(18 * HOUR_US), "n1", 1000, 0, NULL)); /* half of it is gone */
    journal_take(f.book, fact_node_there(day2 + (int64_t)(20 * HOUR_US), "n2", 1000, 0, "big"));
    journal_take(f.book, fact_policy(day2 + DAY_US));
    asking(&f.report, idle_answer, &all, "format=csv&granularity=day&from=2026-11-24", NULL, &out);
    /* n1: 12 h x 2 at 1.00, 6 h x 2 and 6 h x 1 at 2.00; n2: 6 h and 4 h at 4.00, 5 of them held. */
    ck_assert_str_eq(
        buf_text(&out),
        "day,class,resource,capacity_hours,allocated_hours,idle_hours,used_ratio,capacity_cost,"
        "capacity_cost_micros,idle_cost,idle_cost_micros,currency\r\n"
        "2026-11-24,,cpu,42.000000,0.000000,42.000000,0.000000,60.000000,60000000,60.000000,60000000,EUR\r\n"
        "2026-11-24,big,cpu,10.000000,5.000000,5.000000,0.500000,40.000000,40000000,20.000000,20000000,EUR\r\n");
    buf_fini(&out);
    book_close(f.book);
}
END_TEST

/* What an attempt holds on a node that is lost is no part of any capacity: idle is never below nothing. */
START_TEST(a_lost_node_leaves_nothing_behind)
{
    struct fixture f;
    struct buf out = {0};
    struct viewer all = {.all = true};
    int64_t day2 = AT_NOVEMBER + DAY_US;
    fixture_make(&f);
    journal_take(f.book, fact_node_away(day2, "n1"));
    add_attempt(&f, 10, "acme", "n1", day2 - (int64_t)HOUR_US, 10 * HOUR_US, 2000, 1);
    asking(&f.report, idle_answer, &all, "format=csv&from=2026-11-23T23:00:00Z", NULL, &out);
    ck_assert_msg(strstr(buf_text(&out), "\r\n,cpu,2.000000,2.000000,0.000000,1.000000,") != NULL, "%s",
                  buf_text(&out));
    buf_fini(&out);
    book_close(f.book);
}
END_TEST

/* However it is spread, the sum is the same. */
START_TEST(every_spread_has_the_same_total)
{
    static const char *const ways[] = {"separate", "usage", "even"};
    struct fixture f;
    struct viewer all = {.all = true};
    fixture_make(&f);
    for (size_t i = 0; i < 9; i++)
        for (size_t k = 0; k < 2; k++) {
            struct buf out = {0};
            char query[128];
            snprintf(query, sizeof query, "idle=%s&share=%s&shared=platform%s", ways[i / 3], ways[i % 3],
                     k == 0 ? "" : "&granularity=day&tz=America/New_York");
            asking(&f.report, allocation_answer, &all, query, NULL, &out);
            ck_assert_msg(strstr(buf_text(&out), ",\"total\":\"48.000000\",\"total_micros\":48000000}\n") != NULL,
                          "%s: %s", query, buf_text(&out));
            buf_fini(&out);
        }
    book_close(f.book);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("allocation");
    TCase *tc = tcase_create("allocation");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, parts_are_the_whole, 0, (int)COUNT_OF(splits));
    tcase_add_test(tc, random_parts_are_the_whole);
    tcase_add_loop_test(tc, rows_are_as_asked, 0, (int)COUNT_OF(reports));
    tcase_add_test(tc, capacity_follows_the_nodes);
    tcase_add_test(tc, a_lost_node_leaves_nothing_behind);
    tcase_add_test(tc, every_spread_has_the_same_total);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
