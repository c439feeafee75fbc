#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/bpf.h"
#include "isolation/seccomp.h"
#include "isolation/seccomp_builtin.h"
#include "isolation/seccomp_compile.h"
#include "isolation/seccomp_lower.h"
#include "isolation/seccomp_read.h"
#include "isolation/seccomp_trace.h"
#include "isolation/seccomp_verify.h"
#include "isolation/spec/trace.h"
#include "tests/isolation/profiles.h"
#include "tests/run.h"

static struct sock_filter insns[SECCOMP_INSNS_MAX];
static size_t count;
static struct seccomp_profile profile;

static void load_builtin(const char *name)
{
    struct err err = {0};
    seccomp_profile_fini(&profile);
    ck_assert_msg(seccomp_builtin_read(name, &profile, &err) == 0, "%s", err.text);
    ck_assert_msg(seccomp_build(&profile, insns, &count, &err) == 0, "%s", err.text);
}

static void setup(void)
{
    load_builtin("default");
}

static void teardown(void)
{
    seccomp_profile_fini(&profile);
}

#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)
#define HERE AUDIT_ARCH_X86_64

static const struct call_row {
    const char *sentence;
    uint32_t arch;
    int nr;
    uint64_t args[3];
    uint32_t by_default, by_floor;
} calls[] = {
    {"reading is allowed", HERE, SYS_read, {0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"exec is allowed", HERE, SYS_execve, {0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"ending is allowed", HERE, SYS_exit_group, {0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"threads are allowed", HERE, SYS_clone, {0x3d0f00}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"a new user namespace is not", HERE, SYS_clone, {0x10000011}, DENIED, DENIED},
    {"nor hidden behind a high bit", HERE, SYS_clone, {0x8000000010000011}, DENIED, DENIED},
    {"a new cgroup namespace is not", HERE, SYS_clone, {0x02000011}, DENIED, DENIED},
    {"clone3 doesn't exist, so that libraries fall back", HERE, SYS_clone3, {0}, ABSENT, ABSENT},
    {"io_uring doesn't exist", HERE, SYS_io_uring_setup, {0}, ABSENT, ABSENT},
    {"what a future kernel brings doesn't exist", HERE, 700, {0}, ABSENT, ABSENT},
    {"no call has the number -1", HERE, -1, {0}, ABSENT, ABSENT},
    {"tracing is denied, but not by the floor", HERE, SYS_ptrace, {0}, DENIED, SECCOMP_RET_ALLOW},
    {"keys are denied", HERE, SYS_keyctl, {0}, DENIED, DENIED},
    {"bpf is denied", HERE, SYS_bpf, {0}, DENIED, DENIED},
    {"modules are denied", HERE, SYS_finit_module, {0}, DENIED, DENIED},
    {"mounting the new way is denied", HERE, SYS_fsopen, {0}, DENIED, DENIED},
    {"TCP is allowed", HERE, SYS_socket, {2, 1, 0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"the crypto family is denied", HERE, SYS_socket, {38, 5, 0}, DENIED, DENIED},
    {"with any high bit too", HERE, SYS_socket, {38 | UINT64_C(1) << 32, 5, 0}, DENIED, DENIED},
    {"a high bit changes nothing for an allowed family",
     HERE,
     SYS_socket,
     {2 | UINT64_C(1) << 40, 1, 0},
     SECCOMP_RET_ALLOW,
     SECCOMP_RET_ALLOW},
    {"routing netlink is allowed", HERE, SYS_socket, {16, 3, 0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"other netlink is denied", HERE, SYS_socket, {16, 3, 9}, DENIED, SECCOMP_RET_ALLOW},
    {"an ordinary ioctl is allowed", HERE, SYS_ioctl, {0, 0x5401, 0}, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW},
    {"typing into a terminal is denied", HERE, SYS_ioctl, {0, 0x5412, 0}, DENIED, DENIED},
    {"typing with a high bit is denied", HERE, SYS_ioctl, {0, 0x100005412, 0}, DENIED, DENIED},
    {"a 32-bit call kills", AUDIT_ARCH_I386, 20, {0}, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS},
    {"an x32 call kills", HERE, 0x40000000 + SYS_getpid, {0}, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS},
};

static void check_call(const struct call_row *row, const char *name, uint32_t want)
{
    struct seccomp_data call = {.nr = row->nr, .arch = row->arch};
    memcpy(call.args, row->args, sizeof row->args);
    load_builtin(name);
    uint32_t answer = bpf_ask(insns, count, &call);
    ck_assert_msg(answer == want, "%s, in the %s: %#x, not %#x", row->sentence, name, answer, want);
}

START_TEST(test_call)
{
    check_call(&calls[_i], "default", calls[_i].by_default);
    check_call(&calls[_i], "floor", calls[_i].by_floor);
}
END_TEST

/* Or the default would promise what the floor takes away. */
START_TEST(test_the_default_allows_nothing_that_the_floor_denies)
{
    static struct sock_filter floor_insns[SECCOMP_INSNS_MAX];
    load_builtin("floor");
    size_t floor_count = count;
    memcpy(floor_insns, insns, sizeof insns);
    load_builtin("default");
    for (int n = 0; n < SECCOMP_NUMBER_MAX; n++) {
        const struct seccomp_data call = {.nr = n, .arch = HERE};
        if (bpf_ask(insns, count, &call) == SECCOMP_RET_ALLOW)
            ck_assert_uint_eq(bpf_ask(floor_insns, floor_count, &call), SECCOMP_RET_ALLOW);
    }
}
END_TEST

/* What the default denies with an errno is told, all else is as it was. */
START_TEST(test_tracing_tells_what_would_be_denied)
{
    static struct sock_filter plain[SECCOMP_INSNS_MAX];
    size_t plain_count = count;
    memcpy(plain, insns, sizeof insns);
    load_builtin("trace");
    for (int n = -1; n < SECCOMP_NUMBER_MAX; n++) {
        const struct seccomp_data call = {.nr = n, .arch = HERE};
        uint32_t was = bpf_ask(plain, plain_count, &call), now = bpf_ask(insns, count, &call);
        bool known = n >= 0 && n <= profile.highest, denied = (was & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
        ck_assert_uint_eq(now, denied && known ? SECCOMP_RET_USER_NOTIF : was);
    }
}
END_TEST

/* --- building ----------------------------------------------------------------- */

START_TEST(test_both_builders_answer_as_the_profile_says)
{
    struct err err = {0};
    ck_assert_int_eq(seccomp_by_library(&profile, insns, &count), 0);
    ck_assert_msg(seccomp_verify(&profile, insns, count, &err) == 0, "library: %s", err.text);
    ck_assert_int_eq(seccomp_emit(&profile, insns, &count, &err), 0);
    ck_assert_msg(seccomp_verify(&profile, insns, count, &err) == 0, "emitter: %s", err.text);
}
END_TEST

/* libseccomp leaves an instruction behind that no jump leads to. */
static void mark_reachable(bool reachable[SECCOMP_INSNS_MAX])
{
    memset(reachable, 0, SECCOMP_INSNS_MAX * sizeof *reachable);
    reachable[0] = true;
    for (size_t i = 0; i < count; i++) {
        bool jump = BPF_CLASS(insns[i].code) == BPF_JMP, always = insns[i].code == (BPF_JMP | BPF_JA);
        if (!reachable[i] || BPF_CLASS(insns[i].code) == BPF_RET)
            continue;
        reachable[i + 1 + (always ? insns[i].k : jump ? insns[i].jt : 0)] = true;
        reachable[i + 1 + (always ? insns[i].k : jump ? insns[i].jf : 0)] = true;
    }
}

/* Each instruction that answers, changed in its answer; each comparison, turned round: somebody must notice. Of the
 * library's only the answers: it asks again what our head has asked, and nothing gets there any more. */
static void check_mutations(const char *builder, bool jumps_too)
{
    static bool reachable[SECCOMP_INSNS_MAX];
    int tried = 0;
    mark_reachable(reachable);
    for (size_t i = 0; i < count; i++) {
        const struct sock_filter was = insns[i];
        if (!reachable[i] || (BPF_CLASS(was.code) != BPF_RET && BPF_CLASS(was.code) != BPF_JMP) ||
            (BPF_CLASS(was.code) == BPF_JMP && (was.jt == was.jf || !jumps_too)) ||
            (BPF_CLASS(was.code) == BPF_RET && was.k == SECCOMP_RET_KILL_PROCESS && !jumps_too))
            continue;
        insns[i].k = was.code != (BPF_RET | BPF_K) ? was.k : was.k == SECCOMP_RET_ALLOW ? DENIED : SECCOMP_RET_ALLOW;
        insns[i].jt = was.jf;
        insns[i].jf = was.jt;
        ck_assert_msg(seccomp_verify(&profile, insns, count, NULL) == -EBADMSG, "%s: instruction %zu", builder, i);
        insns[i] = was;
        tried++;
    }
    ck_assert_int_ge(tried, jumps_too ? 40 : 4);
}

START_TEST(test_a_wrong_instruction_is_noticed)
{
    ck_assert_int_eq(seccomp_by_library(&profile, insns, &count), 0);
    check_mutations("library", false);
    ck_assert_int_eq(seccomp_emit(&profile, insns, &count, NULL), 0);
    check_mutations("emitter", true);
}
END_TEST

/* The order of rules in the file changes nothing: the strictest answer counts. */
START_TEST(test_several_answers_for_one_call)
{
    static const char text[] =
        "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
        "{'names':['read'],'action':'SCMP_ACT_LOG','args':[{'index':2,'value':9,'op':'SCMP_CMP_GT'}]},"
        "{'names':['read'],'action':'SCMP_ACT_ERRNO','errnoRet':5,"
        "'args':[{'index':2,'value':100,'op':'SCMP_CMP_GE'}]},"
        "{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}";
    static const struct {
        uint64_t size;
        uint32_t answer;
    } rows[] = {{9, SECCOMP_RET_ALLOW},
                {10, SECCOMP_RET_LOG},
                {99, SECCOMP_RET_LOG},
                {100, SECCOMP_RET_ERRNO | EIO},
                {UINT64_C(1) << 32, SECCOMP_RET_ERRNO | EIO}};
    struct err err = {0};
    seccomp_profile_fini(&profile);
    ck_assert_msg(read_quoted(text, &profile, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(seccomp_by_library(&profile, insns, &count), -EOPNOTSUPP);
    ck_assert_msg(seccomp_build(&profile, insns, &count, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct seccomp_data call = {.nr = SYS_read, .arch = HERE, .args = {0, 0, rows[i].size}};
        ck_assert_uint_eq(bpf_ask(insns, count, &call), rows[i].answer);
    }
}
END_TEST

/* --- lowering ----------------------------------------------------------------- */

static uint64_t seed = 88172645463325252;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static uint64_t random_value(uint32_t width)
{
    static const uint64_t usual[] = {0, 1, 2, 8, 38, 0x5412, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(1) << 32};
    uint64_t v = next_random() % 3 == 0 ? next_random() : usual[next_random() % COUNT_OF(usual)];
    return width >= 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

static struct seccomp_rule random_rule(uint32_t arg)
{
    static const uint32_t widths[] = {16, 32, 64};
    struct seccomp_rule rule = {.count = 1 + (uint32_t)(next_random() % 3)};
    uint32_t width = widths[next_random() % 3];
    for (uint32_t i = 0; i < rule.count; i++) {
        struct seccomp_condition *c = &rule.when[i];
        *c = (struct seccomp_condition){.arg = arg, .op = (uint32_t)(next_random() % 7), .width = width};
        c->value = random_value(width);
        c->mask = random_value(width);
        if (c->op == SECCOMP_MASKED_EQ)
            c->value &= c->mask;
    }
    return rule;
}

static bool rule_holds(const struct seccomp_rule *rule, uint64_t value)
{
    bool all = true;
    for (uint32_t i = 0; i < rule->count; i++)
        all = all && seccomp_condition_holds(&rule->when[i], value);
    return all;
}

static int terms_that_match(const struct seccomp_terms *terms, uint64_t value)
{
    int hits = 0;
    for (uint32_t i = 0; i < terms->count; i++)
        hits += (value & terms->at[i].mask) == terms->at[i].value;
    return hits;
}

START_TEST(test_terms_cover_what_the_conditions_let_through_and_once)
{
    for (int n = 0; n < 3000; n++) {
        uint64_t began = seed;
        struct seccomp_rule rule = random_rule(0);
        struct seccomp_terms terms;
        if (seccomp_lower(&rule, 0, &terms) < 0)
            continue;
        for (int k = 0; k < 200; k++) {
            uint64_t value = rule.when[next_random() % rule.count].value + next_random() % 5 - 2;
            value ^= next_random() % 2 == 0 ? 0 : UINT64_C(1) << next_random() % 64;
            value = next_random() % 4 == 0 ? next_random() : value;
            ck_assert_msg(terms_that_match(&terms, value) == rule_holds(&rule, value), "seed %llu: value %#llx",
                          (unsigned long long)began, (unsigned long long)value);
        }
    }
}
END_TEST

/* --- what is refused ----------------------------------------------------------------- */

START_TEST(test_refused)
{
    const struct profile_row *row = &profile_refusals[_i];
    struct err err = {0};
    struct seccomp_profile p = {0};
    int rc = read_quoted(row->text, &p, NULL, &err);
    ck_assert_msg(rc == -EINVAL, "%s: %d", row->sentence, rc);
    ck_assert_msg(strstr(err.text, row->says) != NULL, "%s: '%s' lacks '%s'", row->sentence, err.text, row->says);
}
END_TEST

START_TEST(test_accepted)
{
    const struct profile_row *row = &profile_acceptances[_i];
    struct err err = {0};
    struct buf notes = {0};
    seccomp_profile_fini(&profile);
    ck_assert_msg(read_quoted(row->text, &profile, &notes, &err) == 0, "%s: %s", row->sentence, err.text);
    ck_assert_msg(seccomp_build(&profile, insns, &count, &err) == 0, "%s: %s", row->sentence, err.text);
    const struct seccomp_data call = {.nr = row->nr, .arch = HERE, .args = {row->args[0], row->args[1], row->args[2]}};
    uint32_t answer = bpf_ask(insns, count, &call);
    ck_assert_msg(answer == row->answer, "%s: %#x, not %#x", row->sentence, answer, row->answer);
    ck_assert_msg(strstr(buf_text(&notes), row->says) != NULL, "%s: notes '%s'", row->sentence, buf_text(&notes));
    buf_fini(&notes);
}
END_TEST

START_TEST(test_a_profile_too_long_is_refused)
{
    static char text[SECCOMP_TEXT_MAX + 2];
    memset(text, ' ', sizeof text);
    struct seccomp_profile p = {0};
    ck_assert_int_eq(seccomp_read(text, SECCOMP_TEXT_MAX + 1, &p, NULL, NULL), -EFBIG);
}
END_TEST

/* As many conditions as there is no room for: refused by our own emitter, not cut. */
START_TEST(test_a_filter_too_large_is_refused)
{
    struct seccomp_profile p = {.arch = HERE, .highest = 400, .other = SECCOMP_RET_ALLOW, .count = 400};
    p.rules = calloc(p.count, sizeof *p.rules);
    for (uint32_t i = 0; i < p.count; i++)
        p.rules[i] = (struct seccomp_rule){.number = (int)i,
                                           .answer = DENIED,
                                           .place = i,
                                           .count = 1,
                                           .when = {{.op = SECCOMP_NE, .width = 64, .value = 0x123456789}}};
    struct err err = {0};
    ck_assert_int_eq(seccomp_emit(&p, insns, &count, &err), -E2BIG);
    seccomp_profile_fini(&p);
}
END_TEST

/* --- Docker's own file ----------------------------------------------------------------- */

#define DOCKER_FILE "../../shared/seccomp/docker-default.json"

static const struct docker_row {
    const char *sentence;
    int nr;
    uint64_t args[3];
    uint32_t answer;
} docker_rows[] = {
    {"reading", SYS_read, {0}, SECCOMP_RET_ALLOW},
    {"tracing, since 4.8", SYS_ptrace, {0}, SECCOMP_RET_ALLOW},
    {"bpf needs a capability", SYS_bpf, {0}, DENIED},
    {"mounting too", SYS_mount, {0}, DENIED},
    {"clone3 falls back", SYS_clone3, {0}, ABSENT},
    {"clone without namespaces", SYS_clone, {0x11}, SECCOMP_RET_ALLOW},
    {"clone with one", SYS_clone, {0x10000011}, DENIED},
    {"a high bit in clone's flags hides nothing", SYS_clone, {0x110000011}, DENIED},
    {"a family below 38", SYS_socket, {2}, SECCOMP_RET_ALLOW},
    {"AF_ALG", SYS_socket, {38}, DENIED},
    {"AF_ALG behind a high bit", SYS_socket, {38 | UINT64_C(1) << 33}, DENIED},
    {"family 39", SYS_socket, {39}, SECCOMP_RET_ALLOW},
    {"AF_VSOCK", SYS_socket, {40}, DENIED},
    {"a family above", SYS_socket, {44}, SECCOMP_RET_ALLOW},
    {"asking for the personality", SYS_personality, {0xffffffff}, SECCOMP_RET_ALLOW},
    {"asking with 64 bits", SYS_personality, {UINT64_MAX}, SECCOMP_RET_ALLOW},
    {"another personality", SYS_personality, {0x40000}, DENIED},
    {"this architecture's own", SYS_arch_prctl, {0}, SECCOMP_RET_ALLOW},
    {"a capability's", SYS_reboot, {0}, DENIED},
};

START_TEST(test_dockers_default_means_what_docker_means)
{
    static char text[SECCOMP_TEXT_MAX];
    FILE *f = fopen(DOCKER_FILE, "re");
    if (f == NULL) {
        printf("skipped: " DOCKER_FILE " is not here\n");
        return;
    }
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    struct err err = {0};
    seccomp_profile_fini(&profile);
    ck_assert_msg(seccomp_read(text, len, &profile, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(seccomp_build(&profile, insns, &count, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < COUNT_OF(docker_rows); i++) {
        const struct docker_row *row = &docker_rows[i];
        struct seccomp_data call = {.nr = row->nr, .arch = HERE};
        memcpy(call.args, row->args, sizeof row->args);
        ck_assert_msg(bpf_ask(insns, count, &call) == row->answer, "%s", row->sentence);
    }
}
END_TEST

/* --- a trace as a profile ----------------------------------------------------------------- */

START_TEST(test_a_trace_becomes_a_profile_that_allows_what_was_seen)
{
    struct {
        struct trace_head head;
        struct trace_row rows[2];
    } trace = {{TRACE_MAGIC, 2, 0}, {{SYS_ptrace, HERE, {16, 7}, 3}, {SYS_name_to_handle_at, HERE, {0}, 1}}};
    struct buf text = {0};
    struct err err = {0};
    ck_assert_msg(seccomp_trace_profile(&trace, sizeof trace, &text, &err) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "3 times: ptrace(0x10, 0x7, 0, 0)"));
    seccomp_profile_fini(&profile);
    ck_assert_msg(seccomp_read(buf_text(&text), text.len, &profile, NULL, &err) == 0, "%s", err.text);
    const struct seccomp_data seen = {.nr = SYS_ptrace, .arch = HERE}, unseen = {.nr = SYS_vmsplice, .arch = HERE};
    ck_assert_uint_eq(seccomp_profile_ask(&profile, &seen), SECCOMP_RET_ALLOW);
    ck_assert_uint_eq(seccomp_profile_ask(&profile, &unseen), DENIED);
    ck_assert_int_eq(seccomp_trace_profile(&trace, sizeof trace - 1, &text, &err), -EBADMSG);
    buf_fini(&text);
}
END_TEST

/* --- the interpreter itself ----------------------------------------------------------------- */

START_TEST(test_broken_programs_have_no_answer)
{
    const struct seccomp_data call = {0};
    const struct sock_filter runs_out[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
    const struct sock_filter jumps_out[] = {BPF_STMT(BPF_JMP | BPF_JA, 100), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter reads_out[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter reads_odd[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter strange[] = {BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET | BPF_K, 0)};
    ck_assert_uint_eq(bpf_ask(runs_out, 1, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(jumps_out, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(reads_out, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(reads_odd, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(strange, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(NULL, 0, &call), BPF_BROKEN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/seccomp");
    TCase *t = tcase_create("seccomp");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_call, 0, (int)COUNT_OF(calls));
    tcase_add_test(t, test_the_default_allows_nothing_that_the_floor_denies);
    tcase_add_test(t, test_tracing_tells_what_would_be_denied);
    tcase_add_test(t, test_both_builders_answer_as_the_profile_says);
    tcase_add_test(t, test_a_wrong_instruction_is_noticed);
    tcase_add_test(t, test_several_answers_for_one_call);
    tcase_add_test(t, test_terms_cover_what_the_conditions_let_through_and_once);
    tcase_add_loop_test(t, test_refused, 0, (int)profile_refusals_count);
    tcase_add_loop_test(t, test_accepted, 0, (int)profile_acceptances_count);
    tcase_add_test(t, test_a_profile_too_long_is_refused);
    tcase_add_test(t, test_a_filter_too_large_is_refused);
    tcase_add_test(t, test_dockers_default_means_what_docker_means);
    tcase_add_test(t, test_a_trace_becomes_a_profile_that_allows_what_was_seen);
    tcase_add_test(t, test_broken_programs_have_no_answer);
    suite_add_tcase(s, t);
    return run_suite(s);
}
