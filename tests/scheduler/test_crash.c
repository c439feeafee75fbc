/*
 * Killed at random points: reeved, Redis, both; Redis comes back with what it had, with an old append-only file, as a
 * replica that lagged. Clients send each wish one to five times and throw answers away. What was acknowledged is one
 * job that ran once, no budget is ever overspent, journal, counters and holds say the same after every point, and the
 * files still verify to the last record.
 * REEVE_CRASH_POINTS: how many (make test-crash: 200). REEVE_SEED brings a run back.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/io/sign.h"
#include "cli/audit_read.h"
#include "quotas/store/store_sync.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/flow.h"

enum { LOADERS = 4, POINTS = 10, ACKS_BETWEEN = 10, JOB_MICROS = 10000, ROOM_MICROS = 200000 };

static uint64_t seed;
static int points, jobs_each, generation, fates[4];
static char socket_path[240];

static uint64_t draw(uint64_t below)
{
    return random_below(&seed, below);
}

/* ---- clients ---- */
/* A copy of the wish whose answer nobody reads. */
static void submit_and_leave(const char *key)
{
    struct rpc_client *c = NULL;
    struct submit_call call = job_call("/bin/true", key);
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    if (rpc_client_open(&c, client_socket, NULL) == 0) {
        (void)!rpc_client_call(c, &client_methods[CALL_SUBMIT], &call, 1, &reply, &refusal, NULL);
        rpc_client_close(c);
    }
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    fields_clear(&refusal_fields, &refusal);
}

static void key_of(int loader, int i, char out[32])
{
    snprintf(out, 32, "c%d-%d", loader, i);
}

_Noreturn static void load(int number, int acks)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    seed += (uint64_t)number * 1000003;
    for (int i = 0; i < jobs_each; i++) {
        char key[32];
        for (uint64_t copies = draw(5); copies > 0; copies--) { /* of this wish, or late ones of an earlier */
            key_of(number, i - (int)draw((uint64_t)MIN(i, 3) + 1), key);
            submit_and_leave(key);
        }
        key_of(number, i, key);
        if (!submit_again(key) || write(acks, "a", 1) != 1)
            _exit(1);
    }
    _exit(0);
}

/* ---- Redis and its fates ---- */
static void redis_config(const char *of_url, const char *name, const char *value)
{
    struct store_sync *s = NULL;
    redisReply *r = NULL;
    struct err err = {0};
    ck_assert_msg(store_sync_open(&s, of_url, "flow", &err) == 0, "%s", err_text(&err));
    const char *const set[] = {"CONFIG", "SET", name, value, NULL}, *const alone[] = {"REPLICAOF", "NO", "ONE", NULL};
    ck_assert_int_eq(store_sync_words(s, name != NULL ? set : alone), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s", r->str);
    freeReplyObject(r);
    store_sync_close(s);
}

static void free_port(char out[16])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(s, (struct sockaddr *)&a, &len), 0);
    snprintf(out, 16, "%d", ntohs(a.sin_port));
    close(s);
}

static void log_wait(const struct redis_child *r, const char *text)
{
    static char log[1 << 16];
    size_t len = 0;
    for (ssize_t n; len < sizeof log - 1 && (n = read(r->out, log + len, sizeof log - 1 - len)) > 0;) {
        len += (size_t)n;
        log[len] = '\0';
        if (strstr(log, text) != NULL)
            return;
    }
    ck_abort_msg("redis-server did not say '%s': %s", text, log);
}

/* cp -a FROM TO. False: a file went while it was copied, as Redis' own do when it begins new ones. */
static bool folder_copy(const char *from, const char *to)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return status == 0;
}

static void wait_acks(int acks, uint64_t count)
{
    char byte;
    for (; acks >= 0 && count > 0; count--) /* -1: nobody answers now */
        if (read(acks, &byte, 1) != 1)
            return; /* all loaders are done */
}

