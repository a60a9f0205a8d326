/* What is read on demand when /metrics is written. One row a number. */
#include "server/server_metrics.h"

#include "base/fpconv.h"
#include "base/metrics.h"

static void write_metric(
    struct strbuf *out, const char *name, const char *type, const char *help, double value)
{
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, type, name);
    strbuf_add_double(out, value);
    strbuf_add_char(out, '\n');
}

/* Counters of struct tsdb_statistics are all uint64_t. */
#define AT(member) offsetof(struct tsdb_statistics, member)
static const struct {
    const char *name, *type, *help;
    size_t offset;
} rows[] = {
    {"sonde_tsdb_targets", "gauge", "Targets in memory.", AT(targets)},
    {"sonde_tsdb_shapes", "gauge", "Shapes: metric names with their exposed labels.", AT(shapes)},
    {"sonde_tsdb_series", "gauge", "Series in memory.", AT(series)},
    {"sonde_tsdb_samples_appended_total", "counter", "Samples taken in since the start.",
        AT(samples_appended)},
    {"sonde_tsdb_samples_repeated_total", "counter", "Samples that changed nothing.",
        AT(samples_repeated)},
    {"sonde_tsdb_samples_refused_total", "counter", "Samples that were refused.",
        AT(samples_refused)},
    {"sonde_tsdb_head_rows", "gauge", "Rows in memory.", AT(head_rows)},
    {"sonde_tsdb_head_bytes", "gauge", "Bytes of samples in memory.", AT(head_bytes)},
    {"sonde_tsdb_parts", "gauge", "Parts on disk.", AT(part_count)},
    {"sonde_tsdb_part_bytes", "gauge", "Bytes of parts on disk.", AT(part_bytes)},
    {"sonde_tsdb_part_samples", "gauge", "Samples in parts on disk.", AT(part_samples)},
    {"sonde_tsdb_wal_segments", "gauge", "Segments of the write-ahead log.", AT(wal_segments)},
    {"sonde_tsdb_wal_bytes", "gauge", "Bytes of the write-ahead log.", AT(wal_bytes)},
    {"sonde_tsdb_wal_syncs_total", "counter", "Syncs of the write-ahead log.", AT(wal_syncs)},
    {"sonde_tsdb_wal_corrupt_records_total", "counter", "Corrupt records found at replay.",
        AT(wal_corrupt_records)},
    {"sonde_tsdb_wal_truncated_bytes_total", "counter", "Bytes of torn tails cut off at replay.",
        AT(wal_truncated_bytes)},
    {"sonde_tsdb_parts_quarantined", "gauge", "Parts that could not be read and are set aside.",
        AT(parts_quarantined)},
    {"sonde_tsdb_replayed_samples", "gauge", "Samples replayed at the start.",
        AT(replayed_samples)},
    {"sonde_tsdb_seals_total", "counter", "Times that memory became a part.", AT(seals)},
    {"sonde_tsdb_merges_total", "counter", "Merges of parts.", AT(merges)},
    {"sonde_tsdb_scrubbed_bytes_total", "counter", "Stored bytes looked at for damage.",
        AT(scrubbed_bytes)},
    {"sonde_tsdb_disk_level", "gauge",
        "0: there is room; 1: low, merges wait; 2: full, writes are refused.", AT(disk_level)},
    {"sonde_tsdb_disk_free_bytes", "gauge", "Free bytes of the disk of the store.",
        AT(disk_free_bytes)},
    {"sonde_tsdb_manifest_rebuilds", "gauge",
        "1 when the list of parts was damaged or gone at the start and was made anew.",
        AT(manifest_rebuilds)},
    {"sonde_tsdb_tombstones", "gauge", "Deletes that are not taken out of the files yet.",
        AT(tombstones)},
    {"sonde_tsdb_tombstones_lost", "gauge",
        "1 when the list of deletes was damaged at the start: deleted samples may be seen again.",
        AT(tombstones_lost)},
    {"sonde_tsdb_tier_parts", "gauge", "Files of downsampled tiers.", AT(tier_parts)},
    {"sonde_tsdb_tier_bytes", "gauge", "Size of downsampled tiers.", AT(tier_bytes)},
    {"sonde_tsdb_tier_builds_total", "counter", "Days rolled up into a tier.", AT(tier_builds)},
    {"sonde_tsdb_exemplars_taken_total", "counter", "Exemplars taken in since the start.",
        AT(exemplars_taken)},
    {"sonde_tsdb_exemplars_refused_total", "counter",
        "Exemplars that were older than the newest of their series, or beyond a limit.",
        AT(exemplars_refused)},
    {"sonde_tsdb_exemplar_files_damaged", "gauge",
        "Files of exemplars that could not be read and are left out.", AT(exemplar_files_damaged)},
    {"sonde_tsdb_expired_parts_total", "counter", "Parts dropped by retention.", AT(expired_parts)},
};

