#include "isolation/subids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits up to `end`; moves *at behind it. */
static bool take_number(const char **at, char end, uint64_t *ret)
{
    char *stop;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(*at, &stop, 10);
    if (errno != 0 || (*stop != end && *stop != '\0'))
        return false;
    *at = *stop == '\0' ? stop : stop + 1;
    *ret = value;
    return value <= UINT32_MAX;
}

static int check_line(const char *path, const char *line, uint32_t first, uint64_t count, struct err *err)
{
    size_t name = strcspn(line, ":");
    const char *at = line + name;
    uint64_t from, length;
    if (*at++ != ':' || !take_number(&at, ':', &from) || !take_number(&at, '\n', &length))
        return 0;
    if (length == 0 || from >= first + count || from + length <= first)
        return 0;
    return err_set(err, -EADDRINUSE,
                   "--uid-base %" PRIu32 ": %s gives %.*s the ids from %" PRIu64 " to %" PRIu64
                   ", which attempts would have too; choose another",
                   first, path, (int)(name < 64 ? name : 64), line, from, from + length - 1);
}

int subids_check(const char *path, uint32_t first, uint64_t count, struct err *err)
{
    FILE *f = fopen(path, "re");
    char line[512];
    int rc = 0;
    if (f == NULL)
        return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
    while (rc == 0 && fgets(line, sizeof line, f) != NULL)
        rc = check_line(path, line, first, count, err);
    fclose(f);
    return rc;
}
