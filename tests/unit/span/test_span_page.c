/* Pages: what goes in comes out, byte for byte once encoded again; limits; no damage is believed. */
#include "span/span_pager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault_loop.h"
#include "support/support.h"

/* ---- Random spans ---- */

enum { SERVICES = 5, TEXT_MAX = 64 };

struct maker {
    uint64_t random;
    uint64_t unit;      /* of times */
    uint32_t traces;    /* ids are drawn from so many */
    uint64_t next_span; /* span ids are 1, 2, 3 … */
    uint32_t keys;      /* attribute keys are drawn from so many */
    struct arena arena;
    struct strbuf raw, resource_raw, scope_raw;
    struct span_resource resource;
    struct span_scope scope;
    struct attribute service;
};

static int write_page(const struct span_pager *pager, int level, struct strbuf *bytes)
{
    struct span_page_made made = {.bloom = STRBUF_INIT, .filter = STRBUF_INIT};
    int status = span_pager_write(pager, level, bytes, &made);
    strbuf_release(&made.bloom);
    strbuf_release(&made.filter);
    return status;
}

static uint64_t draw(struct maker *m, uint64_t below)
{
    return test_random(&m->random) % below;
}

static struct str draw_text(struct maker *m, const char *prefix, uint64_t different)
{
    char text[TEXT_MAX];
    int size =
        snprintf(text, sizeof(text), "%s%llu", prefix, (unsigned long long)draw(m, different));
    return str_make(arena_strndup(&m->arena, text, (size_t)size), (size_t)size);
}

static struct attributes draw_attributes(struct maker *m, uint64_t count_max)
{
    size_t count = draw(m, count_max + 1);
    struct attribute *items = arena_calloc(&m->arena, count, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        items[i].key = draw_text(m, "key.", m->keys);
        items[i].kind = (enum attribute_kind)draw(m, ATTRIBUTE_ARRAY);
        items[i].bytes = STR("");
        switch (items[i].kind) {
        case ATTRIBUTE_EMPTY:
            break;
        case ATTRIBUTE_BOOL:
            items[i].boolean = draw(m, 2);
            break;
        case ATTRIBUTE_INT:
            items[i].integer = (int64_t)test_random(&m->random) >> draw(m, 64);
            break;
        case ATTRIBUTE_DOUBLE:
            items[i].number = (double)draw(m, 1000) / 8 - 10;
            break;
        default:
            items[i].bytes = draw_text(m, "value ", draw(m, 2) ? 3 : 1000000);
        }
    }
    return (struct attributes){items, count};
}

static void draw_rare(struct maker *m, struct span *s)
{
    struct span_event *event = arena_calloc(&m->arena, 1, sizeof(*event));
    struct span_link *link = arena_calloc(&m->arena, 1, sizeof(*link));
    *event = (struct span_event){.time_ns = s->start_ns + 1,
        .name = STR("exception"),
        .attributes = draw_attributes(m, 2),
        .dropped_attributes = (uint32_t)draw(m, 2)};
    *link = (struct span_link){.trace_id = {7, draw(m, 9)},
        .span_id = draw(m, 9),
        .trace_state = STR("a=b"),
        .attributes = draw_attributes(m, 1),
        .flags = 1};
    s->events = event;
    s->event_count = draw(m, 2);
    s->links = link;
    s->link_count = draw(m, 2);
    s->status_message = draw(m, 2) ? STR("it broke") : STR("");
    s->trace_state = draw(m, 2) ? STR("ot=th:8") : STR("");
    s->flags = (uint32_t)draw(m, 2) * 0x101;
    s->dropped_events = (uint32_t)draw(m, 3);
}

