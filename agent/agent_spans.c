/* The wiring of spans, and their account:
 *   agent_spans_received_total = agent_spans_queued_total + agent_spans_undelivered_total +
 *       agent_sampling_dropped_spans_total + agent_sampling_waiting_spans +
 *       agent_sampling_lost_spans_total
 * and for each destination
 *   agent_spans_queued_total + agent_remote_found_spans =
 *       agent_remote_sent_spans_total + agent_remote_dropped_spans_total (all reasons) +
 *       agent_remote_pending_spans + agent_remote_missed_spans
 */
#include "agent_spans.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/exposition.h"

/* Where nothing waits for spans. */
enum { IDLE_MS = 60000 };

/* ---- Start and stop ---- */

/* The outbox of spans: destinations that have an address for them, with the bounds of their queue.
 * `destinations` has room for all. */
static struct outbox_options outbox_of(const struct agent_spans *s,
    const struct agent_config *config, const struct outbox_options *samples,
    struct sender_options *destinations)
{
    struct outbox_options outbox = *samples;
    outbox.destinations = destinations;
    outbox.destination_count = 0;
    for (size_t i = 0; i < config->destination_count; i++) {
        const char *url = config->destinations[i].traces_url;
        if (url[0] != '\0') {
            struct sender_options *d = &destinations[outbox.destination_count++];
            *d = samples->destinations[i];
            d->url = url;
            d->request = (struct request_maker_options){0};
            d->samples_max = 0;
            d->sample_age_max_ms = 0;
        }
    }
    outbox.queue.path = s->queue_path;
    outbox.queue.bytes_max = (uint64_t)config->traces.queue.size_max;
    outbox.queue.age_max_ms = config->traces.queue.age_max_ms;
    return outbox;
}

static void free_settings(struct agent_spans_settings *settings)
{
    if (settings != NULL) {
        arena_release(&settings->arena);
        mem_free(settings);
    }
}

static int copy_settings(const struct agent_config *config, const char *instance,
    struct agent_spans_settings **settings_out, struct err *e)
{
    struct agent_spans_settings *settings = mem_calloc(1, sizeof(*settings));
    int status = ERR_NOMEM;
    if (settings != NULL) {
        arena_init(&settings->arena, 0);
        settings->instance = arena_strndup(&settings->arena, instance, strlen(instance));
        status = config_copy(&settings->arena, spans_fields, &config->traces,
            sizeof(settings->config), &settings->config);
        status = settings->instance != NULL ? status : ERR_NOMEM;
    }
    if (status != 0) {
        free_settings(settings);
        return err_set(e, status, -1, "out of memory for spans");
    }
    *settings_out = settings;
    return 0;
}

static int open_pipeline(const struct agent_spans *s, const struct agent_spans_settings *settings,
    struct clock *clock, struct span_shipper *shipper, struct span_pipeline **pipeline_out,
    struct err *e)
{
    const struct span_pipeline_options options = {.config = &settings->config,
        .instance = settings->instance,
        .clock = clock,
        .intake = s->intake,
        .shipper = shipper};
    return span_pipeline_new(&options, pipeline_out, e);
}

/* The door hands on to whatever pipeline there is. */
static int admit(struct span_intake *self, enum span_protocol protocol, int64_t *retry_after_ms_out)
{
    struct agent_spans *s = (struct agent_spans *)self;
    struct span_intake *behind = span_pipeline_intake(s->pipeline);
    return behind->admit(behind, protocol, retry_after_ms_out);
}

static int take(struct span_intake *self, enum span_protocol protocol, struct str message,
    struct span_taken *taken_out, struct err *e)
{
    struct agent_spans *s = (struct agent_spans *)self;
    struct span_intake *behind = span_pipeline_intake(s->pipeline);
    return behind->take(behind, protocol, message, taken_out, e);
}

struct span_intake *agent_spans_intake(struct agent_spans *s)
{
    return &s->door;
}

