/* One trace that fits on a page, and which of its spans each query leaves: reckoned by hand.
 *
 *   id  parent  name    service  start   takes   n  code
 *    1          GET     shop      0 ms  100 ms
 *    2     1    load    shop     10 ms   60 ms   3   200
 *    3     1    load    cart     20 ms   20 ms   1   500    failed; event "exception" 5 ms after its start
 *    4     2    SELECT  db       15 ms   30 ms              link to trace bb
 *    5     9    lost    cart     50 ms   10 ms              whose parent is not there
 *
 * Durations: sum 220 ms, mean 44 ms, greatest 100 ms, least 10 ms. The trace takes 100 ms.
 */
#include "trace/traceql_evaluate.h"

#include "base/strbuf.h"
#include "support/support.h"

#define MS UINT64_C(1000000)
#define START_NS (UINT64_C(1700000000) * 1000 * MS)

enum { SPANS = 5 };

static const struct attribute shop[] = {
    {.key = {"service.name", 12}, .kind = ATTRIBUTE_STRING, .bytes = {"shop", 4}}};
static const struct attribute cart[] = {
    {.key = {"service.name", 12}, .kind = ATTRIBUTE_STRING, .bytes = {"cart", 4}}};
static const struct attribute db[] = {
    {.key = {"service.name", 12}, .kind = ATTRIBUTE_STRING, .bytes = {"db", 2}}};
static const struct span_resource resources[] = {
    {.attributes = {shop, 1}}, {.attributes = {cart, 1}}, {.attributes = {db, 1}}};
static const struct span_scope scope = {.name = {"lib", 3}, .version = {"1.2", 3}};

static const struct attribute second[] = {{.key = {"n", 1}, .kind = ATTRIBUTE_INT, .integer = 3},
    {.key = {"code", 4}, .kind = ATTRIBUTE_INT, .integer = 200}};
static const struct attribute third[] = {{.key = {"n", 1}, .kind = ATTRIBUTE_INT, .integer = 1},
    {.key = {"code", 4}, .kind = ATTRIBUTE_INT, .integer = 500}};
static const struct attribute kind_of_exception[] = {
    {.key = {"type", 4}, .kind = ATTRIBUTE_STRING, .bytes = {"Oops", 4}}};
static const struct span_event exception = {
    .time_ns = START_NS + 25 * MS, .name = {"exception", 9}, .attributes = {kind_of_exception, 1}};
static const struct span_link elsewhere = {.trace_id = {.low = 0xbb}, .span_id = 7};

static struct otlp_span make(
    uint64_t id, uint64_t parent, const char *name, int resource, uint64_t start, uint64_t takes)
{
    return (struct otlp_span){.resource = &resources[resource],
        .scope = &scope,
        .span = {.trace_id = {.low = 0xaa},
            .span_id = id,
            .parent_id = parent,
            .name = str_of(name),
            .start_ns = START_NS + start * MS,
            .end_ns = START_NS + (start + takes) * MS}};
}

/* By start. */
static void make_all(struct otlp_span *spans)
{
    spans[0] = make(1, 0, "GET", 0, 0, 100);
    spans[1] = make(2, 1, "load", 0, 10, 60);
    spans[1].span.attributes = (struct attributes){second, 2};
    spans[2] = make(4, 2, "SELECT", 2, 15, 30);
    spans[2].span.links = &elsewhere;
    spans[2].span.link_count = 1;
    spans[3] = make(3, 1, "load", 1, 20, 20);
    spans[3].span.attributes = (struct attributes){third, 2};
    spans[3].span.status = SPAN_STATUS_ERROR;
    spans[3].span.events = &exception;
    spans[3].span.event_count = 1;
    spans[4] = make(5, 9, "lost", 1, 50, 10);
}

