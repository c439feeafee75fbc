/* The real reeved under users who ask for much: others and the nodes don't notice. */
#include "tests/run.h"
#include "tests/scheduler/flow.h"

/* DEL is one byte in a client's line and six in ours. */
START_TEST(the_largest_job_reaches_its_node)
{
    static char word[60001];
    memset(word, 0x7f, sizeof word - 1);
    struct submit_call call = job_call("/bin/true", "large");
    struct submit_reply reply = {0};
    for (int i = 0; i < 2; i++) /* our own client writes six, too */
        ck_assert_int_eq(strs_add(&call.spec.command, word), 0);
    ask(CALL_SUBMIT, &call, &reply, NULL);
    wait_for(reply.job, "succeeded");
    uint64_t hellos = seen->hellos;
    int s = dial_clients();
    const char *before = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{\"tenant\":\"acme\","
                         "\"spec\":{\"command\":[\"/bin/true\"";
    send_all(s, before, strlen(before));
    for (int i = 0; i < 17; i++) {
        send_all(s, ",\"", 2);
        send_all(s, word, sizeof word - 1);
        send_all(s, "\"", 1);
    }
    send_all(s, "]}}}\n", 5);
    char answer[512] = "";
    ck_assert_int_gt(recv(s, answer, sizeof answer - 1, 0), 0);
    ck_assert_msg(strstr(answer, "\"result\"") != NULL, "%s", answer);
    close(s);
    wait_for(reply.job + 1, "succeeded");
    ck_assert_uint_eq(seen->hellos, hellos); /* the link held */
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
}
END_TEST

/* Thousands of submissions of one user at once, by bytes: nobody waits for an answer. */
_Noreturn static void flood(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static char answers[1 << 20];
    const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":"
                        "{\"tenant\":\"acme\",\"spec\":{\"command\":[\"true\"]}}}\n";
    if (setuid(70001) != 0)
        _exit(1);
    int s = dial_clients();
    for (;;) {
        while (recv(s, answers, sizeof answers, MSG_DONTWAIT) > 0)
            continue;
        for (int i = 0; i < 500; i++)
            if (send(s, call, sizeof call - 1, MSG_NOSIGNAL) < 0)
                _exit(1);
    }
}

START_TEST(a_flood_of_one_user_stops_nobody_else)
{
    pid_t pids[4];
    ck_assert_int_eq(chmod(dir, 0755), 0);
    for (size_t i = 0; i < COUNT_OF(pids); i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            flood();
    }
    uint64_t job = 0;
    for (int i = 0; i < 30; i++) {
        char key[16];
        snprintf(key, sizeof key, "mine-%d", i);
        job = submit("/bin/true", key); /* busy would be a failure */
    }
    for (size_t i = 0; i < COUNT_OF(pids); i++) {
        ck_assert_int_eq(waitpid(pids[i], NULL, WNOHANG), 0); /* it was there to the end */
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    ck_assert_int_eq(ask(CALL_CANCEL, &(struct job_call){.job = job}, &(struct cancel_reply){0}, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *t = tcase_create("load");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_largest_job_reaches_its_node);
    if (geteuid() == 0)
        tcase_add_test(t, a_flood_of_one_user_stops_nobody_else);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
