/* Billing months: which one a line belongs to, closing them, and that what was closed never changes. */
#include <errno.h>
#include <inttypes.h>

#include "tests/quotas/reports/focus_books.h"

/* ---- calendar months in a zone ----------------------------------------------------------------------------------- */
static const struct {
    const char *what, *zone;
    int64_t utc_us;
    const char *name;
    int64_t from_utc_us, to_utc_us;
} months[] = {
    {"a month in UTC", NULL, NOVEMBER + 5, "2026-11", NOVEMBER, DECEMBER},
    {"its first instant is its own", NULL, NOVEMBER, "2026-11", NOVEMBER, DECEMBER},
    {"the instant before is not", NULL, NOVEMBER - 1, "2026-10", NOVEMBER - 31 * DAY, NOVEMBER},
    {"December ends with the year", NULL, DECEMBER, "2026-12", DECEMBER, JANUARY},
    {"Berlin's November begins an hour early", "Europe/Berlin", NOVEMBER, "2026-11", NOVEMBER - HOUR, DECEMBER - HOUR},
    {"October there has a 25-hour day", "Europe/Berlin", NOVEMBER - HOUR - 1, "2026-10", NOVEMBER - 31 * DAY - 2 * HOUR,
     NOVEMBER - HOUR},
    {"March there has a 23-hour day", "Europe/Berlin", INT64_C(1774828800000000), "2026-03", INT64_C(1772319600000000),
     INT64_C(1774994400000000)},
    {"a February with a leap day", NULL, INT64_C(1709164800000000), "2024-02", INT64_C(1706745600000000),
     INT64_C(1709251200000000)},
    {"Kathmandu is three quarters off", "Asia/Kathmandu", NOVEMBER, "2026-11", NOVEMBER - 5 * HOUR - 45 * MINUTE,
     DECEMBER - 5 * HOUR - 45 * MINUTE},
    {"New York's begins late, in summer time", "America/New_York", NOVEMBER + 4 * HOUR, "2026-11", NOVEMBER + 4 * HOUR,
     DECEMBER + 5 * HOUR},
};

START_TEST(an_instant_has_one_month)
{
    struct zone_table z = {0};
    struct err err = {0};
    if (months[_i].zone != NULL)
        ck_assert_msg(zone_read(months[_i].zone, &z, &err) == 0, "%s", err_text(&err));
    struct billing_month m = billing_month_at(&z, months[_i].utc_us), named;
    ck_assert_msg(strcmp(m.name, months[_i].name) == 0, "%s: %s", months[_i].what, m.name);
    ck_assert_int_eq(m.from_utc_us, months[_i].from_utc_us);
    ck_assert_int_eq(m.to_utc_us, months[_i].to_utc_us);
    ck_assert(billing_month_named(&z, m.name, &named));
    ck_assert_int_eq(named.from_utc_us, m.from_utc_us);
    ck_assert_int_eq(named.to_utc_us, m.to_utc_us);
    fields_clear(&zone_table_fields, &z);
}
END_TEST

START_TEST(months_of_a_century_have_no_gap)
{
    static const char *const zones[] = {NULL, "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo",
                                        "Africa/Casablanca"};
    struct err err = {0};
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct zone_table z = {0};
        if (zones[i] != NULL)
            ck_assert_msg(zone_read(zones[i], &z, &err) == 0, "%s", err_text(&err));
        struct billing_month m = billing_month_at(&z, INT64_C(978307200) * US);
        for (int k = 0; k < 1150; k++) {
            struct billing_month next = billing_month_at(&z, m.to_utc_us), last = billing_month_at(&z, m.to_utc_us - 1);
            ck_assert_msg(next.from_utc_us == m.to_utc_us && strcmp(last.name, m.name) == 0, "%s", m.name);
            ck_assert_int_gt(next.to_utc_us, next.from_utc_us);
            m = next;
        }
        fields_clear(&zone_table_fields, &z);
    }
}
END_TEST

