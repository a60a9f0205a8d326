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

/* Tiers add a tail; names of directories follow the calendar. */
static void test_tiers(void **state)
{
    static const struct {
        uint16_t tier;
        int64_t day, first;
        const char *name;
    } rows[] = {{STORE_RAW, 19700, 19700, "raw/19700/p-00000042"},
        {STORE_RAW, -1, -1, "raw/-1/p-00000042"},
        {STORE_5M, 19700, 19692, "t5m/2023-12/p-00000042"}, /* 9 December 2023 */
        {STORE_5M, 19782, 19754, "t5m/2024-02/p-00000042"}, /* 29 February */
        {STORE_5M, 19783, 19783, "t5m/2024-03/p-00000042"},
        {STORE_5M, -1, -31, "t5m/1969-12/p-00000042"},
        {STORE_1H, 19700, 19358, "t1h/2023/p-00000042"}, {STORE_1H, 0, 0, "t1h/1970/p-00000042"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct manifest_part part = {.sequence = 42, .tier = rows[i].tier, .day = rows[i].day};
        char name[MANIFEST_NAME_MAX], directory[MANIFEST_NAME_MAX];
        int64_t day = 0;
        manifest_part_name(&part, name);
        assert_string_equal(name, rows[i].name);
        manifest_part_directory(&part, directory);
        assert_int_equal(store_tier_parse(part.tier, str_of(directory + 4), &day), 0);
        assert_true(day == rows[i].first);
    }
    int64_t day;
    assert_int_equal(store_tier_parse(STORE_5M, STR("2023-13"), &day), ERR_INVALID);
    assert_int_equal(store_tier_parse(STORE_1H, STR("x"), &day), ERR_INVALID);

    struct manifest m, back;
    struct strbuf bytes = STRBUF_INIT;
    make(&m);
    const struct manifest_part tier = {
        .sequence = 8, .precedence = 8, .tier = STORE_1H, .day = 19690, .retention_ms = 77};
    const struct manifest_mark marks[] = {
        {STORE_1H, 19690, 5}, {STORE_5M, 19691, 6}, {STORE_5M, -3, 4}, {STORE_1H, 19690, 7}};
    assert_int_equal(manifest_add(&m, &tier), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(manifest_set_mark(&m, &marks[i]), 0);
    }
    manifest_encode(&m, &bytes);
    assert_int_equal(bytes.size, 8 + 4 + 8 + 52 + 4 + 108 + 4 + 3 * 18 + 8 + 4);
    assert_int_equal(manifest_decode(strbuf_str(&bytes), &back, NULL), 0);
    assert_int_equal(back.mark_count, 3);
    assert_int_equal(manifest_mark(&back, STORE_1H, 19690), 7);
    assert_int_equal(manifest_mark(&back, STORE_5M, 19691), 6);
    assert_int_equal(manifest_mark(&back, STORE_5M, -3), 4);
    assert_int_equal(manifest_mark(&back, STORE_5M, 19690), 0);
    assert_int_equal(back.parts[2].tier, STORE_1H);
    assert_int_equal(back.parts[2].retention_ms, 77);
    strbuf_release(&bytes);
    manifest_release(&back);
    manifest_release(&m);
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
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_newer_format_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
