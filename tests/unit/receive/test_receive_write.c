/* Messages of remote write at the door: made with the encoders, judged by what the specification says of
 * receivers. */
#include "receive/receive_write.h"

#include <string.h>

#include "door_log.h"
#include "receive/receive_private.h"
#include "support/support.h"
#include "wire/remote_write2.h"

struct fixture {
    struct door_log door;
    struct receive *receive;
    struct strbuf message, labels;
    struct receive_written written;
    struct err e;
};

static void set_up(struct fixture *f)
{
    struct receive_options options = {.http_address = "",
        .grpc_address = "",
        .config = {.otlp = {"UnderscoreEscapingWithSuffixes", {0}, false, false, 10},
            .statsd = {"", "", 10000, 10},
            .graphite = {""},
            .jaeger = {"", ""}}};
    *f = (struct fixture){.e = ERR_INIT};
    door_log_init(&f->door);
    strbuf_init(&f->message, 1 << 20);
    strbuf_init(&f->labels, 1 << 20);
    options.clock = clock_real();
    options.intakes[RECEIVE_WRITE] = &f->door.intake;
    assert_int_equal(receive_open(&options, &f->receive, &f->e), 0);
}

static void tear_down(struct fixture *f)
{
    receive_close(f->receive);
    door_log_release(&f->door);
    strbuf_release(&f->message);
    strbuf_release(&f->labels);
}

static void add_series(struct fixture *f, const struct label *labels, size_t label_count,
    const struct sample *samples, size_t sample_count)
{
    strbuf_reset(&f->labels);
    remote_write_encode_labels(labels, label_count, &f->labels);
    remote_write_encode_series(strbuf_str(&f->labels), samples, sample_count, &f->message);
}

static int take(struct fixture *f, enum receive_write_version version)
{
    f->e = (struct err)ERR_INIT;
    return receive_write_take(f->receive, version, strbuf_str(&f->message), &f->written, &f->e);
}

static const struct label up[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("a")}};
static const struct label twice[] = {
    {STR("__name__"), STR("up")}, {STR("job"), STR("a")}, {STR("job"), STR("b")}};
static const struct sample two[] = {{1000, 1}, {2000, 0}};

static void test_samples_and_metadata_of_1(void **state)
{
    struct fixture f;
    set_up(&f);
    add_series(&f, up, 2, two, 2);
    remote_write_encode_metadata(METRIC_TYPE_GAUGE, STR("up"), STR("alive"), STR(""), &f.message);
    assert_int_equal(take(&f, RECEIVE_WRITE_1), 0);
    door_log_expect(&f.door, "up{job=\"a\"} 1 @1000\nup{job=\"a\"} 0 @2000\n");
    assert_string_equal(f.door.metadata.data, "up gauge alive \n");
    assert_int_equal(f.written.samples, 2);
    assert_int_equal(f.written.refused_series, 0);
    assert_int_equal(f.door.commits, 1);
    tear_down(&f);
}

static void test_samples_of_2(void **state)
{
    struct fixture f;
    struct remote_write2_encoder *encoder;
    const struct label external[] = {{STR("job"), STR("other")}, {STR("zone"), STR("z")}};
    const struct remote_write2_series series = {.labels = up,
        .label_count = 2,
        .samples = two,
        .sample_count = 2,
        .type = METRIC_TYPE_GAUGE,
        .help = STR("alive")};
    set_up(&f);
    assert_int_equal(labels_new(external, 2, &f.door.external, NULL), 0);
    assert_int_equal(remote_write2_encoder_new(&encoder), 0);
    remote_write2_encoder_add(encoder, &series);
    assert_int_equal(remote_write2_encoder_finish(encoder, &f.message), 0);
    remote_write2_encoder_free(encoder);
    assert_int_equal(take(&f, RECEIVE_WRITE_2), 0);
    door_log_expect(
        &f.door, "up{job=\"a\", zone=\"z\"} 1 @1000\nup{job=\"a\", zone=\"z\"} 0 @2000\n");
    assert_int_equal(f.written.samples, 2);
    tear_down(&f);
}

