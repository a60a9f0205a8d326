/* A block as text; see the header. */
#include "describe_block.h"

#include <inttypes.h>

#include "base/mem.h"
#include "block/block_reader.h"
#include "model/sample.h"
#include "support/support.h"

static void add_side(struct strbuf *out, const struct histogram_buckets *side)
{
    int64_t index = 0;
    size_t position = 0;
    for (size_t i = 0; i < side->span_count; i++) {
        index += side->spans[i].offset;
        for (uint32_t j = 0; j < side->spans[i].length; j++, index++, position++) {
            if (side->counts[position] != 0) {
                strbuf_addf(
                    out, " %" PRId64 ":%016" PRIx64, index, double_bits(side->counts[position]));
            }
        }
    }
}

static void add_histogram(struct strbuf *out, const struct histogram *h)
{
    strbuf_addf(out, "%s %d %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64,
        h->integer ? "histogram" : "floathistogram", h->schema, double_bits(h->zero_threshold),
        double_bits(h->zero_count), double_bits(h->count), double_bits(h->sum));
    add_side(out, &h->positive);
    strbuf_add_c(out, " /");
    add_side(out, &h->negative);
    strbuf_add_char(out, '\n');
}

static void add_samples(struct strbuf *out, const struct chunk_samples *s)
{
    for (size_t i = 0; i < s->count; i++) {
        strbuf_addf(out, "%" PRId64 " ", s->times[i]);
        if (s->values != NULL) {
            strbuf_addf(out, "float %016" PRIx64 "\n", double_bits(s->values[i]));
        } else {
            add_histogram(out, s->histograms[i]);
        }
    }
}

int describe_block(struct vfs *fs, const char *directory, struct strbuf *out)
{
    struct block_reader r;
    const struct block_series *series = NULL;
    struct arena arena;
    int status = block_reader_open(&r, fs, directory, NULL);
    if (status != 0) {
        return status;
    }
    arena_init(&arena, 0);
    while (status == 0 && (status = block_index_next(&r.index, &series, NULL)) == 1) {
        const struct labels *labels = NULL;
        assert_int_equal(labels_new(series->labels, series->label_count, &labels, NULL), 0);
        strbuf_add_c(out, "series ");
        labels_write(labels, out);
        strbuf_add_char(out, '\n');
        labels_unref(labels);
        status = 0;
        for (size_t i = 0; status == 0 && i < series->chunk_count; i++) {
            struct chunk_samples samples;
            status = block_reader_samples(&r, series, i, &arena, &samples, NULL);
            if (status == 0) {
                add_samples(out, &samples);
            }
        }
    }
    arena_release(&arena);
    block_reader_close(&r);
    return status;
}

void assert_same_lines(const struct strbuf *ours, const char *expected)
{
    struct str a = strbuf_str(ours), b = str_of(expected);
    for (size_t number = 1; a.len > 0 || b.len > 0; number++) {
        struct str x = str_split(&a, '\n'), y = str_split(&b, '\n');
        if (!str_eq(x, y)) {
            fail_msg("line %zu:\n  %.*s\nexpected\n  %.*s", number, STR_ARG(x), STR_ARG(y));
        }
    }
}

char *read_expected(void)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(
        vfs_read_file(vfs_posix(), GOLDEN "/samples.txt", (size_t)1 << 24, &text, &size), 0);
    return text;
}