/* A span with its bytes; valid until the next. */
static struct otlp_span draw_span(struct maker *m)
{
    uint64_t trace = draw(m, m->traces);
    uint64_t start = (1700000000000000u + trace * 1000 + draw(m, 100000)) * m->unit;
    arena_release(&m->arena);
    struct otlp_span out = {
        .span = {.trace_id = {trace + 1, ~trace},
            .span_id = ++m->next_span,
            .parent_id = draw(m, 4) == 0   ? 0
                         : draw(m, 3) == 0 ? ~m->next_span
                                           : 1 + draw(m, m->next_span),
            .start_ns = start,
            .end_ns = start + draw(m, 5000000) * m->unit - (draw(m, 50) == 0) * 1000 * m->unit,
            .kind = (enum span_kind)draw(m, SPAN_KIND_COUNT),
            .status = (enum span_status)draw(m, SPAN_STATUS_COUNT),
            .name = draw_text(m, "GET /", draw(m, 2) ? 5 : 100000),
            .status_message = STR(""),
            .trace_state = STR(""),
            .attributes = draw_attributes(m, 8)},
    };
    if (draw(m, 10) == 0) {
        draw_rare(m, &out.span);
    }
    m->service = (struct attribute){.key = STR("service.name"),
        .kind = ATTRIBUTE_STRING,
        .bytes = draw_text(m, "service ", SERVICES)};
    m->resource = (struct span_resource){
        .attributes = {&m->service, 1}, .schema_url = draw(m, 2) ? STR("https://a") : STR("")};
    m->scope = (struct span_scope){.name = draw_text(m, "scope ", 3), .version = STR("1")};
    strbuf_reset(&m->raw);
    strbuf_reset(&m->resource_raw);
    strbuf_reset(&m->scope_raw);
    otlp_span_encode(&out.span, &m->raw);
    otlp_resource_encode(&m->resource, &m->resource_raw);
    otlp_scope_encode(&m->scope, &m->scope_raw);
    out.raw = strbuf_str(&m->raw);
    out.resource_raw = strbuf_str(&m->resource_raw);
    out.scope_raw = strbuf_str(&m->scope_raw);
    out.resource = &m->resource;
    out.scope = &m->scope;
    return out;
}

static void maker_release(struct maker *m)
{
    arena_release(&m->arena);
    strbuf_release(&m->raw);
    strbuf_release(&m->resource_raw);
    strbuf_release(&m->scope_raw);
}

static struct maker maker_of(uint64_t seed)
{
    return (struct maker){.random = seed,
        .unit = 1000,
        .traces = 100,
        .keys = 12,
        .raw = STRBUF_INIT,
        .resource_raw = STRBUF_INIT,
        .scope_raw = STRBUF_INIT};
}

/* ---- What comes out ---- */

/* Attributes by key and kind, those alike in the order they came. */
static int by_key(const void *left, const void *right)
{
    const struct attribute *a = *(const struct attribute *const *)left;
    const struct attribute *b = *(const struct attribute *const *)right;
    int order = str_cmp(a->key, b->key);
    order = order != 0 ? order : (int)a->kind - (int)b->kind;
    return order != 0 ? order : a < b ? -1 : a > b;
}

/* Everything about a span as bytes; what has no column of its own stands behind the rest, so the order
 * of attributes does not count. */
static void write_all(const struct otlp_span *span, struct strbuf *out)
{
    struct strbuf part = STRBUF_INIT;
    struct span sorted = span->span;
    struct attribute items[16];
    const struct attribute *pointers[16];
    size_t count = sorted.attributes.count;
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        pointers[i] = &sorted.attributes.items[i];
    }
    qsort(pointers, count, sizeof(*pointers), by_key);
    for (size_t i = 0; i < count; i++) {
        items[i] = *pointers[i];
    }
    sorted.attributes.items = items;
    otlp_span_encode(&sorted, &part);
    strbuf_add_str(out, strbuf_str(&part));
    strbuf_release(&part);
    strbuf_add_str(out, span->resource_raw);
    strbuf_add_str(out, span->resource->schema_url);
    strbuf_add_str(out, span->scope_raw);
    strbuf_add_str(out, span->scope->schema_url);
}

