/*
 * The journal's file: what was synced comes back, what was torn is cut, what was damaged is refused.
 * Entries here are bytes of any kind: the journal doesn't look into facts.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/numbered.h"
#include "scheduler/journal.h"
#include "tests/run.h"
#include "tests/scratch.h"

#define CELL "test"
static char dir[64];

static void set_up(void)
{
    snprintf(dir, sizeof dir, "%s", scratch_new().dir);
}

static void tear_down(void)
{
    ck_assert_int_eq(dir_remove(dir, NULL), 0);
}

static struct journal *opened(void)
{
    struct journal *j = NULL;
    struct err err = {0};
    ck_assert_msg(journal_open(&j, dir, CELL, &err) == 0, "%s", err_text(&err));
    return j;
}

static const char *payload(uint64_t seq, char out[64])
{
    int len = snprintf(out, 64, "entry %llu ", (unsigned long long)seq);
    for (size_t i = (size_t)len; i < 20 + seq % 40; i++)
        out[i] = (char)('a' + i % 26);
    out[20 + seq % 40] = '\0';
    return out;
}

static void append(struct journal *j, uint64_t seq)
{
    char text[64];
    payload(seq, text);
    struct journal_record r = {.seq = seq, .term = 1 + seq / 10, .fact = (uint8_t *)text, .fact_len = strlen(text)};
    if (seq % 7 == 0)
        snprintf(r.refusal, sizeof r.refusal, "budget");
    journal_append(j, &r);
}

/* Entries first..last in groups of `group` per fsync. */
static void append_range(struct journal *j, uint64_t first, uint64_t last, uint64_t group)
{
    for (uint64_t seq = first; seq <= last; seq++) {
        append(j, seq);
        if (seq % group == 0 || seq == last)
            ck_assert_int_eq(journal_drain(j, NULL), 0);
    }
}

struct seen {
    uint64_t last, count;
};

static int see(void *arg, const struct journal_record *r, struct err *err)
{
    (void)err;
    struct seen *s = arg;
    char text[64];
    payload(r->seq, text);
    ck_assert_uint_eq(r->seq, s->last + 1);
    ck_assert_uint_eq(r->fact_len, strlen(text));
    ck_assert_mem_eq(r->fact, text, r->fact_len);
    ck_assert_str_eq(r->refusal, r->seq % 7 == 0 ? "budget" : "");
    ck_assert_uint_eq(r->term, 1 + r->seq / 10);
    s->last = r->seq;
    s->count++;
    return 0;
}

/* 0 and how far the journal reached, or the code of the failure. */
static int read_all(uint64_t *ret_last, struct err *err)
{
    struct journal *j = opened();
    struct seen s = {0};
    int rc = journal_read(j, &(struct journal_point){0}, see, &s, err);
    *ret_last = s.last;
    journal_close(j);
    return rc;
}

static void write_fresh(uint64_t last, uint64_t group)
{
    struct journal *j = opened();
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    append_range(j, 1, last, group);
    journal_close(j);
}

static void path_of(uint64_t first, char out[128])
{
    char name[NUMBERED_NAME_MAX];
    snprintf(out, 128, "%s/%s", dir, numbered_name("journal", first, name));
}

static struct buf bytes_of(const char *path)
{
    struct buf b = {0};
    ck_assert_int_eq(file_read(path, 1 << 20, &b, NULL), 0);
    return b;
}

/* Offsets where each record begins; the last one is the end of the file. */
static size_t offsets_of(const struct buf *file, size_t *ret, size_t max)
{
    struct journal_header h;
    size_t at = 0, n = 0;
    ck_assert_int_eq(journal_header_get((uint8_t *)file->data, file->len, &h, &at, NULL), 0);
    struct journal_record r;
    for (size_t size; at < file->len && n < max; at += size) {
        ret[n++] = at;
        size = journal_record_get((uint8_t *)file->data + at, file->len - at, h.chain, &r);
        ck_assert_uint_gt(size, 0);
    }
    ret[n] = at;
    return n;
}

