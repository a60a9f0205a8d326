/* Which half of a call a span is, and when halves leave. */
#include <string.h>

#include "base/gzip.h"
#include "spans/span_halves.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"
#include "support/support.h"

static const struct sender_options destinations[] = {{.name = "main", .url = "http://r/v1/traces"}};

struct world {
    struct sim_vfs *disk;
    struct fake_clock clock;
    struct sim_http_client http;
    struct span_shipper *shipper;
    struct span_halves *halves;
};

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->disk = sim_vfs_new(test_seed());
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    const struct outbox_options outbox = {
        .queue = {.path = "spans", .vfs = sim_vfs_get(w->disk)},
        .destinations = destinations,
        .destination_count = 1,
        .client = &w->http.client,
        .clock = &w->clock.clock,
        .seed = test_seed(),
    };
    assert_int_equal(span_shipper_open(&outbox, &w->shipper, NULL), 0);
    assert_int_equal(span_halves_new(w->shipper, &w->clock.clock, &w->halves), 0);
}

static void end(struct world *w)
{
    span_halves_free(w->halves);
    span_shipper_close(w->shipper);
    sim_http_client_release(&w->http);
    sim_vfs_free(w->disk);
}

/* A span with one or two attributes; "" is none. */
static void add(struct world *w, enum span_kind kind, const char *keys[2], const char *values[2])
{
    struct attribute attributes[2];
    size_t count = 0;
    for (size_t i = 0; i < 2 && keys[i] != NULL; i++) {
        attributes[count++] = (struct attribute){
            .key = str_of(keys[i]), .kind = ATTRIBUTE_STRING, .bytes = str_of(values[i])};
    }
    const struct attribute name = {
        .key = STR("service.name"), .kind = ATTRIBUTE_STRING, .bytes = STR("shop")};
    const struct span_resource resource = {.attributes = {&name, 1}};
    const struct otlp_span span = {
        .span =
            {
                .trace_id = {1, 2},
                .span_id = 10,
                .parent_id = 20,
                .kind = kind,
                .status = SPAN_STATUS_ERROR,
                .start_ns = 5,
                .end_ns = 1005,
                .attributes = {attributes, count},
            },
        .resource = &resource,
    };
    span_halves_add(w->halves, &span, 1);
}

/* The halves in the next request; how many. */
static size_t read_halves(
    struct world *w, struct arena *arena, struct half_edge *halves, size_t cap)
{
    struct strbuf message = STRBUF_INIT;
    struct half_edge_reader reader;
    size_t count = 0;
    span_shipper_step(w->shipper);
    assert_int_equal(w->http.in_flight, 1);
    assert_int_equal(
        gzip_decode(str_make(w->http.last.body, w->http.last.body_size), OTLP_TRACES_MAX, &message),
        0);
    struct str copy = str_make(arena_dup(arena, message.data, message.size), message.size);
    half_edge_reader_init(&reader, copy, arena);
    while (count < cap && half_edge_reader_next(&reader, &halves[count]) == 1) {
        count++;
    }
    strbuf_release(&message);
    sim_http_client_expect(&w->http, &(struct sim_http_answer){.status = 200});
    assert_true(sim_http_client_deliver(&w->http));
    return count;
}

static void test_kinds_and_peers(void **state)
{
    static const struct {
        enum span_kind kind;
        const char *keys[2], *values[2];
        bool is_half, is_server, messaging, database;
        uint64_t span_id;
        const char *peer;
    } rows[] = {
        {SPAN_KIND_INTERNAL, {NULL}, {NULL}, false, false, false, false, 0, ""},
        {SPAN_KIND_UNSPECIFIED, {NULL}, {NULL}, false, false, false, false, 0, ""},
        {SPAN_KIND_SERVER, {NULL}, {NULL}, true, true, false, false, 20, ""},
        {SPAN_KIND_CONSUMER, {NULL}, {NULL}, true, true, true, false, 20, ""},
        {SPAN_KIND_CLIENT, {NULL}, {NULL}, true, false, false, false, 10, ""},
        {SPAN_KIND_PRODUCER, {"messaging.system", "messaging.destination.name"}, {"kafka", "jobs"},
            true, false, true, false, 10, "jobs"},
        {SPAN_KIND_CLIENT, {"db.system", "db.name"}, {"mysql", "orders"}, true, false, false, true,
            10, "orders"},
        {SPAN_KIND_CLIENT, {"db.system.name", NULL}, {"redis", NULL}, true, false, false, true, 10,
            "redis"},
        {SPAN_KIND_CLIENT, {"db.name", "peer.service"}, {"orders", "db1"}, true, false, false, true,
            10, "db1"},
        {SPAN_KIND_CLIENT, {"server.address", "http.method"}, {"pay.example", "GET"}, true, false,
            false, false, 10, "pay.example"},
        {SPAN_KIND_CLIENT, {"peer.service", "server.address"}, {"pay", "10.0.0.1"}, true, false,
            false, false, 10, "pay"},
        {SPAN_KIND_SERVER, {"server.address", NULL}, {"me", NULL}, true, true, false, false, 20,
            ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        struct arena arena;
        struct half_edge half;
        arena_init(&arena, 0);
        begin(&w);
        add(&w, rows[i].kind, (const char **)rows[i].keys, (const char **)rows[i].values);
        span_halves_keep(w.halves);
        span_halves_flush(w.halves);
        if (rows[i].is_half) {
            assert_int_equal(read_halves(&w, &arena, &half, 1), 1);
            bool same = half.is_server == rows[i].is_server &&
                        half.messaging == rows[i].messaging && half.database == rows[i].database &&
                        half.span_id == rows[i].span_id && str_eq_c(half.peer, rows[i].peer) &&
                        str_eq_c(half.service, "shop") && half.failed && half.duration_ns == 1000;
            if (!same) {
                fail_msg("row %zu: server %d, messaging %d, database %d, span %d, peer %.*s", i,
                    half.is_server, half.messaging, half.database, (int)half.span_id,
                    STR_ARG(half.peer));
            }
        } else {
            span_shipper_step(w.shipper);
            assert_int_equal(w.http.in_flight, 0);
        }
        end(&w);
        arena_release(&arena);
    }
}

/* Halves of spans that were not taken are forgotten; the others leave after a second. */
static void test_when_halves_leave(void **state)
{
    static const char *none[2] = {NULL, NULL};
    struct world w;
    struct arena arena;
    struct half_edge halves[8];
    struct span_halves_statistics s;
    arena_init(&arena, 0);
    begin(&w);
    add(&w, SPAN_KIND_CLIENT, none, none);
    add(&w, SPAN_KIND_SERVER, none, none);
    span_halves_keep(w.halves);
    add(&w, SPAN_KIND_CLIENT, none, none);
    span_halves_drop(w.halves);
    assert_int_equal(span_halves_step(w.halves), SPAN_HALVES_WAIT_MS);
    fake_clock_advance_ms(&w.clock, SPAN_HALVES_WAIT_MS - 1);
    assert_int_equal(span_halves_step(w.halves), 1);
    span_shipper_step(w.shipper);
    assert_int_equal(w.http.in_flight, 0);
    fake_clock_advance_ms(&w.clock, 1);
    (void)span_halves_step(w.halves);
    assert_int_equal(read_halves(&w, &arena, halves, 8), 2);
    span_halves_statistics(w.halves, &s);
    assert_int_equal(s.halves, 2);
    assert_int_equal(s.lost, 0);
    end(&w);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_peers),
        cmocka_unit_test(test_when_halves_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
