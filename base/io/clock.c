#include "base/io/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/io/fd.h"

static int64_t read_us(clockid_t clock)
{
    struct timespec ts;
    int rc = clock_gettime(clock, &ts);
    assert(rc == 0);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_utc_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t clock_boot_us(void)
{
    return (uint64_t)read_us(CLOCK_BOOTTIME);
}

int64_t clock_mono_ns(void)
{
    struct timespec ts;
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    assert(rc == 0);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

const char *clock_boot_id(void)
{
    static char id[64];
    if (id[0] != '\0')
        return id;
    struct buf text = {0};
    if (file_read("/proc/sys/kernel/random/boot_id", sizeof id - 1, &text, NULL) < 0 || text.len == 0)
        memcpy(id, "unknown", sizeof "unknown");
    else
        memcpy(id, text.data, text.len);
    id[strcspn(id, "\n")] = '\0';
    buf_fini(&text);
    return id;
}
