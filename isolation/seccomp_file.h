/*
 * seccomp_file - a profile as it is written: the seccomp object of the OCI runtime specification, and what the files of
 * Docker and Podman have beyond it. One table reads it; what the words mean is seccomp_read.h's.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_FILE_H
#define REEVE_ISOLATION_SECCOMP_FILE_H

#include "base/fields.h"

enum seccomp_action {
    ACTION_KILL, /* the thread, as the specification has it */
    ACTION_KILL_THREAD,
    ACTION_KILL_PROCESS,
    ACTION_TRAP,
    ACTION_ERRNO,
    ACTION_TRACE,
    ACTION_ALLOW,
    ACTION_LOG,
    ACTION_NOTIFY,
    ACTION_COUNT
};

struct seccomp_file_arg {
    uint32_t index, op; /* op: enum seccomp_op */
    uint64_t value, value_two;
};
/* When a rule counts; an all-zero one always does. */
struct seccomp_file_filter {
    struct strs caps, arches;
    char *min_kernel;
};
struct seccomp_file_call {
    struct strs names;
    char *name; /* an older way to write one */
    uint32_t action, errno_ret;
    char *errno_name, *comment;
    struct list args; /* struct seccomp_file_arg */
    struct seccomp_file_filter includes, excludes;
};
struct seccomp_file_arch {
    char *architecture;
    struct strs sub;
};
struct seccomp_file {
    uint32_t default_action, default_errno_ret;
    char *default_errno;
    struct strs architectures, flags;
    struct list arch_map; /* struct seccomp_file_arch */
    char *listener_path, *listener_metadata;
    struct list syscalls; /* struct seccomp_file_call */
};
extern const struct fields seccomp_file_fields;

#endif
