/* Checksums and bits: values from the specifications, and every form of number there and back. */
#include <math.h>

#include "block/bit_stream.h"
#include "block/block_meta.h"
#include "block/block_tombstones.h"
#include "support/support.h"
#include "tsdb/crc32c.h"

/* RFC 3720, appendix B.4. */
static void test_crc32c(void **state)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(crc32c(crc32c(0, bytes, 5), bytes + 5, 27), 0x46dd794e);
}

static const int64_t NUMBERS[] = {0, 1, -1, 3, 4, -3, -4, 7, 8, 31, 32, 33, -31, -32, 63, 64, 255,
    256, 257, -255, -256, 511, 512, 2047, 2048, 2049, -2047, -2048, 4095, 4096, 131071, 131072,
    131073, -131071, -131072, 262143, 262144, 16777215, 16777216, 16777217, -16777215, -16777216,
    33554431, 33554432, INT64_C(1) << 55, (INT64_C(1) << 55) + 1, -((INT64_C(1) << 55) - 1),
    -(INT64_C(1) << 55), INT64_MAX, INT64_MIN};

enum { NUMBER_COUNT = sizeof(NUMBERS) / sizeof(NUMBERS[0]) };

static void test_numbers_come_back(void **state)
{
    struct strbuf out = STRBUF_INIT;
    struct bit_writer w = {.out = &out};
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        bit_writer_put(&w, i, (unsigned)(i % 7));
        bit_writer_put_signed_varbit(&w, NUMBERS[i]);
        bit_writer_put_varbit(&w, (uint64_t)NUMBERS[i]);
        bit_writer_put_svarint(&w, NUMBERS[i]);
        bit_writer_put_uvarint(&w, (uint64_t)NUMBERS[i]);
    }
    bit_writer_finish(&w);
    assert_int_equal(strbuf_error(&out), 0);
    struct bit_reader r = bit_reader_of(strbuf_str(&out));
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        unsigned n = (unsigned)(i % 7);
        assert_int_equal(bit_reader_get(&r, n), i & ((1u << n) - 1));
        assert_int_equal(bit_reader_get_signed_varbit(&r), NUMBERS[i]);
        assert_int_equal(bit_reader_get_varbit(&r), (uint64_t)NUMBERS[i]);
        assert_int_equal(bit_reader_get_svarint(&r), NUMBERS[i]);
        assert_int_equal(bit_reader_get_uvarint(&r), (uint64_t)NUMBERS[i]);
    }
    assert_false(r.failed);
    assert_true(bit_reader_left(&r) < 8);
    (void)bit_reader_get(&r, 9);
    assert_true(r.failed);
    assert_int_equal(bit_reader_get(&r, 1), 0);
    strbuf_release(&out);
}

/* How many bits each form takes, from the table in bit_stream.h. */
static void test_forms(void **state)
{
    static const struct {
        int64_t value;
        unsigned bits, signed_bits;
    } cases[] = {{0, 1, 1}, {1, 5, 5}, {4, 5, 5}, {5, 5, 9}, {7, 5, 9}, {8, 9, 9}, {32, 9, 9},
        {33, 9, 13}, {63, 9, 13}, {64, 13, 13}, {256, 13, 13}, {257, 13, 17}, {511, 13, 17},
        {512, 17, 17}, {4095, 17, 24}, {4096, 24, 24}, {262143, 24, 32}, {33554431, 32, 64},
        {INT64_C(1) << 55, 64, 64}, {(INT64_C(1) << 56) - 1, 64, 72}, {INT64_C(1) << 56, 72, 72}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct bit_writer w = {.out = &out};
        bit_writer_put_varbit(&w, (uint64_t)cases[i].value);
        assert_int_equal(out.size * 8 + w.fill, cases[i].bits);
        struct strbuf out_signed = STRBUF_INIT;
        struct bit_writer s = {.out = &out_signed};
        bit_writer_put_signed_varbit(&s, cases[i].value);
        assert_int_equal(out_signed.size * 8 + s.fill, cases[i].signed_bits);
        strbuf_release(&out);
        strbuf_release(&out_signed);
    }
}

/* The example of the ULID specification's time, and zeros. */
static void test_ulid(void **state)
{
    char text[ULID_TEXT_SIZE];
    ulid_write(INT64_C(1469918176385), (struct hash128){0, 0}, text);
    assert_string_equal(text, "01ARYZ6S410000000000000000");
    ulid_write(0, (struct hash128){UINT64_MAX, UINT64_MAX}, text);
    assert_string_equal(text, "0000000000ZZZZZZZZZZZZZZZZ");
}

/* By hand: series 5, 10 .. 20; series 3, -1 .. 0; checksum of the six bytes by crc32c. */
static void test_tombstones(void **state)
{
    uint8_t file[15] = {0x01, 0x30, 0xba, 0x30, 1, 5, 20, 40, 3, 1, 0};
    uint32_t crc = crc32c(0, file + 5, 6);
    struct block_tombstones t;
    const struct block_tombstone *first = NULL;
    size_t count = 0;
    for (int i = 0; i < 4; i++) {
        file[11 + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    assert_int_equal(block_tombstones_decode(str_make((char *)file, sizeof(file)), &t, NULL), 0);
    assert_false(block_tombstones_find(&t, 4, &first, &count));
    assert_true(block_tombstones_find(&t, 5, &first, &count));
    assert_int_equal(count, 1);
    assert_false(block_tombstones_cover(first, count, 9));
    assert_true(block_tombstones_cover(first, count, 10));
    assert_true(block_tombstones_cover(first, count, 20));
    assert_false(block_tombstones_cover(first, count, 21));
    assert_true(block_tombstones_find(&t, 3, &first, &count));
    assert_true(block_tombstones_cover(first, count, -1));
    block_tombstones_release(&t);
    for (size_t bit = 0; bit < sizeof(file) * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(
            block_tombstones_decode(str_make((char *)file, sizeof(file)), &t, NULL), ERR_CORRUPT);
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_numbers_come_back),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_ulid),
        cmocka_unit_test(test_tombstones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
