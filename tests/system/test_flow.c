/*
 * The whole system, as its users meet it: jobs, refusals, money, bad input, a store that stops, processes that die.
 * usage: test_flow BUILD [SECONDS_OF_KILLING]
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/rpc.h"
#include "tests/system/suite.h"
#include "tests/system/system.h"

static unsigned kill_seconds = 20;

static const char policy[] =
    "currency: EUR\n"
    "admins: [root]\n"
    "prices:\n"
    "  - {from: 2026-01-01, per_hour: {cpu: 1.00}}\n"
    "  - {from: 2026-02-01, per_hour: {cpu: 36.00, memory: 3.60, gpu: 36.00}}\n"
    "tenants:\n"
    "  acme: {quota: {cpu: 4, max_queued: 2000}, budget: {limit: 1000, period: month}, users: [root]}\n"
    "  acme/etl: {seccomp: [trace, inline]}\n"
    "  acme/etl/deep: {budget: {limit: 0.03, period: total}}\n"
    "  labs: {quota: {cpu: 1, generic: {gpu: 1}, max_queued: 5}, users: [root]}\n"
    "  away: {users: ['uid:4242']}\n";

static uint64_t accepted(const char *tenant, const char *spec)
{
    struct refusal refusal = {0};
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s: %s", refusal.code ? refusal.code : "?",
                  refusal.message ? refusal.message : "?");
    return job;
}

static void ends_as(uint64_t job, const char *state, int exit_code)
{
    struct wait_reply reply = {0};
    ck_assert_msg(system_wait(job, 20000, &reply), "job %" PRIu64 " did not end", job);
    ck_assert_msg(strcmp(reply.row.state, state) == 0, "job %" PRIu64 " is %s, want %s", job, reply.row.state, state);
    if (exit_code >= 0)
        ck_assert_int_eq(reply.exit_code, exit_code);
    fields_clear(&wait_reply_fields, &reply);
}

static struct job_view shown(uint64_t job)
{
    struct job_call call = {.job = job};
    struct job_view view = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 10000), 0);
    return view;
}

/* A profile as a text within JSON. */
#define DENIES(call)                                                                                               \
    "\"{\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\",\\\"syscalls\\\":[{\\\"names\\\":[\\\"" call \
    "\\\"],\\\"action\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"errnoRet\\\":13}]}\""

static const struct {
    const char *what, *spec, *state;
    int exit_code;
    const char *out, *err;
} jobs[] = {
    {"true succeeds", "{\"command\":[\"true\"]}", "succeeded", 0, "", ""},
    {"an exit code comes back", "{\"command\":\"exit 7\"}", "failed", 7, "", ""},
    {"both streams are kept apart", "{\"command\":\"echo out; echo err >&2\"}", "succeeded", 0, "out\n", "err\n"},
    {"a command that isn't there", "{\"command\":[\"no-such-program\"]}", "failed", 127, "", NULL},
    {"a signal of its own", "{\"command\":\"kill -11 $$\"}", "failed", -1, "", NULL},
    {"its environment", "{\"command\":\"echo $A $REEVE_TENANT\",\"env\":{\"A\":\"b c\"}}", "succeeded", 0,
     "b c acme/etl\n", ""},
    {"its directory", "{\"command\":[\"pwd\"],\"cwd\":\"/usr\"}", "succeeded", 0, "/usr\n", ""},
    {"a script", "{\"script\":\"#!/bin/sh\\necho script $1\\n\",\"command\":[\"x\",\"arg\"]}", "succeeded", 0, NULL,
     ""},
    {"a time limit", "{\"command\":[\"sleep\",\"60\"],\"time_limit\":\"300ms\"}", "timed_out", -1, "", ""},
    {"too much memory", "{\"command\":\"python3 -c 'x = bytearray(300 << 20)'\",\"resources\":{\"memory\":\"64Mi\"}}",
     "oom_killed", -1, "", NULL},
    {"a profile of its own", "{\"command\":\"uname || echo $?\",\"seccomp\":" DENIES("uname") "}", "succeeded", 0,
     "1\n", NULL},
    {"a profile that is wrong", "{\"command\":[\"true\"],\"seccomp\":" DENIES("unam") "}", "failed", 126, "",
     "reeve: seccomp: syscalls[0].names: nobody here knows a system call 'unam'; it would be let through\n"},
    {"nothing of the host", "{\"command\":\"cat /etc/shadow || echo none\"}", "succeeded", 0, "none\n", NULL},
};

