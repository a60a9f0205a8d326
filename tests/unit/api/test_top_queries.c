/* Sums and orders of the last queries. */
#include "support/support.h"

#include <string.h>

#include "api/top_queries.h"
#include "base/mem.h"
#include "base/strbuf.h"

static struct top_queries top;

static void add(
    const char *text, int64_t ended_ms, int64_t range_s, int64_t took_ns, uint64_t bytes)
{
    top_queries_add(&top, str_of(text),
        &(struct top_query_record){
            .ended_ms = ended_ms, .range_s = range_s, .took_ns = took_ns, .memory_bytes = bytes});
}

/* "text/range×count …" */
static void expect(int64_t since_ms, enum top_order order, const char *expected)
{
    struct arena arena;
    struct top_query *lines;
    size_t count;
    struct strbuf out = STRBUF_INIT;
    arena_init(&arena, 0);
    assert_int_equal(top_queries_sum(&top, since_ms, &arena, &lines, &count), 0);
    top_queries_sort(lines, count, order);
    strbuf_add_c(&out, "");
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&out, "%s%.*s/%lldx%llu", i > 0 ? " " : "", STR_ARG(lines[i].text),
            (long long)lines[i].range_s, (unsigned long long)lines[i].count);
    }
    assert_string_equal(out.data, expected);
    strbuf_release(&out);
    arena_release(&arena);
}

static void test_orders(void **state)
{
    (void)state;
    top_queries_init(&top);
    expect(INT64_MIN, TOP_BY_COUNT, "");
    add("a", 10, 60, 5, 100);
    add("b", 20, 60, 8, 10);
    add("a", 30, 60, 1, 300);
    add("a", 40, 0, 7, 20);
    expect(0, TOP_BY_COUNT, "a/60x2 a/0x1 b/60x1");
    expect(0, TOP_BY_AVG_DURATION, "b/60x1 a/0x1 a/60x2");
    expect(0, TOP_BY_SUM_DURATION, "b/60x1 a/0x1 a/60x2");
    expect(0, TOP_BY_AVG_MEMORY, "a/60x2 a/0x1 b/60x1");
    expect(20, TOP_BY_COUNT, "a/0x1 a/60x1");
    expect(40, TOP_BY_COUNT, "");
    top_queries_release(&top);
}

static void test_ring(void **state)
{
    (void)state;
    top_queries_init(&top);
    add("old", 1, 0, 1, 1);
    for (int i = 0; i < TOP_QUERIES_KEPT - 1; i++) {
        add("new", 2, 0, 1, 1);
    }
    expect(0, TOP_BY_COUNT, "new/0x4095 old/0x1");
    add("last", 3, 0, 1, 1);
    expect(0, TOP_BY_COUNT, "new/0x4095 last/0x1");
    char text[TOP_QUERY_TEXT_MAX + 100];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    add(text, 9, 0, 1, 1);
    text[TOP_QUERY_TEXT_MAX] = '\0';
    char expected[sizeof(text) + 10];
    snprintf(expected, sizeof(expected), "%s/0x1", text);
    expect(8, TOP_BY_COUNT, expected);
    mem_fail_nth(1);
    add("lost", 9, 0, 1, 1);
    mem_fail_nth(0);
    expect(8, TOP_BY_COUNT, expected);
    top_queries_release(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
