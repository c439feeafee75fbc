#include "agent/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/parse.h"

#define RESERVE_MIN ((uint64_t)256 << 20)
#define MEMINFO_MAX ((size_t)64 << 10)

static int total_memory(uint64_t *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read("/proc/meminfo", MEMINFO_MAX, &text, err);
    unsigned long long kib;
    if (rc < 0)
        return rc;
    if (sscanf(buf_text(&text), "MemTotal: %llu kB", &kib) != 1)
        return err_set(err, -EPROTO, "/proc/meminfo: no MemTotal");
    *ret = (uint64_t)kib * 1024;
    return 0;
}

void inventory_share(uint64_t total_bytes, struct resources *capacity)
{
    uint64_t reserve = MAX(total_bytes / 20, RESERVE_MIN);
    uint64_t usable = total_bytes > 2 * reserve ? total_bytes - reserve : total_bytes / 2;
    if (capacity->mem_bytes == 0 && capacity->scratch_bytes == 0)
        capacity->mem_bytes = usable / 4 * 3;
    if (capacity->mem_bytes == 0)
        capacity->mem_bytes = usable > capacity->scratch_bytes ? usable - capacity->scratch_bytes : usable / 4;
    if (capacity->scratch_bytes == 0)
        capacity->scratch_bytes = usable > capacity->mem_bytes ? usable - capacity->mem_bytes : capacity->mem_bytes / 4;
}

int inventory_complete(struct resources *capacity, struct err *err)
{
    uint64_t total = 0;
    int rc = total_memory(&total, err);
    if (rc < 0)
        return rc;
    inventory_share(total, capacity);
    if (capacity->cpu_milli == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        capacity->cpu_milli = online > 0 ? (uint64_t)online * 1000 : 1000;
    }
    return 0;
}

void inventory_name(char *out, size_t size)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    host[strcspn(host, ".")] = '\0';
    for (char *c = host; *c != '\0'; c++)
        if (strspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == 0)
            *c = '-';
    snprintf(out, size, "%s", host);
    if (parse_name(out, size - 1, NULL) < 0)
        snprintf(out, size, "node");
}
