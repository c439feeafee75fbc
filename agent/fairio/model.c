#include "agent/fairio/model.h"

#include "base/macros.h"

#define BASE_MIN_NS 500 /* no system call is faster */
#define PS_PER_NS 1000
#define DEVICE_TEXT_MAX 31

#define COST_ROW(id_, name_, dir_, member, max_, help_)                                            \
    FIELD_ROW(io_model, id_, name_, FIELD_I64, cost.of[dir_].member, .flags = FIELD_REQUIRED,      \
              .max = (max_), .help = (help_))
static const struct field rows[] = {
    FIELD_ROW(io_model, 1, "device", FIELD_STR, device, .flags = FIELD_REQUIRED, .min = 1, .max = DEVICE_TEXT_MAX,
              .help = "major:minor of the device that was measured"),
    FIELD_ROW(io_model, 2, "measured", FIELD_TIME, measured_utc_us, .flags = FIELD_REQUIRED, .help = "when"),
    COST_ROW(3, "read_sequential_ns", IO_READ, sequential_ns, IO_BASE_NS_MAX, "of an operation, bytes apart"),
    COST_ROW(4, "read_random_ns", IO_READ, random_ns, IO_BASE_NS_MAX, "the same at random places"),
    COST_ROW(5, "read_per_byte_ps", IO_READ, per_byte_ps, IO_BYTE_PS_MAX, "picoseconds a byte"),
    COST_ROW(6, "write_sequential_ns", IO_WRITE, sequential_ns, IO_BASE_NS_MAX, "of an operation, bytes apart"),
    COST_ROW(7, "write_random_ns", IO_WRITE, random_ns, IO_BASE_NS_MAX, "the same at random places"),
    COST_ROW(8, "write_per_byte_ps", IO_WRITE, per_byte_ps, IO_BYTE_PS_MAX, "picoseconds a byte"),
};
const struct fields io_model_fields = FIELDS_TABLE("io model", io_model, rows);

const struct io_cost io_cost_default = {
    .of = {[IO_READ] = {.sequential_ns = 10000, .random_ns = 10000, .per_byte_ps = 900},
           [IO_WRITE] = {.sequential_ns = 10000, .random_ns = 10000, .per_byte_ps = 900}}};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

void io_cost_fit(struct io_cost *c, enum io_dir dir, const struct io_measured *m)
{
    assert(m->small_bytes < m->large_bytes);
    int64_t apart = (int64_t)(m->large_bytes - m->small_bytes);
    int64_t slope = clamp((m->large_random_ns - m->small_random_ns) * PS_PER_NS / apart, 0, IO_BYTE_PS_MAX);
    int64_t small = slope * (int64_t)m->small_bytes / PS_PER_NS, large = slope * (int64_t)m->large_bytes / PS_PER_NS;
    c->of[dir].per_byte_ps = slope;
    c->of[dir].random_ns = clamp(m->small_random_ns - small, BASE_MIN_NS, IO_BASE_NS_MAX);
    c->of[dir].sequential_ns = clamp(m->large_sequential_ns - large, BASE_MIN_NS, c->of[dir].random_ns);
}
