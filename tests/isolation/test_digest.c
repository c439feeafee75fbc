/* The static program's SHA-256 beside OpenSSL's, with the processor's instructions and without, in pieces. */
#include <check.h>
#include <string.h>

#include "base/sha256.h"
#include "isolation/digest.h"
#include "tests/random.h"
#include "tests/run.h"

static uint8_t bytes[70000];

static void check(const uint8_t *at, size_t len, bool plain, uint64_t *r)
{
    uint8_t ours[DIGEST_BYTES], theirs[SHA256_BYTES];
    struct digest d;
    digest_begin(&d);
    d.plain = d.plain || plain;
    for (size_t done = 0; done < len;) {
        size_t some = (size_t)random_below(r, 200) + 1;
        some = some > len - done ? len - done : some;
        digest_add(&d, at + done, some);
        done += some;
    }
    digest_end(&d, ours);
    sha256(&(struct sha256_part){at, len}, 1, theirs);
    ck_assert_msg(memcmp(ours, theirs, sizeof ours) == 0, "%zu bytes, plain %d", len, plain);
}

START_TEST(it_is_sha_256_at_every_length)
{
    uint64_t r = random_seed("digest");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_below(&r, 256);
    for (size_t len = 0; len < 400; len++)
        check(bytes + len % 7, len, _i == 1, &r);
    check(bytes, sizeof bytes, _i == 1, &r);
}
END_TEST

START_TEST(a_known_one)
{
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t out[DIGEST_BYTES];
    struct digest d;
    digest_begin(&d);
    digest_add(&d, "abc", 3);
    digest_end(&d, out);
    ck_assert_mem_eq(out, abc, sizeof abc);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("digest");
    TCase *t = tcase_create("digest");
    tcase_add_loop_test(t, it_is_sha_256_at_every_length, 0, 2);
    tcase_add_test(t, a_known_one);
    suite_add_tcase(s, t);
    return run_suite(s);
}
