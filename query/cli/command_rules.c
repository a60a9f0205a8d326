/* sonde check rules: rule files, read as the server reads them.
 * sonde rules backfill: rules over stored history, with the code that evaluates them live. */
#include <stdio.h>

#include "api/api_params.h"
#include "base/rfc3339.h"
#include "cli/command.h"
#include "cli/store_lock.h"
#include "rules/rule_replay.h"
#include "tsdb/tsdb.h"

enum { FILES_MAX = 1024 };

/* ---- Checking ---- */

static bool same_rule(const struct rule_definition *a, const struct rule_definition *b)
{
    bool same =
        a->alerting == b->alerting && str_eq(a->name, b->name) && a->label_count == b->label_count;
    for (size_t i = 0; same && i < a->label_count; i++) {
        same = str_eq(a->labels[i].name, b->labels[i].name) &&
               str_eq(a->labels[i].value, b->labels[i].value);
    }
    return same;
}

/* Rules that write the same series cannot both be right. Not an error: Prometheus evaluates them. */
static void find_twins(const struct rule_group_definition *group, struct strbuf *out)
{
    for (size_t i = 0; i < group->rule_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (same_rule(&group->rules[i], &group->rules[k])) {
                strbuf_addf(out,
                    "  %.*s:%zu: warning: \"%.*s\" is there twice in group \"%.*s\", with the same "
                    "labels (line %zu)\n",
                    STR_ARG(group->file), group->rules[i].line, STR_ARG(group->rules[i].name),
                    STR_ARG(group->name), group->rules[k].line);
                break;
            }
        }
    }
}

static int check_file(const char *path, struct strbuf *out)
{
    struct strbuf problems = STRBUF_INIT;
    struct rule_file *file = NULL;
    struct err e = ERR_INIT;
    size_t count = 0, rules = 0;
    int status = rule_file_read(path, PROMQL_FEATURES_ALL, &problems, &file, &e);
    if (status != 0) {
        strbuf_addf(out, "%s: FAILED\n%s", path, problems.size > 0 ? problems.data : e.message);
        strbuf_add_c(out, problems.size > 0 ? "" : "\n");
        strbuf_release(&problems);
        return status;
    }
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    for (size_t i = 0; i < count; i++) {
        rules += groups[i].rule_count;
    }
    strbuf_addf(out, "%s: good, %zu rules\n", path, rules);
    for (size_t i = 0; i < count; i++) {
        find_twins(&groups[i], out);
    }
    rule_file_unref(file);
    strbuf_release(&problems);
    return 0;
}

int command_check_rules(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *files[FILES_MAX];
    struct strbuf text = STRBUF_INIT;
    size_t count = 0;
    int exit_status;
    if (command_parse_files(self, none, argc, argv, files, FILES_MAX, &count, &exit_status) != 0) {
        return exit_status;
    }
    bool bad = false;
    for (size_t i = 0; i < count; i++) {
        bad = check_file(files[i], &text) != 0 || bad;
    }
    exit_status = command_print(&text);
    return bad ? COMMAND_FAILED : exit_status;
}

/* ---- Backfilling ---- */

static void write_moment(struct strbuf *out, int64_t time_ms)
{
    char text[RFC3339_TEXT_MAX];
    strbuf_add(out, text, rfc3339_format(time_ms, text));
}

/* One line for each time that an alert fired or ended. */
static void note_change(void *context, const struct rule_definition *rule,
    const struct alert_instance *instance, enum alert_change change, int64_t at_ms)
{
    struct strbuf *out = context;
    (void)rule;
    if (change != ALERT_FIRED && change != ALERT_RESOLVED) {
        return;
    }
    write_moment(out, at_ms);
    strbuf_add_c(out, change == ALERT_FIRED ? " firing   " : " resolved ");
    labels_write(instance->labels, out);
    strbuf_add_char(out, '\n');
}

struct backfill_flags {
    const char *data, *start, *end;
    int64_t interval_ms;
    bool dry_run;
};

