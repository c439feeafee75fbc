#include "isolation/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers end before these; the numbers are the kernel's ABI. */
#define ABI_LEAST 2
#define ABI_TRUNCATE 3
#define ABI_IOCTL_DEV 5
#define ABI_SCOPED 6
#define RIGHT_REFER (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
#define VERSION_FLAG 1u

struct ruleset_attr {
    uint64_t fs, net, scoped;
};

#define READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define CHANGE                                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |              \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | RIGHT_REFER | RIGHT_TRUNCATE)
#define DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK) /* named, so that nobody has them */

static const uint64_t rights[LANDLOCK_RIGHT_COUNT] = {
    [LANDLOCK_MAY_READ] = READ,
    [LANDLOCK_MAY_WRITE] = READ | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV,
    [LANDLOCK_MAY_CHANGE] = READ | CHANGE,
};

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);
    return abi >= ABI_LEAST ? (int)abi : 0;
}

static uint64_t known(int abi)
{
    uint64_t all = READ | CHANGE | DEVICES | RIGHT_IOCTL_DEV;
    all &= abi >= ABI_TRUNCATE ? ~UINT64_C(0) : ~RIGHT_TRUNCATE;
    return all & (abi >= ABI_IOCTL_DEV ? ~UINT64_C(0) : ~RIGHT_IOCTL_DEV);
}

int landlock_ruleset(int abi, const struct landlock_place *places, size_t count)
{
    struct ruleset_attr attr = {.fs = known(abi)};
    if (abi >= ABI_SCOPED)
        attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    /* An older kernel is shown no more of the struct than it knows. */
    size_t size = abi >= ABI_SCOPED ? sizeof attr : sizeof attr.fs;
    long set = syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (set < 0)
        return -errno;
    for (size_t i = 0; i < count; i++) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rights[places[i].right] & attr.fs,
                                                  .parent_fd = places[i].fd};
        if (places[i].fd < 0)
            continue;
        if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
            int rc = -errno;
            close((int)set);
            return rc;
        }
    }
    return (int)set;
}

int landlock_enter(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
