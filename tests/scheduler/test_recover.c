/*
 * Recovery: whatever becomes of either copy of the journal, the state that comes back is the one that was, and the
 * books in Redis agree with it. Against a real redis-server.
 */
#include "tests/run.h"
#include "tests/scheduler/cell.h"

/* The same jobs, money and live attempts; a term more. */
static void came_back(struct cell *c, const struct state *before)
{
    struct state now = state_of(c);
    ck_assert_uint_gt(now.seq, before->seq);
    ck_assert_int_eq(now.spent, before->spent);
    ck_assert_int_eq(now.held, before->held);
    ck_assert_uint_eq(now.live, before->live);
    books_agree(c);
    struct core_stats then, after;
    core_stats(c->core, &then);
    post(c, check_submit, 1); /* the key is still known: by the core, or by the store alone. It makes no second job */
    settle(c);
    core_stats(c->core, &after);
    ck_assert_uint_eq(after.jobs + after.finished, then.jobs + then.finished);
    live(c, 1000 + now.seq, 1003 + now.seq); /* and life goes on */
    books_agree(c);
}

static void flush_redis(void)
{
    struct store_sync *store = NULL;
    ck_assert_int_eq(store_sync_open(&store, cell.redis.url, CELL, NULL), 0);
    ck_assert_int_eq(store_wipe(store, NULL), 0);
    store_sync_close(store);
}

