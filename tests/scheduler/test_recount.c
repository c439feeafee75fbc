/*
 * The recount: what the journal's files say beside what Redis has. Whatever is changed in either is named.
 */
#include <fcntl.h>

#include "quotas/store/store_sync.h"
#include "scheduler/recount.h"
#include "tests/run.h"
#include "tests/scheduler/cell.h"

static struct verify_reply recounted(int archive)
{
    struct verify_reply reply = {0};
    struct err err = {0};
    struct recount_call call = {journal_folder(cell.journal), archive, cell.redis.url, CELL, 0};
    ck_assert_msg(recount_run(&call, &reply, &err) == 0, "%s", err_text(&err));
    return reply;
}

static void agrees(int archive, uint64_t from_seq)
{
    struct verify_reply r = recounted(archive);
    ck_assert_msg(r.differences_total == 0, "%s", r.differences.v[0]);
    ck_assert_uint_eq(r.from_seq, from_seq);
    ck_assert_uint_eq(r.seq, journal_seq(cell.journal));
    ck_assert_uint_ge(r.accounts, 2);
    ck_assert_uint_ge(r.tenants, 2);
    ck_assert_uint_eq(r.holds, state_of(&cell).live);
    ck_assert_str_eq(r.currency, "EUR");
    fields_clear(&verify_reply_fields, &r);
}

/* Some difference says all of it; *ret_total: how many there are. */
static void differs_in(const char *what)
{
    struct verify_reply r = recounted(-1);
    bool said = false;
    for (size_t i = 0; i < r.differences.count; i++)
        said = said || strstr(r.differences.v[i], what) != NULL;
    ck_assert_msg(said, "'%s' is not said; %zu differences, the first: %s", what, r.differences.count,
                  r.differences.count > 0 ? r.differences.v[0] : "-");
    fields_clear(&verify_reply_fields, &r);
}

static struct store_sync *redis_open(void)
{
    struct store_sync *s = NULL;
    ASK_STORE(store_sync_open(&s, cell.redis.url, CELL, NULL));
    return s;
}

static redisReply *redis_do(struct store_sync *s, const char *const *words)
{
    redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, words), 0);
    ck_assert_int_eq(store_sync_call(s, &r, NULL), 0);
    ck_assert_int_ne(r->type, REDIS_REPLY_ERROR);
    return r;
}
#define REDIS(s, ...) freeReplyObject(redis_do(s, (const char *const[]){__VA_ARGS__, NULL}))

static void redis_set(struct store_sync *s, const char *key, const char *field, const char *bytes, size_t len)
{
    redisReply *done = NULL;
    store_call_begin(&s->call);
    store_call_arg(&s->call, key);
    store_call_arg(&s->call, field);
    store_call_argn(&s->call, bytes, len);
    ck_assert_int_eq(store_call_end(&s->call, "HSET", NULL, false), 0);
    ck_assert_int_eq(store_sync_call(s, &done, NULL), 0);
    freeReplyObject(done);
}

/* One of the packed numbers of a field, and one more. */
static void number_grow(struct store_sync *s, const char *field, size_t index)
{
    redisReply *r = redis_do(s, (const char *const[]){"HGET", "reeve3:{test}:c", field, NULL});
    ck_assert_int_eq(r->type, REDIS_REPLY_STRING);
    ck_assert_uint_gt(r->len, 8 * index);
    r->str[8 * index]++;
    redis_set(s, "reeve3:{test}:c", field, r->str, r->len);
    freeReplyObject(r);
}

/* A hold that has spent nothing and holds so much. */
static void hold_set(struct store_sync *s, const char *id, int64_t held)
{
    CLEANUP(buf_fini) struct buf text = {0};
    store_pack_i64(&text, 0);
    store_pack_i64(&text, held);
    redis_set(s, "reeve3:{test}:h", id, text.data, text.len);
}

START_TEST(a_cell_that_was_left_alone_agrees)
{
    agrees(-1, 1);
    live(&cell, 100, 130);
    agrees(-1, 1);
}
END_TEST

START_TEST(it_begins_with_a_snapshot_where_the_files_do)
{
    cell_down(&cell, true); /* writes one */
    ck_assert_int_eq(cell_up(&cell), 0);
    uint64_t at = journal_seq(cell.journal);
    ck_assert_int_eq(journal_rotate(cell.journal, NULL), 0);
    live(&cell, 100, 105);
    /* Only a segment that the snapshot reaches may go: the one before `at + 1` ends behind it. */
    cell_down(&cell, true);
    ck_assert_int_eq(cell_up(&cell), 0);
    ck_assert_int_eq(journal_prune(cell.journal, at + 1, NULL), 0);
    ck_assert_uint_gt(journal_first_seq(cell.journal), 1);
    struct verify_reply r = recounted(-1);
    ck_assert_msg(r.differences_total == 0, "%s", r.differences.v[0]);
    ck_assert_uint_gt(r.from_seq, 1);
    fields_clear(&verify_reply_fields, &r);
}
END_TEST