START_TEST(a_job_runs)
{
    uint64_t job = accepted("acme/etl", jobs[_i].spec);
    ends_as(job, jobs[_i].state, jobs[_i].exit_code);
    for (uint32_t stream = 0; stream < 2; stream++) {
        const char *want = stream == STREAM_OUT ? jobs[_i].out : jobs[_i].err;
        char *got = system_log(job, 0, stream);
        ck_assert_msg(got != NULL, "%s: its log can't be read", jobs[_i].what);
        if (want != NULL)
            ck_assert_msg(strcmp(got, want) == 0, "%s: wrote '%s', want '%s'", jobs[_i].what, got, want);
        free(got);
    }
}
END_TEST

/* What would have been denied is let through, told afterwards as a profile, and allowed under that profile. */
START_TEST(a_traced_job_becomes_a_profile)
{
    static const char spec[] = "{\"command\":[\"python3\",\"-c\",\"import ctypes; "
                               "print(ctypes.CDLL(None).syscall(278,-1,0,0,0))\"],\"seccomp\":\"trace\"}";
    uint64_t job = accepted("acme/etl", spec);
    ends_as(job, "succeeded", 0);
    char *profile = system_log(job, 0, STREAM_SECCOMP);
    ck_assert_ptr_nonnull(profile);
    ck_assert_msg(strstr(profile, "1 times: vmsplice(0xffffffffffffffff, 0, 0, 0)") != NULL, "%s", profile);
    struct job_spec again = {0};
    struct buf text = {0};
    ck_assert_int_eq(json_read(&job_spec_fields, spec, strlen(spec), JSON_STRICT, &again, NULL), 0);
    ck_assert_int_eq(str_set(&again.seccomp, profile), 0);
    ck_assert_int_eq(json_write(&job_spec_fields, &again, &text), 0);
    ends_as(accepted("acme/etl", buf_text(&text)), "succeeded", 0);
    fields_clear(&job_spec_fields, &again);
    buf_fini(&text);
    free(profile);
}
END_TEST

/* A job may end while a log is being asked for: nothing may be left waiting for it. */
START_TEST(run_comes_back_every_time)
{
    char command[9000];
    snprintf(command, sizeof command,
             "for i in $(seq 60); do [ \"$(timeout 20 %s --dir %s run --tenant acme --cpu 0.1 --memory 16Mi -- echo hi "
             "2>/dev/null)\" = hi ] || exit 1; done",
             system_program(), system_dir());
    ck_assert_int_eq(system(command), 0); /* lint: allow a person's shell is what is tested */
}
END_TEST

START_TEST(a_key_makes_one_job)
{
    struct refusal refusal = {0};
    uint64_t first = system_submit("acme", "once", "{\"command\":[\"true\"]}", &refusal);
    uint64_t again = system_submit("acme", "once", "{\"command\":[\"true\"]}", &refusal);
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_eq(first, again);
    ends_as(first, "succeeded", 0);
    ck_assert_uint_eq(system_submit("acme", "once", "{\"command\":[\"true\"]}", &refusal), first);
    ck_assert_uint_eq(system_submit("acme", "once", "{\"command\":[\"false\"]}", &refusal), 0);
    ck_assert_str_eq(refusal.code, "key_conflict");
    ck_assert_msg(strstr(refusal.message, "command") != NULL, "names what differs: %s", refusal.message);
    fields_clear(&refusal_fields, &refusal);
}
END_TEST

/* A script that is run again asks by its key; by then only the history may know how its job ended. */
START_TEST(a_key_tells_the_end_of_a_job_that_is_history)
{
    char command[9000];
    snprintf(command, sizeof command, "%s --dir %s run --tenant acme --key again -- 'exit 7' 2>&1", system_program(),
             system_dir());
    ck_assert_int_eq(WEXITSTATUS(system(command)), 7); /* lint: allow a person's shell is what is tested */
    pid_t before = system_pid("reeved");
    kill(before, SIGTERM); /* stopped cleanly, it starts from a snapshot, which has no finished jobs */
    while (system_pid("reeved") <= 1 || system_pid("reeved") == before)
        system_pause_ms(10);
    rpc_client_close(system_client()); /* it listens again */
    system_wait_store(20000); /* until it has its store it says so, and takes nothing */
    ck_assert_int_eq(WEXITSTATUS(system(command)), 7); /* lint: allow a person's shell is what is tested */
}
END_TEST

