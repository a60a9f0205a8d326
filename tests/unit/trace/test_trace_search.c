/* Searches and names against a plain walk over the messages that were appended. */
#include "trace/trace_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_shop.h"
#include "support/support.h"
#include "trace/trace_names.h"

#define START_NS 1700000000000000000u
#define START_MS 1700000000000

/* Some pages, the older half of them in blocks. */
enum { BATCHES = 32 };

struct world {
    struct sim_vfs *sim;
    struct fake_clock clock;
    struct span_store *store;
    struct strbuf messages[BATCHES];
    uint64_t end_ns;
};

static void world_init(struct world *w)
{
    struct span_shop *shop = span_shop_new(11, START_NS, 100);
    struct err e = ERR_INIT;
    memset(w, 0, sizeof(*w));
    w->sim = sim_vfs_new(11);
    fake_clock_init(&w->clock, START_MS);
    const struct span_store_options options = {
        .fs = sim_vfs_get(w->sim), .clock = &w->clock.clock, .block_spans = 4096};
    assert_int_equal(span_store_open("spans", &options, &w->store, &e), 0);
    for (int i = 0; i < BATCHES; i++) {
        struct span_append_counts counts;
        strbuf_init(&w->messages[i], (size_t)64 << 20);
        (void)span_shop_next(shop, &w->messages[i]);
        assert_int_equal(
            span_store_append(w->store, strbuf_str(&w->messages[i]), false, &counts, &e), 0);
        while (i == BATCHES / 2 && span_store_maintain(w->store, &e) == 1) {
        }
    }
    w->end_ns = span_shop_time_ns(shop);
    span_shop_free(shop);
}

static void world_release(struct world *w)
{
    span_store_close(w->store);
    sim_vfs_free(w->sim);
    for (int i = 0; i < BATCHES; i++) {
        strbuf_release(&w->messages[i]);
    }
}

/* ---- The plain way ---- */

static bool text_is(const struct attribute *value, struct str text)
{
    struct strbuf written = STRBUF_INIT;
    otlp_attribute_write_text(value, &written);
    bool same = str_eq(strbuf_str(&written), text);
    strbuf_release(&written);
    return same;
}

static bool has_tag(const struct otlp_span *s, const struct trace_tag *tag)
{
    const struct attribute *own = attributes_get(s->span.attributes, tag->key);
    const struct attribute *of_resource = attributes_get(s->resource->attributes, tag->key);
    return (own != NULL && text_is(own, tag->value)) ||
           (of_resource != NULL && text_is(of_resource, tag->value)) ||
           (str_eq_c(tag->key, "error") && s->span.status == SPAN_STATUS_ERROR);
}

static bool matches(const struct otlp_span *s, const struct trace_query *q)
{
    uint64_t duration = span_duration_ns(&s->span);
    bool all = s->span.start_ns >= q->start_ns && s->span.start_ns <= q->end_ns &&
               duration >= q->duration_min_ns &&
               (q->duration_max_ns == 0 || duration <= q->duration_max_ns) &&
               (q->service.len == 0 || str_eq(span_resource_service(s->resource), q->service)) &&
               (q->operation.len == 0 || str_eq(s->span.name, q->operation));
    for (size_t i = 0; all && i < q->tag_count; i++) {
        all = has_tag(s, &q->tags[i]);
    }
    return all;
}

struct expected {
    struct trace_hit *items;
    size_t count, cap;
};

static int newest_first(const void *left, const void *right)
{
    const struct trace_hit *a = left, *b = right;
    return a->start_ns != b->start_ns ? (a->start_ns > b->start_ns ? -1 : 1)
                                      : trace_id_cmp(a->id, b->id);
}

static int by_id(const void *left, const void *right)
{
    const struct trace_hit *a = left, *b = right;
    int order = trace_id_cmp(a->id, b->id);
    return order != 0 ? order : newest_first(left, right);
}

static void expect_span(struct expected *x, const struct otlp_span *s)
{
    assert_int_equal(
        mem_array_grow((void **)&x->items, &x->cap, x->count + 1, sizeof(*x->items), 1 << 20), 0);
    x->items[x->count++] = (struct trace_hit){s->span.trace_id, s->span.start_ns};
}

/* The latest of each trace, the newest first. */
static void put_in_order(struct expected *x)
{
    size_t kept = 0;
    qsort(x->items, x->count, sizeof(*x->items), by_id);
    for (size_t i = 0; i < x->count; i++) {
        if (i == 0 || !trace_id_eq(x->items[kept - 1].id, x->items[i].id)) {
            x->items[kept++] = x->items[i];
        }
    }
    x->count = kept;
    qsort(x->items, x->count, sizeof(*x->items), newest_first);
}

static void expect(const struct world *w, const struct trace_query *q, struct expected *x)
{
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    assert_int_equal(otlp_traces_new(&walker), 0);
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(otlp_traces_begin(walker, strbuf_str(&w->messages[i]), NULL), 0);
        while (otlp_traces_next(walker, &span) == 1) {
            if (matches(&span, q)) {
                expect_span(x, &span);
            }
        }
    }
    otlp_traces_free(walker);
    if (x->count > 0) {
        put_in_order(x);
    }
}

