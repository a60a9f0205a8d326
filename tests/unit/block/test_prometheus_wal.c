/* The log of a Prometheus: records made by hand from the description of the format, and the log of a
 * real one (tests/golden/prometheus_block.py), cut and damaged: what is handed out is always a prefix.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "block/prometheus_wal.h"
#include "support/support.h"

#define SEGMENT "tests/golden/prometheus_wal/wal/00000000"

/* What a log says, a line each. */
static int on_series(void *context, uint64_t reference, const struct label *labels, size_t count)
{
    struct strbuf *out = context;
    strbuf_addf(out, "series %" PRIu64, reference);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, " %.*s=%.*s", STR_ARG(labels[i].name), STR_ARG(labels[i].value));
    }
    strbuf_add_char(out, '\n');
    return 0;
}

static int on_sample(void *context, uint64_t reference, int64_t t_ms, double value)
{
    strbuf_addf(context, "sample %" PRIu64 " %" PRId64 " %g\n", reference, t_ms, value);
    return 0;
}

static int on_histogram(void *context, uint64_t reference, int64_t t_ms, const struct histogram *h)
{
    strbuf_addf(context, "histogram %" PRIu64 " %" PRId64 " %s ", reference, t_ms,
        h->integer ? "integer" : "float");
    histogram_write(h, context);
    strbuf_add_char(context, '\n');
    return 0;
}

static int on_exemplar(void *context, uint64_t reference, int64_t t_ms, double value,
    const struct label *labels, size_t count)
{
    assert_int_equal(count, 1);
    strbuf_addf(context, "exemplar %" PRIu64 " %" PRId64 " %g %.*s=%.*s\n", reference, t_ms, value,
        STR_ARG(labels[0].name), STR_ARG(labels[0].value));
    return 0;
}

static int on_tombstone(void *context, uint64_t reference, int64_t min_t, int64_t max_t)
{
    strbuf_addf(
        context, "tombstone %" PRIu64 " %" PRId64 " %" PRId64 "\n", reference, min_t, max_t);
    return 0;
}

static int on_metadata(
    void *context, uint64_t reference, enum metric_type type, struct str help, struct str unit)
{
    strbuf_addf(context, "metadata %" PRIu64 " %s \"%.*s\" \"%.*s\"\n", reference,
        metric_type_name(type), STR_ARG(help), STR_ARG(unit));
    return 0;
}

static struct prometheus_wal_handler handler_of(struct strbuf *out)
{
    return (struct prometheus_wal_handler){
        out, on_series, on_sample, on_histogram, on_exemplar, on_tombstone, on_metadata};
}

/* ---- Records by hand ---- */