/* ---- where lines go ---------------------------------------------------------------------------------------------- */
/* One line of an hour that begins then, settled at `at`. */
static void charge_at(struct book *b, uint64_t job, const char *tenant, int64_t from, int64_t at)
{
    struct list lines = {0};
    struct attempt_id id = {job, 0, 1};
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT spent_micros FROM attempts WHERE job = %" PRIu64, job);
    if (journal_number(book_db(b), "SELECT coalesce(max(job), 0) FROM jobs") < (int64_t)job)
        id = books_job(b, job, tenant, "x", NOVEMBER - 40 * DAY);
    int64_t spent = journal_number(book_db(b), sql);
    add_priced(&lines, "cpu", 1000, (uint64_t)(from - (NOVEMBER - 40 * DAY)), 10 * (uint64_t)MINUTE, 60000, 60000);
    books_renew(b, id, at, spent, lines);
}

static void last_is(struct book *b, const char *month, bool correction)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_prepare(book_db(b), "SELECT p.name, c.correction FROM charges c JOIN billing_periods p"
                                            " USING(billing) ORDER BY charge DESC LIMIT 1", &s, &err), 0);
    ck_assert_int_eq(db_step(s, &err), 1);
    ck_assert_str_eq(db_text(s, 0), month);
    ck_assert_int_eq(sqlite3_column_int(s, 1), correction);
}

START_TEST(a_line_goes_to_the_month_it_begins_in_or_to_the_first_open_one)
{
    char path[160];
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    charge_at(b, 1, "acme", NOVEMBER + DAY, NOVEMBER + DAY);
    last_is(b, "2026-11", false);
    charge_at(b, 1, "acme", NOVEMBER - DAY, NOVEMBER + 2 * DAY);
    last_is(b, "2026-11", true); /* from before there were books */
    charge_at(b, 1, "acme", DECEMBER, DECEMBER + HOUR);
    last_is(b, "2026-12", false);
    charge_at(b, 1, "acme", DECEMBER - HOUR, DECEMBER + 2 * HOUR);
    last_is(b, "2026-11", false); /* late, but November is only closing */
    journal_take(b, fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER));
    charge_at(b, 1, "acme", DECEMBER - 2 * HOUR, DECEMBER + DAY + HOUR);
    last_is(b, "2026-12", true);
    charge_at(b, 1, "acme", JANUARY + HOUR, JANUARY + 2 * HOUR);
    last_is(b, "2027-01", false);
    charge_at(b, 1, "acme", DECEMBER + 3 * HOUR, JANUARY + 3 * HOUR);
    last_is(b, "2026-12", false);
    journal_take(b, fact_closed(JANUARY + DAY, "2026-12", DECEMBER, JANUARY));
    charge_at(b, 1, "acme", NOVEMBER + 3 * DAY, JANUARY + 2 * DAY);
    last_is(b, "2027-01", true);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT count(*) FROM billing_periods"), 3);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT count(*) FROM charges c JOIN billing_periods p USING(billing)"
                                                " WHERE charge < first_charge OR charge > last_charge"), 0);
    book_close(b);
}
END_TEST

START_TEST(months_are_those_of_the_policys_zone)
{
    char path[160];
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy("Europe/Berlin", NULL));
    charge_at(b, 1, "acme", DECEMBER - HOUR, DECEMBER);
    last_is(b, "2026-12", false);
    charge_at(b, 1, "acme", DECEMBER - HOUR - 10 * MINUTE, DECEMBER);
    last_is(b, "2026-11", false);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT from_utc_us FROM billing_periods WHERE name = '2026-12'"),
                     DECEMBER - HOUR);
    book_close(b);
    b = journal_book(path); /* and are found again */
    charge_at(b, 1, "acme", JANUARY - HOUR, JANUARY);
    last_is(b, "2027-01", false);
    book_close(b);
}
END_TEST

