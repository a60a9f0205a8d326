/* Bodies into values and notes. */
#include "scrape/scrape_body.h"

#include "base/hash.h"
#include "base/mem.h"
#include "scrape/target_labels.h"

/* PARSE_BYTES_MAX: of a protobuf body as text; KEPT_BYTES_MAX: of histograms and new exemplars of one scrape;
 * LINE_BYTES_KEPT: what lines need stays allocated up to this. */
enum { PARSE_BYTES_MAX = 256 << 20, KEPT_BYTES_MAX = 256 << 20, LINE_BYTES_KEPT = 64 << 10 };

void scrape_body_init(struct scrape_body *b, const struct target_options *options,
    struct intake *intake, struct metric_metadata *metadata)
{
    *b = (struct scrape_body){.options = options, .intake = intake, .metadata = metadata};
    series_cache_init(&b->cache, hash_seed_random());
    b->comments.seed = hash_seed_random();
    line_cutter_init(&b->cutter);
    sample_notes_init(&b->notes);
    strbuf_init(&b->whole, 0);
    strbuf_init(&b->labels, LABELS_BYTES_MAX * 2);
    arena_init(&b->line, PARSE_BYTES_MAX);
    arena_init(&b->kept, KEPT_BYTES_MAX);
}

void scrape_body_release(struct scrape_body *b)
{
    scrape_body_clear(b);
    series_cache_release(&b->cache);
    comments_release(&b->comments);
    strbuf_release(&b->labels);
}

void scrape_body_begin(struct scrape_body *b, int64_t stamp_ms)
{
    b->stamp_ms = stamp_ms;
    b->sample_count = b->dropped_count = b->ignored_count = 0;
    b->series_added = 0;
    series_cache_begin(&b->cache);
    comments_begin(&b->comments, b->metadata->sweeps); /* a sweep asks for all again */
}

void scrape_body_set_format(struct scrape_body *b, enum exposition_format format)
{
    exposition_begin(&b->parser, format, STR(""), &b->line);
    strbuf_init(&b->whole, b->options->body_max);
}

void scrape_body_clear(struct scrape_body *b)
{
    line_cutter_release(&b->cutter);
    line_cutter_init(&b->cutter);
    sample_notes_release(&b->notes);
    strbuf_release(&b->whole);
    arena_release(&b->line);
    arena_release(&b->kept);
}

/* ---- Samples ---- */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, -1, "out of memory for the samples");
}

/* Parses the text of a series never seen into a new entry. */
static int learn_series(struct scrape_body *b, struct exposition_parser *p, struct str text,
    struct series_entry **entry_out, struct err *e)
{
    struct label pairs[EXPOSITION_LABELS_MAX];
    size_t count = 0;
    int status = exposition_labels(p, text, pairs, EXPOSITION_LABELS_MAX, &count, e);
    if (status != 0) {
        return status;
    }
    struct err why = ERR_INIT;
    int kept = target_labels_encode(b->options, p, pairs, count, &b->labels, &why);
    if (kept >= 0) {
        *entry_out = series_cache_add(&b->cache, text, strbuf_str(&b->labels));
        status = *entry_out == NULL ? ERR_LIMIT : 0;
    } else {
        status = kept;
    }
    if (status == 0) {
        (*entry_out)->dropped = kept == 0;
        return 0;
    }
    return why.code != 0 ? err_set(e, status, -1, "%s", why.message)
                         : err_set(e, status, -1, "line %zu: the series cannot be kept: %s",
                               p->line, err_text(status));
}

/* Counted after relabelling, as Prometheus does. */
static int check_sample_limit(const struct scrape_body *b, struct err *e)
{
    if (b->options->sample_limit > 0 && b->sample_count > b->options->sample_limit) {
        return err_set(e, ERR_LIMIT, -1, "more samples than sample_limit (%zu) allows",
            b->options->sample_limit);
    }
    return 0;
}

/* The entry of a series, learnt when it is new. 1; 0 where the sample goes no further: memory is full and the
 * series new. */
static int find_entry(struct scrape_body *b, struct exposition_parser *p, struct str text,
    struct series_entry **entry_out, struct err *e)
{
    struct series_entry *entry = series_cache_find(&b->cache, text);
    if (entry == NULL && b->intake->pressure(b->intake) >= INTAKE_FULL) {
        b->refused_samples++;
        return 0;
    }
    int status = entry == NULL ? learn_series(b, p, text, &entry, e) : 0;
    *entry_out = entry;
    return status != 0 ? status : 1;
}