static void redis_again(void)
{
    char data[200];
    snprintf(data, sizeof data, "%s", redis.dir);
    redis_stop(&redis);
    redis_start_as(&redis, data, socket_path, NULL);
}

/* It comes back with the file of some acknowledgements ago. */
static void redis_old_file(int acks)
{
    char data[200], old[240], files[240];
    snprintf(data, sizeof data, "%s", redis.dir);
    snprintf(files, sizeof files, "%s/appendonlydir", data);
    snprintf(old, sizeof old, "%s/old", scratch.dir);
    do
        ck_assert_int_eq(dir_remove(old, NULL), 0);
    while (!folder_copy(files, old));
    wait_acks(acks, 1 + draw(ACKS_BETWEEN));
    redis_stop(&redis);
    ck_assert_int_eq(dir_remove(files, NULL), 0);
    ck_assert_int_eq(rename(old, files), 0);
    redis_start_as(&redis, data, socket_path, NULL);
}

/* A replica that has what was written up to some acknowledgements ago takes the place of its dead primary. */
static void redis_promoted(int acks)
{
    char port[16], data[200], socket[240];
    struct redis_child replica;
    free_port(port);
    redis_config(redis.url, "repl-diskless-sync-delay", "0");
    redis_config(redis.url, "port", port);
    snprintf(data, sizeof data, "%s/redis-%d", scratch.dir, ++generation);
    snprintf(socket, sizeof socket, "%s/redis.sock", data);
    ck_assert_int_eq(dir_make(data, 0700, NULL), 0);
    redis_start_as(&replica, data, socket, port);
    log_wait(&replica, "Finished with success");
    wait_acks(acks, draw(ACKS_BETWEEN));
    redis_config(replica.url, NULL, NULL);
    wait_acks(acks, 1 + draw(ACKS_BETWEEN)); /* these it will not have */
    redis_stop(&redis);
    ck_assert_int_eq(rename(socket, socket_path), 0);
    redis = replica;
    snprintf(redis.socket, sizeof redis.socket, "%s", socket_path);
    snprintf(redis.url, sizeof redis.url, "unix:%s", socket_path);
}

/* ---- the points ---- */
static void crash(int acks)
{
    uint64_t what = draw(8);
    fates[what / 2]++;
    bool with_reeved = what == 0 || what == 1 || (what > 1 && draw(2) == 0);
    if (with_reeved && what != 6) /* 6: it dies with the primary still there, and finds the replica */
        reeved_end(SIGKILL);
    switch (what) {
    case 0:
    case 1:
        break;
    case 2:
    case 3:
        redis_again();
        break;
    case 4:
    case 5:
        redis_old_file(with_reeved ? -1 : acks);
        break;
    default:
        redis_promoted(with_reeved && what != 6 ? -1 : acks);
        if (with_reeved && what == 6)
            reeved_end(SIGKILL);
    }
    if (reeved == 0)
        reeved_start(NULL);
}

static int64_t limit_of_all(void)
{
    return (int64_t)JOB_MICROS * (LOADERS * jobs_each + points) + ROOM_MICROS;
}

/* A wish that was answered proves that the store is up again; then everything is compared. */
static void all_agrees(int point)
{
    char key[32];
    snprintf(key, sizeof key, "probe-%d", point);
    ck_assert(submit_again(key));
    recount_agrees(0); /* the first points may come before anything was placed */
    struct books r = redis_books();
    ck_assert_int_le(r.spent + r.held, limit_of_all());
}

