/*
 * numbered - files named "<prefix>-<20 digits>" in a folder: journal segments and snapshots.
 * Ownership: numbered_list() gives a malloc'd array, rising.
 */
#ifndef REEVE_BASE_IO_NUMBERED_H
#define REEVE_BASE_IO_NUMBERED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NUMBERED_NAME_MAX 64

const char *numbered_name(const char *prefix, uint64_t number, char out[NUMBERED_NAME_MAX]);
int numbered_list(int folder, const char *prefix, uint64_t **ret, size_t *ret_count, struct err *err) MUST_USE;
/* Creates <prefix>-<number> with these bytes: tmp, fsync, rename, fsync of the folder. */
int numbered_write(int folder, const char *prefix, uint64_t number, const void *bytes, size_t len,
                   struct err *err) MUST_USE;
/* Removes what a crash left half made ("*.tmp"). */
void numbered_clean(int folder, const char *prefix);

#endif