static int replay_store(const struct backfill_flags *flags, struct rule_file *const *files,
    size_t count, int64_t start_ms, int64_t end_ms, struct strbuf *out, struct err *e)
{
    const struct tsdb_options store = {.path = flags->data, .read_only = flags->dry_run};
    const struct engine_options engine_options = {.features = PROMQL_FEATURES_ALL};
    struct tsdb *db = NULL;
    struct engine *engine = NULL;
    struct rule_replay_counts counts = {0};
    int status = tsdb_open(&store, &db, e);
    if (status != 0) {
        return status;
    }
    status = engine_new(&engine_options, &engine);
    if (status == 0) {
        const struct rule_replay_options options = {.engine = engine,
            .reads = tsdb_querier_source(db),
            .writes = flags->dry_run ? NULL : tsdb_appender_source(db),
            .interval_ms = flags->interval_ms,
            .start_ms = start_ms,
            .end_ms = end_ms,
            .changed = note_change,
            .context = out};
        status = rule_replay(&options, files, count, &counts, e);
    }
    engine_free(engine);
    if (status == 0) {
        strbuf_addf(out, "%llu evaluations of %zu groups, %llu failures of rules%s\n",
            (unsigned long long)counts.evaluations, counts.groups,
            (unsigned long long)counts.failures, flags->dry_run ? "; nothing was written" : "");
    }
    int closed = tsdb_close(db, status == 0 ? e : NULL);
    return status != 0 ? status : closed;
}

static int backfill(const struct backfill_flags *flags, const char *const *paths, size_t count,
    struct strbuf *out, struct err *e)
{
    struct rule_file *files[FILES_MAX];
    struct store_lock lock = {0};
    int64_t start_ms, end_ms = clock_now_ms(clock_real());
    size_t read = 0;
    int status = api_parse_time(str_of(flags->start), &start_ms, e);
    if (status == 0 && flags->end != NULL) {
        status = api_parse_time(str_of(flags->end), &end_ms, e);
    }
    while (status == 0 && read < count) {
        status = rule_file_read(paths[read], PROMQL_FEATURES_ALL, NULL, &files[read], e);
        read += status == 0;
    }
    if (status == 0) {
        status = flags->dry_run ? store_lock_take(&lock, flags->data, e)
                                : store_folder_check(flags->data, e);
    }
    if (status == 0) {
        status = replay_store(flags, files, count, start_ms, end_ms, out, e);
    }
    store_lock_give(&lock);
    for (size_t i = 0; i < read; i++) {
        rule_file_unref(files[i]);
    }
    return status;
}

int command_rules_backfill(const struct command *self, int argc, char **argv)
{
    struct backfill_flags flags = {.data = "./data"};
    const struct flag table[] = {{"data", FLAG_STRING, &flags.data, "DIR",
                                     "The store, which no server holds (default ./data).", 0, 0},
        {"start", FLAG_STRING, &flags.start, "TIME", "From when: RFC 3339 or Unix seconds.", 0, 0},
        {"end", FLAG_STRING, &flags.end, "TIME", "Until when (default: now).", 0, 0},
        {"interval", FLAG_DURATION, &flags.interval_ms, "DURATION",
            "Of groups that name none (default 1m).", 1000, INT64_C(86400000)},
        {"dry-run", FLAG_BOOL, &flags.dry_run, NULL,
            "Only show when alerts would have fired; write nothing.", 0, 0},
        {.name = NULL}};
    const char *files[FILES_MAX];
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    size_t count = 0;
    int exit_status;
    if (command_parse_files(self, table, argc, argv, files, FILES_MAX, &count, &exit_status) != 0) {
        return exit_status;
    }
    if (flags.start == NULL) {
        err_set(&e, ERR_INVALID, -1, "--start TIME is needed: from when rules are evaluated");
        (void)command_fail(&e);
        return COMMAND_USAGE;
    }
    if (backfill(&flags, files, count, &text, &e) != 0) {
        strbuf_release(&text);
        return command_fail(&e);
    }
    return command_print(&text);
}
