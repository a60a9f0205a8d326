/* Remote write 1.0 against protobuf-c: what it packs we read, what we write it unpacks; and what
 * must be refused. */
#include <stdlib.h>
#include <string.h>

#include "remote_write_oracle.pb-c.h"
#include "support/support.h"
#include "wire/remote_write.h"

/* The generated structs want char *, though packing only reads. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct remote_write_decoder *decode(struct arena *arena, const void *bytes, size_t size)
{
    struct remote_write_decoder *d = NULL;
    assert_int_equal(remote_write_decoder_new(str_make(bytes, size), arena, &d), 0);
    return d;
}

static void test_reads_what_the_oracle_packs(void **state)
{
    Oracle__Label name = ORACLE__LABEL__INIT, job = ORACLE__LABEL__INIT;
    name.name = TEXT("__name__"), name.value = TEXT("up");
    job.name = TEXT("job"), job.value = TEXT("node");
    Oracle__Label *labels[] = {&name, &job};
    Oracle__Sample one = ORACLE__SAMPLE__INIT, two = ORACLE__SAMPLE__INIT;
    one.value = 1.5, one.timestamp = -1000;
    two.value = 0.1, two.timestamp = 1700000000000;
    Oracle__Sample *samples[] = {&one, &two};
    Oracle__Label trace = ORACLE__LABEL__INIT;
    trace.name = TEXT("trace_id"), trace.value = TEXT("abc");
    Oracle__Label *exemplar_labels[] = {&trace};
    Oracle__Exemplar exemplar = ORACLE__EXEMPLAR__INIT;
    exemplar.labels = exemplar_labels, exemplar.n_labels = 1;
    exemplar.value = 7, exemplar.timestamp = 5;
    Oracle__Exemplar *exemplars[] = {&exemplar};
    Oracle__TimeSeries series = ORACLE__TIME_SERIES__INIT;
    series.labels = labels, series.n_labels = 2;
    series.samples = samples, series.n_samples = 2;
    series.exemplars = exemplars, series.n_exemplars = 1;
    Oracle__TimeSeries *all[] = {&series};
    Oracle__MetricMetadata metadata = ORACLE__METRIC_METADATA__INIT;
    metadata.type = ORACLE__METRIC_METADATA__METRIC_TYPE__COUNTER;
    metadata.metric_family_name = TEXT("up"), metadata.help = TEXT("Is it up?"),
    metadata.unit = TEXT("bool");
    Oracle__MetricMetadata *all_metadata[] = {&metadata};
    Oracle__WriteRequest request = ORACLE__WRITE_REQUEST__INIT;
    request.timeseries = all, request.n_timeseries = 1;
    request.metadata = all_metadata, request.n_metadata = 1;
    uint8_t packed[1024];
    size_t size = oracle__write_request__pack(&request, packed);

    struct arena arena;
    arena_init(&arena, 0);
    struct remote_write_decoder *d = decode(&arena, packed, size);
    struct remote_write_item item;
    struct err e = ERR_INIT;
    assert_int_equal(remote_write_next(d, &item, &e), 1);
    assert_int_equal(item.kind, REMOTE_WRITE_SERIES);
    assert_non_null(item.labels_bytes.ptr);
    assert_int_equal(item.sample_count, 2);
    assert_true(item.samples[0].value == 1.5 && item.samples[0].t_ms == -1000);
    assert_int_equal(double_bits(item.samples[1].value), double_bits(0.1));
    assert_int_equal(item.exemplar_count, 1);
    assert_true(str_eq(item.exemplars[0].labels[0].value, STR("abc")));
    assert_int_equal(remote_write_labels(d, &item, &e), 0);
    assert_int_equal(item.label_count, 2);
    assert_true(str_eq(item.labels[1].value, STR("node")));
    assert_int_equal(remote_write_next(d, &item, &e), 1);
    assert_int_equal(item.kind, REMOTE_WRITE_METADATA);
    assert_int_equal(item.type, METRIC_TYPE_COUNTER);
    assert_true(str_eq(item.help, STR("Is it up?")));
    assert_int_equal(remote_write_next(d, &item, &e), 0);
    arena_release(&arena);
}

static void test_reads_integer_and_float_histograms(void **state)
{
    Oracle__BucketSpan span = ORACLE__BUCKET_SPAN__INIT;
    span.offset = -3, span.length = 3;
    Oracle__BucketSpan *spans[] = {&span};
    int64_t deltas[] = {4, -2, 5};
    double counts[] = {1.5, 0, 2};
    Oracle__Histogram integer = ORACLE__HISTOGRAM__INIT, floats = ORACLE__HISTOGRAM__INIT;
    integer.count_case = ORACLE__HISTOGRAM__COUNT_COUNT_INT, integer.count_int = 14;
    integer.zero_count_case = ORACLE__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_INT;
    integer.zero_count_int = 1, integer.zero_threshold = 0.001, integer.sum = 18.4;
    integer.schema = -2, integer.timestamp = 77;
    integer.positive_spans = spans, integer.n_positive_spans = 1;
    integer.positive_deltas = deltas, integer.n_positive_deltas = 3;
    floats.count_case = ORACLE__HISTOGRAM__COUNT_COUNT_FLOAT, floats.count_float = 3.5;
    floats.schema = 3, floats.reset_hint = ORACLE__HISTOGRAM__RESET_HINT__GAUGE;
    floats.negative_spans = spans, floats.n_negative_spans = 1;
    floats.negative_counts = counts, floats.n_negative_counts = 3;
    Oracle__Histogram *histograms[] = {&integer, &floats};
    Oracle__TimeSeries series = ORACLE__TIME_SERIES__INIT;
    series.histograms = histograms, series.n_histograms = 2;
    Oracle__TimeSeries *all[] = {&series};
    Oracle__WriteRequest request = ORACLE__WRITE_REQUEST__INIT;
    request.timeseries = all, request.n_timeseries = 1;
    uint8_t packed[1024];
    size_t size = oracle__write_request__pack(&request, packed);

    struct arena arena;
    arena_init(&arena, 0);
    struct remote_write_decoder *d = decode(&arena, packed, size);
    struct remote_write_item item;
    assert_int_equal(remote_write_next(d, &item, NULL), 1);
    assert_int_equal(item.histogram_count, 2);
    const struct histogram *h = item.histograms[0].histogram;
    assert_int_equal(item.histograms[0].t_ms, 77);
    assert_true(h->integer && h->schema == -2 && h->count == 14 && h->zero_count == 1);
    assert_true(
        h->positive.counts[0] == 4 && h->positive.counts[1] == 2 && h->positive.counts[2] == 7);
    assert_int_equal(h->positive.spans[0].offset, -3);
    assert_int_equal(histogram_validate(h, NULL), 0);
    h = item.histograms[1].histogram;
    assert_false(h->integer);
    assert_int_equal(h->reset_hint, HISTOGRAM_GAUGE);
    assert_true(h->negative.counts[0] == 1.5 && h->negative.count == 3);
    arena_release(&arena);
}

static void test_writes_what_the_oracle_unpacks(void **state)
{
    struct strbuf labels = STRBUF_INIT, message = STRBUF_INIT;
    struct label pairs[] = {{STR("__name__"), STR("m")}, {STR("a"), STR("")}};
    remote_write_encode_labels(pairs, 2, &labels);
    struct sample samples[] = {{-1, 0.25}, {1700000000000, value_stale_marker()}};
    remote_write_encode_series(strbuf_str(&labels), samples, 2, &message);
    remote_write_encode_metadata(METRIC_TYPE_GAUGE, STR("m"), STR("help"), STR("s"), &message);
    Oracle__WriteRequest *request =
        oracle__write_request__unpack(NULL, message.size, (const uint8_t *)message.data);
    assert_non_null(request);
    assert_int_equal(request->n_timeseries, 1);
    assert_int_equal(request->timeseries[0]->n_labels, 2);
    assert_string_equal(request->timeseries[0]->labels[0]->value, "m");
    assert_int_equal(request->timeseries[0]->samples[0]->timestamp, -1);
    assert_true(request->timeseries[0]->samples[0]->value == 0.25);
    assert_int_equal(double_bits(request->timeseries[0]->samples[1]->value), STALE_MARKER_BITS);
    assert_int_equal(request->metadata[0]->type, ORACLE__METRIC_METADATA__METRIC_TYPE__GAUGE);
    assert_string_equal(request->metadata[0]->unit, "s");
    oracle__write_request__free_unpacked(request, NULL);
    strbuf_release(&labels);
    strbuf_release(&message);
}

static void test_writes_whole_series_for_the_oracle(void **state)
{
    struct strbuf labels = STRBUF_INIT, scratch = STRBUF_INIT, message = STRBUF_INIT;
    const struct label name = {STR("__name__"), STR("m")}, trace = {STR("trace_id"), STR("abc")};
    const struct sample sample = {5, 1.5};
    const struct remote_write_exemplar exemplar = {&trace, 1, 0.25, 4};
    const struct histogram_span span = {3, 2};
    const double counts[] = {2, 5};
    const struct histogram h = {
        .schema = 1, .integer = true, .count = 7, .sum = 12, .positive = {&span, 1, counts, 2}};
    const struct remote_write_histogram histogram = {6, &h};
    remote_write_encode_labels(&name, 1, &labels);
    const struct remote_write_series series = {
        strbuf_str(&labels), &sample, 1, &histogram, 1, &exemplar, 1};
    remote_write_encode_whole_series(&series, &scratch, &message);
    Oracle__WriteRequest *read =
        oracle__write_request__unpack(NULL, message.size, (const uint8_t *)message.data);
    assert_non_null(read);
    assert_int_equal(read->n_timeseries, 1);
    const Oracle__TimeSeries *t = read->timeseries[0];
    assert_string_equal(t->labels[0]->value, "m");
    assert_int_equal(t->n_samples, 1);
    assert_true(t->samples[0]->value == 1.5 && t->samples[0]->timestamp == 5);
    assert_int_equal(t->n_exemplars, 1);
    assert_string_equal(t->exemplars[0]->labels[0]->value, "abc");
    assert_true(t->exemplars[0]->value == 0.25 && t->exemplars[0]->timestamp == 4);
    assert_int_equal(t->n_histograms, 1);
    assert_true(t->histograms[0]->sum == 12 && t->histograms[0]->timestamp == 6);
    oracle__write_request__free_unpacked(read, NULL);
    strbuf_release(&labels);
    strbuf_release(&scratch);
    strbuf_release(&message);
}

static void test_label_rules(void **state)
{
    static const struct {
        struct label pairs[3];
        size_t count;
        int code;
        const char *says;
    } cases[] = {
        {{{{"job", 3}, {"a", 1}}, {{"__name__", 8}, {"m", 1}}}, 2, 0, ""},
        {{{{"__name__", 8}, {"m", 1}}, {{"a", 1}, {"", 0}}}, 2, 0, ""},
        {{{{"a", 1}, {"1", 1}}}, 1, ERR_INVALID, "metric name"},
        {{{{"__name__", 8}, {"m", 1}}, {{"a", 1}, {"1", 1}}, {{"a", 1}, {"2", 1}}}, 3, ERR_INVALID,
            "not unique"},
        {{{{"__name__", 8}, {"m", 1}}, {{"", 0}, {"1", 1}}}, 2, ERR_INVALID, "empty name"},
        {{{{"__name__", 8}, {"\xff", 1}}}, 1, ERR_INVALID, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf labels = STRBUF_INIT, message = STRBUF_INIT;
        struct sample sample = {1, 1};
        remote_write_encode_labels(cases[i].pairs, cases[i].count, &labels);
        remote_write_encode_series(strbuf_str(&labels), &sample, 1, &message);
        struct arena arena;
        arena_init(&arena, 0);
        struct remote_write_decoder *d = decode(&arena, message.data, message.size);
        struct remote_write_item item;
        struct err e = ERR_INIT;
        assert_int_equal(remote_write_next(d, &item, &e), 1);
        assert_int_equal(remote_write_labels(d, &item, &e), cases[i].code);
        assert_non_null(strstr(e.message, cases[i].says));
        for (size_t k = 1; cases[i].code == 0 && k < item.label_count; k++) {
            assert_true(str_cmp(item.labels[k - 1].name, item.labels[k].name) < 0);
        }
        arena_release(&arena);
        strbuf_release(&labels);
        strbuf_release(&message);
    }
}

/* Every prefix of a message that cuts a field is refused, never believed. */
static void test_truncation_is_corrupt(void **state)
{
    struct strbuf labels = STRBUF_INIT, message = STRBUF_INIT;
    struct label pair = {STR("__name__"), STR("metric")};
    struct sample samples[] = {{1, 1}, {2, 2}};
    remote_write_encode_labels(&pair, 1, &labels);
    remote_write_encode_series(strbuf_str(&labels), samples, 2, &message);
    for (size_t size = 1; size < message.size; size++) {
        char *copy = malloc(size); /* exact, so that the sanitizer sees one byte too far */
        memcpy(copy, message.data, size);
        struct arena arena;
        arena_init(&arena, 0);
        struct remote_write_decoder *d = decode(&arena, copy, size);
        struct remote_write_item item;
        struct err e = ERR_INIT;
        assert_int_equal(remote_write_next(d, &item, &e), ERR_CORRUPT);
        assert_non_null(strstr(e.message, "byte 0"));
        arena_release(&arena);
        free(copy);
    }
    strbuf_release(&labels);
    strbuf_release(&message);
}

