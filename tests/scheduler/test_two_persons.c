/*
 * Two persons on the real reeved: who is who is known from the kernel, and what was proposed outlives a kill -9. Root.
 */
#include "tests/run.h"
#include "tests/scheduler/flow.h"

enum { ALICE = 70002, BOB = 70003, STRANGER = 70001 };
#define LIMIT INT64_C(1000000000)

static char code[64];

/* As that user; the refusal's code, "" = done. */
static const char *ask_as(uid_t uid, enum client_method method, const void *params)
{
    int answer[2];
    ck_assert_int_eq(pipe2(answer, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        union {
            struct apply_reply apply;
            struct proposals_reply proposals;
        } reply = {0};
        ck_assert_int_eq(setgid(uid), 0);
        ck_assert_int_eq(setuid(uid), 0);
        (void)ask(method, params, &reply, code);
        _exit(write(answer[1], code, sizeof code) == (ssize_t)sizeof code ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(answer[0], code, sizeof code), sizeof code);
    close(answer[0]);
    close(answer[1]);
    return code;
}

static struct apply_call policy_now(void)
{
    struct policy_reply now = {0};
    ask(CALL_POLICY, NULL, &now, NULL);
    struct price_version *prices = now.policy.prices.v;
    for (size_t i = 0; i < now.policy.prices.count; i++)
        prices[i].version = 0;
    return (struct apply_call){.policy = now.policy};
}

static struct apply_call with_limit(int64_t micros)
{
    struct apply_call call = policy_now();
    ((struct tenant_rule *)call.policy.tenants.v)[0].budget.limit_micros = micros;
    return call;
}

static const char *limit_as(uid_t uid, int64_t micros)
{
    struct apply_call call = with_limit(micros);
    (void)ask_as(uid, CALL_APPLY, &call);
    fields_clear(&apply_call_fields, &call);
    return code;
}

static const char *approve_as(uid_t uid, uint64_t proposal)
{
    return ask_as(uid, CALL_APPROVE, &(struct approve_call){proposal});
}

static int64_t limit(void)
{
    struct apply_call call = policy_now();
    int64_t micros = ((struct tenant_rule *)call.policy.tenants.v)[0].budget.limit_micros;
    fields_clear(&apply_call_fields, &call);
    return micros;
}

static void need_two(void)
{
    struct apply_call call = policy_now();
    struct apply_reply reply = {0};
    call.policy.two_persons = true;
    ck_assert_int_eq(strs_add(&call.policy.admins, "uid:70002"), 0);
    ck_assert_int_eq(strs_add(&call.policy.admins, "uid:70003"), 0);
    ask(CALL_APPLY, &call, &reply, NULL);
    ck_assert_uint_eq(reply.proposal, 0);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
}

static bool is_logged(const char *text)
{
    char path[160], line[8192];
    snprintf(path, sizeof path, "%s/reeved.log", scratch.dir);
    FILE *in = fopen(path, "r");
    bool found = false;
    while (in != NULL && !found && fgets(line, sizeof line, in) != NULL)
        found = strstr(line, text) != NULL;
    if (in != NULL)
        fclose(in);
    return found;
}

static void again(void)
{
    reeved_end(SIGKILL);
    reeved_start(NULL);
}

START_TEST(a_raise_waits_for_another_user_across_restarts)
{
    need_two();
    ck_assert_str_eq(limit_as(ALICE, 2 * LIMIT), "");
    ck_assert_int_eq(limit(), LIMIT);
    again();
    ck_assert_str_eq(approve_as(ALICE, 1), "two_persons");
    ck_assert_str_eq(approve_as(STRANGER, 1), "forbidden");
    ck_assert_str_eq(ask_as(STRANGER, CALL_PROPOSALS, NULL), "forbidden");
    ck_assert_str_eq(ask_as(STRANGER, CALL_DROP, &(struct drop_call){.proposal = 1}), "forbidden");
    ck_assert_int_eq(limit(), LIMIT);
    ck_assert_str_eq(approve_as(BOB, 1), "");
    ck_assert_int_eq(limit(), 2 * LIMIT);
    again();
    ck_assert_int_eq(limit(), 2 * LIMIT);
    ck_assert_str_eq(approve_as(BOB, 1), "not_found");
    ck_assert_str_eq(limit_as(ALICE, LIMIT), ""); /* less is in force at once */
    ck_assert_int_eq(limit(), LIMIT);
    reeved_end(SIGTERM); /* its log is whole then */
    ck_assert(is_logged("policy.proposed proposal=1 version=3 who=\"uid:70002\" uid=70002 raises=1"));
    ck_assert(is_logged("policy.set version=3 who=\"uid:70002\" tenants=1 removed=0 proposal=1 "
                     "approved_by=\"uid:70003\""));
}
END_TEST

START_TEST(root_is_one_person_and_anybody_drops)
{
    need_two();
    ck_assert_str_eq(limit_as(0, 2 * LIMIT), "");
    ck_assert_str_eq(limit_as(BOB, 3 * LIMIT), "");
    ck_assert_str_eq(approve_as(0, 1), "two_persons");
    ck_assert_str_eq(ask_as(ALICE, CALL_DROP, &(struct drop_call){.proposal = 1}), "");
    ck_assert_str_eq(approve_as(ALICE, 1), "not_found");
    again();
    struct proposals_reply waiting = {0};
    ask(CALL_PROPOSALS, NULL, &waiting, NULL);
    ck_assert_uint_eq(waiting.proposals.count, 1);
    const struct proposal_row *row = waiting.proposals.v;
    ck_assert_uint_eq(row->proposal, 2);
    ck_assert_str_eq(row->who, "uid:70003");
    ck_assert_str_eq(row->raises.v[0], "acme  budget.limit");
    fields_clear(&proposals_reply_fields, &waiting);
    ck_assert_str_eq(approve_as(0, 2), "");
    ck_assert_int_eq(limit(), 3 * LIMIT);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        printf("SKIP: other users need root\n");
        return EXIT_SUCCESS;
    }
    Suite *s = suite_create("two persons");
    TCase *t = tcase_create("two persons");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_raise_waits_for_another_user_across_restarts);
    tcase_add_test(t, root_is_one_person_and_anybody_drops);
    suite_add_tcase(s, t);
    return run_suite(s);
}
