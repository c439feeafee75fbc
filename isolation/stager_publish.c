/*
 * An item becomes visible in one step, whole, or not at all.
 *
 * A file has no name until it is whole (O_TMPFILE): whatever dies meanwhile, nothing of it is left. A folder is made
 * under a name of our own beside its place; one that a killed stager left is removed by the task's next attempt. What
 * an item replaces is exchanged with it and removed afterwards, so that there is no moment without either; a folder
 * that couldn't be removed is not replaced.
 *
 * What is published carries who published it, as an extended attribute. The folder is locked while that is looked at
 * and the rename made: an attempt that should be dead, but isn't, never replaces what a later one of its task has
 * published. A file system without such attributes is no disk of a node's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "isolation/stager.h"

#ifndef RENAME_EXCHANGE /* of <stdio.h>, which this program does without */
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

#define STAMP "user.reeve.attempt"
#define OWN_NAME ".reeve-stage."
#define FD_PATH_MAX 64

struct stamp {
    uint64_t job;
    uint32_t task, epoch;
};

static void add_number(char *text, uint64_t number, const char *more)
{
    char digits[NUMBER_TEXT_MAX];
    strcat(text, number_text(number, digits)); /* lint: allow 20 digits at most; the field has room for four numbers */
    strcat(text, more);                        /* lint: allow one character */
}

/* Without the epoch: the next attempt of the task cleans up after this one. */
static void own_name(const struct stager *s, const struct stage_item *item, char own[80])
{
    strcpy(own, OWN_NAME); /* lint: allow 13 */
    add_number(own, s->report.id.job, ".");
    add_number(own, s->report.id.task, (item->flags & STAGE_OUT) != 0 ? ".o" : ".i");
    add_number(own, item->index, "");
}

static bool begin_folder(struct stager *s, struct publish *p)
{
    if (mkdirat(p->parent, p->own, 0700) < 0)
        return stage_fail(s, STAGE_WHY_MAKE, errno);
    p->made = place_open(p->parent, p->own, O_RDONLY | O_DIRECTORY);
    return p->made >= 0 || stage_fail(s, STAGE_WHY_MAKE, -p->made);
}

