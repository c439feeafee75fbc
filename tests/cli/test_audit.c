/*
 * The audit's reader against everything that can be done to the journal's files: every byte flipped, every record
 * dropped, every two swapped, the end cut at every byte, history made anew from every record on. Each is named by seq.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fact.h"
#include "base/io/fd.h"
#include "base/io/numbered.h"
#include "base/io/sign.h"
#include "cli/audit_read.h"
#include "scheduler/journal.h"
#include "tests/run.h"
#include "tests/scratch.h"

enum { PER_FILE = 6, FILES = 3, LAST = PER_FILE * FILES, GROUP = 2 };

/* A file as it was written, and where its records begin. */
struct original {
    char path[128];
    struct buf bytes;
    size_t at[PER_FILE + 1]; /* of record i; the last one is the end */
};

static struct scratch scratch;
static char journal_dir[80], archive_dir[80], heads_path[96];
static struct original original[FILES];
static struct sign_key *key;

static void fact_of(uint64_t seq, struct buf *out)
{
    struct fact f = {.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = 1000000 + (int64_t)seq,
                     .running = {.id = {seq, (uint32_t)(seq % 3), 1}, .started_utc_us = (int64_t)seq * 77}};
    fact_encode(&f, out);
}

static void head_write(const char *path, const struct journal_point *p, const struct sign_key *k)
{
    struct journal_head h = {.cell = "test", .seq = p->seq, .at_utc_us = INT64_C(1795000000000000)};
    struct buf line = {0};
    memcpy(h.chain, p->chain, sizeof h.chain);
    memcpy(h.key, sign_key_public(k), sizeof h.key);
    journal_head_put(&line, &h);
    ck_assert_int_eq(sign_make(k, line.data, line.len, h.sig, NULL), 0);
    journal_head_put_sig(&line, &h);
    buf_add_str(&line, "\n");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_eq(fd_write_all(fd, line.data, line.len), 0);
    close(fd);
    buf_fini(&line);
}

static void journal_write(void)
{
    struct journal *j = NULL;
    ck_assert_int_eq(journal_open(&j, journal_dir, "test", NULL), 0);
    ck_assert_int_eq(journal_read(j, &(struct journal_point){0}, NULL, NULL, NULL), 0);
    ck_assert_int_eq(journal_begin(j, NULL, NULL, NULL, NULL), 0);
    for (uint64_t seq = 1; seq <= LAST; seq++) {
        CLEANUP(buf_fini) struct buf fact = {0};
        fact_of(seq, &fact);
        struct journal_record r = {.seq = seq, .term = 1 + seq / 5, .fact = (uint8_t *)fact.data, .fact_len = fact.len};
        if (seq % 4 == 0)
            snprintf(r.refusal, sizeof r.refusal, "budget");
        journal_append(j, &r);
        if (seq % GROUP == 0)
            ck_assert_int_eq(journal_drain(j, NULL), 0);
        struct journal_point p = journal_durable_point(j);
        if (seq % PER_FILE == 0) {
            head_write(heads_path, &p, key);
            if (seq < LAST)
                ck_assert_int_eq(journal_rotate(j, NULL), 0);
        }
    }
    journal_close(j);
}

static void original_read(struct original *o, uint64_t first)
{
    char name[NUMBERED_NAME_MAX];
    struct journal_header h;
    struct journal_record r;
    snprintf(o->path, sizeof o->path, "%s/%s", journal_dir, numbered_name("journal", first, name));
    o->bytes = (struct buf){0};
    ck_assert_int_eq(file_read(o->path, 1 << 20, &o->bytes, NULL), 0);
    const uint8_t *bytes = (const uint8_t *)o->bytes.data;
    ck_assert_int_eq(journal_header_get(bytes, o->bytes.len, &h, &o->at[0], NULL), 0);
    for (size_t i = 0; i < PER_FILE; i++)
        o->at[i + 1] = o->at[i] + journal_record_get(bytes + o->at[i], o->bytes.len - o->at[i], h.chain, &r);
    ck_assert_uint_eq(o->at[PER_FILE], o->bytes.len);
}

static void set_up(void)
{
    scratch = scratch_new();
    snprintf(journal_dir, sizeof journal_dir, "%s/journal", scratch.dir);
    snprintf(archive_dir, sizeof archive_dir, "%s/archive", scratch.dir);
    snprintf(heads_path, sizeof heads_path, "%s/heads", journal_dir);
    ck_assert_int_eq(dir_make(journal_dir, 0700, NULL), 0);
    CLEANUP(close_p) int folder = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(sign_key_open(&key, folder, "journal", NULL), 0);
    journal_write();
    for (size_t i = 0; i < FILES; i++)
        original_read(&original[i], 1 + i * PER_FILE);
}

