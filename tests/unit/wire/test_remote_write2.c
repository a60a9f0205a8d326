/* Remote write 2.0 against protobuf-c: what it packs we read, what we write it unpacks; and what must be
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "remote_write_oracle.pb-c.h"
#include "support/support.h"
#include "wire/remote_write2.h"

/* The generated structs want char *, though packing only reads. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEED 12345

/* One series of references, packed by the oracle. */
struct packed {
    uint8_t bytes[2048];
    size_t size;
};

static struct packed pack(const char *const *symbols, size_t symbol_count,
    Oracle__TimeSeries2 *const *series, size_t series_count)
{
    struct packed p;
    char *texts[32];
    Oracle__TimeSeries2 *all[8];
    Oracle__Request2 request = ORACLE__REQUEST2__INIT;
    for (size_t i = 0; i < symbol_count; i++) {
        texts[i] = TEXT(symbols[i]);
    }
    for (size_t i = 0; i < series_count; i++) {
        all[i] = series[i];
    }
    request.symbols = texts, request.n_symbols = symbol_count;
    request.timeseries = all, request.n_timeseries = series_count;
    assert_true(oracle__request2__get_packed_size(&request) <= sizeof(p.bytes));
    p.size = oracle__request2__pack(&request, p.bytes);
    return p;
}

static struct remote_write_decoder *decode(struct arena *arena, const void *bytes, size_t size)
{
    struct remote_write_decoder *d = NULL;
    struct err e = ERR_INIT;
    if (remote_write2_decoder_new(str_make(bytes, size), SEED, arena, &d, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return d;
}

static void test_reads_what_the_oracle_packs(void **state)
{
    (void)state;
    static const char *const symbols[] = {
        "", "__name__", "h_bucket", "job", "node", "Help.", "s", "trace_id", "abc"};
    uint32_t refs[] = {1, 2, 3, 4}, exemplar_refs[] = {7, 8};
    Oracle__Sample2 one = ORACLE__SAMPLE2__INIT, two = ORACLE__SAMPLE2__INIT;
    one.value = 1.5, one.timestamp = -1000;
    two.value = 0.1, two.timestamp = 1700000000000, two.start_timestamp = 1690000000000;
    Oracle__Sample2 *samples[] = {&one, &two};
    Oracle__Exemplar2 exemplar = ORACLE__EXEMPLAR2__INIT;
    exemplar.labels_refs = exemplar_refs, exemplar.n_labels_refs = 2;
    exemplar.value = 7, exemplar.timestamp = 5;
    Oracle__Exemplar2 *exemplars[] = {&exemplar};
    Oracle__Metadata2 metadata = ORACLE__METADATA2__INIT;
    metadata.type = ORACLE__METRIC_METADATA__METRIC_TYPE__HISTOGRAM;
    metadata.help_ref = 5, metadata.unit_ref = 6;
    Oracle__TimeSeries2 series = ORACLE__TIME_SERIES2__INIT;
    series.labels_refs = refs, series.n_labels_refs = 4;
    series.samples = samples, series.n_samples = 2;
    series.exemplars = exemplars, series.n_exemplars = 1;
    series.metadata = &metadata;
    Oracle__TimeSeries2 *all[] = {&series, &series};
    struct packed p = pack(symbols, COUNT(symbols), all, 2);

    struct arena arena;
    arena_init(&arena, 0);
    struct remote_write_decoder *d = decode(&arena, p.bytes, p.size);
    struct remote_write_item item;
    struct err e = ERR_INIT;
    assert_int_equal(remote_write_next(d, &item, &e), 1);
    assert_int_equal(item.kind, REMOTE_WRITE_SERIES);
    assert_int_equal(item.sample_count, 2);
    assert_true(item.samples[0].value == 1.5 && item.samples[0].t_ms == -1000);
    assert_true(item.samples[1].value == 0.1 && item.samples[1].t_ms == 1700000000000);
    assert_int_equal(item.exemplar_count, 1);
    assert_true(str_eq(item.exemplars[0].labels[0].value, STR("abc")));
    assert_true(item.exemplars[0].value == 7 && item.exemplars[0].t_ms == 5);
    assert_true(item.has_metadata);
    assert_true(str_eq(item.metric_family, STR("h")));
    assert_true(str_eq(item.help, STR("Help.")) && str_eq(item.unit, STR("s")));
    assert_int_equal(item.type, METRIC_TYPE_HISTOGRAM);
    assert_int_equal(remote_write_labels(d, &item, &e), 0);
    assert_int_equal(item.label_count, 2);
    assert_true(
        str_eq(item.labels[1].name, STR("job")) && str_eq(item.labels[1].value, STR("node")));
    /* the same metadata once a message */
    assert_int_equal(remote_write_next(d, &item, &e), 1);
    assert_false(item.has_metadata);
    assert_int_equal(remote_write_next(d, &item, &e), 0);
    arena_release(&arena);
}

/* One series has one key, whatever the indexes; and another series another. */
static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *symbols[6];
        uint32_t refs[4];
        bool same;
    } cases[] = {
        {{"", "__name__", "up", "job", "node", "?"}, {1, 2, 3, 4}, true},
        {{"", "node", "job", "?", "up", "__name__"}, {5, 4, 2, 1}, true},
        {{"", "__name__", "up", "job", "db", "?"}, {1, 2, 3, 4}, false},
        {{"", "__name__", "upj", "ob", "node", "?"}, {1, 2, 3, 4}, false},
    };
    struct hash128 first = {0, 0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Oracle__Sample2 sample = ORACLE__SAMPLE2__INIT;
        Oracle__Sample2 *samples[] = {&sample};
        uint32_t refs[4];
        memcpy(refs, cases[i].refs, sizeof(refs));
        Oracle__TimeSeries2 series = ORACLE__TIME_SERIES2__INIT;
        series.labels_refs = refs, series.n_labels_refs = 4;
        series.samples = samples, series.n_samples = 1;
        Oracle__TimeSeries2 *all[] = {&series};
        struct packed p = pack(cases[i].symbols, 6, all, 1);
        struct arena arena;
        arena_init(&arena, 0);
        struct remote_write_decoder *d = decode(&arena, p.bytes, p.size);
        struct remote_write_item item;
        assert_int_equal(remote_write_next(d, &item, NULL), 1);
        assert_non_null(item.labels_bytes.ptr);
        struct hash128 key = hash128(item.labels_bytes.ptr, item.labels_bytes.len, SEED);
        if (i == 0) {
            first = key;
        }
        if (hash128_eq(first, key) != cases[i].same) {
            fail_msg("case %zu: same key %d, expected %d", i, !cases[i].same, cases[i].same);
        }
        arena_release(&arena);
    }
}

