#include "isolation/seccomp_file.h"

#include "isolation/seccomp_profile.h"

#define NAMES_MAX 1024
#define CALLS_MAX 1024
#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

static const char *const action_texts[] = {
    [ACTION_KILL] = "SCMP_ACT_KILL",
    [ACTION_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
    [ACTION_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
    [ACTION_TRAP] = "SCMP_ACT_TRAP",
    [ACTION_ERRNO] = "SCMP_ACT_ERRNO",
    [ACTION_TRACE] = "SCMP_ACT_TRACE",
    [ACTION_ALLOW] = "SCMP_ACT_ALLOW",
    [ACTION_LOG] = "SCMP_ACT_LOG",
    [ACTION_NOTIFY] = "SCMP_ACT_NOTIFY",
};
_Static_assert(COUNT_OF(action_texts) == ACTION_COUNT, "a name for each action");
static const struct names action_names = {action_texts, COUNT_OF(action_texts)};

static const char *const op_texts[] = {
    [SECCOMP_NE] = "SCMP_CMP_NE",
    [SECCOMP_LT] = "SCMP_CMP_LT",
    [SECCOMP_LE] = "SCMP_CMP_LE",
    [SECCOMP_EQ] = "SCMP_CMP_EQ",
    [SECCOMP_GE] = "SCMP_CMP_GE",
    [SECCOMP_GT] = "SCMP_CMP_GT",
    [SECCOMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};
static const struct names op_names = {op_texts, COUNT_OF(op_texts)};

static const struct field arg_rows[] = {
    FIELD_ROW(seccomp_file_arg, 1, "index", FIELD_U32, index, .flags = FIELD_REQUIRED, .max = SECCOMP_ARGS - 1),
    FIELD_ROW(seccomp_file_arg, 2, "value", FIELD_U64, value, .flags = FIELD_REQUIRED, .max = UINT64_MAX),
    FIELD_ROW(seccomp_file_arg, 3, "valueTwo", FIELD_U64, value_two, .max = UINT64_MAX),
    FIELD_ROW(seccomp_file_arg, 4, "op", FIELD_ENUM, op, .flags = FIELD_REQUIRED, .of = &op_names),
};
static const struct fields arg_fields = FIELDS_TABLE("condition", seccomp_file_arg, arg_rows);

static const struct field filter_rows[] = {
    FIELD_ROW(seccomp_file_filter, 1, "caps", FIELD_STRS, caps, .max = 64),
    FIELD_ROW(seccomp_file_filter, 2, "arches", FIELD_STRS, arches, .max = 64),
    FIELD_ROW(seccomp_file_filter, 3, "minKernel", FIELD_STR, min_kernel, .max = 32),
};
static const struct fields filter_fields = FIELDS_TABLE("condition of a rule", seccomp_file_filter, filter_rows);

static const struct field call_rows[] = {
    FIELD_ROW(seccomp_file_call, 1, "names", FIELD_STRS, names, .max = NAMES_MAX),
    FIELD_ROW(seccomp_file_call, 2, "name", FIELD_STR, name, .max = 63),
    FIELD_ROW(seccomp_file_call, 3, "action", FIELD_ENUM, action, .flags = FIELD_REQUIRED, .of = &action_names),
    FIELD_ROW(seccomp_file_call, 4, "errnoRet", FIELD_U32, errno_ret, .min = 1, .max = ERRNO_MAX),
    FIELD_ROW(seccomp_file_call, 5, "errno", FIELD_STR, errno_name, .max = 31),
    FIELD_ROW(seccomp_file_call, 6, "args", FIELD_LIST, args, .of = &arg_fields, .max = SECCOMP_CONDITIONS_MAX),
    FIELD_ROW(seccomp_file_call, 7, "comment", FIELD_STR, comment, .flags = FIELD_ESCAPED, .max = 4096),
    FIELD_ROW(seccomp_file_call, 8, "includes", FIELD_STRUCT, includes, .of = &filter_fields),
    FIELD_ROW(seccomp_file_call, 9, "excludes", FIELD_STRUCT, excludes, .of = &filter_fields),
};
static const struct fields call_fields = FIELDS_TABLE("rule", seccomp_file_call, call_rows);

static const struct field arch_rows[] = {
    FIELD_ROW(seccomp_file_arch, 1, "architecture", FIELD_STR, architecture, .flags = FIELD_REQUIRED, .max = 63),
    FIELD_ROW(seccomp_file_arch, 2, "subArchitectures", FIELD_STRS, sub, .max = 32),
};
static const struct fields arch_fields = FIELDS_TABLE("architecture", seccomp_file_arch, arch_rows);

static const struct field file_rows[] = {
    FIELD_ROW(seccomp_file, 1, "defaultAction", FIELD_ENUM, default_action, .flags = FIELD_REQUIRED,
              .of = &action_names, .help = "the answer to calls that no rule names"),
    FIELD_ROW(seccomp_file, 2, "defaultErrnoRet", FIELD_U32, default_errno_ret, .min = 1, .max = ERRNO_MAX),
    FIELD_ROW(seccomp_file, 3, "defaultErrno", FIELD_STR, default_errno, .max = 31),
    FIELD_ROW(seccomp_file, 4, "architectures", FIELD_STRS, architectures, .max = 64),
    FIELD_ROW(seccomp_file, 5, "archMap", FIELD_LIST, arch_map, .of = &arch_fields, .max = 64),
    FIELD_ROW(seccomp_file, 6, "flags", FIELD_STRS, flags, .max = 16),
    FIELD_ROW(seccomp_file, 7, "listenerPath", FIELD_STR, listener_path, .max = 4095),
    FIELD_ROW(seccomp_file, 8, "listenerMetadata", FIELD_STR, listener_metadata, .max = 4095),
    FIELD_ROW(seccomp_file, 9, "syscalls", FIELD_LIST, syscalls, .of = &call_fields, .max = CALLS_MAX),
};
const struct fields seccomp_file_fields = FIELDS_TABLE("seccomp profile", seccomp_file, file_rows);
