#include "agent/fairio/direct.h"

static uint64_t rise(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

struct io_meter direct_since(struct io_direct *d, const struct io_meter *kernel, const struct io_meter *moved)
{
    struct io_meter direct = {0};
    for (int dir = 0; d->known && dir < IO_DIR_COUNT; dir++) {
        direct.ops[dir] = less(rise(d->kernel.ops[dir], kernel->ops[dir]), rise(d->moved.ops[dir], moved->ops[dir]));
        direct.bytes[dir] =
            less(rise(d->kernel.bytes[dir], kernel->bytes[dir]), rise(d->moved.bytes[dir], moved->bytes[dir]));
    }
    *d = (struct io_direct){.known = true, .kernel = *kernel, .moved = *moved};
    return direct;
}
