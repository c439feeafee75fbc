/* Tokens: what a line means, who gets in, for how long. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "tests/quotas/reports/journal.h"

/* sha256 of "test" */
#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define YEAR_US (365 * DAY_US)

static const struct {
    const char *what, *text;
    size_t count;
    const char *says; /* NULL = accepted */
} files[] = {
    {"nothing", "", 0, NULL},
    {"comments and empty lines", "# a\n\n  \n#\n", 0, NULL},
    {"one token", HASH " cost:read / 2027-01-01T00:00:00Z\n", 1, NULL},
    {"no line's end", HASH " cost:read,metrics:read acme/etl 2027-01-01", 1, NULL},
    {"two, with tabs and CR", HASH "\tcost:read\tacme\t2027-01-01\r\n" HASH " metrics:read / 2027-01-01\n", 2, NULL},
    {"a word missing", "# x\n" HASH " cost:read /\n", 0, "line 2"},
    {"a word too many", HASH " cost:read / 2027-01-01 x\n", 0, "line 1"},
    {"a short hash", "9f86d0 cost:read / 2027-01-01\n", 0, "hash"},
    {"a hash in capitals", "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08 cost:read / 2027-01-01", 0,
     "hash"},
    {"an unknown scope", HASH " cost:write / 2027-01-01\n", 0, "scopes"},
    {"an unknown scope beside a known one", HASH " cost:read,admin / 2027-01-01\n", 0, "scopes"},
    {"no scope", HASH " , / 2027-01-01\n", 0, "scopes"},
    {"a tenant that is no path", HASH " cost:read ../x 2027-01-01\n", 0, "tenant"},
    {"an expiry that is none", HASH " cost:read / never\n", 0, "expiry"},
    {"one bad line spoils the file", HASH " cost:read / 2027-01-01\nx\n", 0, "line 2"},
};

START_TEST(lines)
{
    struct tokens t = {0};
    struct err err = {0};
    int r = tokens_parse(files[_i].text, &t, &err);
    if (files[_i].says == NULL)
        ck_assert_msg(r == 0, "%s: %s", files[_i].what, err_text(&err));
    else
        ck_assert_msg(r < 0 && strstr(err_text(&err), files[_i].says) != NULL, "%s: %d %s", files[_i].what, r,
                      err_text(&err));
    ck_assert_uint_eq(t.count, files[_i].count);
    tokens_fini(&t);
}
END_TEST

START_TEST(a_secret_opens_its_subtree_until_it_expires)
{
    struct tokens t = {0};
    struct viewer v = {0};
    struct err err = {0};
    int64_t expiry = 0;
    must(parse_time("2027-01-01T00:00:00Z", &expiry, &err));
    ck_assert_int_eq(tokens_parse(HASH " cost:read acme 2027-01-01T00:00:00Z\n", &t, &err), 0);
    ck_assert_int_eq(tokens_viewer(&t, "test", expiry - 1, &v), 0);
    ck_assert(!v.all && !v.has_uid && v.scopes == SCOPE_COST);
    ck_assert(viewer_sees(&v, "acme") && viewer_sees(&v, "acme/etl"));
    ck_assert(!viewer_sees(&v, "acme-b") && !viewer_sees(&v, "/") && !viewer_sees(&v, "beta"));
    viewer_fini(&v);
    static const char *const wrong[] = {"", "Test", "tes", "testt", HASH};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_int_eq(tokens_viewer(&t, wrong[i], expiry - 1, &v), -EACCES);
    ck_assert_int_eq(tokens_viewer(&t, "test", expiry, &v), -EACCES);
    tokens_fini(&t);
}
END_TEST

static const struct {
    const char *header;
    bool basic;
    const char *secret; /* NULL = none */
} headers[] = {
    {NULL, true, NULL},
    {"", true, NULL},
    {"Bearer", false, NULL},
    {"Bearer ", false, NULL},
    {"Bearer abc", false, "abc"},
    {"bearer abc", false, "abc"},
    {"Basic cmVldmU6YWJj", true, "abc"},   /* reeve:abc */
    {"Basic OmE6Yg==", true, "a:b"},       /* :a:b */
    {"Basic cmVldmU6YWJj", false, NULL},   /* only where a browser is expected */
    {"Basic cmVldmU=", true, NULL},        /* no colon */
    {"Basic cmVldmU6", true, NULL},        /* no password */
    {"Basic !!!!", true, NULL},
    {"Digest x", true, NULL},
};