START_TEST(with_an_archive_it_begins_at_the_first_entry)
{
    char path[160];
    snprintf(path, sizeof path, "%s/archive", cell.scratch.dir);
    ck_assert_int_eq(dir_make(path, 0700, NULL), 0);
    CLEANUP(close_p) int archive = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(journal_archive(cell.journal, archive, NULL), 0);
    ck_assert_int_eq(journal_rotate(cell.journal, NULL), 0);
    live(&cell, 100, 105);
    ck_assert_int_eq(journal_prune(cell.journal, UINT64_MAX, NULL), 0);
    ck_assert_uint_gt(journal_first_seq(cell.journal), 1);
    agrees(archive, 1);
}
END_TEST

START_TEST(what_redis_has_otherwise_is_named)
{
    static const struct {
        const char *field;
        size_t index;
        const char *said;
    } numbers[] = {
        {"a:/@total", 1, "account /@total: Redis has limit none spent"},
        {"a:/@total", 2, "account /@total: Redis has limit none spent"},
        {"t:acme", 0, "tenant acme: Redis has queued"},
        {"t:acme", 1, "tenant acme: Redis has running"},
        {"t:acme", 2, "tenant acme: Redis has cpu"},
        {"t:/", 3, "tenant /: Redis has memory"},
    };
    struct store_sync *s = redis_open();
    number_grow(s, numbers[_i].field, numbers[_i].index);
    differs_in(numbers[_i].said);
    store_sync_close(s);
}
END_TEST

START_TEST(what_redis_lost_or_made_up_is_named)
{
    struct store_sync *s = redis_open();
    redisReply *holds = redis_do(s, (const char *const[]){"HKEYS", "reeve3:{test}:h", NULL});
    ck_assert_uint_gt(holds->elements, 0);
    char said[100];
    hold_set(s, holds->element[0]->str, 1);
    snprintf(said, sizeof said, "hold %s: Redis has spent 0 held 1", holds->element[0]->str);
    differs_in(said);
    REDIS(s, "HDEL", "reeve3:{test}:h", holds->element[0]->str);
    differs_in("holds, Redis has");
    hold_set(s, "777777.0.1", 5);
    differs_in("hold 777777.0.1: Redis has it, the journal has not");
    REDIS(s, "SREM", "reeve3:{test}:as", "/@total");
    differs_in("account /@total: the journal has limit none");
    REDIS(s, "SADD", "reeve3:{test}:as", "nobody@2026-11");
    differs_in("account nobody@2026-11: Redis has it, the journal has not");
    REDIS(s, "HDEL", "reeve3:{test}:c", "t:acme");
    differs_in("tenant acme: the journal has it, Redis has not");
    freeReplyObject(holds);
    store_sync_close(s);
}
END_TEST

START_TEST(a_damaged_file_is_told_and_nothing_is_compared)
{
    char path[256], name[NUMBERED_NAME_MAX];
    struct verify_reply reply = {0};
    struct err err = {0};
    struct recount_call call = {journal_folder(cell.journal), -1, cell.redis.url, CELL, 0};
    snprintf(path, sizeof path, "%s/%s", cell.journal_dir, numbered_name("journal", 1, name));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;
    ck_assert_int_eq(pread(fd, &byte, 1, 400), 1);
    byte ^= 4;
    ck_assert_int_eq(pwrite(fd, &byte, 1, 400), 1);
    close(fd);
    ck_assert_int_eq(recount_run(&call, &reply, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "damaged at offset"));
}
END_TEST

/* The file ends before what Redis has: said, after the time that it may lag. */
START_TEST(redis_that_is_ahead_of_the_file_for_good_is_told)
{
    struct verify_reply reply = {0};
    struct err err = {0};
    struct store_sync *s = redis_open();
    REDIS(s, "HSET", "reeve3:{test}:c", "seq", "100000");
    struct recount_call call = {journal_folder(cell.journal), -1, cell.redis.url, CELL, 100};
    ck_assert_int_eq(recount_run(&call, &reply, &err), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "Redis has entry 100000"));
    store_sync_close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recount");
    TCase *t = tcase_create("recount");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_cell_that_was_left_alone_agrees);
    tcase_add_test(t, it_begins_with_a_snapshot_where_the_files_do);
    tcase_add_test(t, with_an_archive_it_begins_at_the_first_entry);
    tcase_add_loop_test(t, what_redis_has_otherwise_is_named, 0, 6);
    tcase_add_test(t, what_redis_lost_or_made_up_is_named);
    tcase_add_test(t, a_damaged_file_is_told_and_nothing_is_compared);
    tcase_add_test(t, redis_that_is_ahead_of_the_file_for_good_is_told);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