/* A series that refers to nothing is refused alone. */
static void test_bad_references(void **state)
{
    (void)state;
    static const char *const symbols[] = {"", "__name__", "up", "job"};
    static const struct {
        uint32_t refs[6];
        size_t count;
        const char *says;
    } cases[] = {
        {{1, 2, 3}, 3, "series at byte 21: an odd number of label references"},
        {{1, 2, 3, 4}, 4, "series at byte 21: label reference 4 is outside of the 4 symbols"},
        {{3, 2}, 2, "series at byte 21: the series has no metric name (label __name__)"},
        {{1, 2, 3, 3, 3, 2}, 6, "series at byte 21: label name \"job\" is not unique"},
        {{1, 2, 0, 3}, 4, "series at byte 21: a label has an empty name"},
        {{0}, 0, "series at byte 21: the series has no metric name (label __name__)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t refs[6], good_refs[] = {1, 2};
        memcpy(refs, cases[i].refs, sizeof(refs));
        Oracle__TimeSeries2 bad = ORACLE__TIME_SERIES2__INIT, good = ORACLE__TIME_SERIES2__INIT;
        bad.labels_refs = refs, bad.n_labels_refs = cases[i].count;
        good.labels_refs = good_refs, good.n_labels_refs = 2;
        Oracle__TimeSeries2 *all[] = {&bad, &good};
        struct packed p = pack(symbols, COUNT(symbols), all, 2);
        struct arena arena;
        arena_init(&arena, 0);
        struct remote_write_decoder *d = decode(&arena, p.bytes, p.size);
        struct remote_write_item item;
        struct err e = ERR_INIT;
        assert_int_equal(remote_write_next(d, &item, &e), 1);
        assert_int_equal(remote_write_labels(d, &item, &e), ERR_INVALID);
        assert_string_equal(e.message, cases[i].says);
        assert_int_equal(remote_write_next(d, &item, &e), 1);
        assert_int_equal(remote_write_labels(d, &item, &e), 0);
        arena_release(&arena);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool at_open; /* else at the first item */
    } cases[] = {
        {"\x22\x05up", 4, true},                    /* a symbol cut short */
        {"\x20\x05", 2, true},                      /* a symbol that is a number */
        {"\x2a\x02\x08", 3, true},                  /* a series cut short */
        {"\x28\x01", 2, false},                     /* a series that is a number */
        {"\x0a\x00", 2, true},                      /* a series of 1.0 */
        {"\x2a\x03\x0a\x01\xff", 5, false},         /* a reference cut short */
        {"\x2a\x02\x10\x01", 4, false},             /* a sample that is a number */
        {"\x2a\x05\x22\x03\x0a\x01\x07", 7, false}, /* an exemplar of half a pair */
        {"\x2a\x04\x2a\x02\x18\x07", 6, false},     /* help outside of the symbols */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *copy = malloc(cases[i].size); /* exact, so that the sanitizer sees one byte too far */
        memcpy(copy, cases[i].bytes, cases[i].size);
        struct arena arena;
        arena_init(&arena, 0);
        struct remote_write_decoder *d = NULL;
        struct remote_write_item item;
        struct err e = ERR_INIT;
        int status = remote_write2_decoder_new(str_make(copy, cases[i].size), SEED, &arena, &d, &e);
        if (status != (cases[i].at_open ? ERR_CORRUPT : 0)) {
            fail_msg("case %zu: open gave %d", i, status);
        }
        if (status == 0 && remote_write_next(d, &item, &e) != ERR_CORRUPT) {
            fail_msg("case %zu: the item was taken", i);
        }
        assert_true(str_starts_with(str_of(e.message), STR("malformed remote-write message")));
        arena_release(&arena);
        free(copy);
    }
}

/* ---- Encoding ---- */

static void test_writes_what_the_oracle_unpacks(void **state)
{
    (void)state;
    struct label labels[] = {{STR("__name__"), STR("m")}, {STR("job"), STR("m")}};
    struct label trace[] = {{STR("trace_id"), STR("abc")}};
    struct sample samples[] = {{-1, 0.25}, {1700000000000, value_stale_marker()}};
    struct remote_write_exemplar exemplar = {trace, 1, 3.5, 9};
    struct remote_write2_series series = {.labels = labels,
        .label_count = 2,
        .samples = samples,
        .sample_count = 2,
        .exemplars = &exemplar,
        .exemplar_count = 1,
        .type = METRIC_TYPE_GAUGE,
        .help = STR("Help."),
        .unit = STR("job")};
    struct remote_write2_encoder *encoder;
    assert_int_equal(remote_write2_encoder_new(&encoder), 0);
    for (int again = 0; again < 2; again++) {
        struct strbuf message = STRBUF_INIT;
        remote_write2_encoder_reset(encoder);
        remote_write2_encoder_add(encoder, &series);
        remote_write2_encoder_add(encoder, &series);
        assert_int_equal(remote_write2_encoder_finish(encoder, &message), 0);
        assert_int_equal(remote_write2_encoder_size(encoder), message.size);
        Oracle__Request2 *request =
            oracle__request2__unpack(NULL, message.size, (const uint8_t *)message.data);
        assert_non_null(request);
        /* "", __name__, m, job, trace_id, abc, Help.: each once, the empty one first */
        assert_int_equal(request->n_symbols, 7);
        assert_string_equal(request->symbols[0], "");
        assert_int_equal(request->n_timeseries, 2);
        const Oracle__TimeSeries2 *s = request->timeseries[1];
        assert_int_equal(s->n_labels_refs, 4);
        assert_string_equal(request->symbols[s->labels_refs[0]], "__name__");
        assert_int_equal(s->labels_refs[1], s->labels_refs[3]);
        assert_int_equal(s->n_samples, 2);
        assert_int_equal(s->samples[0]->timestamp, -1);
        assert_true(s->samples[0]->value == 0.25);
        assert_int_equal(double_bits(s->samples[1]->value), STALE_MARKER_BITS);
        assert_string_equal(request->symbols[s->exemplars[0]->labels_refs[1]], "abc");
        assert_true(s->exemplars[0]->value == 3.5 && s->exemplars[0]->timestamp == 9);
        assert_int_equal(s->metadata->type, ORACLE__METRIC_METADATA__METRIC_TYPE__GAUGE);
        assert_string_equal(request->symbols[s->metadata->help_ref], "Help.");
        assert_string_equal(request->symbols[s->metadata->unit_ref], "job");
        oracle__request2__free_unpacked(request, NULL);
        strbuf_release(&message);
    }
    remote_write2_encoder_free(encoder);
}

static void test_histograms_round_trip(void **state)
{
    (void)state;
    static const struct histogram_span spans[] = {{-3, 2}, {4, 1}};
    static const double whole[] = {4, 2, 7}, parts[] = {1.5, 0, 2.25}, bounds[] = {0.1, 1, 10};
    static const struct histogram_span custom_spans[] = {{0, 3}};
    const struct histogram histograms[] = {
        {.schema = 2,
            .integer = true,
            .zero_threshold = 0.001,
            .zero_count = 1,
            .count = 27,
            .sum = 18.4,
            .reset_hint = HISTOGRAM_RESET_NO,
            .positive = {spans, 2, whole, 3},
            .negative = {spans, 2, whole, 3}},
        {.schema = -4,
            .count = 3.75,
            .sum = -1,
            .reset_hint = HISTOGRAM_GAUGE,
            .positive = {spans, 2, parts, 3}},
        {.schema = HISTOGRAM_SCHEMA_CUSTOM,
            .integer = true,
            .count = 13,
            .sum = 5,
            .positive = {custom_spans, 1, whole, 3},
            .custom_values = bounds,
            .custom_count = 3},
        {.schema = 0, .integer = true, .sum = value_stale_marker()},
    };
    struct label labels[] = {{STR("__name__"), STR("h")}};
    struct remote_write2_encoder *encoder;
    assert_int_equal(remote_write2_encoder_new(&encoder), 0);
    for (size_t i = 0; i < COUNT(histograms); i++) {
        struct remote_write_histogram one = {(int64_t)i + 77, &histograms[i]};
        struct remote_write2_series series = {
            .labels = labels, .label_count = 1, .histograms = &one, .histogram_count = 1};
        struct strbuf message = STRBUF_INIT;
        struct arena arena;
        struct remote_write_item item;
        remote_write2_encoder_reset(encoder);
        remote_write2_encoder_add(encoder, &series);
        assert_int_equal(remote_write2_encoder_finish(encoder, &message), 0);
        Oracle__Request2 *request =
            oracle__request2__unpack(NULL, message.size, (const uint8_t *)message.data);
        assert_non_null(request);
        assert_int_equal(request->timeseries[0]->histograms[0]->timestamp, one.t_ms);
        assert_int_equal(
            request->timeseries[0]->histograms[0]->count_case == ORACLE__HISTOGRAM__COUNT_COUNT_INT,
            histograms[i].integer);
        oracle__request2__free_unpacked(request, NULL);
        arena_init(&arena, 0);
        struct remote_write_decoder *d = decode(&arena, message.data, message.size);
        assert_int_equal(remote_write_next(d, &item, NULL), 1);
        assert_int_equal(item.histogram_count, 1);
        assert_int_equal(item.histograms[0].t_ms, one.t_ms);
        assert_int_equal(item.histograms[0].histogram->reset_hint, histograms[i].reset_hint);
        if (!histogram_eq(item.histograms[0].histogram, &histograms[i])) {
            fail_msg("histogram %zu came back different", i);
        }
        arena_release(&arena);
        strbuf_release(&message);
    }
    remote_write2_encoder_free(encoder);
}

/* More symbols than the first table of slots holds. */
static void test_many_symbols(void **state)
{
    (void)state;
    enum { SERIES = 5000 };
    struct remote_write2_encoder *encoder;
    struct strbuf message = STRBUF_INIT;
    struct arena arena;
    assert_int_equal(remote_write2_encoder_new(&encoder), 0);
    for (int i = 0; i < SERIES; i++) {
        char text[16];
        snprintf(text, sizeof(text), "v%d", i);
        struct label labels[] = {{STR("__name__"), STR("m")}, {STR("i"), str_of(text)}};
        struct sample sample = {i, i};
        remote_write2_encoder_add(encoder,
            &(struct remote_write2_series){
                .labels = labels, .label_count = 2, .samples = &sample, .sample_count = 1});
    }
    assert_int_equal(remote_write2_encoder_finish(encoder, &message), 0);
    arena_init(&arena, 0);
    struct remote_write_decoder *d = decode(&arena, message.data, message.size);
    struct remote_write_item item;
    for (int i = 0; i < SERIES; i++) {
        char text[16];
        snprintf(text, sizeof(text), "v%d", i);
        assert_int_equal(remote_write_next(d, &item, NULL), 1);
        assert_int_equal(remote_write_labels(d, &item, NULL), 0);
        assert_true(str_eq_c(item.labels[1].value, text));
        assert_int_equal(item.samples[0].t_ms, i);
        assert_true(item.samples[0].value == i);
    }
    assert_int_equal(remote_write_next(d, &item, NULL), 0);
    arena_release(&arena);
    strbuf_release(&message);
    remote_write2_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_the_oracle_packs),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_bad_references),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_writes_what_the_oracle_unpacks),
        cmocka_unit_test(test_histograms_round_trip),
        cmocka_unit_test(test_many_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
