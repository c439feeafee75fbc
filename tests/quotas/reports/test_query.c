/* Cost queries: what is refused and how it is named, how figures group, who sees what. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quotas/period.h"
#include "quotas/reports/query.h"
#include "tests/quotas/reports/asking.h"

static const char *const names[] = {SPAN_NAMES, SHEET_NAMES, "tenant", "group_by", "granularity", NULL};
static const struct query_source source = {
    .from = "charges c JOIN jobs j USING(job)", .when = "c.from_utc_us", .where = "", .measures = "sum(c.micros)",
    .charges = true};

/* ---- parameters ------------------------------------------------------------------------------------------------ */
static const struct {
    const char *query, *parameter; /* parameter NULL = accepted, "" = refused as a whole */
} cases[] = {
    {"", NULL},
    {"from=2026-11-01&to=2026-12-01&group_by=tenant,user,resource,job,name,label.pipeline&granularity=day", NULL},
    {"from=1795392000000&to=2026-12-01T00:00:00%2B01:00", NULL},
    {"from=0", NULL},
    {"group_by=label.a%2Cb", "group_by"}, /* a comma can't be part of a key: "b" is nothing to group by */
    {"group_by=label.it's \"odd\"", NULL},
    {"from=yesterday", "from"},
    {"from=2026", "from"},
    {"to=20261101", "to"},
    {"from=2026-13-01", "from"},
    {"from=99999999999999999999", "from"},
    {"from=2026-12-01&to=2026-11-01", "to"},
    {"from=2026-11-01&to=2026-11-01", "to"},
    {"group_by=", "group_by"},
    {"group_by=tenant,", "group_by"},
    {"group_by=tenant,tenant", "group_by"},
    {"group_by=tenant;drop", "group_by"},
    {"group_by=label.", "group_by"},
    {"group_by=label.a,label.a", "group_by"},
    {"group_by=label.1,label.2,label.3,label.4,label.5,label.6,label.7,label.8,label.9", "group_by"},
    {"group_by=day,week", "group_by"},
    {"group_by=day&granularity=week", "granularity"},
    {"group_by=day&granularity=day", NULL},
    {"granularity=tenant", "granularity"},
    {"granularity=hour", "granularity"},
    {"format=xml", "format"},
    {"tenant=../etc", "tenant"},
    {"tenant=acme//x", "tenant"},
    {"tenant=/", NULL},
    {"limit=5", "limit"},
    {"From=2026-11-01", "From"},
    {"format=csv&format=json", "format"},
    {"format=%zz", ""},
    {"format=%4", ""},
    {"format=%", ""},
    {"format=json%00", ""},
    {"tenant=%ff%fe", ""},
    {"tenant=%c0%af", ""},
    {"&&format=csv&", NULL},
    {"token=secret", "token"},
    {"format=ndjson", NULL},
    {"format=csv&excel=1", NULL},
    {"excel=1", "excel"},
    {"excel=2&format=csv", "excel"},
    {"flat=1", NULL},
    {"format=csv&flat=1", "flat"},
    {"tz=Europe/Berlin", NULL},
    {"tz=UTC", NULL},
    {"tz=Mars/Olympus", "tz"},
    {"tz=../../etc/passwd", "tz"},
    {"tz=", "tz"},
};

START_TEST(parameters)
{
    struct params params = {0};
    struct query query = {0};
    struct problem problem = {0};
    const char *want = cases[_i].parameter;
    int r = params_parse(cases[_i].query, &params, &problem);
    if (r == 0)
        r = query_parse(&params, names, "tenant", &query, &problem);
    ck_assert_msg((r == 0) == (want == NULL), "%s: %d %s", cases[_i].query, r, problem.detail);
    if (r < 0) {
        ck_assert_int_eq(problem.status, 400);
        ck_assert_msg(strcmp(problem.parameter, want) == 0, "%s: blames '%s'", cases[_i].query, problem.parameter);
        ck_assert(problem.detail[0] != '\0');
    }
    query_fini(&query);
    params_fini(&params);
}
END_TEST

