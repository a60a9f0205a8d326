/* Telling what is to be told of one group: the middle of the pipeline.
 *
 * A flush takes the group as it is now, leaves out what is inhibited, muted or silenced, and asks for each
 * way of sending of the receiver whether there is news (notice.h). News becomes a delivery. There is at most
 * one on its way for each notice: a newer state replaces an older one that was not taken yet, and waits for
 * the end of an attempt that is in the air, so that messages cannot overtake each other.
 */
#include "alert/pipeline.h"

#include <stdlib.h>

#include "alert/message_render.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- What is left to tell ---- */

static bool interval_holds(
    const struct pipeline *p, const struct config_strings *names, int64_t now_ms, const char **name)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct alerting_interval *interval =
            alerting_config_interval(p->config, str_of(names->items[i]));
        if (interval != NULL && alerting_interval_contains(interval, now_ms)) {
            *name = names->items[i];
            return true;
        }
    }
    return false;
}

/* Sets muted_by. */
static bool is_muted(struct pipeline *p, struct alert_group *g, int64_t now_ms)
{
    const char *name = NULL;
    g->muted_by = NULL;
    if (g->route->active.count > 0 && !interval_holds(p, &g->route->active, now_ms, &name)) {
        g->muted_by = g->route->active.items[0];
    } else if (interval_holds(p, &g->route->mute, now_ms, &name)) {
        g->muted_by = name;
    }
    return g->muted_by != NULL;
}

static bool is_silenced(struct pipeline *p, const struct labels *labels, int64_t now_ms)
{
    size_t at = 0;
    return silences_next_match(&p->silences, labels, now_ms, &at) != NULL;
}

/* What a flush found, firing ones first. */
struct findings {
    struct alert_item **items; /* borrowed from the group */
    size_t count, firing_count;
    struct fingerprint_set firing, resolved;
};

static void findings_release(struct findings *f)
{
    mem_free(f->items);
    fingerprint_set_release(&f->firing);
    fingerprint_set_release(&f->resolved);
}

