#include "isolation/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "isolation/seccomp_calls.h"
#include "isolation/seccomp_lower.h"

#define LIBRARY_RULES_MAX 1024 /* of one profile; its merging takes time that grows faster than they do */

static int scratch = -1;

static const struct arch_row {
    uint32_t scmp, audit;
    const char *goarch, *name;
} archs[] = {
    {SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, "amd64", "SCMP_ARCH_X86_64"},
    {SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, "arm64", "SCMP_ARCH_AARCH64"},
    {SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64, "riscv64", "SCMP_ARCH_RISCV64"},
};

uint32_t seccomp_native_arch(const char **ret_goarch, const char **ret_scmp)
{
    for (size_t i = 0; i < COUNT_OF(archs); i++) {
        if (seccomp_arch_native() == archs[i].scmp) {
            *ret_goarch = archs[i].goarch;
            *ret_scmp = archs[i].name;
            return archs[i].audit;
        }
    }
    *ret_goarch = *ret_scmp = NULL;
    return 0;
}

int seccomp_number(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        number = seccomp_call_newer(name);
    else if (number < 0) /* some other architecture's, or newer than the library's table for this one */
        number = seccomp_call_newer(name) >= 0 ? seccomp_call_newer(name) : -EOPNOTSUPP;
    return number == -1 ? -ENOENT : number;
}

const char *seccomp_name(int number)
{
    static char text[SECCOMP_NAME_MAX];
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name == NULL)
        return seccomp_call_newer_name(number);
    snprintf(text, sizeof text, "%s", name);
    free(name);
    return text;
}

int seccomp_highest(void)
{
    static int highest;
    for (int n = 0; n < SECCOMP_NUMBER_MAX && highest == 0; n++) {
        int down = SECCOMP_NUMBER_MAX - 1 - n;
        highest = seccomp_name(down) != NULL ? down : 0;
    }
    return MAX(highest, seccomp_call_newest());
}

void seccomp_set_scratch(int memfd)
{
    scratch = memfd;
}

/* --- the filter ----------------------------------------------------------------- */

/* One rule as the library takes it: one term for each argument that is asked about, in every combination. */
struct combination {
    const struct seccomp_rule *rule;
    scmp_filter_ctx ctx;
    unsigned count;
    struct scmp_arg_cmp args[SECCOMP_ARGS];
    size_t *made;
};

static int add_combinations(struct combination *c, uint32_t arg)
{
    if (arg == SECCOMP_ARGS) {
        if (++*c->made > LIBRARY_RULES_MAX)
            return -EOPNOTSUPP;
        return seccomp_rule_add_array(c->ctx, c->rule->answer, c->rule->number, c->count, c->args);
    }
    struct seccomp_terms terms;
    int rc = seccomp_lower(c->rule, arg, &terms);
    for (uint32_t i = 0; i < terms.count && rc == 0; i++) {
        bool any = terms.at[i].mask == 0;
        if (!any)
            c->args[c->count++] = SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, terms.at[i].mask, terms.at[i].value);
        rc = add_combinations(c, arg + 1);
        c->count -= any ? 0 : 1;
    }
    return rc;
}

static int add_rules(scmp_filter_ctx ctx, const struct seccomp_profile *p)
{
    size_t made = 0, calls = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct seccomp_rule *rule = &p->rules[i];
        bool first = i == 0 || rule[-1].number != rule->number;
        if (!first && (rule[-1].answer != rule->answer || rule[-1].count == 0 || rule->count == 0))
            return -EOPNOTSUPP; /* the library says nowhere what several answers for one call mean */
        if (rule->answer == p->other)
            continue;
        struct combination c = {.rule = rule, .ctx = ctx, .made = &made};
        int rc = add_combinations(&c, 0);
        if (rc < 0)
            return rc;
        calls++;
    }
    return calls > 0 ? 0 : -EOPNOTSUPP; /* its tree of no rules is broken (up to 2.5.4) */
}

static int export(scmp_filter_ctx ctx, struct sock_filter *insns, size_t room, size_t *ret_count)
{
    int own = scratch >= 0 ? -1 : memfd_create("filter", MFD_CLOEXEC), fd = scratch >= 0 ? scratch : own;
    int rc = fd < 0 || ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    if (rc == 0) {
        ssize_t n = pread(fd, insns, room * sizeof *insns, 0);
        rc = n < 0 ? -errno : (size_t)n == room * sizeof *insns ? -E2BIG : 0;
        *ret_count = n > 0 ? (size_t)n / sizeof *insns : 0;
    }
    if (own >= 0)
        close(own);
    return rc;
}

int seccomp_by_library(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count)
{
    scmp_filter_ctx ctx = seccomp_init(p->other);
    if (ctx == NULL)
        return -EOPNOTSUPP;
    size_t head = seccomp_emit_head(p, insns), count = 0;
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    rc = rc < 0 ? rc : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree over the numbers */
    rc = rc < 0 ? rc : add_rules(ctx, p);
    rc = rc < 0 ? rc : export(ctx, insns + head, SECCOMP_INSNS_MAX - head, &count);
    seccomp_release(ctx);
    if (rc < 0)
        return -EOPNOTSUPP;
    *ret_count = head + count;
    return 0;
}
