/* Telling alerts, with Prometheus' fields: an alert starts when it fired; while it fires it ends when it
 * would be believed no longer. */
#include "rules/alert_telling.h"

#include "base/mem.h"

/* Handed over at a time, as Prometheus does. */
enum { BATCH = 256 };

/* As Go's url.QueryEscape. */
static void add_escaped(struct strbuf *out, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            strbuf_add_char(out, (char)c);
        } else if (c == ' ') {
            strbuf_add_char(out, '+');
        } else {
            strbuf_add_char(out, '%');
            strbuf_add_char(out, hex[c >> 4]);
            strbuf_add_char(out, hex[c & 15]);
        }
    }
}

void alert_generator_url(struct str external_url, struct str expr, struct strbuf *out)
{
    strbuf_add_str(out, external_url);
    strbuf_add_c(out, "/graph?g0.expr=");
    add_escaped(out, expr);
    strbuf_add_c(out, "&g0.tab=1");
}

/* With the external labels that the alert has not got itself. */
static int outside_labels(
    const struct labels *labels, const struct labels *external, const struct labels **labels_out)
{
    if (external == NULL || labels_count(external) == 0) {
        *labels_out = labels_ref(labels);
        return 0;
    }
    struct labels_builder b;
    labels_builder_init_from(&b, external);
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        labels_builder_set(&b, pair.name, pair.value);
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

struct batch {
    const struct alert_telling *telling;
    struct alert alerts[BATCH];
    struct alert_instance *instances[BATCH];
    size_t count;
    size_t refused;
};

static void flush(struct batch *b)
{
    struct alert_sink *sink = b->telling->sink;
    if (b->count > 0 && sink->send(sink, b->alerts, b->count) != 0) {
        b->refused += b->count;
        for (size_t i = 0; i < b->count; i++) {
            b->instances[i]->sent_at_ms = ALERT_NEVER;
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        labels_unref(b->alerts[i].labels);
    }
    b->count = 0;
}

static void add(struct batch *b, struct alert_instance *i, struct str generator_url)
{
    const struct labels *labels = NULL;
    if (outside_labels(i->labels, b->telling->external_labels, &labels) != 0) {
        b->refused++;
        return;
    }
    alert_instance_note_sent(i, b->telling->at_ms, b->telling->interval_ms);
    bool resolved = i->resolved_at_ms != ALERT_NEVER;
    b->alerts[b->count] = (struct alert){.labels = labels,
        .annotations = labels_pairs(i->annotations),
        .annotation_count = labels_count(i->annotations),
        .starts_at_ms = i->fired_at_ms,
        .ends_at_ms = resolved ? i->resolved_at_ms : i->believed_until_ms,
        .resolved = resolved,
        .generator_url = generator_url,
        .has_value = true,
        .value = i->value};
    b->instances[b->count++] = i;
    if (b->count == BATCH) {
        flush(b);
    }
}

size_t alerts_tell(const struct alert_telling *telling, struct rule_run *rule)
{
    struct strbuf url = STRBUF_INIT;
    struct batch *b = NULL;
    size_t refused = 0;
    for (size_t i = 0; i < rule->states.count; i++) {
        struct alert_instance *alert = &rule->states.items[i];
        if (!alert_instance_is_due(alert, telling->at_ms)) {
            continue;
        }
        if (b == NULL) {
            alert_generator_url(telling->external_url, rule->definition->expr, &url);
            b = mem_calloc(1, sizeof(*b));
        }
        if (b == NULL) {
            refused = rule->states.count;
            break;
        }
        b->telling = telling;
        add(b, alert, strbuf_str(&url));
    }
    if (b != NULL) {
        flush(b); /* before the URL goes */
        refused = b->refused;
        mem_free(b);
    }
    strbuf_release(&url);
    return refused;
}
