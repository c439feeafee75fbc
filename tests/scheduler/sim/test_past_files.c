/* The files of a journal that is simulated: cut, damaged, pruned, hostile. What can't be is refused by name. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scheduler/snapshot.h"
#include "tests/run.h"
#include "tests/scheduler/sim/past_world.h"

/* ---- where older entries are ---- */
static void segments_of(struct past_files *files, const struct world *w, size_t first)
{
    past_files_begin(files);
    for (size_t i = 0; i < w->journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w->journal.v)[i];
        if (i == first) {
            past_files_write(files);
            past_files_segment(files);
        }
        past_files_add(files, i + 1, b->data, b->len);
    }
    past_files_write(files);
}

static void expect_none(const struct past_source *source, int code, const char *text)
{
    struct workload w;
    struct err err = {0};
    int rc = past_read(source, &w, &err);
    ck_assert_msg(rc == code && strstr(err_text(&err), text) != NULL, "%d: %s", rc, err_text(&err));
}

START_TEST(older_segments_are_in_the_archive_or_asked_for)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], old[300], moved[400], folder[300];
    people_act(&then);
    segments_of(&files, &then, then.journal.count / 2);
    struct past_source source = {.journal = folder, .since_utc_us = INT64_MIN};
    /* DIR/journal and DIR/archive, as a system has them */
    snprintf(folder, sizeof folder, "%s", scratch_path(&files.scratch, "journal"));
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    snprintf(old, sizeof old, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, files.first, name)));
    snprintf(moved, sizeof moved, "%s/%s", folder, name);
    ck_assert_int_eq(rename(old, moved), 0);
    expect_none(&source, -ENODATA, "--archive DIR");
    ck_assert_int_eq(mkdir(scratch_path(&files.scratch, "archive"), 0700), 0);
    snprintf(old, sizeof old, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    snprintf(moved, sizeof moved, "%s/archive/%s", files.scratch.dir, name);
    ck_assert_int_eq(rename(old, moved), 0);
    struct workload w = read_from(&source); /* beside it */
    ck_assert_uint_eq(w.past->from_seq, 1);
    ck_assert_uint_eq(w.past->to_seq, then.journal.count);
    workload_fini(&w);
    snprintf(old, sizeof old, "%s/archive", files.scratch.dir);
    source.archive = old;
    w = read_from(&source); /* named */
    ck_assert_uint_eq(w.count, 5);
    workload_fini(&w);
    source = (struct past_source){.journal = moved, .since_utc_us = INT64_MIN}; /* the first segment alone */
    w = read_from(&source);
    ck_assert_uint_eq(w.past->to_seq, then.journal.count / 2);
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    ck_assert_uint_gt(run_totals(r).guessed, 0); /* what had not ended by then */
    run_free(r);
    workload_fini(&w);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(a_snapshot_says_what_was_before)
{
    struct world then, half;
    struct past_files files;
    struct err err = {0};
    people_act(&then);
    size_t middle = then.journal.count / 2;
    segments_of(&files, &then, middle);
    /* The state by then, as a scheduler would have written it. */
    struct snapshot_head head = {.cell = PAST_CELL, .term = 1, .point = {.seq = middle}};
    struct buf first = {0};
    char name[NUMBERED_NAME_MAX];
    ck_assert_int_eq(file_read(scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, middle + 1, name)), 1 << 20,
                               &first, &err), 0);
    struct journal_header h;
    size_t size;
    ck_assert_int_eq(journal_header_get((const uint8_t *)first.data, first.len, &h, &size, &err), 0);
    memcpy(head.point.chain, h.chain, sizeof h.chain);
    buf_fini(&first);
    world_init(&half, NULL);
    for (size_t i = 0; i < middle; i++) {
        const struct bytes *b = &((const struct bytes *)then.journal.v)[i];
        struct fact f = {0};
        ck_assert_int_eq(fact_decode(b->data, b->len, &f, &err), 0);
        core_apply(half.core, i + 1, &f);
        fact_clear(&f);
    }
    int folder = open(files.scratch.dir, O_RDONLY | O_DIRECTORY);
    ck_assert_msg(snapshot_write(folder, &head, half.core, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(unlinkat(folder, numbered_name(JOURNAL_PREFIX, 1, name), 0), 0);
    struct workload w = read_from(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN});
    ck_assert_uint_eq(w.past->from_seq, middle + 1);
    struct run *r = simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default});
    uint64_t done = 0;
    for (size_t i = 0; i < w.tenants.count; i++)
        done += run_measure(r)->tenants[i].succeeded + run_measure(r)->tenants[i].failed;
    ck_assert_uint_eq(done, w.count);
    run_free(r);
    workload_fini(&w);
    /* A damaged one is refused, not passed over. */
    int fd = openat(folder, numbered_name(SNAPSHOT_PREFIX, middle, name), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 200), 1);
    close(fd);
    expect_none(&(struct past_source){.journal = files.scratch.dir}, -EBADMSG, "snapshot-");
    close(folder);
    world_fini(&half);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