static const struct {
    const char *what, *tenant, *spec, *code;
} refused[] = {
    {"a tenant that doesn't exist", "nobody", "{\"command\":[\"true\"]}", "not_found"},
    {"a job that can never fit", "acme", "{\"command\":[\"true\"],\"resources\":{\"memory\":\"900Gi\"}}", "never_fits"},
    {"more cpu than the tenant may ever have", "labs", "{\"command\":[\"true\"],\"resources\":{\"cpu\":2}}",
     "never_fits"},
    {"the host's network without policy", "acme", "{\"command\":[\"true\"],\"network\":\"host\"}", "forbidden"},
    {"tracing without policy", "acme", "{\"command\":[\"true\"],\"seccomp\":\"trace\"}", "forbidden"},
    {"a profile that isn't listed", "acme/etl", "{\"command\":[\"true\"],\"seccomp\":\"docker\"}", "forbidden"},
    {"a longer queue than allowed", "labs", "{\"command\":[\"true\"],\"array\":{\"first\":1,\"last\":6}}",
     "never_fits"},
};

START_TEST(a_refusal_says_why)
{
    struct refusal refusal = {0};
    ck_assert_msg(system_submit(refused[_i].tenant, NULL, refused[_i].spec, &refusal) == 0, "%s: was accepted",
                  refused[_i].what);
    ck_assert_msg(refusal.message != NULL && refusal.message[0] != '\0', "%s: without a word", refused[_i].what);
    ck_assert_msg(strcmp(refusal.code, refused[_i].code) == 0, "%s: code %s (%s), want %s", refused[_i].what,
                  refusal.code, refusal.message, refused[_i].code);
    fields_clear(&refusal_fields, &refusal);
}
END_TEST

START_TEST(an_array_runs_every_task_once)
{
    uint64_t job =
        accepted("acme", "{\"command\":\"echo task $REEVE_TASK\",\"resources\":{\"cpu\":0.1,\"memory\":\"16Mi\","
                         "\"scratch\":\"1Mi\"},\"array\":{\"first\":3,\"last\":22,\"max_running\":6}}");
    ends_as(job, "succeeded", 0);
    struct job_view view = shown(job);
    ck_assert_uint_eq(view.row.done, 20);
    fields_clear(&job_view_fields, &view);
    char *text = system_log(job, 17, STREAM_OUT);
    ck_assert_str_eq(text, "task 17\n");
    free(text);
}
END_TEST

START_TEST(retries_are_counted_and_end)
{
    uint64_t job = accepted("acme", "{\"command\":[\"false\"],\"retries\":1,\"resources\":{\"cpu\":0.1}}");
    ends_as(job, "failed", 1);
    struct job_view view = shown(job);
    ck_assert_uint_eq(view.attempts.count, 2);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(cancel_stops_a_job_and_what_it_left)
{
    uint64_t job = accepted("acme", "{\"command\":\"trap '' TERM; (setsid sleep 600 &) ; sleep 600\"}");
    system_wait_runs(job);
    struct job_call call = {.job = job};
    struct cancel_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &reply, &refusal, 10000), 0);
    ends_as(job, "cancelled", -1);
}
END_TEST

/* ---- money ---- */
START_TEST(a_runaway_job_stops_exactly_at_its_budget)
{
    uint64_t job = accepted("acme", "{\"command\":\"while :; do :; done\",\"budget\":\"0.02\"}");
    ends_as(job, "budget_stopped", -1);
    struct job_view view = shown(job);
    ck_assert_int_eq(view.row.cost_micros, 20000);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(a_tenants_budget_is_never_overspent)
{
    uint64_t first = accepted("acme/etl/deep", "{\"command\":\"while :; do :; done\",\"budget\":\"0.02\"}");
    ends_as(first, "budget_stopped", -1);
    uint64_t second = accepted("acme/etl/deep", "{\"command\":\"while :; do :; done\",\"budget\":\"0.02\"}");
    system_pause_ms(300);
    struct job_call call = {.job = second};
    struct why_reply why = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_WHY], &call, &why, &refusal, 10000), 0);
    ck_assert_uint_ge(why.blockers.count, 1);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "budget");
    ck_assert_int_eq(b->limit, 30000);
    ck_assert_int_eq(b->used, 20000);
    ck_assert_int_eq(b->short_by, 10000);
    fields_clear(&why_reply_fields, &why);
    struct cancel_reply cancelled = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &cancelled, &refusal, 10000), 0);
}
END_TEST

