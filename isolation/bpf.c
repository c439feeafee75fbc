#include "isolation/bpf.h"

#include <stdbool.h>
#include <string.h>

static bool compare(const struct sock_filter *i, uint32_t a)
{
    switch (BPF_OP(i->code)) {
    case BPF_JEQ: return a == i->k;
    case BPF_JGT: return a > i->k;
    case BPF_JGE: return a >= i->k;
    default:      return (a & i->k) != 0; /* BPF_JSET */
    }
}

uint32_t bpf_ask(const struct sock_filter *insns, size_t count, const struct seccomp_data *call)
{
    uint32_t a = 0;
    for (size_t at = 0; at < count; at++) { /* jumps only lead forward: it ends */
        const struct sock_filter *i = &insns[at];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (i->k % 4 != 0 || i->k > sizeof *call - sizeof a)
                return BPF_BROKEN;
            memcpy(&a, (const char *)call + i->k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            at += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            at += compare(i, a) ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            return BPF_BROKEN;
        }
    }
    return BPF_BROKEN;
}
