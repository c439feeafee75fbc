#include "isolation/spec/step.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

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
    [STEP_TIMEOUT] = "timeout",   [STEP_IMAGE] = "image",     [STEP_VOLUME] = "volume",
    [STEP_KEYRING] = "keyring",   [STEP_LANDLOCK] = "landlock",
    [STEP_KEEPER] = "keeper",     [STEP_MOVER] = "mover",     [STEP_STAGER] = "stager",
    [STEP_PLACE] = "place",
};

const char *launch_step_name(uint32_t step)
{
    return step < STEP_COUNT && names[step] != NULL ? names[step] : "unknown";
}

enum launch_step launch_step_find(const char *name)
{
    for (uint32_t step = STEP_NONE + 1; step < STEP_COUNT; step++) {
        if (names[step] != NULL && strcmp(names[step], name) == 0)
            return (enum launch_step)step;
    }
    return STEP_NONE;
}

bool launch_step_blames_job(uint32_t step, int error)
{
    return step == STEP_PLACE && (error == EROFS || error == ENOTDIR);
}

static const char *const sayings[STEP_COUNT] = {
    [STEP_REQUEST] = "the request is checked, field by field",
    [STEP_SLOT] = "a range of user ids that no other job has",
    [STEP_CGROUP] = "groups are made, each limit written and read back",
    [STEP_IMAGE] = "the image that it asked for as its root",
    [STEP_VOLUME] = "the node's folders that it asked for, each in its place",
    [STEP_PLACE] = "these places are folders, or can be made",
    [STEP_CLONE] = "a process is born into its group and namespaces",
    [STEP_IDMAP] = "its user and group ids are mapped",
    [STEP_ATTACH] = "it moves itself into all groups, and that is checked",
    [STEP_IDS] = "it becomes root of its own user namespace only",
    [STEP_CGROUPNS] = "it sees no groups above its own",
    [STEP_HOSTNAME] = "its own host name",
    [STEP_NETWORK] = "its network",
    [STEP_ROOT] = "a read-only root",
    [STEP_PROC] = "its own /proc, without other users' processes",
    [STEP_MASKS] = "what tells of the host in /proc is covered",
    [STEP_SCRATCH] = "/tmp and /dev/shm with a size",
    [STEP_PIVOT] = "the old root goes, with no way back",
    [STEP_NSLIMIT] = "no further namespaces inside",
    [STEP_PIPES] = "pipes for stdout and stderr",
    [STEP_FORK] = "the command's process",
    [STEP_MOVER] = "the process that copies files for it",
    [STEP_STAGER] = "the process that brings its inputs and outputs",
    [STEP_OOM] = "who goes first when memory is short",
    [STEP_ARGS] = "the command's words, environment and folder",
    [STEP_RLIMITS] = "limits of the process, a session of its own",
    [STEP_SCRIPT] = "the script's file",
    [STEP_CAPS] = "no capabilities, and none to gain",
    [STEP_USER] = "the job's own user",
    [STEP_KEYRING] = "a session keyring of its own",
    [STEP_LANDLOCK] = "Landlock, where the kernel has it: what may be read, run and written",
    [STEP_SECCOMP] = "the system call filter, last of all",
    [STEP_EXEC] = "the command runs",
    [STEP_KEEPER] = "the keeper can watch, and has closed the kernel behind itself",
    [STEP_TIMEOUT] = "all of it within its time",
};

const char *launch_step_says(uint32_t step)
{
    return step < STEP_COUNT && sayings[step] != NULL ? sayings[step] : "";
}