static int find(struct pipeline *p, struct alert_group *g, int64_t now_ms, struct findings *f)
{
    f->items = mem_calloc(g->count + 1, sizeof(struct alert_item *));
    f->firing.items = mem_calloc(g->count + 1, sizeof(uint64_t));
    f->resolved.items = mem_calloc(g->count + 1, sizeof(uint64_t));
    if (f->items == NULL || f->firing.items == NULL || f->resolved.items == NULL) {
        return ERR_NOMEM;
    }
    if (is_muted(p, g, now_ms)) {
        return 0;
    }
    /* The group is sorted by fingerprint, and so are the sets. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < g->count; i++) {
            struct alert_item *item = g->items[i];
            const struct labels *labels = item->alert.labels;
            if (alert_item_fires(item, now_ms) != (pass == 0) ||
                pipeline_inhibitor(p, labels, now_ms) != NULL || is_silenced(p, labels, now_ms)) {
                continue;
            }
            struct fingerprint_set *set = pass == 0 ? &f->firing : &f->resolved;
            set->items[set->count++] = item->fingerprint;
            f->items[f->count++] = item;
        }
    }
    f->firing_count = f->firing.count;
    return 0;
}

/* ---- Notices ---- */

static struct notice *notice_at(const struct pipeline *p, const char *group_key,
    const char *receiver, enum alerting_kind kind, uint32_t index)
{
    return pointer_table_get(&p->notices, notice_key(group_key, receiver, kind, index));
}

struct notice *pipeline_notice_of(const struct pipeline *p, const struct delivery *d)
{
    return notice_at(p, d->group_key, d->receiver, d->kind, d->index);
}

static struct notice *make_notice(struct pipeline *p, const char *group_key, const char *receiver,
    const struct alerting_integration *way)
{
    struct notice *n = notice_at(p, group_key, receiver, way->kind, way->index);
    if (n == NULL && notice_new(group_key, receiver, way->kind, way->index, &n) == 0 &&
        pointer_table_put(&p->notices, notice_key(group_key, receiver, way->kind, way->index), n) !=
            0) {
        notice_free(n);
        n = NULL;
    }
    return n;
}

/* ---- Deliveries ---- */

int pipeline_add_delivery(struct pipeline *p, struct delivery *d)
{
    int status = mem_array_grow((void **)&p->deliveries, &p->delivery_cap, p->delivery_count + 1,
        sizeof(d), PIPELINE_DELIVERIES_MAX);
    if (status == 0) {
        status = pointer_table_put(&p->deliveries_by_id, hash64(d->id, strlen(d->id), 0), d);
    }
    if (status == 0) {
        d->sequence = p->sequence++;
        p->deliveries[p->delivery_count++] = d;
    }
    return status;
}

static void supersede(struct pipeline *p, struct notice *n, int64_t now_ms)
{
    struct delivery *old = n->pending;
    delivery_finish(old, DELIVERY_SUPERSEDED, now_ms);
    p->counters.deliveries[DELIVERY_SUPERSEDED]++;
    p->kept_bytes += delivery_memory(old);
    pipeline_note_delivery(p, old);
    n->pending = NULL;
}

static bool is_gone(
    const struct pipeline *p, const char *receiver, const struct alerting_integration *way)
{
    return pointer_table_get(&p->gone, notice_key("", receiver, way->kind, way->index)) != NULL;
}

static int render(const struct message *m, struct delivery *d)
{
    struct err e = ERR_INIT;
    int status = message_render(m, d, &e);
    if (status != 0) {
        LOG_ERROR("alerts: a message cannot be written", LOG_S("receiver", m->receiver->name),
            LOG_S("error", e.message));
    }
    return status;
}

/* How many of the findings a way of sending wants. */
static size_t wanted(const struct findings *f, const struct alerting_integration *way)
{
    size_t count = way->common->send_resolved ? f->count : f->firing_count;
    if (way->kind == ALERTING_WEBHOOK && way->webhook->alerts_max > 0 &&
        count > (size_t)way->webhook->alerts_max) {
        count = (size_t)way->webhook->alerts_max;
    }
    return count;
}

/* Makes a message of the findings and puts it on its way. */
static int put_on_its_way(struct pipeline *p, struct notice *n, struct message *m,
    const struct findings *f, int64_t not_before_ms)
{
    struct delivery *d = NULL;
    int status = delivery_new(n->group_key, n->receiver, n->kind, n->index, m->now_ms, &d);
    if (status != 0) {
        return status;
    }
    d->reason = m->reason;
    d->next_attempt_ms = not_before_ms > m->now_ms ? not_before_ms : m->now_ms;
    m->delivery_id = d->id;
    status = fingerprint_set_copy(&f->firing, &d->firing);
    status = status != 0 ? status : fingerprint_set_copy(&f->resolved, &d->resolved);
    status = status != 0 ? status : render(m, d);
    status = status != 0 ? status : pipeline_add_delivery(p, d);
    if (status != 0) {
        delivery_free(d);
        return status;
    }
    n->pending = d;
    if (is_gone(p, n->receiver, m->integration)) {
        delivery_finish(d, DELIVERY_DEAD, m->now_ms);
        p->counters.deliveries[DELIVERY_DEAD]++;
        p->kept_bytes += delivery_memory(d);
        n->pending = NULL;
    }
    pipeline_note_delivery(p, d);
    pipeline_note_notice(p, n); /* a restart finds the message by it */
    return 0;
}

/* The message on its way says the same as would be said now. */
static bool says_the_same(const struct delivery *d, const struct findings *f)
{
    return fingerprint_set_eq(&d->firing, &f->firing) &&
           fingerprint_set_eq(&d->resolved, &f->resolved);
}

static int tell(struct pipeline *p, struct alert_group *g, const struct alerting_integration *way,
    const struct findings *f, int64_t now_ms)
{
    const char *receiver = g->route->receiver->name;
    struct notice *n = make_notice(p, g->key, receiver, way);
    if (n == NULL) {
        return ERR_NOMEM;
    }
    if (n->pending != NULL && (n->pending->in_flight || says_the_same(n->pending, f))) {
        n->pending->flush_again = n->pending->in_flight && !says_the_same(n->pending, f);
        return 0;
    }
    bool resolved = way->common->send_resolved;
    int64_t repeat_ms = g->route->repeat_interval.ms;
    enum notice_reason reason =
        notice_decide(n, &f->firing, &f->resolved, repeat_ms, resolved, now_ms);
    int64_t not_before_ms = 0;
    if (n->pending != NULL) {
        /* The receiver's pace stays: who asked for patience is not asked again sooner. */
        not_before_ms = n->pending->attempt_count > 0 ? n->pending->next_attempt_ms : 0;
        supersede(p, n, now_ms);
    }
    n->repeat_ms = repeat_ms;
    if (reason == NOTICE_NONE) {
        return 0;
    }
    size_t count = wanted(f, way);
    if (count == 0) {
        /* All has ended, and this way does not tell of ends: what was told is forgotten. */
        int status = notice_told(n, &f->firing, &f->resolved, now_ms);
        pipeline_note_notice(p, n);
        return status;
    }
    struct message m = {.config = p->config,
        .receiver = g->route->receiver,
        .integration = way,
        .route = g->route,
        .group_key = g->key,
        .group_labels = g->labels,
        .items = f->items,
        .count = count,
        .truncated = (resolved ? f->count : f->firing_count) - count,
        .now_ms = now_ms,
        .reason = reason,
        .external_url = p->options.external_url,
        .trace_url = p->options.trace_url,
        .templates = p->templates};
    return put_on_its_way(p, n, &m, f, not_before_ms);
}

/* ---- Flushes ---- */

/* Does everybody who is to be told know that it has ended? */
static bool is_settled(struct pipeline *p, const struct alert_group *g, uint64_t fingerprint)
{
    const struct alerting_receiver *r = g->route->receiver;
    for (size_t i = 0; i < r->integration_count; i++) {
        const struct notice *n =
            notice_at(p, g->key, r->name, r->integrations[i].kind, r->integrations[i].index);
        if (n != NULL && (n->pending != NULL || fingerprint_set_has(&n->firing, fingerprint) ||
                             fingerprint_set_has(&n->maybe, fingerprint))) {
            return false;
        }
    }
    return true;
}

void pipeline_settle_group(struct pipeline *p, struct alert_group *g, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        struct alert_item *item = g->items[i];
        const struct labels *labels = item->alert.labels;
        bool ended = !alert_item_fires(item, now_ms);
        /* What is held back when it ends is not told of later. */
        bool held_back = g->muted_by != NULL || pipeline_inhibitor(p, labels, now_ms) != NULL ||
                         is_silenced(p, labels, now_ms);
        bool old = item->alert.ends_at_ms + PIPELINE_RESOLVED_KEPT_MS < now_ms;
        if (ended && (held_back || old || is_settled(p, g, item->fingerprint))) {
            alert_item_unref(item);
        } else {
            g->items[kept++] = item;
        }
    }
    g->count = kept;
}

