/*
 * clock - the real clocks, read here and nowhere else. Leases and durations run on BOOTTIME, instants are UTC.
 */
#ifndef REEVE_BASE_IO_CLOCK_H
#define REEVE_BASE_IO_CLOCK_H

#include <stdint.h>

int64_t clock_utc_us(void);       /* CLOCK_REALTIME */
uint64_t clock_boot_us(void);     /* CLOCK_BOOTTIME */
int64_t clock_mono_ns(void);      /* CLOCK_MONOTONIC: what disks are measured by */
/* /proc/sys/kernel/random/boot_id; "unknown" when unreadable. Static storage. */
const char *clock_boot_id(void);

#endif