int agent_spans_open(struct agent_spans *s, const struct agent_config *config,
    const struct outbox_options *samples, const char *data_path, const char *instance,
    struct intake *intake, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    s->door = (struct span_intake){admit, take};
    s->intake = intake;
    snprintf(s->queue_path, sizeof(s->queue_path), "%s/spans", data_path);
    const struct outbox_options outbox = outbox_of(s, config, samples, destinations);
    int status = outbox.destination_count > 0 ? span_shipper_open(&outbox, &s->shipper, e) : 0;
    status = status == 0 ? copy_settings(config, instance, &s->settings, e) : status;
    return status == 0 ? open_pipeline(s, s->settings, samples->clock, s->shipper, &s->pipeline, e)
                       : status;
}

/* ---- Another configuration ---- */

static int prepare_shipper(struct agent_spans *s, const struct outbox_options *outbox,
    struct agent_spans_change *change, struct err *e)
{
    if (s->shipper == NULL) {
        return outbox->destination_count > 0 ? span_shipper_open(outbox, &change->opened, e) : 0;
    }
    int status = span_shipper_prepare(s->shipper, outbox, &change->outbox, e);
    change->has_outbox = status == 0;
    return status;
}

static bool has_destinations(const struct agent_spans *s)
{
    return s->shipper != NULL && span_shipper_destination_count(s->shipper) > 0;
}

int agent_spans_prepare(struct agent_spans *s, const struct agent_config *config,
    const struct outbox_options *samples, const char *instance,
    struct agent_spans_change *change_out, struct err *e)
{
    struct agent_spans_change change = {.has_outbox = false};
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    const struct outbox_options outbox = outbox_of(s, config, samples, destinations);
    bool wanted = outbox.destination_count > 0;
    bool stays = wanted == has_destinations(s) && strcmp(instance, s->settings->instance) == 0 &&
                 config_eq(spans_fields, &s->settings->config, &config->traces);
    int status = prepare_shipper(s, &outbox, &change, e);
    if (status == 0 && !stays) {
        status = copy_settings(config, instance, &change.settings, e);
    }
    if (status == 0 && !stays) {
        struct span_shipper *shipper = change.opened != NULL ? change.opened : s->shipper;
        status = open_pipeline(
            s, change.settings, samples->clock, wanted ? shipper : NULL, &change.pipeline, e);
    }
    if (status != 0) {
        agent_spans_abandon(s, &change);
        return status;
    }
    *change_out = change;
    return 0;
}

void agent_spans_commit(struct agent_spans *s, struct agent_spans_change *change)
{
    if (change->pipeline != NULL) { /* first: what it holds is for those who are there now */
        struct span_pipeline_statistics figures;
        span_pipeline_flush(s->pipeline);
        span_pipeline_statistics(s->pipeline, &figures);
        span_pipeline_free(s->pipeline);
        free_settings(s->settings);
        span_pipeline_continue(change->pipeline, &figures);
        s->pipeline = change->pipeline;
        s->settings = change->settings;
    }
    if (change->has_outbox) {
        span_shipper_commit(s->shipper, &change->outbox);
    }
    s->shipper = change->opened != NULL ? change->opened : s->shipper;
    *change = (struct agent_spans_change){.has_outbox = false};
}

void agent_spans_abandon(struct agent_spans *s, struct agent_spans_change *change)
{
    span_pipeline_free(change->pipeline);
    free_settings(change->settings);
    span_shipper_close(change->opened);
    if (change->has_outbox) {
        span_shipper_abandon(s->shipper, &change->outbox);
    }
    *change = (struct agent_spans_change){.has_outbox = false};
}

int agent_spans_check(const struct agent_config *config, struct err *e)
{
    struct intake nowhere = {0}; /* nothing is handed in */
    const struct span_pipeline_options options = {
        .config = &config->traces, .instance = "", .clock = clock_real(), .intake = &nowhere};
    struct span_pipeline *pipeline = NULL;
    int status = span_pipeline_new(&options, &pipeline, e);
    span_pipeline_free(pipeline);
    return status;
}

void agent_spans_close(struct agent_spans *s)
{
    if (s->pipeline != NULL) {
        span_pipeline_flush(s->pipeline);
    }
    span_pipeline_free(s->pipeline);
    free_settings(s->settings);
    span_shipper_close(s->shipper);
}