void pipeline_flush_group(struct pipeline *p, struct alert_group *g, int64_t now_ms)
{
    struct findings f = {0};
    g->next_flush_ms = now_ms + g->route->group_interval.ms;
    g->has_flushed = true;
    int status = find(p, g, now_ms, &f);
    p->counters.suppressed += g->count - f.count;
    const struct alerting_receiver *r = g->route->receiver;
    for (size_t i = 0; status == 0 && f.count > 0 && i < r->integration_count; i++) {
        status = tell(p, g, &r->integrations[i], &f, now_ms);
    }
    findings_release(&f);
    if (status != 0) {
        LOG_ERROR("alerts: a group could not be flushed; it is tried again",
            LOG_S("receiver", r->name), LOG_S("error", err_text(status)));
        return;
    }
    pipeline_settle_group(p, g, now_ms);
}

/* ---- Heartbeats ---- */

static int make_heartbeat(
    const struct alerting_receiver *receiver, int64_t now_ms, struct alert_item **item_out)
{
    const struct label labels[] = {{STR("alertname"), STR("SondeHeartbeat")},
        {STR("receiver"), str_of(receiver->name)}, {STR("severity"), STR("none")}};
    const struct label annotations[] = {{STR("summary"),
        STR("Notification works. This message comes at regular intervals; raise an alarm when it "
            "does not.")}};
    struct alert alert = {.annotations = annotations,
        .annotation_count = 1,
        .starts_at_ms = now_ms,
        .ends_at_ms = now_ms + 4 * receiver->heartbeat_ms,
        .generator_url = STR("")};
    int status = labels_new(labels, 3, &alert.labels, NULL);
    if (status == 0) {
        status = alert_item_new(&alert, now_ms, false, item_out);
        labels_unref(alert.labels);
    }
    return status;
}

static int tell_heartbeat(struct pipeline *p, const struct alerting_receiver *receiver,
    const struct alerting_integration *way, struct alert_item *item, int64_t now_ms)
{
    static const char key[] = "heartbeat";
    struct notice *n = make_notice(p, key, receiver->name, way);
    if (n == NULL || (n->pending != NULL && n->pending->in_flight)) {
        return n == NULL ? ERR_NOMEM : 0;
    }
    int64_t not_before_ms = 0;
    if (n->pending != NULL) {
        not_before_ms = n->pending->attempt_count > 0 ? n->pending->next_attempt_ms : 0;
        supersede(p, n, now_ms);
    }
    uint64_t fingerprint = item->fingerprint;
    struct findings f = {
        .items = &item, .count = 1, .firing_count = 1, .firing = {&fingerprint, 1}};
    struct message m = {.config = p->config,
        .receiver = receiver,
        .integration = way,
        .group_key = key,
        .group_labels = item->alert.labels,
        .items = &item,
        .count = 1,
        .now_ms = now_ms,
        .reason = n->told ? NOTICE_REPEAT : NOTICE_FIRST,
        .external_url = p->options.external_url,
        .trace_url = p->options.trace_url,
        .templates = p->templates};
    return put_on_its_way(p, n, &m, &f, not_before_ms);
}

void pipeline_heartbeat(
    struct pipeline *p, const struct alerting_receiver *receiver, int64_t now_ms)
{
    struct alert_item *item = NULL;
    int status = make_heartbeat(receiver, now_ms, &item);
    for (size_t i = 0; status == 0 && i < receiver->integration_count; i++) {
        status = tell_heartbeat(p, receiver, &receiver->integrations[i], item, now_ms);
    }
    alert_item_unref(item);
    if (status != 0) {
        LOG_ERROR("alerts: no heartbeat was sent", LOG_S("receiver", receiver->name),
            LOG_S("error", err_text(status)));
    }
}
