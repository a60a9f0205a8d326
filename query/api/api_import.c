/* Bulk writing in VictoriaMetrics' forms:
 *
 *   POST /api/v1/import             series as lines of JSON (wire/json_lines.h)
 *   POST /api/v1/import/prometheus  the text format, or OpenMetrics by Content-Type; lines without a time
 *                                   get `timestamp` (milliseconds), or now
 *
 * `extra_label=name=value`, repeated, goes on every series and wins over the series' own. Bodies may be
 * gzipped.
 *
 * A body is one transaction. A line that cannot be read is named and nothing is stored. Series and samples
 * that the store refuses (too old, too far ahead, a limit) do not spoil the others: 400 names the first.
 */
#include <assert.h>
#include <inttypes.h>

#include "api/api_ingest.h"
#include "api/api_params.h"
#include "api/api_private.h"
#include "base/gzip.h"
#include "wire/exposition.h"
#include "wire/json_lines.h"
#include "wire/media_type.h"
#include "wire/remote_write.h"

/* A body, decompressed. */
#define IMPORT_BYTES_MAX ((size_t)256 << 20)
/* Memory of one line. */
#define LINE_ARENA_BYTES_MAX ((size_t)512 << 20)

enum { EXTRA_LABELS_MAX = 32 };

struct import {
    struct api_request *request;
    struct ingest in;
    struct label extra[EXTRA_LABELS_MAX];
    size_t extra_count;
    size_t line;
    struct arena arena; /* of the line */
    /* Of the text form: what TYPE, HELP and UNIT lines said of the metric at hand. */
    struct str metric, help, unit;
    enum metric_type type;
};

/* ---- Parameters ---- */

static bool read_extra_labels(struct import *m)
{
    struct api_request *r = m->request;
    struct str text;
    while (http_exchange_param_at(r->exchange, "extra_label", m->extra_count, &text)) {
        struct str value = text;
        struct str name = str_split(&value, '=');
        if (m->extra_count == EXTRA_LABELS_MAX || name.len == 0 || value.ptr == NULL ||
            !str_is_utf8(text)) {
            api_fail(r, API_ERROR_BAD_DATA,
                "invalid parameter \"extra_label\": expected name=value, at most %d of them",
                EXTRA_LABELS_MAX);
            return false;
        }
        m->extra[m->extra_count++] = (struct label){name, value};
    }
    return true;
}

/* Answers and returns false when the body cannot be had. */
static bool read_body(struct api_request *r, struct strbuf *plain, struct str *body_out)
{
    struct str encoding = str_trim(http_exchange_header(r->exchange, "Content-Encoding"));
    struct str body = http_exchange_body(r->exchange);
    if (media_encoding_is(encoding, "gzip")) {
        int status = gzip_decode(body, IMPORT_BYTES_MAX, plain);
        if (status != 0) {
            struct err e = ERR_INIT;
            err_set(&e, status, -1,
                status == ERR_LIMIT ? "the body is larger than %zu bytes decompressed"
                                    : "the body is not gzip, or larger than %zu bytes",
                IMPORT_BYTES_MAX);
            ingest_answer_failure(r, &e);
            return false;
        }
        body = strbuf_str(plain);
    } else if (encoding.len > 0) {
        api_reply_text(r, 415, "this Content-Encoding is not accepted; send gzip or none");
        return false;
    }
    *body_out = body;
    return true;
}

/* ---- Series and samples ---- */

/* Puts the extra labels in, over the series' own of the same names, and keeps the order. `labels` has
 * room for them. */
static void add_extra(const struct import *m, struct label *labels, size_t *count)
{
    for (size_t i = 0; i < m->extra_count; i++) {
        size_t at = 0;
        while (at < *count && str_cmp(labels[at].name, m->extra[i].name) < 0) {
            at++;
        }
        bool there = at < *count && str_eq(labels[at].name, m->extra[i].name);
        if (m->extra[i].value.len == 0) {
            if (there) {
                memmove(&labels[at], &labels[at + 1], (*count - at - 1) * sizeof(*labels));
                (*count)--;
            }
            continue;
        }
        if (!there) {
            memmove(&labels[at + 1], &labels[at], (*count - at) * sizeof(*labels));
            (*count)++;
        }
        labels[at] = m->extra[i];
    }
}

