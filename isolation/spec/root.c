#include "isolation/spec/root.h"

#include <errno.h>
#include <string.h>

/* A text that ends inside its field; else NULL, so that nobody reads beyond. */
static const char *ended(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL ? text : NULL;
}

static int check_volume(const struct root_spec *spec, uint32_t at, struct err *err)
{
    const struct root_volume *v = &spec->volumes[at];
    if (ended(v->name, sizeof v->name) == NULL || ended(v->path, sizeof v->path) == NULL)
        return err_set(err, -EINVAL, "root.volumes[%u]: a text without an end", at);
    if (v->writable > 1)
        return err_set(err, -EINVAL, "root.volumes[%u].writable: %u is neither 0 nor 1", at, v->writable);
    int rc = mount_name_check(v->name, err);
    rc = rc < 0 ? rc : volume_path_check(v->path, err);
    for (uint32_t i = 0; rc == 0 && i < at; i++) {
        if (volume_paths_nest(v->path, spec->volumes[i].path))
            rc = err_set(err, -EINVAL, "'%s' and '%s' lie one inside the other", spec->volumes[i].path, v->path);
    }
    return rc < 0 ? err_wrap(err, rc, "root.volumes[%u]", at) : 0;
}

int root_spec_check(const struct root_spec *spec, struct err *err)
{
    if (ended(spec->image, sizeof spec->image) == NULL)
        return err_set(err, -EINVAL, "root.image: a text without an end");
    if (spec->image[0] != '\0' && mount_name_check(spec->image, err) < 0)
        return err_wrap(err, -EINVAL, "root.image");
    if (spec->mode >= ROOT_MODE_COUNT)
        return err_set(err, -EINVAL, "root.mode: %u is none", spec->mode);
    if (spec->mode == ROOT_OVERLAY && spec->image[0] == '\0')
        return err_set(err, -EINVAL, "root.mode: an overlay needs an image");
    if (spec->volumes_count > JOB_VOLUMES_MAX)
        return err_set(err, -EINVAL, "root.volumes: %u of them, at most %d", spec->volumes_count, JOB_VOLUMES_MAX);
    for (uint32_t i = 0; i < spec->volumes_count; i++) {
        int rc = check_volume(spec, i, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
