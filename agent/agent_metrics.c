/* What the agent exposes: the host's metrics, and its own.
 *
 * The account of samples is read in one go on the loop's thread, so that at any time, for each
 * destination,
 *   agent_intake_samples_total (all sources) - agent_aggregated_samples_total +
 *       agent_remote_found_samples =
 *       agent_remote_sent_samples_total + agent_remote_dropped_samples_total (all reasons) +
 *       agent_remote_pending_samples + agent_remote_missed_samples + agent_batch_samples +
 *       agent_lost_samples_total
 */
#include <stddef.h>
#include <string.h>

#include "agent_private.h"
#include "base/metrics.h"
#include "collectors/text_sink.h"
#include "wire/exposition.h"

void agent_expose_host(void *context, struct strbuf *out)
{
    struct agent *a = context;
    struct text_sink sink;
    text_sink_init(&sink, out);
    collectors_run(a->collectors, &sink.sink);
}

static void put_counter(struct strbuf *out, const char *name, const char *help, uint64_t value)
{
    exposition_write_figure(out, name, METRIC_TYPE_COUNTER, help, NULL, 0, (double)value);
}

static void put_gauge(struct strbuf *out, const char *name, const char *help, double value)
{
    exposition_write_figure(out, name, METRIC_TYPE_GAUGE, help, NULL, 0, value);
}

/* ---- The queue ---- */

static void expose_queue(const struct agent *a, struct strbuf *out)
{
    struct shipper_statistics s;
    shipper_statistics(a->shipper, &s);
    put_counter(out, "agent_batches_total", "Batches put into the queue", s.batches);
    put_gauge(
        out, "agent_batch_samples", "Samples in the batch being filled", (double)s.open_samples);
    put_counter(out, "agent_lost_samples_total", "Samples for whose batch there was no memory",
        s.lost_samples);
    put_gauge(out, "agent_queue_bytes", "Bytes of the queue on disk", (double)s.queue.bytes);
    put_gauge(out, "agent_queue_segments", "Files of the queue", (double)s.queue.segments);
    put_gauge(out, "agent_queue_samples", "Samples waiting for the slowest destination",
        (double)s.queue.samples);
    double age =
        s.queue.oldest_t == 0 ? 0 : (double)(clock_now_ms(a->clock) - s.queue.oldest_t) / 1000;
    put_gauge(out, "agent_queue_oldest_seconds", "Age of the oldest sample waiting", age);
    put_gauge(out, "agent_queue_in_memory",
        "1 while the queue's disk fails and samples are kept in memory", s.queue.in_memory ? 1 : 0);
    put_counter(out, "agent_queue_corrupt_bytes_total", "Damaged bytes stepped over in the queue",
        s.queue.corrupt_bytes);
}

/* ---- Destinations ---- */

/* One figure of each destination: a uint64_t of its statistics. */
static const struct {
    const char *name;
    enum metric_type type;
    const char *help;
    size_t offset;
} destination_rows[] = {
    {"agent_remote_sent_samples_total", METRIC_TYPE_COUNTER, "Samples the destination has taken",
        offsetof(struct sender_statistics, sent_samples)},
    {"agent_remote_sent_bytes_total", METRIC_TYPE_COUNTER,
        "Bytes of requests the destination has taken",
        offsetof(struct sender_statistics, sent_bytes)},
    {"agent_remote_sent_requests_total", METRIC_TYPE_COUNTER, "Requests the destination has taken",
        offsetof(struct sender_statistics, sent_requests)},
    {"agent_remote_retries_total", METRIC_TYPE_COUNTER, "Requests that had to be repeated",
        offsetof(struct sender_statistics, retries)},
    {"agent_remote_refused_requests_total", METRIC_TYPE_COUNTER,
        "Requests the destination refused for good",
        offsetof(struct sender_statistics, rejected_requests)},
    {"agent_remote_splits_total", METRIC_TYPE_COUNTER,
        "Requests the destination found too large, and that were halved",
        offsetof(struct sender_statistics, splits)},
    {"agent_remote_fall_backs_total", METRIC_TYPE_COUNTER,
        "How often the destination turned out not to speak remote write 2.0",
        offsetof(struct sender_statistics, fall_backs)},
    {"agent_remote_pending_samples", METRIC_TYPE_GAUGE, "Samples waiting for the destination",
        offsetof(struct sender_statistics, waiting_samples)},
    {"agent_remote_found_samples", METRIC_TYPE_GAUGE,
        "Samples that waited for the destination at its start",
        offsetof(struct sender_statistics, found_samples)},
    {"agent_remote_missed_samples", METRIC_TYPE_GAUGE,
        "Samples that were queued before the destination was there",
        offsetof(struct sender_statistics, missed_samples)},
};

static struct label destination_label(const struct agent *a, size_t index)
{
    return (struct label){STR("destination"), str_of(shipper_destination_name(a->shipper, index))};
}

