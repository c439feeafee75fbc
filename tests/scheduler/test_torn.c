/*
 * The append-only file cut at every byte of its tail, and both files cut: what comes back is a prefix of the journal,
 * never half an entry, and recovery makes it whole as far as either copy reaches.
 * REEVE_TORN_ALL: each byte of the last 4 KiB (make test-crash); else the last entry's, and some before.
 */
#include <fcntl.h>

#include "scheduler/recount.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/cell.h"

enum { TAIL_BYTES = 4096, NEAR_BYTES = 40, STRIDE = 97, BOTH = 8 };

struct file {
    char path[400];
    struct buf bytes;
};

static struct file aof, journal;

static void put(const struct file *f, size_t len)
{
    file_put(f->path, f->bytes.data, len);
}

static void keep(struct file *f)
{
    f->bytes = (struct buf){0};
    ck_assert_int_eq(file_read(f->path, 16 << 20, &f->bytes, NULL), 0);
}

/* A cell that has lived, and lives no more. */
static void left_behind(void)
{
    char name[NUMBERED_NAME_MAX];
    cell_down(&cell, false);
    redis_stop(&cell.redis);
    snprintf(aof.path, sizeof aof.path, "%s/appendonlydir/appendonly.aof.1.incr.aof", cell.redis.dir);
    snprintf(journal.path, sizeof journal.path, "%s/%s", cell.journal_dir, numbered_name("journal", 1, name));
    keep(&aof);
    keep(&journal);
}

static uint64_t redis_seq(void)
{
    struct store_sync *s = NULL;
    struct store_status status;
    ASK_STORE(store_sync_open(&s, cell.redis.url, CELL, NULL));
    ASK_STORE(store_status(s, &status, NULL));
    store_sync_close(s);
    return status.seq;
}

/* Counters, holds and the stream stand at one entry, and say what the journal says there. */
static uint64_t is_a_prefix(size_t len, int folder)
{
    struct verify_reply reply = {0};
    struct err err = {0};
    struct recount_call call = {folder, -1, cell.redis.url, CELL, 0};
    int rc = -ETIMEDOUT;
    while (rc == -ETIMEDOUT) /* as ASK_STORE() */
        rc = recount_run(&call, &reply, &err);
    ck_assert_msg(rc == 0, "cut at %zu: %s", len, err_text(&err));
    ck_assert_msg(reply.differences_total == 0, "cut at %zu: %s", len, reply.differences.v[0]);
    uint64_t seq = reply.seq;
    fields_clear(&verify_reply_fields, &reply);
    return seq;
}

static bool wanted(size_t len, size_t whole)
{
    return getenv("REEVE_TORN_ALL") != NULL || whole - len <= NEAR_BYTES || len % STRIDE == 0;
}

START_TEST(an_append_only_file_cut_anywhere_is_a_prefix)
{
    struct state before = state_of(&cell);
    left_behind();
    CLEANUP(close_p) int folder = open(cell.journal_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t whole = aof.bytes.len, from = whole > TAIL_BYTES ? whole - TAIL_BYTES : 0;
    uint64_t least = UINT64_MAX, last = 0;
    for (size_t len = from; len <= whole; len++) {
        if (!wanted(len, whole))
            continue;
        put(&aof, len);
        redis_start(&cell.redis, cell.scratch.dir);
        uint64_t seq = is_a_prefix(len, folder);
        ck_assert_uint_ge(seq, last); /* more bytes, no less history */
        ck_assert_uint_eq(seq, redis_seq());
        least = MIN(least, seq);
        last = seq;
        redis_stop(&cell.redis);
    }
    ck_assert_uint_eq(last, before.seq);
    ck_assert_uint_lt(least, before.seq);
    /* And from the shortest one everything comes back. */
    put(&aof, from);
    redis_start(&cell.redis, cell.scratch.dir);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    struct state now = state_of(&cell);
    ck_assert_int_eq(now.spent, before.spent);
    ck_assert_int_eq(now.held, before.held);
    ck_assert_uint_eq(now.live, before.live);
    books_agree(&cell);
    buf_fini(&aof.bytes);
    buf_fini(&journal.bytes);
}
END_TEST

/* Both copies lost their tails: what one of them still has is the history, and life goes on from there. */
START_TEST(both_files_cut_come_back_to_the_longer_one)
{
    uint64_t seed = random_seed("torn");
    left_behind();
    for (int round = 0; round < BOTH; round++) {
        size_t aof_len = aof.bytes.len - random_below(&seed, 2000);
        size_t journal_len = journal.bytes.len - random_below(&seed, 2000);
        put(&aof, aof_len);
        put(&journal, journal_len);
        redis_start(&cell.redis, cell.scratch.dir);
        uint64_t redis = redis_seq();
        ck_assert_msg(cell_up(&cell) == 0, "%zu and %zu: %s", aof_len, journal_len, cell.why);
        struct turn_stats s;
        turn_stats(cell.turn, &s);
        ck_assert_uint_gt(s.seq, redis); /* none that Redis had is gone; a term more */
        uint64_t seq = is_a_prefix(aof_len, journal_folder(cell.journal));
        ck_assert_uint_eq(seq, journal_seq(cell.journal));
        books_agree(&cell);
        cell_down(&cell, false);
        redis_stop(&cell.redis);
    }
    buf_fini(&aof.bytes);
    buf_fini(&journal.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torn");
    TCase *t = tcase_create("torn");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, getenv("REEVE_TORN_ALL") != NULL ? 3600 : 120);
    tcase_add_test(t, an_append_only_file_cut_anywhere_is_a_prefix);
    tcase_add_test(t, both_files_cut_come_back_to_the_longer_one);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
