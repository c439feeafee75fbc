#include "isolation/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/idmap.h"
#include "isolation/sandbox_ids.h"

static const struct volume *find(const struct volumes *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->at[i].name, name) == 0)
            return &v->at[i];
    return NULL;
}

static int copy_mount(const struct volume *v, bool writable)
{
    CLEANUP(close_p) int mount = open_tree(v->folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr set = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    set.attr_set |= writable ? 0 : MOUNT_ATTR_RDONLY;
    set.attr_set |= v->no_exec ? MOUNT_ATTR_NOEXEC : 0;
    if (mount < 0 || mount_setattr(mount, "", AT_EMPTY_PATH, &set, sizeof set) < 0)
        return -errno;
    return TAKE_FD(mount);
}

/* The folder's owner is the job; all others are nobody. What is root's stays out of reach: there, nothing is mapped. */
static int give_to_job(const struct volume *v, int mount, uint32_t first_id)
{
    struct stat st;
    if (fstat(v->folder, &st) < 0)
        return -errno;
    if (st.st_uid == 0 || st.st_gid == 0)
        return -EPERM;
    const struct idmap_row user = {st.st_uid, first_id + JOB_ID, 1}, group = {st.st_gid, first_id + JOB_ID, 1};
    return idmap_mount(mount, &user, 1, &group, 1);
}

/* Tried once at the start, so that a node offers no more than it can do. */
static int check_writable(struct volume *v, struct err *err)
{
    CLEANUP(close_p) int mount = copy_mount(v, true);
    int rc = mount < 0 ? mount : give_to_job(v, mount, SLOT_IDS);
    struct stat st;
    if (rc == -EPERM && fstat(v->folder, &st) == 0)
        return err_set(err, rc, "--volume %s: its folder is of user %u and group %u, and jobs write there as its owner,"
                                " which can't be root: chown it to a user and a group of its own, or add ':ro'",
                       v->name, st.st_uid, st.st_gid);
    if (rc == -EOPNOTSUPP)
        return err_set(err, rc, "--volume %s: its file system can't map ids, so no job can write there; add ':ro'",
                       v->name);
    return rc < 0 ? err_set(err, rc, "--volume %s: %s", v->name, strerror(-rc)) : 0;
}

/* Takes ":word" off the end of a path. */
static bool take_word(char *path, const char *word)
{
    size_t len = strlen(path), word_len = strlen(word);
    if (len < word_len || strcmp(path + len - word_len, word) != 0)
        return false;
    path[len - word_len] = '\0';
    return true;
}

int volumes_add(struct volumes *v, const char *text, struct err *err)
{
    char path[1024];
    size_t name_len = strcspn(text, "=");
    if (v->count == VOLUMES_MAX)
        return err_set(err, -EINVAL, "--volume: more than %d", VOLUMES_MAX);
    if (text[name_len] != '=' || name_len >= ROOT_NAME_SIZE || text[name_len + 1] != '/' ||
        strlen(text + name_len + 1) >= sizeof path)
        return err_set(err, -EINVAL, "--volume: '%s' is not NAME=/PATH[:ro][:noexec]", text);
    struct volume *new = &v->at[v->count];
    *new = (struct volume){.folder = -1};
    memcpy(new->name, text, name_len);
    if (mount_name_check(new->name, err) < 0)
        return err_wrap(err, -EINVAL, "--volume '%s'", new->name);
    if (find(v, new->name) != NULL)
        return err_set(err, -EINVAL, "--volume %s: given twice", new->name);
    snprintf(path, sizeof path, "%s", text + name_len + 1);
    for (bool more = true; more;) {
        bool ro = take_word(path, ":ro"), no_exec = take_word(path, ":noexec");
        new->read_only = new->read_only || ro;
        new->no_exec = new->no_exec || no_exec;
        more = ro || no_exec;
    }
    new->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (new->folder < 0)
        return err_set(err, -errno, "--volume %s: '%s': %s", new->name, path, strerror(errno));
    int rc = new->read_only ? 0 : check_writable(new, err);
    if (rc < 0)
        close_p(&new->folder);
    else
        v->count++;
    return rc;
}

void volumes_close(struct volumes *v)
{
    for (size_t i = 0; i < v->count; i++)
        close_p(&v->at[i].folder);
    v->count = 0;
}

int volumes_take(const struct volumes *v, const struct root_volume *want, uint32_t first_id, struct err *err)
{
    const struct volume *found = find(v, want->name);
    if (found == NULL)
        return err_set(err, -ENOENT, "volume '%s': this node has none of that name", want->name);
    if (want->writable && found->read_only)
        return err_set(err, -EROFS, "volume '%s': only for reading on this node", want->name);
    CLEANUP(close_p) int mount = copy_mount(found, want->writable);
    int rc = mount < 0 ? mount : give_to_job(found, mount, first_id);
    if (rc == -EPERM || rc == -EOPNOTSUPP) /* such a one is for reading only; all in it is nobody's then */
        rc = want->writable ? rc : 0;
    if (rc < 0)
        return err_set(err, rc, "volume '%s': %s", want->name, strerror(-rc));
    return TAKE_FD(mount);
}

void volumes_offer(const struct volumes *v, struct root_abilities *ret)
{
    for (size_t i = 0; i < v->count; i++) {
        for (int writable = 0; writable <= !v->at[i].read_only; writable++) {
            if (ret->count < NODE_FEATURES_MAX)
                snprintf(ret->features[ret->count++], sizeof ret->features[0], FEATURE_VOLUME "%s%s", v->at[i].name,
                         writable ? FEATURE_WRITABLE : "");
        }
    }
}
