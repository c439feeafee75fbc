#include "isolation/seccomp_verify.h"

#include <errno.h>
#include <linux/audit.h>

#include "isolation/bpf.h"

#define EDGES_MAX 2048  /* values of one argument */
#define CROSS_MAX 65536 /* combinations of several arguments' values, for one call */
#define CROSS_NEAR 3    /* a condition's values that take part in them: itself and its neighbours */

struct asker {
    const struct seccomp_profile *p;
    const struct sock_filter *insns;
    size_t count;
    struct err *err;
};

/* The values worth asking about, for each argument of one call. */
struct edges {
    size_t count[SECCOMP_ARGS], cross[SECCOMP_ARGS];
    uint64_t value[SECCOMP_ARGS][EDGES_MAX], near[SECCOMP_ARGS][EDGES_MAX];
};

static int ask(const struct asker *a, const struct seccomp_data *call)
{
    uint32_t want = seccomp_profile_ask(a->p, call), got = bpf_ask(a->insns, a->count, call);
    if (want == got)
        return 0;
    return err_set(
        a->err, -EBADMSG,
        "the filter answers call %d (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx) of architecture %#x with %#x, "
        "not %#x",
        call->nr, (unsigned long long)call->args[0], (unsigned long long)call->args[1],
        (unsigned long long)call->args[2], (unsigned long long)call->args[3], (unsigned long long)call->args[4],
        (unsigned long long)call->args[5], call->arch, got, want);
}

static int ask_numbers(const struct asker *a)
{
    static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386,    AUDIT_ARCH_AARCH64,
                                     AUDIT_ARCH_ARM,    AUDIT_ARCH_RISCV64, 0};
    static const int odd[] = {
        -1, -2, INT32_MIN, INT32_MAX, (int)SECCOMP_X32_BIT, (int)SECCOMP_X32_BIT - 1, SECCOMP_NUMBER_MAX};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(archs) && rc == 0; i++) {
        struct seccomp_data call = {.arch = archs[i]};
        for (call.nr = 0; call.nr < SECCOMP_NUMBER_MAX && rc == 0; call.nr++) {
            struct seccomp_data x32 = call;
            x32.nr |= (int)SECCOMP_X32_BIT;
            rc = ask(a, &call);
            rc = rc < 0 ? rc : ask(a, &x32);
        }
        for (size_t k = 0; k < COUNT_OF(odd) && rc == 0; k++) {
            call.nr = odd[k];
            rc = ask(a, &call);
        }
    }
    return rc;
}

static void add_edge(struct edges *e, uint32_t arg, uint64_t value)
{
    if (e->count[arg] < EDGES_MAX)
        e->value[arg][e->count[arg]++] = value;
}

/* A condition's value, its neighbours, each bit of it the other way: the high ones are what a caller would try. */
static void add_condition(struct edges *e, const struct seccomp_condition *c)
{
    const uint64_t mask = c->op == SECCOMP_MASKED_EQ ? c->mask : UINT64_MAX;
    const uint64_t near[] = {c->value, c->value + 1, c->value - 1};
    const uint64_t far[] = {~c->value,
                            ~mask | c->value,
                            mask,
                            0,
                            UINT64_MAX,
                            c->value | UINT64_C(1) << 32,
                            (c->value + 1) | UINT64_C(1) << 32,
                            (c->value - 1) ^ UINT64_C(1) << 63};
    _Static_assert(COUNT_OF(near) == CROSS_NEAR, "what takes part in combinations");
    for (size_t i = 0; i < COUNT_OF(near); i++) {
        add_edge(e, c->arg, near[i]);
        if (e->cross[c->arg] < EDGES_MAX)
            e->near[c->arg][e->cross[c->arg]++] = near[i];
    }
    for (size_t i = 0; i < COUNT_OF(far); i++)
        add_edge(e, c->arg, far[i]);
    for (int bit = 0; bit < 64; bit++)
        add_edge(e, c->arg, c->value ^ UINT64_C(1) << bit);
}

/* A call that the rule is about: each argument at its condition's value, so that one step decides. */
static struct seccomp_data call_of(const struct asker *a, const struct seccomp_rule *rule)
{
    struct seccomp_data call = {.nr = rule->number, .arch = a->p->arch};
    for (uint32_t i = 0; i < rule->count; i++) {
        const struct seccomp_condition *c = &rule->when[i];
        uint64_t step = c->op == SECCOMP_GT || c->op == SECCOMP_NE ? 1 : c->op == SECCOMP_LT ? UINT64_MAX : 0;
        call.args[c->arg] = c->value + step;
    }
    return call;
}

static int ask_edges(const struct asker *a, const struct edges *e, struct seccomp_data call)
{
    int rc = 0;
    for (uint32_t arg = 0; arg < SECCOMP_ARGS && rc == 0; arg++) {
        uint64_t was = call.args[arg];
        for (size_t i = 0; i < e->count[arg] && rc == 0; i++) {
            call.args[arg] = e->value[arg][i];
            rc = ask(a, &call);
        }
        call.args[arg] = was;
    }
    return rc;
}

/* Every combination of near values, or as many as there is time for, evenly. */
static int ask_together(const struct asker *a, const struct edges *e, int number)
{
    uint64_t total = 1;
    for (uint32_t arg = 0; arg < SECCOMP_ARGS; arg++)
        total = MIN(total * MAX(e->cross[arg], (size_t)1), UINT64_C(1) << 48);
    uint64_t step = total / CROSS_MAX + 1;
    int rc = 0;
    for (uint64_t n = 0; n < total && rc == 0; n += step) {
        struct seccomp_data call = {.nr = number, .arch = a->p->arch};
        uint64_t rest = n;
        for (uint32_t arg = 0; arg < SECCOMP_ARGS; arg++) {
            if (e->cross[arg] == 0)
                continue;
            call.args[arg] = e->near[arg][rest % e->cross[arg]];
            rest /= e->cross[arg];
        }
        rc = ask(a, &call);
    }
    return rc;
}

/* Small values one by one: ranges over them are what profiles are made of. */
static int ask_small(const struct asker *a, const struct edges *e, int number)
{
    int rc = 0;
    for (uint32_t arg = 0; arg < SECCOMP_ARGS && rc == 0; arg++) {
        struct seccomp_data call = {.nr = number, .arch = a->p->arch};
        for (uint64_t value = 0; value < 256 && e->count[arg] > 0 && rc == 0; value++) {
            call.args[arg] = value;
            rc = ask(a, &call);
        }
    }
    return rc;
}

static int ask_call(const struct asker *a, const struct seccomp_rule *rules, size_t count)
{
    static struct edges e;
    e = (struct edges){0};
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < rules[i].count; k++)
            add_condition(&e, &rules[i].when[k]);
    }
    int rc = ask_small(a, &e, rules[0].number);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = ask_edges(a, &e, call_of(a, &rules[i]));
    return rc < 0 ? rc : ask_together(a, &e, rules[0].number);
}

int seccomp_verify(const struct seccomp_profile *p, const struct sock_filter *insns, size_t count, struct err *err)
{
    struct asker a = {p, insns, count, err};
    int rc = ask_numbers(&a);
    for (int n = 0; n <= p->highest && rc == 0; n++) {
        size_t rules_count;
        const struct seccomp_rule *rules = seccomp_profile_rules(p, n, &rules_count);
        if (rules_count > 0)
            rc = ask_call(&a, rules, rules_count);
    }
    return rc;
}