START_TEST(the_report_equals_the_ledger)
{
    char text[2000];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
    int status = 0;
    char *csv = system_http("/v1/reports/cost?group_by=tenant&format=csv", &status);
    ck_assert_int_eq(status, 200);
    ck_assert_msg(strstr(csv, "acme/etl") != NULL, "%s", csv);
    free(csv);
    char *metrics = system_http("/metrics", &status);
    ck_assert_int_eq(status, 200);
    ck_assert_ptr_nonnull(strstr(metrics, "# TYPE"));
    free(metrics);
}
END_TEST

/* ---- bad input: the raw socket ---- */
static char *raw(const char *bytes, size_t len, bool half_close)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/reeve.sock", system_dir());
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    static char answer[65536];
    size_t got = 0, sent = 0;
    while (sent < len) {
        ssize_t n = send(fd, bytes + sent, MIN(len - sent, (size_t)65536), MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    if (half_close)
        shutdown(fd, SHUT_WR);
    for (struct pollfd p = {.fd = fd, .events = POLLIN}; poll(&p, 1, 5000) == 1 && got < sizeof answer - 1;) {
        ssize_t n = read(fd, answer + got, sizeof answer - 1 - got);
        if (n <= 0)
            break;
        got += (size_t)n;
        if (memchr(answer, '\n', got) != NULL)
            break;
    }
    answer[got] = '\0';
    return answer;
}

#define CALL(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":" params "}\n"
static const struct {
    const char *what, *line, *says;
} lines[] = {
    {"no JSON", "hello\n", "-32700"},
    {"half an object", "{\"jsonrpc\":\"2.0\",\n", "-32700"},
    {"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}\n", "-32700"},
    {"an array", "[1,2]\n", "error"},
    {"a batch", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.status\"}]\n", "error"},
    {"no method", "{\"jsonrpc\":\"2.0\",\"id\":1}\n", "-32600"},
    {"unknown method", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.explode\"}\n", "-32601"},
    {"unknown key", CALL("{\"spec\":{\"command\":[\"true\"],\"memroy\":1}}"), "memroy"},
    {"wrong type", CALL("{\"spec\":{\"command\":{\"a\":1}}}"), "command"},
    {"no spec", CALL("{}"), "spec"},
    {"a size that overflows",
     CALL("{\"spec\":{\"command\":[\"true\"],\"resources\":{\"memory\":\"99999999999999999999Gi\"}}}"), "memory"},
    {"a number beyond 64 bits", CALL("{\"spec\":{\"command\":[\"true\"],\"resources\":{\"memory\":1e30}}}"), "memory"},
    {"NUL in a text", CALL("{\"spec\":{\"command\":[\"tr\\u0000ue\"]}}"), "error"},
    {"a lone surrogate", CALL("{\"spec\":{\"command\":[\"\\ud800\"]}}"), "error"},
    {"the same key twice", CALL("{\"spec\":{\"command\":[\"a\"],\"command\":[\"b\"]}}"), "error"},
    {"an agent's method at the clients' door",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"node.hello\",\"params\":{}}\n", "-32601"},
    {"an output field as input", CALL("{\"job\":7,\"spec\":{\"command\":[\"true\"]}}"), "job"},
};

static uint64_t submitted_jobs(void)
{
    struct status_reply status = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_STATUS], NULL, &status, &refusal, 10000), 0);
    uint64_t seq = status.jobs;
    fields_clear(&status_reply_fields, &status);
    return seq;
}

