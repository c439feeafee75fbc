#include "base/job_stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/job_spec.h"

#define TASK_MARK "{task}"
#define JOB_MARK "{job}"

static const char *const when_names[] = {[STAGE_ON_SUCCESS] = "success", [STAGE_ALWAYS] = "always"};
_Static_assert(COUNT_OF(when_names) == STAGE_WHEN_COUNT, "a name for each");
const struct names stage_when_names = {when_names, COUNT_OF(when_names)};

#define SHA256_ROW(nr)                                                                                            \
    FIELD_ROW(job_stage, nr, "sha256", FIELD_STR, sha256, .max = STAGE_DIGEST_HEX,                                \
              .help = "64 digits that it must have, or record: it is computed and shown")
#define MAX_ROW(nr)                                                                                               \
    FIELD_ROW(job_stage, nr, "max", FIELD_SIZE, max_bytes, .max = MEM_BYTES_MAX,                                  \
              .help = "bytes; more is refused before anything is copied")

static const struct field input_rows[] = {
    FIELD_ROW(job_stage, 1, "from", FIELD_STR, from, .flags = FIELD_REQUIRED, .max = STAGE_PATH_MAX,
              .help = "file or folder in one of the job's volumes"),
    FIELD_ROW(job_stage, 2, "to", FIELD_STR, to, .max = STAGE_PATH_MAX,
              .help = "where the command finds it; default: its name, in cwd"),
    SHA256_ROW(3),
    MAX_ROW(4),
};
const struct fields job_input_fields = FIELDS_TABLE("input", job_stage, input_rows);

static const struct field output_rows[] = {
    FIELD_ROW(job_stage, 1, "from", FIELD_STR, from, .flags = FIELD_REQUIRED, .max = STAGE_PATH_MAX,
              .help = "file or folder that the command leaves"),
    FIELD_ROW(job_stage, 2, "to", FIELD_STR, to, .flags = FIELD_REQUIRED, .max = STAGE_PATH_MAX,
              .help = "where in one of the job's writable volumes it appears, whole or not at all"),
    SHA256_ROW(3),
    MAX_ROW(4),
    FIELD_ROW(job_stage, 5, "when", FIELD_ENUM, when, .of = &stage_when_names,
              .help = "success (default), or always: also when the command failed or was told to stop"),
};
const struct fields job_output_fields = FIELDS_TABLE("output", job_stage, output_rows);

/* ---- paths ---- */

static int complete_path(char **path, const char *cwd, struct err *err)
{
    char whole[STAGE_PATH_MAX + 2];
    if ((*path)[0] != '/') {
        bool at_root = strcmp(cwd, "/") == 0;
        int n = snprintf(whole, sizeof whole, "%s/%s", at_root ? "" : cwd, *path);
        if (n < 0 || (size_t)n >= sizeof whole)
            return err_set(err, -EINVAL, "longer than %d characters, with cwd before it", STAGE_PATH_MAX);
        if (str_set(path, whole) < 0)
            return err_set(err, -ENOMEM, "out of memory");
    }
    return inner_path_check(*path, STAGE_PATH_MAX, err);
}