/* A line that crosses the end of a month is cut there. */
START_TEST(a_line_over_the_end_of_a_month_is_in_both)
{
    char path[160];
    struct list lines = {0};
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy("Asia/Kathmandu", NULL));
    struct attempt_id id = books_job(b, 1, "acme", "x", DECEMBER - 6 * HOUR - 7 * MINUTE);
    add_priced(&lines, "cpu", 1000, 0, (uint64_t)HOUR, 60000, 60000);
    books_renew(b, id, DECEMBER, 0, lines);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges c JOIN billing_periods p"
                                                " USING(billing) WHERE name = '2026-11'"), 22000);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges c JOIN billing_periods p"
                                                " USING(billing) WHERE name = '2026-12'"), 38000);
    book_close(b);
}
END_TEST

START_TEST(a_rolled_back_close_closes_nothing)
{
    char path[160];
    struct err err = {0};
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    charge_at(b, 1, "acme", NOVEMBER + DAY, NOVEMBER + DAY);
    struct fact closed = fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER);
    ck_assert_int_eq(book_begin(b, &err), 0);
    ck_assert_int_eq(journal_apply(b, book_next(b), &closed, &err), 0);
    fact_clear(&closed);
    book_rollback(b);
    charge_at(b, 1, "acme", NOVEMBER + 2 * DAY, DECEMBER + DAY);
    last_is(b, "2026-11", false);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT count(closed_seq) FROM billing_periods"), 0);
    book_close(b);
}
END_TEST

static struct fact close_backwards(void)
{
    return fact_closed(DECEMBER, "2026-11", DECEMBER, NOVEMBER);
}
static struct fact close_nameless(void)
{
    struct fact f = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = DECEMBER, .period_closed = {NULL, NOVEMBER, DECEMBER}};
    return f;
}
static struct fact close_long_name(void)
{
    return fact_closed(DECEMBER, "2026-11-and-more-of-it-than-a-name-has", NOVEMBER, DECEMBER);
}
static struct fact adjust_nobody(void)
{
    struct fact f = fact_adjusted_of(DECEMBER, "acme", ADJUST_CREDIT, -1, "x");
    free(f.adjusted.tenant);
    f.adjusted.tenant = NULL;
    return f;
}
static struct fact adjust_beyond(void)
{
    return fact_adjusted_of(DECEMBER, "acme", ADJUST_CREDIT, INT64_MIN, "x");
}
static struct fact rerate_nothing(void)
{
    return fact_adjusted_of(DECEMBER, "acme", ADJUST_RERATE, 1, "x");
}
static const struct { const char *what; struct fact (*make)(void); } wrong[] = {
    {"a month that ends before it begins", close_backwards}, {"one without a name", close_nameless},
    {"one with a name that is too long", close_long_name},   {"a credit to nobody", adjust_nobody},
    {"one beyond all bounds", adjust_beyond},                {"a re-rating of no resource", rerate_nothing},
};

START_TEST(a_fact_that_makes_no_sense_is_refused)
{
    char path[160];
    struct err err = {0};
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    struct fact f = wrong[_i].make();
    ck_assert_int_eq(book_begin(b, &err), 0);
    ck_assert_msg(journal_apply(b, book_next(b), &f, &err) == -EPROTO, "%s", wrong[_i].what);
    book_rollback(b);
    fact_clear(&f);
    book_close(b);
}
END_TEST

/* ---- closed is closed -------------------------------------------------------------------------------------------- */
static const char *const exports[] = {
    "billing_period=2026-11&format=csv", "billing_period=2026-11&format=json", "billing_period=2026-11&format=ndjson",
    "billing_period=2026-11&focus_version=1.2", "billing_period=2026-11&tenant=acme",
    "billing_period=2026-11&idle=usage", "billing_period=2026-11&idle=separate&format=json"};
#define EXPORTS COUNT_OF(exports)

static void export_all(const char *path, struct buf out[EXPORTS])
{
    for (size_t i = 0; i < EXPORTS; i++)
        ck_assert_int_eq(books_ask(path, focus_answer, exports[i], &out[i]), 200);
}