START_TEST(what_was_synced_comes_back_and_goes_on)
{
    uint64_t last;
    write_fresh(25, 4);
    ck_assert_int_eq(read_all(&last, NULL), 0);
    ck_assert_uint_eq(last, 25);
    struct journal *j = opened();
    struct seen s = {0};
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, see, &s, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    append_range(j, 26, 40, 3);
    ck_assert_uint_eq(journal_seq(j), 40);
    ck_assert_uint_eq(journal_durable(j), 40);
    append(j, 41); /* not on the disk: the point that may be signed stays where it is */
    ck_assert_uint_eq(journal_head(j).seq, 41);
    ck_assert_uint_eq(journal_durable_point(j).seq, 40);
    struct journal_point at_40 = journal_durable_point(j);
    journal_close(j);
    j = opened();
    ck_assert_int_eq(journal_read(j, &at_40, NULL, NULL, NULL), 0);
    journal_close(j);
    ck_assert_int_eq(read_all(&last, NULL), 0);
    ck_assert_uint_eq(last, 40);
}
END_TEST

START_TEST(a_second_process_is_kept_out)
{
    struct journal *first = opened(), *second = NULL;
    struct err err = {0};
    ck_assert_int_eq(journal_open(&second, dir, CELL, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "in use"));
    journal_close(first);
}
END_TEST

START_TEST(another_cells_files_are_refused)
{
    struct journal *j = NULL;
    struct err err = {0};
    write_fresh(3, 1);
    ck_assert_int_eq(journal_open(&j, dir, "other", NULL), 0);
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, &err), -EXDEV);
    journal_close(j);
}
END_TEST

START_TEST(reading_from_a_point_checks_the_chain_there)
{
    write_fresh(20, 4);
    struct journal *j = opened();
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    journal_close(j);
    struct journal_point wrong = {.seq = 8};
    memset(wrong.chain, 7, sizeof wrong.chain);
    j = opened();
    ck_assert_int_eq(journal_read(j, &wrong, NULL, NULL, NULL), -EBADMSG);
    journal_close(j);
}
END_TEST

START_TEST(segments_follow_each_other_and_old_ones_go)
{
    uint64_t last;
    struct journal *j = opened();
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    append_range(j, 1, 10, 4);
    ck_assert_int_eq(journal_rotate(j, NULL), 0);
    append_range(j, 11, 20, 4);
    struct journal_point at_20 = journal_head(j);
    ck_assert_int_eq(journal_rotate(j, NULL), 0);
    ck_assert_int_eq(journal_rotate(j, NULL), 0); /* nothing in it yet: the same one */
    append_range(j, 21, 30, 4);
    journal_close(j);
    ck_assert_int_eq(read_all(&last, NULL), 0);
    ck_assert_uint_eq(last, 30);
    j = opened();
    struct seen s = {.last = 20};
    ck_assert_int_eq(journal_read(j, &at_20, see, &s, NULL), 0);
    ck_assert_uint_eq(s.count, 10);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_prune(j, 15, NULL), 0); /* 11..20 still has what is wanted */
    ck_assert_uint_eq(journal_first_seq(j), 11);
    ck_assert_int_eq(journal_prune(j, 1000, NULL), 0); /* never the current one */
    ck_assert_uint_eq(journal_first_seq(j), 21);
    journal_close(j);
    struct err err = {0};
    ck_assert_int_eq(read_all(&last, &err), -ENOENT); /* from the beginning: that is gone, and it says so */
}
END_TEST

/* Segments 1..5, 6..10, 11..15, and one that has nothing yet. */
static struct journal *with_segments(void)
{
    struct journal *j = opened();
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    for (uint64_t i = 0; i < 3; i++) {
        append_range(j, 1 + 5 * i, 5 + 5 * i, 2);
        ck_assert_int_eq(journal_rotate(j, NULL), 0);
    }
    return j;
}

