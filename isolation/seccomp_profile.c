#include "isolation/seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

void seccomp_profile_fini(struct seccomp_profile *p)
{
    free(p->rules);
    *p = (struct seccomp_profile){0};
}

uint32_t seccomp_answer_rank(uint32_t answer)
{
    static const uint32_t order[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
                                     SECCOMP_RET_ERRNO,        SECCOMP_RET_USER_NOTIF,  SECCOMP_RET_TRACE,
                                     SECCOMP_RET_LOG,          SECCOMP_RET_ALLOW};
    uint32_t rank = 0;
    while (rank < COUNT_OF(order) - 1 && order[rank] != (answer & SECCOMP_RET_ACTION_FULL))
        rank++;
    return rank;
}

static int compare_rules(const void *a, const void *b)
{
    const struct seccomp_rule *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    uint32_t rx = seccomp_answer_rank(x->answer), ry = seccomp_answer_rank(y->answer);
    if (rx != ry)
        return rx < ry ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

void seccomp_profile_sort(struct seccomp_profile *p)
{
    if (p->count > 1)
        qsort(p->rules, p->count, sizeof p->rules[0], compare_rules);
}

const struct seccomp_rule *seccomp_profile_rules(const struct seccomp_profile *p, int number, size_t *ret_count)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->rules[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    size_t end = low;
    while (end < p->count && p->rules[end].number == number)
        end++;
    *ret_count = end - low;
    return p->rules + low;
}

bool seccomp_condition_holds(const struct seccomp_condition *c, uint64_t argument)
{
    uint64_t a = c->width >= 64 ? argument : argument & ((UINT64_C(1) << c->width) - 1);
    switch ((enum seccomp_op)c->op) {
    case SECCOMP_NE: return a != c->value;
    case SECCOMP_LT: return a < c->value;
    case SECCOMP_LE: return a <= c->value;
    case SECCOMP_EQ: return a == c->value;
    case SECCOMP_GE: return a >= c->value;
    case SECCOMP_GT: return a > c->value;
    case SECCOMP_MASKED_EQ: return (a & c->mask) == c->value;
    default: return false;
    }
}

static bool rule_matches(const struct seccomp_rule *rule, const struct seccomp_data *call)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        if (!seccomp_condition_holds(&rule->when[i], call->args[rule->when[i].arg]))
            return false;
    }
    return true;
}

uint32_t seccomp_profile_ask(const struct seccomp_profile *p, const struct seccomp_data *call)
{
    uint32_t number = (uint32_t)call->nr;
    bool x32 = p->arch == AUDIT_ARCH_X86_64 && number >= SECCOMP_X32_BIT && call->nr != -1;
    if (call->arch != p->arch || x32)
        return SECCOMP_RET_KILL_PROCESS;
    if (number > (uint32_t)p->highest)
        return SECCOMP_RET_ERRNO | ENOSYS;
    size_t count;
    const struct seccomp_rule *rules = seccomp_profile_rules(p, call->nr, &count);
    for (size_t i = 0; i < count; i++) { /* the strictest come first */
        if (rule_matches(&rules[i], call))
            return rules[i].answer;
    }
    return p->other;
}

bool seccomp_profile_allows(const struct seccomp_profile *p, int number)
{
    size_t count;
    const struct seccomp_rule *rules = seccomp_profile_rules(p, number, &count);
    bool always = false;
    for (size_t i = 0; i < count; i++) {
        if (seccomp_answer_rank(rules[i].answer) < seccomp_answer_rank(SECCOMP_RET_LOG))
            return false;
        always = always || rules[i].count == 0;
    }
    return always || p->other == SECCOMP_RET_ALLOW || p->other == SECCOMP_RET_LOG;
}