int64_t agent_spans_step(struct agent_spans *s)
{
    int64_t count = span_pipeline_step(s->pipeline);
    int64_t ship = s->shipper != NULL ? span_shipper_step(s->shipper) : IDLE_MS;
    return count < ship ? count : ship;
}

/* ---- What /metrics says ---- */

static struct label protocol_label(size_t protocol)
{
    return (struct label){
        STR("protocol"), str_of(span_protocol_name((enum span_protocol)protocol))};
}

static void expose_protocols(const struct span_pipeline_statistics *s, struct strbuf *out)
{
    for (size_t i = 0; i < SPAN_PROTOCOL_COUNT; i++) {
        struct label protocol = protocol_label(i);
        exposition_write_figure(out, "agent_span_requests_total", METRIC_TYPE_COUNTER,
            i == 0 ? "Requests with spans, all that came" : NULL, &protocol, 1,
            s->protocols[i].requests);
    }
    for (size_t i = 0; i < SPAN_PROTOCOL_COUNT; i++) {
        for (size_t k = 0; k < SPAN_REQUEST_FAULT_COUNT; k++) {
            const struct label labels[] = {protocol_label(i),
                {STR("reason"), str_of(span_request_fault_name((enum span_request_fault)k))}};
            exposition_write_figure(out, "agent_span_requests_refused_total", METRIC_TYPE_COUNTER,
                i + k == 0 ? "Requests with spans that were refused as a whole" : NULL, labels, 2,
                s->protocols[i].requests_refused[k]);
        }
    }
    for (size_t i = 0; i < SPAN_PROTOCOL_COUNT; i++) {
        struct label protocol = protocol_label(i);
        exposition_write_figure(out, "agent_spans_received_total", METRIC_TYPE_COUNTER,
            i == 0 ? "Spans taken in" : NULL, &protocol, 1, s->protocols[i].spans);
    }
    for (size_t i = 0; i < SPAN_PROTOCOL_COUNT; i++) {
        for (size_t k = 0; k < SPAN_FAULT_COUNT; k++) {
            const struct label labels[] = {
                protocol_label(i), {STR("reason"), str_of(span_fault_name((enum span_fault)k))}};
            exposition_write_figure(out, "agent_spans_refused_total", METRIC_TYPE_COUNTER,
                i + k == 0 ? "Spans left out of requests that were taken" : NULL, labels, 2,
                s->protocols[i].spans_refused[k]);
        }
    }
}

static void expose_queue(const struct agent_spans *s, struct strbuf *out)
{
    struct span_shipper_statistics ship = {0};
    struct span_pipeline_statistics pipeline;
    span_pipeline_statistics(s->pipeline, &pipeline);
    if (s->shipper != NULL) {
        span_shipper_statistics(s->shipper, &ship);
    }
    const struct {
        const char *name, *help;
        enum metric_type type;
        uint64_t value;
    } rows[] = {
        {"agent_spans_undelivered_total", "Spans taken that no destination wants",
            METRIC_TYPE_COUNTER, pipeline.undelivered_spans},
        {"agent_spans_queued_total", "Spans put into the queue", METRIC_TYPE_COUNTER,
            ship.added_spans},
        {"agent_span_records_total", "Requests put into the queue of spans", METRIC_TYPE_COUNTER,
            ship.records},
        {"agent_span_message_bytes_total", "Bytes of them before compression", METRIC_TYPE_COUNTER,
            ship.message_bytes},
        {"agent_span_halves_total", "Halves of calls between services put into the queue of spans",
            METRIC_TYPE_COUNTER, pipeline.halves.halves},
        {"agent_span_lost_halves_total", "Halves of calls that found no room", METRIC_TYPE_COUNTER,
            pipeline.halves.lost},
        {"agent_span_queue_bytes", "Bytes of the queue of spans on disk", METRIC_TYPE_GAUGE,
            ship.queue.bytes},
        {"agent_span_queue_spans", "Spans waiting for the slowest destination", METRIC_TYPE_GAUGE,
            ship.queue.samples},
        {"agent_span_queue_in_memory",
            "1 while the queue's disk fails and spans are kept in memory", METRIC_TYPE_GAUGE,
            ship.queue.in_memory},
        {"agent_span_queue_corrupt_bytes_total", "Damaged bytes stepped over in the queue of spans",
            METRIC_TYPE_COUNTER, ship.queue.corrupt_bytes},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exposition_write_figure(
            out, rows[i].name, rows[i].type, rows[i].help, NULL, 0, rows[i].value);
    }
}