static int archive_open(char path[96])
{
    snprintf(path, 96, "%s/archive", dir);
    ck_assert_int_eq(dir_make(path, 0700, NULL), 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static size_t segments_in(int folder, uint64_t *ret_first)
{
    uint64_t *list = NULL;
    size_t count = 0;
    ck_assert_int_eq(numbered_list(folder, "journal", &list, &count, NULL), 0);
    *ret_first = count > 0 ? list[0] : 0;
    free(list);
    return count;
}

START_TEST(pruned_segments_are_moved_into_the_archive)
{
    char path[96], name[NUMBERED_NAME_MAX];
    uint64_t first = 0;
    struct err err = {0};
    struct journal *j = with_segments();
    CLEANUP(close_p) int archive = archive_open(path);
    ck_assert_int_eq(journal_archive(j, archive, NULL), 0);
    ck_assert_int_eq(journal_prune(j, 6, NULL), 0);
    ck_assert_uint_eq(segments_in(archive, &first), 1);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(journal_first_seq(j), 6);
    /* What lies there already is not written over: the segment stays, and what follows it. */
    int taken = openat(archive, numbered_name("journal", 6, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(taken, 0);
    close(taken);
    ck_assert_int_eq(journal_prune(j, 16, &err), -EEXIST);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "archive the segment of seq 6"));
    ck_assert_uint_eq(journal_first_seq(j), 6);
    ck_assert_int_eq(unlinkat(archive, name, 0), 0);
    ck_assert_int_eq(journal_prune(j, 16, NULL), 0);
    ck_assert_uint_eq(segments_in(archive, &first), 3);
    ck_assert_uint_eq(journal_first_seq(j), 16);
    journal_close(j);
}
END_TEST

START_TEST(an_archive_that_cant_take_segments_is_refused)
{
    struct journal *j = with_segments();
    CLEANUP(close_p) int elsewhere = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_p) int own = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(journal_archive(j, elsewhere, NULL), -EXDEV);
    ck_assert_int_eq(journal_archive(j, own, NULL), -EINVAL);
    journal_close(j);
}
END_TEST

START_TEST(a_missing_segment_is_refused)
{
    journal_close(with_segments());
    char path[128];
    uint64_t last;
    struct err err = {0};
    path_of(6, path);
    unlink(path);
    ck_assert_int_eq(read_all(&last, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "does not continue"));
}
END_TEST

/* The file ends after any byte: what is whole stays, the rest is cut, and appending goes on there. */
START_TEST(torn_at_every_byte)
{
    char path[128];
    size_t at[32];
    uint64_t last;
    write_fresh(12, 4);
    path_of(1, path);
    struct buf file = bytes_of(path);
    size_t n = offsets_of(&file, at, 30);
    ck_assert_uint_eq(n, 12);
    for (size_t len = at[0]; len < file.len; len++) {
        file_put(path, file.data, len);
        size_t whole = 0;
        while (at[whole + 1] <= len)
            whole++;
        struct journal *j = opened();
        struct seen s = {0};
        struct err err = {0};
        ck_assert_msg(journal_read(j, &(struct journal_point){0}, see, &s, &err) == 0, "cut at %zu: %s", len,
                      err_text(&err));
        ck_assert_uint_eq(s.last, whole);
        ck_assert_uint_eq(journal_torn_bytes(j), len - at[whole]);
        ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
        append_range(j, whole + 1, whole + 2, 1);
        journal_close(j);
        ck_assert_int_eq(read_all(&last, NULL), 0);
        ck_assert_uint_eq(last, whole + 2);
    }
    buf_fini(&file);
}
END_TEST

/* One bit anywhere: either it lies in what no later write proves, then it is cut, or the start is refused by name.
 * Never is a changed entry read, never one after it skipped to. */
START_TEST(flipped_at_every_byte)
{
    char path[128], where[48];
    size_t at[32];
    write_fresh(12, 4);
    path_of(1, path);
    struct buf file = bytes_of(path);
    offsets_of(&file, at, 30);
    for (size_t i = 0; i < file.len; i++) {
        file.data[i] ^= 0x10;
        file_put(path, file.data, file.len);
        file.data[i] ^= 0x10;
        uint64_t last = 0;
        struct err err = {0};
        int rc = read_all(&last, &err);
        size_t hit = 0; /* records before the flip */
        while (i >= at[0] && at[hit + 1] <= i)
            hit++;
        if (i >= at[8]) { /* the last group: nothing later was written, so it may have been torn */
            ck_assert_int_eq(rc, 0);
            ck_assert_uint_eq(last, hit);
            continue;
        }
        ck_assert_msg(rc == -EBADMSG || (i < at[0] && (rc == -EXDEV || rc == -EPROTONOSUPPORT)), "byte %zu: %d", i, rc);
        snprintf(where, sizeof where, "at offset %zu, in seq %zu", at[hit], hit + 1);
        if (i >= at[0])
            ck_assert_msg(strstr(err_text(&err), where) != NULL, "byte %zu: %s", i, err_text(&err));
    }
    buf_fini(&file);
}
END_TEST

START_TEST(damage_in_an_older_segment_is_never_a_torn_tail)
{
    char path[128];
    uint64_t last;
    struct journal *j = opened();
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    append_range(j, 1, 5, 5);
    ck_assert_int_eq(journal_rotate(j, NULL), 0);
    journal_close(j);
    path_of(1, path);
    struct buf file = bytes_of(path);
    file_put(path, file.data, file.len - 1);
    buf_fini(&file);
    ck_assert_int_eq(read_all(&last, NULL), -EBADMSG);
}
END_TEST

/* No room on the disk: the failure is told, nothing half-written is believed afterwards. */
START_TEST(no_room_is_told_and_cut)
{
    uint64_t last;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 200; limit < 900; limit += 13) {
        struct journal *j = opened();
        struct err err = {0};
        uint64_t synced = 0;
        ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
        ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, RLIM_INFINITY}), 0);
        int rc = 0;
        for (uint64_t seq = 1; rc == 0; seq++) {
            append(j, seq);
            rc = journal_drain(j, &err);
            synced = rc == 0 ? seq : synced;
        }
        ck_assert_int_eq(rc, -EFBIG);
        ck_assert_uint_eq(journal_durable(j), synced);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
        journal_close(j);
        ck_assert_int_eq(read_all(&last, NULL), 0);
        ck_assert_uint_eq(last, synced);
        ck_assert_int_eq(dir_remove(dir, NULL), 0);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
    }
}
END_TEST

