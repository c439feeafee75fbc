/* How long the CLI waits for an answer: for ever for one who lives, not for one who shows no life. */
#include <check.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/loop.h"
#include "cli/cli.h"
#include "tests/run.h"
#include "tests/scratch.h"

enum { LOOKS = 3 };

static struct scratch scratch;
static struct cli cli;

static void setup(void)
{
    scratch = scratch_new();
    cli_init(&cli);
    cli.command = "ledger";
    cli.dir = scratch.dir;
    cli.patience = (struct cli_patience){.look_ms = 20, .scheduler_ms = 1, .report_ms = 1};
    cli_find_sockets(&cli);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "report"), 0700), 0);
}

static void teardown(void)
{
    cli_fini(&cli);
    scratch_remove(&scratch);
}

/* ---- somebody who is stopped: the kernel connects, nobody answers ------------------------------------------ */

static int stopped_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

START_TEST(reports_that_stand_still_are_unreachable)
{
    struct check_reply reply = {0};
    int fd = stopped_at(cli.report_path);
    ck_assert_int_eq(cli_report(&cli, REPORT_CHECK, NULL, &reply), CLI_UNREACHABLE);
    close(fd);
}
END_TEST

START_TEST(a_scheduler_that_stands_still_is_unreachable)
{
    struct verify_reply reply = {0};
    int fd = stopped_at(cli.scheduler_path);
    ck_assert_int_eq(cli_call(&cli, CALL_VERIFY, NULL, &reply), CLI_UNREACHABLE);
    close(fd);
}
END_TEST

START_TEST(a_long_question_that_is_not_even_read_ends_too)
{
    struct adjust_reply reply = {0};
    struct adjust_call call = {.tenant = malloc(1 << 20)};
    memset(call.tenant, 'x', 1 << 20);
    call.tenant[(1 << 20) - 1] = '\0';
    int fd = stopped_at(cli.scheduler_path);
    ck_assert_int_eq(cli_call(&cli, CALL_ADJUST, &call, &reply), CLI_UNREACHABLE);
    close(fd);
    free(call.tenant);
}
END_TEST

/* ---- somebody who works for long: the recount is over when life was looked for several times ---------------- */

static struct {
    struct rpc_server *server;
    struct rpc_ticket asked;
    unsigned looks;
} child;

static void on_verify(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    (void)arg, (void)conn, (void)m, (void)params;
    child.asked = *ticket;
}

static void on_status(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    (void)arg, (void)conn, (void)params;
    struct verify_reply over = {.seq = 7};
    rpc_answer(child.server, ticket, m->result, &(struct status_reply){0});
    if (++child.looks == LOOKS)
        rpc_answer(child.server, &child.asked, &verify_reply_fields, &over);
}

static _Noreturn void work(const char *path, int ready)
{
    static const rpc_handler handlers[CLIENT_METHOD_COUNT] = {[CALL_VERIFY] = on_verify, [CALL_STATUS] = on_status};
    static const struct rpc_handlers table = {.methods = client_methods, .handlers = handlers,
                                              .count = CLIENT_METHOD_COUNT};
    struct loop *loop;
    struct err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&loop, &err) < 0 || rpc_listen(&child.server, loop, path, 0600, 8, &table, NULL, &err) < 0 ||
        write(ready, "", 1) != 1)
        _exit(2);
    _exit(loop_run(loop, &err) < 0 ? 2 : 0);
}

START_TEST(who_lives_is_waited_for)
{
    int ready[2];
    char byte;
    cli.patience.scheduler_ms = 3600000;
    struct verify_reply reply = {0};
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0)
        work(cli.scheduler_path, ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(cli_call(&cli, CALL_VERIFY, NULL, &reply), CLI_DONE);
    ck_assert_uint_eq(reply.seq, 7);
    fields_clear(&verify_reply_fields, &reply);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("patience");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reports_that_stand_still_are_unreachable);
    tcase_add_test(t, a_scheduler_that_stands_still_is_unreachable);
    tcase_add_test(t, a_long_question_that_is_not_even_read_ends_too);
    tcase_add_test(t, who_lives_is_waited_for);
    Suite *s = suite_create("cli/patience");
    suite_add_tcase(s, t);
    return run_suite(s);
}
