/* Who may do what at the HTTP doors, cell by cell; and what goes on to the scheduler. */
#include "tests/quotas/reports/served.h"

/* ---- roles x verbs x whose -------------------------------------------------------------------------------------- */
static const char *const verbs[] = {"/",
                                    "/v1/reports/cost",
                                    "/v1/reports/top",
                                    "/v1/reports/waste",
                                    "/v1/reports/units",
                                    "/v1/reports/anomalies",
                                    "/v1/reports/idle",
                                    "/v1/reports/allocation",
                                    "/v1/budgets",
                                    "/v1/prices",
                                    "/v1/ledger/check",
                                    "/metrics",
                                    "/healthz",
                                    "/metrics/scheduler"};
/* What each answers to whom: 2 = 200 or 503 for want of a store, 3 = 403, 1 = 401. In the order of `verbs`. */
static const struct role {
    const char *name, *line; /* of the tokens' file after the hash; NULL = no token at all */
    const char *cells;
} roles[] = {
    {"nobody", NULL, "11111111111111"},
    {"finance", "cost:read / 2099-01-01", "22222222222323"},
    {"one tenant's finance", "cost:read acme 2099-01-01", "22222233223323"},
    {"a monitor", "metrics:read / 2099-01-01", "33333333333222"},
    {"one tenant's monitor", "metrics:read acme 2099-01-01", "33333333333223"},
    {"all of it", "cost:read,metrics:read / 2099-01-01", "22222222222222"},
    {"whose time is over", "cost:read,metrics:read / 2020-01-01", "11111111111111"},
};

START_TEST(every_role_and_every_verb)
{
    const struct role *role = &roles[_i];
    struct served s = serving(4);
    struct buf line = {0}, text = {0};
    struct err err = {0};
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    sha256(&(struct sha256_part){"the-token", 9}, 1, hash);
    if (role->line != NULL)
        buf_addf(&line, "%s %s\n", sha256_hex(hash, hex), role->line);
    ck_assert_int_eq(file_write_durable(s.tokens, buf_text(&line), line.len, 0600, &err), 0);
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        buf_reset(&text);
        int status =
            get(connect_tcp(&s), verbs[i], role->line != NULL ? "Authorization: Bearer the-token\r\n" : "", &text);
        int want = role->cells[i] == '2' ? 200 : role->cells[i] == '3' ? 403 : 401;
        ck_assert_msg(status == want || (want == 200 && status == 503), "%s of %s: %d, not %d", verbs[i], role->name,
                      status, want);
        /* Who may see one tenant never learns of another. */
        bool limited = role->line != NULL && strstr(role->line, " acme ") != NULL;
        ck_assert_msg(!limited || strstr(buf_text(&text), "beta") == NULL, "%s of %s:\n%s", verbs[i], role->name,
                      buf_text(&text));
    }
    buf_fini(&line);
    buf_fini(&text);
    served_end(&s);
}
END_TEST

/* Not one byte of what a tenant's token gets depends on another tenant. */
START_TEST(a_tenants_answers_are_the_same_without_the_others)
{
    struct served both = serving(6), alone = serving(0);
    struct buf a = {0}, b = {0};
    static const char token[] = "Authorization: Bearer only-acme\r\n";
    ck_assert_int_eq(get(connect_local(&alone), "/v1/prices", "", &a), 200); /* it is in its loop */
    served_end(&alone);
    struct book *book = journal_book(alone.database);
    for (int i = 1; i <= 5; i += 2)
        journal_job(book, (uint64_t)i, "acme", "alice", "<script>&", AT_NOVEMBER, 10, 3);
    /* The same number of entries: as_of is the cell's. */
    while (book_next(book) <= 19)
        journal_take(book, fact_policy(AT_NOVEMBER));
    book_close(book);
    alone = serving_again(alone);
    static const char *const asked[] = {"/v1/reports/cost?group_by=user,name,resource", "/v1/reports/top?format=csv",
                                        "/v1/reports/units?format=csv&group_by=tenant",
                                        "/v1/reports/anomalies?format=csv"};
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        buf_reset(&a);
        buf_reset(&b);
        ck_assert_int_eq(get(connect_tcp(&both), asked[i], token, &a), 200);
        ck_assert_int_eq(get(connect_tcp(&alone), asked[i], token, &b), 200);
        ck_assert_str_eq(strstr(buf_text(&a), "\r\n\r\n"), strstr(buf_text(&b), "\r\n\r\n"));
    }
    buf_fini(&a);
    buf_fini(&b);
    served_end(&both);
    served_end(&alone);
}
END_TEST

/* Asked for by its name, another tenant's answer is to the byte that of a tenant which isn't there. */
START_TEST(another_tenant_looks_like_none)
{
    static const char *const asked[] = {"/v1/reports/cost?", "/v1/reports/top?", "/v1/reports/waste?",
                                        "/v1/reports/units?", "/v1/reports/anomalies?",
                                        "/v1/reports/focus?billing_period=2026-11&", "/v1/budgets?"};
    struct served s = serving(4);
    struct buf theirs = {0}, nobodys = {0};
    char path[128];
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        buf_reset(&theirs);
        buf_reset(&nobodys);
        snprintf(path, sizeof path, "%stenant=beta", asked[i]);
        int status = get(connect_tcp(&s), path, "Authorization: Bearer only-acme\r\n", &theirs);
        snprintf(path, sizeof path, "%stenant=nobody", asked[i]);
        ck_assert_int_eq(get(connect_tcp(&s), path, "Authorization: Bearer only-acme\r\n", &nobodys), status);
        ck_assert_int_eq(status, 404);
        ck_assert_str_eq(strstr(buf_text(&theirs), "\r\n\r\n"), strstr(buf_text(&nobodys), "\r\n\r\n"));
    }
    buf_fini(&theirs);
    buf_fini(&nobodys);
    served_end(&s);
}
END_TEST

/* ---- what the scheduler answers --------------------------------------------------------------------------------- */
static struct served serving_scheduled(void)
{
    struct served s = serving(4);
    struct buf out = {0};
    ck_assert_int_eq(get(connect_local(&s), "/v1/prices", "", &out), 200);
    buf_fini(&out);
    served_end(&s);
    s.scheduled = true;
    return serving_again(s);
}

START_TEST(the_schedulers_own_figures)
{
    struct served s = serving_scheduled();
    struct buf out = {0};
    int status = 503;
    while (status == 503) { /* until the two have met */
        buf_reset(&out);
        status = get(connect_local(&s), "/metrics/scheduler", "", &out);
    }
    ck_assert_int_eq(status, 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\r\n\r\n# HELP reeve_jobs Jobs.\nreeve_jobs 7\n"));
    buf_reset(&out);
    ck_assert_int_eq(get(connect_tcp(&s), "/metrics/scheduler", "Authorization: Bearer only-acme\r\n", &out), 403);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("access");
    TCase *tc = tcase_create("access");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_role_and_every_verb, 0, (int)COUNT_OF(roles));
    tcase_add_test(tc, a_tenants_answers_are_the_same_without_the_others);
    tcase_add_test(tc, another_tenant_looks_like_none);
    tcase_add_test(tc, the_schedulers_own_figures);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
