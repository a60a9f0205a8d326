/* Readers and writers beside cuts, merges, thinning, retention, scrubbing and snapshots: under ThreadSanitizer, and
 * what was taken and is kept is found whole by whoever looks, at any moment. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"
#include "tsdb/span_page.h"
#include "tsdb/span_store.h"

#define START_MS INT64_C(1700000000000)
#define HOUR INT64_C(3600000)

enum { WRITERS = 2, READERS = 2, MESSAGES = 150, PIECES = 3 };

struct crowd {
    struct span_store *store;
    struct fake_clock clock;
    atomic_uint taken[WRITERS]; /* traces that are complete */
    atomic_bool done;
    atomic_uint looks;
};

struct member {
    struct crowd *crowd;
    size_t index;
    uint64_t random;
    pthread_t thread;
};

static struct trace_id id_of(size_t writer, unsigned number)
{
    return (struct trace_id){writer + 1, number + 1};
}

/* A piece of a trace that is kept, with one of a trace that is not kept long. */
static void send_piece(struct crowd *c, size_t writer, unsigned number, unsigned piece)
{
    struct span_message m;
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    uint64_t now_ns = (uint64_t)clock_now_ms(&c->clock.clock) * 1000000;
    struct span span = {.trace_id = id_of(writer, number),
        .span_id = piece + 1,
        .start_ns = now_ns,
        .end_ns = now_ns + 5,
        .name = STR("work")};
    span_message_begin(&m);
    span_message_add(&m, "kept", &span);
    span.trace_id.low += (uint64_t)1 << 40;
    span_message_add(&m, "brief", &span);
    assert_int_equal(span_store_append(c->store, span_message_end(&m), piece == 0, &counts, &e), 0);
    assert_int_equal(counts.spans, 2);
    span_message_release(&m);
}

static void *write_traces(void *context)
{
    struct member *me = context;
    struct crowd *c = me->crowd;
    for (unsigned n = 0; n < MESSAGES; n++) {
        for (unsigned piece = 0; piece < PIECES; piece++) {
            send_piece(c, me->index, n, piece);
        }
        atomic_store(&c->taken[me->index], n + 1);
    }
    return NULL;
}

/* All rows of all pages, as a search reads them. */
static uint64_t count_rows(struct span_view *view)
{
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct span_page_columns columns;
    struct err e = ERR_INIT;
    uint64_t latest, rows = 0;
    assert_int_equal(span_view_pages(view, 0, UINT64_MAX, &pages, &e), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        assert_int_equal(span_page_columns(page, &columns), 0);
        rows += span_page_info(page).rows;
    }
    span_pages_close(pages);
    return rows;
}

static void look(struct crowd *c, size_t writer, uint64_t *random)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    unsigned complete = atomic_load(&c->taken[writer]);
    assert_int_equal(span_store_view(c->store, &view, &e), 0);
    assert_true(count_rows(view) >= (uint64_t)complete * PIECES);
    for (int i = 0; i < 5 && complete > 0; i++) {
        struct arena arena;
        struct span_trace trace;
        struct trace_id id = id_of(writer, (unsigned)(test_random(random) % complete));
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, id, &arena, &trace, &e), 0);
        if (trace.count != PIECES) {
            fail_msg("trace %llu of writer %zu has %zu spans", (unsigned long long)id.low, writer,
                trace.count);
        }
        arena_release(&arena);
    }
    span_view_close(view);
    atomic_fetch_add(&c->looks, 1);
}

static void *read_traces(void *context)
{
    struct member *me = context;
    while (!atomic_load(&me->crowd->done)) {
        look(me->crowd, test_random(&me->random) % WRITERS, &me->random);
    }
    return NULL;
}

/* What the thread of housekeeping does, until the writers have ended. */
static unsigned look_after(struct crowd *c)
{
    unsigned steps = 0;
    for (bool last = false; !last; steps++) {
        struct err e = ERR_INIT;
        char name[32];
        struct span_store_statistics statistics;
        last = atomic_load(&c->taken[0]) == MESSAGES && atomic_load(&c->taken[1]) == MESSAGES;
        span_store_cut_soon(c->store);
        fake_clock_advance_ms(&c->clock, 1000);
        int status = span_store_maintain(c->store, &e);
        if (status < 0) {
            fail_msg("%s", e.message);
        }
        span_store_set_disk_level(c->store, steps % 7 == 0 ? DISK_LOW : DISK_GOOD);
        if (steps % 50 == 49) {
            snprintf(name, sizeof(name), "snapshot%u", steps);
            assert_int_equal(span_store_snapshot(c->store, name, true, &e), 0);
        }
        span_store_statistics(c->store, &statistics);
    }
    return steps;
}

static void test_crowd(void **state)
{
    static const struct span_retention_rule rules[] = {{STR("brief"), 5000}};
    struct crowd c = {.store = NULL};
    struct member writers[WRITERS], readers[READERS];
    struct sim_vfs *sim = sim_vfs_new(1);
    struct span_store_statistics statistics;
    struct err e = ERR_INIT;
    fake_clock_init(&c.clock, START_MS);
    const struct span_store_options options = {.fs = sim_vfs_get(sim),
        .clock = &c.clock.clock,
        .retention_ms = 1000 * HOUR,
        .retention_rules = rules,
        .retention_rule_count = 1,
        .scrub_bytes_per_second = 4096};
    assert_int_equal(span_store_open("spans", &options, &c.store, &e), 0);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct member){.crowd = &c, .index = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_traces, &writers[i]), 0);
    }
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct member){.crowd = &c, .index = i, .random = test_seed() + i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_traces, &readers[i]), 0);
    }
    unsigned steps = look_after(&c);
    for (size_t i = 0; i < WRITERS; i++) {
        (void)pthread_join(writers[i].thread, NULL);
    }
    fake_clock_advance_ms(&c.clock, 6000); /* all brief ones are due */
    while (span_store_maintain(c.store, &e) == 1) {
    }
    atomic_store(&c.done, true);
    for (size_t i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i].thread, NULL);
    }
    span_store_statistics(c.store, &statistics);
    assert_int_equal(statistics.block_spans + statistics.head_spans,
        (uint64_t)WRITERS * MESSAGES * PIECES); /* once, and nothing brief */
    assert_int_equal(statistics.damaged_pages, 0);
    printf("%u steps, %u looks, %llu blocks left\n", steps, atomic_load(&c.looks),
        (unsigned long long)statistics.blocks);
    span_store_close(c.store);
    sim_vfs_free(sim);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