START_TEST(more_parameters_than_there_is_room_for)
{
    struct params params = {0};
    struct problem problem = {0};
    struct buf many = {0}, long_one = {0};
    for (int i = 0; i < 40; i++)
        buf_addf(&many, "a%d=1&", i);
    for (int i = 0; i < 2000; i++)
        buf_add_str(&long_one, "a");
    ck_assert_int_eq(params_parse(buf_text(&many), &params, &problem), -EINVAL);
    ck_assert_int_eq(params_parse(buf_text(&long_one), &params, &problem), -EINVAL);
    ck_assert_uint_eq(params.count, 0);
    buf_fini(&many);
    buf_fini(&long_one);
}
END_TEST

/* Whatever bytes come: no crash, and what is accepted is valid. */
START_TEST(random_bytes_are_refused_or_understood)
{
    static const char letters[] = "fromtugpby=&,%20adelimorwnh.*/'\"\\<>\x80\xff+;-:0123456789";
    uint64_t seed = random_seed("random_bytes");
    for (int i = 0; i < 20000; i++) {
        char text[64];
        size_t len = random_below(&seed, sizeof text);
        for (size_t k = 0; k < len; k++)
            text[k] = letters[random_below(&seed, sizeof letters - 1)];
        text[len] = '\0';
        struct params params = {0};
        struct query query = {0};
        struct problem problem = {0};
        struct buf out = {0};
        if (params_parse(text, &params, &problem) == 0 && query_parse(&params, names, "tenant", &query, &problem) == 0)
            query_sql(&query, &source, &out);
        else
            problem_write(&problem, &out);
        ck_assert(!out.failed && out.len > 0);
        buf_fini(&out);
        query_fini(&query);
        params_fini(&params);
    }
}
END_TEST

/* ---- figures --------------------------------------------------------------------------------------------------- */
struct fixture {
    char *path;
    struct book *book;
    struct report report;
};

static void add_label(struct book *book, uint64_t job, const char *tenant, const char *user, const char *key,
                      const char *value, int64_t micros)
{
    struct attempt_id id = {job, 0, 1};
    struct fact f = fact_job(job, tenant, user, "labelled", 1);
    must(pairs_set(&f.submitted.spec.labels, key, value));
    journal_take(book, f);
    journal_take(book, fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"/@total", NULL}));
    struct fact end = fact_end(AT_NOVEMBER, id, micros, NEXT_FINAL, true);
    end.ended.record.started_utc_us = AT_NOVEMBER;
    add_charge(&end.ended.charges, "gpu", 0, 10, micros);
    journal_take(book, end);
}

static struct fixture fixture_make(void)
{
    static char path[160]; /* each test is a process of its own */
    struct fixture f = {.path = path};
    f.book = journal_book(journal_path(f.path));
    f.report = (struct report){.database = f.path, .book = f.book};
    struct fact policy = fact_policy(AT_NOVEMBER);
    set_text(&policy.policy.currency, "EUR");
    must(strs_add(&fact_tenant(&policy, "acme")->users, "uid:4242"));
    fact_tenant(&policy, "acme/etl");
    fact_tenant(&policy, "acme-b");
    fact_tenant(&policy, "beta");
    journal_take(f.book, policy);
    journal_job(f.book, 1, "acme", "alice", "a", AT_NOVEMBER, 1000, 1);
    journal_job(f.book, 2, "acme/etl", "bob", "b", AT_NOVEMBER + 6 * DAY_US, 1000, 20);      /* Sunday, W48 */
    journal_job(f.book, 3, "acme/etl", "alice", "b", AT_NOVEMBER + 7 * DAY_US, 1000, 300);   /* Monday, W49, November */
    journal_job(f.book, 4, "acme-b", "eve", "=1+1", AT_NOVEMBER + 8 * DAY_US, 1000, 4000);   /* December */
    journal_job(f.book, 5, "beta", "eve", "comma, \"quote\"", AT_NOVEMBER + 40 * DAY_US, 1000,
                50000); /* 2027-01-02: W53 of 2026 */
    add_label(f.book, 6, "beta", "eve", "it's \"odd\"", "x", 600000);
    return f;
}

