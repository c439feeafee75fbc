/* Which snapshots stay: the one to rebuild Redis from, a few on the way, and the newest. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/numbered.h"
#include "scheduler/snapshot.h"
#include "tests/run.h"
#include "tests/scratch.h"

enum { DAY_S = 86400, MINUTE_S = 60 };

/* Snapshots by seq, with their age in minutes. */
static const struct row {
    const char *what;
    uint64_t seqs[8];
    int64_t minutes[8];
    uint64_t upto, base;
    uint64_t stay[8];
} rows[] = {
    {"none", {0}, {0}, 100, 0, {0}},
    {"a young cell keeps its first", {10, 20, 30}, {50, 40, 30}, 30, 0, {10, 30}},
    {"one an hour stays", {10, 20, 30, 40, 50}, {200, 150, 139, 70, 1}, 50, 0, {10, 30, 40, 50}},
    {"the newest that is a day old is the base", {10, 20, 30, 40}, {3000, 1500, 1430, 1}, 40, 20, {20, 30, 40}},
    {"a day to the second", {10, 20}, {1441, 1439}, 20, 10, {10, 20}},
    {"what isn't archived stays", {10, 20, 30, 40}, {3000, 2000, 1900, 1800}, 20, 20, {20, 30, 40}},
    {"nothing is archived", {10, 20}, {3000, 2000}, 9, 0, {10, 20}},
};

START_TEST(which_stay)
{
    const struct row *r = &rows[_i];
    struct scratch scratch = scratch_new();
    CLEANUP(close_p) int folder = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
    for (size_t i = 0; i < COUNT_OF(r->seqs) && r->seqs[i] != 0; i++) {
        char name[NUMBERED_NAME_MAX];
        struct timespec age[2] = {{.tv_sec = time(NULL) - r->minutes[i] * MINUTE_S}};
        age[1] = age[0];
        ck_assert_int_eq(numbered_write(folder, SNAPSHOT_PREFIX, r->seqs[i], "x", 1, NULL), 0);
        numbered_name(SNAPSHOT_PREFIX, r->seqs[i], name);
        ck_assert_int_eq(utimensat(folder, name, age, 0), 0);
    }
    ck_assert_msg(snapshot_prune(folder, r->upto, DAY_S) == r->base, "%s: another base", r->what);
    uint64_t *left = NULL;
    size_t count = 0, expected = 0;
    ck_assert_int_eq(snapshot_list(folder, &left, &count, NULL), 0);
    while (expected < COUNT_OF(r->stay) && r->stay[expected] != 0)
        expected++;
    ck_assert_msg(count == expected, "%s: %zu stay", r->what, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(left[i] == r->stay[i], "%s: %llu stays", r->what, (unsigned long long)left[i]);
    free(left);
    scratch_remove(&scratch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *t = tcase_create("files");
    tcase_add_loop_test(t, which_stay, 0, (int)COUNT_OF(rows));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