static void shell(const char *command)
{
    int status = -1;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void newest_segment(char out[256])
{
    uint64_t *seqs = NULL;
    size_t count = 0;
    char name[NUMBERED_NAME_MAX];
    ck_assert_int_eq(numbered_list(journal_folder(cell.journal), "journal", &seqs, &count, NULL), 0);
    ck_assert_uint_gt(count, 0);
    numbered_name("journal", seqs[count - 1], name);
    free(seqs);
    snprintf(out, 256, "%s/%s", cell.journal_dir, name);
}

/* ---- cases ---- */
START_TEST(nothing_lost_after_a_crash)
{
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(nothing_lost_after_a_clean_stop)
{
    struct state before = state_of(&cell);
    cell_down(&cell, true);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    ck_assert_uint_eq(cell.files.snapshot_seq, before.seq);
    ck_assert_uint_eq(cell.files.replayed, 0);
    came_back(&cell, &before);
}
END_TEST

/* By half of its entries, and by the last one. */
START_TEST(a_shorter_file_is_filled_from_redis)
{
    struct state before = state_of(&cell);
    char path[256];
    struct stat st;
    newest_segment(path);
    cell_down(&cell, false);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, _i == 0 ? st.st_size * 2 / 3 : st.st_size - 1), 0); /* in a record */
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(a_lost_file_is_rebuilt_from_redis)
{
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    ck_assert_int_eq(dir_remove(cell.journal_dir, NULL), 0);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(a_wiped_redis_is_rebuilt_from_the_file)
{
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    flush_redis();
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(a_wiped_redis_is_rebuilt_from_snapshot_and_tail)
{
    cell_down(&cell, true);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    live(&cell, 100, 110);
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    flush_redis();
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

/* As a cell does by itself every TURN_SNAPSHOT_EVERY entries: a new segment, a snapshot, and what lies behind goes once
 * it is archived. */
static void forget_what_is_archived(const char *age)
{
    struct err err = {0};
    char command[300];
    live(&cell, 100, 1200);
    uint64_t seq = journal_seq(cell.journal);
    ck_assert_int_eq(journal_rotate(cell.journal, &err), 0);
    cell_down(&cell, true);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    ck_assert_uint_eq(cell.files.snapshot_seq, seq);
    snprintf(command, sizeof command, "touch -d '%s' %s/snapshot-*", age, cell.journal_dir);
    shell(command);
    turn_archived(cell.turn, seq);
}

/* Job 1 ended before the snapshot. Its key is good for another day, whatever becomes of Redis. */
START_TEST(the_keys_of_ended_jobs_outlive_redis)
{
    forget_what_is_archived("23 hours ago");
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    flush_redis();
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(what_is_old_and_archived_is_forgotten)
{
    forget_what_is_archived("25 hours ago");
    ck_assert_uint_eq(journal_first_seq(cell.journal), cell.files.snapshot_seq + 1);
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    flush_redis();
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why); /* from the snapshot alone */
    ck_assert_int_eq(state_of(&cell).spent, before.spent);
    books_agree(&cell);
}
END_TEST

/* What a failover to a lagging replica does: an older state of Redis is suddenly the state. */
START_TEST(a_redis_that_went_back_is_brought_up)
{
    char command[600];
    cell_down(&cell, false);
    redis_stop(&cell.redis);
    snprintf(command, sizeof command, "cp -r %s/appendonlydir %s/kept", cell.scratch.dir, cell.scratch.dir);
    shell(command);
    redis_start(&cell.redis, cell.scratch.dir);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    live(&cell, 100, 110);
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    redis_stop(&cell.redis);
    snprintf(command, sizeof command, "rm -r %s/appendonlydir && mv %s/kept %s/appendonlydir", cell.scratch.dir,
             cell.scratch.dir, cell.scratch.dir);
    shell(command);
    redis_start(&cell.redis, cell.scratch.dir);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    came_back(&cell, &before);
}
END_TEST

START_TEST(redis_restarted_while_running_goes_on_by_itself)
{
    redis_stop(&cell.redis);
    redis_start(&cell.redis, cell.scratch.dir);
    live(&cell, 100, 104);
    books_agree(&cell);
}
END_TEST

START_TEST(redis_wiped_while_running_is_rebuilt)
{
    redis_stop(&cell.redis);
    char command[300];
    snprintf(command, sizeof command, "rm -r %s/appendonlydir", cell.scratch.dir);
    shell(command);
    redis_start(&cell.redis, cell.scratch.dir);
    live(&cell, 100, 104);
    books_agree(&cell);
}
END_TEST

START_TEST(books_that_differ_are_rebuilt)
{
    struct state before = state_of(&cell);
    cell_down(&cell, false);
    /* More spent by one millionth than anybody knows of; or an account that is gone. */
    static const char *const changes[] = {
        "eval \"local l, s, h = struct.unpack('<i8i8i8', redis.call('HGET', KEYS[1], ARGV[1])) "
        "redis.call('HSET', KEYS[1], ARGV[1], struct.pack('<i8i8i8', l, s + 1, h))\" 1",
        "hdel",
    };
    char command[800];
    snprintf(command, sizeof command,
             "redis-cli -s %s --raw hkeys 'reeve3:{test}:c' | grep '^a:acme' | while read f; do "
             "redis-cli -s %s %s 'reeve3:{test}:c' \"$f\"; done >/dev/null",
             cell.redis.socket, cell.redis.socket, changes[_i]);
    shell(command);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    struct turn_stats stats;
    turn_stats(cell.turn, &stats);
    ck_assert_uint_eq(stats.rebuilds_total, 1);
    came_back(&cell, &before);
}
END_TEST

START_TEST(no_file_and_a_trimmed_redis_is_refused)
{
    struct store_sync *store = NULL;
    cell_down(&cell, false);
    ck_assert_int_eq(store_sync_open(&store, cell.redis.url, CELL, NULL), 0);
    ck_assert_int_eq(store_trim(store, 5, NULL), 0);
    store_sync_close(store);
    ck_assert_int_eq(dir_remove(cell.journal_dir, NULL), 0);
    ck_assert_int_ne(cell_up(&cell), 0);
    ck_assert_ptr_nonnull(strstr(cell.why, "in neither copy"));
}
END_TEST

START_TEST(copies_that_tell_different_stories_are_refused)
{
    char other[160], command[700];
    cell_down(&cell, false);
    snprintf(other, sizeof other, "%s/other", cell.scratch.dir);
    snprintf(command, sizeof command, "mv %s %s", cell.journal_dir, other);
    shell(command);
    flush_redis();
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why); /* a new cell under the same name */
    live(&cell, 1, 20);
    cell_down(&cell, false);
    snprintf(command, sizeof command, "rm -r %s && mv %s %s", cell.journal_dir, other, cell.journal_dir);
    shell(command);
    ck_assert_int_ne(cell_up(&cell), 0);
    ck_assert_ptr_nonnull(strstr(cell.why, "not the same entry"));
}
END_TEST

START_TEST(a_damaged_snapshot_is_passed_over)
{
    struct state before = state_of(&cell);
    char command[300];
    cell_down(&cell, true);
    snprintf(command, sizeof command,
             "for f in %s/snapshot-*; do printf x | dd of=$f bs=1 seek=300 conv=notrunc 2>/dev/null; done",
             cell.journal_dir);
    shell(command);
    ck_assert_msg(cell_up(&cell) == 0, "%s", cell.why);
    ck_assert_uint_eq(cell.files.bad_snapshots, 1);
    came_back(&cell, &before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recover");
    TCase *t = tcase_create("recover");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nothing_lost_after_a_crash);
    tcase_add_test(t, nothing_lost_after_a_clean_stop);
    tcase_add_loop_test(t, a_shorter_file_is_filled_from_redis, 0, 2);
    tcase_add_test(t, a_lost_file_is_rebuilt_from_redis);
    tcase_add_test(t, a_wiped_redis_is_rebuilt_from_the_file);
    tcase_add_test(t, a_wiped_redis_is_rebuilt_from_snapshot_and_tail);
    tcase_add_test(t, the_keys_of_ended_jobs_outlive_redis);
    tcase_add_test(t, what_is_old_and_archived_is_forgotten);
    tcase_add_test(t, a_redis_that_went_back_is_brought_up);
    tcase_add_test(t, redis_restarted_while_running_goes_on_by_itself);
    tcase_add_test(t, redis_wiped_while_running_is_rebuilt);
    tcase_add_loop_test(t, books_that_differ_are_rebuilt, 0, 2);
    tcase_add_test(t, no_file_and_a_trimmed_redis_is_refused);
    tcase_add_test(t, copies_that_tell_different_stories_are_refused);
    tcase_add_test(t, a_damaged_snapshot_is_passed_over);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