static void fixture_fini(struct fixture *f)
{
    book_close(f->book);
}

static void ask_report(struct fixture *f, report_fn *report, const struct viewer *viewer, const char *query,
                       char next_page[PAGE_TOKEN_MAX], struct buf *out)
{
    asking(&f->report, report, viewer, query, next_page, out);
}

static void ask_cost(struct fixture *f, const struct viewer *viewer, const char *query, struct buf *out)
{
    ask_report(f, cost_answer, viewer, query, NULL, out);
}

static const struct {
    const char *what, *query, *lines;
} groupings[] = {
    {"by tenant when nothing is said", "format=csv",
     "tenant,cost,cost_micros,currency\r\nacme,0.000001,1,EUR\r\nacme-b,0.004000,4000,EUR\r\nacme/"
     "etl,0.000320,320,EUR\r\n"
     "beta,0.650000,650000,EUR\r\n"},
    {"by week: a Sunday and the Monday after it are in different ones, January can be in last year's",
     "format=csv&group_by=week",
     "week,cost,cost_micros,currency\r\n2026-W48,0.600021,600021,EUR\r\n2026-W49,0.004300,4300,EUR\r\n"
     "2026-W53,0.050000,50000,EUR\r\n"},
    {"by month", "format=csv&group_by=month",
     "month,cost,cost_micros,currency\r\n2026-11,0.600321,600321,EUR\r\n2026-12,0.004000,4000,EUR\r\n"
     "2027-01,0.050000,50000,EUR\r\n"},
    {"periods first, whatever the order asked for", "format=csv&group_by=user,day&to=2026-12-01&tenant=acme",
     "day,user,cost,cost_micros,currency\r\n2026-11-23,alice,0.000001,1,EUR\r\n2026-11-29,bob,0.000020,20,EUR\r\n"
     "2026-11-30,alice,0.000300,300,EUR\r\n"},
    {"a subtree is not its neighbour with the same beginning", "format=csv&tenant=acme",
     "tenant,cost,cost_micros,currency\r\nacme,0.000001,1,EUR\r\nacme/etl,0.000320,320,EUR\r\n"},
    {"half-open: from is in, to is out", "format=csv&from=2026-11-29&to=2026-11-30",
     "tenant,cost,cost_micros,currency\r\nacme/etl,0.000020,20,EUR\r\n"},
    {"epoch milliseconds", "format=csv&from=1795910400000&to=1795996800000",
     "tenant,cost,cost_micros,currency\r\nacme/etl,0.000020,20,EUR\r\n"},
    {"a header even when there is nothing", "format=csv&from=2030-01-01", "tenant,cost,cost_micros,currency\r\n"},
    {"text that a spreadsheet could take for more is quoted, not changed",
     "format=csv&group_by=job,name&from=2026-12-01",
     "job,name,cost,cost_micros,currency\r\n4,=1+1,0.004000,4000,EUR\r\n5,\"comma, "
     "\"\"quote\"\"\",0.050000,50000,EUR\r\n"},
    {"a label's key is data, never SQL or a path", "format=csv&group_by=label.it%27s+%22odd%22&tenant=beta",
     "\"label.it's \"\"odd\"\"\",cost,cost_micros,currency\r\n,0.050000,50000,EUR\r\nx,0.600000,600000,EUR\r\n"},
    {"by resource", "format=csv&group_by=resource",
     "resource,cost,cost_micros,currency\r\ncpu,0.054321,54321,EUR\r\ngpu,0.600000,600000,EUR\r\n"},
    {"a tenant that isn't there", "tenant=nobody", "404 tenant"},
    {"days of another zone: what is Monday's first second in London is still Sunday in New York",
     "format=csv&group_by=day&to=2026-12-01&tenant=acme&tz=America/New_York",
     "day,cost,cost_micros,currency\r\n2026-11-22,0.000001,1,EUR\r\n2026-11-28,0.000020,20,EUR\r\n"
     "2026-11-29,0.000300,300,EUR\r\n"},
    {"and a date there is midnight there", "format=csv&group_by=job&from=2026-11-30&tz=Asia/Kathmandu&to=2026-12-01",
     "job,cost,cost_micros,currency\r\n3,0.000300,300,EUR\r\n"},
    {"a bare array", "flat=1&group_by=job&to=2026-11-24&tenant=acme",
     "[\n{\"job\":1,\"cost\":\"0.000001\",\"cost_micros\":1,\"currency\":\"EUR\"}]\n"},
    {"an empty one", "flat=1&from=2030-01-01", "[]\n"},
    {"a line for each row", "format=ndjson&group_by=job&tenant=acme",
     "{\"job\":1,\"cost\":\"0.000001\",\"cost_micros\":1,\"currency\":\"EUR\"}\n"
     "{\"job\":2,\"cost\":\"0.000020\",\"cost_micros\":20,\"currency\":\"EUR\"}\n"
     "{\"job\":3,\"cost\":\"0.000300\",\"cost_micros\":300,\"currency\":\"EUR\"}\n"},
    {"a spreadsheet sees no formula", "format=csv&excel=1&group_by=job,name&from=2026-12-01",
     "\xef\xbb\xbfjob,name,cost,cost_micros,currency\r\n4,'=1+1,0.004000,4000,EUR\r\n5,\"comma, "
     "\"\"quote\"\"\",0.050000,50000,EUR\r\n"},
    {"as the books were at an entry", "format=csv&group_by=job&as_of=9",
     "job,cost,cost_micros,currency\r\n1,0.000001,1,EUR\r\n2,0.000020,20,EUR\r\n"},
    {"an entry that isn't there", "as_of=25", "400 as_of"},
    {"a page of none", "page_size=0", "400 page_size"},
    {"a page too large", "page_size=10001", "400 page_size"},
    {"a token of somebody's own", "page_size=1&page_token=18.1.00000000000000000000000000000000", "400 page_token"},
    {"a token without a page", "page_token=18.1.00000000000000000000000000000000", "400 page_token"},
    {"a text that is no token", "page_size=1&page_token=%20%201.x", "400 page_token"},
};

