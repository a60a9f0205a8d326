/* What becomes of a message of OTLP metrics at the door. Expected names and labels follow Prometheus' guide on
 * OpenTelemetry. */
#include "receive/receive_otlp.h"

#include <string.h>

#include "door_log.h"
#include "receive/receive_private.h"
#include "support/support.h"

struct fixture {
    struct door_log door;
    struct receive *receive;
    struct strbuf answer;
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
    strbuf_init(&f->answer, 1 << 16);
    options.clock = clock_real();
    options.intakes[RECEIVE_OTLP] = &f->door.intake;
    assert_int_equal(receive_open(&options, &f->receive, &f->e), 0);
}

static void tear_down(struct fixture *f)
{
    receive_close(f->receive);
    door_log_release(&f->door);
    strbuf_release(&f->answer);
}

static int take(struct fixture *f, const char *json)
{
    f->e = (struct err)ERR_INIT;
    strbuf_reset(&f->answer);
    const struct receive_otlp_message m = {.bytes = str_of(json), .json = true};
    return receive_otlp_metrics_signal.take(f->receive, &m, &f->answer, &f->e);
}

static int take_protobuf(struct fixture *f, struct str bytes)
{
    const struct receive_otlp_message m = {.bytes = bytes};
    strbuf_reset(&f->answer);
    return receive_otlp_metrics_signal.take(f->receive, &m, &f->answer, &f->e);
}

#define METRICS(text) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[" text "]}]}]}"
#define DELTA(seconds, value)                                                                      \
    METRICS(                                                                                       \
        "{\"name\":\"jobs\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,"           \
        "\"dataPoints\":[{\"timeUnixNano\":\"" seconds "000000000\",\"asInt\":\"" value "\"}]}}")
#define GAUGE                                                                                      \
    METRICS("{\"name\":\"room.temp\",\"unit\":\"Cel\",\"description\":\"warm\",\"gauge\":{"        \
            "\"dataPoints\":[{\"timeUnixNano\":\"1000000000\",\"asDouble\":21.5,"                  \
            "\"attributes\":[{\"key\":\"zone\",\"value\":{\"stringValue\":\"a\"}}]}]}}")

static void test_samples_reach_the_door_with_external_labels(void **state)
{
    struct fixture f;
    const struct label external[] = {{STR("host"), STR("h")}, {STR("zone"), STR("theirs")}};
    set_up(&f);
    assert_int_equal(take(&f, GAUGE), 0);
    door_log_expect(&f.door, "room_temp_celsius{zone=\"a\"} 21.5 @1000\n");
    assert_string_equal(f.door.metadata.data, "room_temp_celsius gauge warm Cel\n");
    assert_int_equal(f.door.commits, 1);
    assert_true(str_eq_c(strbuf_str(&f.answer), "{}"));
    assert_int_equal(labels_new(external, 2, &f.door.external, NULL), 0);
    assert_int_equal(take(&f, GAUGE), 0);
    door_log_expect(&f.door, "room_temp_celsius{host=\"h\", zone=\"a\"} 21.5 @1000\n");
    /* Metadata is said once a minute. */
    assert_string_equal(f.door.metadata.data, "room_temp_celsius gauge warm Cel\n");
    tear_down(&f);
}

static void test_deltas_add_up_and_come_twice_only_once(void **state)
{
    struct fixture f;
    struct receive_statistics s;
    set_up(&f);
    assert_int_equal(take(&f, DELTA("10", "5")), 0);
    assert_int_equal(take(&f, DELTA("20", "3")), 0);
    door_log_expect(&f.door, "jobs_total 5 @10000\njobs_total 8 @20000\n");
    assert_int_equal(take(&f, DELTA("20", "3")), 0);
    door_log_expect(&f.door, "");
    assert_non_null(strstr(f.answer.data, "\"rejectedDataPoints\""));
    receive_statistics(f.receive, RECEIVE_OTLP, &s);
    assert_int_equal(s.rejected_samples, 1);
    tear_down(&f);
}

static void test_what_the_queue_does_not_take_is_not_counted(void **state)
{
    struct fixture f;
    set_up(&f);
    f.door.commit_status = ERR_LIMIT;
    int status = take(&f, DELTA("10", "5"));
    assert_int_equal(status, ERR_NO_SPACE);
    assert_int_equal(receive_status(status), 503);
    f.door.commit_status = 0;
    assert_int_equal(take(&f, DELTA("10", "5")), 0);
    door_log_expect(&f.door, "jobs_total 5 @10000\njobs_total 5 @10000\n");
    tear_down(&f);
}

static void test_messages_that_cannot_be_read(void **state)
{
    static const char *const messages[] = {"", "{", "[]", "{\"resourceMetrics\": 3}"};
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        assert_int_equal(receive_status(take(&f, messages[i])), 400);
        assert_string_not_equal(f.e.message, "");
    }
    assert_int_equal(f.door.commits, 0);
    assert_int_equal(take_protobuf(&f, STR("\x0a\x7f")), ERR_CORRUPT);
    /* Empty is a success. */
    assert_int_equal(take_protobuf(&f, STR("")), 0);
    assert_int_equal(take(&f, "{}"), 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_reach_the_door_with_external_labels),
        cmocka_unit_test(test_deltas_add_up_and_come_twice_only_once),
        cmocka_unit_test(test_what_the_queue_does_not_take_is_not_counted),
        cmocka_unit_test(test_messages_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
