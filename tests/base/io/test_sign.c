/*
 * The cell's key and the heads signed with it: a line is what was signed, to the last bit.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io/fd.h"
#include "base/io/sign.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static int folder;

static void set_up(void)
{
    scratch = scratch_new();
    folder = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
}

static void tear_down(void)
{
    close_p(&folder);
    scratch_remove(&scratch);
}

static struct sign_key *key_open(void)
{
    struct sign_key *k = NULL;
    struct err err = {0};
    ck_assert_msg(sign_key_open(&k, folder, "journal", &err) == 0, "%s", err_text(&err));
    return k;
}

static struct journal_head head_signed(const struct sign_key *k, struct buf *line)
{
    struct journal_head h = {.cell = "default", .seq = 812, .at_utc_us = INT64_C(1795000000123456)};
    memset(h.chain, 0xa7, sizeof h.chain);
    memcpy(h.key, sign_key_public(k), sizeof h.key);
    journal_head_put(line, &h);
    ck_assert_int_eq(sign_make(k, line->data, line->len, h.sig, NULL), 0);
    journal_head_put_sig(line, &h);
    ck_assert_uint_lt(line->len, JOURNAL_HEAD_MAX);
    return h;
}

/* Is it a head, of this key, well signed? */
static bool line_holds(const char *line, size_t len, const uint8_t key[SIGN_KEY_BYTES], struct journal_head *ret)
{
    size_t signed_len = 0;
    return journal_head_get(line, len, ret, &signed_len, NULL) == 0 && memcmp(ret->key, key, SIGN_KEY_BYTES) == 0 &&
           sign_check(ret->key, line, signed_len, ret->sig);
}

START_TEST(the_first_start_makes_a_key_and_the_next_finds_it)
{
    struct stat st;
    uint8_t public[SIGN_KEY_BYTES];
    struct sign_key *k = key_open(), *again = key_open();
    ck_assert_mem_eq(sign_key_public(k), sign_key_public(again), SIGN_KEY_BYTES);
    ck_assert_int_eq(fstatat(folder, "journal.key", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(fstatat(folder, "journal.pub", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0644);
    ck_assert_int_eq(sign_public_read(scratch_path(&scratch, "journal.pub"), public, NULL), 0);
    ck_assert_mem_eq(sign_key_public(k), public, SIGN_KEY_BYTES);
    /* The public half comes back from the private one. */
    ck_assert_int_eq(unlinkat(folder, "journal.pub", 0), 0);
    sign_key_free(key_open());
    ck_assert_int_eq(sign_public_read(scratch_path(&scratch, "journal.pub"), public, NULL), 0);
    ck_assert_mem_eq(sign_key_public(k), public, SIGN_KEY_BYTES);
    sign_key_free(k);
    sign_key_free(again);
}
END_TEST

START_TEST(a_key_that_others_may_read_or_that_is_none_is_refused)
{
    struct sign_key *k = NULL;
    struct err err = {0};
    sign_key_free(key_open());
    ck_assert_int_eq(fchmodat(folder, "journal.key", 0640, 0), 0);
    ck_assert_int_eq(sign_key_open(&k, folder, "journal", &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "chmod 600"));
    int fd = openat(folder, "journal.key", O_WRONLY | O_TRUNC | O_CLOEXEC);
    ck_assert_int_eq(fd_write_all(fd, "-----BEGIN NOTHING-----\n", 24), 0);
    ck_assert_int_eq(fchmod(fd, 0600), 0);
    close(fd);
    ck_assert_int_eq(sign_key_open(&k, folder, "journal", &err), -EBADMSG);
    ck_assert_int_eq(sign_public_read(scratch_path(&scratch, "journal.key"), (uint8_t[SIGN_KEY_BYTES]){0}, NULL),
                     -EBADMSG);
    ck_assert_int_eq(sign_public_read(scratch_path(&scratch, "none"), (uint8_t[SIGN_KEY_BYTES]){0}, NULL), -ENOENT);
}
END_TEST

START_TEST(a_head_comes_back_as_it_was_signed)
{
    struct sign_key *k = key_open();
    CLEANUP(buf_fini) struct buf line = {0};
    struct journal_head was = head_signed(k, &line), is = {.seq = 0};
    ck_assert(line_holds(buf_text(&line), line.len, sign_key_public(k), &is));
    ck_assert_mem_eq(&was, &is, sizeof was);
    sign_key_free(k);
}
END_TEST

/* Any bit of a line changed, any byte of its end missing, anything behind it: it no longer holds. */
START_TEST(a_changed_line_no_longer_holds)
{
    struct sign_key *k = key_open();
    CLEANUP(buf_fini) struct buf line = {0};
    struct journal_head h = {.seq = 0};
    head_signed(k, &line);
    for (size_t i = 0; i < line.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            line.data[i] ^= (char)(1 << bit);
            ck_assert_msg(!line_holds(line.data, line.len, sign_key_public(k), &h), "bit %d of byte %zu", bit, i);
            line.data[i] ^= (char)(1 << bit);
        }
    for (size_t len = 0; len < line.len; len++)
        ck_assert(!line_holds(line.data, len, sign_key_public(k), &h));
    buf_add_str(&line, " ");
    ck_assert(!line_holds(line.data, line.len, sign_key_public(k), &h));
    sign_key_free(k);
}
END_TEST

START_TEST(another_keys_signature_is_not_ours)
{
    struct sign_key *k = key_open(), *other = NULL;
    CLEANUP(buf_fini) struct buf line = {0};
    struct journal_head h = {.seq = 0};
    ck_assert_int_eq(sign_key_open(&other, folder, "other", NULL), 0);
    head_signed(other, &line);
    ck_assert(line_holds(line.data, line.len, sign_key_public(other), &h));
    ck_assert(!line_holds(line.data, line.len, sign_key_public(k), &h));
    sign_key_free(k);
    sign_key_free(other);
}
END_TEST

START_TEST(heads_of_other_versions_and_no_heads_are_told_apart)
{
    static const struct {
        const char *line;
        int code;
    } rows[] = {
        {"", -EBADMSG},
        {"reeve-head", -EBADMSG},
        {"reeve-head v=2 cell=x anything else", -EPROTONOSUPPORT},
        {"reeve-head v=1 cell= seq=1 at=2026-11-26T14:00:00Z chain= key= sig=", -EBADMSG},
        {"reeve-head v=1 cell=x seq=0 at=2026-11-26T14:00:00Z chain= key= sig=", -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct journal_head h;
        size_t len;
        ck_assert_int_eq(journal_head_get(rows[i].line, strlen(rows[i].line), &h, &len, NULL), rows[i].code);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sign");
    TCase *t = tcase_create("sign");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, the_first_start_makes_a_key_and_the_next_finds_it);
    tcase_add_test(t, a_key_that_others_may_read_or_that_is_none_is_refused);
    tcase_add_test(t, a_head_comes_back_as_it_was_signed);
    tcase_add_test(t, a_changed_line_no_longer_holds);
    tcase_add_test(t, another_keys_signature_is_not_ours);
    tcase_add_test(t, heads_of_other_versions_and_no_heads_are_told_apart);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
