/* Arithmetic of native histograms, in the text form of results. */
#include "support/support.h"

#include <string.h>

#include "base/arena.h"
#include "engine/histogram_math.h"

/* Histograms as they are written by hand: runs of buckets from an index on. */
struct shape {
    int32_t schema;
    double zero_threshold, zero, sum;
    int32_t positive_from;
    double positive[6]; /* up to the first negative number */
    int32_t negative_from;
    double negative[6];
    double bounds[4]; /* of custom buckets, up to the first 0 */
    enum histogram_reset_hint hint;
};

static void fill_side(
    struct arena *arena, int32_t from, const double *counts, struct histogram_buckets *side)
{
    size_t count = 0;
    while (count < 6 && counts[count] > 0) {
        count++;
    }
    if (count == 0) {
        return;
    }
    const struct histogram_span span = {.offset = from, .length = (uint32_t)count};
    side->spans = arena_dup(arena, &span, sizeof(span));
    side->span_count = 1;
    side->counts = arena_dup(arena, counts, count * sizeof(*counts));
    side->count = count;
}

static struct histogram *make(struct arena *arena, const struct shape *shape)
{
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    assert_non_null(h);
    h->schema = shape->schema;
    h->zero_threshold = shape->zero_threshold;
    h->zero_count = shape->zero;
    h->sum = shape->sum;
    h->reset_hint = shape->hint;
    fill_side(arena, shape->positive_from, shape->positive, &h->positive);
    fill_side(arena, shape->negative_from, shape->negative, &h->negative);
    h->count = shape->zero;
    for (size_t i = 0; i < h->positive.count; i++) {
        h->count += h->positive.counts[i];
    }
    for (size_t i = 0; i < h->negative.count; i++) {
        h->count += h->negative.counts[i];
    }
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        h->custom_values = shape->bounds;
        while (h->custom_count < 4 && shape->bounds[h->custom_count] != 0) {
            h->custom_count++;
        }
    }
    return h;
}

static void expect_text(const struct histogram *h, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    histogram_write(h, &out);
    strbuf_add_char(&out, '\0');
    assert_string_equal(strbuf_str(&out).ptr, expected);
    strbuf_release(&out);
    struct err e = ERR_INIT;
    struct histogram gauge = *h;
    gauge.reset_hint = HISTOGRAM_GAUGE;
    assert_int_equal(histogram_validate(&gauge, &e), 0);
}

static void test_combine(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct shape a, b;
        double sign;
        unsigned notes;
        const char *expected;
    } rows[] = {
        {"the same layout", {.sum = 3, .positive_from = 1, .positive = {1, 2}},
            {.sum = 30, .positive_from = 1, .positive = {10, 20}}, 1, 0,
            "{count:33, sum:33, (1,2]:11, (2,4]:22}"},
        {"side by side", {.sum = 1, .positive_from = 1, .positive = {1}},
            {.sum = 2, .positive_from = 3, .positive = {2}}, 1, 0,
            "{count:3, sum:3, (1,2]:1, (4,8]:2}"},
        {"difference", {.sum = 10, .positive_from = 1, .positive = {5, 5}},
            {.sum = 4, .positive_from = 1, .positive = {2, 5}}, -1, 0, "{count:3, sum:6, (1,2]:3}"},
        {"both sides and zero",
            {.zero_threshold = 0.5,
                .zero = 1,
                .positive_from = 1,
                .positive = {1},
                .negative_from = 1,
                .negative = {2}},
            {.zero_threshold = 0.5,
                .zero = 2,
                .positive_from = 1,
                .positive = {1},
                .negative_from = 2,
                .negative = {2}},
            1, 0, "{count:9, sum:0, [-4,-2):2, [-2,-1):2, [-0.5,0.5]:3, (1,2]:2}"},
        {"resolutions meet at the lower",
            {.schema = 1, .positive_from = 1, .positive = {1, 1, 1, 1}},
            {.schema = 0, .positive_from = 1, .positive = {1, 1}}, 1, 0,
            "{count:6, sum:0, (1,2]:3, (2,4]:3}"},
        {"a wider zero bucket takes buckets in",
            {.zero_threshold = 0.001, .zero = 1, .positive_from = 0, .positive = {4, 8}},
            {.zero_threshold = 1, .zero = 2, .positive_from = 1, .positive = {1}}, 1, 0,
            "{count:16, sum:0, [-1,1]:7, (1,2]:9}"},
        {"a zero bucket grows to the bound of a populated bucket it cuts",
            {.zero_threshold = 0.001, .zero = 1, .positive_from = 1, .positive = {4}},
            {.zero_threshold = 1.5, .zero = 2, .positive_from = 3, .positive = {1}}, 1, 0,
            "{count:8, sum:0, [-2,2]:7, (4,8]:1}"},
        {"custom buckets of the same bounds",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5}, .positive = {1, 2, 3}},
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5}, .positive = {1, 1, 1}}, 1, 0,
            "{count:9, sum:0, [-Inf,1]:2, (1,5]:3, (5,+Inf]:4}"},
        {"custom buckets meet at the bounds they share",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5, 10}, .positive = {1, 2, 3, 4}},
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {2, 5}, .positive = {1, 1, 1}}, 1,
            HISTOGRAM_NOTE_RECONCILED, "{count:13, sum:0, [-Inf,5]:5, (5,+Inf]:8}"},
        {"a reset meets a claim that there was none",
            {.positive_from = 1, .positive = {1}, .hint = HISTOGRAM_RESET_YES},
            {.positive_from = 1, .positive = {1}, .hint = HISTOGRAM_RESET_NO}, 1,
            HISTOGRAM_NOTE_COLLISION, "{count:2, sum:0, (1,2]:2}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        unsigned notes = 0;
        struct histogram *result;
        print_message("%s\n", rows[i].name);
        assert_int_equal(histogram_combine(make(&arena, &rows[i].a), make(&arena, &rows[i].b),
                             rows[i].sign, &arena, &notes, &result),
            0);
        assert_int_equal(notes, rows[i].notes);
        expect_text(result, rows[i].expected);
        arena_release(&arena);
    }
}

