/*
 * root - the part of a sandbox's description that says what its root is made of: the node's own or an image, read-only
 * or with everything writable, and which volumes lie in it.
 *
 * Everything a tenant names here is a name or a path inside the sandbox. What a name stands for is configured on the
 * node; what a path stands for is found inside the new root, without following anything.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_ROOT_H
#define REEVE_ISOLATION_SPEC_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/features.h"
#include "base/job_spec.h"

#define ROOT_NAME_SIZE (MOUNT_NAME_MAX + 1)
#define ROOT_PATH_SIZE (VOLUME_PATH_MAX + 1)

struct root_volume {
    char name[ROOT_NAME_SIZE]; /* of the node's configuration */
    char path[ROOT_PATH_SIZE]; /* inside */
    uint32_t writable;         /* 0, 1 */
};

/* All zero: the node's own root, read-only, nothing in it. */
struct root_spec {
    char image[ROOT_NAME_SIZE]; /* "": the node's own root */
    uint32_t mode;              /* enum root_mode; ROOT_OVERLAY only with an image */
    uint32_t volumes_count;
    struct root_volume volumes[JOB_VOLUMES_MAX];
};

/* What a node has for roots, as features. */
struct root_abilities {
    uint32_t count, reserved;
    char features[NODE_FEATURES_MAX][FEATURE_NAME_MAX + 1]; /* NUL-terminated */
};

/* -EINVAL with the field's name. */
int root_spec_check(const struct root_spec *spec, struct err *err) MUST_USE;

#endif