static void tear_down(void)
{
    for (size_t i = 0; i < FILES; i++)
        buf_fini(&original[i].bytes);
    sign_key_free(key);
    scratch_remove(&scratch);
}

static void restore(size_t file)
{
    file_put(original[file].path, original[file].bytes.data, original[file].bytes.len);
}

static struct audit audited(bool with_heads)
{
    struct audit a = {.folder = journal_dir, .archive = archive_dir, .keys_count = 1};
    struct err err = {0};
    memcpy(a.keys[0], sign_key_public(key), SIGN_KEY_BYTES);
    if (with_heads)
        ck_assert_int_eq(audit_heads_add(&a, heads_path, false, NULL), 0);
    ck_assert_msg(audit_read(&a, &err) == 0, "%s", err_text(&err));
    return a;
}

/* Is there a finding of one of these kinds (bits) that is about `seq` and no more than `width` records? */
static bool named(const struct audit *a, unsigned kinds, uint64_t seq, uint64_t width)
{
    const struct audit_finding *f = a->findings.v;
    for (size_t i = 0; i < a->findings.count; i++)
        if ((kinds & 1u << f[i].kind) != 0 && f[i].first <= seq && seq <= f[i].last &&
            f[i].last - f[i].first < width)
            return true;
    return false;
}

static const char *first_text(const struct audit *a)
{
    return a->findings.count > 0 ? ((const struct audit_finding *)a->findings.v)->text : "nothing was found";
}

#define BIT(kind) (1u << (kind))

START_TEST(an_untouched_journal_has_no_findings)
{
    struct audit a = audited(true);
    ck_assert_msg(a.findings_total == 0, "%s", first_text(&a));
    ck_assert_uint_eq(a.records, LAST);
    ck_assert_uint_eq(a.first, 1);
    ck_assert_uint_eq(a.last, LAST);
    ck_assert_uint_eq(a.segments, FILES);
    ck_assert_uint_eq(a.heads_matched, FILES);
    ck_assert_uint_eq(a.heads_newest, LAST);
    ck_assert_str_eq(a.cell, "test");
    audit_fini(&a);
}
END_TEST

/* Any bit of any byte of a file: exactly the record it lies in is named, and all others are still read. */
START_TEST(every_flipped_bit_is_named)
{
    struct original *o = &original[_i / 8];
    for (size_t i = 0; i < o->bytes.len; i++) {
        o->bytes.data[i] ^= (char)(1 << _i % 8);
        file_put(o->path, o->bytes.data, o->bytes.len);
        o->bytes.data[i] ^= (char)(1 << _i % 8);
        size_t hit = 0;
        while (i >= o->at[0] && o->at[hit + 1] <= i)
            hit++;
        uint64_t seq = 1 + (uint64_t)(_i / 8) * PER_FILE + hit;
        struct audit a = audited(true);
        ck_assert_msg(named(&a, BIT(AUDIT_ALTERED) | BIT(AUDIT_TRUNCATED), seq, 2) || i < o->at[0],
                      "byte %zu of file %d, seq %zu: %s", i, _i / 8, (size_t)seq, first_text(&a));
        ck_assert_msg(a.findings_total > 0, "byte %zu", i);
        if (i >= o->at[0])
            ck_assert_msg(a.records + 2 >= LAST, "byte %zu: %s", i, first_text(&a));
        audit_fini(&a);
    }
}
END_TEST

/* Records in this order instead of theirs; -1 = left out. */
static void write_order(const struct original *o, const int *order, size_t count)
{
    struct buf out = {0};
    buf_add(&out, o->bytes.data, o->at[0]);
    for (size_t i = 0; i < count; i++)
        if (order[i] >= 0)
            buf_add(&out, o->bytes.data + o->at[order[i]], o->at[order[i] + 1] - o->at[order[i]]);
    file_put(o->path, out.data, out.len);
    buf_fini(&out);
}

START_TEST(every_dropped_record_is_named)
{
    for (int drop = 0; drop < PER_FILE; drop++) {
        int order[PER_FILE];
        for (int i = 0; i < PER_FILE; i++)
            order[i] = i == drop ? -1 : i;
        write_order(&original[_i], order, PER_FILE);
        uint64_t seq = 1 + (uint64_t)_i * PER_FILE + (uint64_t)drop;
        struct audit a = audited(true);
        ck_assert_msg(named(&a, seq == LAST ? BIT(AUDIT_TRUNCATED) : BIT(AUDIT_DROPPED), seq, 1), "seq %zu: %s",
                      (size_t)seq, first_text(&a));
        ck_assert_uint_eq(a.findings_total, 1);
        audit_fini(&a);
    }
}
END_TEST

