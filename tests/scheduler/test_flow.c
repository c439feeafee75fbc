/*
 * The whole way of a job through the real reeved: a private Redis, a node that only speaks the protocol, clients on
 * the socket. Then the same while reeved and Redis are killed at any moment: nothing acknowledged is lost, nothing
 * runs twice, the money adds up.
 */
#include "base/io/sign.h"
#include "tests/run.h"
#include "tests/scheduler/flow.h"

/* ---- cases ---- */
START_TEST(a_job_lives_and_is_paid_for)
{
    uint64_t job = submit("/bin/true", "k1");
    wait_for(job, "succeeded");
    struct books b = books_of("acme"), r = redis_books();
    int64_t cost = job_cost(job);
    /* half a core for 2 s and job microseconds at 0.01 a core-second, rounded half to even */
    ck_assert_int_eq(cost, 10000);
    ck_assert_int_eq(b.spent, cost);
    ck_assert_int_eq(b.held, 0);
    ck_assert_int_eq(r.spent, cost);
    ck_assert_int_eq(r.held, 0);
    ck_assert_uint_eq(seen->runs, 1);
    struct log_reply log = {0};
    ask(CALL_LOG, &(struct log_call){.job = job}, &log, NULL);
    ck_assert_uint_eq(log.data.len, 6);
    ck_assert_mem_eq(log.data.data, "hello\n", 6);
    fields_clear(&log_reply_fields, &log);
}
END_TEST

START_TEST(a_log_by_its_node)
{
    struct {
        char node[4];
        const char *code;
    } asked[] = {{"n1", ""}, {"n2", "unavailable"}};
    wait_for(submit("/bin/true", "k1"), "succeeded"); /* n1 is there */
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct node_log_call call = {.node = asked[i].node, .log = {.job = 4711, .epoch = 1}};
        struct log_reply log = {0};
        char code[64];
        ask(CALL_NODE_LOG, &call, &log, code);
        ck_assert_str_eq(code, asked[i].code);
        ck_assert_uint_eq(log.data.len, i == 0 ? FAKE_LOG_BYTES : 0);
        fields_clear(&log_reply_fields, &log);
    }
}
END_TEST

/* A node forgets an attempt that wrote nothing; its log is empty all the same, and stays so when the node is gone. */
START_TEST(a_silent_log_is_empty_without_its_node)
{
    uint64_t job = submit("/bin/true", "k1");
    wait_for(job, "succeeded");
    for (int i = 0; i < 2; i++) {
        struct log_reply log = {0};
        struct log_call call = {.job = job, .stream = STREAM_ERR, .offset = 3, .wait = true};
        ck_assert_int_eq(ask(CALL_LOG, &call, &log, NULL), 0);
        ck_assert_uint_eq(log.data.len, 0);
        ck_assert_uint_eq(log.size, 0);
        ck_assert_uint_eq(log.offset, 3);
        ck_assert_uint_eq(log.epoch, 1);
        ck_assert(log.end);
        fields_clear(&log_reply_fields, &log);
        kill(agent, SIGKILL);
    }
}
END_TEST

START_TEST(the_same_key_is_the_same_job)
{
    char code[64];
    uint64_t job = submit("/bin/true", "k1");
    ck_assert_uint_eq(submit("/bin/true", "k1"), job);
    struct submit_call other = job_call("/bin/false", "k1");
    struct submit_reply reply = {0};
    ck_assert_int_eq(ask(CALL_SUBMIT, &other, &reply, code), 1);
    ck_assert_str_eq(code, "key_conflict");
    fields_clear(&submit_call_fields, &other);
    fields_clear(&submit_reply_fields, &reply);
    wait_for(job, "succeeded");
    ck_assert_uint_eq(seen->runs, 1);
}
END_TEST

START_TEST(a_cancelled_job_is_stopped)
{
    uint64_t job = submit("stay", "k1");
    wait_until_it_runs(job);
    ck_assert_int_gt(books_of("acme").held, 0);
    struct cancel_reply reply = {0};
    ask(CALL_CANCEL, &(struct job_call){.job = job}, &reply, NULL);
    ck_assert_uint_eq(reply.stopping, 1);
    wait_for(job, "cancelled");
    ck_assert_uint_ge(seen->stops, 1); /* with the order to run, too, when that is not yet durable: orders repeat */
    ck_assert_int_eq(books_of("acme").held, 0);
}
END_TEST

