#include "agent/metering.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/attempt.h"
#include "agent/folder.h"
#include "base/io/clock.h"
#include "base/io/log.h"

/* ---- the file ---- */

struct kept {
    struct io_counts counts; /* as they were told */
    uint64_t billed;
    struct measure paid;
    bool metered;
};

#define METER_ROWS(id, name, meter)                                                           \
    FIELD_ROW(kept, id, name "_read_ops", FIELD_U64, counts.meter.ops[IO_READ]),              \
    FIELD_ROW(kept, (id) + 1, name "_write_ops", FIELD_U64, counts.meter.ops[IO_WRITE]),      \
    FIELD_ROW(kept, (id) + 2, name "_read_bytes", FIELD_U64, counts.meter.bytes[IO_READ]),    \
    FIELD_ROW(kept, (id) + 3, name "_written_bytes", FIELD_U64, counts.meter.bytes[IO_WRITE])

static const struct field rows[] = {
    METER_ROWS(1, "kernel", kernel),
    METER_ROWS(5, "moved", moved),
    METER_ROWS(9, "memory", memory),
    FIELD_ROW(kept, 13, "cached_bytes", FIELD_U64, counts.cached_bytes),
    FIELD_ROW(kept, 14, "log_bytes", FIELD_U64, counts.log_bytes),
    FIELD_ROW(kept, 15, "billed", FIELD_U64, billed),
    FIELD_ROW(kept, 16, "metered", FIELD_BOOL, metered),
    FIELD_ROW(kept, 17, "paid", FIELD_MEASURE, paid),
};
static const struct fields kept_fields = FIELDS_TABLE("io", kept, rows);

void metering_restore(struct attempt *t)
{
    struct kept k = {0};
    if (t->dir < 0 || folder_read(t->dir, FOLDER_IO, &kept_fields, &k, NULL) < 0)
        return; /* nothing was told yet */
    t->account = (struct io_account){.at = k.counts, .billed = k.billed, .told = k.counts, .told_billed = k.billed};
    t->shown_moved = t->account.at.moved; /* an agent before this one */
    t->shown_direct = io_account_direct(&t->account);
    t->metered = k.metered;
    (void)io_bound_take(&t->bound, k.paid, true);
    t->bound.spare = 0; /* how much of it was paid last nobody knows any more */
}

static void keep(struct attempt *t)
{
    struct err err = {0};
    const struct kept k = {.counts = t->account.told, .billed = t->account.told_billed, .paid = t->bound.paid,
                           .metered = t->metered};
    int rc = t->dir < 0 ? 0 : folder_replace(t->dir, FOLDER_IO, &kept_fields, &k, &err);
    if (rc < 0 && !t->unkept)
        log_line(LOG_WARN, "meter.unkept", "attempt=%s error=%s", t->name, log_quote(err_text(&err)));
    t->unkept = rc < 0;
}

/* ---- the counts ---- */

uint64_t metering_log_bytes(const struct attempt *t, enum log_stream which)
{
    struct stat st;
    if (t->logs[which] != 0)
        return logs_size(t->all->logs, t->logs[which]);
    if (t->dir < 0 || fstatat(t->dir, folder_log_names[which], &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (uint64_t)st.st_size;
}

static struct io_meter meter_of(struct measure read_ops, struct measure write_ops, struct measure read_bytes,
                                struct measure written_bytes)
{
    return (struct io_meter){.ops = {[IO_READ] = measured(read_ops), [IO_WRITE] = measured(write_ops)},
                             .bytes = {[IO_READ] = measured(read_bytes), [IO_WRITE] = measured(written_bytes)}};
}

static struct io_counts counts_of(const struct attempt *t)
{
    const struct usage *u = &t->usage;
    struct io_counts c = {.kernel = meter_of(u->read_ops, u->write_ops, u->read_bytes, u->written_bytes)};
    mover_link_counts(t->mover, &c);
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++)
        c.log_bytes += metering_log_bytes(t, i);
    return c;
}

/* One arbiter decides: who used the disk by itself waits its turn for what is moved by grants. */
void metering_take(struct attempt *t)
{
    struct io_counts now = counts_of(t);
    struct io_meter direct = io_account_read(&t->account, &now);
    for (enum io_dir dir = 0; dir < IO_DIR_COUNT; dir++)
        if (direct.ops[dir] + direct.bytes[dir] > 0)
            fair_direct(t->all->with.fair, t->tenant, dir, direct.ops[dir], direct.bytes[dir]);
}

void metering_read(struct attempt *t, const struct usage *usage)
{
    t->usage = *usage;
    /* Without the io (blkio) controller nothing is known but what was moved, and nothing is billed. */
    t->metered |= is_measured(usage->read_bytes) && is_measured(usage->written_bytes);
    t->bound.read_boot_us = clock_boot_us();
    metering_take(t);
    io_bound_check(t);
}

void metering_paid(struct attempt *t)
{
    keep(t);
    io_bound_check(t);
    attempt_meter(t);
}

/* ---- telling ---- */

void metering_tell(struct attempt *t)
{
    struct io_account *a = &t->account;
    const struct io_meter *moved = &a->at.moved;
    bool news = a->billed != a->told_billed || memcmp(&a->at, &a->told, sizeof a->at) != 0;
    struct io_sums told = io_account_tell(a, arbiter_books(fair_arbiter(t->all->with.fair)));
    if (news)
        keep(t);
    t->usage.moved_read_ops = measure_of(moved->ops[IO_READ]);
    t->usage.moved_write_ops = measure_of(moved->ops[IO_WRITE]);
    t->usage.moved_read_bytes = measure_of(moved->bytes[IO_READ]);
    t->usage.moved_written_bytes = measure_of(moved->bytes[IO_WRITE] + a->at.log_bytes);
    t->usage.io_bytes = t->usage.io_uncounted_bytes = t->usage.io_cached_bytes = (struct measure){0};
    if (!t->metered)
        return;
    t->usage.io_bytes = measure_of(told.billed_bytes);
    t->usage.io_uncounted_bytes = measure_of(told.memory_bytes + told.log_bytes);
    t->usage.io_cached_bytes = measure_of(told.cached_bytes);
}

/* ---- showing ---- */

static bool rise(struct io_meter *shown, const struct io_meter *now, struct io_meter *ret)
{
    uint64_t any = 0;
    for (int dir = 0; dir < IO_DIR_COUNT; dir++) {
        ret->ops[dir] = LESS(now->ops[dir], shown->ops[dir]);
        ret->bytes[dir] = LESS(now->bytes[dir], shown->bytes[dir]);
        shown->ops[dir] += ret->ops[dir]; /* what was direct may turn out to be moved: it isn't shown again */
        shown->bytes[dir] += ret->bytes[dir];
        any |= ret->ops[dir] | ret->bytes[dir];
    }
    return any != 0;
}

bool metering_rise(struct attempt *t, struct attempt_moved *ret)
{
    struct io_meter direct = io_account_direct(&t->account);
    *ret = (struct attempt_moved){.tenant = t->tenant, .job = t->id.job};
    bool moved = rise(&t->shown_moved, &t->account.at.moved, &ret->moved);
    return rise(&t->shown_direct, &direct, &ret->direct) || moved;
}
