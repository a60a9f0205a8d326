/* Any bytes as a protobuf exposition: what is accepted must be text that the text parser takes, and
 * histograms that can be walked. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/exposition.h"

static void read_text(struct str text, struct arena *arena)
{
    struct exposition_parser parser;
    struct exposition_entry entry;
    struct label pairs[EXPOSITION_LABELS_MAX];
    size_t count;
    int status;
    exposition_begin(&parser, EXPOSITION_TEXT, text, arena);
    while ((status = exposition_next(&parser, &entry, NULL)) == 1) {
        if (entry.kind == EXPOSITION_SAMPLE) {
            (void)exposition_labels(
                &parser, entry.series_text, pairs, EXPOSITION_LABELS_MAX, &count, NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct strbuf text;
    struct exposition_histograms histograms;
    arena_init(&arena, 64 << 20);
    strbuf_init(&text, 64 << 20);
    int status = exposition_read_protobuf(
        str_make((const char *)data, size), size % 2 == 0, &arena, &text, &histograms, NULL);
    if (status == 0) {
        read_text(strbuf_str(&text), &arena);
        for (size_t i = 0; i < histograms.count; i++) {
            assert(histogram_can_be_walked(histograms.items[i].histogram));
        }
    }
    strbuf_release(&text);
    arena_release(&arena);
    return 0;
}
