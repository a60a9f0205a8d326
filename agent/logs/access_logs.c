/* Jobs, their files, and the two clocks they go by: looking for lines each second, handing in at each
 * job's interval. */
#include "logs/access_logs.h"

#include <glob.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "logs/access_line.h"
#include "logs/access_series.h"
#include "logs/log_bookmarks.h"
#include "wire/exposition.h"

/* The agent's file holds a list; a table of one row makes it a struct that can be copied and compared. */
struct job_list {
    struct config_list items;
};

static const struct config_field list_fields[] = {
    {.key = "access_logs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct job_list, items),
        .fields = access_log_fields,
        .item_size = sizeof(struct access_log_config)},
    {.key = NULL},
};

struct access_job {
    const struct access_log_config *config;
    struct access_format *format;
    struct access_series_table *table;
    int64_t flush_ms; /* monotonic */
};

struct followed_file {
    struct access_job *job;
    struct log_file *file;
    int64_t missing_ms; /* since when there is nothing at its path; 0 = there is */
};

struct access_logs {
    struct access_logs_options options;
    struct arena arena;
    struct job_list config;
    struct access_job *jobs;
    size_t job_count;
    struct followed_file *files;
    size_t file_count, file_cap;
    size_t next_file;                /* where a step goes on */
    bool first_look;                 /* files found in it were there at the start */
    uint64_t left_out;               /* files beyond the limit, in the last look */
    struct log_file_statistics gone; /* of files that are followed no more */
    uint64_t failures;               /* hand-ins that failed */
    int64_t find_ms, poll_ms;
    struct log_bookmarks marks; /* of the last run */
    char *buffer;
};

/* ---- Making ---- */

static int open_job(struct access_job *job, const struct access_log_config *config,
    const char *instance, struct err *e)
{
    struct err why = ERR_INIT;
    job->config = config;
    int status = access_format_new(config, &job->format, &why);
    status = status == 0 ? access_series_table_new(config, instance, &job->table, &why) : status;
    return status == 0
               ? 0
               : err_set(e, status, -1, "access_logs: job %s: %s", config->job, why.message);
}

static void close_job(struct access_job *job)
{
    access_format_free(job->format);
    access_series_table_free(job->table);
}

static int check_names(const struct config_list *jobs, struct err *e)
{
    const struct access_log_config *items = jobs->items;
    if (jobs->count > ACCESS_LOG_JOBS_MAX) {
        return err_set(e, ERR_LIMIT, -1, "access_logs: %zu jobs, at most %d", jobs->count,
            ACCESS_LOG_JOBS_MAX);
    }
    for (size_t i = 0; i < jobs->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(items[i].job, items[k].job) == 0) {
                return err_set(
                    e, ERR_INVALID, -1, "access_logs: two jobs are named %s", items[i].job);
            }
        }
    }
    return 0;
}

int access_logs_check(const struct config_list *jobs, struct err *e)
{
    const struct access_log_config *items = jobs->items;
    int status = check_names(jobs, e);
    for (size_t i = 0; status == 0 && i < jobs->count; i++) {
        struct access_job job = {0};
        status = open_job(&job, &items[i], "", e);
        close_job(&job);
    }
    return status;
}

static void read_bookmarks(struct access_logs *a)
{
    struct err e = ERR_INIT;
    int status = log_bookmarks_read(a->options.vfs, a->options.bookmarks_path, &a->marks, &e);
    if (status != 0 && status != ERR_NOT_FOUND) {
        LOG_WARN("logs: places in access logs are lost, they are followed from their ends",
            LOG_S("error", e.message));
    }
}