/* Refuses a sample that the store does not take, for a reason that does not end the write. */
static int check_appended(
    struct import *m, const struct label *labels, size_t count, int64_t t_ms, int status)
{
    const char *why = ingest_refusal(&m->in, t_ms, status);
    if (status != 0 && why != NULL) {
        ingest_refuse_sample(&m->in, labels, count, t_ms, status, why);
        return 0;
    }
    return status;
}

/* What a line's failure says: with its number in front. */
static int name_line(const struct import *m, int status, struct err *e)
{
    if (e->code == 0) {
        err_set(e, status, -1, "%s", err_text(status));
    }
    if (status == ERR_INVALID || status == ERR_LIMIT) {
        err_prefix(e, "line %zu", m->line);
        e->code = status;
    }
    return status;
}

/* ---- Lines of JSON ---- */

static int import_json_line(struct import *m, struct str text, struct err *e)
{
    struct json_line line;
    struct series_ref ref;
    int status = json_line_decode(text, m->extra_count, &m->arena, &line, e);
    if (status != 0) {
        return name_line(m, status, e);
    }
    add_extra(m, line.labels, &line.label_count);
    int found = ingest_series(&m->in, line.labels, line.label_count, NULL, &ref, e);
    for (size_t i = 0; found > 0 && status == 0 && i < line.count; i++) {
        int64_t t_ms = line.times[i];
        status = line.histograms != NULL
                     ? appender_append_histogram(m->in.appender, ref, t_ms, line.histograms[i])
                     : appender_append(m->in.appender, ref, t_ms, line.values[i]);
        status = check_appended(m, line.labels, line.label_count, t_ms, status);
    }
    return found < 0 ? found : status;
}

static int import_json(struct import *m, struct str body, struct err *e)
{
    int status = 0;
    while (status == 0 && body.len > 0) {
        struct str line = str_trim(str_split(&body, '\n'));
        m->line++;
        if (line.len > 0) {
            struct arena_mark mark = arena_mark(&m->arena);
            status = import_json_line(m, line, e);
            arena_rewind(&m->arena, mark);
        }
    }
    return status;
}

/* ---- Text ---- */

static void end_metric(struct import *m)
{
    if (m->metric.len > 0) {
        /* Metadata that cannot be kept are no reason to refuse samples. */
        (void)appender_set_metadata(m->in.appender, m->metric, m->type, m->help, m->unit);
    }
    m->metric = m->help = m->unit = STR("");
    m->type = METRIC_TYPE_UNKNOWN;
}

static void note_metadata(struct import *m, const struct exposition_entry *entry)
{
    if (!str_eq(entry->metric, m->metric)) {
        end_metric(m);
        m->metric = entry->metric;
    }
    switch (entry->kind) {
    case EXPOSITION_TYPE:
        m->type = entry->type;
        break;
    case EXPOSITION_HELP:
        m->help = entry->text;
        break;
    default:
        m->unit = entry->text;
        break;
    }
}

static int import_exemplar(struct import *m, struct exposition_parser *p,
    const struct exposition_entry *entry, struct series_ref ref, int64_t t_ms, struct err *e)
{
    struct label labels[EXPOSITION_LABELS_MAX];
    size_t count;
    int status =
        exposition_labels(p, entry->exemplar_text, labels, EXPOSITION_LABELS_MAX, &count, e);
    if (status == 0) {
        int64_t own_ms = entry->exemplar_has_timestamp ? entry->exemplar_t_ms : t_ms;
        /* As with remote write, a refused exemplar is no reason to complain. */
        (void)appender_append_exemplar(
            m->in.appender, ref, labels, count, entry->exemplar_value, own_ms);
    }
    return status;
}

