/* Checking and showing a store that is not in use. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "db/db.h"
#include "db/manifest_rebuild.h"
#include "db/tier_verify.h"
#include "exemplar/exemplar_block.h"
#include "span/span_files.h"

/* ---- A store that is only looked at ---- */

struct tool {
    struct tsdb db; /* only path, fs and manifest are used */
    struct strbuf *report;
    uint64_t problems;
    int status;
};

static void problem(struct tool *tool, const char *path, const char *text)
{
    strbuf_addf(tool->report, "%s: %s\n", path, text);
    tool->problems++;
}

static int tool_init(struct tool *tool, const struct tsdb_options *options, struct strbuf *report)
{
    *tool = (struct tool){.report = report};
    manifest_init(&tool->db.manifest);
    tool->db.fs = options->vfs != NULL ? options->vfs : vfs_posix();
    tool->db.path = mem_strdup(options->path);
    return tool->db.path != NULL ? 0 : ERR_NOMEM;
}

static void tool_release(struct tool *tool)
{
    manifest_release(&tool->db.manifest);
    mem_free(tool->db.path);
}

/* ---- Verify ---- */

static int verify_parts(struct tool *tool)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < tool->db.manifest.count; i++) {
        char path[DB_PATH_MAX];
        uint64_t problems = 0;
        status = db_part_path(&tool->db, &tool->db.manifest.parts[i], path);
        if (status != 0) {
            break;
        }
        int found = part_verify(tool->db.fs, path, tool->report, &problems);
        tool->problems += problems;
        if (found == ERR_NOT_FOUND) {
            problem(tool, path, "listed in the manifest, but not there");
        } else if (found == ERR_CORRUPT) {
            tool->problems += problems == 0;
        } else {
            status = found;
        }
    }
    return status;
}

static int verify_tombstones(struct tool *tool)
{
    char path[DB_PATH_MAX];
    struct err e = ERR_INIT;
    struct tombstone_list *list = NULL;
    int status = db_path(&tool->db, "TOMBSTONES", path);
    if (status == 0) {
        status = tombstone_list_load(tool->db.fs, path, &list, &e);
        tombstone_list_unref(list);
    }
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED) {
        problem(tool, path, e.message);
        status = 0;
    }
    return status == ERR_NOT_FOUND ? 0 : status;
}

static int verify_metadata(struct tool *tool)
{
    char path[DB_PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    struct metadata metadata;
    int status = db_path(&tool->db, "METADATA", path);
    if (status == 0) {
        status = vfs_read_file(tool->db.fs, path, METADATA_FILE_MAX, &data, &size);
    }
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status;
    }
    metadata_init(&metadata);
    status = db_metadata_decode(&metadata, str_make(data, size));
    metadata_release(&metadata);
    mem_free(data);
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED) {
        problem(tool, path, status == ERR_CORRUPT ? "is damaged" : "has a newer format");
        status = 0;
    }
    return status;
}