/* Through the real store, and through a journal that is read again. */
START_TEST(a_tenant_moves_with_what_runs_there)
{
    uint64_t job = submit("stay", "k1");
    wait_until_it_runs(job);
    struct books before = books_of("acme");
    struct move_call call = {0};
    struct apply_reply reply = {0};
    ck_assert_int_eq(str_set(&call.from, "acme"), 0);
    ck_assert_int_eq(str_set(&call.to, "guild"), 0);
    ask(CALL_MOVE, &call, &reply, NULL);
    ck_assert_str_eq(reply.changes.v[0], "~ acme -> guild  tenants 1, jobs 1, running 1");
    ck_assert_int_eq(books_of("guild").held, before.held);
    ck_assert_int_eq(redis_books().held, 0); /* acme's: it has no account any more */
    reeved_end(SIGKILL);
    reeved_start(NULL);
    wait_for(job, "running");
    ck_assert_int_eq(books_of("guild").held, before.held);
    struct submit_call again = job_call("stay", "k1");
    struct submit_reply known = {0};
    ck_assert_int_eq(str_set(&again.tenant, "guild"), 0);
    ask(CALL_SUBMIT, &again, &known, NULL);
    ck_assert_uint_eq(known.job, job); /* its key went along */
    ask(CALL_CANCEL, &(struct job_call){.job = job}, &(struct cancel_reply){0}, NULL);
    wait_for(job, "cancelled");
    ck_assert_int_eq(books_of("guild").held, 0);
    ck_assert_int_eq(books_of("guild").spent, job_cost(job));
    fields_clear(&submit_call_fields, &again);
    fields_clear(&submit_reply_fields, &known);
    fields_clear(&move_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
}
END_TEST

static void until_the_node_has(uint64_t weight)
{
    while (seen->weight != weight)
        poll(NULL, 0, 1); /* the node is another process: what it heard is in shared memory */
}

START_TEST(a_node_hears_what_tenants_have_of_its_disk)
{
    uint64_t first = submit("stay", "k1");
    wait_until_it_runs(first);
    ck_assert_uint_eq(seen->weight, 0);
    set_policy_of(1000 * INT64_C(1000000), 300); /* who runs is told again */
    until_the_node_has(300);
    seen->weight = 0; /* the node has forgotten: the next order brings it along, before the order itself */
    seen->runs_without_it = 0;
    uint64_t second = submit("stay", "k2");
    wait_until_it_runs(second);
    ck_assert_uint_eq(seen->weight, 300);
    ck_assert_uint_eq(seen->runs_without_it, 0);
    seen->weight = 0;
    reeved_end(SIGKILL); /* who was away hears it with the next hello */
    reeved_start(NULL);
    until_the_node_has(300);
    set_policy(1000 * INT64_C(1000000));
    until_the_node_has(0);
    ask(CALL_CANCEL, &(struct job_call){.job = first}, &(struct cancel_reply){0}, NULL);
    ask(CALL_CANCEL, &(struct job_call){.job = second}, &(struct cancel_reply){0}, NULL);
    wait_for(first, "cancelled");
    wait_for(second, "cancelled");
}
END_TEST

START_TEST(a_running_job_outlives_the_scheduler)
{
    uint64_t job = submit("stay", "k1");
    wait_until_it_runs(job);
    struct books before = books_of("acme");
    reeved_end(_i == 0 ? SIGKILL : SIGTERM);
    reeved_start(NULL);
    wait_for(job, "running");
    ck_assert_int_eq(books_of("acme").held, before.held);
    ask(CALL_CANCEL, &(struct job_call){.job = job}, &(struct cancel_reply){0}, NULL);
    wait_for(job, "cancelled");
    ck_assert_uint_eq(seen->runs, 1);
    ck_assert_uint_eq(seen->overlaps, 0);
}
END_TEST

START_TEST(a_stopped_store_is_said_so_and_waited_for)
{
    char code[64];
    uint64_t job = submit("stay", "k0");
    wait_for(job, "running");
    redis_signal(&redis, SIGSTOP);
    /* One batch may be out when it stops; who sent it asks again until it is answered. */
    pid_t first = fork();
    if (first == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        submit_again("k1");
        _exit(0);
    }
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "x%d", i);
        struct submit_call call = job_call("/bin/true", key);
        struct submit_reply reply = {0};
        ck_assert_int_eq(ask(CALL_SUBMIT, &call, &reply, code), 1); /* reeved's own deadline: Redis never answers */
        ck_assert_str_eq(code, "unavailable");
        fields_clear(&submit_call_fields, &call);
    }
    struct status_reply status = {0};
    ask(CALL_STATUS, NULL, &status, NULL); /* questions are answered */
    ck_assert_msg(strncmp(status.store, "store unavailable", 17) == 0, "%s", status.store);
    fields_clear(&status_reply_fields, &status);
    ck_assert_int_gt(books_of("acme").held, 0);
    redis_signal(&redis, SIGCONT);
    int outcome = -1;
    ck_assert_int_eq(waitpid(first, &outcome, 0), first);
    ck_assert_int_eq(outcome, 0);
    wait_for(submit("/bin/true", "k1"), "succeeded"); /* by itself, and once */
    ck_assert_uint_eq(seen->overlaps, 0);
}
END_TEST

