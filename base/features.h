/*
 * features - limits that not every node can enforce. The warden finds out at its start which of them it can; the agent
 * tells the scheduler; a job that asks for one is placed only where it is enforced, and refused by name where it isn't.
 * A feature is named like the key of a job's `limits` that needs it. What every node must be able to do (cpu, memory,
 * processes, devices) is no feature: a warden that can't do it doesn't start.
 * Purity: pure.
 */
#ifndef REEVE_BASE_FEATURES_H
#define REEVE_BASE_FEATURES_H

#include "base/fields.h"

enum node_feature {
    FEATURE_MEMORY_HIGH,
    FEATURE_MEMORY_MIN,
    FEATURE_SWAP,
    FEATURE_HUGE_2M,
    FEATURE_HUGE_1G,
    FEATURE_PIN_CPUS,
    FEATURE_IO_READ_BPS,
    FEATURE_IO_WRITE_BPS,
    FEATURE_IO_READ_OPS,
    FEATURE_IO_WRITE_OPS,
    FEATURE_IO_WEIGHT,
    FEATURE_WARDEN_COUNT, /* these limits the warden sets; the agent holds to what follows, by what the warden counts */
    FEATURE_IO_BYTES = FEATURE_WARDEN_COUNT, /* counts usage.io_bytes, and nothing moves beyond what is paid of it */
    FEATURE_COUNT
};
#define FEATURE_BIT(feature) (UINT64_C(1) << (feature))

/* A device that a node was configured with is a feature of its own: "devices." and its name. */
#define FEATURE_DEVICE "devices."
/* So is an image, a volume and, with a mark behind its name, a volume that may be written; and overlays over images. */
#define FEATURE_IMAGE "image."
#define FEATURE_OVERLAY "overlay"
#define FEATURE_VOLUME "volume."
#define FEATURE_WRITABLE ":w"
/* So is a seccomp profile that the node has beside our own: "seccomp." and its name. */
#define FEATURE_SECCOMP "seccomp."
/* So are movers, for jobs that ask for files to be copied; an agent from before movers says nothing of them. And
 * stagers, without which a job would run without its inputs. */
#define FEATURE_TRANSFER "transfer"
#define FEATURE_STAGING "staging"
#define FEATURE_NAME_MAX 40
#define NODE_FEATURES_MAX 64 /* in one cell: limits, devices, images, volumes and profiles */

/* The key of a job that asks for it: "limits.swap", "image", "root", "volumes", "seccomp", "transfer", "inputs". */
const char *feature_key(const char *feature, char out[FEATURE_NAME_MAX + sizeof "limits."]);

extern const struct names node_feature_names; /* "io.write_bps", … */

#endif