static bool begin_file(struct stager *s, struct publish *p)
{
    p->made = openat(p->parent, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (p->made >= 0)
        return true;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return stage_fail(s, STAGE_WHY_MAKE, errno);
    p->named = true;
    p->made = openat(p->parent, p->own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return p->made >= 0 || stage_fail(s, STAGE_WHY_MAKE, errno);
}

bool publish_begin(struct stager *s, struct publish *p, const struct stage_source *i, mode_t mode)
{
    *p = (struct publish){.made = -1, .is_folder = S_ISDIR(mode), .mode = mode & STAGE_MODE_KEPT};
    p->parent = place_parent(i->to, &p->name);
    if (p->parent < 0)
        return stage_fail(s, STAGE_WHY_PLACE, -p->parent);
    own_name(s, &i->item, p->own);
    int rc = place_remove(s, p->parent, p->own); /* of an attempt that was killed */
    if (rc < 0)
        return stage_fail(s, STAGE_WHY_MAKE, -rc);
    return p->is_folder ? begin_folder(s, p) : begin_file(s, p);
}

void publish_drop(struct stager *s, struct publish *p)
{
    close_fd(&p->made);
    if (p->parent >= 0 && (p->is_folder || p->named))
        (void)place_remove(s, p->parent, p->own); /* the next attempt tries again */
    close_fd(&p->parent);
}

/* ---- who was there ---- */

static bool put_stamp(struct stager *s, struct publish *p)
{
    const struct stamp mine = {s->report.id.job, s->report.id.task, s->report.id.epoch};
    if (fsetxattr(p->made, STAMP, &mine, sizeof mine, 0) == 0 || errno == EOPNOTSUPP)
        return true;
    return stage_fail(s, STAGE_WHY_MAKE, errno);
}

static bool is_empty(struct stager *s, int dir)
{
    long n = place_names(s, dir, 0), at = 0;
    return n >= 0 && (n == 0 || place_name(s->names[0], n, &at) == NULL);
}

/* With the folder locked: may this be replaced? */
static bool check_there(struct stager *s, const struct publish *p)
{
    struct stamp theirs = {0};
    struct stat st;
    if (fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true; /* nothing; or the last step says what it is */
    bool folder = S_ISDIR(st.st_mode);
    int there = openat(p->parent, p->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (there < 0) /* nothing that we could have brought: a link, a socket, another's */
        return !folder || stage_fail(s, STAGE_WHY_TAKEN, 0);
    bool known = fgetxattr(there, STAMP, &theirs, sizeof theirs) == (ssize_t)sizeof theirs;
    bool newer = known && theirs.job == s->report.id.job && theirs.task == s->report.id.task &&
                 theirs.epoch > s->report.id.epoch;
    bool taken = !known && folder && !is_empty(s, there);
    int rc = folder && !newer && !taken ? place_check_remove(s, there) : 0;
    close(there);
    if (newer)
        return stage_fail(s, STAGE_WHY_NEWER, 0);
    if (taken)
        return stage_fail(s, STAGE_WHY_TAKEN, 0);
    return rc == 0 || stage_fail(s, STAGE_WHY_STAYS, -rc);
}

/* ---- the last step ---- */

/* Its content, before its name; its mode, which may forbid to write, after its stamp. */
static bool settle(struct stager *s, struct publish *p)
{
    if (!put_stamp(s, p))
        return false;
    if (fchmod(p->made, p->mode) < 0)
        return stage_fail(s, STAGE_WHY_MAKE, errno);
    return !s->durable || fsync(p->made) == 0 || stage_fail(s, STAGE_WHY_SYNC, errno);
}

static bool give_name(struct stager *s, struct publish *p)
{
    char path[FD_PATH_MAX] = "/proc/self/fd/", number[NUMBER_TEXT_MAX];
    if (p->is_folder || p->named)
        return true;
    strcat(path, number_text((uint64_t)p->made, number)); /* lint: allow 14 and at most 20 characters */
    if (linkat(AT_FDCWD, path, p->parent, p->own, AT_SYMLINK_FOLLOW) < 0)
        return stage_fail(s, STAGE_WHY_PUBLISH, errno);
    p->named = true;
    return true;
}

static int rename_with(const struct publish *p, unsigned flags)
{
    return syscall(SYS_renameat2, p->parent, p->own, p->parent, p->name, flags) < 0 ? -errno : 0;
}

/* Files replace files as ever; where one of both is a folder they change places. */
static int replace(const struct publish *p)
{
    int rc = rename_with(p, p->is_folder ? RENAME_NOREPLACE : 0);
    rc = rc == -EEXIST || rc == -EISDIR ? rename_with(p, RENAME_EXCHANGE) : rc;
    return rc == -EOVERFLOW ? -EPERM : rc; /* the kernel's word for an owner that isn't mapped */
}

bool publish_end(struct stager *s, struct publish *p)
{
    if (!settle(s, p))
        return false;
    while (flock(p->parent, LOCK_EX) < 0)
        if (errno != EINTR)
            return stage_fail(s, STAGE_WHY_PUBLISH, errno);
    if (!check_there(s, p) || !give_name(s, p))
        return false;
    if (!stage_may_publish(s))
        return stage_fail(s, STAGE_WHY_STOPPED, 0);
    int rc = replace(p);
    if (rc < 0)
        return stage_fail(s, STAGE_WHY_PUBLISH, -rc);
    if (s->durable && fsync(p->parent) < 0)
        return stage_fail(s, STAGE_WHY_SYNC, errno);
    close_fd(&p->made);
    rc = place_remove(s, p->parent, p->own); /* what it has replaced */
    close_fd(&p->parent);
    return rc == 0 || stage_fail(s, STAGE_WHY_PUBLISH, -rc);
}