/* Samples a destination does not get, by reason. */
static void expose_dropped(const struct agent *a, struct strbuf *out)
{
    static const char *const reasons[] = {
        "size", "age", "disk_full", "corrupt", "refused", "filtered", "too_old"};
    for (size_t i = 0; i < shipper_destination_count(a->shipper); i++) {
        struct sender_statistics s;
        shipper_destination_statistics(a->shipper, i, &s);
        const uint64_t values[] = {s.dropped_by[QUEUE_DROP_SIZE], s.dropped_by[QUEUE_DROP_AGE],
            s.dropped_by[QUEUE_DROP_DISK], s.dropped_by[QUEUE_DROP_CORRUPT], s.rejected_samples,
            s.filtered_samples, s.aged_samples};
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            const struct label labels[] = {
                destination_label(a, i), {STR("reason"), str_of(reasons[k])}};
            exposition_write_figure(out, "agent_remote_dropped_samples_total", METRIC_TYPE_COUNTER,
                i + k == 0 ? "Samples the destination does not get" : NULL, labels, 2,
                (double)values[k]);
        }
    }
}

static void expose_state(const struct agent *a, struct strbuf *out)
{
    static const struct {
        const char *name, *help;
    } rows[] = {
        {"agent_remote_in_flight", "1 while a request is on its way"},
        {"agent_remote_failing", "1 while the destination takes nothing"},
        {"agent_remote_highest_sent_timestamp_seconds", "Time of the newest sample delivered"},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (size_t i = 0; i < shipper_destination_count(a->shipper); i++) {
            struct sender_statistics s;
            shipper_destination_statistics(a->shipper, i, &s);
            const double values[] = {s.in_flight, s.failing, (double)s.newest_sent_t / 1000};
            struct label destination = destination_label(a, i);
            exposition_write_figure(out, rows[row].name, METRIC_TYPE_GAUGE,
                i == 0 ? rows[row].help : NULL, &destination, 1, values[row]);
        }
    }
}

static void expose_destinations(const struct agent *a, struct strbuf *out)
{
    for (size_t row = 0; row < sizeof(destination_rows) / sizeof(destination_rows[0]); row++) {
        for (size_t i = 0; i < shipper_destination_count(a->shipper); i++) {
            struct sender_statistics s;
            uint64_t value;
            shipper_destination_statistics(a->shipper, i, &s);
            memcpy(&value, (const char *)&s + destination_rows[row].offset, sizeof(value));
            struct label destination = destination_label(a, i);
            exposition_write_figure(out, destination_rows[row].name, destination_rows[row].type,
                i == 0 ? destination_rows[row].help : NULL, &destination, 1, (double)value);
        }
    }
    expose_dropped(a, out);
    expose_state(a, out);
}

/* ---- Sources, scrapes, memory ---- */

static void expose_scraper(const struct agent *a, struct strbuf *out)
{
    struct target_status sum = {0};
    for (size_t i = 0; i < scraper_count(a->scraper); i++) {
        struct target_status status;
        (void)scraper_target(a->scraper, i, &status);
        sum.scrapes += status.scrapes;
        sum.failures += status.failures;
        sum.skipped += status.skipped;
        sum.series += status.series;
        sum.series_bytes += status.series_bytes;
        sum.refused_samples += status.refused_samples;
        sum.cache_hits += status.cache_hits;
        sum.cache_misses += status.cache_misses;
    }
    put_gauge(out, "agent_targets", "Targets configured", (double)scraper_count(a->scraper));
    put_gauge(out, "agent_series", "Series of all targets", (double)sum.series);
    put_gauge(out, "agent_series_bytes", "Memory of what is known of the series of all targets",
        (double)sum.series_bytes);
    put_counter(out, "agent_scrape_total", "Scrapes ended", sum.scrapes);
    put_counter(out, "agent_scrape_failed_total", "Scrapes that failed", sum.failures);
    put_counter(out, "agent_scrapes_skipped_total",
        "Scrapes left out because the one before had not ended", sum.skipped);
    put_counter(out, "agent_scrape_refused_samples_total",
        "Samples of new series that were not taken because memory was full", sum.refused_samples);
    put_counter(
        out, "agent_cache_hits_total", "Lines found where they were expected", sum.cache_hits);
    put_counter(out, "agent_cache_misses_total", "Lines that had to be looked up or parsed",
        sum.cache_misses);
}