static int by_digit(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static void check_spans(void **state)
{
    static const struct {
        const char *query, *ids;
    } cases[] = {
        /* aggregates, and arithmetic of them */
        {"{} | count() = 5", "12345"},
        {"{} | 5 = count()", "12345"},
        {"{} | avg(duration) = 44ms", "12345"},
        {"{} | sum(duration) = 220ms && {}", NULL},
        {"{} | max(duration) > 2 * avg(duration)", "12345"},    /* 100 > 88 */
        {"{} | max(duration) > 3 * avg(duration)", ""},         /* 100 < 132 */
        {"{} | max(duration) / avg(duration) > 2.27", "12345"}, /* 2.2727…, a ratio */
        {"{} | max(duration) / avg(duration) > 2.28", ""},
        {"{} | sum(duration) / count() = 44ms", "12345"},
        {"{} | (max(duration) - min(duration)) / 2 = 45ms", "12345"},
        {"{} | max(duration) - min(duration) / 2 = 95ms", "12345"},
        {"{} | count() / 2 = 2", "12345"}, /* integers divide as integers */
        {"{} | count() / 2. = 2.5", "12345"},
        {"{} | count() % 3 = 2", "12345"},
        {"{} | 2 ^ 2 + 1 = count()", "12345"},
        {"{} | sum(span.n) * 10 = 40", "12345"},
        {"{} | avg(span.n) = 2", "12345"},
        {"{} | max(span.none) > 0", ""},
        {"{} | count() / 0 > 1", ""}, /* is nothing */
        {"{} | by(resource.service.name) | count() * 2 = 4", "1235"},
        {"{} | by(resource.service.name) | max(duration) - min(duration) >= 40ms", "12"},
        {"{} | by(name) | count() > 1", "23"},
        {"{} | by(name) | coalesce() | count() = 5", "12345"},
        {"{ resource.service.name = \"cart\" } | min(duration) = 10ms | { status = error }", "3"},
        /* fields reckoned with */
        {"{ span.n + 1 = 2 }", "3"},
        {"{ span.n * 2 - 1 = 5 }", "2"},
        {"{ span.code / 100 = 5 }", "3"},
        {"{ span.code % 300 = 200 }", "23"},
        {"{ -span.n = -3 }", "2"},
        {"{ duration * 2 > 100ms }", "12"},
        {"{ duration / traceDuration >= 0.6 }", "12"},
        {"{ duration / 10ms = span.n * 2 }", "23"}, /* 6 = 6, 2 = 2 */
        /* parents */
        {"{ parent.service.name = \"shop\" }", "234"},
        {"{ parent.resource.service.name != resource.service.name }", "34"},
        {"{ parent.span.n = 3 }", "4"},
        {"{ parent.n = 3 && resource.service.name = \"db\" }", "4"},
        {"{ parent.span.n = nil }", "1235"},
        {"{ parent.resource.n = 3 }", ""},
        {"{} | select(parent.service.name) | by(parent.service.name) | count() = 3", "234"},
        {"{ parent.service.name = \"shop\" } >> { parent.span.n > 1 }", "4"},
        /* events, links, scopes, intrinsics */
        {"{ event:name = \"exception\" }", "3"},
        {"{ event:timeSinceStart = 5ms }", "3"},
        {"{ event.type = \"Oops\" }", "3"},
        {"{ event.type != nil }", "3"},
        {"{ link:traceID = \"000000000000000000000000000000bb\" }", "4"},
        {"{ link:spanID = \"0000000000000007\" }", "4"},
        {"{ instrumentation:name = \"lib\" && instrumentation:version =~ \"1[.].*\" }", "12345"},
        {"{ trace:id = \"000000000000000000000000000000aa\" }", "12345"},
        {"{ span:id = \"0000000000000003\" }", "3"},
        {"{ span:parentID = \"0000000000000001\" }", "23"},
        {"{ span:childCount = 2 }", "1"},
        {"{ span:childCount = 0 }", "345"},
        {"{ span:duration <= 20ms && span:status != error }", "5"},
        {"{ trace:rootName = \"GET\" && trace:rootService = \"shop\" }", "12345"},
        {"{ trace:duration = 100ms }", "12345"},
        {"{ nestedSetParent < 0 }", "1"},
        {"{ nestedSetParent = 0 }", "5"}, /* its parent is not there */
        /* structure */
        {"{ name = \"GET\" } > { name = \"load\" }", "23"},
        {"{ name = \"GET\" } >> {}", "234"},
        {"{ name = \"SELECT\" } < {}", "2"},
        {"{ name = \"SELECT\" } << {}", "12"},
        {"{ status = error } ~ {}", "2"},
        {"{ name = \"GET\" } !> {}", "145"},
        {"{ name = \"GET\" } !>> {}", "15"},
        {"{ name = \"SELECT\" } !< {}", "1345"},
        {"{ name = \"SELECT\" } !<< {}", "345"},
        {"{ status = error } !~ {}", "1345"},
        {"{ name = \"GET\" } &> { name = \"load\" }", "123"},
        {"{ name = \"GET\" } &>> { name = \"SELECT\" }", "14"},
        {"{ name = \"SELECT\" } &< {}", "24"},
        {"{ name = \"SELECT\" } &<< {}", "124"},
        {"{ status = error } &~ {}", "23"},
        {"{ name = \"GET\" } && { name = \"lost\" }", "15"},
        {"{ name = \"GET\" } && { name = \"none\" }", ""},
        {"{ name = \"GET\" } || { name = \"none\" }", "1"},
        {"({ name = \"GET\" } > {} | count() = 2) >> { name = \"SELECT\" }", "4"},
    };
    struct otlp_span spans[SPANS];
    const struct span_trace trace = {.spans = spans, .count = SPANS};
    make_all(spans);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct traceql_query *query;
        struct trace_tree tree;
        struct traceql_sets sets;
        struct arena arena;
        struct err e = ERR_INIT;
        char found[SPANS + 1] = "";
        size_t count = 0;
        arena_init(&arena, 0);
        int status = traceql_parse(str_of(cases[i].query), &arena, &query, &e);
        if ((status != 0) != (cases[i].ids == NULL)) {
            fail_msg("%s: %d, %s", cases[i].query, status, e.message);
        }
        if (status == 0) {
            assert_int_equal(trace_tree_build(&trace, &arena, &tree), 0);
            assert_int_equal(traceql_evaluate(query, &tree, &arena, &sets), 0);
            for (uint32_t s = 0; s < sets.count; s++) {
                for (uint32_t k = 0; k < sets.items[s].count; k++) {
                    assert_true(count < SPANS);
                    found[count++] = (char)('0' + spans[sets.items[s].spans[k]].span.span_id);
                }
            }
            qsort(found, count, 1, by_digit);
            if (strcmp(found, cases[i].ids) != 0) {
                fail_msg("%s: spans \"%s\", not \"%s\"", cases[i].query, found, cases[i].ids);
            }
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