static void write_limits(struct strbuf *out, const struct tsdb_statistics *statistics)
{
    strbuf_add_c(out,
        "# HELP sonde_limit_refused_total New series that a limit refused, each time they "
        "were sent.\n# TYPE sonde_limit_refused_total counter\n");
    for (int i = 0; i < SERIES_LIMIT_COUNT; i++) {
        strbuf_addf(out, "sonde_limit_refused_total{limit=\"%s\"} ",
            series_limit_name((enum series_limit)i));
        strbuf_add_u64(out, statistics->limit_refused[i]);
        strbuf_add_char(out, '\n');
    }
}

static void write_store(struct strbuf *out, struct tsdb *db)
{
    struct tsdb_statistics statistics;
    tsdb_statistics(db, &statistics);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = *(const uint64_t *)((const char *)&statistics + rows[i].offset);
        write_metric(out, rows[i].name, rows[i].type, rows[i].help, (double)value);
    }
    write_metric(out, "sonde_tsdb_replay_seconds", "gauge", "Duration of the replay at the start.",
        (double)statistics.replay_ms / 1000);
    write_limits(out, &statistics);
    if (statistics.min_t <= statistics.max_t) {
        write_metric(out, "sonde_tsdb_lowest_timestamp_seconds", "gauge", "Oldest sample.",
            (double)statistics.min_t / 1000);
        write_metric(out, "sonde_tsdb_highest_timestamp_seconds", "gauge", "Newest sample.",
            (double)statistics.max_t / 1000);
    }
}

#define OF_SPANS(member) offsetof(struct span_store_statistics, member)
static const struct {
    const char *name, *type, *help;
    size_t offset;
} span_rows[] = {
    {"sonde_spans_head", "gauge", "Spans that are in no block yet.", OF_SPANS(head_spans)},
    {"sonde_spans_head_bytes", "gauge", "Their bytes in memory.", OF_SPANS(head_bytes)},
    {"sonde_spans_blocks", "gauge", "Blocks of spans on disk.", OF_SPANS(blocks)},
    {"sonde_spans_block_bytes", "gauge", "Bytes of blocks of spans.", OF_SPANS(block_bytes)},
    {"sonde_spans_block_spans", "gauge", "Spans in blocks.", OF_SPANS(block_spans)},
    {"sonde_spans_log_bytes", "gauge", "Bytes of the log of spans.", OF_SPANS(log_bytes)},
    {"sonde_spans_appended_total", "counter", "Spans taken in since the start.",
        OF_SPANS(appended_spans)},
    {"sonde_spans_replayed", "gauge", "Spans replayed at the start.", OF_SPANS(replayed_spans)},
    {"sonde_spans_damaged_pages_total", "counter",
        "Pages and blocks of spans found damaged since the start.", OF_SPANS(damaged_pages)},
    {"sonde_spans_scrubbed_bytes_total", "counter", "Bytes of spans looked at for damage.",
        OF_SPANS(scrubbed_bytes)},
};

static void write_spans(struct strbuf *out, struct span_store *spans)
{
    struct span_store_statistics statistics;
    span_store_statistics(spans, &statistics);
    for (size_t i = 0; i < sizeof(span_rows) / sizeof(span_rows[0]); i++) {
        uint64_t value = *(const uint64_t *)((const char *)&statistics + span_rows[i].offset);
        write_metric(out, span_rows[i].name, span_rows[i].type, span_rows[i].help, (double)value);
    }
}

