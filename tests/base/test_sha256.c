/* HMAC-SHA256 against the cases of RFC 4231. */
#include <check.h>
#include <string.h>

#include "base/macros.h"
#include "base/sha256.h"
#include "tests/run.h"

static const struct {
    const char *key, *data, *mac;
    size_t key_len; /* of 0xaa, when key is NULL */
} cases[] = {
    {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 0},
    {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 0},
    {NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 131},
};

START_TEST(hmac)
{
    uint8_t key[131], mac[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    size_t key_len = cases[_i].key != NULL ? strlen(cases[_i].key) : cases[_i].key_len;
    memset(key, 0xaa, sizeof key);
    if (cases[_i].key != NULL)
        memcpy(key, cases[_i].key, key_len);
    const struct sha256_part parts[] = {{cases[_i].data, 3}, {cases[_i].data + 3, strlen(cases[_i].data) - 3}};
    sha256_hmac(key, key_len, parts, COUNT_OF(parts), mac);
    ck_assert_str_eq(sha256_hex(mac, hex), cases[_i].mac);
}
END_TEST

START_TEST(same)
{
    uint8_t a[SHA256_BYTES] = {0}, b[SHA256_BYTES] = {0};
    ck_assert(sha256_same(a, b));
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        b[i] = 0x80;
        ck_assert(!sha256_same(a, b));
        b[i] = 0;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tc = tcase_create("sha256");
    tcase_add_loop_test(tc, hmac, 0, (int)COUNT_OF(cases));
    tcase_add_test(tc, same);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