#define REFERENCE_7 "\0\0\0\0\0\0\0\7"
#define TIME_1000 "\0\0\0\0\0\0\3\350"
#define BITS_1_5 "\x3f\xf8\0\0\0\0\0\0"
#define BITS_2 "\x40\0\0\0\0\0\0\0"
#define BITS_0 "\0\0\0\0\0\0\0\0"
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void test_records(void **state)
{
    static const struct {
        struct str record;
        int status;
        uint64_t skipped;
        const char *expected;
    } cases[] = {
        {BYTES("\1" REFERENCE_7 "\2\1a\1b\2cc\0"), 0, 0, "series 7 a=b cc=\n"},
        /* Deltas are zigzag: 2 is 1, 1 is -1. */
        {BYTES("\2" REFERENCE_7 TIME_1000 "\0\0" BITS_1_5 "\2\1" BITS_2), 0, 0,
            "sample 7 1000 1.5\nsample 8 999 2\n"},
        {BYTES("\2"), 0, 0, ""},
        {BYTES("\3" REFERENCE_7 "\3\4"), 0, 0, "tombstone 7 -2 2\n"},
        {BYTES("\4" REFERENCE_7 TIME_1000 "\0\0" BITS_2 "\1\2id\3abc"), 0, 0,
            "exemplar 7 1000 2 id=abc\n"},
        /* Schema 0, one span {0, 2} with counts 3 and 3 - 1; 5 in all. */
        {BYTES("\7" REFERENCE_7 TIME_1000 "\0\0"
               "\0\0" BITS_0 "\0\5" BITS_1_5 "\1\0\2"
               "\0"
               "\2\6\1"
               "\0"),
            0, 0, "histogram 7 1000 integer {count:5, sum:1.5, (0.5,1]:3, (1,2]:2}\n"},
        /* Float counts, schema -53 (zigzag 105), bound 2: 1.5 up to it, 2 beyond. */
        {BYTES("\12" REFERENCE_7 TIME_1000 "\0\0"
               "\0\x69" BITS_0 BITS_0 BITS_2 BITS_1_5 "\1\0\2"
               "\0"
               "\2" BITS_1_5 BITS_2 "\0"
               "\1" BITS_2),
            0, 0, "histogram 7 1000 float {count:2, sum:1.5, [-Inf,2]:1.5, (2,+Inf]:2}\n"},
        {BYTES("\5" REFERENCE_7), 0, 0, ""},
        /* References are uvarints here; fields in any order, unknown ones and types passed over. */
        {BYTES("\6\7\1\2\4UNIT\1s\4HELP\3abc\377\1\11\2\1x\1y\4HELP\0"), 0, 0,
            "metadata 7 counter \"abc\" \"s\"\nmetadata 255 unknown \"\" \"\"\n"},
        {BYTES("\6\7\1\2\4UNIT\1s\4HELP\3ab"), ERR_CORRUPT, 0, NULL},
        {BYTES("\6\7\1\377\377\3"), ERR_CORRUPT, 0, NULL},
        {BYTES("\13\1\2\3"), 0, 1, ""},
        {BYTES("\2" REFERENCE_7 TIME_1000 "\0\0\0"), ERR_CORRUPT, 0, NULL},
        {BYTES("\1" REFERENCE_7 "\377\377\377\177"), ERR_CORRUPT, 0, NULL},
        {BYTES("\4" REFERENCE_7 TIME_1000 "\0\0" BITS_2 "\1\2i"), ERR_CORRUPT, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct prometheus_wal_counts counts = {.records = 0};
        struct prometheus_wal_handler handler = handler_of(&out);
        struct arena arena;
        arena_init(&arena, 0);
        strbuf_add_c(&out, "");
        int status = prometheus_wal_record(cases[i].record, &handler, &arena, &counts);
        if (status != cases[i].status ||
            (cases[i].expected != NULL && strcmp(out.data, cases[i].expected) != 0)) {
            fail_msg("case %zu: %s, \"%s\"; expected %s, \"%s\"", i, err_text(status), out.data,
                err_text(cases[i].status), cases[i].expected);
        }
        assert_int_equal(counts.skipped, cases[i].skipped);
        arena_release(&arena);
        strbuf_release(&out);
    }
}

/* ---- A real log ---- */

static int read_log(struct str bytes, struct strbuf *out)
{
    struct prometheus_wal_counts counts = {.records = 0};
    struct prometheus_wal_handler handler = handler_of(out);
    struct arena arena;
    arena_init(&arena, 0);
    int status = prometheus_wal_segment(bytes, &handler, &arena, &counts);
    arena_release(&arena);
    return status;
}

static void assert_prefix(const struct strbuf *part, const struct strbuf *whole, size_t what)
{
    if (part->size > whole->size || memcmp(part->data, whole->data, part->size) != 0) {
        fail_msg("case %zu: what is handed out is not what the log says", what);
    }
}

static void test_damage_ends_the_log(void **state)
{
    struct strbuf whole = STRBUF_INIT;
    char *bytes = NULL;
    size_t size = 0;
    uint64_t random = test_seed();
    assert_int_equal(vfs_read_file(vfs_posix(), SEGMENT, (size_t)1 << 24, &bytes, &size), 0);
    assert_int_equal(read_log(str_make(bytes, size), &whole), 0);
    assert_true(whole.size > 50000);
    size_t shorter = 0;
    for (size_t cut = 0; cut < size; cut += 97) {
        struct strbuf part = STRBUF_INIT;
        strbuf_add_c(&part, "");
        (void)read_log(str_make(bytes, cut), &part);
        assert_prefix(&part, &whole, cut);
        shorter += part.size < whole.size;
        strbuf_release(&part);
    }
    assert_true(shorter > 100);
    for (int round = 0; round < 200; round++) {
        struct strbuf part = STRBUF_INIT;
        size_t bit = test_random(&random) % (size * 8);
        strbuf_add_c(&part, "");
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        (void)read_log(str_make(bytes, size), &part);
        assert_prefix(&part, &whole, bit);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        strbuf_release(&part);
    }
    mem_free(bytes);
    strbuf_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_damage_ends_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