/* Each row for all kinds, those without entries too: an alert on what never fails should find a zero. */
static void expose_discovery(const struct agent *a, struct strbuf *out)
{
    static const struct {
        const char *name, *help;
        enum metric_type type;
        size_t offset;
    } rows[] = {
        {"agent_discovery_entries", "Entries of *_sd_configs at work; the same one counts once",
            METRIC_TYPE_GAUGE, offsetof(struct discovery_statistics, entries)},
        {"agent_discovery_failing", "Entries whose last answer was not good", METRIC_TYPE_GAUGE,
            offsetof(struct discovery_statistics, failing)},
        {"agent_discovery_targets", "Targets found, before relabelling", METRIC_TYPE_GAUGE,
            offsetof(struct discovery_statistics, targets)},
        {"agent_discovery_updates_total", "Answers of sources that were taken", METRIC_TYPE_COUNTER,
            offsetof(struct discovery_statistics, updates)},
        {"agent_discovery_failures_total", "Sources asked in vain, or whose answer was not good",
            METRIC_TYPE_COUNTER, offsetof(struct discovery_statistics, failures)},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (size_t i = 0; i < discovery_kind_count(); i++) {
            struct discovery_statistics s;
            uint64_t value;
            discovery_statistics(a->discovery, i, &s);
            memcpy(&value, (const char *)&s + rows[row].offset, sizeof(value));
            struct label kind = {STR("kind"), str_of(s.kind)};
            exposition_write_figure(out, rows[row].name, rows[row].type,
                i == 0 ? rows[row].help : NULL, &kind, 1, (double)value);
        }
    }
    put_gauge(out, "agent_discovery_refused_targets",
        "Discovered targets that are left out because they are no good",
        (double)a->targets.refused_count);
}

static void expose_memory(const struct agent *a, struct strbuf *out)
{
    put_gauge(
        out, "agent_memory_bytes", "Resident memory, as it is watched", (double)a->memory.bytes);
    put_gauge(
        out, "agent_memory_limit_bytes", "What the agent may hold", (double)a->memory.bytes_max);
    put_gauge(out, "agent_memory_level",
        "0 easy, 1 from 70 %, 2 from 85 %: receivers refuse, 3 from 95 %: no new series",
        (double)a->memory.level);
}

static void expose_gates(const struct agent *a, struct strbuf *out)
{
    const struct intake_gate *gates[4 + RECEIVE_SOURCE_COUNT] = {
        &a->scraped, &a->aggregated, &a->span_metrics, &a->logged};
    for (size_t i = 0; i < RECEIVE_SOURCE_COUNT; i++) {
        gates[4 + i] = &a->received[i];
    }
    for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
        struct label source = {STR("source"), str_of(gates[i]->source)};
        exposition_write_figure(out, "agent_intake_samples_total", METRIC_TYPE_COUNTER,
            i == 0 ? "Samples taken in" : NULL, &source, 1, (double)gates[i]->samples);
    }
    struct stream_statistics s = {0};
    if (a->aggregator != NULL) {
        stream_aggregator_statistics(a->aggregator, &s);
    }
    put_counter(out, "agent_aggregated_samples_total",
        "Samples that went into stream aggregation, and no further",
        a->aggregated_before + s.taken_samples);
    put_gauge(
        out, "agent_aggregated_series", "Series that stream aggregation knows", (double)s.series);
}

/* One figure of each source of what others send: a uint64_t of its statistics. */
static void expose_receivers(const struct agent *a, struct strbuf *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"agent_receive_messages_total", "Messages that others have sent",
            offsetof(struct receive_statistics, messages)},
        {"agent_receive_refused_overload_total", "Messages refused, to be sent again later",
            offsetof(struct receive_statistics, refused_overload)},
        {"agent_receive_refused_invalid_total", "Messages refused for good",
            offsetof(struct receive_statistics, refused_invalid)},
        {"agent_receive_lost_messages_total", "Datagrams for which the socket had no room",
            offsetof(struct receive_statistics, lost_messages)},
        {"agent_receive_rejected_samples_total", "Samples left out of messages that were taken",
            offsetof(struct receive_statistics, rejected_samples)},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (size_t i = 0; i < RECEIVE_SOURCE_COUNT; i++) {
            struct receive_statistics s;
            uint64_t value;
            receive_statistics(a->receive, (enum receive_source)i, &s);
            memcpy(&value, (const char *)&s + rows[row].offset, sizeof(value));
            struct label source = {STR("source"), str_of(a->received[i].source)};
            exposition_write_figure(out, rows[row].name, METRIC_TYPE_COUNTER,
                i == 0 ? rows[row].help : NULL, &source, 1, (double)value);
        }
    }
}

void agent_expose_self(void *context, struct strbuf *out)
{
    struct agent *a = context;
    struct label version = {STR("version"), STR(SONDE_VERSION)};
    metrics_write(out);
    exposition_write_figure(
        out, "agent_build_info", METRIC_TYPE_GAUGE, "1, labelled with the version", &version, 1, 1);
    put_gauge(out, "agent_config_last_reload_successful", "1 when the last reload was good",
        a->reload_good ? 1 : 0);
    put_gauge(out, "agent_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read", (double)a->reload_ms / 1000);
    expose_gates(a, out);
    expose_receivers(a, out);
    expose_scraper(a, out);
    expose_discovery(a, out);
    expose_queue(a, out);
    expose_destinations(a, out);
    agent_spans_expose(&a->spans, out);
    access_logs_write_metrics(a->access_logs, out);
    expose_memory(a, out);
}