static void check_order(struct span_page *page)
{
    struct span_page_columns c;
    const struct span_page_trace *traces;
    struct span_page_info info = span_page_info(page);
    uint64_t least = UINT64_MAX, greatest = 0, longest = 0;
    assert_int_equal(span_page_columns(page, &c), 0);
    assert_int_equal(span_page_traces(page, &traces), 0);
    for (uint32_t i = 0; i < info.rows; i++) {
        least = c.start_ns[i] < least ? c.start_ns[i] : least;
        greatest = c.start_ns[i] > greatest ? c.start_ns[i] : greatest;
        longest = c.duration_ns[i] > longest ? c.duration_ns[i] : longest;
    }
    assert_true(least == info.start_min_ns && greatest == info.start_max_ns);
    assert_true(longest == info.duration_max_ns);
    for (uint32_t t = 0; t < info.traces; t++) {
        struct span_page_trace found;
        assert_true(t == 0 || trace_id_cmp(traces[t - 1].id, traces[t].id) < 0);
        assert_int_equal(span_page_find(page, traces[t].id, &found), 1);
        assert_int_equal(found.first, traces[t].first);
        for (uint32_t i = 1; i < traces[t].count; i++) {
            assert_true(c.start_ns[found.first + i - 1] <= c.start_ns[found.first + i]);
        }
    }
    struct span_page_trace none;
    assert_int_equal(span_page_find(page, (struct trace_id){99, 99}, &none), 0);
}

/* Every span of the page, by its id, against what was put in. */
static void check_spans(struct span_page *page, const struct strbuf *expected, size_t count)
{
    struct arena arena;
    struct otlp_span *spans = mem_calloc(count, sizeof(*spans));
    arena_init(&arena, 0);
    assert_int_equal(span_page_info(page).rows, count);
    assert_int_equal(span_page_spans(page, 0, (uint32_t)count, &arena, spans), 0);
    for (size_t i = 0; i < count; i++) {
        struct strbuf bytes = STRBUF_INIT;
        uint64_t number = spans[i].span.span_id - 1;
        assert_true(number < count);
        write_all(&spans[i], &bytes);
        assert_int_equal(bytes.size, expected[number].size);
        assert_memory_equal(bytes.data, expected[number].data, bytes.size);
        strbuf_release(&bytes);
    }
    arena_release(&arena);
    mem_free(spans);
}

static const struct {
    const char *what;
    size_t count;
    uint64_t unit;
    uint32_t traces, keys;
    int level;
} shapes[] = {
    {"one", 1, 1000, 1, 3, 3},
    {"few, stored", 40, 1000, 5, 4, 0},
    {"nanoseconds", 500, 1, 100, 12, 3},
    {"milliseconds", 500, 1000000, 100, 12, 3},
    {"one trace", 700, 1000, 1, 12, 1},
    {"a full page", SPAN_PAGE_ROWS_MAX, 1000, 900, 20, 3},
    {"more keys than columns", 2000, 1000, 50, 1500, 3},
};

static void test_round_trip(void **state)
{
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        struct maker m = maker_of(test_seed() + s);
        struct strbuf *expected = mem_calloc(shapes[s].count, sizeof(*expected));
        struct strbuf bytes = STRBUF_INIT;
        struct span_pager *pager = NULL;
        struct span_page *page = NULL;
        struct err e = ERR_INIT;
        m.unit = shapes[s].unit;
        m.traces = shapes[s].traces;
        m.keys = shapes[s].keys;
        assert_int_equal(span_pager_new(&pager), 0);
        for (size_t i = 0; i < shapes[s].count; i++) {
            struct otlp_span span = draw_span(&m);
            assert_int_equal(span_pager_add(pager, &span), 0);
            strbuf_init(&expected[i], 1 << 20);
            write_all(&span, &expected[i]);
        }
        assert_int_equal(write_page(pager, shapes[s].level, &bytes), 0);
        if (span_page_open(strbuf_str(&bytes), &page, &e) != 0) {
            fail_msg("%s: %s", shapes[s].what, e.message);
        }
        check_order(page);
        check_spans(page, expected, shapes[s].count);
        span_page_close(page);
        for (size_t i = 0; i < shapes[s].count; i++) {
            strbuf_release(&expected[i]);
        }
        mem_free(expected);
        span_pager_free(pager);
        strbuf_release(&bytes);
        maker_release(&m);
    }
    (void)state;
}