#define OF_GRAPH(member) offsetof(struct service_graph_statistics, member)
static const struct {
    const char *name, *type, *help;
    size_t offset;
} graph_rows[] = {
    {"sonde_service_graph_halves_total", "counter", "Halves of calls that agents sent.",
        OF_GRAPH(halves)},
    {"sonde_service_graph_repeated_halves_total", "counter",
        "Halves of these whose call was counted or waiting already.", OF_GRAPH(repeated)},
    {"sonde_service_graph_calls_total", "counter", "Calls counted.", OF_GRAPH(calls)},
    {"sonde_service_graph_unpaired_halves_total", "counter",
        "Halves that met no other in time, of calls to nobody knows whom.", OF_GRAPH(unpaired)},
    {"sonde_service_graph_evicted_halves_total", "counter",
        "Halves given up early because too many waited.", OF_GRAPH(evicted)},
    {"sonde_service_graph_lost_halves_total", "counter", "Halves lost for want of memory.",
        OF_GRAPH(lost)},
    {"sonde_service_graph_malformed_messages_total", "counter",
        "Messages whose halves could not be read.", OF_GRAPH(malformed)},
    {"sonde_service_graph_write_failures_total", "counter", "Times the series were not written.",
        OF_GRAPH(write_failures)},
    {"sonde_service_graph_waiting_halves", "gauge", "Halves that wait, and calls remembered.",
        OF_GRAPH(waiting)},
    {"sonde_service_graph_edges", "gauge", "Pairs of services.", OF_GRAPH(edges)},
};

static void write_graph(struct strbuf *out, struct service_graph *graph)
{
    struct service_graph_statistics statistics;
    service_graph_statistics(graph, &statistics);
    for (size_t i = 0; i < sizeof(graph_rows) / sizeof(graph_rows[0]); i++) {
        uint64_t value = *(const uint64_t *)((const char *)&statistics + graph_rows[i].offset);
        write_metric(
            out, graph_rows[i].name, graph_rows[i].type, graph_rows[i].help, (double)value);
    }
}

static void write_memory(struct strbuf *out, struct memory_guard *guard)
{
    struct memory_guard_statistics memory;
    memory_guard_statistics(guard, &memory);
    write_metric(out, "sonde_memory_limit_bytes", "gauge", "Memory the process may take.",
        (double)memory.limit_bytes);
    write_metric(out, "sonde_memory_used_bytes", "gauge", "Memory when it was last looked at.",
        (double)memory.used_bytes);
    write_metric(out, "sonde_memory_level", "gauge",
        "0 good, 1 soft: no new series, 2 hard: no writes and queries.", (double)memory.level);
    write_metric(out, "sonde_memory_turned_away_total", "counter",
        "Writes and queries answered 503 for want of memory.", (double)memory.turned_away);
    write_metric(out, "sonde_memory_reliefs_total", "counter",
        "Times that memory was given back early.", (double)memory.reliefs);
}

static void collect(void *context, struct strbuf *out)
{
    struct server_metrics *source = context;
    write_store(out, source->db);
    write_spans(out, source->spans);
    if (source->graph != NULL) {
        write_graph(out, source->graph);
    }
    if (source->memory != NULL) {
        write_memory(out, source->memory);
    }
    strbuf_addf(out,
        "# HELP sonde_lane_requests Requests that wait or run now.\n"
        "# TYPE sonde_lane_requests gauge\n"
        "sonde_lane_requests{lane=\"ingest\"} %zu\nsonde_lane_requests{lane=\"query\"} %zu\n",
        workpool_depth(source->ingest), workpool_depth(source->query));
    write_metric(out, "sonde_query_memory_bytes", "gauge",
        "Memory that running queries and their answers take.",
        (double)memory_budget_used(engine_memory(source->engine)));
    strbuf_add_c(out, "# HELP sonde_build_info Version of the program; the value is always 1.\n"
                      "# TYPE sonde_build_info gauge\n"
                      "sonde_build_info{version=\"" SONDE_VERSION "\"} 1\n");
}

void server_metrics_begin(struct server_metrics *source)
{
    (void)metrics_register_collector(collect, source); /* a full registry shows less */
}

void server_metrics_end(struct server_metrics *source)
{
    metrics_unregister_collector(collect, source);
}
