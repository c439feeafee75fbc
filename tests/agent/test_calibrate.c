/* What a disk's measurement becomes, what an agent makes of the file, and where it can't be measured. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/calibrate.h"
#include "agent/options.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "tests/daemon_options.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static char home[512];

static void setup(void)
{
    ck_assert_ptr_nonnull(getcwd(home, sizeof home));
    scratch = scratch_new();
    ck_assert_int_eq(chdir(scratch.dir), 0);
    ck_assert_int_eq(mkdir("node", 0700), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    scratch_remove(&scratch);
}

static const struct fit_row {
    const char *sentence;
    int64_t small, large, sequential; /* ns for 4 KiB, 128 KiB at random, 128 KiB in order */
    int64_t random_ns, sequential_ns, per_byte_ps;
} fit_rows[] = {
    {"base and slope go through both sizes", 12931, 122386, 122386, 9400, 9401, 862},
    {"what is cheaper in order has a smaller base", 12931, 122386, 118000, 9400, 5015, 862},
    {"a large one no dearer than a small: all of it is base", 10000, 9000, 9000, 10000, 9000, 0},
    {"slope through zero: a base is never nothing", 4096, 131072, 131072, 500, 500, 1000},
    {"in order dearer than at random is noise", 12931, 122386, 150000, 9400, 9400, 862},
};

START_TEST(a_cost_is_fitted_to_two_sizes)
{
    const struct fit_row *r = &fit_rows[_i];
    struct io_cost c = io_cost_default;
    struct io_measured m = {r->small, r->large, r->sequential, 4096, 131072};
    io_cost_fit(&c, IO_READ, &m);
    ck_assert_msg(llabs(c.of[IO_READ].random_ns - r->random_ns) <= 2 &&
                      llabs(c.of[IO_READ].sequential_ns - r->sequential_ns) <= 2 &&
                      llabs(c.of[IO_READ].per_byte_ps - r->per_byte_ps) <= 1,
                  "%s: %" PRId64 " %" PRId64 " %" PRId64, r->sentence, c.of[IO_READ].random_ns,
                  c.of[IO_READ].sequential_ns, c.of[IO_READ].per_byte_ps);
    ck_assert(io_cost_is_valid(&c));
}
END_TEST

#define MODEL(read)                                                                                \
    "{\"device\": \"8:1\", \"measured\": \"2026-11-26T05:53:52Z\", \"read_sequential_ns\": " read  \
    ", \"read_random_ns\": 9000, \"read_per_byte_ps\": 800, \"write_sequential_ns\": 7000, "       \
    "\"write_random_ns\": 8000, \"write_per_byte_ps\": 300}"

static const struct load_row {
    const char *sentence, *text, *device;
    int rc;
    bool own;        /* its cost, not the default */
    const char *why; /* begins with; NULL = nothing to say */
    const char *err;
} load_rows[] = {
    {"no file is the default", NULL, "8:1", 0, false, "this disk was never measured", NULL},
    {"its own is taken", MODEL("5000"), "8:1", 0, true, NULL, NULL},
    {"another device's is not", MODEL("5000"), "8:2", 0, false, "what was measured is another disk", NULL},
    {"half a file is refused", "{\"device\": \"8:1\", ", "8:1", -EINVAL, false, NULL, "node/io.json: line 1"},
    {"what is missing is named", "{\"device\": \"8:1\"}", "8:1", -EINVAL, false, NULL, "node/io.json: measured"},
    {"an unknown key is refused", "{\"speed\": 1}", "8:1", -EINVAL, false, NULL, "node/io.json: speed"},
    {"nothing takes no time", MODEL("0"), "8:1", -EINVAL, false, NULL, "node/io.json: an operation can't take 0"},
    {"nor less", MODEL("-7"), "8:1", -EINVAL, false, NULL, "node/io.json: "},
    {"nor a minute", MODEL("60000000000"), "8:1", -EINVAL, false, NULL, "node/io.json: read_sequential_ns"},
};