static int verify_segment(void *context, const char *name, bool is_directory)
{
    struct tool *tool = context;
    char path[DB_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/wal/%s", tool->db.path, name);
    if (is_directory || written <= 0 || written >= DB_PATH_MAX ||
        !str_ends_with(str_of(name), STR(".wal"))) {
        return 0;
    }
    uint64_t problems = 0;
    int status = wal_segment_verify(tool->db.fs, path, tool->report, &problems);
    tool->problems += problems;
    return status == ERR_CORRUPT ? 0 : status;
}

static int verify_exemplars(void *context, const char *path)
{
    struct tool *tool = context;
    int status = exemplar_block_verify(tool->db.fs, path, tool->report);
    bool damaged = status == ERR_CORRUPT || status == ERR_UNSUPPORTED;
    tool->problems += damaged;
    return damaged ? 0 : status;
}

static int verify_span_file(void *context, const char *name)
{
    struct tool *tool = context;
    char path[DB_PATH_MAX];
    uint64_t problems = 0;
    int written =
        snprintf(path, sizeof(path), "%s/" SPAN_FILES_DIRECTORY "/%s", tool->db.path, name);
    int status = written > 0 && written < DB_PATH_MAX
                     ? span_file_verify(tool->db.fs, path, tool->report, &problems)
                     : ERR_LIMIT;
    tool->problems += problems;
    return status;
}

static int verify_spans(struct tool *tool)
{
    char path[DB_PATH_MAX];
    int status = db_path(&tool->db, SPAN_FILES_DIRECTORY, path);
    return status == 0 ? span_files_each(tool->db.fs, path, verify_span_file, tool) : status;
}

static int verify_all(struct tool *tool)
{
    char path[DB_PATH_MAX];
    struct err e = ERR_INIT;
    int status = db_path(&tool->db, "MANIFEST", path);
    if (status != 0) {
        return status;
    }
    status = manifest_load(tool->db.fs, path, &tool->db.manifest, &e);
    if (status == ERR_CORRUPT || status == ERR_NOT_FOUND) {
        int why = status;
        status = manifest_rebuild(tool->db.fs, tool->db.path, &tool->db.manifest, NULL);
        if (why == ERR_CORRUPT) {
            problem(tool, path, e.message);
        } else if (tool->db.manifest.count > 0) {
            problem(tool, path, "is gone; the next start makes it anew from the parts");
        }
    } else if (status == ERR_UNSUPPORTED) {
        problem(tool, path, e.message);
        status = 0;
    }
    if (status == 0) {
        status = verify_tombstones(tool);
    }
    if (status == 0) {
        status = verify_metadata(tool);
    }
    if (status == 0) {
        status = verify_parts(tool);
    }
    if (status == 0) {
        status = db_path(&tool->db, "wal", path);
    }
    if (status == 0) {
        status = vfs_list(tool->db.fs, path, verify_segment, tool);
        status = status == ERR_NOT_FOUND ? 0 : status;
    }
    if (status == 0) {
        status = db_exemplars_each_file(&tool->db, INT64_MIN, INT64_MAX, verify_exemplars, tool);
    }
    return status == 0 ? verify_spans(tool) : status;
}

/* Only a store without damage can be compared with itself. */
static int verify_tiers(struct tool *tool, const struct tsdb_options *options)
{
    uint64_t problems = 0;
    if (tool->problems > 0) {
        return 0;
    }
    int status = tiers_verify(options, &tool->db.manifest, tool->report, &problems);
    tool->problems += problems;
    return status;
}

int tsdb_verify(const struct tsdb_options *options, struct strbuf *report,
    uint64_t *problem_count_out, struct err *e)
{
    struct tool tool;
    int status = tool_init(&tool, options, report);
    if (status == 0) {
        status = verify_all(&tool);
    }
    if (status == 0) {
        status = verify_tiers(&tool, options);
    }
    if (status == 0) {
        *problem_count_out = tool.problems;
        status = strbuf_error(report);
    }
    tool_release(&tool);
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", options->path, err_text(status));
}

/* ---- Dump ---- */

static void dump_manifest(const struct manifest *m, struct strbuf *out)
{
    strbuf_addf(out, "manifest: next sequence %llu\n", (unsigned long long)m->next_sequence);
    for (int i = 0; i < HEAD_SLICES; i++) {
        strbuf_addf(
            out, "slice %d: log up to LSN %llu is in parts\n", i, (unsigned long long)m->floors[i]);
    }
    for (uint32_t i = 0; i < m->count; i++) {
        const struct manifest_part *p = &m->parts[i];
        char name[MANIFEST_NAME_MAX];
        manifest_part_name(p, name);
        strbuf_addf(out, "part %s: level %u, precedence %llu\n", name, p->level,
            (unsigned long long)p->precedence);
    }
}

static void dump_marks(const struct manifest *m, struct strbuf *out)
{
    for (uint32_t i = 0; i < m->mark_count; i++) {
        const struct manifest_mark *k = &m->marks[i];
        if (k->tier == STORE_RAW) {
            strbuf_addf(out, "day %lld: a rule took samples out of it\n", (long long)k->day);
            continue;
        }
        strbuf_addf(out, "day %lld: parts up to precedence %llu are in %s\n", (long long)k->day,
            (unsigned long long)k->mark, store_tier_name(k->tier));
    }
}

static int dump_manifest_file(
    struct tool *tool, const char *path, struct strbuf *out, struct err *e)
{
    int status = manifest_load(tool->db.fs, path, &tool->db.manifest, e);
    if (status == 0) {
        dump_manifest(&tool->db.manifest, out);
        dump_marks(&tool->db.manifest, out);
    }
    return status;
}

/* A directory: its manifest, then each part. */
static int dump_store(
    struct tool *tool, const char *directory, bool with_samples, struct strbuf *out, struct err *e)
{
    char path[DB_PATH_MAX];
    mem_free(tool->db.path);
    tool->db.path = mem_strdup(directory);
    int status = tool->db.path != NULL ? db_path(&tool->db, "MANIFEST", path) : ERR_NOMEM;
    if (status == 0) {
        status = dump_manifest_file(tool, path, out, e);
    }
    for (uint32_t i = 0; status == 0 && i < tool->db.manifest.count; i++) {
        status = db_part_path(&tool->db, &tool->db.manifest.parts[i], path);
        if (status == 0) {
            status = part_dump(tool->db.fs, path, with_samples, out, e);
        }
    }
    return status;
}

/* One delete a line: before which part, when it was said, over which time, of what. */
static int dump_tombstones(struct tool *tool, const char *path, struct strbuf *out, struct err *e)
{
    struct tombstone_list *list = NULL;
    int status = tombstone_list_load(tool->db.fs, path, &list, e);
    if (status != 0) {
        return status;
    }
    strbuf_addf(out, "%zu deletes that are not in the files yet\n", list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct tombstone *t = list->items[i];
        strbuf_addf(out,
            "before part %" PRIu64 ", said at %" PRId64 ", %" PRId64 "..%" PRId64 ": {", t->bound,
            t->created_ms, t->range.min_t, t->range.max_t);
        for (size_t k = 0; k < t->matcher_count; k++) {
            strbuf_add_c(out, k > 0 ? ", " : "");
            matcher_write(t->matchers[k], out);
        }
        strbuf_add_c(out, "}\n");
    }
    tombstone_list_unref(list);
    return 0;
}

static int dump_metric(void *context, const struct metric_metadata *m)
{
    strbuf_addf(context, "%.*s: %s, unit \"%.*s\", help \"%.*s\"\n", STR_ARG(m->metric),
        metric_type_name(m->type), STR_ARG(m->unit), STR_ARG(m->help));
    return 0;
}

static int dump_metadata(struct tool *tool, const char *path, struct strbuf *out, struct err *e)
{
    struct metadata metadata;
    char *data = NULL;
    size_t size = 0;
    metadata_init(&metadata);
    int status = vfs_read_file(tool->db.fs, path, METADATA_FILE_MAX, &data, &size);
    status = status == 0 ? db_metadata_decode(&metadata, str_make(data, size)) : status;
    if (status == 0) {
        status = metadata_each(&metadata, str_make(NULL, 0), dump_metric, out);
    }
    mem_free(data);
    metadata_release(&metadata);
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", path, err_text(status));
}

static int ignore_entry(void *context, const char *name, bool is_directory)
{
    (void)context;
    (void)name;
    (void)is_directory;
    return 1;
}

/* The last name of a path. */
static struct str base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_of(slash != NULL ? slash + 1 : path);
}