START_TEST(rows_are_as_asked)
{
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    struct buf out = {0};
    ask_cost(&f, &all, groupings[_i].query, &out);
    ck_assert_msg(strcmp(buf_text(&out), groupings[_i].lines) == 0, "%s:\n%s", groupings[_i].what, buf_text(&out));
    buf_fini(&out);
    fixture_fini(&f);
}
END_TEST

/* ---- the other reports ------------------------------------------------------------------------------------------- */
/* One attempt that asked for 2 cores and 2 GiB and ran an hour, used half a core and 1 GiB, and cost 1.00 and 0.50. */
static void add_used(struct book *book, uint64_t job, uint64_t cpu_us, uint64_t peak_bytes)
{
    struct attempt_id id = {job, 0, 1};
    journal_take(book, fact_job(job, "beta", "eve", "used", 1));
    struct fact placed = fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"/@total", NULL});
    placed.placed.resources.cpu_milli = 2000;
    placed.placed.resources.mem_bytes = UINT64_C(2) << 30;
    journal_take(book, placed);
    struct fact end = fact_end(AT_NOVEMBER + (int64_t)HOUR_US, id, 1500000, NEXT_FINAL, true);
    end.ended.record.started_utc_us = AT_NOVEMBER;
    end.ended.record.run_us = HOUR_US;
    end.ended.record.usage.cpu_us = cpu_us;
    end.ended.record.usage.mem_peak_bytes = peak_bytes;
    add_charge(&end.ended.charges, "cpu", 0, HOUR_US, 1000000);
    add_charge(&end.ended.charges, "memory", 0, HOUR_US, 500000);
    journal_take(book, end);
}

