#include "isolation/spec/step.h"

#include <stddef.h>

static const char *const names[STEP_COUNT] = {
    [STEP_NONE] = "none",         [STEP_REQUEST] = "request", [STEP_SLOT] = "slot",
    [STEP_CGROUP] = "cgroup",     [STEP_CLONE] = "clone",     [STEP_IDMAP] = "idmap",
    [STEP_ATTACH] = "attach",     [STEP_IDS] = "ids",         [STEP_CGROUPNS] = "cgroupns",
    [STEP_HOSTNAME] = "hostname", [STEP_NETWORK] = "network", [STEP_ROOT] = "root",
    [STEP_PROC] = "proc",         [STEP_MASKS] = "masks",     [STEP_SCRATCH] = "scratch",
    [STEP_PIVOT] = "pivot",       [STEP_NSLIMIT] = "nslimit", [STEP_PIPES] = "pipes",
    [STEP_FORK] = "fork",         [STEP_OOM] = "oom",         [STEP_ARGS] = "args",
    [STEP_RLIMITS] = "rlimits",   [STEP_SCRIPT] = "script",   [STEP_CAPS] = "caps",
    [STEP_USER] = "user",         [STEP_SECCOMP] = "seccomp", [STEP_EXEC] = "exec",
    [STEP_TIMEOUT] = "timeout",
};

const char *launch_step_name(uint32_t step)
{
    return step < STEP_COUNT && names[step] != NULL ? names[step] : "unknown";
}
