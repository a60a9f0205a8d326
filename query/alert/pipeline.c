/* The pipeline's life: what comes in, what is due, what came of it. See the header. */
#include "alert/pipeline.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

/* How often what is old is thrown away, and the longest time between two calls. */
#define SWEEP_MS ((int64_t)60 * 1000)
/* After a restart a group that was told before waits at most so long for what else comes back. */
#define RESTORE_WAIT_MS ((int64_t)5000)

/* ---- Groups ---- */

void pipeline_group_free(struct alert_group *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->count; i++) {
        alert_item_unref(g->items[i]);
    }
    mem_free(g->items);
    labels_unref(g->labels);
    mem_free(g->key);
    mem_free(g);
}

static uint64_t group_hash(const char *key, const char *receiver)
{
    return hash64(key, strlen(key), hash64(receiver, strlen(receiver), 1));
}

struct alert_group *pipeline_group(const struct pipeline *p, const char *key, const char *receiver)
{
    return pointer_table_get(&p->groups, group_hash(key, receiver));
}

static int group_labels(const struct alerting_route *route, const struct labels *labels,
    const struct labels **labels_out)
{
    if (route->group_by_all) {
        *labels_out = labels_ref(labels);
        return 0;
    }
    return labels_restrict(labels, route->group_names, route->group_by.count, true, labels_out);
}

static int make_group(struct pipeline *p, const struct alerting_route *route,
    const struct labels *labels, struct alert_group **group_out)
{
    struct strbuf key = STRBUF_INIT;
    const struct labels *own = NULL;
    int status = group_labels(route, labels, &own);
    if (status != 0) {
        return status;
    }
    strbuf_addf(&key, "%s:", route->key);
    labels_write(own, &key);
    status = strbuf_error(&key);
    struct alert_group *g = status == 0 ? pipeline_group(p, key.data, route->receiver->name) : NULL;
    if (status == 0 && g == NULL) {
        g = mem_calloc(1, sizeof(*g));
        status = g != NULL && p->groups.count < PIPELINE_GROUPS_MAX ? 0 : ERR_NOMEM;
        if (status == 0) {
            *g = (struct alert_group){.route = route,
                .labels = labels_ref(own),
                .key = strbuf_take(&key, NULL),
                .next_flush_ms = INT64_MAX};
            status = pointer_table_put(&p->groups, group_hash(g->key, route->receiver->name), g);
        }
        if (status != 0) {
            pipeline_group_free(g);
        }
    }
    labels_unref(own);
    strbuf_release(&key);
    *group_out = g;
    return status;
}

static int put_item(struct alert_group *g, struct alert_item *item)
{
    size_t at = 0;
    while (at < g->count && g->items[at]->fingerprint < item->fingerprint) {
        at++;
    }
    if (at < g->count && g->items[at]->fingerprint == item->fingerprint) {
        struct alert_item *old = g->items[at];
        g->items[at] = alert_item_ref(item);
        alert_item_unref(old);
        return 0;
    }
    int status = mem_array_grow(
        (void **)&g->items, &g->cap, g->count + 1, sizeof(item), PIPELINE_ALERTS_MAX);
    if (status == 0) {
        memmove(g->items + at + 1, g->items + at, (g->count - at) * sizeof(item));
        g->items[at] = alert_item_ref(item);
        g->count++;
    }
    return status;
}

struct grouping {
    struct pipeline *p;
    struct alert_item *item;
    bool restored;
    int64_t now_ms;
    int status;
};