int access_logs_open(
    const struct access_logs_options *options, struct access_logs **logs_out, struct err *e)
{
    int status = check_names(options->jobs, e);
    struct access_logs *a = status == 0 ? mem_calloc(1, sizeof(*a)) : NULL;
    if (a == NULL) {
        return status != 0 ? status : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    const struct job_list from = {*options->jobs};
    a->options = *options;
    a->first_look = true;
    arena_init(&a->arena, 0);
    a->buffer = mem_alloc(LOG_FILE_READ_BYTES);
    a->jobs = mem_calloc(options->jobs->count + 1, sizeof(*a->jobs));
    if (a->buffer == NULL || a->jobs == NULL ||
        config_copy(&a->arena, list_fields, &from, sizeof(from), &a->config) != 0) {
        access_logs_close(a);
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    const struct access_log_config *items = a->config.items.items;
    for (; status == 0 && a->job_count < a->config.items.count; a->job_count++) {
        status = open_job(&a->jobs[a->job_count], &items[a->job_count], options->instance, e);
    }
    if (status != 0) {
        access_logs_close(a);
        return status;
    }
    read_bookmarks(a);
    *logs_out = a;
    return 0;
}

bool access_logs_are(const struct access_logs *a, const struct config_list *jobs)
{
    const struct job_list other = {*jobs};
    return config_eq(list_fields, &a->config, &other);
}

/* ---- Files ---- */

static bool is_followed(const struct access_logs *a, const struct access_job *job, const char *path)
{
    for (size_t i = 0; i < a->file_count; i++) {
        if (a->files[i].job == job && strcmp(log_file_path(a->files[i].file), path) == 0) {
            return true;
        }
    }
    return false;
}

static void follow(struct access_logs *a, struct access_job *job, const char *path)
{
    const struct log_bookmark *mark = a->first_look ? log_bookmarks_find(&a->marks, path) : NULL;
    bool from_beginning = !a->first_look || job->config->from_beginning;
    struct log_file *file;
    if (a->file_count == ACCESS_LOG_FILES_MAX) {
        a->left_out++;
        return;
    }
    if (mem_array_grow((void **)&a->files, &a->file_cap, a->file_count + 1, sizeof(*a->files),
            ACCESS_LOG_FILES_MAX) != 0 ||
        log_file_open(a->options.vfs, path, mark, from_beginning, &file) != 0) {
        return; // no memory now: found again at the next look
    }
    a->files[a->file_count++] = (struct followed_file){.job = job, .file = file};
}

static void add_statistics(struct log_file_statistics *sum, const struct log_file *file)
{
    const struct log_file_statistics *s = log_file_statistics(file);
    sum->bytes += s->bytes;
    sum->rotations += s->rotations;
    sum->truncations += s->truncations;
    sum->long_lines += s->long_lines;
    sum->errors += s->errors;
}

/* Files that were renamed or removed and have not come again. Until then they stay open: who wrote them
 * may not have noticed. */
static void leave_gone(struct access_logs *a, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->file_count; i++) {
        struct followed_file f = a->files[i];
        f.missing_ms = log_file_is_there(f.file) ? 0 : f.missing_ms > 0 ? f.missing_ms : now;
        if (f.missing_ms > 0 && now - f.missing_ms >= ACCESS_LOG_GONE_MS) {
            add_statistics(&a->gone, f.file);
            log_file_close(f.file);
        } else {
            a->files[kept++] = f;
        }
    }
    a->file_count = kept;
}

/* A path without a pattern is followed before it exists. */
static void find_files(struct access_logs *a, int64_t now)
{
    leave_gone(a, now);
    a->left_out = 0;
    for (size_t i = 0; i < a->job_count; i++) {
        const struct config_strings *patterns = &a->jobs[i].config->files;
        for (size_t k = 0; k < patterns->count; k++) {
            glob_t found = {0};
            if (glob(patterns->items[k], GLOB_NOMAGIC | GLOB_BRACE, NULL, &found) == 0) {
                for (size_t n = 0; n < found.gl_pathc; n++) {
                    if (!is_followed(a, &a->jobs[i], found.gl_pathv[n])) {
                        follow(a, &a->jobs[i], found.gl_pathv[n]);
                    }
                }
            }
            globfree(&found);
        }
    }
    a->first_look = false;
}

static void count_lines(struct access_job *job, struct str lines, int64_t now)
{
    while (lines.len > 0) {
        struct access_line line;
        struct str text = str_split(&lines, '\n');
        if (text.len > 0 && text.ptr[text.len - 1] == '\r') {
            text.len--;
        }
        if (text.len > 0) {
            bool parsed = access_format_parse(job->format, text, &line) == 0;
            (void)access_series_add(
                job->table, parsed ? &line : NULL, now); // no memory: not counted
        }
    }
}

/* Reads from file after file until all are read or the step has had its share; true when there is more. */
static bool read_files(struct access_logs *a, int64_t now)
{
    size_t finished = 0;
    for (int reads = 0; reads < ACCESS_LOG_READS_MAX && finished < a->file_count; reads++) {
        struct followed_file *f = &a->files[a->next_file % a->file_count];
        struct str lines;
        bool more;
        int status = log_file_read(f->file, a->buffer, &lines, &more);
        if (status == 0) {
            count_lines(f->job, lines, now);
        }
        if (status != 0 || !more) {
            a->next_file = (a->next_file + 1) % a->file_count;
            finished++;
        } else {
            finished = 0;
        }
        reads -= status == 0 && lines.len == 0 && !more; // nothing new costs next to nothing
    }
    return finished < a->file_count;
}

/* ---- Handing in ---- */

static void keep_places(struct access_logs *a)
{
    struct log_bookmarks marks = {0};
    struct log_bookmark mark;
    int status = 0;
    for (size_t i = 0; status == 0 && i < a->file_count; i++) {
        if (log_file_bookmark(a->files[i].file, &mark)) {
            status = log_bookmarks_add(&marks, log_file_path(a->files[i].file), &mark);
        }
    }
    status = status == 0 ? log_bookmarks_write(a->options.vfs, a->options.bookmarks_path, &marks)
                         : status;
    log_bookmarks_release(&marks);
    if (status != 0) {
        LOG_WARN("logs: places in access logs could not be kept",
            LOG_S("path", a->options.bookmarks_path), LOG_S("error", err_text(status)));
    }
}

/* All jobs together, since their places are kept together. */
static void hand_in(struct access_logs *a, int64_t now)
{
    int64_t t_ms = clock_now_ms(a->options.clock);
    int first = 0;
    for (size_t i = 0; i < a->job_count; i++) {
        int status = access_series_flush(a->jobs[i].table, a->options.intake, now, t_ms);
        first = first != 0 ? first : status;
        a->jobs[i].flush_ms = now + a->jobs[i].config->interval_ms;
    }
    int status = a->options.intake->commit(a->options.intake);
    first = first != 0 ? first : status;
    if (first != 0) {
        a->failures++; // totals: the next hand-in has what this one lost
        LOG_ERROR("logs: counts of access logs were not queued", LOG_S("error", err_text(first)));
        return;
    }
    keep_places(a);
}

static int64_t next_flush(const struct access_logs *a)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < a->job_count; i++) {
        next = a->jobs[i].flush_ms < next ? a->jobs[i].flush_ms : next;
    }
    return next;
}