int tsdb_dump(const struct tsdb_options *options, const char *path, bool with_samples,
    struct strbuf *out, struct err *e)
{
    struct tool tool;
    int status = tool_init(&tool, options, out);
    if (status != 0) {
        return err_set(e, status, -1, "out of memory");
    }
    struct str name = base_name(path);
    if (vfs_list(tool.db.fs, path, ignore_entry, NULL) >= 0) {
        status = dump_store(&tool, path, with_samples, out, e);
    } else if (str_eq(name, STR("MANIFEST"))) {
        status = dump_manifest_file(&tool, path, out, e);
    } else if (str_eq(name, STR("TOMBSTONES"))) {
        status = dump_tombstones(&tool, path, out, e);
    } else if (str_eq(name, STR("METADATA"))) {
        status = dump_metadata(&tool, path, out, e);
    } else if (str_ends_with(name, STR(".wal"))) {
        status = wal_segment_dump(tool.db.fs, path, with_samples, out, e);
    } else if (str_starts_with(name, STR("p-"))) {
        status = part_dump(tool.db.fs, path, with_samples, out, e);
    } else if (str_starts_with(name, STR("e-"))) {
        status = exemplar_block_dump(tool.db.fs, path, with_samples, out, e);
    } else if (str_ends_with(name, STR(".spans")) || str_ends_with(name, STR(".log"))) {
        status = span_file_dump(tool.db.fs, path, with_samples, out, e);
    } else {
        status = err_set(e, ERR_INVALID, -1,
            "%s is neither a data directory, nor MANIFEST, TOMBSTONES or METADATA, nor wal/*.wal, "
            "nor a part (p-*), nor exemplars (e-*), nor spans (*.spans, spans/log/*.log)",
            path);
    }
    tool_release(&tool);
    return status == 0 ? strbuf_error(out) : status;
}
