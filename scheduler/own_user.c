#include "scheduler/own_user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

int own_user_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
    int rc = dir_make(path, mode, err);
    if (rc < 0)
        return rc;
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
    if (geteuid() != 0)
        return 0; /* whoever runs it as themselves owns it already */
    if (fchmod(fd, mode) != 0 || fchown(fd, uid, gid) != 0)
        return err_set(err, -errno, "give '%s' its owner: %s", path, strerror(errno));
    return 0;
}

int own_user_begin(uid_t uid, gid_t gid, struct err *err)
{
    if (setegid(gid) != 0 || seteuid(uid) != 0)
        return err_set(err, -errno, "become user %u: %s", (unsigned)uid, strerror(errno));
    return 0;
}

int own_user_end(struct err *err)
{
    if (seteuid(0) != 0 || setegid(0) != 0)
        return err_set(err, -errno, "become root again: %s", strerror(errno));
    return 0;
}

int own_user_for_ever(uid_t uid, gid_t gid, struct err *err)
{
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return err_set(err, -errno, "become user %u:%u: %s", (unsigned)uid, (unsigned)gid, strerror(errno));
    uid_t r, e, s;
    gid_t gr, ge, gs;
    if (getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid || getresgid(&gr, &ge, &gs) != 0 || gr != gid ||
        ge != gid || gs != gid || getgroups(0, NULL) != 0)
        return err_set(err, -EPERM, "become user %u:%u: the kernel says we are not", (unsigned)uid, (unsigned)gid);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, -errno, "give up new privileges: %s", strerror(errno));
    return 0;
}
