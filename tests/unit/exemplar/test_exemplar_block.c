/* Random exemplars out and in again; short memory; every cut and every flipped bit is noticed. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "exemplar/exemplar_block.h"

enum { SERIES_MAX = 20, EACH_MAX = 30 };

struct one {
    int64_t t_ms;
    double value;
    char trace[40];
};

struct model {
    size_t series;
    size_t counts[SERIES_MAX];
    struct one items[SERIES_MAX][EACH_MAX];
    int64_t min_t, max_t;
    uint64_t total;
};

static void make_model(struct model *m, uint64_t *random)
{
    *m = (struct model){.min_t = INT64_MAX, .max_t = INT64_MIN};
    m->series = 1 + test_random(random) % SERIES_MAX;
    for (size_t i = 0; i < m->series; i++) {
        int64_t t_ms = (int64_t)(test_random(random) % 1000000) - 500000;
        m->counts[i] = 1 + test_random(random) % EACH_MAX;
        for (size_t k = 0; k < m->counts[i]; k++) {
            struct one *one = &m->items[i][k];
            t_ms += (int64_t)(test_random(random) % 3) * 500;
            *one = (struct one){.t_ms = t_ms, .value = double_from_bits(test_random(random))};
            if (test_random(random) % 5 > 0) {
                snprintf(one->trace, sizeof(one->trace), "%016llx%016llx",
                    (unsigned long long)test_random(random),
                    (unsigned long long)test_random(random));
            }
            m->min_t = t_ms < m->min_t ? t_ms : m->min_t;
            m->max_t = t_ms > m->max_t ? t_ms : m->max_t;
            m->total++;
        }
    }
}

static size_t series_labels(size_t i, char text[32], struct label *out)
{
    int n = snprintf(text, 32, "metric_%zu", i);
    out[0] = (struct label){STR("__name__"), str_make(text, (size_t)n)};
    out[1] = (struct label){STR("job"), STR("api")};
    return 2;
}

static int encode(const struct model *m, struct strbuf *file)
{
    struct exemplar_writer w;
    struct strbuf blob = STRBUF_INIT;
    int status = 0;
    exemplar_writer_init(&w);
    for (size_t i = 0; status == 0 && i < m->series; i++) {
        char text[32];
        struct label labels[2];
        size_t count = series_labels(i, text, labels);
        exemplar_writer_series(&w, labels, count, m->counts[i]);
        for (size_t k = 0; status == 0 && k < m->counts[i]; k++) {
            const struct one *one = &m->items[i][k];
            struct label own = {STR("trace_id"), str_of(one->trace)};
            strbuf_reset(&blob);
            exemplar_labels_encode(&own, one->trace[0] != '\0', &blob);
            status = strbuf_error(&blob);
            exemplar_writer_add(&w, one->t_ms, one->value, strbuf_str(&blob));
        }
    }
    status = status == 0 ? exemplar_writer_finish(&w, file) : status;
    exemplar_writer_release(&w);
    strbuf_release(&blob);
    return status;
}

struct reading {
    const struct model *model;
    size_t series, item;
    uint64_t seen;
};

static int on_series(void *context, const struct label *labels, size_t count)
{
    struct reading *r = context;
    char text[32];
    struct label expected[2];
    assert_int_equal(count, series_labels(r->series, text, expected));
    for (size_t i = 0; i < count; i++) {
        assert_true(str_eq(labels[i].name, expected[i].name));
        assert_true(str_eq(labels[i].value, expected[i].value));
    }
    r->item = 0;
    /* Every third series is skipped. */
    return r->series++ % 3 != 2;
}

static int on_exemplar(
    void *context, int64_t t_ms, double value, const struct label *labels, size_t count)
{
    struct reading *r = context;
    const struct one *one = &r->model->items[r->series - 1][r->item++];
    assert_int_equal(t_ms, one->t_ms);
    assert_int_equal(double_bits(value), double_bits(one->value));
    assert_int_equal(count, one->trace[0] != '\0');
    if (count > 0) {
        assert_true(str_eq_c(labels[0].value, one->trace));
    }
    r->seen++;
    return 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static struct model m;
    for (int round = 0; round < 200; round++) {
        struct strbuf file = STRBUF_INIT;
        struct exemplar_block_info info;
        make_model(&m, &random);
        assert_int_equal(encode(&m, &file), 0);
        struct reading r = {.model = &m};
        const struct exemplar_reader reader = {&r, on_series, on_exemplar};
        assert_int_equal(exemplar_block_read(strbuf_str(&file), &reader, &info, NULL), 0);
        uint64_t expected = 0;
        for (size_t i = 0; i < m.series; i++) {
            expected += i % 3 != 2 ? m.counts[i] : 0;
        }
        assert_int_equal(r.series, m.series);
        assert_int_equal(r.seen, expected);
        assert_int_equal(info.exemplars, m.total);
        assert_int_equal(info.min_t, m.min_t);
        assert_int_equal(info.max_t, m.max_t);
        strbuf_release(&file);
    }
}

static void test_damage(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static struct model m;
    struct strbuf file = STRBUF_INIT;
    make_model(&m, &random);
    assert_int_equal(encode(&m, &file), 0);
    for (size_t size = 0; size < file.size; size++) {
        assert_int_equal(
            exemplar_block_read(str_make(file.data, size), NULL, NULL, NULL), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < file.size * 8; bit++) {
        file.data[bit / 8] ^= (char)(1 << bit % 8);
        int status = exemplar_block_read(strbuf_str(&file), NULL, NULL, NULL);
        assert_true(status == ERR_CORRUPT || status == ERR_UNSUPPORTED);
        file.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    strbuf_release(&file);
}

static void test_short_memory(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static struct model m;
    make_model(&m, &random);
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct strbuf file = STRBUF_INIT;
        mem_fail_nth(nth);
        int status = encode(&m, &file);
        failed = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, failed ? ERR_NOMEM : 0);
        strbuf_release(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
