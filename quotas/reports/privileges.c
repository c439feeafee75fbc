#include "quotas/reports/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

int report_folder_make(const char *path, uid_t uid, gid_t gid, struct err *err)
{
    int r = dir_make(path, 0755, err);
    if (r < 0 || geteuid() != 0)
        return r; /* whoever runs it as themselves owns it already */
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0755) < 0 || fchown(fd, uid, gid) < 0)
        return err_set(err, -errno, "folder '%s': %s", path, strerror(errno));
    return 0;
}

int report_user_become(uid_t uid, gid_t gid, struct err *err)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return err_set(err, -errno, "become user %u:%u: %s", (unsigned)uid, (unsigned)gid, strerror(errno));
    if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid || getresgid(&gr, &ge, &gs) < 0 || gr != gid ||
        ge != gid || gs != gid || getgroups(0, NULL) != 0)
        return err_set(err, -EPERM, "become user %u:%u: the kernel says we are not", (unsigned)uid, (unsigned)gid);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set(err, -errno, "give up new privileges: %s", strerror(errno));
    return 0;
}
