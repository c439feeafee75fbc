#include "isolation/seccomp_emit.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#include "isolation/seccomp_lower.h"

#define JUMP_MAX 255
#define LOW_HALF UINT64_C(0xffffffff)

/* What all numbers from `first` to the next entry's get: one answer, or a chain of rules. */
struct span {
    int first;
    bool chain;
    uint32_t answer;
};

struct emitter {
    const struct seccomp_profile *p;
    struct sock_filter *insns;
    size_t at; /* of the instruction written last; the next goes before it */
    bool full;
    struct span spans[SECCOMP_NUMBER_MAX + 1];
    size_t spans_count;
};

/* Labels are counted from the end, where nothing moves any more. */
static size_t here(const struct emitter *e)
{
    return SECCOMP_INSNS_MAX - e->at;
}

static void put(struct emitter *e, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (e->at == 0) {
        e->full = true;
        return;
    }
    e->insns[--e->at] = (struct sock_filter){code, jt, jf, k};
}

/* A label no further away than a conditional jump reaches: itself, or a new jump to it. */
static size_t near(struct emitter *e, size_t label, size_t room)
{
    if (here(e) - label + room <= JUMP_MAX)
        return label;
    put(e, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(here(e) - label));
    return here(e);
}

static void put_jump(struct emitter *e, uint16_t test, uint32_t k, size_t yes, size_t no)
{
    yes = near(e, yes, 1);
    no = near(e, no, 0);
    put(e, (uint16_t)(BPF_JMP | test | BPF_K), (uint8_t)(here(e) - yes), (uint8_t)(here(e) - no), k);
}

static uint32_t half_offset(uint32_t arg, bool high)
{
    bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    return (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) + (second ? 4 : 0));
}

/* One half of an argument: does it match? */
static void put_half(struct emitter *e, uint32_t offset, uint32_t mask, uint32_t value, size_t yes, size_t no)
{
    put_jump(e, BPF_JEQ, value, yes, no);
    if (mask != UINT32_MAX)
        put(e, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    put(e, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static size_t put_term(struct emitter *e, uint32_t arg, const struct seccomp_term *t, size_t yes, size_t no)
{
    uint32_t low = (uint32_t)(t->mask & LOW_HALF), high = (uint32_t)(t->mask >> 32);
    if (high != 0) {
        put_half(e, half_offset(arg, true), high, (uint32_t)(t->value >> 32), yes, no);
        yes = here(e);
    }
    if (low != 0) {
        put_half(e, half_offset(arg, false), low, (uint32_t)(t->value & LOW_HALF), yes, no);
        yes = here(e);
    }
    return yes;
}

static bool is_asked(const struct seccomp_rule *rule, uint32_t arg)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        if (rule->when[i].arg == arg)
            return true;
    }
    return false;
}

/* The rule before `next`: its answer when every argument matches one of its terms. */
static int put_rule(struct emitter *e, const struct seccomp_rule *rule, size_t next, size_t *ret_label)
{
    put(e, BPF_RET | BPF_K, 0, 0, rule->answer);
    size_t yes = here(e);
    for (uint32_t arg = SECCOMP_ARGS; arg-- > 0;) {
        struct seccomp_terms terms;
        int rc = is_asked(rule, arg) ? seccomp_lower(rule, arg, &terms) : 1;
        if (rc < 0)
            return rc;
        if (rc == 1)
            continue;
        size_t no = next;
        for (uint32_t i = terms.count; i-- > 0;)
            no = put_term(e, arg, &terms.at[i], yes, no);
        yes = no;
    }
    *ret_label = yes;
    return 0;
}

static int put_chain(struct emitter *e, int number, size_t *ret_label)
{
    size_t count;
    const struct seccomp_rule *rules = seccomp_profile_rules(e->p, number, &count);
    put(e, BPF_RET | BPF_K, 0, 0, e->p->other);
    size_t next = here(e);
    for (size_t i = count; i-- > 0;) {
        int rc = put_rule(e, &rules[i], next, &next);
        if (rc < 0)
            return rc;
    }
    *ret_label = next;
    return 0;
}

static int put_tree(struct emitter *e, size_t first, size_t end, size_t *ret_label)
{
    if (end - first == 1) {
        const struct span *s = &e->spans[first];
        if (s->chain)
            return put_chain(e, s->first, ret_label);
        put(e, BPF_RET | BPF_K, 0, 0, s->answer);
        *ret_label = here(e);
        return 0;
    }
    size_t mid = first + (end - first) / 2, left, right;
    int rc = put_tree(e, mid, end, &right);
    rc = rc < 0 ? rc : put_tree(e, first, mid, &left);
    if (rc < 0)
        return rc;
    put_jump(e, BPF_JGE, (uint32_t)e->spans[mid].first, right, left);
    *ret_label = here(e);
    return 0;
}

/* Numbers next to each other with one answer are one span. */
static void make_spans(struct emitter *e)
{
    for (int n = 0; n <= e->p->highest; n++) {
        size_t count;
        const struct seccomp_rule *rules = seccomp_profile_rules(e->p, n, &count);
        struct span now = {n, count > 0 && rules[0].count > 0, count > 0 ? rules[0].answer : e->p->other};
        const struct span *last = e->spans_count > 0 ? &e->spans[e->spans_count - 1] : NULL;
        if (last == NULL || now.chain || last->chain || last->answer != now.answer)
            e->spans[e->spans_count++] = now;
    }
}

size_t seccomp_emit_head(const struct seccomp_profile *p, struct sock_filter *insns)
{
    bool x32 = p->arch == AUDIT_ARCH_X86_64;
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, p->arch, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)p->highest, 0, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 2, 0), /* -1 is nobody's call, and not x32's */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x32 ? SECCOMP_X32_BIT : UINT32_MAX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    _Static_assert(COUNT_OF(head) == SECCOMP_HEAD_MAX, "that is what there is room for");
    memcpy(insns, head, sizeof head);
    return COUNT_OF(head);
}

int seccomp_emit(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                 struct err *err)
{
    static struct emitter e;
    e = (struct emitter){.p = p, .insns = insns, .at = SECCOMP_INSNS_MAX};
    make_spans(&e);
    size_t root;
    int rc = put_tree(&e, 0, e.spans_count, &root);
    if (rc == 0 && root != here(&e))
        put(&e, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(here(&e) - root));
    if (rc == 0 && (e.full || e.at < SECCOMP_HEAD_MAX))
        rc = -E2BIG;
    if (rc < 0)
        return err_set(err, rc, "the profile is too large for one filter (at most %d instructions)", SECCOMP_INSNS_MAX);
    e.at -= SECCOMP_HEAD_MAX;
    seccomp_emit_head(p, insns + e.at);
    *ret_count = SECCOMP_INSNS_MAX - e.at;
    memmove(insns, insns + e.at, *ret_count * sizeof *insns);
    return 0;
}
