/* Byte order, varints and the bounded cursor. Golden bytes are those of the protobuf encoding guide
 * and of arithmetic. */
#include "support/support.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

static void numbers_are_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[8];
    put_le16(bytes, 0x0201);
    assert_memory_equal(bytes, "\x01\x02", 2);
    assert_int_equal(get_le16(bytes), 0x0201);
    put_le32(bytes, 0x84838281);
    assert_memory_equal(bytes, "\x81\x82\x83\x84", 4);
    assert_int_equal(get_le32(bytes), 0x84838281);
    put_le64(bytes, 0x8877665544332211ull);
    assert_memory_equal(bytes, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    assert_int_equal(get_le64(bytes), 0x8877665544332211ull);
}

static void doubles_keep_their_bits(void **state)
{
    (void)state;
    static const uint64_t bits[] = {0, 1, 0x8000000000000000ull, 0x3ff0000000000000ull,
        0x7ff0000000000002ull, 0x7ff8000000000001ull, 0xffffffffffffffffull};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        assert_int_equal(double_bits(double_from_bits(bits[i])), bits[i]);
    }
    assert_int_equal(double_bits(1.0), 0x3ff0000000000000ull);
    assert_int_equal(double_bits(-2.5), 0xc004000000000000ull);
}

static void zigzag_alternates(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        uint64_t code;
    } table[] = {
        {0, 0},
        {-1, 1},
        {1, 2},
        {-2, 3},
        {2147483647, 4294967294},
        {-2147483648, 4294967295},
        {INT64_MAX, UINT64_MAX - 1},
        {INT64_MIN, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(zigzag_encode(table[i].value), table[i].code);
        assert_int_equal(zigzag_decode(table[i].code), table[i].value);
    }
}

static const struct {
    uint64_t value;
    const char *bytes;
    size_t size;
} varints[] = {
    {0, "\x00", 1},
    {1, "\x01", 1},
    {127, "\x7f", 1},
    {128, "\x80\x01", 2},
    {150, "\x96\x01", 2},
    {16383, "\xff\x7f", 2},
    {16384, "\x80\x80\x01", 3},
    {1ull << 35, "\x80\x80\x80\x80\x80\x01", 6},
    {1ull << 63, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10},
    {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
};

static void varints_are_those_of_protobuf(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(varints) / sizeof(varints[0]); i++) {
        uint8_t bytes[VARINT_MAX];
        assert_int_equal(put_uvarint(bytes, varints[i].value), varints[i].size);
        assert_memory_equal(bytes, varints[i].bytes, varints[i].size);
        assert_int_equal(uvarint_size(varints[i].value), varints[i].size);
        struct decbuf d = decbuf_of(varints[i].bytes, varints[i].size);
        assert_int_equal(decbuf_uvarint(&d), varints[i].value);
        assert_false(d.failed);
        assert_int_equal(decbuf_left(&d), 0);
        /* Each shorter input fails. */
        for (size_t size = 0; size < varints[i].size; size++) {
            d = decbuf_of(varints[i].bytes, size);
            assert_int_equal(decbuf_uvarint(&d), 0);
            assert_true(d.failed);
        }
    }
}

static void varints_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool fails;
        uint64_t value;
    } table[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, true, 0},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00", 11, true, 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, true, 0},
        {"\x80\x00", 2, false, 0}, /* longer than needed, as protobuf allows */
        {"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, false, 1},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct decbuf d = decbuf_of(table[i].bytes, table[i].size);
        assert_int_equal(decbuf_uvarint(&d), table[i].value);
        assert_int_equal(d.failed, table[i].fails);
    }
}

static void what_is_appended_is_read_back(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int round = 0; round < 200; round++) {
        struct strbuf b = STRBUF_INIT;
        uint64_t values[50];
        for (size_t i = 0; i < 50; i++) {
            values[i] = test_random(&random) >> test_random(&random) % 64;
            switch (i % 6) {
            case 0:
                strbuf_add_le16(&b, (uint16_t)values[i]);
                break;
            case 1:
                strbuf_add_le32(&b, (uint32_t)values[i]);
                break;
            case 2:
                strbuf_add_le64(&b, values[i]);
                break;
            case 3:
                strbuf_add_uvarint(&b, values[i]);
                break;
            case 4:
                strbuf_add_svarint(&b, (int64_t)values[i]);
                break;
            default:
                strbuf_add_sized(&b, str_make((char *)&values[i], values[i] % 9));
                break;
            }
        }
        assert_int_equal(b.error, 0);
        struct decbuf d = decbuf_of(b.data, b.size);
        for (size_t i = 0; i < 50; i++) {
            switch (i % 6) {
            case 0:
                assert_int_equal(decbuf_le16(&d), (uint16_t)values[i]);
                break;
            case 1:
                assert_int_equal(decbuf_le32(&d), (uint32_t)values[i]);
                break;
            case 2:
                assert_int_equal(decbuf_le64(&d), values[i]);
                break;
            case 3:
                assert_int_equal(decbuf_uvarint(&d), values[i]);
                break;
            case 4:
                assert_int_equal(decbuf_svarint(&d), (int64_t)values[i]);
                break;
            default: {
                struct str s = decbuf_sized(&d);
                assert_int_equal(s.len, values[i] % 9);
                assert_true(str_eq(s, str_make((char *)&values[i], s.len)));
                break;
            }
            }
        }
        assert_false(d.failed);
        assert_int_equal(decbuf_left(&d), 0);
        strbuf_release(&b);
    }
}

static void the_first_violation_sticks(void **state)
{
    (void)state;
    static const char bytes[] = "\x01\x02\x03\x04\x05\x06\x07\x08";
    struct decbuf d = decbuf_of(bytes, 7);
    assert_int_equal(decbuf_u8(&d), 1);
    assert_int_equal(decbuf_le64(&d), 0); /* six are left */
    assert_true(d.failed);
    assert_int_equal(decbuf_left(&d), 0);
    assert_int_equal(decbuf_u8(&d), 0);
    assert_int_equal(decbuf_le16(&d), 0);
    assert_int_equal(decbuf_le32(&d), 0);
    assert_int_equal(decbuf_uvarint(&d), 0);
    assert_int_equal(decbuf_svarint(&d), 0);
    assert_int_equal(decbuf_bytes(&d, 0).len, 0);
    assert_null(decbuf_bytes(&d, 0).ptr);
    assert_null(decbuf_sized(&d).ptr);

    d = decbuf_of(bytes, 8);
    assert_int_equal(decbuf_bytes(&d, UINT64_MAX).len, 0); /* must not wrap around */
    assert_true(d.failed);
    d = decbuf_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "abc",
        13);
    assert_null(decbuf_sized(&d).ptr);
    assert_true(d.failed);
    d = decbuf_of("\x04"
                  "abc",
        4);
    assert_null(decbuf_sized(&d).ptr);
    assert_true(d.failed);
    d = decbuf_of("\x00", 1);
    assert_int_equal(decbuf_sized(&d).len, 0);
    assert_false(d.failed);
    d = decbuf_of(NULL, 0);
    assert_int_equal(decbuf_u8(&d), 0);
    assert_true(d.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(doubles_keep_their_bits),
        cmocka_unit_test(zigzag_alternates),
        cmocka_unit_test(varints_are_those_of_protobuf),
        cmocka_unit_test(varints_beyond_64_bits_are_refused),
        cmocka_unit_test(what_is_appended_is_read_back),
        cmocka_unit_test(the_first_violation_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
