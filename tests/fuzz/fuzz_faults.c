/* Any bytes are the choices of a world full of faults: no rule may break in it. */
#include <stdio.h>

#include "tests/sim/fault_world.h"

#define SECONDS 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct choices c;
    choices_read(&c, data, size);
    struct scene scene = {.seconds = SECONDS, .recount_every = 64};
    bool whole = world_live(&w, &c, &scene);
    if (!whole) {
        fprintf(stderr, "%s\n", w.broken);
        abort();
    }
    world_free(&w);
    choices_fini(&c);
    return 0;
}
