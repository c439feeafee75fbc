/*
 * The event lists of the Slurm simulator: one event a line, seconds since the beginning, then sbatch's own options.
 *   -dt 49 -e submit_batch_job | -J jobid_1002 -sim-walltime 1201 --uid=user1 -t 00:30:00 -n 1 -A account1 ...
 * -sim-walltime is how long it runs; 0 or less = until its limit. --mem is MiB on each node of --ntasks-per-node cores.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "scheduler/sim/workload.h"

#define SECOND_US INT64_C(1000000)
#define WORDS_MAX 64
#define WORD_MAX 96
#define MEMORY_DEFAULT ((uint64_t)256 << 20) /* for each core */
#define NUMBER_MAX INT64_C(100000000000)

struct words {
    char v[WORDS_MAX][WORD_MAX];
    size_t count;
};

/* "--uid=user1" is two words, as "-A account1" is. false: too many, or too long. */
static bool split(const char *at, const char *end, struct words *ret)
{
    ret->count = 0;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
            at++;
        const char *begin = at;
        while (at < end && *at != ' ' && *at != '\t' && *at != '\r' && !(*at == '=' && begin[0] == '-'))
            at++;
        size_t len = (size_t)(at - begin);
        if (at < end && *at == '=')
            at++;
        if (len == 0)
            continue;
        if (ret->count == WORDS_MAX || len >= WORD_MAX)
            return false;
        memcpy(ret->v[ret->count], begin, len);
        ret->v[ret->count++][len] = '\0';
    }
    return true;
}

/* The word behind `name`; NULL: not there. */
static const char *value_of(const struct words *w, const char *name)
{
    for (size_t i = 0; i + 1 < w->count; i++)
        if (strcmp(w->v[i], name) == 0)
            return w->v[i + 1];
    return NULL;
}

static bool number_of(const struct words *w, const char *name, int64_t fallback, int64_t *ret)
{
    const char *text = value_of(w, name);
    if (text == NULL) {
        *ret = fallback;
        return true;
    }
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *ret = value;
    return errno == 0 && *end == '\0' && end != text && value <= NUMBER_MAX && value >= -1;
}

/* "[days-]hh:mm:ss", "mm:ss" or minutes, as sbatch has it. */
static bool limit_of(const char *text, uint64_t *ret_s)
{
    uint64_t days = 0, parts[3] = {0};
    size_t count = 0;
    const char *dash = strchr(text, '-');
    char *end;
    if (dash != NULL) {
        days = strtoull(text, &end, 10);
        if (end != dash)
            return false;
        text = dash + 1;
    }
    for (; count < 3; count++) {
        if (*text < '0' || *text > '9')
            return false;
        parts[count] = strtoull(text, &end, 10);
        text = end;
        if (*text != ':') {
            count++;
            break;
        }
        text++;
    }
    if (*text != '\0' || days > 36500 || parts[0] > 1000000)
        return false;
    uint64_t s = count == 1 ? parts[0] * 60 : count == 2 ? parts[0] * 60 + parts[1]
                                                         : parts[0] * 3600 + parts[1] * 60 + parts[2];
    *ret_s = days * 86400 + s;
    return true;
}

static int tenant_of(struct workload *w, const struct words *words, enum tenant_by by, uint32_t *ret)
{
    static const char *const option[TENANT_BY_COUNT] = {
        [TENANT_BY_USER] = "--uid", [TENANT_BY_GROUP] = "-A", [TENANT_BY_QUEUE] = "-p"};
    struct err err;
    const char *name = value_of(words, option[by]);
    return name == NULL || parse_name(name, 63, &err) < 0 ? -EINVAL : workload_tenant(w, name, ret);
}

static int read_event(struct workload *w, const struct words *words, enum tenant_by by)
{
    const char *what = value_of(words, "-e"), *limit = value_of(words, "-t");
    int64_t at_s, run_s, cores, on_node, memory;
    uint64_t limit_s = 0;
    if (what == NULL || strcmp(what, "submit_batch_job") != 0)
        return -ENOTSUP;
    if (!number_of(words, "-dt", -1, &at_s) || at_s < 0 || !number_of(words, "-sim-walltime", -1, &run_s) ||
        !number_of(words, "-n", 1, &cores) || cores < 1 || cores > 1000000 ||
        !number_of(words, "--ntasks-per-node", cores, &on_node) || on_node < 1 ||
        !number_of(words, "--mem", 0, &memory) || memory < 0 || (limit != NULL && !limit_of(limit, &limit_s)))
        return -EINVAL;
    if (run_s <= 0)
        run_s = (int64_t)limit_s;
    if (run_s == 0) {
        w->left_out++;
        return 0;
    }
    uint32_t tenant;
    int rc = tenant_of(w, words, by, &tenant);
    struct sim_job *j = rc < 0 ? NULL : workload_add(w);
    if (j == NULL)
        return rc < 0 ? rc : -ENOMEM;
    int64_t nodes = (cores + on_node - 1) / on_node;
    *j = (struct sim_job){
        .submit_us = at_s * SECOND_US, .run_us = (uint64_t)(run_s * SECOND_US), .limit_us = limit_s * 1000000,
        .cpu_milli = (uint64_t)cores * 1000, .tasks = 1, .tenant = tenant,
        .mem_bytes = memory > 0 ? (uint64_t)(memory * nodes) << 20 : (uint64_t)cores * MEMORY_DEFAULT};
    return 0;
}

int workload_events(const char *text, size_t len, enum tenant_by by, struct workload *ret, struct err *err)
{
    struct workload w = {0};
    struct words words;
    size_t number = 0;
    int rc = 0;
    for (const char *at = text, *end = text + len, *next; rc == 0 && at < end; at = next) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        next = stop < end ? stop + 1 : end;
        number++;
        bool fits = split(at, stop, &words);
        if (!fits || (words.count > 0 && words.v[0][0] != '#'))
            rc = fits ? read_event(&w, &words, by) : -EINVAL;
    }
    if (rc < 0)
        workload_fini(&w);
    if (rc == -ENOMEM)
        return err_set(err, rc, "out of memory");
    if (rc == -ENOTSUP)
        return err_set(err, -EINVAL, "line %zu: an event that isn't submit_batch_job", number);
    if (rc < 0)
        return err_set(err, -EINVAL, "line %zu: is no event as the Slurm simulator writes them", number);
    workload_sort(&w);
    *ret = w;
    return 0;
}
