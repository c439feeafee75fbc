#include "base/io/zone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"

#define FOLDER "/usr/share/zoneinfo"
#define FILE_MAX ((size_t)64 << 10)

int zone_read(const char *name, struct zone_table *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    char path[sizeof FOLDER + 64];
    int rc = zone_name_check(name, err);
    if (rc < 0)
        return rc;
    if (strcmp(name, ZONE_UTC) == 0) {
        *ret = (struct zone_table){0};
        return str_set(&ret->name, name) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
    }
    snprintf(path, sizeof path, FOLDER "/%s", name);
    rc = file_read(path, FILE_MAX, &text, err);
    if (rc == -ENOENT || rc == -ENOTDIR || rc == -EISDIR)
        return err_set(err, -ENOENT, "there is no time zone '%s' on this machine (package tzdata)", name);
    return rc < 0 ? rc : zone_decode(name, text.data, text.len, ret, err);
}