static void before_the_end(struct book *b)
{
    journal_take(b, books_policy(NULL, "ACME Platform"));
    charge_at(b, 1, "acme", NOVEMBER + DAY, NOVEMBER + DAY);
    charge_at(b, 2, "beta", NOVEMBER + 3 * DAY, NOVEMBER + 3 * DAY);
    journal_take(b, fact_adjusted_of(NOVEMBER + 3 * DAY, "acme", ADJUST_CREDIT, -5000, "sorry"));
    charge_at(b, 2, "beta", DECEMBER + HOUR, DECEMBER + HOUR);
    journal_take(b, fact_node_joined(DECEMBER - 2 * DAY - 1, "n9", 3000, NULL));
    journal_take(b, fact_closed(DECEMBER + DAY, "2026-11", NOVEMBER, DECEMBER));
}

/* Everything that could still reach a closed month. */
static void after_the_end(struct book *b)
{
    struct err err = {0};
    charge_at(b, 1, "acme", DECEMBER - 3 * HOUR, DECEMBER + 2 * DAY);
    charge_at(b, 3, "acme/etl", NOVEMBER + 2 * DAY, DECEMBER + 2 * DAY);
    struct fact f = fact_adjusted_of(DECEMBER + 3 * DAY, "acme", ADJUST_CREDIT, -1, "late");
    f.adjusted.from_utc_us = NOVEMBER + DAY;
    f.adjusted.to_utc_us = NOVEMBER + 2 * DAY;
    journal_take(b, f);
    f = fact_adjusted_of(DECEMBER + 3 * DAY, "acme", ADJUST_RERATE, 10000, "another price");
    f.adjusted.about_seq = 5; /* what charged job 1 first */
    f.adjusted.job = 1;
    f.adjusted.price = f.adjusted.list_price = 120000;
    set_text(&f.adjusted.resource, "cpu");
    journal_take(b, f);
    f = books_policy(NULL, "Another Name"); /* and other prices, which old charges don't look up */
    f.at_utc_us = DECEMBER + 4 * DAY;
    f.policy.version = 2;
    ((struct price_version *)f.policy.prices.v)[0].per_hour.v[0].value = 77;
    journal_take(b, f);
    /* A tenant that is moved takes its jobs along, but not what they have cost. */
    ck_assert_int_eq(db_exec(book_db(b), "UPDATE jobs SET tenant = 'beta/acme' WHERE tenant = 'acme'", &err), 0);
    charge_at(b, 1, "beta/acme", DECEMBER + 5 * DAY, DECEMBER + 5 * DAY);
    journal_take(b, fact_closed(JANUARY + DAY, "2026-12", DECEMBER, JANUARY));
}

START_TEST(a_closed_months_export_never_changes)
{
    struct buf before[EXPORTS] = {0}, after[EXPORTS] = {0};
    char path[160], other[160];
    struct book *b = journal_book(journal_path(path));
    before_the_end(b);
    export_all(path, before);
    ck_assert_ptr_nonnull(strstr(buf_text(&before[0]), ",ACME Platform,"));
    ck_assert_ptr_nonnull(strstr(buf_text(&before[0]), ",acme,test/2026-11/acme,"));
    ck_assert_ptr_nonnull(strstr(buf_text(&before[5]), ",idle-by-usage-1,acme,acme,"));
    after_the_end(b);
    export_all(path, after);
    for (size_t i = 0; i < EXPORTS; i++)
        ck_assert_msg(strcmp(buf_text(&before[i]), buf_text(&after[i])) == 0, "%s", exports[i]);
    /* All of it went to December, as corrections, and is there to the micro-unit. */
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-12", &after[0]), 200);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT count(*) FROM charges c JOIN billing_periods p USING(billing)"
                                                " WHERE p.name = '2026-12' AND correction = 1"), 5);
    int64_t sum = journal_number(book_db(b), "SELECT sum(micros) FROM charges c JOIN billing_periods p USING(billing)"
                                             " WHERE p.name = '2026-12'");
    char arguments[64];
    snprintf(arguments, sizeof arguments, "--closed --sum=%" PRId64, sum);
    books_check("focus_check.py", &after[0], arguments);
    ck_assert_ptr_nonnull(strstr(buf_text(&after[0]), ",Another Name,"));
    book_close(b);
    /* Books made anew from the same journal say the same. */
    b = journal_book(journal_path(other));
    before_the_end(b);
    after_the_end(b);
    export_all(other, after);
    /* Keys of adjustments differ from run to run here; they are in no export. */
    for (size_t i = 0; i < EXPORTS; i++)
        ck_assert_msg(strcmp(buf_text(&before[i]), buf_text(&after[i])) == 0, "anew: %s", exports[i]);
    book_close(b);
    for (size_t i = 0; i < EXPORTS; i++) {
        buf_fini(&before[i]);
        buf_fini(&after[i]);
    }
}
END_TEST