START_TEST(a_bad_line_is_answered_and_changes_nothing)
{
    uint64_t before = submitted_jobs();
    const char *answer = raw(lines[_i].line, strlen(lines[_i].line), false);
    ck_assert_msg(strstr(answer, "\"error\"") != NULL && strstr(answer, lines[_i].says) != NULL, "%s: answered '%s'",
                  lines[_i].what, answer);
    ck_assert_uint_eq(submitted_jobs(), before);
}
END_TEST

START_TEST(a_line_beyond_a_mebibyte_is_cut_off)
{
    size_t len = (2 << 20) + 1;
    char *line = malloc(len);
    memset(line, 'a', len - 1);
    line[len - 1] = '\n';
    const char *answer = raw(line, len, false);
    ck_assert_msg(strstr(answer, "error") != NULL, "'%s'", answer);
    free(line);
    ck_assert_uint_ge(submitted_jobs(), 0);
}
END_TEST

START_TEST(half_a_line_and_gone)
{
    raw("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.sub", 40, true);
    ck_assert_uint_ge(submitted_jobs(), 0);
}
END_TEST

/* ---- the store stops ---- */
/* reeved's own deadline (250 ms) answers: Redis is stopped and says nothing for as long as this lasts. */
START_TEST(a_stopped_store_is_said_and_jobs_go_on)
{
    uint64_t running = accepted("acme", "{\"command\":\"sleep 4; echo done\"}");
    system_wait_runs(running);
    pid_t redis = system_pid("redis");
    ck_assert_int_gt(redis, 1);
    ck_assert_int_eq(kill(redis, SIGSTOP), 0);
    struct submit_call call = {0};
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    struct err err = {0};
    ck_assert_int_eq(strs_add(&call.spec.command, "true"), 0);
    ck_assert_int_eq(str_set(&call.tenant, "acme"), 0);
    for (int i = 0; i < 3; i++) {
        struct rpc_client *client = system_client();
        int r = rpc_client_call(client, &client_methods[CALL_SUBMIT], &call, 5000, &reply, &refusal, &err);
        rpc_client_close(client);
        bool told = r == 1 && refusal.code != NULL && strcmp(refusal.code, "unavailable") == 0 &&
                    refusal.message != NULL && strstr(refusal.message, "store") != NULL;
        if (!told)
            kill(redis, SIGCONT);
        ck_assert_msg(told, "answer %d: %d %s", i, r, refusal.message ? refusal.message : err_text(&err));
        fields_clear(&refusal_fields, &refusal);
    }
    ck_assert_int_eq(kill(redis, SIGCONT), 0);
    fields_clear(&submit_call_fields, &call);
    ends_as(running, "succeeded", 0);
    ends_as(accepted("acme", "{\"command\":[\"true\"]}"), "succeeded", 0);
}
END_TEST

/* ---- processes die ---- */
START_TEST(a_job_outlives_its_agent_warden_scheduler_and_store)
{
    uint64_t job = accepted("acme", "{\"command\":\"for i in $(seq 40); do echo line $i; sleep 0.1; done\"}");
    system_wait_runs(job);
    static const char *const victims[] = {"agent", "reeved", "warden", "redis", "reportd"};
    for (size_t i = 0; i < COUNT_OF(victims); i++) {
        pid_t pid = system_pid(victims[i]);
        ck_assert_msg(pid > 1, "%s is not there", victims[i]);
        kill(pid, SIGKILL);
        system_pause_ms(500);
    }
    ends_as(job, "succeeded", 0);
    struct job_view view = shown(job);
    ck_assert_uint_eq(view.attempts.count, 1);
    fields_clear(&job_view_fields, &view);
    char *text = system_log(job, 0, STREAM_OUT), want[1024] = "";
    for (int i = 1, n = 0; i <= 40; i++)
        n += snprintf(want + n, sizeof want - (size_t)n, "line %d\n", i);
    ck_assert_msg(text != NULL && strcmp(text, want) == 0, "no line lost, none twice: '%s'", text ? text : "(null)");
    free(text);
}
END_TEST