static struct adjust_call adjustment(const char *key, int64_t micros)
{
    return (struct adjust_call){.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)key,
                                .reason = (char *)(uintptr_t)"slow node", .micros = micros, .kind = ADJUST_CREDIT};
}

/* Posted once, whatever dies and however often it is sent: before a job, between two lives, from a rebuilt Redis. */
START_TEST(a_credit_is_posted_once)
{
    struct adjust_call call = adjustment("k", -2500);
    for (int i = 0; i < 4; i++) {
        struct adjust_reply reply = {0};
        ask(CALL_ADJUST, &call, &reply, NULL);
        ck_assert(reply.existed == (i > 0));
        ck_assert_uint_eq(reply.accounts.count, i > 0 ? 0 : 2); /* acme's budget, and the total */
        fields_clear(&adjust_reply_fields, &reply);
        ck_assert_int_eq(books_of("acme").spent, -2500);
        ck_assert_int_eq(redis_books().spent, -2500);
        reeved_end(i % 2 == 0 ? SIGKILL : SIGTERM);
        reeved_start(NULL);
    }
    char code[64];
    struct adjust_call other = adjustment("k", -2501);
    ck_assert_int_eq(ask(CALL_ADJUST, &other, &(struct adjust_reply){0}, code), 1);
    ck_assert_str_eq(code, "key_conflict");
    uint64_t job = submit("/bin/true", "k1");
    wait_for(job, "succeeded");
    ck_assert_int_eq(redis_books().spent, job_cost(job) - 2500);
}
END_TEST

START_TEST(a_task_that_is_not_there_has_no_log)
{
    char code[64];
    uint64_t job = submit("stay", "k1");
    wait_for(job, "running");
    ask(CALL_LOG, &(struct log_call){.job = job, .task = 99}, &(struct log_reply){0}, code);
    ck_assert_str_eq(code, "not_found"); /* who waited for it to start would wait for ever */
}
END_TEST

