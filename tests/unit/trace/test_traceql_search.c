/* Searches over pages, with their shortcuts, against every trace put together and evaluated: random queries, the
 * same newest traces with the same times. */
#include "trace/traceql_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_shop.h"
#include "support/support.h"

#define START_NS 1700000000000000000u
#define START_MS 1700000000000

enum { BATCHES = 16, TRACES_MAX = 4096, QUERIES = 60 };

struct world {
    struct sim_vfs *sim;
    struct fake_clock clock;
    struct span_store *store;
    struct span_view *view;
    struct arena arena;
    struct trace_tree trees[TRACES_MAX];
    size_t tree_count;
    uint64_t end_ns;
};

/* All traces, by way of the pages' lists. */
static void put_together(struct world *w)
{
    struct span_pages *pages;
    struct span_page *page;
    struct trace_id_set seen = {0};
    struct err e = ERR_INIT;
    uint64_t latest;
    assert_int_equal(span_view_pages(w->view, 0, UINT64_MAX, &pages, &e), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        const struct span_page_trace *traces;
        assert_int_equal(span_page_traces(page, &traces), 0);
        for (uint32_t i = 0; i < span_page_info(page).traces; i++) {
            struct span_trace trace;
            if (trace_id_set_add(&seen, traces[i].id) != 1) {
                continue;
            }
            assert_true(w->tree_count < TRACES_MAX);
            assert_int_equal(span_view_trace(w->view, traces[i].id, &w->arena, &trace, &e), 0);
            assert_int_equal(trace_tree_build(&trace, &w->arena, &w->trees[w->tree_count++]), 0);
        }
    }
    span_pages_close(pages);
    trace_id_set_release(&seen);
}

static void world_init(struct world *w, uint64_t cache_bytes)
{
    struct span_shop *shop = span_shop_new(7, START_NS, 100);
    struct strbuf message = STRBUF_INIT;
    struct err e = ERR_INIT;
    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, 0);
    w->sim = sim_vfs_new(11);
    fake_clock_init(&w->clock, START_MS);
    const struct span_store_options options = {.fs = sim_vfs_get(w->sim),
        .clock = &w->clock.clock,
        .block_spans = 2048,
        .cache_bytes = cache_bytes};
    assert_int_equal(span_store_open("spans", &options, &w->store, &e), 0);
    for (int i = 0; i < BATCHES; i++) {
        struct span_append_counts counts;
        strbuf_reset(&message);
        (void)span_shop_next(shop, &message);
        assert_int_equal(span_store_append(w->store, strbuf_str(&message), false, &counts, &e), 0);
        while (i == BATCHES / 2 && span_store_maintain(w->store, &e) == 1) {
        }
    }
    w->end_ns = span_shop_time_ns(shop);
    assert_int_equal(span_store_view(w->store, &w->view, &e), 0);
    put_together(w);
    strbuf_release(&message);
    span_shop_free(shop);
}

static void world_release(struct world *w)
{
    span_view_close(w->view);
    span_store_close(w->store);
    sim_vfs_free(w->sim);
    arena_release(&w->arena);
}

/* ---- Random queries ---- */

static uint64_t draw(uint64_t *random, uint64_t below)
{
    return test_random(random) % below;
}

