#include "agent/calibrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/moves.h"

#define SMALL ((uint64_t)4 << 10)
#define LARGE ((uint64_t)128 << 10)
#define FILL ((uint64_t)1 << 20)
#define DEPTH 64
#define FILL_DEPTH 8
#define LARGE_DEPTH 16
#define ANSWERS 64
#define MODEL_BYTES_MAX 4096

struct run {
    struct moves *moves;
    int fd;
    uint64_t file_bytes, at, seed;
};

/* What is measured: one after the other in each round. */
static const struct measure_row {
    enum io_dir dir;
    bool random;
    uint64_t bytes;
    unsigned depth;
    size_t into; /* in struct io_measured */
} measures[] = {
    {IO_READ, true, SMALL, DEPTH, offsetof(struct io_measured, small_random_ns)},
    {IO_READ, true, LARGE, LARGE_DEPTH, offsetof(struct io_measured, large_random_ns)},
    {IO_READ, false, LARGE, LARGE_DEPTH, offsetof(struct io_measured, large_sequential_ns)},
    {IO_WRITE, true, SMALL, DEPTH, offsetof(struct io_measured, small_random_ns)},
    {IO_WRITE, true, LARGE, LARGE_DEPTH, offsetof(struct io_measured, large_random_ns)},
    {IO_WRITE, false, LARGE, LARGE_DEPTH, offsetof(struct io_measured, large_sequential_ns)},
};

static uint64_t place(struct run *r, bool random, uint64_t bytes)
{
    r->seed ^= r->seed << 13;
    r->seed ^= r->seed >> 7;
    r->seed ^= r->seed << 17;
    if (random)
        return r->seed % (r->file_bytes / bytes) * bytes;
    uint64_t at = r->at;
    r->at = at + 2 * bytes > r->file_bytes ? 0 : at + bytes;
    return at;
}

static void ask(struct run *r, enum io_dir dir, bool random, uint64_t bytes, uint32_t buffer)
{
    struct move m = {.kind = dir == IO_READ ? MOVE_READ : MOVE_WRITE, .fd = r->fd, .buffer = buffer,
                     .bytes = (uint32_t)bytes, .offset = place(r, random, bytes), .token = buffer};
    int rc = moves_ask(r->moves, &m);
    BUG(rc < 0); /* never more than `depth` */
}

/* Keeps `depth` in flight until `count` are done, or the time is over (count 0). The number done, or -errno. */
static int64_t keep_busy(struct run *r, const struct measure_row *row, int64_t until_ns, uint64_t count)
{
    struct moved got[ANSWERS];
    int64_t done = 0, rc = 0;
    for (uint32_t i = 0; i < row->depth; i++)
        ask(r, row->dir, row->random, row->bytes, i);
    while (moves_in_flight(r->moves) > 0) {
        int n = moves_wait(r->moves, got, ANSWERS, -1);
        if (n < 0)
            return n;
        bool more = rc == 0 && (count > 0 ? (uint64_t)done + row->depth < count : clock_mono_ns() < until_ns);
        for (int i = 0; i < n; i++) {
            if (got[i].result != (int32_t)row->bytes)
                rc = got[i].result < 0 ? got[i].result : -EIO;
            done++;
            if (more && rc == 0)
                ask(r, row->dir, row->random, row->bytes, (uint32_t)got[i].token);
        }
    }
    return rc < 0 ? rc : done;
}

/* ns for each operation. */
static int64_t measure(struct run *r, const struct measure_row *row, int64_t for_ns)
{
    int64_t since = clock_mono_ns(), done = keep_busy(r, row, since + for_ns, 0);
    if (done < 0)
        return done;
    if (row->dir == IO_WRITE && fdatasync(r->fd) < 0)
        return -errno;
    return MAX((clock_mono_ns() - since) / MAX(done, 1), 1);
}

/* Written once, so that what is measured finds blocks and not holes. */
static int fill(struct run *r, const struct calibrate_setup *s, struct err *err)
{
    if (fallocate(r->fd, 0, 0, (off_t)s->file_bytes) < 0 && errno != EOPNOTSUPP)
        return err_set(err, -errno, "%s: %s", s->dir, strerror(errno));
    const struct measure_row row = {IO_WRITE, false, FILL, FILL_DEPTH, 0};
    int64_t done = keep_busy(r, &row, 0, s->file_bytes / FILL);
    if (done < 0 || fdatasync(r->fd) < 0)
        return err_set(err, done < 0 ? (int)done : -errno, "%s: write %llu bytes: %s", s->dir,
                       (unsigned long long)s->file_bytes, strerror(done < 0 ? (int)-done : errno));
    return 0;
}

