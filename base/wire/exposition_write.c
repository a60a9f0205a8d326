/* Writing text format 0.0.4. */
#include "base/fpconv.h"
#include "wire/exposition.h"

/* Escapes \ and line ends, and the quote where asked. */
static void add_escaped(struct strbuf *out, struct str text, bool quote)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' || c == '\n' || (quote && c == '"')) {
            strbuf_add(out, text.ptr + from, i - from);
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, c == '\n' ? 'n' : c);
            from = i + 1;
        }
    }
    strbuf_add(out, text.ptr + from, text.len - from);
}

static void add_quoted(struct strbuf *out, struct str text)
{
    strbuf_add_char(out, '"');
    add_escaped(out, text, true);
    strbuf_add_char(out, '"');
}

static void add_metric(struct strbuf *out, struct str metric)
{
    if (metric_name_is_classic(metric)) {
        strbuf_add_str(out, metric);
    } else {
        add_quoted(out, metric);
    }
}

void exposition_write_help(struct strbuf *out, struct str metric, struct str help)
{
    strbuf_add_c(out, "# HELP ");
    add_metric(out, metric);
    strbuf_add_char(out, ' ');
    add_escaped(out, help, false);
    strbuf_add_char(out, '\n');
}

void exposition_write_type(struct strbuf *out, struct str metric, enum metric_type type)
{
    strbuf_add_c(out, "# TYPE ");
    add_metric(out, metric);
    strbuf_add_char(out, ' ');
    strbuf_add_c(out, type == METRIC_TYPE_UNKNOWN ? "untyped" : metric_type_name(type));
    strbuf_add_char(out, '\n');
}

void exposition_write_sample(struct strbuf *out, struct str metric, const struct label *labels,
    size_t label_count, double value, int64_t t_ms)
{
    bool classic = metric_name_is_classic(metric);
    if (classic) {
        strbuf_add_str(out, metric);
    }
    if (label_count > 0 || !classic) {
        strbuf_add_char(out, '{');
        if (!classic) {
            add_quoted(out, metric);
        }
        for (size_t i = 0; i < label_count; i++) {
            if (i > 0 || !classic) {
                strbuf_add_char(out, ',');
            }
            if (label_name_is_classic(labels[i].name)) {
                strbuf_add_str(out, labels[i].name);
            } else {
                add_quoted(out, labels[i].name);
            }
            strbuf_add_char(out, '=');
            add_quoted(out, labels[i].value);
        }
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ' ');
    char *room = strbuf_reserve(out, FP_TEXT_MAX);
    if (room != NULL) {
        strbuf_commit(out, fp_format_short(value, room));
    }
    if (t_ms != INT64_MIN) {
        strbuf_add_char(out, ' ');
        strbuf_add_i64(out, t_ms);
    }
    strbuf_add_char(out, '\n');
}

void exposition_write_figure(struct strbuf *out, const char *metric, enum metric_type type,
    const char *help, const struct label *labels, size_t label_count, double value)
{
    if (help != NULL) {
        exposition_write_help(out, str_of(metric), str_of(help));
        exposition_write_type(out, str_of(metric), type);
    }
    exposition_write_sample(out, str_of(metric), labels, label_count, value, INT64_MIN);
}
