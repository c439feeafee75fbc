#include "agent/fairio/account.h"

static void raise(uint64_t *count, uint64_t now)
{
    *count = MAX(*count, now);
}

static void raise_meter(struct io_meter *meter, const struct io_meter *now)
{
    for (int dir = 0; dir < IO_DIR_COUNT; dir++) {
        raise(&meter->ops[dir], now->ops[dir]);
        raise(&meter->bytes[dir], now->bytes[dir]);
    }
}

/* The kernel's count, less what it can have seen of the moved and of `out`. */
static struct io_meter direct_of(const struct io_counts *c, const struct io_meter *out)
{
    struct io_meter direct;
    for (int dir = 0; dir < IO_DIR_COUNT; dir++) {
        uint64_t ops = LESS(c->moved.ops[dir], c->memory.ops[dir]) + out->ops[dir];
        uint64_t bytes = LESS(c->moved.bytes[dir], c->memory.bytes[dir]) + out->bytes[dir];
        direct.ops[dir] = LESS(c->kernel.ops[dir], ops);
        direct.bytes[dir] = LESS(c->kernel.bytes[dir], bytes);
    }
    return direct;
}

static const struct io_meter nothing;

struct io_meter io_account_direct(const struct io_account *a)
{
    return direct_of(&a->at, &nothing);
}

static uint64_t bill_of(const struct io_counts *c)
{
    struct io_meter direct = direct_of(c, &nothing);
    uint64_t sum = c->log_bytes;
    for (int dir = 0; dir < IO_DIR_COUNT; dir++)
        sum += c->moved.bytes[dir] + direct.bytes[dir];
    return sum;
}

struct io_meter io_account_read(struct io_account *a, const struct io_counts *now)
{
    struct io_meter direct, rise;
    raise_meter(&a->at.kernel, &now->kernel);
    raise_meter(&a->at.moved, &now->moved);
    raise_meter(&a->at.memory, &now->memory);
    raise(&a->at.cached_bytes, now->cached_bytes);
    raise(&a->at.log_bytes, now->log_bytes);
    raise(&a->billed, bill_of(&a->at));
    direct = direct_of(&a->at, &now->out);
    for (int dir = 0; dir < IO_DIR_COUNT; dir++) {
        rise.ops[dir] = a->began ? LESS(direct.ops[dir], a->fed.ops[dir]) : 0;
        rise.bytes[dir] = a->began ? LESS(direct.bytes[dir], a->fed.bytes[dir]) : 0;
    }
    raise_meter(&a->fed, &direct);
    a->began = true;
    return rise;
}

static struct io_sums sums_of(const struct io_counts *c, uint64_t billed)
{
    return (struct io_sums){.kernel_read_bytes = c->kernel.bytes[IO_READ],
                            .kernel_written_bytes = c->kernel.bytes[IO_WRITE],
                            .billed_bytes = billed,
                            .memory_bytes = c->memory.bytes[IO_READ] + c->memory.bytes[IO_WRITE],
                            .log_bytes = c->log_bytes,
                            .cached_bytes = c->cached_bytes};
}

struct io_sums io_account_tell(struct io_account *a, struct io_sums *books)
{
    const struct io_sums now = sums_of(&a->at, a->billed), told = sums_of(&a->told, a->told_billed);
    io_sums_add(books, &now, &told);
    a->told = a->at;
    a->told_billed = a->billed;
    return now;
}
