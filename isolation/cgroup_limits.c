/* Limits: written by directory fd, each read back through the same fd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/cgroup.h"

#define SET_TEXT_MAX 4096

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, len) == 0 && (at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* `text` begins with the device's number. */
static bool has_device(const char *lines, const char *text)
{
    size_t len = strcspn(text, " ") + 1;
    for (const char *at = lines; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, text, len) == 0)
            return true;
    }
    return false;
}

static bool reads(int fd, const char *want, enum cg_match match, char *is, size_t size)
{
    ssize_t n = pread(fd, is, size - 1, 0);
    if (n < 0)
        snprintf(is, size, "(%s)", strerror(errno));
    while (n > 0 && (is[n - 1] == '\n' || is[n - 1] == ' '))
        n--;
    if (n >= 0)
        is[n] = '\0';
    return n >= 0 && (match == CG_NO_LINE ? !has_device(is, want)
                      : match == CG_LINE  ? has_line(is, want)
                                          : strcmp(is, want) == 0);
}

int cg_text_set(int base, const char *group, const struct cg_value *v, const char *text, struct err *err)
{
    char is[SET_TEXT_MAX];
    CLEANUP(close_p) int fd = cg_file_open(base, group, v->file, O_RDWR);
    if (fd == -ENOENT && v->if_present)
        return 0;
    if (fd < 0)
        return err_set(err, fd, "cgroups: %s: %s", v->file, strerror(-fd));
    if (v->usual && reads(fd, text, v->match, is, sizeof is))
        return 0;
    if (write(fd, text, strlen(text)) < 0) /* in one piece or not at all */
        return err_set(err, -errno, "cgroups: %s: cannot be set to '%.40s': %s", v->file, text, strerror(errno));
    if (!reads(fd, text, v->match, is, sizeof is))
        return err_set(err, -EINVAL, "cgroups: %s was set to '%.40s' and reads '%.40s'", v->file, text, is);
    return 0;
}

int cg_file_set(const struct cg *cg, const char *group, const struct cg_value *v, struct err *err)
{
    int at = cg->of[v->controller];
    if (at < 0)
        return err_set(err, -EOPNOTSUPP, "cgroups: %s: there is no controller '%s'", v->file,
                       cg_controller_name(v->controller, false));
    return cg_text_set(cg->at[at].base, group, v, v->text, err);
}

unsigned cg_parts(const struct cg *cg, const struct sandbox_spec *spec)
{
    int at = cg->of[CG_CPUSET];
    return spec->limits.pinned_cpus > 0 && at >= 0 ? 1u << at : 0;
}

/* v1: a set of memory nodes must be there before anything can live in the group. v2: it changes nothing, and says that
 * the group's processors are its own. */
static int pin(const struct cg *cg, const char *group, const struct cg_cpus *cpus, struct err *err)
{
    char text[SET_TEXT_MAX];
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_CPUSET]];
    struct cg_value v = {.controller = CG_CPUSET, .file = "cpuset.mems", .usual = true};
    ssize_t n = cg_file_read(h->base, ".", h->v2 ? "cpuset.mems.effective" : "cpuset.mems", text, sizeof text);
    int rc = n < 0 ? (int)n : cg_text_set(h->base, group, &v, text, err);
    if (rc < 0)
        return rc;
    snprintf(v.file, sizeof v.file, "cpuset.cpus");
    if (!cg_cpus_format(cpus, text, sizeof text))
        return err_set(err, -E2BIG, "cgroups: cpuset.cpus: the set is too long to be written");
    return cg_text_set(h->base, group, &v, text, err);
}

int cg_limit(struct cg *cg, const char *group, const struct sandbox_spec *spec, const struct cg_cpus *cpus,
             struct err *err)
{
    struct cg_value values[CG_VALUES_MAX];
    int count = cg_values(cg, spec, values), rc = 0;
    for (int i = 0; i < count && rc == 0; i++)
        rc = cg_file_set(cg, group, &values[i], err);
    if (rc == 0 && cpus != NULL)
        rc = pin(cg, group, cpus, err);
    else if (rc == 0 && cg->sharing)
        rc = cg_share_with(cg, group, err);
    if (rc == 0 && cg->able.devices_count > 0)
        rc = cg_devices_limit(cg, group, spec->limits.devices, err);
    return rc;
}

int cg_limit_io(const struct cg *cg, const char *group, const struct sandbox_limits *limits, struct err *err)
{
    struct cg_value values[CG_VALUES_MAX];
    int count = cg_io_values(cg, limits, values), rc = 0;
    for (int i = 0; i < count && rc == 0; i++)
        rc = cg_file_set(cg, group, &values[i], err);
    return rc;
}

/* Protection reaches a group only through what protects all groups above it. */
int cg_guarantee(struct cg *cg, uint64_t bytes, bool more, struct err *err)
{
    if (bytes == 0)
        return 0;
    uint64_t sum = more ? cg->guaranteed + bytes : cg->guaranteed - MIN(bytes, cg->guaranteed);
    if (more && sum > cg->guarantee_max)
        return err_set(err, -ENOSPC, "cgroups: memory.min: the groups above the base guarantee too little");
    struct cg_value v = {.controller = CG_MEMORY, .file = "memory.min"};
    snprintf(v.text, sizeof v.text, "%llu", (unsigned long long)((sum + 4095) / 4096 * 4096));
    int rc = cg_file_set(cg, ".", &v, err);
    if (rc == 0)
        cg->guaranteed = sum;
    return rc;
}