/* Labels that live as long as the scrape is not sent. */
static const struct label *keep_labels(struct arena *arena, const struct label *pairs, size_t count)
{
    struct label *kept = arena_dup(arena, pairs, count * sizeof(*pairs));
    for (size_t i = 0; kept != NULL && i < count; i++) {
        kept[i].name.ptr = arena_dup(arena, pairs[i].name.ptr, pairs[i].name.len);
        kept[i].value.ptr = arena_dup(arena, pairs[i].value.ptr, pairs[i].value.len);
        if (kept[i].name.ptr == NULL || kept[i].value.ptr == NULL) {
            return NULL;
        }
    }
    return kept;
}

/* The exemplar of a line; NULL when the series had it already: it comes with every scrape until there is a newer
 * one, and is sent once. */
static int read_exemplar(struct scrape_body *b, struct exposition_parser *p,
    const struct exposition_entry *line, const struct series_entry *entry,
    const struct sample_exemplar **exemplar_out, struct err *e)
{
    struct label pairs[EXPOSITION_LABELS_MAX];
    struct remote_write_exemplar x = {.value = line->exemplar_value,
        .t_ms = line->exemplar_has_timestamp ? line->exemplar_t_ms : b->stamp_ms};
    uint64_t hash = hash64(line->exemplar_text.ptr, line->exemplar_text.len, b->comments.seed);
    hash = hash_mix64(hash ^ double_bits(x.value));
    hash = hash_mix64(hash ^ (line->exemplar_has_timestamp ? (uint64_t)x.t_ms : 0)) | 1;
    *exemplar_out = NULL;
    if ((uint32_t)hash == entry->exemplar) {
        return 0;
    }
    int status =
        exposition_labels(p, line->exemplar_text, pairs, EXPOSITION_LABELS_MAX, &x.label_count, e);
    if (status != 0) {
        return status;
    }
    x.labels = keep_labels(&b->kept, pairs, x.label_count);
    struct sample_exemplar made = {x, (uint32_t)hash};
    *exemplar_out = arena_dup(&b->kept, &made, sizeof(made));
    return *exemplar_out == NULL || (x.labels == NULL && x.label_count > 0)
               ? err_set(e, arena_error(&b->kept), -1, "out of memory for an exemplar")
               : 0;
}

/* A sample, or a native histogram, of a series. `line` is NULL for the latter. */
static int take_sample(struct scrape_body *b, struct exposition_parser *p,
    const struct exposition_entry *line, struct series_entry *entry, struct sample_note note,
    struct err *e)
{
    size_t count = 0;
    bool ahead = note.has_time && note.t_ms > b->stamp_ms + TARGET_FUTURE_MS_MAX;
    if (ahead && !entry->dropped) {
        b->ignored_count++;
        return 0;
    }
    int marked = series_cache_mark(&b->cache, entry);
    if (marked < 0) {
        return no_memory(e);
    }
    if (entry->dropped) {
        b->dropped_count += (size_t)marked;
        return 0;
    }
    if (marked == 0 && !note.has_time) {
        b->ignored_count++; /* of a series that comes twice the first sample is taken */
        return 0;
    }
    int status = 0;
    if (line != NULL && line->has_exemplar) {
        status = read_exemplar(b, p, line, entry, &note.exemplar, e);
    }
    if (status != 0) {
        return status;
    }
    if (marked == 1) {
        entry->value = note.value;
        b->series_added += !entry->live;
    } else {
        note.again = entry;
    }
    if (note.again != NULL || note.has_time || note.histogram != NULL || note.exemplar != NULL) {
        (void)series_cache_scraped(&b->cache, &count);
        note.at = count - 1;
        status = sample_notes_add(&b->notes, &note) == 0 ? 0 : no_memory(e);
    }
    b->sample_count++;
    return status;
}

static int read_sample(struct scrape_body *b, struct exposition_parser *p,
    const struct exposition_entry *line, struct err *e)
{
    struct series_entry *entry = NULL;
    int status = find_entry(b, p, line->series_text, &entry, e);
    if (status == 1) {
        struct sample_note note = {.value = line->value,
            .has_time = line->has_timestamp && b->options->honor_timestamps,
            .t_ms = line->t_ms};
        status = take_sample(b, p, line, entry, note, e);
    }
    return status == 0 ? check_sample_limit(b, e) : status;
}

