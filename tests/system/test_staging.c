/* Inputs and outputs on the whole system: what jobs say of them, what they cost, what survives whose death. Root. */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/suite.h"
#include "tests/system/system.h"

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "prices:\n"
                             "  - from: 2026-01-01\n"
                             "    per_hour: {cpu: 36.00, memory: 3.60}\n"
                             "tenants:\n"
                             "  acme: {users: [root], budget: {limit: 1000, period: month},"
                             " volumes: {node-in: ro, node-out: rw}}\n";
#define VOLUMES "\"volumes\":[{\"name\":\"node-in\",\"path\":\"/mnt/in\"}," \
                "{\"name\":\"node-out\",\"path\":\"/mnt/out\",\"writable\":true}],"

static char base[64];

static bool try(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    return system(command) == 0; /* lint: allow in tests */
}

static void host(const char *line)
{
    ck_assert_msg(try(line), "failed: %s", line);
}

static uint64_t submit(const char *rest)
{
    char spec[2048];
    struct refusal refusal = {0};
    snprintf(spec, sizeof spec, "{" VOLUMES "%s}", rest);
    uint64_t job = system_submit("acme", NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    fields_clear(&refusal_fields, &refusal);
    return job;
}

static struct job_view show(uint64_t job)
{
    struct job_call call = {.job = job};
    struct job_view view = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 10000), 0);
    return view;
}

static struct job_view ended(uint64_t job, const char *state)
{
    struct wait_reply reply = {0};
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    struct job_view view = show(job);
    const struct attempt_view *a = view.attempts.v;
    ck_assert_msg(strcmp(reply.row.state, state) == 0, "%s: %s %s", reply.row.state,
                  view.attempts.count > 0 ? a->cause : "", view.attempts.count > 0 ? a->record.detail : "");
    fields_clear(&wait_reply_fields, &reply);
    return view;
}

static const struct attempt_view *last(const struct job_view *view)
{
    return (const struct attempt_view *)view->attempts.v + view->attempts.count - 1;
}