static const struct {
    const char *what;
    report_fn *report;
    const char *query, *lines;
} reports[] = {
    {"who was charged most, of all there is", top_answer, "format=csv&limit=2",
     "tenant,jobs,cost,cost_micros,share,currency\r\nbeta,4,3.650000,3650000,0.998818,EUR\r\n"
     "acme-b,1,0.004000,4000,0.001095,EUR\r\n"},
    {"users, too", top_answer, "format=csv&limit=1&group_by=user",
     "user,jobs,cost,cost_micros,share,currency\r\neve,5,3.654000,3654000,0.999912,EUR\r\n"},
    {"what was asked for and not used; who wasn't measured used all", waste_answer,
     "format=csv&tenant=beta&group_by=name",
     "name,attempts,cpu_asked_core_hours,cpu_used_core_hours,memory_asked_gib_hours,memory_used_gib_hours,cost,cost_"
     "micros,"
     "waste,waste_micros,currency\r\n"
     "used,2,4.000000,2.500000,4.000000,3.000000,3.000000,3000000,1.000000,1000000,EUR\r\n"
     "\"comma, \"\"quote\"\"\",1,0.000000,0.000000,0.000000,0.000000,0.050000,50000,0.000000,0,EUR\r\n"},
    {"no resource of an attempt by itself", waste_answer, "group_by=resource", "400 group_by"},
    {"what a job costs", units_answer, "format=csv&tenant=acme&group_by=name",
     "name,jobs,tasks,failed_tasks,cost,cost_micros,cost_per_job,cost_per_job_micros,cost_per_task,cost_per_task_"
     "micros,"
     "cheapest,cheapest_micros,dearest,dearest_micros,currency\r\n"
     "b,2,2,0,0.000320,320,0.000160,160,0.000160,160,0.000020,20,0.000300,300,EUR\r\n"
     "a,1,1,0,0.000001,1,0.000001,1,0.000001,1,0.000001,1,0.000001,1,EUR\r\n"},
    {"pages only where they are pinned", units_answer, "page_size=1", "400 page_size"},
};

START_TEST(other_reports)
{
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    struct buf out = {0};
    add_used(f.book, 7, HOUR_US / 2, UINT64_C(1) << 30);
    add_used(f.book, 8, 0, 0);
    ask_report(&f, reports[_i].report, &all, reports[_i].query, NULL, &out);
    ck_assert_msg(strcmp(buf_text(&out), reports[_i].lines) == 0, "%s:\n%s", reports[_i].what, buf_text(&out));
    buf_fini(&out);
    fixture_fini(&f);
}
END_TEST

/* Whatever is posted between two pages: together they are the first one's state. */
START_TEST(pages_fit_together)
{
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    struct buf whole = {0}, pages = {0}, page = {0};
    char next[PAGE_TOKEN_MAX] = "", query[256];
    ask_cost(&f, &all, "format=ndjson&group_by=job", &whole);
    size_t count = 0;
    do {
        snprintf(query, sizeof query, "format=ndjson&group_by=job&page_size=4%s%s",
                 next[0] != '\0' ? "&page_token=" : "", next);
        ask_report(&f, cost_answer, &all, query, next, &pages);
        journal_job(f.book, 100 + count, "acme", "alice", "between", AT_NOVEMBER, 1000, 7);
        journal_job(f.book, 50 - count, "acme", "alice", "between", AT_NOVEMBER, 1000, 7);
        count++;
    } while (next[0] != '\0' && count < 10);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(buf_text(&pages), buf_text(&whole));
    /* A token holds for its question and its viewer alone. */
    char *subtree = (char *)(uintptr_t)"acme";
    struct viewer some = {.subtrees = {&subtree, 1}};
    ask_report(&f, cost_answer, &all, "group_by=job&page_size=1", next, &page);
    ck_assert_ptr_nonnull(strstr(buf_text(&page), "\"total_micros\":654349,\"next_page_token\":\""));
    snprintf(query, sizeof query, "group_by=job&page_size=2&page_token=%s", next);
    buf_reset(&page);
    ask_cost(&f, &all, query, &page);
    ck_assert_str_eq(buf_text(&page), "400 page_token");
    snprintf(query, sizeof query, "group_by=job&page_size=1&page_token=%s", next);
    buf_reset(&page);
    ask_cost(&f, &some, query, &page);
    ck_assert_str_eq(buf_text(&page), "400 page_token");
    buf_reset(&page);
    next[0] = next[0] == '1' ? '2' : '1';
    snprintf(query, sizeof query, "group_by=job&page_size=1&page_token=%s", next);
    ask_cost(&f, &all, query, &page);
    ck_assert_str_eq(buf_text(&page), "400 page_token");
    buf_fini(&whole);
    buf_fini(&pages);
    buf_fini(&page);
    fixture_fini(&f);
}
END_TEST

