/* Halves that meet, and those that do not. */
#include <stdio.h>
#include <string.h>

#include "graph/edge_store.h"
#include "support/fault_loop.h"
#include "support/support.h"

#define SECOND_NS ((uint64_t)1000000000)

static const struct edge_store_options options = {
    .wait_ms = 1000, .waiting_max = 100, .edges_max = 5};

/* A half in few words: c(lient), s(erver), d(atabase client), p(roducer), q: consumer. */
static struct half_edge half(char side, const char *service, const char *peer, uint64_t span_id)
{
    return (struct half_edge){
        .trace_id = {1, 2},
        .span_id = span_id,
        .is_server = side == 's' || side == 'q',
        .messaging = side == 'p' || side == 'q',
        .database = side == 'd',
        .service = str_of(service),
        .peer = str_of(peer),
        .duration_ns = side == 's' ? SECOND_NS : 2 * SECOND_NS,
        .weight = 1,
    };
}

static void add(struct edge_store *s, struct half_edge h, int64_t now_ms)
{
    edge_store_add(s, &h, now_ms);
}

/* All edges, a line each, in order of their making. */
static void expect(const struct edge_store *s, const char *text)
{
    static const char *const kinds[] = {"plain", "virtual", "messaging", "database", "unpaired"};
    struct strbuf out = STRBUF_INIT;
    strbuf_add_c(&out, "");
    for (size_t i = 0; i < edge_store_end(s); i++) {
        const struct edge *e = edge_store_at(s, i);
        if (e->generation != 0) {
            struct str client = edge_store_name(s, e->client),
                       server = edge_store_name(s, e->server);
            strbuf_addf(&out, "%.*s>%.*s %s %g/%g %g %g\n", STR_ARG(client), STR_ARG(server),
                kinds[e->kind], e->failed, e->total, e->client_latency.sum, e->server_latency.sum);
        }
    }
    if (!str_eq_c(strbuf_str(&out), text)) {
        fail_msg("edges\n%s\nexpected\n%s", out.data, text);
    }
    strbuf_release(&out);
}

static struct edge_store_statistics statistics_of(const struct edge_store *s)
{
    struct edge_store_statistics statistics;
    edge_store_statistics(s, &statistics);
    return statistics;
}

static void test_two_halves_make_a_call(void **state)
{
    struct edge_store *s;
    assert_int_equal(edge_store_new(&options, &s), 0);
    add(s, half('c', "a", "", 1), 0);
    expect(s, "");
    add(s, half('s', "b", "", 1), 999);
    expect(s, "a>b plain 0/1 2 1\n");
    add(s, half('s', "b", "", 2), 1000); /* the server's first */
    struct half_edge client = half('c', "a", "b:80", 2);
    client.failed = true;
    client.weight = 4;
    add(s, client, 1500);
    expect(s, "a>b plain 4/5 10 5\n");
    edge_store_expire(s, 10000);
    expect(s, "a>b plain 4/5 10 5\n");
    assert_int_equal(statistics_of(s).calls, 2);
    assert_int_equal(statistics_of(s).unpaired, 0);
    assert_int_equal(statistics_of(s).waiting, 0);
    edge_store_free(s);
}