/* ---- damaged, torn, hostile ---- */
START_TEST(cut_at_any_byte_it_is_what_was_whole)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], path[300];
    people_act(&then);
    world_write(&then, &files);
    struct past_source source = {.journal = files.scratch.dir, .since_utc_us = INT64_MIN};
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    uint64_t newest = 0;
    for (size_t len = 1; len < files.segment.len; len += 3) {
        struct workload w;
        struct err err = {0};
        file_put(path, files.segment.data, len);
        int rc = past_read(&source, &w, &err);
        ck_assert_msg(rc == 0 || rc == -EBADMSG || rc == -ENODATA, "%zu: %d: %s", len, rc, err_text(&err));
        ck_assert(rc == 0 || err_text(&err)[0] != '\0');
        if (rc < 0) {
            ck_assert_uint_eq(newest, 0); /* once there was something, there is */
            continue;
        }
        ck_assert_uint_ge(w.past->to_seq, newest);
        newest = w.past->to_seq;
        if (len % 16 == 0)
            run_free(simulated(&(struct run_setup){.workload = &w, .limits = core_limits_default}));
        workload_fini(&w);
    }
    ck_assert_uint_ge(newest, then.journal.count - 1);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(a_flipped_byte_is_refused_or_was_never_safe)
{
    struct world then;
    struct past_files files;
    char name[NUMBERED_NAME_MAX], path[300];
    people_act(&then);
    world_write(&then, &files);
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    size_t last = files.segment.len;
    for (size_t at = 0; at < last; at += 5) {
        struct workload w;
        struct err err = {0};
        files.segment.data[at] = (char)(files.segment.data[at] ^ 0x40);
        file_put(path, files.segment.data, files.segment.len);
        files.segment.data[at] = (char)(files.segment.data[at] ^ 0x40);
        int rc = past_read(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN}, &w, &err);
        ck_assert_msg(rc < 0 || w.past->torn_bytes > 0, "%zu", at);
        if (rc == 0)
            workload_fini(&w);
    }
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

static struct fact lie_ended(void)
{
    return (struct fact){.kind = FACT_ATTEMPT_ENDED, .ended = {.id = {77, 0, 1}, .record = {.cause = END_EXIT}}};
}
static struct fact lie_drained(void)
{
    struct fact f = {.kind = FACT_NODE_DRAINED, .drained = {.drained = true}};
    ck_assert_int_eq(str_set(&f.drained.node, "nowhere"), 0);
    return f;
}
static struct fact lie_job(void)
{
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .submitted = {.job = UINT64_MAX - 1, .spec = world_spec(1000, GIB)}};
    ck_assert_int_eq(str_set(&f.submitted.tenant, "acme"), 0);
    ck_assert_int_eq(str_set(&f.submitted.user, "ann"), 0);
    ck_assert_int_eq(str_set(&f.submitted.key, "k"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.path, "acme"), 0);
    ck_assert_int_eq(strs_add(&f.submitted.path, "/"), 0);
    return f;
}
static struct fact lie_running(void)
{
    return (struct fact){.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 9, 1}}};
}
static struct fact (*const lies[])(void) = {lie_ended, lie_drained, lie_job, lie_running};