static void expose_metrics(const struct span_metrics_statistics *s, struct strbuf *out)
{
    exposition_write_figure(out, "agent_span_metrics_series", METRIC_TYPE_GAUGE,
        "Series that span metrics keep", NULL, 0, s->table.series);
    exposition_write_figure(out, "agent_span_metrics_services", METRIC_TYPE_GAUGE,
        "Services they know", NULL, 0, s->table.services);
    exposition_write_figure(out, "agent_span_metrics_overflowed_spans_total", METRIC_TYPE_COUNTER,
        "Spans counted in a series of the overflow", NULL, 0, s->table.overflowed_spans);
    exposition_write_figure(out, "agent_span_metrics_templated_spans_total", METRIC_TYPE_COUNTER,
        "Spans whose name stands with {id} in place of identifiers", NULL, 0,
        s->table.templated_spans);
    exposition_write_figure(out, "agent_span_metrics_lost_spans_total", METRIC_TYPE_COUNTER,
        "Spans not counted for want of memory", NULL, 0, s->lost_spans);
    exposition_write_figure(out, "agent_span_metrics_expired_series_total", METRIC_TYPE_COUNTER,
        "Series that ended because no span came", NULL, 0, s->expired_series);
}

/* Traces decided, and what became of their spans. */
static void expose_sampling(
    const struct span_pipeline *p, const struct tail_sampler_statistics *s, struct strbuf *out)
{
    size_t count = span_pipeline_policies(p);
    for (size_t i = 0; i <= count && count > 0; i++) {
        struct label policy = {
            STR("policy"), i < count ? str_of(span_pipeline_policy_name(p, i)) : STR("")};
        exposition_write_figure(out, "agent_sampling_traces_total", METRIC_TYPE_COUNTER,
            i == 0 ? "Traces decided, by the policy that did; without one they are dropped" : NULL,
            &policy, 1, s->traces[i < count ? i : SAMPLING_POLICIES_MAX]);
    }
    for (size_t i = 0; i < TAIL_REASON_COUNT; i++) {
        struct label reason = {
            STR("reason"), str_of(tail_sampler_reason_name((enum tail_sampler_reason)i))};
        exposition_write_figure(out, "agent_sampling_decisions_total", METRIC_TYPE_COUNTER,
            i == 0 ? "The same by what made it time: time, or early" : NULL, &reason, 1,
            s->reasons[i]);
    }
    const struct {
        const char *name, *help;
        enum metric_type type;
        uint64_t value;
    } rows[] = {
        {"agent_sampling_kept_spans_total", "Spans kept and queued", METRIC_TYPE_COUNTER,
            s->kept_spans},
        {"agent_sampling_dropped_spans_total", "Spans dropped", METRIC_TYPE_COUNTER,
            s->dropped_spans},
        {"agent_sampling_late_kept_spans_total", "Of those kept, after their trace was decided",
            METRIC_TYPE_COUNTER, s->late_kept_spans},
        {"agent_sampling_late_dropped_spans_total",
            "Of those dropped, after their trace was decided", METRIC_TYPE_COUNTER,
            s->late_dropped_spans},
        {"agent_sampling_lost_spans_total", "Spans kept that the queue did not take",
            METRIC_TYPE_COUNTER, s->lost_spans},
        {"agent_sampling_waiting_spans", "Spans that wait for a decision", METRIC_TYPE_GAUGE,
            s->waiting_spans},
        {"agent_sampling_waiting_traces", "Traces that wait for a decision", METRIC_TYPE_GAUGE,
            s->waiting_traces},
        {"agent_sampling_window_bytes", "Memory of what waits", METRIC_TYPE_GAUGE, s->window_bytes},
        {"agent_sampling_decisions_remembered", "Decisions that late spans follow",
            METRIC_TYPE_GAUGE, s->decisions},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exposition_write_figure(
            out, rows[i].name, rows[i].type, rows[i].help, NULL, 0, rows[i].value);
    }
}