/* Berlin's days of 25 and of 23 hours: each hour is counted on one day, and on the right one. */
START_TEST(days_of_25_and_23_hours)
{
    static const struct {
        const char *first;
        int64_t from_utc_us; /* the UTC midnight before */
        const char *rows;
    } changes[] = {
        {"2026-10-25", INT64_C(1792800000) * 1000000,
         "{\"day\":\"2026-10-24\",\"cost\":\"0.000022\"|{\"day\":\"2026-10-25\",\"cost\":\"0.000025\"|"
         "{\"day\":\"2026-10-26\",\"cost\":\"0.000024\"|{\"day\":\"2026-10-27\",\"cost\":\"0.000001\"|"},
        {"2027-03-28", INT64_C(1806105600) * 1000000,
         "{\"day\":\"2027-03-27\",\"cost\":\"0.000023\"|{\"day\":\"2027-03-28\",\"cost\":\"0.000023\"|"
         "{\"day\":\"2027-03-29\",\"cost\":\"0.000024\"|{\"day\":\"2027-03-30\",\"cost\":\"0.000002\"|"},
    };
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    struct buf out = {0}, days = {0};
    for (uint64_t hour = 0; hour < 72; hour++) /* a micro-unit for each hour */
        journal_job(f.book, 1000 + hour, "acme", "alice", "hours",
                    changes[_i].from_utc_us + (int64_t)(hour * HOUR_US), 1000, 1);
    char query[200];
    snprintf(query, sizeof query, "format=ndjson&group_by=day&tenant=acme&tz=Europe/Berlin&from=%lld&to=%lld",
             (long long)changes[_i].from_utc_us / 1000, (long long)(changes[_i].from_utc_us / 1000 + 72 * 3600000));
    ask_cost(&f, &all, query, &out);
    for (char *save = NULL, *line = strtok_r(out.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        buf_addf(&days, "%.*s|", (int)(strstr(line, ",\"cost_micros") - line), line);
    ck_assert_str_eq(buf_text(&days), changes[_i].rows);
    /* And the change's day asked for by its date is that many hours. */
    buf_reset(&out);
    snprintf(query, sizeof query, "format=csv&group_by=tenant&tenant=acme&tz=Europe/Berlin&from=%s&to=%.8s%d",
             changes[_i].first, changes[_i].first, atoi(changes[_i].first + 8) + 1); /* lint: allow our own digits */
    ask_cost(&f, &all, query, &out);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), _i == 0 ? "0.000025,25," : "0.000023,23,"));
    buf_fini(&out);
    buf_fini(&days);
    fixture_fini(&f);
}
END_TEST

START_TEST(json_says_what_was_asked_and_the_total)
{
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    struct buf out = {0};
    ask_cost(&f, &all, "from=2026-12-01&group_by=job,name", &out);
    ck_assert_str_eq(
        buf_text(&out),
        "{\"schema\":\"reeve-cost/1\",\"from\":\"2026-12-01T00:00:00Z\",\"to\":null,\"tz\":\"UTC\",\"as_of\":24,"
        "\"as_of_time\":\"2026-11-23T00:00:00Z\",\"currency\":\"EUR\",\"rows\":[\n"
        "{\"job\":4,\"name\":\"=1+1\",\"cost\":\"0.004000\",\"cost_micros\":4000},\n"
        "{\"job\":5,\"name\":\"comma, \\\"quote\\\"\",\"cost\":\"0.050000\",\"cost_micros\":50000}"
        "],\"total\":\"0.054000\",\"total_micros\":54000}\n");
    buf_fini(&out);
    fixture_fini(&f);
}
END_TEST

