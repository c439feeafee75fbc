#include "policies/fade.h"

#include "base/macros.h"

#define HALVINGS_DUE 4
#define HALVINGS_MAX 24
#define AMOUNT_WEIGHT_MAX (FADE_WEIGHT_ONE << 6)
#define PART_BITS 16

__extension__ typedef unsigned __int128 wide;

/* 2^(2^-i) for i = 1 to 16, times 2^32. */
static const uint64_t roots[PART_BITS] = {
    6074001000, 5107605667, 4683695048, 4485121744, 4389014833, 4341736423, 4318288544, 4306612134,
    4300785774, 4297875550, 4296421177, 4295694175, 4295330720, 4295149004, 4295058149, 4295012722,
};

/* Half-lives since the epoch, times 2^16. */
static uint64_t halvings(const struct fade *f, int64_t utc_us)
{
    if (utc_us <= f->epoch_utc_us)
        return 0;
    wide parts = ((wide)(uint64_t)(utc_us - f->epoch_utc_us) << PART_BITS) / f->half_life_us;
    wide most = (wide)HALVINGS_MAX << PART_BITS;
    return (uint64_t)MIN(parts, most);
}

uint64_t fade_weight(const struct fade *f, int64_t utc_us)
{
    uint64_t parts = halvings(f, utc_us);
    uint64_t weight = UINT64_C(1) << 32;
    for (unsigned i = 0; i < PART_BITS; i++)
        if ((parts >> (PART_BITS - 1 - i) & 1) != 0)
            weight = (uint64_t)(((wide)weight * roots[i]) >> 32);
    return (weight << (parts >> PART_BITS)) >> 16;
}

bool fade_is_due(const struct fade *f, int64_t utc_us)
{
    return halvings(f, utc_us) >= (uint64_t)HALVINGS_DUE << PART_BITS;
}

uint64_t fade_to(uint64_t amount, uint64_t weight)
{
    return (uint64_t)(((wide)amount * FADE_WEIGHT_ONE) / weight);
}

uint64_t fade_amount(const struct fade *f, uint64_t share, uint64_t us, int64_t utc_us)
{
    uint64_t weight = fade_weight(f, utc_us);
    wide amount = (((wide)share * us) >> 30) * MIN(weight, AMOUNT_WEIGHT_MAX) >> 16;
    return amount > UINT64_MAX / 4 ? UINT64_MAX / 4 : (uint64_t)amount;
}
