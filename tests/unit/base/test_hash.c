/* Hashes: the vectors are those of the xxHash project's own sanity check (XSUM_sanity_check), so that
 * bytes on disk stay readable whatever library is linked. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

enum { SANITY_BYTES = 2367 };

/* The buffer that the vectors speak of: the high bytes of a multiplicative sequence. */
static void fill_sanity(uint8_t bytes[SANITY_BYTES])
{
    uint64_t generator = 2654435761u;
    for (size_t i = 0; i < SANITY_BYTES; i++) {
        bytes[i] = (uint8_t)(generator >> 56);
        generator *= 11400714785074694797ull;
    }
}

static void hash64_is_xxh3(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t seed, expected;
    } table[] = {
        {0, 0, 0x2d06800538d394c2ull},
        {0, 0x9e3779b185ebca8dull, 0xa8a6b918b2f0364aull},
        {1, 0, 0xc44bdff4074eecdbull},
        {1, 0x9e3779b185ebca8dull, 0x032be332dd766ef8ull},
        {6, 0, 0x27b56a84cd2d7325ull},
        {12, 0, 0xa713daf0dfbb77e7ull},
        {24, 0, 0xa3fe70bf9d3510ebull},
        {48, 0, 0x397da259ecba1f11ull},
        {80, 0, 0xbcdefbbb2c47c90aull},
        {195, 0, 0xcd94217ee362ec3aull},
        {403, 0, 0xcdeb804d65c6dea4ull},
        {2048, 0, 0xdd59e2c3a5f038e0ull},
        {2367, 0, 0xcb37aeb9e5d361edull},
    };
    uint8_t bytes[SANITY_BYTES];
    fill_sanity(bytes);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t hash = hash64(bytes, table[i].size, table[i].seed);
        if (hash != table[i].expected) {
            fail_msg("%zu bytes, seed %llx: %llx, expected %llx", table[i].size,
                (unsigned long long)table[i].seed, (unsigned long long)hash,
                (unsigned long long)table[i].expected);
        }
    }
    assert_int_equal(hash64(NULL, 0, 0), 0x2d06800538d394c2ull);
    assert_int_equal(checksum32(NULL, 0), 0x38d394c2u);
    assert_int_equal(checksum32(bytes, 2048), 0xa5f038e0u);
}

static void hash128_is_xxh3(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t low, high;
    } table[] = {
        {0, 0x6001c324468d497full, 0x99aa06d3014798d8ull},
        {1, 0xc44bdff4074eecdbull, 0xa6cd5e9392000f6aull},
        {2367, 0xcb37aeb9e5d361edull, 0xe89c0f6ff369b427ull},
    };
    uint8_t bytes[SANITY_BYTES];
    fill_sanity(bytes);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct hash128 hash = hash128(bytes, table[i].size, 0);
        if (hash.low != table[i].low || hash.high != table[i].high) {
            fail_msg("%zu bytes: %llx %llx", table[i].size, (unsigned long long)hash.high,
                (unsigned long long)hash.low);
        }
    }
    assert_true(hash128_eq(hash128("a", 1, 7), hash128("a", 1, 7)));
    assert_false(hash128_eq(hash128("a", 1, 7), hash128("a", 1, 8)));
}

/* The finaliser of MurmurHash3: each step can be undone, so no two integers collide. */
static void mixing_can_be_undone(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int i = 0; i < 10000; i++) {
        uint64_t value = test_random(&random) >> i % 64;
        uint64_t x = hash_mix64(value);
        x ^= x >> 33;
        x *= 0x9cb4b2f8129337dbull; /* inverse of 0xc4ceb9fe1a85ec53 */
        x ^= x >> 33;
        x *= 0x4f74430c22a54005ull; /* inverse of 0xff51afd7ed558ccd */
        x ^= x >> 33;
        assert_int_equal(x, value);
    }
}

static void seeds_differ(void **state)
{
    (void)state;
    uint64_t first = hash_seed_random();
    assert_true(first != hash_seed_random() || first != hash_seed_random());
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void hmac_sha256_is_the_rfcs(void **state)
{
    (void)state;
    char long_key[131];
    memset(long_key, 0xaa, sizeof(long_key));
    const struct {
        struct str key, parts[2];
        const char *wanted;
    } rows[] = {
        {STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
            {STR("Hi "), STR("There")},
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {STR("Jefe"), {STR("what do ya want "), STR("for nothing?")},
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{long_key, sizeof(long_key)},
            {STR("Test Using Larger Than Block-Size Key"), STR(" - Hash Key First")},
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t sum[HASH_SHA256_SIZE];
        char got[2 * HASH_SHA256_SIZE + 1];
        hash_hmac_sha256(rows[i].key, rows[i].parts, 2, sum);
        for (size_t j = 0; j < sizeof(sum); j++) {
            snprintf(got + 2 * j, 3, "%02x", sum[j]);
        }
        assert_string_equal(got, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash64_is_xxh3),
        cmocka_unit_test(hash128_is_xxh3),
        cmocka_unit_test(mixing_can_be_undone),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(hmac_sha256_is_the_rfcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
