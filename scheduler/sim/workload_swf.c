/*
 * The Standard Workload Format: 18 numbers a line, -1 = not known; lines with ';' are the header.
 * Source: Feitelson et al., "The Standard Workload Format", Parallel Workloads Archive, version 2.2.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/sim/workload.h"

enum column {
    SWF_JOB, SWF_SUBMIT, SWF_WAIT, SWF_RUN, SWF_PROCESSORS, SWF_CPU_USED, SWF_MEMORY_USED, SWF_PROCESSORS_ASKED,
    SWF_TIME_ASKED, SWF_MEMORY_ASKED, SWF_STATUS, SWF_USER, SWF_GROUP, SWF_PROGRAM, SWF_QUEUE, SWF_PARTITION,
    SWF_BEFORE, SWF_THINK, SWF_COLUMNS
};
#define SECOND_US INT64_C(1000000)
#define NUMBER_MAX INT64_C(100000000000) /* seconds, KiB: thousands of years, hundreds of terabytes */
#define STATUS_FAILED 0
#define MEMORY_DEFAULT ((uint64_t)256 << 20)

/* The next number of a line, its fraction cut off. false: none, or one that is no number of anything. */
static bool take_number(const char **at, const char *end, int64_t *ret)
{
    while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
        (*at)++;
    bool minus = *at < end && **at == '-';
    *at += minus;
    const char *begin = *at;
    int64_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
        value = value > NUMBER_MAX ? value : value * 10 + (**at - '0');
    bool some = *at > begin;
    if (*at < end && **at == '.')
        for ((*at)++; *at < end && **at >= '0' && **at <= '9'; (*at)++)
            some = true;
    *ret = minus ? -value : value;
    return some && value <= NUMBER_MAX && (*at == end || **at == ' ' || **at == '\t' || **at == '\r');
}

static int add_job(struct workload *w, const int64_t v[SWF_COLUMNS], enum tenant_by by)
{
    static const struct { enum column column; const char *word; } tenants[TENANT_BY_COUNT] = {
        [TENANT_BY_USER] = {SWF_USER, "user"},
        [TENANT_BY_GROUP] = {SWF_GROUP, "group"},
        [TENANT_BY_QUEUE] = {SWF_QUEUE, "queue"},
    };
    int64_t cores = v[SWF_PROCESSORS_ASKED] > 0 ? v[SWF_PROCESSORS_ASKED] : v[SWF_PROCESSORS];
    if (v[SWF_RUN] <= 0 || cores <= 0 || v[SWF_SUBMIT] < 0) {
        w->left_out++;
        return 0;
    }
    char path[48];
    snprintf(path, sizeof path, "%s%lld", tenants[by].word, (long long)MAX(v[tenants[by].column], 0));
    struct sim_job *j = workload_add(w);
    if (j == NULL || workload_tenant(w, path, &j->tenant) < 0)
        return -ENOMEM;
    j->submit_us = v[SWF_SUBMIT] * SECOND_US;
    j->limit_us = v[SWF_TIME_ASKED] > 0 ? (uint64_t)(v[SWF_TIME_ASKED] * SECOND_US) : 0;
    j->run_us = (uint64_t)(v[SWF_RUN] * SECOND_US);
    j->cpu_milli = (uint64_t)cores * 1000;
    /* In KiB for each processor. */
    uint64_t memory = v[SWF_MEMORY_ASKED] > 0 ? (uint64_t)v[SWF_MEMORY_ASKED] << 10 : MEMORY_DEFAULT;
    if (__builtin_mul_overflow(memory, (uint64_t)cores, &j->mem_bytes))
        j->mem_bytes = UINT64_MAX >> 1;
    j->fails = v[SWF_STATUS] == STATUS_FAILED;
    return 0;
}

/* "; MaxProcs: 240" */
static void read_header(struct workload *w, const char *at, size_t len)
{
    static const char word[] = "MaxProcs:";
    const char *found = memmem(at, len, word, sizeof word - 1);
    int64_t value;
    if (found != NULL) {
        found += sizeof word - 1;
        if (take_number(&found, at + len, &value) && value > 0)
            w->processors = (uint64_t)value;
    }
}

static int read_line(struct workload *w, const char *at, const char *end, enum tenant_by by)
{
    int64_t v[SWF_COLUMNS];
    for (size_t i = 0; i < SWF_COLUMNS; i++)
        if (!take_number(&at, end, &v[i]))
            return -EINVAL;
    return add_job(w, v, by);
}

int workload_swf(const char *text, size_t len, enum tenant_by by, struct workload *ret, struct err *err)
{
    struct workload w = {0};
    size_t number = 0;
    int rc = 0;
    for (const char *at = text, *end = text + len, *next; rc == 0 && at < end; at = next) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        next = stop < end ? stop + 1 : end;
        number++;
        const char *first = at;
        while (first < stop && (*first == ' ' || *first == '\t' || *first == '\r'))
            first++;
        if (first < stop && *first == ';')
            read_header(&w, first, (size_t)(stop - first));
        else if (first < stop)
            rc = read_line(&w, first, stop, by);
    }
    if (rc < 0) {
        workload_fini(&w);
        return rc == -ENOMEM ? err_set(err, rc, "out of memory")
                             : err_set(err, rc, "line %zu: is not 18 numbers, as SWF has them", number);
    }
    workload_sort(&w);
    *ret = w;
    return 0;
}
