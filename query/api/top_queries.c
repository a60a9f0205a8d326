/* A ring of the last queries; sums are made when they are asked for. */
#include "api/top_queries.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void top_queries_init(struct top_queries *top)
{
    lock_init(&top->lock, LOCK_RANK_LEAF);
    top->next = 0;
    top->count = 0;
}

void top_queries_release(struct top_queries *top)
{
    for (size_t i = 0; i < top->count; i++) {
        mem_free(top->records[i].text);
    }
    lock_release(&top->lock);
}

void top_queries_add(
    struct top_queries *top, struct str text, const struct top_query_record *record)
{
    size_t size = text.len < TOP_QUERY_TEXT_MAX ? text.len : TOP_QUERY_TEXT_MAX;
    char *copy = mem_alloc(size + 1);
    if (copy == NULL) {
        return;
    }
    if (size > 0) {
        memcpy(copy, text.ptr, size);
    }
    lock_take(&top->lock);
    struct top_query_record *slot = &top->records[top->next];
    char *replaced = top->count == TOP_QUERIES_KEPT ? slot->text : NULL;
    *slot = *record;
    slot->text = copy;
    slot->text_size = size;
    top->next = (top->next + 1) % TOP_QUERIES_KEPT;
    top->count += top->count < TOP_QUERIES_KEPT;
    lock_give(&top->lock);
    mem_free(replaced);
}

static int compare_same(const void *left, const void *right)
{
    const struct top_query *a = left, *b = right;
    int order = str_cmp(a->text, b->text);
    return order != 0 ? order : (a->range_s > b->range_s) - (a->range_s < b->range_s);
}

/* Copies records as lines of one query each. Texts are copied too: the ring goes on turning. */
static int copy_records(struct top_queries *top, int64_t since_ms, struct arena *arena,
    struct top_query *lines, size_t *count_out)
{
    char *texts = arena_alloc(arena, (size_t)TOP_QUERIES_KEPT * TOP_QUERY_TEXT_MAX);
    if (texts == NULL) {
        return arena_error(arena);
    }
    size_t count = 0;
    lock_take(&top->lock);
    for (size_t i = 0; i < top->count; i++) {
        const struct top_query_record *r = &top->records[i];
        if (r->ended_ms <= since_ms) {
            continue;
        }
        char *text = texts + count * TOP_QUERY_TEXT_MAX;
        memcpy(text, r->text, r->text_size);
        lines[count++] = (struct top_query){.text = str_make(text, r->text_size),
            .range_s = r->range_s,
            .count = 1,
            .took_ns = r->took_ns,
            .memory_bytes = r->memory_bytes};
    }
    lock_give(&top->lock);
    *count_out = count;
    return 0;
}

int top_queries_sum(struct top_queries *top, int64_t since_ms, struct arena *arena,
    struct top_query **lines_out, size_t *count_out)
{
    struct top_query *lines = arena_calloc(arena, TOP_QUERIES_KEPT, sizeof(*lines));
    if (lines == NULL) {
        return arena_error(arena);
    }
    size_t count = 0, sums = 0;
    int status = copy_records(top, since_ms, arena, lines, &count);
    if (status != 0) {
        return status;
    }
    if (count > 0) {
        qsort(lines, count, sizeof(*lines), compare_same);
    }
    for (size_t i = 0; i < count; i++) {
        if (sums == 0 || compare_same(&lines[sums - 1], &lines[i]) != 0) {
            lines[sums++] = lines[i];
            continue;
        }
        lines[sums - 1].count++;
        lines[sums - 1].took_ns += lines[i].took_ns;
        lines[sums - 1].memory_bytes += lines[i].memory_bytes;
    }
    *lines_out = lines;
    *count_out = sums;
    return 0;
}

/* ---- Orders ---- */

static int descending(double a, double b, const void *left, const void *right)
{
    return a != b ? (a < b) - (a > b) : compare_same(left, right);
}

static int compare_count(const void *left, const void *right)
{
    const struct top_query *a = left, *b = right;
    return descending((double)a->count, (double)b->count, a, b);
}

static int compare_average(const void *left, const void *right)
{
    const struct top_query *a = left, *b = right;
    return descending(
        (double)a->took_ns / (double)a->count, (double)b->took_ns / (double)b->count, a, b);
}

static int compare_sum(const void *left, const void *right)
{
    const struct top_query *a = left, *b = right;
    return descending((double)a->took_ns, (double)b->took_ns, a, b);
}

static int compare_memory(const void *left, const void *right)
{
    const struct top_query *a = left, *b = right;
    return descending((double)a->memory_bytes / (double)a->count,
        (double)b->memory_bytes / (double)b->count, a, b);
}

void top_queries_sort(struct top_query *lines, size_t count, enum top_order order)
{
    static int (*const compare[])(const void *, const void *) = {
        [TOP_BY_COUNT] = compare_count,
        [TOP_BY_AVG_DURATION] = compare_average,
        [TOP_BY_SUM_DURATION] = compare_sum,
        [TOP_BY_AVG_MEMORY] = compare_memory,
    };
    if (count > 0) {
        qsort(lines, count, sizeof(*lines), compare[order]);
    }
}
