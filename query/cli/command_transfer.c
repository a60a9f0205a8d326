/* sonde tsdb import, sonde tsdb export: from Prometheus, and to it. Both work on a store that no server
 * holds; import also speaks to one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_params.h"
#include "base/clock.h"
#include "base/hash.h"
#include "cli/command.h"
#include "cli/remote_sink.h"
#include "cli/store_lock.h"
#include "query/promql.h"
#include "server/server_config.h"
#include "tsdb/block.h"
#include "tsdb/tsdb.h"

/* ---- Import ---- */

static int maintain(void *context, struct err *e)
{
    bool more = false;
    return tsdb_maintain(context, &more, e);
}

/* Imported samples are as old as they are: neither retention nor the clock refuses them. */
static int open_for_import(
    const char *path, const struct server_config *config, struct tsdb **db_out, struct err *e)
{
    const struct config_strings *identity = &config->storage.identity_labels;
    struct tsdb_options options = {.path = path, .sync_policy = WAL_SYNC_NEVER};
    if (identity->count > 0) {
        options.identity_labels = identity->items;
        options.identity_label_count = identity->count;
    }
    return tsdb_open(&options, db_out, e);
}

static int print_import(const struct block_import_counts *c)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text,
        "Imported %" PRIu64 " samples, %" PRIu64 " histograms and %" PRIu64
        " exemplars from %" PRIu64 " blocks and %" PRIu64 " segments of the log.\n",
        c->samples, c->histograms, c->exemplars, c->blocks, c->wal_segments);
    if (c->blocks_skipped > 0) {
        strbuf_addf(&text,
            "%" PRIu64 " blocks were left aside: others replace them, or they are downsampled.\n",
            c->blocks_skipped);
    }
    if (c->deleted > 0) {
        strbuf_addf(&text, "%" PRIu64 " samples of the log had been deleted.\n", c->deleted);
    }
    if (c->refused > 0) {
        strbuf_addf(&text, "%" PRIu64 " samples were refused.\n", c->refused);
    }
    if (c->wal_torn > 0) {
        strbuf_add_c(&text, "The log is damaged: what follows the damage is not imported.\n");
    }
    if (c->wal_records_skipped > 0) {
        strbuf_addf(&text,
            "%" PRIu64 " records of the log are of kinds this program does not read.\n",
            c->wal_records_skipped);
    }
    return command_print(&text);
}

static int import_to_server(const char *directory, const char *server,
    const struct client_identity *identity, struct block_import_counts *counts, struct err *e)
{
    struct remote_sink *sink = NULL;
    int status = remote_sink_new(server, identity, &sink);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    const struct block_import_options options = {
        .directory = directory, .sink = remote_sink_source(sink)};
    status = block_import(&options, counts, e);
    remote_sink_free(sink);
    return status;
}

static int import_to_folder(const char *directory, const char *data,
    const struct server_config *config, struct block_import_counts *counts, struct err *e)
{
    struct tsdb *db = NULL;
    int status = open_for_import(data, config, &db, e);
    if (status != 0) {
        return status;
    }
    const struct block_import_options options = {.directory = directory,
        .sink = tsdb_appender_source(db),
        .committed = maintain,
        .context = db};
    status = block_import(&options, counts, e);
    if (status == 0) {
        status = tsdb_compact(db, e);
    }
    struct err close_error = ERR_INIT;
    int closed = tsdb_close(db, &close_error);
    if (status == 0 && closed != 0) {
        *e = close_error;
        status = closed;
    }
    return status;
}

int command_tsdb_import(const struct command *self, int argc, char **argv)
{
    const char *data = "data", *server = NULL, *config_path = NULL;
    struct client_identity identity = {0};
    const struct flag flags[] = {
        {"data", FLAG_STRING, &data, "DIR",
            "The store's folder, made when missing (default data). No server may hold it.", 0, 0},
        {"server", FLAG_STRING, &server, "URL",
            "A running server instead: samples go by remote write, exemplars do not.", 0, 0},
        {"config", FLAG_STRING, &config_path, "FILE",
            "With --data: the server's file, for its identity_labels.", 0, 0},
        CLIENT_IDENTITY_FLAGS(&identity),
        {.name = NULL},
    };
    const char *directory;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &directory, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct arena arena;
    struct server_config config;
    struct block_import_counts counts = {.blocks = 0};
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    int status = server_config_load(&arena, config_path, NULL, &config, &e);
    if (status == 0) {
        status = server != NULL ? import_to_server(directory, server, &identity, &counts, &e)
                                : import_to_folder(directory, data, &config, &counts, &e);
    }
    arena_release(&arena);
    if (status != 0) {
        return command_fail(&e);
    }
    exit_status = print_import(&counts);
    return counts.refused + counts.wal_torn + counts.wal_records_skipped > 0 ? COMMAND_FAILED
                                                                             : exit_status;
}

/* ---- Export ---- */

struct export_flags {
    const char *data, *min_time, *max_time;
    struct flag_strings matches, external;
    bool tiers;
    int64_t range_ms;
};

static int parse_external(
    const struct flag_strings *given, const struct labels **labels_out, struct err *e)
{
    struct labels_builder builder;
    labels_builder_init(&builder);
    for (size_t i = 0; i < given->count; i++) {
        struct str value = str_of(given->items[i]);
        struct str name = str_split(&value, '=');
        if (name.len == 0 || value.len == 0) {
            labels_builder_release(&builder);
            return err_set(e, ERR_INVALID, -1, "flag --external-label: \"%s\" is not NAME=VALUE",
                given->items[i]);
        }
        labels_builder_set(&builder, name, value);
    }
    int status = labels_builder_finish(&builder, labels_out);
    labels_builder_release(&builder);
    return status == 0 ? 0 : err_set(e, status, -1, "external labels: %s", err_text(status));
}