static void test_scattered_labels_have_no_key(void **state)
{
    struct strbuf label = STRBUF_INIT, body = STRBUF_INIT, message = STRBUF_INIT;
    struct label name = {STR("__name__"), STR("m")}, a = {STR("a"), STR("1")};
    remote_write_encode_labels(&name, 1, &body);
    strbuf_add(&body, "\x12\x02\x10\x05", 4); /* a sample {timestamp: 5} in between */
    remote_write_encode_labels(&a, 1, &body);
    strbuf_add(&message, "\x0a", 1);
    strbuf_add_sized(&message, strbuf_str(&body));
    struct arena arena;
    arena_init(&arena, 0);
    struct remote_write_decoder *d = decode(&arena, message.data, message.size);
    struct remote_write_item item;
    assert_int_equal(remote_write_next(d, &item, NULL), 1);
    assert_null(item.labels_bytes.ptr);
    assert_int_equal(remote_write_labels(d, &item, NULL), 0);
    assert_int_equal(item.label_count, 2);
    assert_int_equal(item.samples[0].t_ms, 5);
    arena_release(&arena);
    strbuf_release(&label);
    strbuf_release(&body);
    strbuf_release(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_the_oracle_packs),
        cmocka_unit_test(test_reads_integer_and_float_histograms),
        cmocka_unit_test(test_writes_what_the_oracle_unpacks),
        cmocka_unit_test(test_writes_whole_series_for_the_oracle),
        cmocka_unit_test(test_label_rules),
        cmocka_unit_test(test_truncation_is_corrupt),
        cmocka_unit_test(test_scattered_labels_have_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
