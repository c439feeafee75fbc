/*
 * bpf - what a system call filter answers: a small interpreter of the classic BPF that seccomp(2) takes.
 * With it a built filter is asked, call by call, before any job depends on it.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_BPF_H
#define REEVE_ISOLATION_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_BROKEN UINT32_MAX /* no answer of seccomp's has this value */

/* The filter's answer (SECCOMP_RET_*), or BPF_BROKEN when it runs out of its bounds or holds an unknown instruction. */
uint32_t bpf_ask(const struct sock_filter *insns, size_t count, const struct seccomp_data *call);

#endif