static int parse_flag_time(const char *name, const char *text, int64_t *t_out, struct err *e)
{
    int status = text != NULL ? api_parse_time(str_of(text), t_out, e) : 0;
    return status == 0 ? 0 : err_prefix(e, "flag --%s", name);
}

/* Series that any of the selectors names. */
static int parse_matches(const struct flag_strings *given, struct arena *arena,
    struct block_export_options *options, struct err *e)
{
    struct block_selection *selections = arena_calloc(arena, given->count + 1, sizeof(*selections));
    if (selections == NULL) {
        return err_set(e, arena_error(arena), -1, "flag --match: %s", err_text(arena_error(arena)));
    }
    for (size_t i = 0; i < given->count; i++) {
        struct expr *selector = NULL;
        int status = promql_parse_selector(str_of(given->items[i]), arena, &selector, e);
        if (status != 0) {
            return err_prefix(e, "flag --match");
        }
        selections[i] =
            (struct block_selection){(const struct matcher *const *)selector->selector.matchers,
                selector->selector.matcher_count};
    }
    options->selections = selections;
    options->selection_count = given->count;
    return 0;
}

/* The range asked for, within what is stored. */
static int parse_options(const struct export_flags *flags, struct tsdb *db, struct arena *arena,
    struct block_export_options *options, struct err *e)
{
    struct tsdb_statistics statistics;
    int64_t min_t = INT64_MIN, max_t = INT64_MAX;
    if (flags->range_ms != BLOCK_RANGE_SHORT_MS && flags->range_ms != BLOCK_RANGE_LONG_MS) {
        return err_set(e, ERR_INVALID, -1, "flag --range: blocks have 2h or 24h");
    }
    int status = parse_flag_time("min-time", flags->min_time, &min_t, e);
    if (status == 0) {
        status = parse_flag_time("max-time", flags->max_time, &max_t, e);
    }
    status = status == 0 ? parse_matches(&flags->matches, arena, options, e) : status;
    tsdb_statistics(db, &statistics);
    options->min_t = min_t > statistics.min_t ? min_t : statistics.min_t;
    options->max_t = max_t < statistics.max_t ? max_t : statistics.max_t;
    options->range_ms = flags->range_ms;
    options->tiers = flags->tiers;
    return status;
}

static int export_open(struct tsdb *db, const char *directory, const struct export_flags *flags,
    struct block_export_counts *counts, struct err *e)
{
    struct arena arena;
    const struct labels *external = NULL;
    struct block_export_options options = {.source = tsdb_querier_source(db),
        .directory = directory,
        .now_ms = clock_now_ms(clock_real()),
        .seed = hash_seed_random()};
    arena_init(&arena, 0);
    int status = parse_external(&flags->external, &external, e);
    if (status == 0) {
        options.external = external;
        status = parse_options(flags, db, &arena, &options, e);
    }
    if (status == 0 && options.min_t <= options.max_t) {
        status = block_export(&options, counts, e);
    }
    labels_unref(external);
    arena_release(&arena);
    return status;
}

static int export(const char *directory, const struct export_flags *flags,
    struct block_export_counts *counts, struct err *e)
{
    struct tsdb *db = NULL;
    struct store_lock lock;
    const struct tsdb_options options = {.path = flags->data, .read_only = true};
    int status = store_lock_take(&lock, flags->data, e);
    if (status == 0) {
        status = tsdb_open(&options, &db, e);
    }
    if (status == 0) {
        status = export_open(db, directory, flags, counts, e);
    }
    (void)tsdb_close(db, NULL); /* read only: nothing to lose */
    store_lock_give(&lock);
    return status;
}

int command_tsdb_export(const struct command *self, int argc, char **argv)
{
    struct export_flags values = {.data = "data", .range_ms = BLOCK_RANGE_SHORT_MS};
    const struct flag flags[] = {
        {"data", FLAG_STRING, &values.data, "DIR",
            "The store's folder, or a snapshot or backup of it (default data). No server may hold "
            "it.",
            0, 0},
        {"min-time", FLAG_STRING, &values.min_time, "TIME", "RFC 3339, or seconds (default: all).",
            0, 0},
        {"max-time", FLAG_STRING, &values.max_time, "TIME", "Included (default: all).", 0, 0},
        {"match", FLAG_STRINGS, &values.matches, "SELECTOR",
            "Only these series (default: all). Repeatable: those that any selector names.", 0, 0},
        {"tiers", FLAG_BOOL, &values.tiers, NULL,
            "Where samples are gone, the last one of each bucket of the downsampled tiers.", 0, 0},
        {"range", FLAG_DURATION, &values.range_ms, "2h|24h", "Length of a block (default 2h).", 1,
            INT64_C(86400000)},
        {"external-label", FLAG_STRINGS, &values.external, "NAME=VALUE",
            "Whose the blocks are, for Thanos and Mimir. Repeatable.", 0, 0},
        {.name = NULL},
    };
    const char *directory;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &directory, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct block_export_counts counts = {.blocks = 0};
    struct err e = ERR_INIT;
    if (export(directory, &values, &counts, &e) != 0) {
        return command_fail(&e);
    }
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text,
        "Exported %" PRIu64 " samples in %" PRIu64 " chunks to %" PRIu64 " blocks.\n",
        counts.samples, counts.chunks, counts.blocks);
    return command_print(&text);
}