static int import_sample(struct import *m, struct exposition_parser *p,
    const struct exposition_entry *entry, int64_t default_ms, struct err *e)
{
    struct label labels[EXPOSITION_LABELS_MAX + EXTRA_LABELS_MAX];
    struct series_ref ref;
    size_t count;
    int64_t t_ms = entry->has_timestamp ? entry->t_ms : default_ms;
    int status = exposition_labels(p, entry->series_text, labels, EXPOSITION_LABELS_MAX, &count, e);
    if (status != 0) {
        return status;
    }
    status = remote_write_check_labels(labels, &count, e);
    if (status != 0) {
        m->line = p->line;
        return name_line(m, status, e);
    }
    add_extra(m, labels, &count);
    int found = ingest_series(&m->in, labels, count, NULL, &ref, e);
    if (found <= 0) {
        return found;
    }
    status = appender_append(m->in.appender, ref, t_ms, entry->value);
    status = check_appended(m, labels, count, t_ms, status);
    return status == 0 && entry->has_exemplar ? import_exemplar(m, p, entry, ref, t_ms, e) : status;
}

static int import_text(struct import *m, struct str body, enum exposition_format format,
    int64_t default_ms, struct err *e)
{
    struct exposition_parser p;
    struct exposition_entry entry;
    exposition_begin(&p, format, body, &m->arena);
    m->metric = m->help = m->unit = STR("");
    int more;
    while ((more = exposition_next(&p, &entry, e)) > 0) {
        int status = 0;
        if (entry.kind == EXPOSITION_SAMPLE) {
            status = import_sample(m, &p, &entry, default_ms, e);
        } else {
            note_metadata(m, &entry);
        }
        if (status != 0) {
            return status;
        }
    }
    end_metric(m);
    return more;
}

/* ---- Requests ---- */

typedef int (*import_function)(struct import *m, struct str body, struct err *e);

static void finish(struct import *m, int status, struct err *e)
{
    struct api_request *r = m->request;
    struct append_counts counts = {0};
    if (status != 0) {
        ingest_abort(&m->in);
    } else {
        status = ingest_commit(&m->in, &counts, e);
    }
    if (status != 0) {
        e->code = status;
        ingest_answer_failure(r, e);
    } else if (ingest_refused(&m->in) > 0) {
        api_reply_text(r, 400, ingest_complaint(&m->in));
    } else {
        api_reply_empty(r, 204);
    }
}

static void run_import(struct api_request *r, import_function import)
{
    struct import m = {.request = r};
    struct strbuf plain;
    struct str body;
    struct err e = ERR_INIT;
    strbuf_init(&plain, IMPORT_BYTES_MAX);
    if (read_extra_labels(&m) && read_body(r, &plain, &body)) {
        int status = ingest_begin(r, &m.in, &e);
        if (status != 0) {
            e.code = status;
            ingest_answer_failure(r, &e);
        } else {
            arena_init(&m.arena, LINE_ARENA_BYTES_MAX);
            finish(&m, import(&m, body, &e), &e);
            arena_release(&m.arena);
        }
    }
    strbuf_release(&plain);
}

void api_import_json(struct api_request *r)
{
    run_import(r, import_json);
}

/* The format by Content-Type, the time of lines without one from `timestamp`. */
static int import_page(struct import *m, struct str body, struct err *e)
{
    struct api_request *r = m->request;
    enum exposition_format format;
    int64_t default_ms = clock_now_ms(r->clock);
    struct str timestamp = http_exchange_param(r->exchange, "timestamp");
    if (timestamp.len > 0 && str_to_i64(timestamp, &default_ms) != 0) {
        return err_set(e, ERR_INVALID, -1,
            "invalid parameter \"timestamp\": expected a whole number of milliseconds");
    }
    int status =
        exposition_format_of(http_exchange_header(r->exchange, "Content-Type"), true, &format);
    return status != 0 ? status : import_text(m, body, format, default_ms, e);
}

void api_import_prometheus(struct api_request *r)
{
    run_import(r, import_page);
}