START_TEST(strangers_see_and_change_nothing)
{
    uint64_t job = submit("stay", "k1");
    wait_for(job, "running");
    pid_t stranger = fork();
    if (stranger == 0) {
        char code[64];
        ck_assert_int_eq(setgid(65534), 0);
        ck_assert_int_eq(setuid(65534), 0);
        ask(CALL_SHOW, &(struct job_call){.job = job}, &(struct job_view){0}, code);
        ck_assert_str_eq(code, "not_found");
        ask(CALL_CANCEL, &(struct job_call){.job = job}, &(struct cancel_reply){0}, code);
        ck_assert_str_eq(code, "not_found");
        ask(CALL_WAIT, &(struct wait_call){.job = job}, &(struct wait_reply){0}, code);
        ck_assert_str_eq(code, "not_found");
        ask(CALL_LOG, &(struct log_call){.job = job}, &(struct log_reply){0}, code);
        ck_assert_str_eq(code, "not_found");
        ask(CALL_POLICY, NULL, &(struct policy_reply){0}, code);
        ck_assert_str_eq(code, "forbidden");
        struct node_log_call around = {.node = (char[]){"n1"}, .log = {.job = job, .epoch = 1}};
        ask(CALL_NODE_LOG, &around, &(struct log_reply){0}, code);
        ck_assert_str_eq(code, "forbidden");
        struct adjust_call gift = adjustment("gift", -1000000);
        ask(CALL_ADJUST, &gift, &(struct adjust_reply){0}, code);
        ask(CALL_HEAD, NULL, &(struct head_reply){0}, code);
        ck_assert_str_eq(code, "forbidden");
        ask(CALL_VERIFY, NULL, &(struct verify_reply){0}, code);
        ck_assert_str_eq(code, "forbidden");
        struct list_reply list = {0};
        ask(CALL_LIST, &(struct list_call){.all_users = true}, &list, NULL);
        ck_assert_uint_eq(list.jobs.count, 0);
        struct tenant_reply tenants = {0};
        ask(CALL_TENANTS, &(struct tenant_call){0}, &tenants, NULL);
        ck_assert_uint_eq(tenants.tenants.count, 0);
        _exit(0);
    }
    int outcome = -1;
    ck_assert_int_eq(waitpid(stranger, &outcome, 0), stranger);
    ck_assert_int_eq(outcome, 0);
}
END_TEST

/* The newest line says what is durable now; the same one again while nothing is written. */
START_TEST(the_journals_head_is_signed_with_the_cells_key)
{
    struct head_reply first = {0}, again = {0};
    struct journal_head head;
    uint8_t key[SIGN_KEY_BYTES];
    size_t signed_len = 0;
    char path[200];
    wait_for(submit("/bin/true", "k1"), "succeeded");
    /* The scheduler writes on its own account too (time, what follows an end): until nothing came between. */
    do {
        fields_clear(&head_reply_fields, &first);
        fields_clear(&head_reply_fields, &again);
        ask(CALL_HEAD, NULL, &first, NULL);
        ask(CALL_HEAD, NULL, &again, NULL);
    } while (first.seq != again.seq);
    ck_assert_str_eq(first.line, again.line);
    ck_assert_int_eq(journal_head_get(first.line, strlen(first.line), &head, &signed_len, NULL), 0);
    ck_assert_uint_eq(head.seq, first.seq);
    ck_assert_str_eq(head.cell, "flow");
    snprintf(path, sizeof path, "%s/scheduler/journal.pub", dir);
    ck_assert_int_eq(sign_public_read(path, key, NULL), 0);
    ck_assert_mem_eq(key, head.key, sizeof key);
    ck_assert(sign_check(key, first.line, signed_len, head.sig));
    /* A line each for whatever seq was asked for, none twice, and one for the stop; the crash in between tore one. */
    struct buf lines = {0};
    reeved_end(SIGKILL);
    snprintf(path, sizeof path, "%s/scheduler/journal/heads", dir);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_eq(fd_write_all(fd, first.line, 100), 0);
    close(fd);
    reeved_start(NULL);
    reeved_end(SIGTERM);
    ck_assert_int_eq(file_read(path, 1 << 20, &lines, NULL), 0);
    uint64_t said = 0;
    bool asked_is_there = false;
    for (const char *at = buf_text(&lines), *end; (end = strchr(at, '\n')) != NULL; at = end + 1, said = head.seq) {
        ck_assert_int_eq(journal_head_get(at, (size_t)(end - at), &head, &signed_len, NULL), 0);
        ck_assert_uint_gt(head.seq, said);
        asked_is_there |= head.seq == first.seq && strncmp(at, first.line, (size_t)(end - at)) == 0;
    }
    ck_assert(asked_is_there);
    ck_assert_uint_gt(said, first.seq);
    buf_fini(&lines);
    fields_clear(&head_reply_fields, &first);
    fields_clear(&head_reply_fields, &again);
}
END_TEST