static void group_by_route(void *context, const struct alerting_route *route)
{
    struct grouping *to = context;
    struct alert_group *g = NULL;
    int status = make_group(to->p, route, to->item->alert.labels, &g);
    if (status != 0) {
        to->status = status;
        return;
    }
    bool is_new = g->next_flush_ms == INT64_MAX;
    int64_t wait_ms = route->group_wait.ms;
    bool waited = to->item->alert.starts_at_ms + wait_ms < to->now_ms;
    if (is_new) {
        g->next_flush_ms = to->now_ms + wait_ms;
    }
    if (!g->has_flushed && waited) {
        /* Its time to wait is over, before it was ever told. */
        int64_t soon = to->restored && wait_ms > RESTORE_WAIT_MS ? RESTORE_WAIT_MS
                       : to->restored                            ? wait_ms
                                                                 : 0;
        int64_t flush_ms = to->now_ms + soon;
        g->next_flush_ms = flush_ms < g->next_flush_ms ? flush_ms : g->next_flush_ms;
    }
    status = put_item(g, to->item);
    to->status = status != 0 ? status : to->status;
}

int pipeline_group_item(struct pipeline *p, struct alert_item *item, bool restored, int64_t now_ms)
{
    struct grouping to = {p, item, restored, now_ms, 0};
    pipeline_routes(p->config, item->alert.labels, group_by_route, &to);
    return to.status;
}

static bool visit_routes(const struct alerting_route *route, const struct labels *labels,
    void (*found)(void *context, const struct alerting_route *route), void *context)
{
    if (!label_matchers_match(&route->matchers, labels)) {
        return false;
    }
    const struct alerting_route *children = route->routes.items;
    bool taken = false;
    for (size_t i = 0; i < route->routes.count; i++) {
        if (visit_routes(&children[i], labels, found, context)) {
            taken = true;
            if (!children[i].goes_on) {
                break;
            }
        }
    }
    if (!taken) {
        found(context, route);
    }
    return true;
}

void pipeline_routes(const struct alerting_config *config, const struct labels *labels,
    void (*found)(void *context, const struct alerting_route *route), void *context)
{
    (void)visit_routes(config->route, labels, found, context); /* the root takes everything */
}

static void release_groups(struct pipeline *p)
{
    struct alert_group *g;
    size_t at = 0;
    while ((g = pointer_table_next(&p->groups, &at)) != NULL) {
        pipeline_group_free(g);
    }
    pointer_table_release(&p->groups);
}

/* All that is known, as if it came in now. */
static int regroup(struct pipeline *p, int64_t now_ms)
{
    struct alert_item *item;
    size_t at = 0;
    int status = 0;
    release_groups(p);
    while (status == 0 && (item = pointer_table_next(&p->alerts, &at)) != NULL) {
        status = pipeline_group_item(p, item, true, now_ms);
    }
    return status;
}

/* ---- Inhibition ---- */

const struct alert_item *pipeline_inhibitor(
    struct pipeline *p, const struct labels *labels, int64_t now_ms)
{
    if (p->config->inhibitions.count == 0) {
        return NULL;
    }
    if (p->inhibitions_stale) {
        const struct alert_item *item;
        size_t at = 0;
        int status = inhibition_index_begin(&p->inhibitions, p->config);
        while (status == 0 && (item = pointer_table_next(&p->alerts, &at)) != NULL) {
            if (alert_item_fires(item, now_ms)) {
                status = inhibition_index_add(&p->inhibitions, p->config, item);
            }
        }
        inhibition_index_finish(&p->inhibitions);
        /* Short of memory, too much is told rather than too little. */
        p->inhibitions_stale = status != 0;
    }
    return inhibition_of(&p->inhibitions, p->config, labels, now_ms);
}

/* ---- Life ---- */

static int make_heartbeats(struct pipeline *p, int64_t now_ms)
{
    mem_free(p->heartbeats);
    p->heartbeats = mem_calloc(p->config->receivers.count + 1, sizeof(*p->heartbeats));
    for (size_t i = 0; p->heartbeats != NULL && i < p->config->receivers.count; i++) {
        p->heartbeats[i] = now_ms;
    }
    return p->heartbeats != NULL ? 0 : ERR_NOMEM;
}