/* What few spans have is of the rows of those that have it. */
static void check_extras(struct span_page *page, const struct otlp_span *spans, uint32_t count)
{
    struct span_page_extras events, links, messages;
    uint32_t e = 0, l = 0, m = 0, resources = 0, scopes = 0;
    assert_int_equal(span_page_extra(page, SPAN_PAGE_EVENTS, &events), 0);
    assert_int_equal(span_page_extra(page, SPAN_PAGE_LINKS, &links), 0);
    assert_int_equal(span_page_extra(page, SPAN_PAGE_MESSAGES, &messages), 0);
    for (uint32_t row = 0; row < count; row++) {
        const struct span *s = &spans[row].span;
        if (s->event_count > 0) {
            assert_true(e < events.count && events.rows[e++] == row);
        }
        if (s->link_count > 0) {
            assert_true(l < links.count && links.rows[l++] == row);
        }
        if (s->status_message.len > 0) {
            assert_true(m < messages.count && messages.rows[m] == row);
            assert_true(str_eq(messages.items[m++], s->status_message));
        }
    }
    assert_int_equal(e, events.count);
    assert_int_equal(l, links.count);
    assert_int_equal(m, messages.count);
    struct span_page_columns columns;
    assert_int_equal(span_page_columns(page, &columns), 0);
    assert_int_equal(span_page_pools(page, &resources, &scopes), 0);
    assert_int_equal(resources, columns.resource_count);
    assert_int_equal(scopes, columns.scope_count);
}

/* Columns say what spans say. */
static void test_columns(void **state)
{
    struct maker m = maker_of(test_seed());
    struct strbuf bytes = STRBUF_INIT;
    struct span_pager *pager = NULL;
    struct span_page *page = NULL;
    enum { COUNT = 300 };
    static struct otlp_span spans[COUNT];
    struct arena arena;
    uint64_t values = 0, seen = 0;
    arena_init(&arena, 0);
    assert_int_equal(span_pager_new(&pager), 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct otlp_span span = draw_span(&m);
        values += span.span.attributes.count;
        assert_int_equal(span_pager_add(pager, &span), 0);
    }
    assert_int_equal(write_page(pager, 3, &bytes), 0);
    assert_int_equal(span_page_open(strbuf_str(&bytes), &page, NULL), 0);
    assert_int_equal(span_page_spans(page, 0, COUNT, &arena, spans), 0);
    for (uint32_t i = 0; i < span_page_column_count(page); i++) {
        struct span_page_column c;
        assert_int_equal(span_page_column(page, i, &c), 0);
        for (uint32_t k = 0; k < c.count; k++) {
            struct attributes list = spans[c.rows[k]].span.attributes;
            bool found = false;
            for (size_t a = 0; a < list.count && !found; a++) {
                const struct attribute *x = &list.items[a];
                found = str_eq(x->key, c.key) && x->kind == c.kind &&
                        (c.kind != ATTRIBUTE_INT || x->integer == c.integers[k]) &&
                        (c.kind != ATTRIBUTE_STRING || str_eq(x->bytes, c.texts[c.codes[k]]));
            }
            assert_true(found);
            seen++;
        }
    }
    assert_int_equal(seen, values);
    check_extras(page, spans, COUNT);
    span_page_close(page);
    span_pager_free(pager);
    strbuf_release(&bytes);
    arena_release(&arena);
    maker_release(&m);
    (void)state;
}

/* ---- Limits and faults ---- */

