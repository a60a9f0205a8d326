/* Remote read and federation over HTTP. Samples are read back with the decoder of remote write, whose
 * TimeSeries remote read shares, and chunks with the decoder of Prometheus' blocks. */
#include "support/support.h"

#include "api_fixture.h"
#include "base/bytes.h"
#include "model/sample.h"
#include "tsdb/chunk.h"
#include "tsdb/crc32c.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

static const struct histogram_span span = {0, 2};
static const double counts[] = {1, 2};
static const struct histogram histogram = {
    .schema = 0, .integer = true, .count = 3, .sum = 4, .positive = {&span, 1, counts, 2}};

static void add_histogram(struct api_fixture *f, int64_t t_ms)
{
    struct label pairs[] = {{STR("__name__"), STR("sizes")}, {STR("instance"), STR("i")}};
    const struct labels *labels;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    assert_int_equal(memory_store_append_histogram(f->store, labels, t_ms, &histogram), 0);
    labels_unref(labels);
}

/* The clock stands at 1 000 000 s; a sample counts for five minutes. */
static void start(struct api_fixture *f)
{
    api_fixture_start(f, true);
    for (int64_t t = 999000000; t < 1000000000; t += 250000) {
        api_fixture_sample(f, t, (double)t, "__name__", "up", "job", "node", NULL);
        api_fixture_sample(f, t, 1, "__name__", "up", "Zone", "z", "instance", "b", NULL);
        add_histogram(f, t);
    }
    api_fixture_sample(f, 999699999, 1, "__name__", "old", NULL);
    api_fixture_sample(f, 999900000, 1, "__name__", "gone", NULL);
    api_fixture_sample(f, 999990000, value_stale_marker(), "__name__", "gone", NULL);
}

static void test_federate(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    assert_string_equal(
        api_fixture_get(&f, "/federate?match[]=up&match[]=gone&match[]=old&match[]=sizes"),
        "# TYPE up untyped\n"
        "up{Zone=\"z\",instance=\"b\"} 1 999750000\n"
        "up{job=\"node\",instance=\"\"} 9.9975e+08 999750000\n");
    assert_int_equal(f.status, 200);
    assert_string_equal(api_fixture_get(&f, "/federate?match[]=nothing"), "");
    assert_string_equal(api_fixture_get(&f, "/federate"), "");
    api_fixture_get(&f, "/federate?match[]={");
    assert_int_equal(f.status, 400);
    api_fixture_stop(&f);
}

/* One family with a native histogram: {name "sizes", type HISTOGRAM, metric{label, histogram, time}}. */
static void test_federate_protobuf(void **state)
{
    (void)state;
    static const char head[] = "\x6a\x0a\x05sizes\x18\x04\x22\x5f"
                               "\x0a\x0d\x0a\x08instance\x12\x01i";
    struct api_fixture f;
    start(&f);
    api_fixture_send(&f, "GET", "/federate?match[]=sizes",
        "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
        "encoding=delimited;q=0.6,text/plain;q=0.3\r\n",
        "", 0);
    assert_int_equal(f.status, 200);
    assert_true(str_starts_with(
        api_fixture_header(&f, "Content-Type"), STR("application/vnd.google.protobuf")));
    assert_int_equal(f.body.size, 1 + f.body.data[0]);
    assert_memory_equal(f.body.data + 1, head + 1, 9);
    assert_non_null(memmem(f.body.data, f.body.size, head + 12, sizeof(head) - 13));
    api_fixture_stop(&f);
}

/* ---- Remote read ---- */

/* {start 0, end, __name__ =~ "up|sizes"}; `types` behind it. */
static void ask(struct api_fixture *f, const char *types, size_t types_size)
{
    struct strbuf query = STRBUF_INIT, message = STRBUF_INIT, packed = STRBUF_INIT;
    strbuf_add_c(&query, "\x10");
    strbuf_add_uvarint(&query, 1000000000);
    strbuf_add(&query, "\x1a\x16\x08\x02\x12\x08__name__\x1a\x08up|sizes", 24);
    strbuf_add_c(&message, "\x0a");
    strbuf_add_sized(&message, strbuf_str(&query));
    strbuf_add(&message, types, types_size);
    assert_int_equal(snappy_encode(strbuf_str(&message), &packed), 0);
    api_fixture_send(f, "POST", "/api/v1/read", NULL, packed.data, packed.size);
    strbuf_release(&query);
    strbuf_release(&message);
    strbuf_release(&packed);
}