static int64_t median(int64_t v[CALIBRATE_ROUNDS])
{
    for (int i = 1; i < CALIBRATE_ROUNDS; i++)
        for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
            int64_t swap = v[k];
            v[k] = v[k - 1];
            v[k - 1] = swap;
        }
    return v[CALIBRATE_ROUNDS / 2];
}

static int rounds(struct run *r, const struct calibrate_setup *s, struct calibrate_found *found, struct err *err)
{
    int64_t values[COUNT_OF(measures)][CALIBRATE_ROUNDS];
    int64_t each_ns = (int64_t)(s->total_us * 1000 / (COUNT_OF(measures) * CALIBRATE_ROUNDS));
    for (int round = 0; round < CALIBRATE_ROUNDS; round++)
        for (size_t i = 0; i < COUNT_OF(measures); i++) {
            int64_t ns = measure(r, &measures[i], each_ns);
            if (ns < 0)
                return err_set(err, (int)ns, "%s: %s: %s", s->dir, measures[i].dir == IO_READ ? "read" : "write",
                               strerror((int)-ns));
            values[i][round] = ns;
        }
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        struct io_measured *m = &found->of[measures[i].dir];
        m->small_bytes = SMALL;
        m->large_bytes = LARGE;
        int64_t value = median(values[i]);
        memcpy((char *)m + measures[i].into, &value, sizeof value);
    }
    return 0;
}

static int open_file(const char *dir, struct err *err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno == EINVAL || errno == EOPNOTSUPP)
        return err_set(err, -EOPNOTSUPP, "%s: its file system has no O_DIRECT, so there is no disk to measure", dir);
    return err_set(err, -errno, "%s: %s", dir, strerror(errno));
}

int io_device_of(const char *path, char ret[32])
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    snprintf(ret, 32, "%u:%u", major(st.st_dev), minor(st.st_dev));
    return 0;
}

int calibrate(const struct calibrate_setup *setup, struct io_model *ret, struct calibrate_found *found,
              struct err *err)
{
    char device[32];
    int rc = io_device_of(setup->dir, device);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", setup->dir, strerror(-rc));
    CLEANUP(close_p) int fd = open_file(setup->dir, err);
    if (fd < 0)
        return fd;
    struct run r = {.fd = fd, .file_bytes = setup->file_bytes / FILL * FILL, .seed = UINT64_C(88172645463325252)};
    struct moves_setup with = {.depth = DEPTH, .buffers = DEPTH, .buffer_bytes = FILL};
    rc = moves_new(&r.moves, &with, err);
    if (rc < 0)
        return rc;
    found->how = moves_has_ring(r.moves) ? "through io_uring"
                                         : "by plain calls, one at a time: a disk shows less than it can do";
    rc = fill(&r, setup, err);
    rc = rc < 0 ? rc : rounds(&r, setup, found, err);
    moves_free(r.moves);
    if (rc < 0)
        return rc;
    struct io_model model = {.measured_utc_us = clock_utc_us()};
    for (enum io_dir d = 0; d < IO_DIR_COUNT; d++)
        io_cost_fit(&model.cost, d, &found->of[d]);
    if (str_set(&model.device, device) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    *ret = model;
    return 0;
}

int io_model_load(const char *device, struct io_cost *ret, const char **ret_why, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct io_model model = {0};
    *ret = io_cost_default;
    int rc = file_read(IO_MODEL_PATH, MODEL_BYTES_MAX, &text, err);
    if (rc == -ENOENT) {
        *ret_why = "this disk was never measured; `reeve-agent calibrate` does it";
        return 0;
    }
    rc = rc < 0 ? rc : json_read(&io_model_fields, buf_text(&text), text.len, JSON_STRICT, &model, err);
    if (rc < 0)
        return err_wrap(err, rc, IO_MODEL_PATH);
    bool same = strcmp(model.device, device) == 0, valid = io_cost_is_valid(&model.cost);
    if (same && valid)
        *ret = model.cost;
    fields_clear(&io_model_fields, &model);
    if (!valid)
        return err_set(err, -EINVAL, IO_MODEL_PATH ": an operation can't take 0 ns or less");
    *ret_why = same ? NULL : "what was measured is another disk; `reeve-agent calibrate` measures this one";
    return 0;
}