START_TEST(a_second_reeved_leaves_the_first_alone)
{
    char program[512];
    program_path(program);
    pid_t second = fork();
    if (second == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execl(program, "reeved", "--dir", dir, "--redis", redis.url, "--cell", "flow", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(second, &status, 0), second);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    wait_for(submit("/bin/true", "k1"), "succeeded");
}
END_TEST

/* What another machine would do: the same Redis, the same cell, no common folder. */
static void take_the_term(void)
{
    struct store_sync *store = NULL;
    struct store_status status = {0};
    int rc = -ETIMEDOUT;
    ASK_STORE(store_sync_open(&store, redis.url, "flow", NULL));
    while (rc == -ETIMEDOUT) { /* nobody knows whether it was taken: then the next one */
        ASK_STORE(store_status(store, &status, NULL));
        rc = store_take_term(store, "other", status.term + 1, NULL);
    }
    ck_assert_int_eq(rc, 0);
    store_sync_close(store);
}

START_TEST(another_reeved_on_the_same_store_fences_the_first)
{
    uint64_t job = submit("stay", "k1");
    wait_for(job, "running");
    take_the_term();
    pid_t victim = fork(); /* its call is never answered well: the scheduler is gone */
    if (victim == 0) {
        struct rpc_client *c = NULL;
        if (rpc_client_open(&c, client_socket, NULL) < 0)
            _exit(0); /* the job's own renewal came first */
        struct submit_call call = job_call("/bin/true", "k2");
        struct submit_reply reply = {0};
        struct refusal refusal = {0};
        _exit(rpc_client_call(c, &client_methods[CALL_SUBMIT], &call, 5000, &reply, &refusal, NULL) == 0 ? 1 : 0);
    }
    int outcome = 0, ended = 0;
    ck_assert_int_eq(waitpid(victim, &outcome, 0), victim);
    ck_assert_int_eq(outcome, 0);
    ck_assert_int_eq(waitpid(reeved, &ended, 0), reeved);
    ck_assert(WIFEXITED(ended));
    ck_assert_int_eq(WEXITSTATUS(ended), 4);
    waitpid(drain, NULL, 0);
    reeved = 0;
}
END_TEST

/* Nobody asks it anything, and still it may not go on acknowledging beats: leases live by that. */
START_TEST(an_idle_reeved_hears_that_its_term_is_over)
{
    int ended = 0;
    take_the_term();
    ck_assert_int_eq(waitpid(reeved, &ended, 0), reeved);
    ck_assert(WIFEXITED(ended));
    ck_assert_int_eq(WEXITSTATUS(ended), 4);
    waitpid(drain, NULL, 0);
    reeved = 0;
}
END_TEST

static uint64_t status_number(pid_t pid, const char *name, int base)
{
    char path[64], line[256];
    uint64_t value = UINT64_MAX;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, base);
    fclose(f);
    return value;
}

START_TEST(root_is_given_up)
{
    if (geteuid() != 0)
        return;
    char path[300];
    reeved_end(SIGTERM);
    ck_assert_int_eq(chmod(redis.socket, 0777), 0);
    snprintf(path, sizeof path, "%s/scheduler", dir);
    ck_assert_int_eq(dir_remove(path, NULL), 0); /* the journal of this test's first life is root's */
    reeved_start("65534:65534");
    ck_assert_uint_eq(status_number(reeved, "Uid:", 10), 65534);
    ck_assert_uint_eq(status_number(reeved, "Gid:", 10), 65534);
    ck_assert_uint_eq(status_number(reeved, "CapPrm:", 16), 0);
    ck_assert_uint_eq(status_number(reeved, "CapEff:", 16), 0);
    ck_assert_uint_eq(status_number(reeved, "NoNewPrivs:", 10), 1);
    wait_for(submit("/bin/true", "k1"), "succeeded");
    ck_assert_int_eq(reeved_end(SIGTERM), 0);
    reeved_start("65534:65534"); /* and it finds its own files again */
    wait_for(submit("/bin/true", "k2"), "succeeded");
}
END_TEST

/* ---- killing ---- */
enum { LOADERS = 6, JOBS_EACH = 60, KILLS = 12 };

/* Submits jobs, each until it is acknowledged; a byte per acknowledgement. */
_Noreturn static void load(int number, int acks)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < JOBS_EACH; i++) {
        char key[32];
        snprintf(key, sizeof key, "l%d-%d", number, i);
        if (!submit_again(key))
            _exit(1);
        if (write(acks, "a", 1) != 1)
            _exit(1);
    }
    _exit(0);
}