START_TEST(what_goes_in_comes_out_and_the_record_says_so)
{
    host("rm -rf out/*; mkdir -p in/d && echo one >in/d/1 && echo two >in/d/2 && seq 100000 >in/numbers");
    uint64_t job = submit("\"command\":\"cat d/1 d/2 >all && wc -l <n >lines && mkdir res && mv all lines res\","
                          "\"inputs\":[{\"from\":\"/mnt/in/d\"},"
                          "{\"from\":\"/mnt/in/numbers\",\"to\":\"n\",\"sha256\":\"record\"}],"
                          "\"outputs\":[{\"from\":\"res\",\"to\":\"/mnt/out/{job}/res\",\"sha256\":\"record\"},"
                          "{\"from\":\"n\",\"to\":\"/mnt/out/{job}/n\",\"sha256\":\"record\"}]");
    struct job_view view = ended(job, "succeeded");
    const struct exit_record *r = &last(&view)->record;
    const struct staged *s = r->staged.v;
    ck_assert_uint_eq(r->staged.count, 4);
    ck_assert(!s[0].out && s[0].index == 0 && s[0].files == 3 && s[0].bytes == 8 && s[0].sha256 == NULL);
    ck_assert(!s[1].out && s[1].index == 1 && s[1].files == 1 && s[1].bytes == 588895);
    ck_assert(s[2].out && s[2].index == 0 && s[2].files == 3 && strlen(s[2].sha256) == 64);
    ck_assert(s[3].out && s[3].index == 1 && strcmp(s[3].sha256, s[1].sha256) == 0);
    char check[512];
    snprintf(check, sizeof check, "[ $(cat out/%" PRIu64 "/res/all | tr '\\n' .) = one.two. ] && [ $(cat out/%" PRIu64
                                  "/res/lines) = 100000 ] && echo '%s  in/numbers' | sha256sum -c --quiet",
             job, job, s[1].sha256);
    host(check);
    snprintf(check, sizeof check, "%s --dir %s show %" PRIu64 " | grep -q 'out /mnt/out/%" PRIu64 "/res .*sha256 %s'",
             system_program(), system_dir(), job, job, s[2].sha256);
    host(check);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(what_is_missing_costs_the_user_its_retries_and_says_why)
{
    host("rm -rf out/*");
    uint64_t job = submit("\"command\":\"echo ran\",\"retries\":1,\"inputs\":[{\"from\":\"/mnt/in/none\"}]");
    struct job_view view = ended(job, "failed");
    ck_assert_uint_eq(view.attempts.count, 2);
    ck_assert_str_eq(last(&view)->cause, "inputs");
    ck_assert_str_eq(last(&view)->record.detail,
                     "inputs[0]: '/mnt/in/none' can't be opened: No such file or directory");
    ck_assert_uint_eq(last(&view)->record.out_bytes, 0);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(tasks_of_an_array_bring_their_own)
{
    host("rm -rf out/*; for i in 1 2 3 4; do echo part $i >in/$i; done");
    uint64_t job = submit("\"command\":\"tr a-z A-Z <part >PART\",\"array\":{\"first\":1,\"last\":4},"
                          "\"resources\":{\"cpu\":0.2},"
                          "\"inputs\":[{\"from\":\"/mnt/in/{task}\",\"to\":\"part\"}],"
                          "\"outputs\":[{\"from\":\"PART\",\"to\":\"/mnt/out/{task}\"}]");
    struct job_view view = ended(job, "succeeded");
    host("[ \"$(cat out/*)\" = 'PART 1\nPART 2\nPART 3\nPART 4' ]");
    fields_clear(&job_view_fields, &view);
}
END_TEST

/* ---- while it is under way ---- */

/* The folder of the outputs, locked: who publishes there waits. */
static int lock_out(void)
{
    char path[80];
    host("rm -rf out/*");
    snprintf(path, sizeof path, "%s/out", base);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    return fd;
}

static uint64_t submit_blocked(void)
{
    uint64_t job = submit("\"command\":\"seq 50000 >n\",\"outputs\":[{\"from\":\"n\",\"to\":\"/mnt/out/n\"}]");
    for (int tries = 0;; tries++) {
        struct job_view view = show(job);
        ck_assert_msg(tries < 400, "it does not come to that");
        bool there = view.attempts.count > 0 && last(&view)->staging.present && last(&view)->staging.files == 1;
        if (there) {
            ck_assert(last(&view)->staging.out && last(&view)->staging.bytes == 288894);
            ck_assert_uint_eq(last(&view)->staging.bytes_all, 288894);
            ck_assert_str_eq(last(&view)->state, "staging out");
            ck_assert_str_eq(view.row.waiting_for, "its outputs, 100 %");
        }
        fields_clear(&job_view_fields, &view);
        if (there)
            return job;
        system_pause_ms(50);
    }
}

static void end_blocked(uint64_t job, int lock, uint32_t attempts)
{
    close(lock);
    struct job_view view = ended(job, "succeeded");
    ck_assert_uint_eq(view.attempts.count, attempts);
    ck_assert(!last(&view)->staging.present);
    ck_assert_uint_eq(last(&view)->record.staged.count, 1);
    host("[ $(ls -A out) = n ] && [ $(wc -l <out/n) = 50000 ]");
    fields_clear(&job_view_fields, &view);
}

START_TEST(how_far_it_is_can_be_seen)
{
    int lock = lock_out();
    end_blocked(submit_blocked(), lock, 1);
}
END_TEST

START_TEST(it_outlives_its_agent_and_its_warden)
{
    int lock = lock_out();
    uint64_t job = submit_blocked();
    ck_assert_int_eq(kill(system_pid(_i == 0 ? "agent" : "warden"), SIGKILL), 0);
    end_blocked(job, lock, 1);
}
END_TEST

START_TEST(a_keeper_that_is_killed_costs_another_attempt)
{
    int lock = lock_out();
    uint64_t job = submit_blocked();
    ck_assert_int_eq(kill(system_keeper(job, 0), SIGKILL), 0);
    end_blocked(job, lock, 2);
}
END_TEST

START_TEST(what_is_cancelled_meanwhile_publishes_nothing)
{
    int lock = lock_out();
    uint64_t job = submit_blocked();
    struct job_call call = {.job = job};
    struct cancel_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &reply, &refusal, 10000), 0);
    struct job_view view = ended(job, "cancelled"); /* killed at the end of its grace: it waits for a lock */
    close(lock);
    host("[ -z \"$(ls -A out)\" ]");
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(the_books_are_right)
{
    char text[512];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("staging");
    TCase *t = tcase_create("staging");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_goes_in_comes_out_and_the_record_says_so);
    tcase_add_test(t, what_is_missing_costs_the_user_its_retries_and_says_why);
    tcase_add_test(t, tasks_of_an_array_bring_their_own);
    tcase_add_test(t, how_far_it_is_can_be_seen);
    tcase_add_loop_test(t, it_outlives_its_agent_and_its_warden, 0, 2);
    tcase_add_test(t, a_keeper_that_is_killed_costs_another_attempt);
    tcase_add_test(t, what_is_cancelled_meanwhile_publishes_nothing);
    tcase_add_test(t, the_books_are_right);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    char in[96], out[96];
    strcpy(base, "/var/tmp/reeve-staging-XXXXXX"); /* lint: allow it fits */
    if (mkdtemp(base) == NULL || !try("chmod 755 . && mkdir in out && chown 4321:4321 in out"))
        return 1;
    snprintf(in, sizeof in, "node-in=%s/in:ro", base);
    snprintf(out, sizeof out, "node-out=%s/out", base);
    const char *options[] = {"--volume", in, "--volume", out, NULL};
    system_start_with(argc > 1 ? argv[1] : "build", policy, options);
    int code = suite_run_on_system(suite());
    return try("rm -rf in out") && rmdir(base) == 0 ? code : 1;
}