START_TEST(every_two_swapped_records_are_named)
{
    for (int x = 0; x < PER_FILE; x++)
        for (int y = x + 1; y < PER_FILE; y++) {
            int order[PER_FILE];
            for (int i = 0; i < PER_FILE; i++)
                order[i] = i == x ? y : i == y ? x : i;
            write_order(&original[_i], order, PER_FILE);
            uint64_t first = 1 + (uint64_t)_i * PER_FILE;
            struct audit a = audited(true);
            /* The last one of a file has no neighbour that could tell a stranger from a changed record. */
            unsigned last = y == PER_FILE - 1 ? BIT(AUDIT_ALTERED) : 0;
            ck_assert_msg(named(&a, BIT(AUDIT_SWAPPED), first + (uint64_t)x, PER_FILE) &&
                              named(&a, BIT(AUDIT_SWAPPED) | last, first + (uint64_t)y, PER_FILE),
                          "seq %zu and %zu: %s", (size_t)first + (size_t)x, (size_t)first + (size_t)y, first_text(&a));
            audit_fini(&a);
        }
}
END_TEST

START_TEST(a_record_put_in_twice_is_named)
{
    for (int twice = 0; twice < PER_FILE; twice++) {
        int order[PER_FILE + 1];
        for (int i = 0; i <= PER_FILE; i++)
            order[i] = i <= twice ? i : i - 1;
        write_order(&original[1], order, PER_FILE + 1);
        struct audit a = audited(true);
        ck_assert_msg(a.findings_total > 0, "record %d twice", twice);
        audit_fini(&a);
    }
}
END_TEST

/* The end of a file is cut at any byte: what is missing first is named. Of the last file a signed head tells. */
START_TEST(every_cut_end_is_named)
{
    const struct original *o = &original[_i];
    for (size_t len = o->at[0]; len < o->bytes.len; len++) {
        file_put(o->path, o->bytes.data, len);
        size_t whole = 0;
        while (o->at[whole + 1] <= len)
            whole++;
        uint64_t seq = 1 + (uint64_t)_i * PER_FILE + whole;
        struct audit a = audited(true);
        ck_assert_msg(named(&a, BIT(AUDIT_TRUNCATED) | BIT(AUDIT_DROPPED), seq, LAST), "cut at %zu, seq %zu: %s", len,
                      (size_t)seq, first_text(&a));
        audit_fini(&a);
    }
}
END_TEST

/* From one record on the history is another one, soundly chained to its end: whoever has the files can make it. */
static void forge_from(uint64_t from)
{
    uint8_t chain[SHA256_BYTES] = {0};
    for (size_t i = 0; i < FILES; i++) {
        const struct original *o = &original[i];
        struct journal_header h;
        size_t size;
        struct buf out = {0};
        uint8_t theirs[SHA256_BYTES];
        ck_assert_int_eq(journal_header_get((uint8_t *)o->bytes.data, o->bytes.len, &h, &size, NULL), 0);
        memcpy(theirs, h.chain, sizeof theirs);
        memcpy(h.chain, chain, sizeof h.chain);
        journal_header_put(&out, &h);
        for (size_t k = 0; k < PER_FILE; k++) {
            struct journal_record r;
            journal_record_get((uint8_t *)o->bytes.data + o->at[k], o->bytes.len - o->at[k], theirs, &r);
            if (r.seq == from)
                snprintf(r.refusal, sizeof r.refusal, "quota");
            journal_record_put(&out, &r, chain);
        }
        file_put(o->path, out.data, out.len);
        buf_fini(&out);
    }
}

START_TEST(a_history_made_anew_is_named_by_the_heads)
{
    for (uint64_t from = 1; from <= LAST; from++) {
        forge_from(from);
        struct audit a = audited(true), blind = audited(false);
        ck_assert_msg(named(&a, BIT(AUDIT_FORKED), from, PER_FILE + 1), "from seq %zu: %s", (size_t)from,
                      first_text(&a));
        ck_assert_uint_eq(a.findings_total, 1);
        ck_assert_uint_eq(a.heads_matched, (from - 1) / PER_FILE);
        ck_assert_uint_eq(blind.findings_total, 0); /* the chain alone says nothing: that is why there are heads */
        audit_fini(&a);
        audit_fini(&blind);
    }
}
END_TEST

