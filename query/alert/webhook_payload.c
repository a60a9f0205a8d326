/* Alertmanager's webhook payload, version 4, and our members beside its own.
 *
 *   top      deliveryId  the same over all attempts · attempt  from 1, the last member
 *   alerts[] value · valueString · slo {…} · exemplars [{traceID, value, timestamp, url}]
 *
 * The order of members is Alertmanager's. A receiver's name is quoted as a regular expression because
 * Alertmanager's template layer does so, and who compares it has learned that.
 */
#include "alert/alert_json.h"
#include "alert/message.h"
#include "alert/message_texts.h"

static void write_labels(struct json_writer *w, const char *key, const struct labels *labels)
{
    alert_json_pairs(w, key, labels_pairs(labels), labels_count(labels));
}

static void write_quoted_name(struct json_writer *w, const char *name)
{
    struct strbuf quoted = STRBUF_INIT;
    strbuf_add_c(&quoted, "");
    for (const char *c = name; *c != '\0'; c++) {
        strbuf_add_c(&quoted, strchr("\\.+*?()|[]{}^$", *c) != NULL ? "\\" : "");
        strbuf_add_char(&quoted, *c);
    }
    json_string(w, strbuf_str(&quoted));
    strbuf_release(&quoted);
}

static void write_number(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_double(w, value);
}

static void write_slo(struct json_writer *w, const struct alert_slo *slo)
{
    json_key(w, "slo");
    json_begin_object(w);
    json_key(w, "name");
    json_string(w, slo->name);
    write_number(w, "objective", slo->objective);
    json_key(w, "window");
    json_string(w, slo->window);
    json_key(w, "tier");
    json_string(w, slo->tier);
    write_number(w, "factor", slo->factor);
    write_number(w, "burnLong", slo->burn_long);
    write_number(w, "burnShort", slo->burn_short);
    write_number(w, "budgetRemaining", slo->budget_remaining);
    if (slo->exhausts_at_ms != 0) {
        alert_json_time(w, "exhaustsAt", slo->exhausts_at_ms);
    }
    json_end(w);
}

/* What Alertmanager does not have. */
static void write_additions(struct json_writer *w, const struct message *m, const struct alert *a)
{
    if (a->has_value) {
        write_number(w, "value", a->value);
        json_key(w, "valueString");
        json_quoted_double(w, a->value);
    }
    if (a->slo != NULL) {
        write_slo(w, a->slo);
    }
    if (a->exemplar_count > 0) {
        json_key(w, "exemplars");
        json_begin_array(w);
        for (size_t i = 0; i < a->exemplar_count; i++) {
            json_begin_object(w);
            json_key(w, "traceID");
            json_string(w, a->exemplars[i].trace_id);
            write_number(w, "value", a->exemplars[i].value);
            alert_json_time(w, "timestamp", a->exemplars[i].time_ms);
            struct strbuf url = STRBUF_INIT;
            message_trace_url_write(m, a->exemplars[i].trace_id, &url);
            json_key(w, "url");
            json_string(w, strbuf_str(&url));
            strbuf_release(&url);
            json_end(w);
        }
        json_end(w);
    }
}

static void write_alert(
    struct json_writer *w, const struct message *m, const struct alert_item *item)
{
    int64_t now_ms = m->now_ms;
    const struct alert *a = &item->alert;
    bool fires = alert_item_fires(item, now_ms);
    char fingerprint[17];
    (void)snprintf(
        fingerprint, sizeof(fingerprint), "%016llx", (unsigned long long)item->fingerprint);
    json_begin_object(w);
    json_key(w, "status");
    json_cstring(w, fires ? "firing" : "resolved");
    write_labels(w, "labels", a->labels);
    alert_json_pairs(w, "annotations", a->annotations, a->annotation_count);
    alert_json_time(w, "startsAt", a->starts_at_ms);
    alert_json_time(w, "endsAt", fires ? 0 : a->ends_at_ms);
    json_key(w, "generatorURL");
    json_string(w, a->generator_url);
    json_key(w, "fingerprint");
    json_cstring(w, fingerprint);
    write_additions(w, m, a);
    json_end(w);
}

static int write_common(const struct message *m, struct json_writer *w)
{
    const struct labels *common = NULL;
    int status = message_common_labels(m, &common);
    if (status != 0) {
        return status;
    }
    write_labels(w, "groupLabels", m->group_labels);
    write_labels(w, "commonLabels", common);
    labels_unref(common);
    status = message_common_annotations(m, &common);
    if (status == 0) {
        write_labels(w, "commonAnnotations", common);
        labels_unref(common);
    }
    return status;
}

static int write_route_labels(const struct message *m, struct json_writer *w)
{
    const struct labels *labels = NULL;
    int status = message_route_labels(m, &labels);
    if (status == 0) {
        write_labels(w, "routeLabels", labels);
        labels_unref(labels);
    }
    return status;
}

int webhook_payload_write(const struct message *m, struct strbuf *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "receiver");
    write_quoted_name(&w, m->receiver->name);
    json_key(&w, "status");
    json_cstring(&w, message_fires(m) ? "firing" : "resolved");
    json_key(&w, "alerts");
    json_begin_array(&w);
    for (size_t i = 0; i < m->count; i++) {
        write_alert(&w, m, m->items[i]);
    }
    json_end(&w);
    json_key(&w, "notification_reason");
    json_cstring(&w, notice_reason_text(m->reason));
    int status = write_common(m, &w);
    status = status == 0 ? write_route_labels(m, &w) : status;
    if (status != 0) {
        return status;
    }
    json_key(&w, "externalURL");
    json_cstring(&w, m->external_url);
    json_key(&w, "version");
    json_cstring(&w, "4");
    json_key(&w, "groupKey");
    json_cstring(&w, m->group_key);
    json_key(&w, "truncatedAlerts");
    json_integer(&w, (int64_t)m->truncated);
    json_key(&w, "deliveryId");
    json_cstring(&w, m->delivery_id);
    return strbuf_error(out); /* left open: see message_write_attempt */
}