/* Returns how many traces match without a limit. */
static size_t check(struct world *w, const char *name, const struct trace_query *q, size_t limit)
{
    struct expected x = {0};
    struct span_view *view = NULL;
    struct trace_hits hits;
    struct arena arena;
    struct err e = ERR_INIT;
    expect(w, q, &x);
    arena_init(&arena, 0);
    assert_int_equal(span_store_view(w->store, &view, &e), 0);
    assert_int_equal(trace_search(view, q, limit, &arena, &hits, &e), 0);
    size_t wanted = x.count < limit ? x.count : limit;
    if (hits.count != wanted) {
        fail_msg("%s: %zu traces, not %zu", name, hits.count, wanted);
    }
    for (size_t i = 0; i < wanted; i++) {
        if (!trace_id_eq(hits.items[i].id, x.items[i].id) ||
            hits.items[i].start_ns != x.items[i].start_ns) {
            fail_msg("%s: trace %zu is another one, or of another time", name, i);
        }
    }
    assert_int_equal(hits.damaged_pages, 0);
    span_view_close(view);
    arena_release(&arena);
    mem_free(x.items);
    return x.count;
}

/* ---- Cases ---- */

/* A span of the last message, for texts that are there. */
static struct otlp_span any_span(const struct world *w, struct otlp_traces *walker)
{
    struct otlp_span span = {0};
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&w->messages[BATCHES - 1]), NULL), 0);
    do {
        assert_int_equal(otlp_traces_next(walker, &span), 1);
    } while (span.span.attributes.count == 0);
    return span;
}

static void test_search(void **state)
{
    struct world w;
    struct otlp_traces *walker = NULL;
    struct strbuf text = STRBUF_INIT;
    (void)state;
    world_init(&w);
    assert_int_equal(otlp_traces_new(&walker), 0);
    struct otlp_span span = any_span(&w, walker);
    const struct attribute *attribute = &span.span.attributes.items[0];
    otlp_attribute_write_text(attribute, &text);
    const struct attribute *of_resource = &span.resource->attributes.items[0];
    const struct trace_tag tag = {attribute->key, strbuf_str(&text)};
    const struct trace_tag resource_tag = {of_resource->key, of_resource->bytes};
    const struct trace_tag error = {STR("error"), STR("true")};
    const struct trace_tag wrong = {attribute->key, STR("no such value")};
    struct str service = span_resource_service(span.resource);
    const uint64_t all = UINT64_MAX, middle = START_NS + (w.end_ns - START_NS) / 2;
    const struct {
        const char *name;
        struct trace_query query;
        bool none;
    } cases[] = {
        {"all", {.end_ns = all}, false},
        {"service", {.service = service, .end_ns = all}, false},
        {"operation", {.service = service, .operation = span.span.name, .end_ns = all}, false},
        {"first half", {.end_ns = middle}, false},
        {"second half", {.start_ns = middle, .end_ns = all}, false},
        {"long", {.duration_min_ns = 50000000, .end_ns = all}, false},
        {"short", {.duration_max_ns = 1000000, .end_ns = all}, false},
        {"tag", {.tags = &tag, .tag_count = 1, .end_ns = all}, false},
        {"of resource", {.tags = &resource_tag, .tag_count = 1, .end_ns = all}, false},
        {"error", {.tags = &error, .tag_count = 1, .end_ns = all}, false},
        {"wrong tag", {.tags = &wrong, .tag_count = 1, .end_ns = all}, true},
        {"no service", {.service = STR("nobody"), .end_ns = all}, true},
        {"no operation", {.operation = STR("nothing"), .end_ns = all}, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t found = check(&w, cases[i].name, &cases[i].query, 20);
        if ((found == 0) != cases[i].none) {
            fail_msg("%s: %zu match, which tests nothing", cases[i].name, found);
        }
        check(&w, cases[i].name, &cases[i].query, TRACE_SEARCH_LIMIT_MAX);
    }
    otlp_traces_free(walker);
    strbuf_release(&text);
    world_release(&w);
}

static bool has_name(const struct trace_names *names, struct str name, enum span_kind kind)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_eq(names->items[i].name, name) && names->items[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* Every name that a message has is listed, in order, each kind by itself. */
static void test_names(void **state)
{
    struct world w;
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    struct span_view *view = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    struct trace_names services, every, one;
    (void)state;
    world_init(&w);
    arena_init(&arena, 0);
    assert_int_equal(span_store_view(w.store, &view, &e), 0);
    assert_int_equal(trace_services(view, &arena, &services, &e), 0);
    assert_int_equal(services.count, 12); /* span_shop.h */
    assert_int_equal(trace_operations(view, STR(""), &arena, &every, &e), 0);
    assert_int_equal(trace_operations(view, services.items[0].name, &arena, &one, &e), 0);
    assert_true(one.count > 0 && one.count <= every.count);
    assert_int_equal(otlp_traces_new(&walker), 0);
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(otlp_traces_begin(walker, strbuf_str(&w.messages[i]), NULL), 0);
        while (otlp_traces_next(walker, &span) == 1) {
            struct str service = span_resource_service(span.resource);
            assert_true(has_name(&services, service, SPAN_KIND_UNSPECIFIED));
            assert_true(has_name(&every, span.span.name, span.span.kind));
            assert_true(!str_eq(service, services.items[0].name) ||
                        has_name(&one, span.span.name, span.span.kind));
        }
    }
    for (size_t i = 1; i < every.count; i++) {
        assert_true(str_cmp(every.items[i - 1].name, every.items[i].name) <= 0);
    }
    otlp_traces_free(walker);
    span_view_close(view);
    arena_release(&arena);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_search), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
