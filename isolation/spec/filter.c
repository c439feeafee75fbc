#include "isolation/spec/filter.h"

#include <errno.h>
#include <string.h>

uint32_t filter_fds(const struct filter_spec *spec)
{
    return spec->kind == FILTER_NAMED ? 0 : 1;
}

int filter_spec_check(const struct filter_spec *spec, struct err *err)
{
    if (spec->kind >= FILTER_KINDS)
        return err_set(err, -EINVAL, "filter.kind: %u is none", spec->kind);
    if (memchr(spec->name, '\0', sizeof spec->name) == NULL)
        return err_set(err, -EINVAL, "filter.name: does not end");
    if (spec->name[0] != '\0' && (spec->kind != FILTER_NAMED || !seccomp_name_is_valid(spec->name)))
        return err_set(err, -EINVAL, "filter.name: only a profile's name, of a-z, 0-9 and '-'");
    return 0;
}
