#include "base/mount_name.h"

#include <errno.h>
#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int mount_name_check(const char *name, struct err *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > MOUNT_NAME_MAX)
        return err_set(err, -EINVAL, "a name has 1 to %d characters", MOUNT_NAME_MAX);
    for (size_t i = 0; i < len; i++)
        if (!is_plain(name[i]) && (i == 0 || strchr("._-", name[i]) == NULL))
            return err_set(err, -EINVAL, "a name has only a-z, 0-9, '.', '_' and '-', and begins with one of a-z, 0-9");
    return 0;
}

/* One part of a path, `len` characters. */
static bool is_part(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)part[i] < ' ' || part[i] == 0x7f)
            return false;
    return true;
}

int inner_path_check(const char *path, size_t max, struct err *err)
{
    static const char *const ours[] = {"/proc", "/sys", "/dev"};
    if (path[0] != '/' || strlen(path) > max)
        return err_set(err, -EINVAL, "a path is absolute and has at most %zu characters", max);
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at + 1, "/");
        if (!is_part(at + 1, len))
            return err_set(err, -EINVAL, "a path has no part that is empty, '.', '..' or holds control characters");
        at += len + 1;
    }
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (volume_paths_nest(path, ours[i]))
            return err_set(err, -EINVAL, "nothing can lie in %s", ours[i]);
    return 0;
}

int volume_path_check(const char *path, struct err *err)
{
    int rc = inner_path_check(path, VOLUME_PATH_MAX, err);
    if (rc < 0)
        return rc;
    if (strcmp(path, "/tmp") == 0 || strcmp(path, "/mnt") == 0)
        return err_set(err, -EINVAL, "%s itself can't be covered; use a folder in it", path);
    return 0;
}

bool volume_paths_nest(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), len = MIN(a_len, b_len);
    const char *longer = a_len > b_len ? a : b;
    return memcmp(a, b, len) == 0 && (longer[len] == '\0' || longer[len] == '/');
}