START_TEST(a_dead_keeper_is_a_nodes_fault_and_the_job_runs_again)
{
    uint64_t job = accepted("acme", "{\"command\":\"case $REEVE_ATTEMPT in *.1) sleep 600;; esac; echo done\"}");
    system_wait_runs(job);
    pid_t keeper = system_keeper(job, 0);
    ck_assert_int_gt(keeper, 1);
    ck_assert_int_eq(kill(keeper, SIGKILL), 0);
    ends_as(job, "succeeded", 0);
    struct job_view view = shown(job);
    ck_assert_uint_eq(view.attempts.count, 2);
    const struct attempt_view *attempts = view.attempts.v;
    ck_assert_str_eq(attempts[0].cause, "keeper_lost");
    fields_clear(&job_view_fields, &view);
}
END_TEST

/* The folder of an attempt that wrote nothing goes with its confirmed end, and with its agent the memory of it. */
START_TEST(a_silent_jobs_log_is_empty_after_its_agent)
{
    uint64_t job = accepted("acme", "{\"command\":[\"true\"]}");
    ends_as(job, "succeeded", 0);
    char path[4200];
    snprintf(path, sizeof path, "%s/node/attempts/%" PRIu64 ".0.1", system_dir(), job);
    for (uint64_t until = system_now_ms() + 10000; access(path, F_OK) == 0 && system_now_ms() < until;)
        system_pause_ms(10);
    ck_assert_int_ne(access(path, F_OK), 0);
    pid_t agent = system_pid("agent");
    ck_assert_int_gt(agent, 1);
    kill(agent, SIGKILL);
    ends_as(accepted("acme", "{\"command\":[\"true\"]}"), "succeeded", 0); /* the next agent is at work */
    for (uint32_t stream = 0; stream < LOG_STREAM_COUNT; stream++) {
        char *text = system_log(job, 0, stream);
        ck_assert_msg(text != NULL && text[0] == '\0', "'%s'", text ? text : "(null)");
        free(text);
    }
}
END_TEST

/* What a shell command prints, without its last newline. */
static void printed(char out[256], const char *format, ...)
{
    char command[9000];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    FILE *in = popen(command, "r"); /* lint: allow a person's shell is what is tested */
    ck_assert_ptr_nonnull(in);
    size_t len = fread(out, 1, 255, in);
    pclose(in);
    out[len > 0 && out[len - 1] == '\n' ? len - 1 : len] = '\0';
}

/* A scheduler that was stopped in order leaves finished jobs to the history. Their nodes have the logs still. */
START_TEST(logs_of_a_job_that_only_the_history_knows)
{
    uint64_t job = accepted("acme", "{\"command\":\"echo out; echo err >&2\"}");
    uint64_t silent = accepted("acme", "{\"command\":[\"true\"]}");
    ends_as(job, "succeeded", 0);
    ends_as(silent, "succeeded", 0);
    kill(system_pid("reeved"), SIGTERM);
    struct job_call call = {.job = job};
    for (bool known = true; known; system_pause_ms(10)) {
        struct job_view view = {0};
        struct refusal refusal = {0};
        int rc = system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 20000);
        known = rc != 1 || strcmp(refusal.code, "not_found") != 0;
        fields_clear(&refusal_fields, &refusal);
        fields_clear(&job_view_fields, &view);
    }
    ends_as(accepted("acme", "{\"command\":[\"true\"]}"), "succeeded", 0); /* the node is back, too */
    const struct {
        uint64_t job;
        const char *as, *more, *want;
    } asked[] = {
        {job, "", "", "out\nerr\n0"},
        {job, "", " --stderr", "err\n0"},
        {job, "", " -f", "out\nerr\n0"},
        {silent, "", "", "0"},
        {job + 1000000, "", "", "refused: the reports have no such job or task for you\n1"},
        {job, "setpriv --reuid 65534 --regid 65534 --clear-groups", "",
         "refused: the reports have no such job or task for you\n1"},
        {job, "setpriv --reuid 65534 --regid 65534 --clear-groups", ".0",
         "refused: the reports have no such job, task or attempt for you\n1"},
        {job, "", ".0.2", "refused: the reports have no such job, task or attempt for you\n1"},
    };
    char reach[256]; /* not below a folder like /root */
    printed(reach, "setpriv --reuid 65534 --regid 65534 --clear-groups test -x %s; echo $?", system_dir());
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        char got[256];
        if (asked[i].as[0] != '\0' && strcmp(reach, "0") != 0) {
            printf("skipped: others can't get at %s\n", system_dir());
            continue;
        }
        int tries = 0;
        do /* the reports may not have found the new scheduler yet: they say so, and to try again */
            printed(got, "%s %s --dir %s logs %" PRIu64 "%s 2>&1; echo $?", asked[i].as, system_program(),
                    system_dir(), asked[i].job, asked[i].more);
        while (strncmp(got, "unavailable:", 12) == 0 && ++tries < 50 && (system_pause_ms(200), true));
        ck_assert_msg(strcmp(got, asked[i].want) == 0, "logs %" PRIu64 "%s: '%s'", asked[i].job, asked[i].more,
                      got);
    }
}
END_TEST