static void kill_one(unsigned draw)
{
    switch (draw % 4) {
    case 0: /* Redis comes back with what it had written */
        redis_stop(&redis);
        redis_start(&redis, scratch.dir);
        break;
    case 1: { /* and once with nothing at all */
        char path[200];
        redis_stop(&redis);
        snprintf(path, sizeof path, "%s/appendonlydir", scratch.dir);
        ck_assert_int_eq(dir_remove(path, NULL), 0);
        redis_start(&redis, scratch.dir);
        break;
    }
    default:
        reeved_end(SIGKILL);
        reeved_start(NULL);
    }
}

START_TEST(killed_at_any_moment)
{
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    if (getenv("REEVE_SEED") != NULL)
        seed = (unsigned)strtoul(getenv("REEVE_SEED"), NULL, 10);
    fprintf(stderr, "flow: REEVE_SEED=%u\n", seed);
    srandom(seed);
    int acks[2];
    pid_t loaders[LOADERS];
    ck_assert_int_eq(pipe(acks), 0);
    for (int i = 0; i < LOADERS; i++) {
        loaders[i] = fork();
        if (loaders[i] == 0)
            load(i, acks[1]);
    }
    for (int kills = 0; kills < KILLS; kills++) {
        for (long wanted = random() % 25; wanted > 0; wanted--) {
            char byte;
            ck_assert_int_eq(read(acks[0], &byte, 1), 1);
        }
        kill_one((unsigned)random());
    }
    for (int i = 0; i < LOADERS; i++) {
        int status = -1;
        ck_assert_int_eq(waitpid(loaders[i], &status, 0), loaders[i]);
        ck_assert_int_eq(status, 0);
    }
    /* Every acknowledged key is one job that ran to its end once; the key still finds it. */
    int64_t costs = 0;
    uint64_t jobs[LOADERS * JOBS_EACH];
    for (int i = 0; i < LOADERS * JOBS_EACH; i++) {
        char key[32];
        snprintf(key, sizeof key, "l%d-%d", i / JOBS_EACH, i % JOBS_EACH);
        jobs[i] = submit("/bin/true", key);
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(jobs[k], jobs[i]);
        wait_for(jobs[i], "succeeded");
        costs += job_cost(jobs[i]);
    }
    recount_agrees(1);
    struct books b = books_of("acme"), r = redis_books();
    ck_assert_int_eq(b.spent, costs);
    ck_assert_int_eq(b.held, 0);
    ck_assert_int_eq(r.spent, costs);
    ck_assert_int_eq(r.held, 0);
    ck_assert_uint_eq(seen->runs, LOADERS * JOBS_EACH);
    ck_assert_uint_eq(seen->overlaps, 0);
    ck_assert_uint_eq(seen->revived, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *t = tcase_create("flow");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_job_lives_and_is_paid_for);
    tcase_add_test(t, a_log_by_its_node);
    tcase_add_test(t, a_silent_log_is_empty_without_its_node);
    tcase_add_test(t, the_same_key_is_the_same_job);
    tcase_add_test(t, a_cancelled_job_is_stopped);
    tcase_add_test(t, a_tenant_moves_with_what_runs_there);
    tcase_add_test(t, a_node_hears_what_tenants_have_of_its_disk);
    tcase_add_loop_test(t, a_running_job_outlives_the_scheduler, 0, 2);
    tcase_add_test(t, a_stopped_store_is_said_so_and_waited_for);
    tcase_add_test(t, a_credit_is_posted_once);
    tcase_add_test(t, a_task_that_is_not_there_has_no_log);
    tcase_add_test(t, strangers_see_and_change_nothing);
    tcase_add_test(t, the_journals_head_is_signed_with_the_cells_key);
    tcase_add_test(t, a_second_reeved_leaves_the_first_alone);
    tcase_add_test(t, another_reeved_on_the_same_store_fences_the_first);
    tcase_add_test(t, an_idle_reeved_hears_that_its_term_is_over);
    tcase_add_test(t, root_is_given_up);
    tcase_add_test(t, killed_at_any_moment);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
