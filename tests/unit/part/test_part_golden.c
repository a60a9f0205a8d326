/* A part that was not made by our own writer shows what it holds, and no flipped bit of it goes unseen.
 * tests/golden/part.py says how it was made. */
#include "part/part.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/sim_vfs.h"
#include "support/support.h"

#define PART "p-00000007"

static struct sim_vfs *sim_with_part(void)
{
    char *bytes = NULL;
    size_t size = 0;
    struct sim_vfs *sim = sim_vfs_new(1);
    assert_int_equal(vfs_read_file(vfs_posix(), "tests/golden/part.bin", 4096, &bytes, &size), 0);
    assert_int_equal(vfs_write_file_atomic(sim_vfs_get(sim), PART, bytes, size), 0);
    mem_free(bytes);
    return sim;
}

/* What the script says it holds. */
static const char *const expected[] = {
    "sequence 7, level 1, 1700000000000..1700000030000, 12 samples",
    "target 0 {job=\"a\"}\ntarget 1 {job=\"b\"}\n",
    "shape 0 {__name__=\"up\"}\nshape 1 {__name__=\"x_total\"}\n",
    "target 0 shape 0\n      1700000000000 1\n      1700000015000 1\n      1700000030000 1\n",
    "target 0 shape 1\n      1700000000000 10\n      1700000015000 20\n      1700000030000 30\n",
    "target 1 shape 0\n      1700000000000 1\n      1700000015000 1\n      1700000030000 1\n",
    "target 1 shape 1\n      1700000000000 0.1\n      1700000015000 -0\n      1700000030000 NaN\n",
};

static void test_shows_what_it_holds(void **state)
{
    struct sim_vfs *sim = sim_with_part();
    struct strbuf text = STRBUF_INIT, report = STRBUF_INIT;
    struct err e = ERR_INIT;
    uint64_t problems = 0; /* it is added to */
    assert_int_equal(part_verify(sim_vfs_get(sim), PART, &report, &problems), 0);
    assert_int_equal(problems, 0);
    if (part_dump(sim_vfs_get(sim), PART, true, &text, &e) != 0) {
        fail_msg("%s", e.message);
    }
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (strstr(text.data, expected[i]) == NULL) {
            fail_msg("\"%s\" is not in\n%s", expected[i], text.data);
        }
    }
    strbuf_release(&text);
    strbuf_release(&report);
    sim_vfs_free(sim);
    (void)state;
}

static void test_flipped_bits(void **state)
{
    uint64_t seen = 0;
    for (uint64_t bit = 0;; bit++) {
        struct sim_vfs *sim = sim_with_part();
        struct strbuf report = STRBUF_INIT;
        uint64_t problems = 0;
        if (sim_vfs_flip_bit(sim, PART, bit) != 0) {
            sim_vfs_free(sim);
            break; /* behind the end */
        }
        int status = part_verify(sim_vfs_get(sim), PART, &report, &problems);
        if (status == 0 && problems == 0) {
            fail_msg(
                "bit %llu of byte %llu", (unsigned long long)bit % 8, (unsigned long long)bit / 8);
        }
        seen++;
        strbuf_release(&report);
        sim_vfs_free(sim);
    }
    assert_true(seen > 2000);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shows_what_it_holds),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