/* ---- through the loop and the ring ---- */
struct looped {
    struct loop *loop;
    struct journal *journal;
    uint64_t next, durable;
    bool drain_midway;
};

static void on_synced(void *arg, uint64_t durable)
{
    struct looped *l = arg;
    ck_assert_uint_gt(durable, l->durable);
    l->durable = durable;
    if (durable >= 500)
        loop_stop(l->loop);
}

static bool on_turn(void *arg)
{
    struct looped *l = arg;
    for (int i = 0; i < 3 && l->next <= 500; i++)
        append(l->journal, l->next++);
    journal_flush(l->journal);
    if (l->drain_midway && l->next % 5 == 0) {
        ck_assert_int_eq(journal_drain(l->journal, NULL), 0);
        ck_assert_uint_eq(journal_durable(l->journal), l->next - 1);
        if (l->next % 50 == 0)
            ck_assert_int_eq(journal_rotate(l->journal, NULL), 0);
    }
    return l->next <= 500;
}

START_TEST(groups_overlap_with_what_is_appended)
{
    static const struct journal_handlers handlers = {.on_synced = on_synced};
    struct looped l = {.next = 1, .drain_midway = _i == 1};
    uint64_t last;
    ck_assert_int_eq(loop_new(&l.loop, NULL), 0);
    l.journal = opened();
    ck_assert_int_eq(journal_read(l.journal, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(l.journal, l.loop, &handlers, &l, NULL), 0);
    loop_on_turn(l.loop, on_turn, &l);
    ck_assert_int_eq(loop_run(l.loop, NULL), 0);
    ck_assert_uint_eq(l.durable, 500);
    ck_assert_uint_lt(journal_syncs_total(l.journal), 500);
    journal_close(l.journal);
    loop_free(l.loop);
    ck_assert_int_eq(read_all(&last, NULL), 0);
    ck_assert_uint_eq(last, 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_was_synced_comes_back_and_goes_on);
    tcase_add_test(t, a_second_process_is_kept_out);
    tcase_add_test(t, another_cells_files_are_refused);
    tcase_add_test(t, reading_from_a_point_checks_the_chain_there);
    tcase_add_test(t, segments_follow_each_other_and_old_ones_go);
    tcase_add_test(t, pruned_segments_are_moved_into_the_archive);
    tcase_add_test(t, an_archive_that_cant_take_segments_is_refused);
    tcase_add_test(t, a_missing_segment_is_refused);
    tcase_add_test(t, torn_at_every_byte);
    tcase_add_test(t, flipped_at_every_byte);
    tcase_add_test(t, damage_in_an_older_segment_is_never_a_torn_tail);
    tcase_add_test(t, no_room_is_told_and_cut);
    tcase_add_loop_test(t, groups_overlap_with_what_is_appended, 0, 2);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