static void test_a_full_page_takes_no_more(void **state)
{
    struct maker m = maker_of(1);
    struct span_pager *pager = NULL;
    assert_int_equal(span_pager_new(&pager), 0);
    struct otlp_span span = draw_span(&m);
    char *long_name = mem_calloc(1, SPAN_PAGE_BYTES_MAX / 2);
    struct otlp_span big = span;
    big.raw = str_make(long_name, SPAN_PAGE_BYTES_MAX / 2);
    assert_int_equal(span_pager_add(pager, &big), 0);
    assert_int_equal(span_pager_add(pager, &big), ERR_LIMIT);
    assert_int_equal(span_pager_add(pager, &span), 0);
    assert_int_equal(span_pager_rows(pager), 2);
    span_pager_reset(pager);
    for (size_t i = 0; i < SPAN_PAGE_ROWS_MAX; i++) {
        assert_int_equal(span_pager_add(pager, &span), 0);
    }
    assert_int_equal(span_pager_add(pager, &span), ERR_LIMIT);
    mem_free(long_name);
    span_pager_free(pager);
    maker_release(&m);
    (void)state;
}

static void make_page(uint64_t seed, size_t count, struct strbuf *bytes)
{
    struct maker m = maker_of(seed);
    struct span_pager *pager = NULL;
    assert_int_equal(span_pager_new(&pager), 0);
    for (size_t i = 0; i < count; i++) {
        struct otlp_span span = draw_span(&m);
        assert_int_equal(span_pager_add(pager, &span), 0);
    }
    assert_int_equal(write_page(pager, 3, bytes), 0);
    span_pager_free(pager);
    maker_release(&m);
}

/* Reads all there is; the first error. */
static int read_everything(struct str bytes)
{
    struct span_page *page = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    int status = span_page_open(bytes, &page, &e);
    if (status != 0) {
        return status;
    }
    uint32_t rows = span_page_info(page).rows;
    struct otlp_span *spans = mem_calloc(rows, sizeof(*spans));
    arena_init(&arena, 0);
    status = spans == NULL ? ERR_NOMEM : span_page_spans(page, 0, rows, &arena, spans);
    for (uint32_t i = 0; status == 0 && i < span_page_column_count(page); i++) {
        struct span_page_column c;
        status = span_page_column(page, i, &c);
    }
    mem_free(spans);
    arena_release(&arena);
    span_page_close(page);
    return status;
}

/* Any flipped bit is noticed: everything is under a checksum. */
static void test_flipped_bits(void **state)
{
    struct strbuf bytes = STRBUF_INIT;
    make_page(3, 60, &bytes);
    assert_int_equal(read_everything(strbuf_str(&bytes)), 0);
    for (size_t bit = 0; bit < bytes.size * 8; bit += 7) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        int status = read_everything(strbuf_str(&bytes));
        if (status != ERR_CORRUPT && status != ERR_INVALID) {
            fail_msg("bit %zu of %zu: %d", bit, bytes.size * 8, status);
        }
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t size = 0; size < bytes.size; size += 3) {
        assert_int_equal(read_everything(str_make(bytes.data, size)), ERR_CORRUPT);
    }
    strbuf_release(&bytes);
    (void)state;
}

/* The n-th allocation fails: it is told, nothing leaks, and what was there stays. */
static int run_allocations(void *context, struct vfs *fs)
{
    struct strbuf bytes = STRBUF_INIT;
    struct span_pager *pager = NULL;
    const struct otlp_span *span = context;
    (void)fs;
    int status = span_pager_new(&pager);
    for (int i = 0; status == 0 && i < 3; i++) {
        status = span_pager_add(pager, span);
    }
    if (status == 0) {
        status = write_page(pager, 3, &bytes);
        assert_true(status == 0 || bytes.size == 0);
    }
    if (status == 0) {
        status = read_everything(strbuf_str(&bytes));
    }
    span_pager_free(pager);
    strbuf_release(&bytes);
    return status;
}

static void test_allocations_fail(void **state)
{
    struct maker m = maker_of(5);
    struct otlp_span span = draw_span(&m);
    struct fault_scenario scenario = {"span page", &span, NULL, run_allocations, NULL, 0, 0};
    assert_true(fault_loop(&scenario, FAULT_ALLOCATION) > 20);
    maker_release(&m);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_a_full_page_takes_no_more),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
