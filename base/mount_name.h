/*
 * mount_name - names of images and volumes, and where a volume may lie inside a sandbox. The same checks for a job's
 * file, the wire and the warden: what they let pass needs no quoting, escapes nothing and covers nothing of Reeve's.
 * Purity: pure.
 */
#ifndef REEVE_BASE_MOUNT_NAME_H
#define REEVE_BASE_MOUNT_NAME_H

#include <stdbool.h>

#include "base/err.h"

#define MOUNT_NAME_MAX 31 /* "volume." and it are the name of a feature */
#define VOLUME_PATH_MAX 127
#define VOLUME_PATH_DEFAULT "/mnt/" /* followed by the volume's name */

/* 1 to MOUNT_NAME_MAX of a-z, 0-9, '.', '_', '-', the first one a letter or digit. -EINVAL. */
int mount_name_check(const char *name, struct err *err) MUST_USE;
/* As inner_path_check() has it, and neither /tmp nor /mnt itself. -EINVAL. */
int volume_path_check(const char *path, struct err *err) MUST_USE;
/* Absolute, at most `max` characters, no part empty, "." or "..", no control characters, outside of /proc, /sys and
 * /dev. -EINVAL. */
int inner_path_check(const char *path, size_t max, struct err *err) MUST_USE;
/* The same path, or one a folder of the other. */
bool volume_paths_nest(const char *a, const char *b);

#endif
