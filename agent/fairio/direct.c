#include "agent/fairio/direct.h"

static uint64_t rise(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

/* What of `kernel` was not moved; both are booked. */
static uint64_t rest(uint64_t kernel, uint64_t moved, uint64_t *all_kernel, uint64_t *all_charged)
{
    uint64_t direct = kernel > moved ? kernel - moved : 0;
    *all_kernel += kernel;
    *all_charged += moved + direct;
    return direct;
}

struct io_meter direct_since(struct io_direct *d, const struct io_meter *kernel, const struct io_meter *moved,
                             struct io_books *books)
{
    struct io_meter direct = {0};
    for (int dir = 0; d->known && dir < IO_DIR_COUNT; dir++) {
        direct.ops[dir] = rest(rise(d->kernel.ops[dir], kernel->ops[dir]), rise(d->moved.ops[dir], moved->ops[dir]),
                               &books->kernel.ops[dir], &books->charged.ops[dir]);
        direct.bytes[dir] =
            rest(rise(d->kernel.bytes[dir], kernel->bytes[dir]), rise(d->moved.bytes[dir], moved->bytes[dir]),
                 &books->kernel.bytes[dir], &books->charged.bytes[dir]);
    }
    *d = (struct io_direct){.known = true, .kernel = *kernel, .moved = *moved};
    return direct;
}
