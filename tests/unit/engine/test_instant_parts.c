/* Instant queries over history on disk, where a part reads one row of a block: equal, to the bit, to those
 * over a store of plain arrays with the same samples, now and in the past (offset, @), whether samples are in
 * the head, in one part, or in several that overlap. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "query/engine.h"
#include "row/row_limits.h"
#include "support/memory_store.h"
#include "support/store_fixture.h"
#include "support/support.h"

#define INTERVAL_MS 15000
#define STEPS 720 /* three hours */
#define START FIXTURE_START_MS

enum kind {
    CONSTANT,
    COUNTER,
    DECIMAL,
    RANDOM,  /* any bits of a mantissa */
    TWICE,   /* leans on the counter */
    PLUS,    /* and this on that */
    PAYLOAD, /* NaNs that differ in their payload, among numbers */
    GAPPY,   /* nothing for longer than the look-back */
    GONE,    /* a stale marker, then nothing, then again */
    LATE,    /* every other sample comes when those beside it are in a part */
    HISTOGRAM,
    SWITCHES, /* floats, then histograms */
    KINDS
};

static const char *const names[KINDS] = {"constant", "counter", "decimal", "random", "twice",
    "plus", "payload", "gappy", "gone", "late", "histogram", "switches"};

struct pair {
    struct store_fixture f;
    struct memory_store *plain;
    struct engine *engine;
    const struct labels *labels[KINDS];
};

static double value_at(enum kind kind, int step)
{
    uint64_t random = (uint64_t)step * 2654435761u + 17;
    double counter = step * 3 + step % 7;
    switch (kind) {
    case CONSTANT:
        return 42.5;
    case DECIMAL:
        return (double)(step * 7919 % 1000) / 100;
    case RANDOM:
        return 1 + (double)(test_random(&random) >> 12) * 0x1p-52;
    case TWICE:
        return 2 * counter;
    case PLUS:
        return 2 * counter + step % 3;
    case PAYLOAD:
        return step % 3 == 0 ? double_from_bits(0x7ff8000000000000u + (unsigned)step) : step;
    case GONE:
        return step % 100 == 60 ? double_from_bits(STALE_MARKER_BITS) : step;
    default:
        return counter;
    }
}

static bool is_there(enum kind kind, int step)
{
    return (kind != GAPPY || step % 60 < 30) && (kind != GONE || step % 100 <= 60);
}

static bool is_histogram(enum kind kind, int step)
{
    return kind == HISTOGRAM || (kind == SWITCHES && step % 200 >= 90);
}

/* One sample into both stores. */
static void append(struct pair *p, struct appender *a, enum kind kind, int step)
{
    static const struct histogram_span span = {.offset = 1, .length = 1};
    int64_t t = START + (int64_t)step * INTERVAL_MS;
    double value = value_at(kind, step);
    struct series_ref ref;
    const struct labels *labels = p->labels[kind];
    assert_int_equal(
        appender_series(a, labels_pairs(labels), labels_count(labels), NULL, &ref, NULL), 0);
    if (is_histogram(kind, step)) {
        const struct histogram h = {.schema = 0,
            .integer = true,
            .count = value,
            .sum = value * 1.5,
            .positive = {.spans = &span, .span_count = 1, .counts = &value, .count = 1}};
        assert_int_equal(appender_append_histogram(a, ref, t, &h), 0);
        assert_int_equal(memory_store_append_histogram(p->plain, labels, t, &h), 0);
    } else {
        assert_int_equal(appender_append(a, ref, t, value), 0);
        assert_int_equal(memory_store_append(p->plain, labels, t, value), 0);
    }
}

static void write_steps(struct pair *p, int from, int to)
{
    for (int step = from; step < to; step++) {
        struct appender *a = NULL;
        assert_int_equal(appender_open(tsdb_appender_source(p->f.db), &a, NULL), 0);
        for (int kind = 0; kind < KINDS; kind++) {
            if (is_there((enum kind)kind, step) && (kind != LATE || step % 2 == 0)) {
                append(p, a, (enum kind)kind, step);
            }
        }
        assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
    }
}

static void write_late(struct pair *p, int from, int to)
{
    struct appender *a = NULL;
    assert_int_equal(appender_open(tsdb_appender_source(p->f.db), &a, NULL), 0);
    for (int step = from | 1; step < to; step += 2) {
        append(p, a, LATE, step);
    }
    assert_int_equal(appender_commit(a, COMMIT_AS_CONFIGURED, NULL, NULL), 0);
}

