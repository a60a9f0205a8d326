/* The life of a store of traces, by chance, against a plain list.
 *
 * Traces of several services arrive in pieces: some late, some twice, some with an error, several in a message.
 * Between them time passes, blocks are cut, merged and written anew without what is due, the store is closed and
 * opened, or the power fails. All the while:
 *
 *   - a span that its own rules keep is found, by the id of its trace and by a search of its service and time;
 *   - nothing is found that was not taken, no span of a trace twice, none with another start;
 *   - when all rules have had their time nothing is left.
 *
 * A span may stay longer than its own rules say: for others of its trace, or of its block.
 */
#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"
#include "tsdb/span_page.h"
#include "tsdb/span_store.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define START_MS INT64_C(1700000000000)

enum { STEPS = 1500, TRACES = 1200, SPANS_OF_TRACE = 24, OPEN_TRACES = 16, CHECK_EACH = 25 };

static const struct span_retention_rule rules[] = {{STR("brief"), HOUR}, {STR("audit"), 24 * HOUR}};
static const char *const services[] = {"brief", "shop", "audit"};
static const int64_t kept_ms[] = {HOUR, 4 * HOUR, 24 * HOUR};
#define ERRORS_MS (12 * HOUR)
#define LONGEST_MS (24 * HOUR)

struct known {
    uint64_t start_ns;
    uint8_t service;
    bool failed, taken;
};

struct life {
    struct sim_vfs *sim;
    struct fake_clock clock;
    struct span_store_options options;
    struct span_store *store;
    uint64_t seed, random;
    struct known spans[TRACES]
                      [SPANS_OF_TRACE]; /* trace t is {seed, t + 1}, its span s has the id s + 1 */
    size_t span_counts[TRACES];
    size_t first_open, trace_count;
    uint64_t restarts, power_cuts, late, repeated, found, blocks_most;
};

static uint64_t below(struct life *l, uint64_t limit)
{
    return test_random(&l->random) % limit;
}

static int64_t now_ms(struct life *l)
{
    return clock_now_ms(&l->clock.clock);
}

