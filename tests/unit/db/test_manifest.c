/* The manifest's bytes, and that no damage is believed. */
#include "db/manifest.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "support/support.h"

static void make(struct manifest *m)
{
    manifest_init(m);
    m->next_sequence = 9;
    m->floors[0] = 77;
    const struct manifest_part parts[] = {
        {.sequence = 5, .precedence = 4, .level = 1, .day = 19700, .split = 3},
        {.sequence = 2, .precedence = 2, .level = 0, .day = -1, .split = 3},
    };
    assert_int_equal(manifest_add(m, &parts[0]), 0);
    assert_int_equal(manifest_add(m, &parts[1]), 0);
}

static void test_round_trip(void **state)
{
    struct manifest m, back;
    struct strbuf bytes = STRBUF_INIT;
    make(&m);
    assert_int_equal(m.parts[0].precedence, 2);
    manifest_encode(&m, &bytes);
    /* 8 magic, 4 version, 8 next, 4 + 6 * 8 floors, 4 count, 2 * 36 parts, 4 checksum. */
    assert_int_equal(bytes.size, 8 + 4 + 8 + 52 + 4 + 72 + 4);
    assert_int_equal(manifest_decode(strbuf_str(&bytes), &back, NULL), 0);
    assert_int_equal(back.next_sequence, 9);
    assert_int_equal(back.floors[0], 77);
    assert_int_equal(back.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(back.parts[i].sequence, m.parts[i].sequence);
        assert_int_equal(back.parts[i].precedence, m.parts[i].precedence);
        assert_int_equal(back.parts[i].level, m.parts[i].level);
        assert_true(back.parts[i].day == m.parts[i].day);
        assert_int_equal(back.parts[i].split, m.parts[i].split);
    }
    manifest_remove(&back, 2);
    assert_int_equal(back.count, 1);
    assert_int_equal(back.parts[0].sequence, 5);
    manifest_release(&m);
    manifest_release(&back);
    strbuf_release(&bytes);
}

static void test_every_bit_counts(void **state)
{
    struct manifest m, back;
    struct strbuf bytes = STRBUF_INIT;
    make(&m);
    manifest_encode(&m, &bytes);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(manifest_decode(strbuf_str(&bytes), &back, NULL), ERR_CORRUPT);
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
    }
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_equal(manifest_decode(str_make(bytes.data, size), &back, NULL), ERR_CORRUPT);
    }
    manifest_release(&m);
    strbuf_release(&bytes);
}

static void test_newer_format_is_named(void **state)
{
    struct manifest m, back;
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    make(&m);
    manifest_encode(&m, &bytes);
    put_le32((uint8_t *)bytes.data + 8, 2);
    put_le32((uint8_t *)bytes.data + bytes.size - 4, checksum32(bytes.data, bytes.size - 4));
    assert_int_equal(manifest_decode(strbuf_str(&bytes), &back, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.message, "format 2"));
    manifest_release(&m);
    strbuf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_newer_format_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