int pipeline_open(struct pipeline *p, const struct pipeline_options *options,
    const struct alerting_config *config, int64_t now_ms, struct err *e)
{
    *p = (struct pipeline){.options = *options,
        .config = config,
        .random = options->seed,
        .inhibitions_stale = true,
        .next_sweep_ms = now_ms + SWEEP_MS};
    int status = pipeline_store_open(p, now_ms, e);
    if (status != 0) {
        return status;
    }
    status = make_heartbeats(p, now_ms);
    if (status == 0) {
        status = regroup(p, now_ms);
    }
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

void pipeline_close(struct pipeline *p)
{
    size_t at = 0;
    void *object;
    journal_close(p->journal);
    release_groups(p);
    inhibition_index_release(&p->inhibitions);
    while ((object = pointer_table_next(&p->alerts, &at)) != NULL) {
        alert_item_unref(object);
    }
    at = 0;
    while ((object = pointer_table_next(&p->notices, &at)) != NULL) {
        notice_free(object);
    }
    at = 0;
    while ((object = pointer_table_next(&p->deliveries_by_id, &at)) != NULL) {
        delivery_free(object);
    }
    pointer_table_release(&p->alerts);
    pointer_table_release(&p->notices);
    pointer_table_release(&p->deliveries_by_id);
    pointer_table_release(&p->gone);
    mem_free(p->deliveries);
    mem_free(p->heartbeats);
    silences_release(&p->silences);
    *p = (struct pipeline){0};
}

int pipeline_reconfigure(struct pipeline *p, const struct alerting_config *config, int64_t now_ms)
{
    p->config = config;
    p->inhibitions_stale = true;
    inhibition_index_release(&p->inhibitions);
    pointer_table_release(&p->gone);
    int status = make_heartbeats(p, now_ms);
    return status == 0 ? regroup(p, now_ms) : status;
}

/* ---- What comes in ---- */

int pipeline_receive(
    struct pipeline *p, const struct alert *alert, bool guessed_end, int64_t now_ms)
{
    struct alert_item *item = NULL, *merged = NULL;
    uint64_t hash = labels_hash(alert->labels);
    struct alert_item *old = pointer_table_get(&p->alerts, hash);
    if (old == NULL && p->alerts.count >= PIPELINE_ALERTS_MAX) {
        return ERR_LIMIT;
    }
    int status = alert_item_new(alert, now_ms, guessed_end, &item);
    if (status == 0 && old != NULL) {
        status = alert_item_merge(old, item, &merged);
        if (status == 0) {
            alert_item_unref(item);
            item = merged;
        }
    }
    if (status == 0) {
        status = pointer_table_put(&p->alerts, hash, item);
    }
    if (status != 0) {
        alert_item_unref(item);
        return status;
    }
    p->inhibitions_stale = true;
    p->counters.alerts_received[!alert_item_fires(item, now_ms)]++;
    pipeline_note_item(p, item);
    status = pipeline_group_item(p, item, false, now_ms);
    alert_item_unref(old); /* groups of an old configuration may hold it still */
    return status;
}

/* ---- What is due ---- */

static bool is_in_a_group(const struct alert_item *item)
{
    return item->refs > 1;
}

static void sweep_alerts(struct pipeline *p, int64_t now_ms)
{
    struct alert_item *item;
    size_t at = 0;
    while ((item = pointer_table_next(&p->alerts, &at)) != NULL) {
        if (alert_item_fires(item, now_ms) || is_in_a_group(item)) {
            continue;
        }
        p->inhibitions_stale = true; /* its sources point to items */
        pipeline_forget_item(p, item);
        (void)pointer_table_remove(&p->alerts, labels_hash(item->alert.labels));
        alert_item_unref(item);
        at--; /* another may stand in its cell now */
    }
}

static void sweep_groups(struct pipeline *p)
{
    struct alert_group *g;
    size_t at = 0;
    while ((g = pointer_table_next(&p->groups, &at)) != NULL) {
        if (g->count == 0) {
            (void)pointer_table_remove(&p->groups, group_hash(g->key, g->route->receiver->name));
            pipeline_group_free(g);
            at--;
        }
    }
}

static void sweep_notices(struct pipeline *p, int64_t now_ms)
{
    struct notice *n;
    size_t at = 0;
    while ((n = pointer_table_next(&p->notices, &at)) != NULL) {
        int64_t kept_ms = 2 * n->repeat_ms;
        kept_ms = kept_ms > NOTICE_RETENTION_MS ? kept_ms : NOTICE_RETENTION_MS;
        if (n->pending == NULL && n->told_at_ms + kept_ms < now_ms &&
            pipeline_group(p, n->group_key, n->receiver) == NULL) {
            pipeline_forget_notice(p, n);
            (void)pointer_table_remove(
                &p->notices, notice_key(n->group_key, n->receiver, n->kind, n->index));
            notice_free(n);
            at--;
        }
    }
}

static void sweep_deliveries(struct pipeline *p, int64_t now_ms)
{
    size_t kept = 0, over = 0;
    for (size_t i = 0; i < p->delivery_count; i++) {
        over += p->deliveries[i]->state != DELIVERY_PENDING;
    }
    for (size_t i = 0; i < p->delivery_count; i++) {
        struct delivery *d = p->deliveries[i];
        bool is_over = d->state != DELIVERY_PENDING;
        if (is_over && (d->finished_at_ms + DELIVERY_RETENTION_MS < now_ms ||
                           over > DELIVERIES_KEPT || p->kept_bytes > DELIVERIES_KEPT_BYTES)) {
            over--;
            p->kept_bytes -= delivery_memory(d);
            pipeline_forget_delivery(p, d);
            (void)pointer_table_remove(&p->deliveries_by_id, hash64(d->id, strlen(d->id), 0));
            delivery_free(d);
        } else {
            p->deliveries[kept++] = d;
        }
    }
    p->delivery_count = kept;
}

static void sweep(struct pipeline *p, int64_t now_ms)
{
    char id[SILENCE_ID_SIZE];
    sweep_groups(p);
    sweep_alerts(p, now_ms);
    sweep_notices(p, now_ms);
    sweep_deliveries(p, now_ms);
    while (silences_forget(&p->silences, now_ms, id)) {
        pipeline_forget_silence(p, id);
    }
    p->next_sweep_ms = now_ms + SWEEP_MS;
    p->journal_dirty = p->journal != NULL; /* how late it is, for who starts next */
}

/* A clock that was set back may not put things off for longer than they take. */
static int64_t at_most(int64_t due_ms, int64_t now_ms, int64_t longest_ms)
{
    return due_ms - now_ms > longest_ms ? now_ms + longest_ms : due_ms;
}

static int64_t flush_groups(struct pipeline *p, int64_t now_ms)
{
    struct alert_group *g;
    size_t at = 0;
    int64_t next_ms = INT64_MAX;
    while ((g = pointer_table_next(&p->groups, &at)) != NULL) {
        const struct alerting_route *r = g->route;
        int64_t longest_ms =
            r->group_wait.ms > r->group_interval.ms ? r->group_wait.ms : r->group_interval.ms;
        g->next_flush_ms = at_most(g->next_flush_ms, now_ms, longest_ms);
        if (g->next_flush_ms <= now_ms) {
            pipeline_flush_group(p, g, now_ms);
        }
        next_ms = g->next_flush_ms < next_ms ? g->next_flush_ms : next_ms;
    }
    return next_ms;
}

static int64_t send_heartbeats(struct pipeline *p, int64_t now_ms)
{
    const struct alerting_receiver *receivers = p->config->receivers.items;
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < p->config->receivers.count; i++) {
        int64_t every_ms = receivers[i].heartbeat_ms;
        if (every_ms == 0) {
            continue;
        }
        p->heartbeats[i] = at_most(p->heartbeats[i], now_ms, every_ms);
        if (p->heartbeats[i] <= now_ms) {
            pipeline_heartbeat(p, &receivers[i], now_ms);
            p->heartbeats[i] = now_ms + every_ms;
        }
        next_ms = p->heartbeats[i] < next_ms ? p->heartbeats[i] : next_ms;
    }
    return next_ms;
}