static void setup(struct pair *p)
{
    store_fixture_init(&p->f, START + (int64_t)STEPS * INTERVAL_MS);
    store_fixture_open(&p->f);
    p->plain = memory_store_new();
    const struct engine_options options = {.clock = &p->f.clock.clock};
    assert_int_equal(engine_new(&options, &p->engine), 0);
    for (int kind = 0; kind < KINDS; kind++) {
        const struct label pairs[] = {{STR("__name__"), str_of(names[kind])},
            {STR("instance"), STR("host:9100")}, {STR("job"), STR("node")}};
        assert_int_equal(labels_new(pairs, 3, &p->labels[kind], NULL), 0);
    }
}

static void teardown(struct pair *p)
{
    for (int kind = 0; kind < KINDS; kind++) {
        labels_unref(p->labels[kind]);
    }
    engine_free(p->engine);
    memory_store_free(p->plain);
    store_fixture_close(&p->f);
}

/* ---- Comparing ---- */

/* The bits of a number, or a histogram as text; and its time. */
static void write_sample(const struct engine_series *s, struct strbuf *out)
{
    if (s->float_count > 0) {
        strbuf_addf(out, "%016llx@%lld", (unsigned long long)double_bits(s->floats[0]),
            (long long)s->float_times[0]);
    }
    if (s->histogram_count > 0) {
        histogram_write(s->histograms[0], out);
        strbuf_addf(out, "@%lld", (long long)s->histogram_times[0]);
    }
}

static char *ask(
    struct pair *p, struct querier_source *source, const char *query, int64_t t, size_t *count_out)
{
    struct engine_result result;
    struct err e = ERR_INIT;
    struct strbuf out = STRBUF_INIT;
    if (engine_instant(p->engine, source, str_of(query), t, NULL, &result, &e) != 0) {
        fail_msg("%s: %s", query, e.message);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < result.series_count; i++) {
            if (labels_eq(result.series[i].labels, p->labels[kind])) {
                strbuf_addf(&out, "\n  %s ", names[kind]);
                write_sample(&result.series[i], &out);
            }
        }
    }
    strbuf_add_char(&out, '\0');
    *count_out = result.series_count;
    engine_result_release(&result);
    return out.data;
}

/* Both answers; the number of series. */
static size_t compare(struct pair *p, const char *query, int64_t t)
{
    size_t expected_count = 0, count = 0;
    char *expected = ask(p, memory_store_source(p->plain), query, t, &expected_count);
    char *got = ask(p, tsdb_querier_source(p->f.db), query, t, &count);
    if (count != expected_count || strcmp(got, expected) != 0) {
        fail_msg("%s at %lld, expected:%s\ngot:%s", query, (long long)(t - START), expected, got);
    }
    mem_free(expected);
    mem_free(got);
    return count;
}

static void compare_all(struct pair *p, int steps, uint64_t *random)
{
    size_t series = 0;
    int64_t last = START + (int64_t)(steps - 1) * INTERVAL_MS;
    for (int round = 0; round < 60; round++) {
        int64_t span = (int64_t)steps * INTERVAL_MS + 600000;
        int64_t t = START + (int64_t)(test_random(random) % (uint64_t)span);
        char at[96];
        t = round == 0 ? last : round == 1 ? last - 1 : round == 2 ? START : t;
        (void)snprintf(at, sizeof(at), "{job=\"node\"} @ %lld.%03lld", (long long)(t / 1000),
            (long long)(t % 1000));
        series += compare(p, "{job=\"node\"}", t);
        series += compare(p, "{job=\"node\"} offset 37m", t);
        series += compare(p, "{job=\"node\"} offset -11m", t);
        series += compare(p, at, last);
        series += compare(p, "{__name__=~\"twice|plus|histogram\"} offset 1h1s", t + 3600000);
    }
    assert_true(series > 60 * 20);
}

static void test_instants(void **state)
{
    struct pair p;
    uint64_t random = test_seed();
    struct err e = ERR_INIT;
    setup(&p);
    write_steps(&p, 0, STEPS / 2);
    compare_all(&p, STEPS / 2, &random);
    assert_int_equal(tsdb_compact(p.f.db, &e), 0);
    compare_all(&p, STEPS / 2, &random);
    /* Samples between those of the part, and more behind it. */
    write_late(&p, 0, STEPS / 2);
    write_steps(&p, STEPS / 2, STEPS);
    compare_all(&p, STEPS, &random);
    assert_int_equal(tsdb_compact(p.f.db, &e), 0);
    assert_true(store_fixture_statistics(&p.f).seals > 1);
    compare_all(&p, STEPS, &random);
    store_fixture_reopen(&p.f);
    compare_all(&p, STEPS, &random);
    teardown(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
