/* Names byte by byte; what is encoded is intake_encode_labels's. */
#include "receive/pushed_labels.h"

#include "base/err.h"

static bool is_letter(char c, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*, the colon for metrics only. */
static void add_name(struct strbuf *out, struct str name, bool metric)
{
    if (name.len > 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9') {
        strbuf_add_char(out, '_');
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool allowed = is_letter(c, metric) || (c >= '0' && c <= '9');
        strbuf_add_char(out, allowed ? c : '_');
    }
}

/* Notes the pair whose texts begin at these places and end where the text ends. */
static void note_pair(struct pushed_labels *l, size_t name_at, size_t value_at)
{
    l->labels[l->count].at = name_at;
    l->labels[l->count].name_size = value_at - name_at;
    l->labels[l->count++].value_size = l->text->size - value_at;
}

void pushed_labels_begin(struct pushed_labels *l, struct strbuf *text, struct str metric)
{
    strbuf_reset(text);
    l->text = text;
    l->count = 0;
    l->error = metric.len > 0 ? 0 : ERR_INVALID;
    strbuf_add_c(text, LABEL_METRIC_NAME);
    size_t value_at = text->size;
    add_name(text, metric, true);
    note_pair(l, 0, value_at);
}

void pushed_labels_add(struct pushed_labels *l, struct str name, struct str value)
{
    if (l->count == PUSHED_LABELS_MAX) {
        l->error = ERR_LIMIT;
        return;
    }
    size_t name_at = l->text->size;
    add_name(l->text, name, false);
    size_t value_at = l->text->size;
    strbuf_add_str(l->text, value);
    struct str made = {l->text->data + name_at, value_at - name_at};
    if (strbuf_error(l->text) != 0 || name.len == 0 || !str_is_utf8(value) ||
        str_eq_c(made, LABEL_METRIC_NAME)) {
        l->error = ERR_INVALID;
        return;
    }
    note_pair(l, name_at, value_at);
}

int pushed_labels_encode(
    const struct pushed_labels *l, const struct intake *intake, struct strbuf *out)
{
    struct labels_builder b;
    uint64_t epoch;
    int status = l->error != 0 ? l->error : strbuf_error(l->text);
    strbuf_reset(out);
    if (status != 0) {
        return status;
    }
    labels_builder_init(&b);
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->text->data + l->labels[i].at;
        labels_builder_set(&b, str_make(name, l->labels[i].name_size),
            str_make(name + l->labels[i].name_size, l->labels[i].value_size));
    }
    status = intake_encode_labels(intake->external(intake, &epoch), &b, out);
    labels_builder_release(&b);
    return status;
}