int64_t access_logs_step(struct access_logs *a)
{
    int64_t now = clock_monotonic_ms(a->options.clock);
    bool more = false;
    if (a == NULL || a->job_count == 0) {
        return INT32_MAX;
    }
    if (now >= a->find_ms) {
        find_files(a, now);
        a->find_ms = now + ACCESS_LOG_FIND_MS;
    }
    if (now >= a->poll_ms && a->options.intake->pressure(a->options.intake) < INTAKE_HIGH) {
        more = a->file_count > 0 && read_files(a, now);
        a->poll_ms = more ? now : now + ACCESS_LOG_POLL_MS;
    }
    if (now >= next_flush(a)) {
        hand_in(a, now);
    }
    int64_t flush = next_flush(a), poll = a->poll_ms > now ? a->poll_ms : now + ACCESS_LOG_POLL_MS;
    int64_t next = flush < poll ? flush : poll;
    return more ? 1 : next > now ? next - now : 1;
}

void access_logs_close(struct access_logs *a)
{
    if (a == NULL) {
        return;
    }
    if (a->file_count > 0) {
        hand_in(a, clock_monotonic_ms(a->options.clock));
    }
    for (size_t i = 0; i < a->file_count; i++) {
        log_file_close(a->files[i].file);
    }
    for (size_t i = 0; a->jobs != NULL && i < a->config.items.count; i++) {
        close_job(&a->jobs[i]);
    }
    log_bookmarks_release(&a->marks);
    mem_free(a->files);
    mem_free(a->jobs);
    mem_free(a->buffer);
    arena_release(&a->arena);
    mem_free(a);
}

/* ---- What /metrics says ---- */

static void put(
    struct strbuf *out, const char *name, enum metric_type type, const char *help, uint64_t value)
{
    exposition_write_figure(out, name, type, help, NULL, 0, (double)value);
}

void access_logs_write_metrics(const struct access_logs *a, struct strbuf *out)
{
    if (a == NULL || a->job_count == 0) {
        return;
    }
    struct log_file_statistics files = a->gone;
    struct access_series_statistics all = {0};
    for (size_t i = 0; i < a->file_count; i++) {
        add_statistics(&files, a->files[i].file);
    }
    for (size_t i = 0; i < a->job_count; i++) {
        struct access_series_statistics s;
        access_series_statistics(a->jobs[i].table, &s);
        all.parsed_lines += s.parsed_lines;
        all.unparsed_lines += s.unparsed_lines;
        all.overflowed_lines += s.overflowed_lines;
        all.series += s.series;
    }
    put(out, "agent_log_files", METRIC_TYPE_GAUGE, "Access logs that are followed", a->file_count);
    put(out, "agent_log_files_left_out", METRIC_TYPE_GAUGE, "Access logs beyond the limit on files",
        a->left_out);
    put(out, "agent_log_read_bytes_total", METRIC_TYPE_COUNTER, "Bytes of whole lines read",
        files.bytes);
    put(out, "agent_log_rotations_total", METRIC_TYPE_COUNTER, "Files that were replaced",
        files.rotations);
    put(out, "agent_log_truncations_total", METRIC_TYPE_COUNTER, "Files that were cut in place",
        files.truncations);
    put(out, "agent_log_long_lines_total", METRIC_TYPE_COUNTER, "Lines too long to be read",
        files.long_lines);
    put(out, "agent_log_read_errors_total", METRIC_TYPE_COUNTER, "Reads that failed", files.errors);
    put(out, "agent_log_parsed_lines_total", METRIC_TYPE_COUNTER, "Lines that were counted",
        all.parsed_lines);
    put(out, "agent_log_unparsed_lines_total", METRIC_TYPE_COUNTER,
        "Lines that are not of the format", all.unparsed_lines);
    put(out, "agent_log_overflowed_lines_total", METRIC_TYPE_COUNTER,
        "Lines counted by status alone, for want of room for series", all.overflowed_lines);
    put(out, "agent_log_series", METRIC_TYPE_GAUGE, "Series of requests that are counted",
        all.series);
    put(out, "agent_log_failed_hand_ins_total", METRIC_TYPE_COUNTER,
        "Times at which counts could not be queued", a->failures);
}
