/* The metrics of notification: Alertmanager's names behind `sonde_`, and those of deliveries. */
#include "alert/notify_private.h"

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void row(
    struct strbuf *out, const char *name, const char *label, const char *value, uint64_t number)
{
    strbuf_addf(out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)number);
}

static void plain(
    struct strbuf *out, const char *name, const char *type, const char *help, uint64_t number)
{
    head(out, name, type, help);
    strbuf_addf(out, "%s %llu\n", name, (unsigned long long)number);
}

static void by_kind(
    struct strbuf *out, const char *name, const char *help, const uint64_t numbers[4])
{
    head(out, name, "counter", help);
    for (int kind = 0; kind <= ALERTING_PAGERDUTY; kind++) {
        row(out, name, "integration", alerting_kind_name((enum alerting_kind)kind), numbers[kind]);
    }
}

static void write_alerts(const struct notify *n, struct strbuf *out)
{
    const struct pipeline *p = &n->pipeline;
    const struct alert_item *item;
    size_t at = 0;
    uint64_t firing = 0;
    int64_t now_ms = clock_now_ms(n->clock);
    while ((item = pointer_table_next(&p->alerts, &at)) != NULL) {
        firing += alert_item_fires(item, now_ms);
    }
    head(out, "sonde_alertmanager_alerts", "gauge", "Alerts that are known.");
    row(out, "sonde_alertmanager_alerts", "state", "active", firing);
    row(out, "sonde_alertmanager_alerts", "state", "resolved", p->alerts.count - firing);
    head(out, "sonde_alertmanager_alerts_received_total", "counter", "Alerts that came in.");
    row(out, "sonde_alertmanager_alerts_received_total", "status", "firing",
        p->counters.alerts_received[0]);
    row(out, "sonde_alertmanager_alerts_received_total", "status", "resolved",
        p->counters.alerts_received[1]);
    plain(out, "sonde_alertmanager_alerts_invalid_total", "counter",
        "Alerts that were refused for what they say.", p->counters.alerts_invalid);
}

static void write_silences(const struct notify *n, struct strbuf *out)
{
    uint64_t counts[3] = {0};
    int64_t now_ms = clock_now_ms(n->clock);
    for (size_t i = 0; i < n->pipeline.silences.count; i++) {
        counts[silence_state_at(n->pipeline.silences.items[i], now_ms)]++;
    }
    head(out, "sonde_alertmanager_silences", "gauge", "Silences.");
    for (int s = 0; s < 3; s++) {
        row(out, "sonde_alertmanager_silences", "state", silence_state_name((enum silence_state)s),
            counts[s]);
    }
}

static void write_deliveries(const struct notify *n, struct strbuf *out)
{
    const struct pipeline *p = &n->pipeline;
    uint64_t pending = 0;
    for (size_t i = 0; i < p->delivery_count; i++) {
        pending += p->deliveries[i]->state == DELIVERY_PENDING;
    }
    plain(out, "sonde_alertmanager_deliveries_pending", "gauge", "Messages on their way.", pending);
    head(out, "sonde_alertmanager_deliveries_total", "counter", "Messages that are over.");
    for (int s = DELIVERY_DELIVERED; s <= DELIVERY_DEAD; s++) {
        row(out, "sonde_alertmanager_deliveries_total", "state",
            delivery_state_name((enum delivery_state)s), p->counters.deliveries[s]);
    }
}

void notify_collect_metrics(struct notify *n, struct strbuf *out)
{
    const struct pipeline *p = &n->pipeline;
    write_alerts(n, out);
    write_silences(n, out);
    by_kind(out, "sonde_alertmanager_notifications_total", "Messages that were taken.",
        p->counters.notifications);
    by_kind(out, "sonde_alertmanager_notifications_failed_total",
        "Attempts to send a message that failed.", p->counters.failed);
    write_deliveries(n, out);
    plain(out, "sonde_alertmanager_notifications_suppressed_total", "counter",
        "Alerts left out of a flush: silenced, inhibited or muted.", p->counters.suppressed);
    plain(out, "sonde_alertmanager_dispatcher_aggregation_groups", "gauge", "Groups of alerts.",
        p->groups.count);
    plain(out, "sonde_alertmanager_journal_failures_total", "counter",
        "Commits that the disk did not take.", p->counters.journal_failures);
    external_set_write_metrics(&n->externals, out);
}