START_TEST(authorization_headers)
{
    char secret[TOKEN_SECRET_MAX];
    bool found = token_of_header(headers[_i].header, headers[_i].basic, secret);
    ck_assert_int_eq(found, headers[_i].secret != NULL);
    if (found)
        ck_assert_str_eq(secret, headers[_i].secret);
}
END_TEST

START_TEST(a_header_without_end_is_refused)
{
    char secret[TOKEN_SECRET_MAX];
    struct buf text = {0};
    buf_add_str(&text, "Basic ");
    for (int i = 0; i < 5000; i++)
        buf_add_str(&text, "QUFB");
    ck_assert(!token_of_header(buf_text(&text), true, secret));
    buf_reset(&text);
    buf_add_str(&text, "Bearer ");
    for (int i = 0; i < TOKEN_SECRET_MAX; i++)
        buf_add_str(&text, "a");
    ck_assert(!token_of_header(buf_text(&text), true, secret));
    buf_fini(&text);
}
END_TEST

START_TEST(the_first_start_makes_one_token_and_no_later_one_does)
{
    char folder[96], path[128], secret_path[128];
    struct err err = {0};
    struct buf secret = {0}, again = {0};
    struct tokens t = {.path = path};
    struct viewer v = {0};
    struct stat st;
    snprintf(folder, sizeof folder, "%s/XXXXXX", journal_top);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tokens", folder);
    snprintf(secret_path, sizeof secret_path, "%s/token", folder);
    ck_assert_int_eq(tokens_refresh(&t, &err), 0); /* no file, no tokens */
    ck_assert_int_eq(tokens_create(path, secret_path, AT_NOVEMBER, &err), 0);
    ck_assert_int_eq(file_read(secret_path, 4096, &secret, &err), 0);
    ck_assert_int_eq(stat(secret_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_uint_eq(secret.len, 65);
    secret.data[64] = '\0';
    ck_assert_int_eq(tokens_refresh(&t, &err), 0);
    ck_assert_uint_eq(t.count, 1);
    ck_assert_int_eq(tokens_viewer(&t, secret.data, AT_NOVEMBER, &v), 0);
    ck_assert(v.all && v.scopes == (SCOPE_COST | SCOPE_METRICS));
    viewer_fini(&v);
    ck_assert_int_eq(tokens_viewer(&t, secret.data, AT_NOVEMBER + 2 * YEAR_US, &v), -EACCES);
    ck_assert_int_eq(tokens_create(path, secret_path, AT_NOVEMBER, &err), 0);
    ck_assert_int_eq(file_read(secret_path, 4096, &again, &err), 0);
    ck_assert_int_eq(memcmp(secret.data, again.data, 64), 0);
    /* A file that can't be understood gives access to nobody; an absent one neither. */
    ck_assert_int_eq(file_write_durable(path, "x\n", 2, 0600, &err), 0);
    ck_assert_int_lt(tokens_refresh(&t, &err), 0);
    ck_assert_uint_eq(t.count, 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(tokens_refresh(&t, &err), 0);
    ck_assert_int_eq(tokens_viewer(&t, secret.data, AT_NOVEMBER, &v), -EACCES);
    tokens_fini(&t);
    buf_fini(&secret);
    buf_fini(&again);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("tokens");
    TCase *tc = tcase_create("tokens");
    tcase_add_loop_test(tc, lines, 0, (int)COUNT_OF(files));
    tcase_add_test(tc, a_secret_opens_its_subtree_until_it_expires);
    tcase_add_loop_test(tc, authorization_headers, 0, (int)COUNT_OF(headers));
    tcase_add_test(tc, a_header_without_end_is_refused);
    tcase_add_test(tc, the_first_start_makes_one_token_and_no_later_one_does);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