/* The hourly sums are asked where they say the same as the rows; naming the entry makes it the rows. */
START_TEST(hours_say_the_same_as_rows)
{
    static const char *const asked[] = {"group_by=tenant", "group_by=user,resource,day&tz=America/New_York",
                                        "group_by=week,tenant&from=2026-11-24&to=2026-12-02&tz=Asia/Kathmandu",
                                        "group_by=month,user", "group_by=tenant,day&from=2026-11-23T05:00:00Z",
                                        "group_by=tenant&from=2026-11-23T05:15:00Z&to=2026-11-30T23:45:00Z"};
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    uint64_t seed = random_seed("hours");
    static const char *const tenants[] = {"acme", "acme/etl", "beta"}, *const users[] = {"alice", "bob", "eve"};
    for (uint64_t job = 100; job < 200; job++)
        journal_job(f.book, job, tenants[random_below(&seed, 3)], users[random_below(&seed, 3)], "x",
                    AT_NOVEMBER + (int64_t)random_below(&seed, (uint64_t)(20 * DAY_US)),
                    1 + random_below(&seed, 30 * HOUR_US), (int64_t)random_below(&seed, 1000000));
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct buf hours = {0}, rows = {0};
        char query[300];
        snprintf(query, sizeof query, "format=csv&%s", asked[i]);
        ask_cost(&f, &all, query, &hours);
        snprintf(query, sizeof query, "format=csv&%s&as_of=%llu", asked[i], (unsigned long long)book_next(f.book) - 1);
        ask_cost(&f, &all, query, &rows);
        ck_assert_str_eq(buf_text(&hours), buf_text(&rows));
        ck_assert_uint_gt(hours.len, 100);
        buf_fini(&hours);
        buf_fini(&rows);
    }
    ck_assert_int_eq(journal_number(book_db(f.book), "SELECT sum(micros) FROM hours"),
                     journal_number(book_db(f.book), "SELECT sum(micros) FROM charges"));
    fixture_fini(&f);
}
END_TEST

/* However it is grouped, the parts are the whole. */
START_TEST(every_grouping_adds_up_to_the_same_total)
{
    static const char *const groups[] = {"tenant", "user", "resource", "job", "name", "day", "week", "month", "label.x",
                                         "tenant,user,resource,job,name,day,label.x,label.it's \"odd\""};
    struct fixture f = fixture_make();
    struct viewer all = {.all = true};
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        struct buf out = {0};
        char query[256];
        snprintf(query, sizeof query, "group_by=%s", groups[i]);
        ask_cost(&f, &all, query, &out);
        ck_assert_msg(strstr(buf_text(&out), "\"total_micros\":654321}") != NULL, "%s: %s", groups[i], buf_text(&out));
        buf_fini(&out);
    }
    fixture_fini(&f);
}
END_TEST

/* ---- who sees what ---------------------------------------------------------------------------------------------- */
static const struct {
    const char *what, *subtree, *query, *lines;
} views[] = {
    {"a subtree, nothing beside it", "acme", "format=csv",
     "tenant,cost,cost_micros,currency\r\nacme,0.000001,1,EUR\r\nacme/etl,0.000320,320,EUR\r\n"},
    {"a leaf, not its parent", "acme/etl", "format=csv",
     "tenant,cost,cost_micros,currency\r\nacme/etl,0.000320,320,EUR\r\n"},
    {"another's tenant is answered as one that isn't there", "acme", "format=csv&tenant=beta", "404 tenant"},
    {"and so is one that isn't there", "acme", "format=csv&tenant=nobody", "404 tenant"},
    {"and a parent", "acme/etl", "format=csv&tenant=acme", "404 tenant"},
    {"a total counts only what is seen", "acme", "group_by=month&to=2026-11-24",
     "{\"schema\":\"reeve-cost/"
     "1\",\"from\":null,\"to\":\"2026-11-24T00:00:00Z\",\"tz\":\"UTC\",\"as_of\":24,\"as_of_time\":"
     "\"2026-11-23T00:00:00Z\",\"currency\":\"EUR\",\"rows\":[\n{\"month\":\"2026-11\",\"cost\":\"0.000001\","
     "\"cost_micros\":1}],\"total\":\"0.000001\",\"total_micros\":1}\n"},
};

