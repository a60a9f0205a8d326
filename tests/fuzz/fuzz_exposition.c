/* Any bytes as a scraped body. The first byte chooses the format (even: text, odd: OpenMetrics).
 * Every entry has text, every line is read once, and labels that were split hold within limits. */
#include <assert.h>
#include <math.h>

#include "wire/exposition.h"

static void check_labels(struct exposition_parser *p, struct str text)
{
    static struct label pairs[EXPOSITION_LABELS_MAX];
    struct err e = ERR_INIT;
    size_t count = SIZE_MAX;
    int status = exposition_labels(p, text, pairs, EXPOSITION_LABELS_MAX, &count, &e);
    if (status != 0) {
        assert(e.code == status && e.message[0] != '\0' && count == SIZE_MAX);
        return;
    }
    assert(count <= EXPOSITION_LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(str_is_utf8(pairs[i].name) && str_is_utf8(pairs[i].value));
        assert(pairs[i].name.len <= text.len || str_eq_c(pairs[i].name, LABEL_METRIC_NAME));
        assert(pairs[i].value.len <= text.len);
    }
}

static void check_entry(struct exposition_parser *p, const struct exposition_entry *entry)
{
    if (entry->kind != EXPOSITION_SAMPLE) {
        assert(str_is_utf8(entry->text));
        assert(entry->metric.len > 0 || entry->metric.ptr != NULL);
        return;
    }
    assert(entry->series_text.len > 0);
    assert(entry->series_text.ptr >= p->body.ptr);
    assert(entry->series_text.ptr + entry->series_text.len <= p->body.ptr + p->body.len);
    check_labels(p, entry->series_text);
    if (entry->has_exemplar) {
        assert(p->format == EXPOSITION_OPENMETRICS);
        check_labels(p, entry->exemplar_text);
    }
}

/* The short way past a known series gives what the long one gave, or nothing. */
static void check_short_way(struct exposition_parser start, const struct exposition_parser *after,
    const struct exposition_entry *entry)
{
    double value;
    if (entry->kind == EXPOSITION_SAMPLE &&
        exposition_take_known(&start, entry->series_text, &value)) {
        assert(double_bits(value) == double_bits(entry->value));
        assert(!entry->has_timestamp && !entry->has_exemplar);
        assert(start.position == after->position && start.line == after->line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct arena arena;
    struct exposition_parser parser;
    struct exposition_entry entry;
    struct err e = ERR_INIT;
    int status;
    size_t before = 0;
    arena_init(&arena, 64 << 20);
    exposition_begin(&parser, data[0] % 2 == 0 ? EXPOSITION_TEXT : EXPOSITION_OPENMETRICS,
        str_make((const char *)data + 1, size - 1), &arena);
    struct exposition_parser start = parser;
    while ((status = exposition_next(&parser, &entry, &e)) == 1) {
        assert(parser.position > before && parser.position <= parser.body.len);
        check_short_way(start, &parser, &entry);
        start = parser;
        before = parser.position;
        check_entry(&parser, &entry);
    }
    assert(status == 0 || (status < 0 && e.code == status && e.message[0] != '\0'));
    arena_release(&arena);
    return 0;
}