static int64_t next_attempt(const struct pipeline *p, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < p->delivery_count; i++) {
        struct delivery *d = p->deliveries[i];
        if (d->state == DELIVERY_PENDING && !d->in_flight) {
            d->next_attempt_ms = at_most(d->next_attempt_ms, now_ms, DELIVERY_AGE_MS_MAX);
            next_ms = d->next_attempt_ms < next_ms ? d->next_attempt_ms : next_ms;
        }
    }
    return next_ms;
}

int64_t pipeline_advance(struct pipeline *p, int64_t now_ms)
{
    int64_t flush_ms = flush_groups(p, now_ms);
    int64_t heartbeat_ms = send_heartbeats(p, now_ms);
    p->next_sweep_ms = at_most(p->next_sweep_ms, now_ms, SWEEP_MS);
    if (p->next_sweep_ms <= now_ms) {
        sweep(p, now_ms);
    }
    (void)pipeline_store_commit(p, now_ms, NULL); /* logged and counted by it */
    int64_t next_ms = next_attempt(p, now_ms);
    next_ms = flush_ms < next_ms ? flush_ms : next_ms;
    next_ms = heartbeat_ms < next_ms ? heartbeat_ms : next_ms;
    return p->next_sweep_ms < next_ms ? p->next_sweep_ms : next_ms;
}