static int default_to(struct job_stage *s, struct err *err)
{
    const char *name = strrchr(s->from, '/'); /* there is one: it is complete */
    return s->to != NULL || str_set(&s->to, name + 1) == 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* The volume that holds `path`; NULL: none does. */
static const struct job_volume *volume_of(const struct job_spec *spec, const char *path)
{
    const struct job_volume *v = spec->volumes.v;
    for (size_t i = 0; i < spec->volumes.count; i++)
        if (volume_paths_nest(v[i].path, path) && strlen(path) >= strlen(v[i].path))
            return &v[i];
    return NULL;
}

/* A volume lies in it. */
static bool holds_volume(const struct job_spec *spec, const char *path)
{
    const struct job_volume *v = spec->volumes.v;
    for (size_t i = 0; i < spec->volumes.count; i++)
        if (volume_paths_nest(v[i].path, path))
            return true;
    return false;
}

int stage_path_fill(const char *path, uint64_t job, uint32_t task, char out[STAGE_PATH_MAX + 1])
{
    size_t len = 0;
    while (*path != '\0') {
        char number[24];
        bool is_task = strncmp(path, TASK_MARK, sizeof TASK_MARK - 1) == 0;
        bool is_job = strncmp(path, JOB_MARK, sizeof JOB_MARK - 1) == 0;
        size_t more = 1;
        if (is_task || is_job)
            more = (size_t)snprintf(number, sizeof number, "%" PRIu64, is_task ? (uint64_t)task : job);
        if (len + more > STAGE_PATH_MAX)
            return -ENAMETOOLONG;
        memcpy(out + len, is_task || is_job ? number : path, more);
        len += more;
        path += is_task ? sizeof TASK_MARK - 1 : is_job ? sizeof JOB_MARK - 1 : 1;
    }
    out[len] = '\0';
    return 0;
}

/* ---- what a row can't say ---- */

static int check_digest(const struct job_stage *s, struct err *err)
{
    if (s->sha256 == NULL || strcmp(s->sha256, STAGE_DIGEST_WORD) == 0)
        return 0;
    if (strlen(s->sha256) != STAGE_DIGEST_HEX || strspn(s->sha256, "0123456789abcdef") != STAGE_DIGEST_HEX)
        return err_set(err, -EINVAL, "sha256: '%.70s' is neither 64 digits of 0-9 and a-f nor '%s'", s->sha256,
                       STAGE_DIGEST_WORD);
    return 0;
}

static int check_places(const char *name, const struct list *stages, struct err *err)
{
    const struct job_stage *v = stages->v;
    char filled[STAGE_PATH_MAX + 1];
    for (size_t i = 0; i < stages->count; i++) {
        if (stage_path_fill(v[i].from, UINT64_MAX, UINT32_MAX, filled) < 0 ||
            stage_path_fill(v[i].to, UINT64_MAX, UINT32_MAX, filled) < 0)
            return err_set(err, -EINVAL, "%s[%zu]: a path is longer than %d characters with its numbers", name, i,
                           STAGE_PATH_MAX);
        for (size_t k = 0; k < i; k++)
            if (volume_paths_nest(v[k].to, v[i].to))
                return err_set(err, -EINVAL, "%s[%zu].to: '%s' and '%s' lie one inside the other", name, i, v[k].to,
                               v[i].to);
    }
    return 0;
}

static int complete_input(const struct job_spec *spec, struct job_stage *s, struct err *err)
{
    int rc = complete_path(&s->from, spec->cwd, err);
    if (rc < 0)
        return err_wrap(err, rc, "from");
    if (volume_of(spec, s->from) == NULL)
        return err_set(err, -EINVAL, "from: '%s' lies in none of the job's volumes", s->from);
    rc = default_to(s, err);
    rc = rc < 0 ? rc : complete_path(&s->to, spec->cwd, err);
    if (rc < 0)
        return err_wrap(err, rc, "to");
    if (holds_volume(spec, s->to))
        return err_set(err, -EINVAL, "to: '%s' lies in a volume; inputs go to what ends with the job: /tmp/NAME",
                       s->to);
    return check_digest(s, err);
}

static int complete_output(const struct job_spec *spec, struct job_stage *s, struct err *err)
{
    int rc = complete_path(&s->from, spec->cwd, err);
    if (rc < 0)
        return err_wrap(err, rc, "from");
    rc = complete_path(&s->to, spec->cwd, err);
    if (rc < 0)
        return err_wrap(err, rc, "to");
    const struct job_volume *v = volume_of(spec, s->to);
    if (v == NULL || !v->writable)
        return err_set(err, -EINVAL, "to: '%s' is gone when the job ends; name a place in a writable volume", s->to);
    if (strlen(s->to) == strlen(v->path))
        return err_set(err, -EINVAL, "to: '%s' is the volume itself; name a place in it: %s/NAME", s->to, s->to);
    if (volume_paths_nest(s->from, s->to))
        return err_set(err, -EINVAL, "to: '%s' and from: '%s' lie one inside the other", s->to, s->from);
    if (spec->array.present && strstr(s->to, TASK_MARK) == NULL)
        return err_set(err, -EINVAL, "to: tasks of an array would overwrite each other; put {task} into '%s'", s->to);
    return check_digest(s, err);
}

int job_stages_complete(struct job_spec *spec, struct err *err)
{
    struct job_stage *in = spec->inputs.v, *out = spec->outputs.v;
    for (size_t i = 0; i < spec->inputs.count; i++)
        if (complete_input(spec, &in[i], err) < 0)
            return err_wrap(err, -EINVAL, "inputs[%zu]", i);
    for (size_t i = 0; i < spec->outputs.count; i++)
        if (complete_output(spec, &out[i], err) < 0)
            return err_wrap(err, -EINVAL, "outputs[%zu]", i);
    int rc = check_places("inputs", &spec->inputs, err);
    return rc < 0 ? rc : check_places("outputs", &spec->outputs, err);
}