static void test_calls_of_one_half(void **state)
{
    static const struct {
        char side;
        const char *peer;
        uint64_t span_id;
        const char *at_once, *in_the_end;
    } rows[] = {
        {'s', "", 0, "user>a virtual 0/1 1 1\n", "user>a virtual 0/1 1 1\n"},
        {'d', "orders", 1, "a>orders database 0/1 2 2\n", "a>orders database 0/1 2 2\n"},
        {'d', "", 1, "", "a> unpaired 0/1 0 0\n"},
        {'c', "pay.example", 1, "", "a>pay.example virtual 0/1 2 2\n"},
        {'c', "", 1, "", "a> unpaired 0/1 0 0\n"},
        {'s', "", 1, "", ">a unpaired 0/1 0 0\n"},
        {'p', "jobs", 1, "", "a>jobs messaging 0/1 2 2\n"},
        {'q', "", 1, "", ">a unpaired 0/1 0 0\n"},
        {'q', "", 0, "user>a virtual 0/1 2 2\n", "user>a virtual 0/1 2 2\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct edge_store *s;
        assert_int_equal(edge_store_new(&options, &s), 0);
        add(s, half(rows[i].side, "a", rows[i].peer, rows[i].span_id), 0);
        edge_store_expire(s, 999);
        expect(s, rows[i].at_once);
        edge_store_expire(s, 1000);
        expect(s, rows[i].in_the_end);
        edge_store_free(s);
    }
}

static void test_messaging(void **state)
{
    struct edge_store *s;
    assert_int_equal(edge_store_new(&options, &s), 0);
    add(s, half('p', "a", "jobs", 1), 0);
    add(s, half('q', "b", "", 1), 0);
    expect(s, "a>b messaging 0/1 2 2\n");
    edge_store_free(s);
}

/* What comes again changes nothing while the call is remembered, and is a stranger after. */
static void test_repetitions(void **state)
{
    struct edge_store *s;
    assert_int_equal(edge_store_new(&options, &s), 0);
    add(s, half('c', "a", "", 1), 0);
    add(s, half('c', "a", "", 1), 1);
    add(s, half('s', "b", "", 1), 2);
    add(s, half('s', "b", "", 1), 3);
    add(s, half('c', "a", "", 1), 4);
    expect(s, "a>b plain 0/1 2 1\n");
    assert_int_equal(statistics_of(s).repeated, 3);
    edge_store_expire(s, 1000);
    add(s, half('s', "b", "", 1), 1001);
    edge_store_expire(s, 3000);
    expect(s, "a>b plain 0/1 2 1\n>b unpaired 0/1 0 0\n");
    edge_store_free(s);
}

static void test_bounds(void **state)
{
    struct edge_store *s;
    char name[20];
    assert_int_equal(edge_store_new(&options, &s), 0);
    for (uint64_t i = 1; i <= 150; i++) { /* 100 may wait */
        add(s, half('c', "a", "b", i), 0);
    }
    assert_int_equal(statistics_of(s).evicted, 50);
    assert_int_equal(statistics_of(s).waiting, 100);
    expect(s, "a>b virtual 0/50 100 100\n"); /* in vain a little early, but not lost */
    edge_store_expire(s, 1000);
    expect(s, "a>b virtual 0/150 300 300\n");
    for (uint64_t i = 0; i < 20; i++) { /* five edges may be */
        snprintf(name, sizeof(name), "db%d", (int)i);
        add(s, half('d', "a", name, 1), 0);
    }
    assert_int_equal(statistics_of(s).edges, 6);
    const struct edge *overflow = edge_store_at(s, 5);
    assert_true(str_eq_c(edge_store_name(s, overflow->client), EDGE_OVERFLOW));
    assert_true(str_eq_c(edge_store_name(s, overflow->server), EDGE_OVERFLOW));
    assert_true(overflow->total == 16);
    edge_store_remove(s, 0);
    edge_store_remove(s, 1);
    add(s, half('s', "c", "", 0), 0); /* takes the place */
    assert_true(str_eq_c(edge_store_name(s, edge_store_at(s, 0)->server), "c"));
    edge_store_free(s);
}

/* A model of few words: whatever the order, each key's halves make one call or are given up. */
static void test_random_orders(void **state)
{
    enum { KEYS = 4000, ADDED = 10000 };
    static uint8_t sides[KEYS]; /* 1 client's, 2 server's, while it waits or is remembered */
    static int64_t since[KEYS];
    const struct edge_store_options wide = {.wait_ms = 1000, .waiting_max = KEYS, .edges_max = 100};
    struct edge_store *s;
    uint64_t random = test_seed(), calls = 0, repeated = 0, given_up = 0;
    memset(sides, 0, sizeof(sides));
    assert_int_equal(edge_store_new(&wide, &s), 0);
    for (int64_t now = 0; now < ADDED; now++) {
        uint64_t key = test_random(&random) % KEYS;
        uint8_t side = test_random(&random) % 2 == 0 ? 1 : 2;
        edge_store_expire(s, now);
        for (size_t i = 0; i < KEYS; i++) {
            if (sides[i] != 0 && now - since[i] >= 1000) {
                given_up += sides[i] != 3;
                sides[i] = 0;
            }
        }
        add(s, half(side == 1 ? 'c' : 's', side == 1 ? "a" : "b", "", key + 1), now);
        if (sides[key] == 0) {
            since[key] = now;
            sides[key] = side;
        } else if ((sides[key] & side) != 0) {
            repeated++;
        } else {
            sides[key] = 3;
            calls++;
        }
    }
    struct edge_store_statistics statistics = statistics_of(s);
    assert_int_equal(statistics.calls, calls);
    assert_int_equal(statistics.repeated, repeated);
    assert_int_equal(statistics.unpaired, given_up);
    assert_int_equal(statistics.evicted + statistics.lost, 0);
    edge_store_free(s);
}

static int add_under_fire(void *context, struct vfs *fs)
{
    struct edge_store *s;
    char name[20];
    int status = edge_store_new(&options, &s);
    if (status != 0) {
        return status;
    }
    for (uint64_t i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "s%d", (int)(i % 7));
        add(s, half(i % 3 == 0 ? 's' : 'c', name, "", i / 2 + 1), (int64_t)i * 10);
        edge_store_expire(s, (int64_t)i * 10);
    }
    struct edge_store_statistics statistics = statistics_of(s);
    edge_store_free(s);
    return statistics.lost > 0 ? ERR_NOMEM : 0;
}

static void test_each_failing_allocation(void **state)
{
    const struct fault_scenario scenario = {.name = "edge_store", .run = add_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_halves_make_a_call),
        cmocka_unit_test(test_calls_of_one_half),
        cmocka_unit_test(test_messaging),
        cmocka_unit_test(test_repetitions),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_random_orders),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