/* With a copy beside it, exactly the record is named from which on history is another. */
START_TEST(a_copy_names_the_record_where_history_parts)
{
    char path[160];
    struct err err = {0};
    ck_assert_int_eq(dir_make(archive_dir, 0700, NULL), 0); /* serves as the copy here */
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s%s", archive_dir, strrchr(original[i].path, '/'));
        file_put(path, original[i].bytes.data, original[i].bytes.len);
    }
    for (uint64_t from = 1; from <= LAST; from++) {
        uint64_t upto = 0;
        forge_from(from);
        struct audit a = {.folder = journal_dir};
        ck_assert_int_eq(audit_read(&a, NULL), 0);
        ck_assert_uint_eq(a.findings_total, 0);
        ck_assert_msg(audit_against(&a, archive_dir, &upto, &err) == 0, "%s", err_text(&err));
        ck_assert_msg(named(&a, BIT(AUDIT_FORKED), from, 1), "from seq %zu: %s", (size_t)from, first_text(&a));
        ck_assert_uint_eq(upto, LAST);
        audit_fini(&a);
    }
    for (size_t i = 0; i < FILES; i++)
        restore(i);
    ck_assert_int_eq(unlink(original[2].path), 0);
    struct audit a = {.folder = journal_dir};
    uint64_t upto = 0;
    ck_assert_int_eq(audit_read(&a, NULL), 0);
    ck_assert_int_eq(audit_against(&a, archive_dir, &upto, &err), 0);
    ck_assert_msg(named(&a, BIT(AUDIT_TRUNCATED), 13, PER_FILE), "%s", first_text(&a));
    ck_assert_int_eq(audit_against(&a, scratch.dir, &upto, &err), -ENOENT);
    audit_fini(&a);
}
END_TEST

START_TEST(two_damages_are_two_findings)
{
    struct original *o = &original[0];
    o->bytes.data[o->at[1] + 30] ^= 1;
    o->bytes.data[o->at[4] + 30] ^= 1;
    file_put(o->path, o->bytes.data, o->bytes.len);
    struct audit a = audited(true);
    ck_assert_uint_eq(a.findings_total, 2);
    ck_assert(named(&a, BIT(AUDIT_ALTERED), 2, 1));
    ck_assert(named(&a, BIT(AUDIT_ALTERED), 5, 1));
    ck_assert_uint_eq(a.heads_matched, FILES); /* what is behind is still what was signed */
    audit_fini(&a);
}
END_TEST

START_TEST(missing_renamed_and_doubled_files_are_named)
{
    char other[140];
    ck_assert_int_eq(unlink(original[1].path), 0);
    struct audit a = audited(true);
    ck_assert_msg(named(&a, BIT(AUDIT_DROPPED), 7, PER_FILE) && named(&a, BIT(AUDIT_DROPPED), 12, PER_FILE), "%s",
                  first_text(&a));
    audit_fini(&a);
    /* Two files under each other's names. */
    file_put(original[0].path, original[1].bytes.data, original[1].bytes.len);
    file_put(original[1].path, original[0].bytes.data, original[0].bytes.len);
    a = audited(true);
    ck_assert_msg(named(&a, BIT(AUDIT_SWAPPED), 1, 1) && named(&a, BIT(AUDIT_SWAPPED), 7, 1), "%s", first_text(&a));
    ck_assert_uint_eq(a.records, LAST);
    audit_fini(&a);
    restore(0);
    restore(1);
    /* A second one of the same name in the archive: whichever is true, it is said. */
    ck_assert_int_eq(dir_make(archive_dir, 0700, NULL), 0);
    snprintf(other, sizeof other, "%s%s", archive_dir, strrchr(original[1].path, '/'));
    file_put(other, original[1].bytes.data, original[1].bytes.len);
    a = audited(true);
    ck_assert_msg(named(&a, BIT(AUDIT_FORKED), 7, PER_FILE), "%s", first_text(&a));
    audit_fini(&a);
    /* The last one gone: only a head knows. */
    ck_assert_int_eq(unlink(other), 0);
    ck_assert_int_eq(unlink(original[2].path), 0);
    a = audited(true);
    ck_assert_msg(named(&a, BIT(AUDIT_TRUNCATED), 13, PER_FILE), "%s", first_text(&a));
    audit_fini(&a);
}
END_TEST