START_TEST(an_agent_reads_what_was_measured)
{
    const struct load_row *r = &load_rows[_i];
    struct io_cost c = {0};
    struct err err = {0};
    const char *why = NULL;
    if (r->text != NULL)
        ck_assert_int_eq(file_write_durable(IO_MODEL_PATH, r->text, strlen(r->text), 0600, &err), 0);
    int rc = io_model_load(r->device, &c, &why, &err);
    ck_assert_msg(rc == r->rc, "%s: %d %s", r->sentence, rc, err.text);
    ck_assert_msg(rc < 0 || (c.of[IO_READ].sequential_ns == 5000) == r->own, "%s", r->sentence);
    ck_assert(io_cost_is_valid(&c)); /* also when it was refused: the default */
    if (rc == 0 && r->why == NULL)
        ck_assert_ptr_null(why);
    if (r->why != NULL)
        ck_assert_msg(why != NULL && strncmp(why, r->why, strlen(r->why)) == 0, "%s: %s", r->sentence, why);
    if (r->err != NULL)
        ck_assert_msg(strncmp(err.text, r->err, strlen(r->err)) == 0, "%s: %s", r->sentence, err.text);
}
END_TEST

START_TEST(its_manual_names_its_options)
{
    struct option_table t = calibrate_options;
    t.program = "reeve-agent-calibrate";
    ck_assert_int_eq(chdir(home), 0);
    daemon_check_manual(&t);
}
END_TEST

START_TEST(the_table_is_sound)
{
    struct err err = {0};
    ck_assert_msg(fields_check_table(&io_model_fields, &err) == 0, "%s", err.text);
    ck_assert(io_cost_is_valid(&io_cost_default));
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s", scratch.dir);
    char program[] = "calibrate", where[300] = "--dir=", file[] = "--file=16Mi", time[] = "--time=100ms";
    strncat(where, dir, sizeof where - 8);
    char *argv[] = {program, where, file, time, NULL};
    int out = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, 1);
    int rc = calibrate_command(4, argv);
    fflush(stdout);
    dup2(out, 1);
    close(out);
    close(null);
    struct io_cost c;
    struct err err = {0};
    const char *why = NULL;
    char device[32];
    ck_assert_int_eq(io_device_of("node", device), 0);
    if (rc == 0) {
        ck_assert_msg(io_model_load(device, &c, &why, &err) == 0, "%s", err.text);
        ck_assert_ptr_null(why);
    } else {
        ck_assert_int_eq(access(IO_MODEL_PATH, F_OK), -1); /* a /tmp without O_DIRECT: nothing is left behind */
    }
}
END_TEST

START_TEST(where_there_is_no_disk_it_says_so)
{
    struct calibrate_setup with = {.dir = "/dev/shm", .file_bytes = CALIBRATE_FILE_MIN, .total_us = 100000};
    struct io_model model = {0};
    struct calibrate_found found = {0};
    struct err err = {0};
    int rc = calibrate(&with, &model, &found, &err);
    if (rc == 0) { /* Linux 6.6 and newer: tmpfs takes O_DIRECT and ignores it */
        ck_assert(io_cost_is_valid(&model.cost));
        fields_clear(&io_model_fields, &model);
    } else {
        ck_assert_int_eq(rc, -EOPNOTSUPP);
        ck_assert_ptr_nonnull(strstr(err.text, "no O_DIRECT"));
    }
    with.dir = "/nowhere";
    ck_assert_int_eq(calibrate(&with, &model, &found, &err), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/calibrate");
    TCase *t = tcase_create("calibrate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_cost_is_fitted_to_two_sizes, 0, (int)COUNT_OF(fit_rows));
    tcase_add_loop_test(t, an_agent_reads_what_was_measured, 0, (int)COUNT_OF(load_rows));
    tcase_add_test(t, its_manual_names_its_options);
    tcase_add_test(t, the_table_is_sound);
    tcase_add_test(t, what_is_written_is_read_again);
    tcase_add_test(t, where_there_is_no_disk_it_says_so);
    suite_add_tcase(s, t);
    return run_suite(s);
}
