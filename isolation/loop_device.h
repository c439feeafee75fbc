/*
 * loop_device - a file as a block device, read-only. The kernel lets go of the device by itself when its last user
 * does: whatever dies, none is left.
 */
#ifndef REEVE_ISOLATION_LOOP_DEVICE_H
#define REEVE_ISOLATION_LOOP_DEVICE_H

#include "base/err.h"

#define LOOP_PATH_SIZE 32

/* An fd of the device, which holds it until it is mounted, and its path; -errno and a sentence. `file` stays the
 * caller's. */
int loop_attach(int file, char ret_path[LOOP_PATH_SIZE], struct err *err) MUST_USE;

#endif