static void open_store(struct life *l)
{
    struct err e = ERR_INIT;
    if (span_store_open("spans", &l->options, &l->store, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

/* ---- Steps ---- */

static struct trace_id id_of(const struct life *l, size_t trace)
{
    return (struct trace_id){l->seed, trace + 1};
}

static void add_span(struct life *l, size_t trace, struct span_message *m)
{
    size_t s = l->span_counts[trace];
    if (s == SPANS_OF_TRACE) {
        return;
    }
    bool late = below(l, 10) == 0;
    int64_t age_ms = (int64_t)below(l, late ? 3 * HOUR : MINUTE);
    struct known *k = &l->spans[trace][s];
    k->start_ns = (uint64_t)(now_ms(l) - age_ms) * 1000000 + below(l, 1000000);
    k->service = (uint8_t)((trace + (below(l, 8) == 0)) % 3);
    k->failed = below(l, 15) == 0;
    l->late += late;
    l->span_counts[trace]++;
    span_message_add(m, services[k->service],
        &(struct span){.trace_id = id_of(l, trace),
            .span_id = s + 1,
            .start_ns = k->start_ns,
            .end_ns = k->start_ns + below(l, 1000000000),
            .status = k->failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET,
            .name = STR("work")});
}

static void send(struct life *l)
{
    struct span_message m;
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    size_t before[TRACES];
    memcpy(before, l->span_counts, sizeof(before));
    while (l->trace_count < l->first_open + OPEN_TRACES && l->trace_count < TRACES) {
        l->trace_count++;
    }
    span_message_begin(&m);
    uint64_t count = 1 + below(l, 12), sent = 0;
    for (uint64_t i = 0; i < count; i++) {
        add_span(l, l->first_open + below(l, l->trace_count - l->first_open), &m);
    }
    uint64_t times = below(l, 12) == 0 ? 2 : 1;
    l->repeated += times - 1;
    struct str message = span_message_end(&m);
    for (uint64_t i = 0; i < times; i++) {
        assert_int_equal(span_store_append(l->store, message, below(l, 2) == 0, &counts, &e), 0);
    }
    for (size_t t = l->first_open; t < l->trace_count; t++) {
        for (size_t s = before[t]; s < l->span_counts[t]; s++) {
            l->spans[t][s].taken = true;
            sent++;
        }
    }
    assert_int_equal(counts.spans, sent);
    span_message_release(&m);
    if (l->first_open + OPEN_TRACES < TRACES && below(l, 2) == 0) {
        l->first_open++;
    }
}

static void maintain(struct life *l)
{
    struct err e = ERR_INIT;
    int status;
    while ((status = span_store_maintain(l->store, &e)) == 1) {
        struct span_store_statistics statistics;
        span_store_statistics(l->store, &statistics);
        l->blocks_most = statistics.blocks > l->blocks_most ? statistics.blocks : l->blocks_most;
        if (below(l, 6) == 0) {
            return; /* in the middle of what is due */
        }
    }
    if (status != 0) {
        fail_msg("%s", e.message);
    }
}

static void restart(struct life *l, bool power_cut)
{
    if (power_cut) {
        sim_vfs_power_cut(l->sim, test_random(&l->random));
        l->power_cuts++;
    }
    span_store_close(l->store);
    open_store(l);
    l->restarts++;
}

/* ---- Checks ---- */

static bool must_be_there(struct life *l, const struct known *k)
{
    int64_t keep_ms = kept_ms[k->service];
    keep_ms = k->failed && ERRORS_MS > keep_ms ? ERRORS_MS : keep_ms;
    return k->taken && k->start_ns >= (uint64_t)(now_ms(l) - keep_ms) * 1000000;
}

/* What was found of a trace, or of all: each was taken, with this start; returns which trace. */
static size_t check_found(
    struct life *l, struct trace_id id, uint64_t span_id, uint64_t start_ns, const char *how)
{
    bool known = id.high == l->seed && id.low >= 1 && id.low <= TRACES && span_id >= 1 &&
                 span_id <= l->span_counts[id.low - 1];
    if (!known || !l->spans[id.low - 1][span_id - 1].taken ||
        l->spans[id.low - 1][span_id - 1].start_ns != start_ns) {
        fail_msg("%s: span %llu of trace %llu was never taken like this", how,
            (unsigned long long)span_id, (unsigned long long)id.low);
    }
    l->found++;
    return id.low - 1;
}

static void check_trace(struct life *l, struct span_view *view, size_t t)
{
    struct arena arena;
    struct span_trace trace;
    struct err e = ERR_INIT;
    bool seen[SPANS_OF_TRACE] = {false};
    arena_init(&arena, 0);
    assert_int_equal(span_view_trace(view, id_of(l, t), &arena, &trace, &e), 0);
    for (size_t i = 0; i < trace.count; i++) {
        const struct span *s = &trace.spans[i].span;
        assert_int_equal(check_found(l, s->trace_id, s->span_id, s->start_ns, "by id"), t);
        if (seen[s->span_id - 1]) {
            fail_msg("span %llu of trace %zu comes twice", (unsigned long long)s->span_id, t + 1);
        }
        seen[s->span_id - 1] = true;
    }
    for (size_t s = 0; s < l->span_counts[t]; s++) {
        if (must_be_there(l, &l->spans[t][s]) && !seen[s]) {
            fail_msg("span %zu of trace %zu is lost: %zu of %zu are there", s + 1, t + 1,
                trace.count, l->span_counts[t]);
        }
    }
    arena_release(&arena);
}

static void search_page(
    struct life *l, struct span_page *page, const char *service, bool seen[TRACES][SPANS_OF_TRACE])
{
    struct arena arena;
    uint32_t rows = span_page_info(page).rows;
    arena_init(&arena, 0);
    struct otlp_span *spans = arena_alloc(&arena, rows * sizeof(*spans));
    assert_int_equal(span_page_spans(page, 0, rows, &arena, spans), 0);
    for (uint32_t i = 0; i < rows; i++) {
        const struct span *s = &spans[i].span;
        if (str_eq_c(span_resource_service(spans[i].resource), service)) {
            size_t t = check_found(l, s->trace_id, s->span_id, s->start_ns, "by search");
            seen[t][s->span_id - 1] = true;
        }
    }
    arena_release(&arena);
}

static void check_search(struct life *l, struct span_view *view)
{
    static bool seen[TRACES][SPANS_OF_TRACE];
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    size_t service = below(l, 3);
    uint64_t to = (uint64_t)(now_ms(l) - (int64_t)below(l, 5 * HOUR)) * 1000000, latest;
    uint64_t from = to - below(l, (uint64_t)(5 * HOUR)) * 1000000;
    memset(seen, 0, sizeof(seen));
    assert_int_equal(span_view_pages(view, from, to, &pages, &e), 0);
    assert_int_equal(span_pages_want(pages, STR("service.name"), str_of(services[service])), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        search_page(l, page, services[service], seen);
    }
    span_pages_close(pages);
    for (size_t t = 0; t < l->trace_count; t++) {
        for (size_t s = 0; s < l->span_counts[t]; s++) {
            const struct known *k = &l->spans[t][s];
            bool wanted = k->service == service && k->start_ns >= from && k->start_ns <= to;
            if (wanted && must_be_there(l, k) && !seen[t][s]) {
                fail_msg("span %zu of trace %zu is not found by its service", s + 1, t + 1);
            }
        }
    }
}

static void check(struct life *l)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    const char *const *warnings;
    assert_int_equal(span_store_view(l->store, &view, &e), 0);
    for (size_t t = below(l, 3); t < l->trace_count; t += 3) {
        check_trace(l, view, t);
    }
    check_search(l, view);
    assert_int_equal(span_view_warnings(view, &warnings), 0);
    span_view_close(view);
}

/* ---- A life ---- */

static void live(struct life *l)
{
    struct span_store_statistics statistics;
    for (int step = 1; step <= STEPS; step++) {
        uint64_t what = below(l, 100);
        if (what < 55) {
            send(l);
        } else if (what < 75) {
            fake_clock_advance_ms(&l->clock, (int64_t)below(l, 4 * MINUTE));
        } else if (what < 93) {
            maintain(l);
        } else if (what < 98) {
            restart(l, what < 96);
        } else {
            fake_clock_advance_ms(&l->clock, (int64_t)below(l, HOUR));
        }
        if (step % CHECK_EACH == 0) {
            check(l);
        }
    }
    span_store_statistics(l->store, &statistics);
    printf(
        "%zu traces, %llu late spans, %llu messages twice, %llu restarts, %llu of them power cuts, "
        "%llu blocks at most, %llu at the end, %llu spans found, %.1f hours\n",
        l->trace_count, (unsigned long long)l->late, (unsigned long long)l->repeated,
        (unsigned long long)l->restarts, (unsigned long long)l->power_cuts,
        (unsigned long long)l->blocks_most, (unsigned long long)statistics.blocks,
        (unsigned long long)l->found, (double)(now_ms(l) - START_MS) / (double)HOUR);
    /* One cut, and everything is due. */
    span_store_cut_soon(l->store);
    fake_clock_advance_ms(&l->clock, LONGEST_MS + 1);
    struct err e = ERR_INIT;
    while (span_store_maintain(l->store, &e) == 1) {
    }
    span_store_statistics(l->store, &statistics);
    assert_int_equal(statistics.blocks, 0);
    assert_int_equal(statistics.head_spans, 0);
    check(l);
}

static void test_life(void **state)
{
    static struct life l;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 6; i++) {
        memset(&l, 0, sizeof(l));
        l.seed = l.random = seed + i;
        l.sim = sim_vfs_new(seed + i);
        fake_clock_init(&l.clock, START_MS);
        l.options = (struct span_store_options){.fs = sim_vfs_get(l.sim),
            .clock = &l.clock.clock,
            .block_spans = 40,
            .sync = WAL_SYNC_ALWAYS,
            .future_limit_ms = 10 * MINUTE,
            .retention_ms = kept_ms[1],
            .retention_errors_ms = ERRORS_MS,
            .retention_rules = rules,
            .retention_rule_count = 2};
        open_store(&l);
        live(&l);
        span_store_close(l.store);
        sim_vfs_free(l.sim);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
