#include "isolation/seccomp_lower.h"

#include <errno.h>

enum sure { NEVER, ALWAYS, DEPENDS };

/* A branch of the tree: bits in `mask` are decided, as in `value`. */
struct branch {
    uint64_t mask, value;
};

static uint64_t all_bits(uint32_t width)
{
    return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

static enum sure negate(enum sure s)
{
    return s == DEPENDS ? DEPENDS : s == ALWAYS ? NEVER : ALWAYS;
}

/* Does (argument & mask) == value hold for all, none or some of the branch? */
static enum sure ask_masked(const struct branch *b, uint64_t mask, uint64_t value)
{
    uint64_t decided = mask & b->mask;
    if ((b->value & decided) != (value & decided) || (value & ~mask) != 0)
        return NEVER;
    return decided == mask ? ALWAYS : DEPENDS;
}

static enum sure ask_below(const struct branch *b, uint64_t all, uint64_t bound)
{
    uint64_t least = b->value, most = b->value | (all & ~b->mask);
    return most < bound ? ALWAYS : least >= bound ? NEVER : DEPENDS;
}

static enum sure ask(const struct branch *b, const struct seccomp_condition *c)
{
    uint64_t all = all_bits(c->width);
    switch ((enum seccomp_op)c->op) {
    case SECCOMP_NE: return negate(ask_masked(b, all, c->value));
    case SECCOMP_LT: return ask_below(b, all, c->value);
    case SECCOMP_LE: return c->value >= all ? ALWAYS : ask_below(b, all, c->value + 1);
    case SECCOMP_EQ: return ask_masked(b, all, c->value);
    case SECCOMP_GE: return negate(ask_below(b, all, c->value));
    case SECCOMP_GT: return c->value >= all ? NEVER : negate(ask_below(b, all, c->value + 1));
    case SECCOMP_MASKED_EQ: return ask_masked(b, c->mask & all, c->value);
    default: return NEVER;
    }
}

/* Undecided bits that a condition depends on. */
static uint64_t bits_that_matter(const struct branch *b, const struct seccomp_condition *c)
{
    uint64_t all = all_bits(c->width);
    return (c->op == SECCOMP_MASKED_EQ ? c->mask & all : all) & ~b->mask;
}

static int descend(const struct seccomp_rule *rule, uint32_t arg, struct branch b, struct seccomp_terms *out)
{
    uint64_t matter = 0;
    for (uint32_t i = 0; i < rule->count; i++) {
        const struct seccomp_condition *c = &rule->when[i];
        enum sure answer = c->arg == arg ? ask(&b, c) : ALWAYS;
        if (answer == NEVER)
            return 0;
        if (answer == DEPENDS)
            matter |= bits_that_matter(&b, c);
    }
    if (matter == 0) {
        if (out->count == SECCOMP_TERMS_MAX)
            return -E2BIG;
        out->at[out->count++] = (struct seccomp_term){b.mask, b.value};
        return 0;
    }
    uint64_t bit = UINT64_C(1) << (63 - __builtin_clzll(matter));
    int rc = descend(rule, arg, (struct branch){b.mask | bit, b.value}, out);
    return rc < 0 ? rc : descend(rule, arg, (struct branch){b.mask | bit, b.value | bit}, out);
}

int seccomp_lower(const struct seccomp_rule *rule, uint32_t arg, struct seccomp_terms *ret)
{
    ret->count = 0;
    return descend(rule, arg, (struct branch){0, 0}, ret);
}
