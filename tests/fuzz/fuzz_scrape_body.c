/* Any bytes as the bodies of a target's scrapes, one after the other: read in pieces they are what they are when
 * they come whole, to the last bit, error and count.
 *
 * The first byte chooses the format (modulo 3: text, OpenMetrics, protobuf), the second one the sizes of the
 * pieces; 0xff ends a body. */
#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "scrape/scrape_body.h"

enum { BODIES_MAX = 16 };

struct reading {
    struct intake intake; /* first */
    struct metric_metadata metadata;
    struct scrape_body body;
    struct strbuf seen;
};

static enum intake_pressure pressure(const struct intake *self)
{
    (void)self;
    return INTAKE_EASY;
}

static void begin(struct reading *r, const struct target_options *options)
{
    *r = (struct reading){.intake = {.pressure = pressure}};
    scrape_body_init(&r->body, options, &r->intake, &r->metadata);
    strbuf_init(&r->seen, 64 << 20);
}

static void end(struct reading *r)
{
    scrape_body_release(&r->body);
    metric_metadata_release(&r->metadata);
    strbuf_release(&r->seen);
}

static void see_note(struct strbuf *out, const struct sample_note *note)
{
    strbuf_addf(out, "  at %zu again %d %llx time %d %lld", note->at, note->again != NULL,
        (unsigned long long)double_bits(note->value), note->has_time, (long long)note->t_ms);
    if (note->histogram != NULL) {
        strbuf_addf(out, " histogram %g %g %zu %zu", note->histogram->count, note->histogram->sum,
            note->histogram->positive.count, note->histogram->negative.count);
    }
    if (note->exemplar != NULL) {
        const struct remote_write_exemplar *x = &note->exemplar->exemplar;
        strbuf_addf(out, " exemplar %llx %lld", (unsigned long long)double_bits(x->value),
            (long long)x->t_ms);
        for (size_t i = 0; i < x->label_count; i++) {
            strbuf_add_str(out, x->labels[i].name);
            strbuf_add_char(out, '=');
            strbuf_add_str(out, x->labels[i].value);
        }
    }
    strbuf_add_char(out, '\n');
}

/* What would be sent, which the entries then know as a target leaves it. */
static void see(struct reading *r)
{
    size_t count;
    struct series_entry *const *entries = series_cache_scraped(&r->body.cache, &count);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_str(&r->seen, series_entry_text(entries[i]));
        strbuf_add_str(&r->seen, series_entry_labels(entries[i]));
        strbuf_addf(&r->seen, " %llx\n", (unsigned long long)double_bits(entries[i]->value));
        entries[i]->live = !entries[i]->dropped;
    }
    struct sample_note note;
    sample_notes_rewind(&r->body.notes);
    while (sample_notes_next(&r->body.notes, &note)) {
        assert(note.at < count);
        see_note(&r->seen, &note);
    }
}

static void see_vanished(void *context, struct series_entry *entry)
{
    struct reading *r = context;
    strbuf_add_c(&r->seen, "gone ");
    strbuf_add_str(&r->seen, series_entry_text(entry));
}

static void read_body(
    struct reading *r, enum exposition_format format, struct str body, uint64_t *random)
{
    struct err e = ERR_INIT;
    int status = 0;
    strbuf_reset(&r->seen);
    scrape_body_begin(&r->body, 1700000000000);
    scrape_body_set_format(&r->body, format);
    while (status == 0 && body.len > 0) {
        struct str piece = body;
        if (random != NULL) {
            *random = hash_mix64(*random + 1);
            size_t size = 1 + *random % (1 + (*random >> 32) % 100);
            piece.len = size < piece.len ? size : piece.len;
        }
        /* Of its own, so that a look behind its end or after its time is seen. */
        char *copy = mem_dup(piece.ptr, piece.len);
        status = scrape_body_take(&r->body, str_make(copy, piece.len), &e);
        mem_free(copy);
        body = str_skip(body, piece.len);
    }
    status = status == 0 ? scrape_body_end(&r->body, &e) : status;
    strbuf_addf(&r->seen, "%d %s %zu %zu %zu %zu\n", status, e.message, r->body.sample_count,
        r->body.dropped_count, r->body.ignored_count, (size_t)r->body.series_added);
    if (status == 0) {
        see(r);
    }
    scrape_body_clear(&r->body);
    series_cache_settle(&r->body.cache, status == 0);
    /* All at once, or in steps: both are the same. */
    while (!series_cache_step(&r->body.cache, random != NULL ? 3 : SIZE_MAX, see_vanished, r)) {
    }
    strbuf_addf(&r->seen, "%zu\n", r->body.cache.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target_options options = {.honor_timestamps = true, .body_max = 1 << 20};
    struct reading whole, pieces;
    if (size < 2) {
        return 0;
    }
    const enum exposition_format formats[] = {
        EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, EXPOSITION_PROTOBUF};
    struct str rest = str_make((const char *)data + 2, size - 2);
    struct label own = {STR("job"), STR("j")};
    uint64_t random = data[1];
    assert(labels_new(&own, 1, &options.labels, NULL) == 0);
    begin(&whole, &options);
    begin(&pieces, &options);
    for (int i = 0; i < BODIES_MAX && rest.len > 0; i++) {
        struct str body = str_split(&rest, (char)0xff);
        read_body(&whole, formats[data[0] % 3], body, NULL);
        read_body(&pieces, formats[data[0] % 3], body, &random);
        assert(str_eq(strbuf_str(&whole.seen), strbuf_str(&pieces.seen)));
    }
    end(&whole);
    end(&pieces);
    labels_unref(options.labels);
    return 0;
}