static void write_condition(uint64_t *random, struct strbuf *out)
{
    static const char *const conditions[] = {"true", "resource.service.name = \"cart\"",
        "resource.service.name =~ \"c.*\"", "resource.nothing = nil", "resource.host.name != nil",
        "span.http.response.status_code = 500", "span.http.response.status_code >= 200.5",
        "500 = .http.response.status_code", ".http.route = \"/cart\"",
        "span.http.route != \"/cart\"", ".http.route !~ \"/.*id.*\"", "span.thread.id > 40",
        "span.thread.id = nil", "span.nothing != 1", "span.nothing = nil", ".service.name < \"d\"",
        ".db.system = \"postgresql\"", "name = \"SELECT shop\"", "name =~ \"GET .*\"",
        "kind = client", "kind != server", "status = error", "status != unset", "duration > 1ms",
        "duration <= 300us", "2ms < duration", "statusMessage = \"\"", "event:name = \"exception\"",
        "event.exception.type =~ \".*State.*\"", "event.exception.type = nil",
        "event:timeSinceStart > 0s", "instrumentation:name =~ \".*jdbc.*\"",
        "instrumentation:version = \"2.4.0\"", "rootServiceName = \"frontend\"",
        "traceDuration > 5ms", "rootName =~ \".*cart.*\"", "span:childCount > 1",
        "nestedSetParent < 0", "nestedSetLeft = 2", "span.thread.id + 1 > 40",
        "span.thread.id * 2 = span.thread.id + span.thread.id", "span:parentID = nil",
        "span:id > \"8\"", "link:traceID = nil", "parent.service.name = \"frontend\"",
        "parent.resource.service.name != \"cart\"", "parent.span.thread.id > 40",
        "parent.http.route = nil", "duration / traceDuration > 0.5"};
    strbuf_add_c(out, conditions[draw(random, sizeof(conditions) / sizeof(conditions[0]))]);
}

static void write_expression(uint64_t *random, int depth, struct strbuf *out)
{
    uint64_t form = depth == 0 ? 0 : draw(random, 6);
    if (form < 3) {
        write_condition(random, out);
    } else if (form == 3) {
        strbuf_add_c(out, "!(");
        write_expression(random, depth - 1, out);
        strbuf_add_c(out, ")");
    } else {
        strbuf_add_c(out, "(");
        write_expression(random, depth - 1, out);
        strbuf_add_c(out, form == 4 ? " && " : " || ");
        write_expression(random, depth - 1, out);
        strbuf_add_c(out, ")");
    }
}

static void write_spansets(uint64_t *random, int depth, struct strbuf *out)
{
    static const char *const operators[] = {"&&", "||", ">", ">>", "<", "<<", "~", "!>", "!>>",
        "!<", "!<<", "!~", "&>", "&>>", "&<", "&<<", "&~"};
    if (depth == 0 || draw(random, 2) == 0) {
        strbuf_add_c(out, "{ ");
        write_expression(random, 2, out);
        strbuf_add_c(out, " }");
        return;
    }
    strbuf_add_c(out, "(");
    write_spansets(random, depth - 1, out);
    strbuf_addf(out, " %s ", operators[draw(random, sizeof(operators) / sizeof(operators[0]))]);
    write_spansets(random, depth - 1, out);
    strbuf_add_c(out, draw(random, 8) == 0 ? " | count() > 1)" : ")");
}

static void write_query(uint64_t *random, struct strbuf *out)
{
    static const char *const stages[] = {" | count() > 2", " | avg(duration) > 1ms",
        " | max(span.thread.id) < 50", " | by(resource.service.name) | count() > 1",
        " | select(.http.route)", " | { status = error }",
        " | by(name) | coalesce() | count() >= 3", " | sum(duration) > 10ms | min(duration) < 1ms",
        " | max(duration) > 2 * avg(duration)",
        " | (max(duration) - min(duration)) / count() > 100us"};
    write_spansets(random, (int)draw(random, 3), out);
    if (draw(random, 3) == 0) {
        strbuf_add_c(out, stages[draw(random, sizeof(stages) / sizeof(stages[0]))]);
    }
}

/* ---- The plain way ---- */

static int newest_first(const void *left, const void *right)
{
    const struct trace_hit *a = left, *b = right;
    return a->start_ns != b->start_ns ? (a->start_ns > b->start_ns ? -1 : 1)
                                      : trace_id_cmp(a->id, b->id);
}

static size_t expect(const struct world *w, const struct traceql_query *query, uint64_t start_ns,
    uint64_t end_ns, struct trace_hit *hits)
{
    size_t count = 0;
    for (size_t t = 0; t < w->tree_count; t++) {
        const struct trace_tree *tree = &w->trees[t];
        struct trace_hit hit = {.id = tree->spans[0].span.trace_id};
        struct traceql_sets sets;
        struct arena arena;
        bool any = false;
        arena_init(&arena, 0);
        assert_int_equal(traceql_evaluate(query, tree, &arena, &sets), 0);
        for (uint32_t i = 0; i < sets.count; i++) {
            for (uint32_t k = 0; k < sets.items[i].count; k++) {
                uint64_t at = tree->spans[sets.items[i].spans[k]].span.start_ns;
                if (at >= start_ns && at <= end_ns) {
                    any = true;
                    hit.start_ns = at > hit.start_ns ? at : hit.start_ns;
                }
            }
        }
        arena_release(&arena);
        if (any) {
            hits[count++] = hit;
        }
    }
    qsort(hits, count, sizeof(*hits), newest_first);
    return count;
}