static void files_verify(void)
{
    char path[240], journal_dir[200], archive[200];
    struct audit a = {.folder = journal_dir, .archive = archive, .keys_count = 1};
    struct err err = {0};
    snprintf(journal_dir, sizeof journal_dir, "%s/scheduler/journal", dir);
    snprintf(archive, sizeof archive, "%s/scheduler/archive", dir);
    snprintf(path, sizeof path, "%s/scheduler/journal.pub", dir);
    ck_assert_int_eq(sign_public_read(path, a.keys[0], NULL), 0);
    snprintf(path, sizeof path, "%s/heads", journal_dir);
    ck_assert_int_eq(audit_heads_add(&a, path, false, NULL), 0);
    ck_assert_msg(audit_read(&a, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(a.findings_total == 0, "%s", ((const struct audit_finding *)a.findings.v)->text);
    ck_assert_uint_gt(a.heads_matched, 0);
    audit_fini(&a);
}

static void once(const char *key, uint64_t *ret_job, int64_t *costs)
{
    *ret_job = submit("/bin/true", key);
    wait_for(*ret_job, "succeeded");
    *costs += job_cost(*ret_job);
}

static int by_job(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Every key is one job that ran once, and none ran that no key has (numbers may be left out: a copy that came at the
 * same time was given one and refused by the store). */
static void every_key_is_one_job(void)
{
    size_t count = 0, max = (size_t)(LOADERS * jobs_each + points);
    uint64_t *jobs = calloc(max, sizeof *jobs);
    int64_t costs = 0;
    for (int l = 0; l < LOADERS; l++)
        for (int i = 0; i < jobs_each; i++) {
            char key[32];
            key_of(l, i, key);
            once(key, &jobs[count++], &costs);
        }
    for (int i = 0; i < points; i++) {
        char key[32];
        snprintf(key, sizeof key, "probe-%d", i);
        once(key, &jobs[count++], &costs);
    }
    qsort(jobs, count, sizeof *jobs, by_job);
    for (size_t i = 1; i < count; i++)
        ck_assert_uint_ne(jobs[i - 1], jobs[i]);
    struct books b = books_of("acme"), r = redis_books();
    ck_assert_int_eq(b.spent, costs);
    ck_assert_int_eq(r.spent, costs);
    ck_assert_int_eq(r.held, 0);
    ck_assert_uint_eq(seen->runs, count);
    ck_assert_uint_eq(seen->overlaps, 0);
    ck_assert_uint_eq(seen->revived, 0);
    free(jobs);
}

START_TEST(nothing_is_lost_doubled_or_overspent)
{
    int acks[2];
    pid_t loaders[LOADERS];
    jobs_each = 5 + points * 4;
    seed = random_seed("crash");
    snprintf(socket_path, sizeof socket_path, "%s", redis.socket);
    set_policy(limit_of_all());
    ck_assert_int_eq(pipe2(acks, O_CLOEXEC), 0);
    for (int i = 0; i < LOADERS; i++) {
        loaders[i] = fork();
        if (loaders[i] == 0)
            load(i, acks[1]);
    }
    close(acks[1]);
    for (int point = 0; point < points; point++) {
        wait_acks(acks[0], draw(ACKS_BETWEEN));
        crash(acks[0]);
        all_agrees(point);
    }
    printf("crash: %d points: reeved alone %d, Redis again %d, with an old file %d, a lagging replica %d\n", points,
           fates[0], fates[1], fates[2], fates[3]);
    fflush(stdout);
    wait_acks(acks[0], UINT64_MAX);
    for (int i = 0; i < LOADERS; i++) {
        int status = -1;
        ck_assert_int_eq(waitpid(loaders[i], &status, 0), loaders[i]);
        ck_assert_int_eq(status, 0);
    }
    every_key_is_one_job();
    recount_agrees(1);
    struct head_reply head = {0};
    ask(CALL_HEAD, NULL, &head, NULL);
    fields_clear(&head_reply_fields, &head);
    files_verify();
}
END_TEST

int main(void)
{
    const char *wanted = getenv("REEVE_CRASH_POINTS");
    uint64_t many = POINTS;
    if (wanted != NULL && parse_u64(wanted, 1, 2000, &many, NULL) < 0)
        return 2;
    points = (int)many;
    Suite *suite = suite_create("crash");
    TCase *t = tcase_create("crash");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60 + 2 * points); /* jobs that were doubled starve the others: then it would never end */
    tcase_add_test(t, nothing_is_lost_doubled_or_overspent);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
