#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "isolation/subids.h"
#include "tests/run.h"

static const struct row {
    const char *sentence, *text;
    int rc;
} rows[] = {
    {"nobody has any", "", 0},
    {"ranges elsewhere", "alice:100000:65536\nbob:165536:65536\n", 0},
    {"one that ends just before", "alice:999000:1000\n", 0},
    {"one that begins just behind", "alice:1010000:65536\n", 0},
    {"one that reaches in", "alice:999000:1001\n", -EADDRINUSE},
    {"one that begins inside", "x:1:1\nalice:1009999:1\n", -EADDRINUSE},
    {"one around all", "alice:0:4294967295\n", -EADDRINUSE},
    {"the last line without an end", "alice:1000000:1", -EADDRINUSE},
    {"none at all of it", "alice:1000000:0\n", 0},
    {"lines that say nothing", "# alice:1\n::\nalice\nalice:x:1\nalice:1000000\nalice:99999999999:1\n", 0},
};

START_TEST(test_row)
{
    char path[] = "/tmp/reeve-subids-XXXXXX";
    int fd = mkstemp(path);
    size_t len = strlen(rows[_i].text);
    ck_assert(fd >= 0 && write(fd, rows[_i].text, len) == (ssize_t)len);
    struct err err = {0};
    int rc = subids_check(path, 1000000, 10000, &err);
    unlink(path);
    close(fd);
    ck_assert_msg(rc == rows[_i].rc, "%s: %d %s", rows[_i].sentence, rc, err.text);
    ck_assert(rc == 0 || strstr(err.text, "alice") != NULL);
    ck_assert_int_eq(subids_check(path, 1000000, 10000, &err), 0); /* no such file */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/subids");
    TCase *t = tcase_create("subids");
    tcase_add_loop_test(t, test_row, 0, (int)COUNT_OF(rows));
    suite_add_tcase(s, t);
    return run_suite(s);
}
