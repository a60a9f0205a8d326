/* An alert outside memory: as two series for queries, and as a record for the journal. */
#include "base/bytes.h"
#include "rules/alert_states.h"

enum { RECORD_VERSION = 1 };

int alert_instance_series(
    const struct alert_instance *i, bool for_state, const struct labels **labels_out)
{
    struct labels_builder b;
    labels_builder_init_from(&b, i->labels);
    labels_builder_set(
        &b, STR(LABEL_METRIC_NAME), for_state ? STR("ALERTS_FOR_STATE") : STR("ALERTS"));
    if (!for_state) {
        labels_builder_set(&b, STR("alertstate"), str_of(alert_state_name(i->state)));
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

/* ---- Bytes ---- */

static void encode_labels(const struct labels *labels, struct strbuf *out)
{
    size_t count = labels_count(labels);
    strbuf_add_uvarint(out, count);
    for (size_t k = 0; k < count; k++) {
        struct label pair = labels_at(labels, k);
        strbuf_add_sized(out, pair.name);
        strbuf_add_sized(out, pair.value);
    }
}

void alert_instance_encode(const struct alert_instance *i, struct strbuf *out)
{
    strbuf_add_char(out, RECORD_VERSION);
    strbuf_add_char(out, (char)i->state);
    strbuf_add_le64(out, double_bits(i->value));
    strbuf_add_le64(out, (uint64_t)i->active_at_ms);
    strbuf_add_le64(out, (uint64_t)i->fired_at_ms);
    strbuf_add_le64(out, (uint64_t)i->resolved_at_ms);
    strbuf_add_le64(out, (uint64_t)i->keep_firing_since_ms);
    encode_labels(i->labels, out);
    encode_labels(i->annotations, out);
}

/* 0 with a new reference, ERR_CORRUPT, ERR_NOMEM. */
static int decode_labels(struct decbuf *d, const struct labels **labels_out)
{
    struct label pairs[LABELS_COUNT_MAX];
    uint64_t count = decbuf_uvarint(d);
    if (d->failed || count > LABELS_COUNT_MAX) {
        return ERR_CORRUPT;
    }
    for (size_t k = 0; k < count; k++) {
        pairs[k].name = decbuf_sized(d);
        pairs[k].value = decbuf_sized(d);
        bool ascending = k == 0 || str_cmp(pairs[k - 1].name, pairs[k].name) < 0;
        if (d->failed || !ascending || pairs[k].value.len == 0) {
            return ERR_CORRUPT;
        }
    }
    int status = labels_new(pairs, (size_t)count, labels_out, NULL);
    return status == ERR_NOMEM || status == 0 ? status : ERR_CORRUPT;
}

/* The states and the times that make sense together. */
static bool is_consistent(const struct alert_instance *i)
{
    bool fired = i->fired_at_ms != ALERT_NEVER, ended = i->resolved_at_ms != ALERT_NEVER;
    if (i->active_at_ms == ALERT_NEVER) {
        return false;
    }
    switch (i->state) {
    case ALERT_PENDING:
        return !fired && !ended && i->keep_firing_since_ms == ALERT_NEVER;
    case ALERT_FIRING:
        return fired && !ended;
    case ALERT_INACTIVE:
        return ended;
    default:
        return false;
    }
}

int alert_states_restore(struct alert_states *s, struct str record, struct err *e)
{
    struct decbuf d = decbuf_of(record.ptr, record.len);
    uint8_t version = decbuf_u8(&d);
    struct alert_instance i = {.state = (enum alert_state)decbuf_u8(&d)};
    i.value = double_from_bits(decbuf_le64(&d));
    i.active_at_ms = (int64_t)decbuf_le64(&d);
    i.fired_at_ms = (int64_t)decbuf_le64(&d);
    i.resolved_at_ms = (int64_t)decbuf_le64(&d);
    i.keep_firing_since_ms = (int64_t)decbuf_le64(&d);
    i.sent_at_ms = i.believed_until_ms = ALERT_NEVER;
    int status = d.failed || version != RECORD_VERSION ? ERR_CORRUPT : 0;
    if (status == 0) {
        status = decode_labels(&d, &i.labels);
    }
    if (status == 0) {
        status = decode_labels(&d, &i.annotations);
    }
    if (status == 0 && (d.failed || decbuf_left(&d) > 0 || !is_consistent(&i))) {
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        status = alert_states_put(s, &i);
    }
    labels_unref(i.labels);
    labels_unref(i.annotations);
    return status == 0 ? 0 : err_set(e, status, -1, "an alert's record: %s", err_text(status));
}