START_TEST(nobody_sees_more_than_their_tenants)
{
    struct fixture f = fixture_make();
    char *subtree = (char *)(uintptr_t)views[_i].subtree;
    struct viewer some = {.subtrees = {&subtree, 1}};
    struct buf out = {0};
    ask_cost(&f, &some, views[_i].query, &out);
    ck_assert_msg(strcmp(buf_text(&out), views[_i].lines) == 0, "%s:\n%s", views[_i].what, buf_text(&out));
    buf_fini(&out);
    fixture_fini(&f);
}
END_TEST

START_TEST(the_kernel_says_who_it_is)
{
    struct fixture f = fixture_make();
    struct err err = {0};
    sqlite3 *db = NULL;
    static const struct {
        uid_t uid;
        bool all;
        size_t subtrees;
    } who[] = {{0, true, 0}, {4242, false, 1}, {4243, false, 0}};
    ck_assert_int_eq(db_open(&db, f.path, DB_READER, &err), 0);
    for (size_t i = 0; i < COUNT_OF(who); i++) {
        struct viewer v = {0};
        ck_assert_int_eq(viewer_of_uid(&v, db, who[i].uid, &err), 0);
        ck_assert_int_eq(v.all, who[i].all);
        ck_assert_uint_eq(v.subtrees.count, who[i].subtrees);
        ck_assert(!viewer_sees(&v, "beta") || v.all);
        viewer_fini(&v);
    }
    db_close(db);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_question_that_takes_too_long_is_stopped)
{
    struct fixture f = fixture_make();
    struct err err = {0};
    struct db_clock clock;
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    ck_assert_int_eq(db_open(&db, f.path, DB_READER, &err), 0);
    db_limit(db, &clock, 20);
    ck_assert_int_eq(db_prepare(db,
                                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
                                &s, &err),
                     0);
    ck_assert_int_eq(db_step(s, &err), -ETIMEDOUT);
    db_finalize_p(&s);
    db_close(db);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_reader_can_not_write)
{
    struct fixture f = fixture_make();
    struct err err = {0};
    sqlite3 *db = NULL;
    ck_assert_int_eq(db_open(&db, f.path, DB_READER, &err), 0);
    ck_assert_int_lt(db_exec(db, "DELETE FROM charges", &err), 0);
    db_close(db);
    fixture_fini(&f);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("query");
    TCase *tc = tcase_create("query");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, parameters, 0, (int)COUNT_OF(cases));
    tcase_add_test(tc, more_parameters_than_there_is_room_for);
    tcase_add_test(tc, random_bytes_are_refused_or_understood);
    tcase_add_loop_test(tc, rows_are_as_asked, 0, (int)COUNT_OF(groupings));
    tcase_add_loop_test(tc, other_reports, 0, (int)COUNT_OF(reports));
    tcase_add_test(tc, pages_fit_together);
    tcase_add_loop_test(tc, days_of_25_and_23_hours, 0, 2);
    tcase_add_test(tc, json_says_what_was_asked_and_the_total);
    tcase_add_test(tc, hours_say_the_same_as_rows);
    tcase_add_test(tc, every_grouping_adds_up_to_the_same_total);
    tcase_add_loop_test(tc, nobody_sees_more_than_their_tenants, 0, (int)COUNT_OF(views));
    tcase_add_test(tc, the_kernel_says_who_it_is);
    tcase_add_test(tc, a_question_that_takes_too_long_is_stopped);
    tcase_add_test(tc, a_reader_can_not_write);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