/* An open month only grows at its end. */
START_TEST(an_open_months_export_grows_at_its_end)
{
    struct buf before = {0}, after = {0};
    char path[160];
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    for (int i = 0; i < 10; i++) {
        charge_at(b, 1, "acme", NOVEMBER + (10 - i) * DAY, NOVEMBER + (10 + i) * DAY);
        ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11", &after), 200);
        ck_assert_uint_gt(after.len, before.len);
        ck_assert(memcmp(after.data, before.data != NULL ? before.data : "", before.len) == 0);
        buf_reset(&before);
        buf_add(&before, after.data, after.len);
    }
    book_close(b);
    buf_fini(&before);
    buf_fini(&after);
}
END_TEST

START_TEST(a_month_closed_by_a_newer_version_is_not_guessed_at)
{
    struct buf out = {0};
    struct err err = {0};
    char path[160];
    struct book *b = journal_book(journal_path(path));
    before_the_end(b);
    ck_assert_int_eq(db_exec(book_db(b), "UPDATE billing_periods SET layout = 3 WHERE name = '2026-11'", &err), 0);
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11", &out), 503);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "newer version"));
    book_close(b);
    buf_fini(&out);
}
END_TEST

/* Before there were invoices; what was exported then is exported still. */
START_TEST(a_month_of_the_first_layout_keeps_its_columns)
{
    static const char header[] =
        "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,"
        "ChargeCategory,ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,"
        "ConsumedQuantity,ConsumedUnit,ContractedCost,ContractedUnitPrice,EffectiveCost,HostProviderName,"
        "InvoiceIssuerName,ListCost,ListUnitPrice,PricingCategory,PricingQuantity,PricingUnit,ResourceId,ResourceName,"
        "ResourceType,ServiceCategory,ServiceName,ServiceProviderName,ServiceSubcategory,SkuId,SkuMeter,"
        "SkuPriceDetails,SkuPriceId,SubAccountId,SubAccountName,Tags,x_Attempt,x_ChargedBy,x_Corrects,x_LedgerLine,"
        "x_LedgerSeq,x_Node,x_PriceClass,x_PriceVersion,x_User\r\n"
        "0.010000,acme,acme,EUR,2026-12-01T00:00:00Z,2026-11-01T00:00:00Z,Usage,,CPU Time of task 1.0,Usage-Based,";
    struct buf out = {0};
    struct err err = {0};
    char path[160];
    struct book *b = journal_book(journal_path(path));
    before_the_end(b);
    ck_assert_int_eq(db_exec(book_db(b), "UPDATE billing_periods SET layout = 1 WHERE name = '2026-11'", &err), 0);
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11", &out), 200);
    ck_assert_msg(strncmp(buf_text(&out), header, sizeof header - 1) == 0, "%s", buf_text(&out));
    books_check("focus_check.py", &out, "--closed --layout 1");
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11&idle=usage", &out), 400);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "2026-11 has no columns for it"));
    ck_assert_int_eq(books_ask(path, focus_schema_answer, "billing_period=2026-11", &out), 200);
    ck_assert_ptr_null(strstr(buf_text(&out), "InvoiceId"));
    ck_assert_int_eq(books_ask(path, focus_schema_answer, "billing_period=2026-12", &out), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "InvoiceId"));
    book_close(b);
    buf_fini(&out);
}
END_TEST

