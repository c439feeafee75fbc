/* What an attempt's bytes come to: each once, whatever meter has it, whoever dies in between. */
#include <check.h>
#include <inttypes.h>

#include "agent/fairio/account.h"
#include "tests/random.h"
#include "tests/run.h"

#define READS(o, b) {.ops = {[IO_READ] = (o)}, .bytes = {[IO_READ] = (b)}}

static const struct row {
    const char *sentence;
    struct io_counts first, then; /* two looks */
    uint64_t billed;
    uint64_t direct_ops, direct_bytes; /* what the second one says */
} rows[] = {
    {"all that the kernel counted when nothing was granted", {.kernel = READS(5, 500)}, {.kernel = READS(7, 900)}, 900,
     2, 400},
    {"what was granted once, though both meters have it", {.kernel = READS(2, 200), .moved = READS(2, 200)},
     {.kernel = READS(3, 300), .moved = READS(3, 300)}, 300, 0, 0},
    {"and the rest when some was", {.kernel = READS(0, 0)}, {.kernel = READS(10, 1000), .moved = READS(4, 600)}, 1000,
     6, 400},
    {"what never touched a disk, and no less of what did",
     {.kernel = READS(0, 0)}, {.kernel = READS(1, 100), .moved = READS(50, 5000), .memory = READS(50, 5000)}, 5100, 1,
     100},
    {"what a disk may have seen once", {.kernel = READS(0, 0)},
     {.kernel = READS(1, 100), .moved = READS(3, 300), .cached_bytes = 300}, 300, 0, 0},
    {"logs beside all that", {.log_bytes = 10}, {.kernel = READS(1, 100), .moved = READS(1, 100), .log_bytes = 30}, 130,
     0, 0},
    {"what is out as the kernel has it, but nobody's turn is charged for that yet", {.kernel = READS(0, 0)},
     {.kernel = READS(2, 200), .out = READS(2, 200)}, 200, 0, 0},
    {"no less than before when a count goes back", {.kernel = READS(9, 900), .moved = READS(1, 100)},
     {.kernel = READS(2, 200)}, 900, 0, 0},
};

START_TEST(each_byte_is_billed_once)
{
    const struct row *r = &rows[_i];
    struct io_account a = {.began = true};
    struct io_meter direct = io_account_read(&a, &r->first);
    (void)direct;
    direct = io_account_read(&a, &r->then);
    ck_assert_msg(a.billed == r->billed, "%s: %" PRIu64, r->sentence, a.billed);
    ck_assert_msg(direct.ops[IO_READ] == r->direct_ops && direct.bytes[IO_READ] == r->direct_bytes, "%s: %" PRIu64,
                  r->sentence, direct.bytes[IO_READ]);
    ck_assert_uint_eq(direct.bytes[IO_WRITE], 0);
}
END_TEST

START_TEST(what_was_taken_as_direct_and_turns_out_to_be_moved_is_not_billed_again)
{
    struct io_account a = {.began = true};
    const struct io_counts unheard = {.kernel = READS(10, 1000)}, heard = {.kernel = READS(10, 1000),
                                                                           .moved = READS(10, 1000)};
    ck_assert_uint_eq(io_account_read(&a, &unheard).bytes[IO_READ], 1000);
    ck_assert_uint_eq(io_account_read(&a, &heard).bytes[IO_READ], 0);
    ck_assert_uint_eq(a.billed, 1000);
}
END_TEST

START_TEST(a_direction_is_not_taken_for_the_other)
{
    struct io_account a = {.began = true};
    const struct io_counts now = {.kernel = {.bytes = {[IO_READ] = 100}}, .moved = {.bytes = {[IO_WRITE] = 70}}};
    ck_assert_uint_eq(io_account_read(&a, &now).bytes[IO_READ], 100);
    ck_assert_uint_eq(a.billed, 170);
}
END_TEST

/* Of a mover that moved with and without a disk, and a job that reads by itself, at random; the agent dies now and
 * then, and restores what it told last. */
struct truth {
    struct io_counts c;
    uint64_t billed; /* each byte once */
};

static void live(struct truth *now, uint64_t *random)
{
    enum io_dir dir = (enum io_dir)random_below(random, IO_DIR_COUNT);
    uint64_t bytes = random_below(random, 1000);
    switch (random_below(random, 4)) {
    case 0: /* a grant on a disk */
        now->c.kernel.bytes[dir] += bytes;
        now->c.moved.bytes[dir] += bytes;
        break;
    case 1: /* a grant in memory */
        now->c.moved.bytes[dir] += bytes;
        now->c.memory.bytes[dir] += bytes;
        break;
    case 2: /* by itself */
        now->c.kernel.bytes[dir] += bytes;
        break;
    default:
        now->c.log_bytes += bytes;
        break;
    }
    now->billed += bytes;
}

static struct io_account restored(const struct io_account *kept)
{
    return (struct io_account){.at = kept->told, .billed = kept->told_billed, .told = kept->told,
                               .told_billed = kept->told_billed};
}

/* Before its mover has said a word. */
static struct io_counts unheard(const struct truth *now)
{
    struct io_counts c = now->c;
    c.moved = c.memory = (struct io_meter){0};
    return c;
}

START_TEST(restarts_lose_and_double_nothing)
{
    uint64_t random = (uint64_t)_i + 1;
    struct truth now = {0};
    struct io_account a = {.began = true};
    struct io_sums books = {0};
    uint64_t told = 0;
    for (int step = 0; step < 2000; step++) {
        live(&now, &random);
        bool died = random_below(&random, 50) == 0;
        if (died)
            a = restored(&a);
        struct io_counts c = died ? unheard(&now) : now.c;
        (void)io_account_read(&a, &c);
        ck_assert_uint_le(a.billed, now.billed);
        if (random_below(&random, 5) == 0) {
            uint64_t tells = io_account_tell(&a, &books).billed_bytes;
            ck_assert_uint_ge(tells, told);
            told = tells;
        }
    }
    (void)io_account_read(&a, &now.c);
    ck_assert_uint_eq(io_account_tell(&a, &books).billed_bytes, now.billed);
    ck_assert_uint_eq(books.billed_bytes, now.billed);
    ck_assert_uint_eq(books.kernel_read_bytes + books.kernel_written_bytes,
                      books.billed_bytes - books.memory_bytes - books.log_bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/account");
    TCase *t = tcase_create("account");
    tcase_add_loop_test(t, each_byte_is_billed_once, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_was_taken_as_direct_and_turns_out_to_be_moved_is_not_billed_again);
    tcase_add_test(t, a_direction_is_not_taken_for_the_other);
    tcase_add_loop_test(t, restarts_lose_and_double_nothing, 0, 20);
    suite_add_tcase(s, t);
    return run_suite(s);
}
