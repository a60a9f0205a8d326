/* From the alerts of a group to the body of a message. */
#include "alert/message.h"

bool message_fires(const struct message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (alert_item_fires(m->items[i], m->now_ms)) {
            return true;
        }
    }
    return false;
}

static struct str annotation(const struct alert *a, struct str name)
{
    for (size_t i = 0; i < a->annotation_count; i++) {
        if (str_eq(a->annotations[i].name, name)) {
            return a->annotations[i].value;
        }
    }
    return STR("");
}

/* Of the pairs of the first item those that all others have, too. */
static int common(const struct message *m, const struct label *pairs, size_t count,
    bool annotations, const struct labels **out)
{
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; i < count; i++) {
        bool same = true;
        for (size_t j = 1; same && j < m->count; j++) {
            const struct alert *a = &m->items[j]->alert;
            same = str_eq(
                annotations ? annotation(a, pairs[i].name) : labels_get(a->labels, pairs[i].name),
                pairs[i].value);
        }
        if (same) {
            labels_builder_set(&b, pairs[i].name, pairs[i].value);
        }
    }
    int status = labels_builder_finish(&b, out);
    labels_builder_release(&b);
    return status;
}

int message_common_labels(const struct message *m, const struct labels **labels_out)
{
    const struct labels *first = m->count > 0 ? m->items[0]->alert.labels : labels_empty();
    return common(m, labels_pairs(first), labels_count(first), false, labels_out);
}

int message_common_annotations(const struct message *m, const struct labels **annotations_out)
{
    const struct alert *first = m->count > 0 ? &m->items[0]->alert : NULL;
    return common(m, first != NULL ? first->annotations : NULL,
        first != NULL ? first->annotation_count : 0, true, annotations_out);
}

/* An id comes from whoever sends spans: what is not of the plain alphabet is escaped. */
static void write_escaped(struct str id, struct strbuf *out)
{
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_' || c == '.';
        if (plain) {
            strbuf_add_char(out, (char)c);
        } else {
            strbuf_addf(out, "%%%02X", c);
        }
    }
}

void message_trace_url_write(const struct message *m, struct str trace_id, struct strbuf *out)
{
    const char *rest = m->trace_url, *at;
    while ((at = strstr(rest, MESSAGE_TRACE_ID)) != NULL) {
        strbuf_add(out, rest, (size_t)(at - rest));
        write_escaped(trace_id, out);
        rest = at + sizeof(MESSAGE_TRACE_ID) - 1;
    }
    strbuf_add_c(out, rest);
}