static void test_samples(void **state)
{
    (void)state;
    struct api_fixture f;
    struct strbuf message = STRBUF_INIT;
    struct arena arena;
    struct remote_write_decoder *d;
    struct remote_write_item item;
    struct err e = ERR_INIT;
    start(&f);
    ask(&f, "", 0);
    assert_int_equal(f.status, 200);
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Encoding"), "snappy"));
    assert_int_equal(snappy_decode(strbuf_str(&f.body), 1 << 20, &message), 0);
    /* ReadResponse{results 1{timeseries 1}}: inside the one result it reads as a WriteRequest */
    struct decbuf in = decbuf_of(message.data, message.size);
    assert_int_equal(decbuf_u8(&in), 0x0a);
    struct str result = decbuf_sized(&in);
    assert_int_equal(decbuf_left(&in), 0);
    arena_init(&arena, 0);
    assert_int_equal(remote_write_decoder_new(result, &arena, &d), 0);
    static const char *const names[] = {"up", "sizes", "up"}; /* Zone sorts before __name__ */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(remote_write_next(d, &item, &e), 1);
        assert_int_equal(remote_write_labels(d, &item, &e), 0);
        assert_true(str_eq_c(item.labels[i == 0 ? 1 : 0].value, names[i]));
        assert_int_equal(item.sample_count + item.histogram_count, 4);
        assert_int_equal(item.histogram_count, i == 1 ? 4 : 0);
    }
    assert_true(item.samples[3].t_ms == 999750000 && item.samples[3].value == 999750000);
    assert_int_equal(remote_write_next(d, &item, &e), 0);
    arena_release(&arena);
    strbuf_release(&message);
    api_fixture_stop(&f);
}

/* The field of that number in a message; the last one when it comes again. */
static struct str field_of(struct str message, uint32_t wanted, uint64_t *number_out)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct str found = {NULL, 0};
    while (decbuf_left(&in) > 0) {
        uint64_t key = decbuf_uvarint(&in);
        if ((key & 7) == 2) {
            struct str bytes = decbuf_sized(&in);
            found = key >> 3 == wanted ? bytes : found;
        } else {
            uint64_t value = decbuf_uvarint(&in);
            *number_out = key >> 3 == wanted ? value : *number_out;
        }
        assert_false(in.failed);
    }
    return found;
}

static void test_chunks(void **state)
{
    (void)state;
    struct api_fixture f;
    start(&f);
    ask(&f, "\x10\x01", 2);
    assert_int_equal(f.status, 200);
    assert_true(str_eq_c(api_fixture_header(&f, "Content-Type"),
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"));
    struct decbuf in = decbuf_of(f.body.data, f.body.size);
    for (size_t i = 0; i < 3; i++) {
        uint64_t size = decbuf_uvarint(&in), type = 0, unused = 0;
        uint32_t crc = __builtin_bswap32(decbuf_le32(&in));
        struct str frame = decbuf_bytes(&in, size);
        assert_false(in.failed);
        assert_int_equal(crc, crc32c(0, frame.ptr, frame.len));
        struct str chunk = field_of(field_of(frame, 1, &unused), 2, &unused);
        (void)field_of(chunk, 3, &type);
        assert_int_equal(type, i == 1 ? CHUNK_HISTOGRAM : CHUNK_XOR);
        struct arena arena;
        struct chunk_samples samples;
        arena_init(&arena, 0);
        assert_int_equal(
            chunk_decode((unsigned)type, field_of(chunk, 4, &unused), &arena, &samples), 0);
        assert_int_equal(samples.count, 4);
        assert_int_equal(samples.times[3], 999750000);
        if (i == 1) {
            const struct histogram *h = samples.histograms[3];
            assert_true(h->schema == 0 && h->count == 3 && h->sum == 4 && h->positive.count == 2);
            assert_true(h->positive.counts[0] == 1 && h->positive.counts[1] == 2);
        }
        arena_release(&arena);
    }
    assert_int_equal(decbuf_left(&in), 0);
    api_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_federate),
        cmocka_unit_test(test_federate_protobuf),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