static void test_a_bad_series_does_not_spoil_the_others(void **state)
{
    struct fixture f;
    struct receive_statistics s;
    set_up(&f);
    add_series(&f, twice, 3, two, 2);
    add_series(&f, up, 2, two, 1);
    assert_int_equal(take(&f, RECEIVE_WRITE_1), 0);
    door_log_expect(&f.door, "up{job=\"a\"} 1 @1000\n");
    assert_int_equal(f.written.refused_series, 1);
    assert_int_equal(f.written.refused_samples, 2);
    assert_non_null(strstr(f.written.first.message, "job"));
    receive_statistics(f.receive, RECEIVE_WRITE, &s);
    assert_int_equal(s.rejected_samples, 2);
    tear_down(&f);
}

static void test_a_message_broken_at_its_end_leaves_nothing(void **state)
{
    struct fixture f;
    set_up(&f);
    add_series(&f, up, 2, two, 2);
    size_t whole = f.message.size;
    add_series(&f, up, 2, two, 1);
    for (size_t size = whole + 1; size < f.message.size; size++) {
        struct receive_written written;
        struct err e = ERR_INIT;
        int status = receive_write_take(
            f.receive, RECEIVE_WRITE_1, str_make(f.message.data, size), &written, &e);
        assert_int_equal(status, ERR_CORRUPT);
        assert_string_not_equal(e.message, "");
        door_log_expect(&f.door, "");
    }
    tear_down(&f);
}

static void test_many_samples_come_in_pieces(void **state)
{
    enum { COUNT = 12001 };
    static struct sample many[COUNT];
    struct fixture f;
    size_t lines = 0;
    set_up(&f);
    for (size_t i = 0; i < COUNT; i++) {
        many[i] = (struct sample){(int64_t)i, 1};
    }
    add_series(&f, up, 2, many, COUNT);
    assert_int_equal(take(&f, RECEIVE_WRITE_1), 0);
    assert_int_equal(f.written.samples, COUNT);
    for (size_t i = 0; i < f.door.text.size; i++) {
        lines += f.door.text.data[i] == '\n';
    }
    assert_int_equal(lines, COUNT);
    tear_down(&f);
}

static void test_the_queue_refuses(void **state)
{
    struct fixture f;
    set_up(&f);
    add_series(&f, up, 2, two, 1);
    f.door.commit_status = ERR_NOMEM;
    assert_int_equal(receive_status(take(&f, RECEIVE_WRITE_1)), 503);
    tear_down(&f);
}

static void test_content_types(void **state)
{
    static const struct {
        const char *type;
        int status, version;
    } rows[] = {
        {"", 0, 1},
        {"application/x-protobuf", 0, 1},
        {"Application/X-Protobuf; charset=x", 0, 1},
        {"application/x-protobuf;proto=prometheus.WriteRequest", 0, 1},
        {"application/x-protobuf; proto=io.prometheus.write.v2.Request", 0, 2},
        {"application/x-protobuf;proto=io.prometheus.write.v3.Request", ERR_UNSUPPORTED, 0},
        {"application/json", ERR_UNSUPPORTED, 0},
        {";", ERR_UNSUPPORTED, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;
        enum receive_write_version version = 0;
        assert_int_equal(receive_write_kind(str_of(rows[i].type), &version, &e), rows[i].status);
        assert_int_equal(version, rows[i].version);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_and_metadata_of_1),
        cmocka_unit_test(test_samples_of_2),
        cmocka_unit_test(test_a_bad_series_does_not_spoil_the_others),
        cmocka_unit_test(test_a_message_broken_at_its_end_leaves_nothing),
        cmocka_unit_test(test_many_samples_come_in_pieces),
        cmocka_unit_test(test_the_queue_refuses),
        cmocka_unit_test(test_content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