static size_t check(
    struct world *w, const char *text, uint64_t start_ns, uint64_t end_ns, size_t limit)
{
    static struct trace_hit expected[TRACES_MAX];
    const struct traceql_query *query;
    struct trace_budget budget = {.clock = &w->clock.clock};
    struct trace_hits hits;
    struct arena arena;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    if (traceql_parse(str_of(text), &arena, &query, &e) != 0) {
        fail_msg("%s: %s", text, e.message);
    }
    size_t count = expect(w, query, start_ns, end_ns, expected);
    size_t wanted = count < limit ? count : limit;
    if (traceql_search(w->view, query, start_ns, end_ns, limit, &budget, &arena, &hits, &e) != 0) {
        fail_msg("%s: %s", text, e.message);
    }
    if (hits.count != wanted) {
        fail_msg("%s: %zu traces, not %zu", text, hits.count, wanted);
    }
    for (size_t i = 0; i < wanted; i++) {
        if (newest_first(&hits.items[i], &expected[i]) != 0) {
            fail_msg("%s: trace %zu is another one, or of another time", text, i);
        }
    }
    arena_release(&arena);
    return count;
}

static void check_random(void **state)
{
    static struct world w;
    uint64_t random = test_seed();
    size_t some = 0;
    (void)state;
    /* All pages stay open, or few of them do. */
    world_init(&w, draw(&random, 2) == 0 ? 0 : 300000);
    for (int i = 0; i < QUERIES; i++) {
        struct strbuf text = STRBUF_INIT;
        uint64_t span = w.end_ns - START_NS;
        uint64_t start = draw(&random, 2) == 0 ? 0 : START_NS + draw(&random, span / 2);
        uint64_t end =
            draw(&random, 2) == 0 ? UINT64_MAX : START_NS + span / 2 + draw(&random, span / 2);
        write_query(&random, &text);
        size_t found = check(&w, text.data, start, end, 1 + draw(&random, 40));
        check(&w, text.data, start, end, TRACES_MAX);
        some += found > 0 && found < w.tree_count;
        strbuf_release(&text);
    }
    if (some < QUERIES / 4) {
        fail_msg("only %zu of %d queries choose anything", some, QUERIES);
    }
    world_release(&w);
}

/* ---- Limits ---- */

static bool always(void *context)
{
    (void)context;
    return true;
}

static void check_budget(void **state)
{
    static struct world w;
    struct arena arena;
    const struct traceql_query *query;
    struct trace_hits hits;
    struct err e = ERR_INIT;
    (void)state;
    world_init(&w, 0);
    arena_init(&arena, 0);
    assert_int_equal(traceql_parse(STR("{ } >> { }"), &arena, &query, &e), 0);
    const struct {
        struct trace_budget budget;
        int status;
    } cases[] = {
        {{.clock = &w.clock.clock}, 0},
        {{.clock = &w.clock.clock, .spans_max = 1000}, ERR_LIMIT},
        {{.clock = &w.clock.clock, .deadline_ns = 1}, ERR_TIMEOUT},
        {{.clock = &w.clock.clock, .abandoned = always}, ERR_CANCELED},
    };
    fake_clock_advance_ms(&w.clock, 10);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trace_budget budget = cases[i].budget;
        e = (struct err)ERR_INIT;
        int status = traceql_search(w.view, query, 0, UINT64_MAX, 20, &budget, &arena, &hits, &e);
        if (status != cases[i].status || (status != 0) != (e.message[0] != '\0')) {
            fail_msg("case %zu: %d, not %d: %s", i, status, cases[i].status, e.message);
        }
    }
    arena_release(&arena);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_random),
        cmocka_unit_test(check_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