static int read_histogram(struct scrape_body *b, struct exposition_parser *p,
    const struct exposition_histogram *item, struct err *e)
{
    struct series_entry *entry = NULL;
    size_t buckets = item->histogram->positive.count + item->histogram->negative.count;
    if (b->options->bucket_limit > 0 && buckets > b->options->bucket_limit) {
        return err_set(e, ERR_LIMIT, -1,
            "a native histogram of %zu buckets; native_histogram_bucket_limit is %zu", buckets,
            b->options->bucket_limit);
    }
    int status = find_entry(b, p, item->series_text, &entry, e);
    if (status == 1) {
        struct sample_note note = {.has_time = item->has_timestamp && b->options->honor_timestamps,
            .t_ms = item->t_ms,
            .histogram = item->histogram};
        status = take_sample(b, p, NULL, entry, note, e);
    }
    return status == 0 ? check_sample_limit(b, e) : status;
}

/* A line that stands where it stood in the last scrape. */
static int read_known(
    struct scrape_body *b, struct series_entry *entry, double value, struct err *e)
{
    if (series_cache_take(&b->cache) != 0) {
        return no_memory(e);
    }
    if (entry->dropped) {
        b->dropped_count++;
        return 0;
    }
    entry->value = value;
    b->series_added += !entry->live;
    b->sample_count++;
    return check_sample_limit(b, e);
}

/* ---- Lines ---- */

static void keep_metadata(struct scrape_body *b, const struct exposition_entry *line)
{
    switch (line->kind) {
    case EXPOSITION_TYPE:
        metric_metadata_type(b->metadata, line->metric, line->type);
        break;
    case EXPOSITION_HELP:
        metric_metadata_help(b->metadata, line->metric, line->text);
        break;
    case EXPOSITION_UNIT:
        metric_metadata_unit(b->metadata, line->metric, line->text);
        break;
    case EXPOSITION_SAMPLE:
        break;
    }
}

/* All lines that the parser has now. */
static int read_lines(struct scrape_body *b, struct exposition_parser *p, struct err *e)
{
    struct exposition_entry line;
    int status;
    for (;;) {
        double value;
        struct series_entry *expected = series_cache_peek(&b->cache);
        series_cache_prefetch(&b->cache);
        if (expected != NULL && exposition_take_known(p, series_entry_text(expected), &value)) {
            status = read_known(b, expected, value, e);
            if (status != 0) {
                break;
            }
            continue;
        }
        if (comments_skip(&b->comments, p)) {
            continue;
        }
        status = exposition_next(p, &line, e);
        if (status != 1) {
            break;
        }
        if (line.kind == EXPOSITION_SAMPLE) {
            status = read_sample(b, p, &line, e);
            if (status != 0) {
                break;
            }
        } else {
            keep_metadata(b, &line);
        }
        if (p->arena->used > LINE_BYTES_KEPT) {
            arena_release(p->arena); /* the line is done with */
        }
    }
    if (status == 0) {
        comments_part_ends(&b->comments);
    }
    return status;
}

static int read_run(struct scrape_body *b, struct str run, bool last, struct err *e)
{
    if (run.len == 0 && !last) {
        return 0;
    }
    exposition_go_on(&b->parser, run, last);
    return read_lines(b, &b->parser, e);
}

/* A body of protobuf: its text, then its native histograms. */
static int read_protobuf(struct scrape_body *b, struct err *e)
{
    struct exposition_histograms histograms;
    struct exposition_parser parser;
    struct strbuf text;
    strbuf_init(&text, PARSE_BYTES_MAX);
    int status = exposition_read_protobuf(
        strbuf_str(&b->whole), b->options->classic_histograms, &b->kept, &text, &histograms, e);
    if (status == 0) {
        exposition_begin(&parser, EXPOSITION_TEXT, strbuf_str(&text), &b->line);
        status = read_lines(b, &parser, e);
        for (size_t i = 0; status == 0 && i < histograms.count; i++) {
            status = read_histogram(b, &parser, &histograms.items[i], e);
        }
    }
    strbuf_release(&text);
    return status;
}

int scrape_body_take(struct scrape_body *b, struct str piece, struct err *e)
{
    if (b->parser.format == EXPOSITION_PROTOBUF) {
        strbuf_add_str(&b->whole, piece);
        return strbuf_error(&b->whole) == 0 ? 0 : no_memory(e);
    }
    struct str runs[2];
    int status = line_cutter_add(&b->cutter, piece, runs);
    if (status != 0) {
        return err_set(e, status, -1, "line %zu: %s", b->parser.line + 1,
            status == ERR_LIMIT ? "it is longer than 8 MiB" : err_text(status));
    }
    status = read_run(b, runs[0], false, e);
    return status == 0 ? read_run(b, runs[1], false, e) : status;
}

int scrape_body_end(struct scrape_body *b, struct err *e)
{
    return b->parser.format == EXPOSITION_PROTOBUF
               ? read_protobuf(b, e)
               : read_run(b, line_cutter_end(&b->cutter), true, e);
}
