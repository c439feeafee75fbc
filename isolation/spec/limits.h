/*
 * limits - what a sandbox's group is held to, beyond cpu, memory and processes: a part of struct sandbox_spec.
 * Numbers only; a device is a bit, by its place in the list that the warden was configured with.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_LIMITS_H
#define REEVE_ISOLATION_SPEC_LIMITS_H

#include "base/err.h"
#include "base/limits.h"
#include "isolation/spec/filter.h"
#include "isolation/spec/root.h"

#define NODE_DEVICES_MAX 32
#define NODE_DEVICE_NAME_MAX 32

enum huge_size { HUGE_2M, HUGE_1G, HUGE_SIZES };

struct sandbox_limits {
    uint64_t mem_high_bytes, mem_min_bytes; /* 0 = none; the scratch is added as it is to the hard limit */
    uint64_t swap_bytes;                    /* 0 = none */
    uint64_t huge_bytes[HUGE_SIZES];        /* 0 = none */
    uint64_t io_read_bps, io_write_bps, io_read_ops, io_write_ops; /* on each device; 0 = no limit */
    uint32_t io_weight;                     /* 0 = the kernel's own default */
    uint32_t pinned_cpus;                   /* cores that no other pinned sandbox has; 0 = runs on any */
    uint32_t devices;                       /* bit i: the i-th of struct node_abilities */
    uint32_t reserved;                      /* 0 */
};

/* A device of this machine that jobs may be given. */
struct node_device {
    char name[NODE_DEVICE_NAME_MAX];
    uint32_t mode, major, minor;            /* mode: S_IFCHR or S_IFBLK */
};

/* What a warden can enforce on its machine, found out at its start. */
struct node_abilities {
    uint64_t features;                      /* bits of enum node_feature */
    uint32_t devices_count, reserved;
    char devices[NODE_DEVICES_MAX][NODE_DEVICE_NAME_MAX]; /* NUL-terminated */
    struct root_abilities root;
    uint32_t profiles_count, reserved2;     /* seccomp profiles beside our own */
    char profiles[NODE_PROFILES_MAX][FILTER_NAME_MAX + 1];
};

/* -EINVAL with the field's name: the same check on both sides. */
int sandbox_limits_check(const struct sandbox_limits *l, uint64_t mem_bytes, uint64_t cpu_milli,
                         struct err *err) MUST_USE;
/* Those of reads and writes: they can change while it runs. */
struct sandbox_limits sandbox_limits_io(const struct sandbox_limits *l);
/* Bits of enum node_feature that these limits need. */
uint64_t sandbox_limits_need(const struct sandbox_limits *l);

#endif