/* ---- the same line twice at other prices ------------------------------------------------------------------------- */
START_TEST(rerating_again_starts_from_the_last_price)
{
    char path[160];
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    charge_at(b, 1, "acme", NOVEMBER + DAY, NOVEMBER + DAY);
    const int64_t prices[] = {120000, 90000, 0}; /* was 60000: 10000 micro-units */
    int64_t was = 10000;
    for (size_t i = 0; i < COUNT_OF(prices); i++) {
        int64_t is = prices[i] / 6;
        struct fact f = fact_adjusted_of(NOVEMBER + 2 * DAY, "acme", ADJUST_RERATE, is - was, "x");
        f.adjusted.about_seq = 5;
        f.adjusted.job = 1;
        f.adjusted.price = f.adjusted.list_price = prices[i];
        f.adjusted.price_version = (uint32_t)i + 2;
        set_text(&f.adjusted.resource, "cpu");
        journal_take(b, f);
        ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(micros) FROM charges"), is);
        ck_assert_int_eq(journal_number(book_db(b), "SELECT -micros FROM charges WHERE line = 0 ORDER BY charge DESC"),
                         was);
        ck_assert_int_eq(journal_number(book_db(b), "SELECT price_version FROM charges WHERE line = 0"
                                                    " ORDER BY charge DESC"), (int64_t)i + 1);
        ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(quantity) FROM charges"),
                         journal_number(book_db(b), "SELECT quantity FROM charges"));
        was = is;
    }
    struct buf out = {0};
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11", &out), 200);
    books_check("focus_check.py", &out, "--rows 7 --sum 0");
    buf_fini(&out);
    book_close(b);
}
END_TEST

/* The line it is about isn't there: the amount is posted all the same, for the ledger has it. */
START_TEST(a_rerating_of_nothing_is_an_adjustment)
{
    char path[160];
    struct book *b = journal_book(journal_path(path));
    journal_take(b, books_policy(NULL, NULL));
    struct fact f = fact_adjusted_of(NOVEMBER + 2 * DAY, "acme", ADJUST_RERATE, 42, "x");
    f.adjusted.about_seq = 1;
    set_text(&f.adjusted.resource, "cpu");
    journal_take(b, f);
    struct buf out = {0};
    ck_assert_int_eq(books_ask(path, focus_answer, "billing_period=2026-11", &out), 200);
    books_check("focus_check.py", &out, "--rows 1 --sum 42");
    ck_assert_ptr_nonnull(strstr(buf_text(&out), ",Adjustment,"));
    buf_fini(&out);
    book_close(b);
}
END_TEST

static Suite *billing_suite(void)
{
    Suite *s = suite_create("billing");
    TCase *t = tcase_create("billing");
    tcase_add_loop_test(t, an_instant_has_one_month, 0, COUNT_OF(months));
    tcase_add_test(t, months_of_a_century_have_no_gap);
    tcase_add_test(t, a_line_goes_to_the_month_it_begins_in_or_to_the_first_open_one);
    tcase_add_test(t, months_are_those_of_the_policys_zone);
    tcase_add_test(t, a_line_over_the_end_of_a_month_is_in_both);
    tcase_add_test(t, a_rolled_back_close_closes_nothing);
    tcase_add_loop_test(t, a_fact_that_makes_no_sense_is_refused, 0, COUNT_OF(wrong));
    tcase_add_test(t, a_closed_months_export_never_changes);
    tcase_add_test(t, an_open_months_export_grows_at_its_end);
    tcase_add_test(t, a_month_of_the_first_layout_keeps_its_columns);
    tcase_add_test(t, a_month_closed_by_a_newer_version_is_not_guessed_at);
    tcase_add_test(t, rerating_again_starts_from_the_last_price);
    tcase_add_test(t, a_rerating_of_nothing_is_an_adjustment);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    journal_top_make();
    return journal_run(billing_suite());
}