/* An agent that is away, say between two versions, and a keeper that dies before the next one has come. */
START_TEST(what_a_job_wrote_last_outlives_its_agent_and_its_keeper)
{
    uint64_t job = accepted("acme", "{\"command\":\"echo start; sleep 3; echo end; echo last >&2\"}");
    char path[4200];
    snprintf(path, sizeof path, "%s/node/attempts/%" PRIu64 ".0.1/exit", system_dir(), job);
    system_wait_runs(job);
    pid_t up = system_pid("up"), warden = system_pid("warden"), keeper = system_keeper(job, 0);
    ck_assert_int_gt(up, 1);
    ck_assert_int_gt(keeper, 1);
    ck_assert_int_eq(kill(up, SIGSTOP), 0); /* nobody starts a warden now */
    ck_assert_int_eq(kill(warden, SIGKILL), 0);
    struct stat st = {0};
    for (uint64_t until = system_now_ms() + 10000; st.st_size == 0 && system_now_ms() < until; system_pause_ms(10))
        if (stat(path, &st) < 0)
            st.st_size = 0;
    kill(keeper, SIGKILL);
    kill(up, SIGCONT);
    ck_assert_msg(st.st_size > 0, "the keeper left no record");
    ends_as(job, "succeeded", 0);
    struct job_view view = shown(job);
    ck_assert_uint_eq(view.attempts.count, 1);
    fields_clear(&job_view_fields, &view);
    char *out = system_log(job, 0, STREAM_OUT), *err = system_log(job, 0, STREAM_ERR);
    ck_assert_msg(out != NULL && strcmp(out, "start\nend\n") == 0, "'%s'", out ? out : "(null)");
    ck_assert_msg(err != NULL && strcmp(err, "last\n") == 0, "'%s'", err ? err : "(null)");
    free(out);
    free(err);
}
END_TEST