static void test_kinds_do_not_mix(void **state)
{
    (void)state;
    static const struct shape exponential = {.positive_from = 1, .positive = {1}};
    static const struct shape custom = {
        .schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1}, .positive = {1}};
    struct arena arena;
    arena_init(&arena, 0);
    unsigned notes = 0;
    struct histogram *result;
    assert_int_equal(histogram_combine(make(&arena, &exponential), make(&arena, &custom), 1, &arena,
                         &notes, &result),
        ERR_UNSUPPORTED);
    assert_int_equal(histogram_combine(make(&arena, &custom), make(&arena, &exponential), -1,
                         &arena, &notes, &result),
        ERR_UNSUPPORTED);
    arena_release(&arena);
}

static void test_scale(void **state)
{
    (void)state;
    static const struct shape shape = {.zero_threshold = 0.5,
        .zero = 2,
        .sum = 8,
        .positive_from = 1,
        .positive = {4, 6},
        .negative_from = 1,
        .negative = {8}};
    struct arena arena;
    arena_init(&arena, 0);
    struct histogram *h = make(&arena, &shape), *result;
    assert_int_equal(histogram_multiply(h, 3, &arena, &result), 0);
    expect_text(result, "{count:60, sum:24, [-2,-1):24, [-0.5,0.5]:6, (1,2]:12, (2,4]:18}");
    assert_int_equal(histogram_divide(h, 2, &arena, &result), 0);
    expect_text(result, "{count:10, sum:4, [-2,-1):4, [-0.5,0.5]:1, (1,2]:2, (2,4]:3}");
    assert_int_equal(result->reset_hint, HISTOGRAM_RESET_UNKNOWN);
    assert_int_equal(histogram_multiply(h, -1, &arena, &result), 0);
    assert_int_equal(result->reset_hint, HISTOGRAM_GAUGE);
    arena_release(&arena);
}

static void test_resets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct shape before, after;
        bool reset;
    } rows[] = {
        {"grows", {.positive_from = 1, .positive = {1, 2}},
            {.positive_from = 1, .positive = {1, 3}}, false},
        {"the same", {.positive_from = 1, .positive = {1}}, {.positive_from = 1, .positive = {1}},
            false},
        {"the count falls", {.positive_from = 1, .positive = {5}},
            {.positive_from = 1, .positive = {4}}, true},
        {"a bucket falls", {.positive_from = 1, .positive = {5, 1}},
            {.positive_from = 1, .positive = {4, 9}}, true},
        {"a bucket goes", {.positive_from = 1, .positive = {1, 1}},
            {.positive_from = 1, .positive = {9}}, true},
        {"a bucket comes", {.positive_from = 2, .positive = {1}},
            {.positive_from = 1, .positive = {1, 1}}, false},
        {"zero falls", {.zero = 2, .positive_from = 1, .positive = {1}},
            {.zero = 1, .positive_from = 1, .positive = {9}}, true},
        {"resolution rises", {.schema = 0, .positive_from = 1, .positive = {1}},
            {.schema = 1, .positive_from = 1, .positive = {5, 5}}, true},
        {"resolution falls", {.schema = 1, .positive_from = 1, .positive = {1, 1}},
            {.schema = 0, .positive_from = 1, .positive = {2}}, false},
        {"resolution falls and a bucket with it",
            {.schema = 1, .positive_from = 1, .positive = {1, 1}},
            {.schema = 0, .positive_from = 1, .positive = {1, 9}}, true},
        {"the zero bucket narrows", {.zero_threshold = 1, .positive_from = 2, .positive = {1}},
            {.zero_threshold = 0.5, .positive_from = 2, .positive = {5}}, true},
        {"the zero bucket widens",
            {.zero_threshold = 0.5, .zero = 1, .positive_from = 1, .positive = {1}},
            {.zero_threshold = 1, .zero = 2, .positive_from = 1, .positive = {1}}, false},
        {"it is said", {.positive_from = 1, .positive = {1}},
            {.positive_from = 1, .positive = {9}, .hint = HISTOGRAM_RESET_YES}, true},
        {"custom bounds change",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5}, .positive = {1, 1}},
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {5, 10}, .positive = {2, 1}}, false},
        {"custom buckets fall",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5}, .positive = {2, 1}},
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {1, 5}, .positive = {1, 5}}, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        bool reset;
        print_message("%s\n", rows[i].name);
        assert_int_equal(histogram_detect_reset(make(&arena, &rows[i].after),
                             make(&arena, &rows[i].before), &arena, &reset),
            0);
        assert_int_equal(reset, rows[i].reset);
        arena_release(&arena);
    }
}