/* The chain is sound, what it says is not: refused by its seq, whoever made it. */
START_TEST(a_journal_that_contradicts_itself_is_refused)
{
    struct world then;
    struct past_files files;
    struct buf bytes = {0};
    people_act(&then);
    world_write(&then, &files);
    struct fact f = lies[_i]();
    f.at_utc_us = then.now.utc_us + SECOND;
    fact_encode(&f, &bytes);
    past_files_add(&files, files.seq + 1, bytes.data, bytes.len);
    past_files_write(&files);
    char seq[40];
    snprintf(seq, sizeof seq, "seq %zu", then.journal.count + 1);
    expect_none(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MIN}, -EBADMSG, seq);
    fact_clear(&f);
    buf_fini(&bytes);
    past_files_end(&files);
    world_fini(&then);
}
END_TEST

START_TEST(a_journal_that_is_shut_is_not_said_to_be_none)
{
    struct past_files files;
    char folder[300];
    past_files_begin(&files);
    snprintf(folder, sizeof folder, "%s", scratch_path(&files.scratch, "scheduler"));
    ck_assert_int_eq(mkdir(folder, 0), 0);
    ck_assert_int_eq(chmod(files.scratch.dir, 0755), 0);
    bool is_root = geteuid() == 0;
    ck_assert_int_eq(is_root ? seteuid(65534) : 0, 0);
    expect_none(&(struct past_source){.journal = files.scratch.dir}, -EACCES, "as root, or on a copy");
    ck_assert_int_eq(is_root ? seteuid(0) : 0, 0);
    past_files_end(&files);
}
END_TEST

START_TEST(what_is_no_journal_is_refused_by_name)
{
    struct past_files files;
    struct workload load;
    char name[NUMBERED_NAME_MAX], path[300];
    past_files_begin(&files);
    struct past_source source = {.journal = files.scratch.dir, .since_utc_us = INT64_MIN};
    expect_none(&(struct past_source){.journal = "/nowhere"}, -ENOENT, "open '/nowhere'");
    expect_none(&source, -ENOENT, "has no journal");
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, "notes.txt"));
    file_put(path, "x", 1);
    expect_none(&(struct past_source){.journal = path}, -EINVAL, "is no segment of a journal");
    snprintf(path, sizeof path, "%s", scratch_path(&files.scratch, numbered_name(JOURNAL_PREFIX, 1, name)));
    file_put(path, "", 0);
    expect_none(&source, -EBADMSG, "journal-");
    file_put(path, "what?", 5);
    expect_none(&source, -EBADMSG, "no journal header");
    past_files_write(&files); /* nothing but a header */
    expect_none(&source, -ENODATA, "ends before --since");
    files.segment.data[8] = 9; /* of the version */
    past_files_write(&files);
    expect_none(&source, -EPROTONOSUPPORT, "journal format 9");
    past_files_end(&files);
    run_free(written(&files, &load, 3, 20));
    expect_none(&(struct past_source){.journal = files.scratch.dir, .since_utc_us = INT64_MAX}, -ENODATA,
                "ends before --since");
    workload_fini(&load);
    past_files_end(&files);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/past_files");
    TCase *t = tcase_create("past");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, older_segments_are_in_the_archive_or_asked_for);
    tcase_add_test(t, a_snapshot_says_what_was_before);
    tcase_add_test(t, cut_at_any_byte_it_is_what_was_whole);
    tcase_add_test(t, a_flipped_byte_is_refused_or_was_never_safe);
    tcase_add_test(t, a_journal_that_is_shut_is_not_said_to_be_none);
    tcase_add_test(t, what_is_no_journal_is_refused_by_name);
    tcase_add_loop_test(t, a_journal_that_contradicts_itself_is_refused, 0, COUNT_OF(lies));
    suite_add_tcase(s, t);
    return run_suite(s);
}