#define KILL_JOBS_MAX 4000
START_TEST(killing_at_random_loses_nothing_and_runs_nothing_twice)
{
    static const char *const victims[] = {"agent", "reeved", "warden", "redis", "reportd", "keeper", "zygote"};
    static uint64_t jobs_done[KILL_JOBS_MAX];
    size_t count = 0;
    unsigned seed = (unsigned)getpid(), kills = 0;
    printf("seed %u\n", seed);
    uint64_t until = system_now_ms() + kill_seconds * 1000, next_kill = system_now_ms() + 500;
    while (system_now_ms() < until) {
        struct refusal refusal = {0};
        if (count < KILL_JOBS_MAX) {
            uint64_t job = system_submit("acme/etl", NULL,
                                         "{\"command\":\"echo start; sleep 0.05; echo end\",\"resources\":{\"cpu\":0.2,"
                                         "\"memory\":\"32Mi\",\"scratch\":\"1Mi\"}}",
                                         &refusal);
            if (job != 0)
                jobs_done[count++] = job;
            fields_clear(&refusal_fields, &refusal);
        }
        if (system_now_ms() >= next_kill) {
            const char *victim = victims[(unsigned)rand_r(&seed) % COUNT_OF(victims)];
            bool keeper = strcmp(victim, "keeper") == 0;
            pid_t pid = keeper ? system_keeper(0, (unsigned)rand_r(&seed) % 3) : system_pid(victim);
            if (pid > 1 && kill(pid, SIGKILL) == 0)
                kills++;
            next_kill = system_now_ms() + 100 + (unsigned)rand_r(&seed) % 900;
        }
    }
    printf("%zu jobs acknowledged under %u kills\n", count, kills);
    ck_assert_uint_gt(count, 10);
    for (size_t i = 0; i < count; i++) {
        struct wait_reply reply = {0};
        bool final = system_wait(jobs_done[i], 120000, &reply);
        ck_assert_msg(final, "job %" PRIu64 " was acknowledged and never ended (%s)", jobs_done[i],
                      reply.row.state ? reply.row.state : "unknown");
        ck_assert_msg(strcmp(reply.row.state, "succeeded") == 0, "job %" PRIu64 " is %s", jobs_done[i],
                      reply.row.state);
        fields_clear(&wait_reply_fields, &reply);
        char *text = system_log(jobs_done[i], 0, STREAM_OUT);
        ck_assert_msg(text != NULL && strcmp(text, "start\nend\n") == 0, "job %" PRIu64 ": its last attempt wrote '%s'",
                      jobs_done[i], text ? text : "(null)");
        free(text);
        struct job_view view = shown(jobs_done[i]);
        const struct attempt_view *attempts = view.attempts.v;
        for (size_t a = 0; a + 1 < view.attempts.count; a++)
            ck_assert_msg(strcmp(attempts[a].cause, "exit") != 0, "job %" PRIu64 " ran again after it had ended",
                          jobs_done[i]);
        fields_clear(&job_view_fields, &view);
    }
    char text[2000];
    ck_assert_msg(system_books_equal(30000, text, sizeof text), "%s", text);
    struct tenant_call call = {0};
    struct tenant_reply tenants = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_TENANTS], &call, &tenants, &refusal, 10000), 0);
    for (size_t i = 0; i < tenants.tenants.count; i++) {
        const struct tenant_row *row = &((struct tenant_row *)tenants.tenants.v)[i];
        ck_assert_msg(row->held_micros == 0, "%s still holds %" PRId64, row->path, row->held_micros);
        ck_assert_msg(row->running == 0, "%s still runs %" PRIu64, row->path, row->running);
        ck_assert_msg(row->limit_micros < 0 || row->spent_micros <= row->limit_micros, "%s overspent", row->path);
    }
    fields_clear(&tenant_reply_fields, &tenants);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc < 2 || geteuid() != 0) {
        fprintf(stderr, "usage: test_flow BUILD [SECONDS_OF_KILLING], as root\n");
        return 2;
    }
    if (argc > 2)
        kill_seconds = (unsigned)strtoul(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    system_start(argv[1], policy);
    Suite *s = suite_create("the whole system");
    TCase *t = tcase_create("flow");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, a_job_runs, 0, (int)COUNT_OF(jobs));
    tcase_add_test(t, a_traced_job_becomes_a_profile);
    tcase_add_test(t, run_comes_back_every_time);
    tcase_add_test(t, a_key_makes_one_job);
    tcase_add_test(t, a_key_tells_the_end_of_a_job_that_is_history);
    tcase_add_loop_test(t, a_refusal_says_why, 0, (int)COUNT_OF(refused));
    tcase_add_test(t, an_array_runs_every_task_once);
    tcase_add_test(t, retries_are_counted_and_end);
    tcase_add_test(t, cancel_stops_a_job_and_what_it_left);
    tcase_add_test(t, a_runaway_job_stops_exactly_at_its_budget);
    tcase_add_test(t, a_tenants_budget_is_never_overspent);
    tcase_add_loop_test(t, a_bad_line_is_answered_and_changes_nothing, 0, (int)COUNT_OF(lines));
    tcase_add_test(t, a_line_beyond_a_mebibyte_is_cut_off);
    tcase_add_test(t, half_a_line_and_gone);
    tcase_add_test(t, a_stopped_store_is_said_and_jobs_go_on);
    tcase_add_test(t, a_job_outlives_its_agent_warden_scheduler_and_store);
    tcase_add_test(t, a_dead_keeper_is_a_nodes_fault_and_the_job_runs_again);
    tcase_add_test(t, a_silent_jobs_log_is_empty_after_its_agent);
    tcase_add_test(t, logs_of_a_job_that_only_the_history_knows);
    tcase_add_test(t, what_a_job_wrote_last_outlives_its_agent_and_its_keeper);
    tcase_add_test(t, the_report_equals_the_ledger);
    tcase_add_test(t, killing_at_random_loses_nothing_and_runs_nothing_twice);
    suite_add_tcase(s, t);
    return suite_run_on_system(s);
}