static void test_trim(void **state)
{
    (void)state;
    static const struct shape exponential = {.sum = 20, .positive_from = 1, .positive = {4, 4, 4}};
    static const struct shape custom = {
        .schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = {10, 20}, .sum = 100, .positive = {4, 4, 4}};
    static const struct {
        const struct shape *shape;
        double at;
        bool upper;
        const char *expected;
    } rows[] = {
        {&exponential, 4, true, "(1,2]:4, (2,4]:4}"},
        {&exponential, 2, false, "(2,4]:4, (4,8]:4}"},
        {&exponential, 100, true, "(1,2]:4, (2,4]:4, (4,8]:4}"},
        {&exponential, 0.5, true, NULL},
        {&custom, 15, true, "[-Inf,10]:4, (10,20]:2}"},
        {&custom, 20, false, "(20,+Inf]:4}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct histogram *result;
        assert_int_equal(
            histogram_trim(make(&arena, rows[i].shape), rows[i].at, rows[i].upper, &arena, &result),
            0);
        struct strbuf out;
        strbuf_init(&out, 0);
        histogram_write(result, &out);
        strbuf_add_char(&out, '\0');
        assert_int_equal(rows[i].expected == NULL, result->count == 0);
        if (rows[i].expected != NULL) {
            const char *buckets = strpbrk(strbuf_str(&out).ptr, "([");
            assert_non_null(buckets);
            assert_string_equal(buckets, rows[i].expected);
        }
        strbuf_release(&out);
        arena_release(&arena);
    }
}

/* However often, sums do not drift: what rounding loses is kept. */
static void test_many_small_ones(void **state)
{
    (void)state;
    static const struct shape big = {.sum = 1e16, .positive_from = 1, .positive = {1e16}};
    static const struct shape small = {.sum = 1, .positive_from = 1, .positive = {1}};
    struct arena arena;
    arena_init(&arena, 0);
    struct histogram_sum sum;
    unsigned notes = 0;
    assert_int_equal(histogram_sum_init(&sum, make(&arena, &big), &arena), 0);
    const struct histogram *one = make(&arena, &small);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(histogram_sum_add(&sum, one, 1, &notes), 0);
    }
    const struct histogram *result = histogram_sum_take(&sum, &arena);
    assert_non_null(result);
    assert_true(result->count == 1e16 + 1000);
    assert_true(result->sum == 1e16 + 1000);
    assert_true(result->positive.counts[0] == 1e16 + 1000);
    arena_release(&arena);
}

/* An arena that ends anywhere gives an error, never a broken histogram. */
static void test_small_arenas(void **state)
{
    (void)state;
    static const struct shape a = {.schema = 1,
        .zero_threshold = 0.001,
        .zero = 1,
        .positive_from = 1,
        .positive = {1, 1, 1, 1}};
    static const struct shape b = {
        .schema = 0, .zero_threshold = 1, .zero = 1, .positive_from = 3, .positive = {1, 1}};
    struct arena shapes;
    arena_init(&shapes, 0);
    const struct histogram *x = make(&shapes, &a), *y = make(&shapes, &b);
    int status = ERR_LIMIT;
    for (size_t limit = 16; status != 0; limit += 16) {
        struct arena arena;
        arena_init(&arena, limit);
        unsigned notes = 0;
        struct histogram *result;
        status = histogram_combine(x, y, 1, &arena, &notes, &result);
        assert_true(status == 0 || status == ERR_LIMIT);
        if (status == 0) {
            expect_text(result, "{count:8, sum:0, [-1,1]:2, (1,2]:2, (2,4]:2, (4,8]:1, (8,16]:1}");
        }
        arena_release(&arena);
        assert_true(limit < 1 << 20);
    }
    arena_release(&shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combine),
        cmocka_unit_test(test_kinds_do_not_mix),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_many_small_ones),
        cmocka_unit_test(test_small_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
