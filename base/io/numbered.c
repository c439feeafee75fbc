#include "base/io/numbered.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"

enum { DIGITS = 20 };

const char *numbered_name(const char *prefix, uint64_t number, char out[NUMBERED_NAME_MAX])
{
    int len = snprintf(out, NUMBERED_NAME_MAX, "%s-%020" PRIu64, prefix, number);
    BUG(len < 0 || len >= NUMBERED_NAME_MAX);
    return out;
}

static bool name_read(const char *name, const char *prefix, uint64_t *ret)
{
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || name[len] != '-' || strlen(name + len + 1) != DIGITS)
        return false;
    uint64_t value = 0;
    for (const char *p = name + len + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *ret = value;
    return true;
}

static DIR *folder_open(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (dir == NULL)
        close_p(&fd);
    return dir;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int numbered_list(int folder, const char *prefix, uint64_t **ret, size_t *ret_count, struct err *err)
{
    DIR *dir = folder_open(folder);
    if (dir == NULL)
        return err_set(err, -errno, "open folder: %s", strerror(errno));
    uint64_t *list = NULL;
    size_t count = 0, size = 0;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        uint64_t number;
        if (!name_read(d->d_name, prefix, &number))
            continue;
        if (count == size) {
            size = size == 0 ? 16 : 2 * size;
            uint64_t *grown = realloc(list, size * sizeof *list);
            if (grown == NULL) {
                free(list);
                closedir(dir);
                return err_set(err, -ENOMEM, "out of memory");
            }
            list = grown;
        }
        list[count++] = number;
    }
    closedir(dir);
    if (count > 0)
        qsort(list, count, sizeof *list, by_number);
    *ret = list;
    *ret_count = count;
    return 0;
}

static int write_tmp(int folder, const char *name, const void *bytes, size_t len, struct err *err)
{
    CLEANUP(close_p) int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, -errno, "create '%s': %s", name, strerror(errno));
    int rc = fd_write_all(fd, bytes, len);
    if (rc == 0 && fsync(fd) != 0)
        rc = -errno;
    return rc == 0 ? 0 : err_set(err, rc, "write '%s': %s", name, strerror(-rc));
}

int numbered_write(int folder, const char *prefix, uint64_t number, const void *bytes, size_t len, struct err *err)
{
    char name[NUMBERED_NAME_MAX], tmp[NUMBERED_NAME_MAX + 4];
    numbered_name(prefix, number, name);
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    int rc = write_tmp(folder, tmp, bytes, len, err);
    if (rc == 0 && renameat(folder, tmp, folder, name) != 0)
        rc = err_set(err, -errno, "rename '%s': %s", tmp, strerror(errno));
    if (rc < 0) {
        unlinkat(folder, tmp, 0);
        return rc;
    }
    if (fsync(folder) != 0)
        return err_set(err, -errno, "fsync the folder of '%s': %s", name, strerror(errno));
    return 0;
}

void numbered_clean(int folder, const char *prefix)
{
    DIR *dir = folder_open(folder);
    if (dir == NULL)
        return;
    size_t prefix_len = strlen(prefix);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        size_t len = strlen(d->d_name);
        if (strncmp(d->d_name, prefix, prefix_len) == 0 && len > 4 && strcmp(d->d_name + len - 4, ".tmp") == 0)
            unlinkat(folder, d->d_name, 0);
    }
    closedir(dir);
}
