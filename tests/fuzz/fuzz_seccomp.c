/*
 * Two things in one: texts through the profile reader, and random rule sets through lowering and both builders, where
 * every answer of the filter is held against the profile's own. The first byte says which.
 */
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>

#include "isolation/bpf.h"
#include "isolation/seccomp.h"
#include "isolation/seccomp_compile.h"
#include "isolation/seccomp_read.h"
#include "isolation/seccomp_trace.h"
#include "isolation/seccomp_verify.h"

#define RULES_MAX 12
#define ASK_MAX 400

static struct sock_filter insns[SECCOMP_INSNS_MAX];

struct bytes_left {
    const uint8_t *at;
    size_t len;
};

static uint64_t take(struct bytes_left *b, size_t size)
{
    uint64_t v = 0;
    size_t n = MIN(size, b->len);
    memcpy(&v, b->at, n);
    b->at += n;
    b->len -= n;
    return v;
}

/* Mostly small or at an edge: that is where filters go wrong. */
static uint64_t take_value(struct bytes_left *b)
{
    uint64_t kind = take(b, 1);
    if (kind < 100)
        return kind % 50;
    if (kind < 200)
        return (UINT64_C(1) << kind % 64) + kind % 3 - 1;
    return take(b, 8);
}

static uint64_t cut(uint64_t value, uint32_t width)
{
    return width >= 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

static void take_rule(struct bytes_left *b, struct seccomp_rule *rule, uint32_t place)
{
    static const uint32_t answers[] = {SECCOMP_RET_ALLOW,      SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1,
                                       SECCOMP_RET_ERRNO | 38, SECCOMP_RET_LOG,   SECCOMP_RET_KILL_PROCESS};
    static const uint32_t widths[] = {32, 64, 16, 32};
    uint64_t head = take(b, 2);
    *rule = (struct seccomp_rule){.number = (int)(head % 4 * 3),
                                  .answer = answers[head / 4 % COUNT_OF(answers)],
                                  .place = place,
                                  .count = (uint32_t)(head / 32 % 4)};
    for (uint32_t i = 0; i < rule->count; i++) {
        struct seccomp_condition *c = &rule->when[i];
        uint64_t word = take(b, 2);
        *c = (struct seccomp_condition){.arg = (uint32_t)(word % 3), .op = (uint32_t)(word / 3 % 7)};
        c->width = widths[c->arg]; /* one argument of one call has one width */
        c->mask = cut(take_value(b), c->width);
        c->value = cut(take_value(b), c->width);
        if (c->op == SECCOMP_MASKED_EQ)
            c->value &= c->mask;
    }
}

static void compare(const struct seccomp_profile *p, size_t count, struct bytes_left b)
{
    for (int i = 0; i < ASK_MAX && b.len > 0; i++) {
        struct seccomp_data call = {.nr = (int)(take(&b, 1) % 12), .arch = p->arch};
        for (int arg = 0; arg < 3; arg++)
            call.args[arg] = take_value(&b);
        if (bpf_ask(insns, count, &call) != seccomp_profile_ask(p, &call))
            abort();
    }
}

static void fuzz_rules(struct bytes_left b)
{
    struct bytes_left all = b;
    struct seccomp_rule rules[RULES_MAX];
    struct seccomp_profile p = {.arch = AUDIT_ARCH_X86_64, .highest = 20, .rules = rules};
    p.other = take(&b, 1) % 2 == 0 ? SECCOMP_RET_ERRNO | 1 : SECCOMP_RET_ALLOW;
    p.count = take(&b, 1) % RULES_MAX + 1;
    for (uint32_t i = 0; i < p.count; i++)
        take_rule(&b, &rules[i], i);
    seccomp_profile_sort(&p);
    size_t count;
    struct err err = {0};
    if (seccomp_emit(&p, insns, &count, &err) == 0) {
        if (seccomp_verify(&p, insns, count, &err) < 0)
            abort();
        compare(&p, count, all);
    }
    /* What the library makes may differ from what was asked: then verifying must be what says so. */
    if (p.count <= 4 && seccomp_by_library(&p, insns, &count) == 0 && seccomp_verify(&p, insns, count, &err) == 0)
        compare(&p, count, all);
}

static void fuzz_text(const uint8_t *text, size_t len)
{
    struct seccomp_profile p;
    struct err err = {0};
    struct buf notes = {.max = 4096};
    size_t count;
    if (seccomp_read((const char *)text, len, &p, &notes, &err) == 0) {
        if (seccomp_emit(&p, insns, &count, &err) == 0 && seccomp_verify(&p, insns, count, &err) < 0)
            abort();
        seccomp_profile_fini(&p);
    } else if (err.text[0] == '\0') {
        abort();
    }
    buf_fini(&notes);
}

static void fuzz_trace(const uint8_t *bytes, size_t len)
{
    struct buf out = {0};
    struct err err = {0};
    (void)!seccomp_trace_profile(bytes, len, &out, &err);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] == '{')
        fuzz_text(data, size);
    else if (data[0] == 'T')
        fuzz_trace(data + 1, size - 1);
    else
        fuzz_rules((struct bytes_left){data + 1, size - 1});
    return 0;
}