START_TEST(the_archive_is_a_part_of_it)
{
    char moved[140];
    ck_assert_int_eq(dir_make(archive_dir, 0700, NULL), 0);
    snprintf(moved, sizeof moved, "%s%s", archive_dir, strrchr(original[0].path, '/'));
    ck_assert_int_eq(rename(original[0].path, moved), 0);
    struct audit a = audited(true);
    ck_assert_msg(a.findings_total == 0, "%s", first_text(&a));
    ck_assert_uint_eq(a.records, LAST);
    audit_fini(&a);
    ck_assert_int_eq(unlink(moved), 0); /* pruned without an archive: it begins later, and says where */
    a = audited(true);
    ck_assert_msg(a.findings_total == 0, "%s", first_text(&a));
    ck_assert_uint_eq(a.first, 7);
    audit_fini(&a);
}
END_TEST

START_TEST(a_torn_tail_that_nothing_signed_is_no_finding)
{
    const struct original *o = &original[2];
    for (size_t len = o->at[4] + 1; len < o->at[5]; len++) {
        file_put(o->path, o->bytes.data, len);
        struct audit a = audited(false);
        ck_assert_msg(a.findings_total == 0, "%s", first_text(&a));
        ck_assert_uint_eq(a.torn_bytes, len - o->at[4]);
        ck_assert_uint_eq(a.last, 16);
        audit_fini(&a);
    }
}
END_TEST

/* ---- heads ---- */
START_TEST(heads_that_nobody_trusted_signed_are_named)
{
    struct buf lines = {0};
    struct audit a = {.folder = journal_dir, .keys_count = 1};
    struct sign_key *other = NULL;
    char path[160];
    CLEANUP(close_p) int folder = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memcpy(a.keys[0], sign_key_public(key), SIGN_KEY_BYTES);
    ck_assert_int_eq(sign_key_open(&other, folder, "other", NULL), 0);
    snprintf(path, sizeof path, "%s/elsewhere", scratch.dir);
    head_write(path, &(struct journal_point){.seq = 6}, other);
    ck_assert_int_eq(file_read(heads_path, 1 << 20, &lines, NULL), 0);
    strstr(lines.data, "seq=6")[4] = '7';
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_eq(fd_write_all(fd, lines.data, lines.len), 0);
    ck_assert_int_eq(fd_write_all(fd, "hello\n", 6), 0);
    close(fd);
    ck_assert_int_eq(audit_heads_add(&a, path, true, NULL), 0);
    ck_assert_uint_eq(a.findings_total, 3);
    ck_assert_ptr_nonnull(strstr(first_text(&a), "another key"));
    ck_assert(named(&a, BIT(AUDIT_FORGED), 7, 1));
    ck_assert_int_eq(audit_read(&a, NULL), 0);
    ck_assert_uint_eq(a.elsewhere_matched, 2);
    ck_assert_uint_eq(a.elsewhere_newest, LAST);
    audit_fini(&a);
    buf_fini(&lines);
    sign_key_free(other);
}
END_TEST

START_TEST(two_signed_heads_of_one_seq_are_a_fork)
{
    struct journal_point p = {.seq = 12};
    head_write(heads_path, &p, key);
    struct audit a = audited(true);
    ck_assert_msg(named(&a, BIT(AUDIT_FORKED), 12, 1), "%s", first_text(&a));
    audit_fini(&a);
}
END_TEST

START_TEST(an_empty_folder_is_told)
{
    struct audit a = {.folder = scratch.dir};
    struct err err = {0};
    ck_assert_int_eq(audit_read(&a, &err), -ENOENT);
    audit_fini(&a);
    a = (struct audit){.folder = "/nowhere/at/all"};
    ck_assert_int_eq(audit_read(&a, &err), -ENOENT);
    audit_fini(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/audit");
    TCase *t = tcase_create("audit");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_untouched_journal_has_no_findings);
    tcase_add_loop_test(t, every_flipped_bit_is_named, 0, FILES * 8);
    tcase_add_loop_test(t, every_dropped_record_is_named, 0, FILES);
    tcase_add_loop_test(t, every_two_swapped_records_are_named, 0, FILES);
    tcase_add_test(t, a_record_put_in_twice_is_named);
    tcase_add_loop_test(t, every_cut_end_is_named, 0, FILES);
    tcase_add_test(t, a_history_made_anew_is_named_by_the_heads);
    tcase_add_test(t, a_copy_names_the_record_where_history_parts);
    tcase_add_test(t, two_damages_are_two_findings);
    tcase_add_test(t, missing_renamed_and_doubled_files_are_named);
    tcase_add_test(t, the_archive_is_a_part_of_it);
    tcase_add_test(t, a_torn_tail_that_nothing_signed_is_no_finding);
    tcase_add_test(t, heads_that_nobody_trusted_signed_are_named);
    tcase_add_test(t, two_signed_heads_of_one_seq_are_a_fork);
    tcase_add_test(t, an_empty_folder_is_told);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