int pipeline_commit(struct pipeline *p, int64_t now_ms, struct err *e)
{
    return pipeline_store_commit(p, now_ms, e);
}

/* ---- Messages ---- */

struct delivery *pipeline_take_due(struct pipeline *p, int64_t now_ms)
{
    for (size_t i = 0; i < p->delivery_count; i++) {
        struct delivery *d = p->deliveries[i];
        if (d->state == DELIVERY_PENDING && !d->in_flight && d->next_attempt_ms <= now_ms) {
            d->in_flight = true;
            return d;
        }
    }
    return NULL;
}

static uint64_t next_random(struct pipeline *p)
{
    p->random += UINT64_C(0x9e3779b97f4a7c15);
    return hash_mix64(p->random);
}

static void note_gone(struct pipeline *p, const struct delivery *d)
{
    static char marker;
    LOG_ERROR("alerts: a receiver answered 410 Gone; it is not asked again until the "
              "configuration is read again",
        LOG_S("receiver", d->receiver), LOG_S("kind", alerting_kind_name(d->kind)));
    if (pointer_table_put(&p->gone, notice_key("", d->receiver, d->kind, d->index), &marker) != 0) {
        LOG_WARN("alerts: out of memory; the receiver will be asked again");
    }
}

/* The delivery is over: what follows for its notice. */
static void conclude(struct pipeline *p, struct notice *n, struct delivery *d, int64_t now_ms)
{
    p->counters.deliveries[d->state]++;
    p->kept_bytes += delivery_memory(d);
    if (n == NULL) {
        return;
    }
    bool was_pending = n->pending == d;
    n->pending = was_pending ? NULL : n->pending;
    /* An old message that was sent again says nothing of what is known now. */
    if (was_pending && d->state == DELIVERY_DELIVERED &&
        notice_told(n, &d->firing, &d->resolved, now_ms) != 0) {
        LOG_WARN("alerts: out of memory; a message may be told twice");
    }
}