static struct label destination_label(const struct agent_spans *s, size_t index)
{
    return (struct label){
        STR("destination"), str_of(span_shipper_destination_name(s->shipper, index))};
}

/* Spans a destination does not get, by reason. */
static void expose_dropped(const struct agent_spans *s, struct strbuf *out)
{
    static const char *const reasons[] = {"size", "age", "disk_full", "corrupt", "refused"};
    for (size_t i = 0; i < span_shipper_destination_count(s->shipper); i++) {
        struct sender_statistics d;
        span_shipper_destination_statistics(s->shipper, i, &d);
        const uint64_t values[] = {d.dropped_by[QUEUE_DROP_SIZE], d.dropped_by[QUEUE_DROP_AGE],
            d.dropped_by[QUEUE_DROP_DISK], d.dropped_by[QUEUE_DROP_CORRUPT], d.rejected_samples};
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            const struct label labels[] = {
                destination_label(s, i), {STR("reason"), str_of(reasons[k])}};
            exposition_write_figure(out, "agent_remote_dropped_spans_total", METRIC_TYPE_COUNTER,
                i + k == 0 ? "Spans the destination does not get" : NULL, labels, 2, values[k]);
        }
    }
}

static void expose_destinations(const struct agent_spans *s, struct strbuf *out)
{
    static const struct {
        const char *name, *help;
        enum metric_type type;
        size_t offset;
    } rows[] = {
        {"agent_remote_sent_spans_total", "Spans the destination has taken", METRIC_TYPE_COUNTER,
            offsetof(struct sender_statistics, sent_samples)},
        {"agent_remote_sent_span_bytes_total", "Bytes of requests with spans it has taken",
            METRIC_TYPE_COUNTER, offsetof(struct sender_statistics, sent_bytes)},
        {"agent_remote_sent_span_requests_total", "Requests with spans it has taken",
            METRIC_TYPE_COUNTER, offsetof(struct sender_statistics, sent_requests)},
        {"agent_remote_span_retries_total", "Requests with spans that had to be repeated",
            METRIC_TYPE_COUNTER, offsetof(struct sender_statistics, retries)},
        {"agent_remote_span_splits_total",
            "Requests with spans it found too large, and that were halved", METRIC_TYPE_COUNTER,
            offsetof(struct sender_statistics, splits)},
        {"agent_remote_pending_spans", "Spans waiting for the destination", METRIC_TYPE_GAUGE,
            offsetof(struct sender_statistics, waiting_samples)},
        {"agent_remote_found_spans", "Spans that waited for it at its start", METRIC_TYPE_GAUGE,
            offsetof(struct sender_statistics, found_samples)},
        {"agent_remote_missed_spans", "Spans that were queued before it was there",
            METRIC_TYPE_GAUGE, offsetof(struct sender_statistics, missed_samples)},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (size_t i = 0; i < span_shipper_destination_count(s->shipper); i++) {
            struct sender_statistics d;
            uint64_t value;
            span_shipper_destination_statistics(s->shipper, i, &d);
            memcpy(&value, (const char *)&d + rows[row].offset, sizeof(value));
            struct label destination = destination_label(s, i);
            exposition_write_figure(out, rows[row].name, rows[row].type,
                i == 0 ? rows[row].help : NULL, &destination, 1, value);
        }
    }
    expose_dropped(s, out);
}

void agent_spans_expose(const struct agent_spans *s, struct strbuf *out)
{
    struct span_pipeline_statistics statistics;
    span_pipeline_statistics(s->pipeline, &statistics);
    expose_protocols(&statistics, out);
    expose_metrics(&statistics.metrics, out);
    expose_sampling(s->pipeline, &statistics.sampling, out);
    expose_queue(s, out);
    if (s->shipper != NULL) {
        expose_destinations(s, out);
    }
}
