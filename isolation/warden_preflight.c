/* What the kernel must have: asked before anything is made, and each answer a sentence. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/warden.h"

static const char *check_root(void)
{
    return geteuid() == 0 ? NULL : "needs root: it makes cgroups and namespaces for jobs";
}

static const char *check_namespaces(void)
{
    static const char *const kinds[] = {"user", "pid", "mnt", "ipc", "uts", "net", "cgroup"};
    static char sentence[96];
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        if (access(path, F_OK) < 0) {
            snprintf(sentence, sizeof sentence, "this kernel has no %s namespaces (%s is missing)", kinds[i], path);
            return sentence;
        }
    }
    char text[32] = "";
    int fd = open("/proc/sys/user/max_user_namespaces", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    close(fd);
    return n > 0 && strtoull(text, NULL, 10) > 0
               ? NULL
               : "user namespaces are switched off (/proc/sys/user/max_user_namespaces is 0)";
}

static bool call_is_known(long number)
{
    return syscall(number, -1, 0, 0, 0, 0) >= 0 || errno != ENOSYS;
}

static const char *check_clone3(void)
{
    struct clone_args args = {.flags = ~UINT64_C(0)}; /* refused by all that know the call */
    return syscall(SYS_clone3, &args, sizeof args) < 0 && errno != ENOSYS
               ? NULL
               : "this kernel has no clone3 (Linux 5.7 is needed)";
}

static const char *check_mounts(void)
{
    bool known = call_is_known(SYS_open_tree) && call_is_known(SYS_move_mount) && call_is_known(SYS_mount_setattr);
    return known ? NULL : "this kernel has no mount_setattr (Linux 5.12 is needed)";
}

static const char *check_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    bool able = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    return able ? NULL : "this kernel has no seccomp filters";
}

int warden_preflight(struct err *err)
{
    static const char *(*const checks[])(void) = {check_root, check_namespaces, check_clone3, check_mounts,
                                                  check_seccomp};
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        const char *sentence = checks[i]();
        if (sentence != NULL)
            return err_set(err, i == 0 ? -EPERM : -ENOSYS, "%s", sentence);
    }
    return 0;
}