void pipeline_attempted(struct pipeline *p, struct delivery *d,
    const struct delivery_outcome *outcome, int64_t began_ms, int64_t now_ms)
{
    struct notice *n = pipeline_notice_of(p, d);
    struct alert_group *g = pipeline_group(p, d->group_key, d->receiver);
    bool changed = d->flush_again;
    assert(d->in_flight);
    d->flush_again = false;
    if (outcome->verdict == DELIVERY_TAKEN) {
        p->counters.notifications[d->kind]++;
    } else {
        p->counters.failed[d->kind]++;
        LOG_WARN("alerts: a message was not taken", LOG_S("receiver", d->receiver),
            LOG_S("kind", alerting_kind_name(d->kind)), LOG_S("id", d->id),
            LOG_I("attempt", d->attempt_count + 1), LOG_I("status", outcome->status),
            LOG_STR("error", outcome->error));
    }
    if (outcome->verdict == DELIVERY_GONE) {
        note_gone(p, d);
    }
    if (n != NULL && outcome->verdict != DELIVERY_TAKEN && outcome->may_have_arrived) {
        (void)fingerprint_set_join(&n->maybe, &d->firing); /* without it, one end is not told */
    }
    (void)delivery_attempted(d, outcome, began_ms, now_ms, p->config->retry_pause_ms,
        next_random(p)); /* the note may be lost */
    if (d->state != DELIVERY_PENDING) {
        conclude(p, n, d, now_ms);
    }
    pipeline_note_delivery(p, d);
    if (n != NULL) {
        pipeline_note_notice(p, n);
    }
    if (g != NULL && changed) {
        g->next_flush_ms = now_ms;
    } else if (g != NULL && d->state == DELIVERY_DELIVERED) {
        pipeline_settle_group(p, g, now_ms);
    }
}

struct delivery *pipeline_delivery(const struct pipeline *p, struct str id)
{
    struct delivery *d = pointer_table_get(&p->deliveries_by_id, hash64(id.ptr, id.len, 0));
    return d != NULL && str_eq_c(id, d->id) ? d : NULL;
}

bool pipeline_is_newest(const struct pipeline *p, const struct delivery *d)
{
    uint64_t key = notice_key(d->group_key, d->receiver, d->kind, d->index);
    size_t i = p->delivery_count;
    while (i > 0 && p->deliveries[i - 1]->sequence > d->sequence) {
        const struct delivery *later = p->deliveries[--i];
        if (notice_key(later->group_key, later->receiver, later->kind, later->index) == key) {
            return false;
        }
    }
    return true;
}

int pipeline_replay(struct pipeline *p, struct str id, int64_t now_ms, struct err *e)
{
    struct delivery *d = pipeline_delivery(p, id);
    if (d == NULL) {
        return err_set(e, ERR_NOT_FOUND, -1, "there is no delivery %.*s", STR_ARG(id));
    }
    if (d->state == DELIVERY_PENDING) {
        return err_set(e, ERR_BUSY, -1, "delivery %s is on its way already", d->id);
    }
    p->kept_bytes -= delivery_memory(d);
    d->state = DELIVERY_PENDING;
    d->finished_at_ms = 0;
    d->next_attempt_ms = now_ms;
    d->created_at_ms = now_ms; /* it has a day again */
    struct notice *n = pipeline_notice_of(p, d);
    if (n != NULL && n->pending == NULL && pipeline_is_newest(p, d)) {
        n->pending = d;
    }
    pipeline_note_delivery(p, d);
    return pipeline_store_commit(p, now_ms, e);
}

/* ---- Silences ---- */

int pipeline_put_silence(struct pipeline *p, struct silence *wanted, int64_t now_ms,
    const struct silence **silence_out, struct err *e)
{
    struct silence *changed = NULL, *made = NULL;
    int status = silences_put(&p->silences, wanted, now_ms, &made, &changed, e);
    if (status != 0) {
        return status;
    }
    pipeline_note_silence(p, made);
    if (changed != NULL) {
        pipeline_note_silence(p, changed);
    }
    *silence_out = made;
    return pipeline_store_commit(p, now_ms, e);
}

int pipeline_expire_silence(struct pipeline *p, struct str id, int64_t now_ms, struct err *e)
{
    struct silence *changed = NULL;
    int status = silences_expire(&p->silences, id, now_ms, &changed, e);
    if (status == 0) {
        pipeline_note_silence(p, changed);
        status = pipeline_store_commit(p, now_ms, e);
    }
    return status;
}
