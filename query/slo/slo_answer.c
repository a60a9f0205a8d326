/* Answers about objectives, as JSON: the list, history, back-test, preview.
 *
 * A question takes a reference to the files in force and a copy of the exclusions, and then works without the
 * manager's lock. What is asked about the present is what was evaluated last; about the past, the objective is
 * run over stored samples as the live one was.
 */
#include <math.h>

#include "base/mem.h"
#include "model/duration.h"
#include "slo_manager.h"

/* What one question works with. */
struct question {
    struct slo_set *set;
    struct slo_exclusions exclusions;
};

static int question_open(struct slo_manager *m, struct question *q, struct err *e)
{
    lock_take(&m->lock);
    q->set = slo_set_ref(m->set);
    int status = slo_exclusions_open(m, &q->exclusions);
    lock_give(&m->lock);
    if (status != 0) {
        slo_set_unref(q->set);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    return 0;
}

static void question_close(struct question *q)
{
    slo_exclusions_release(&q->exclusions);
    slo_set_unref(q->set);
}

static int find(const struct question *q, struct str name,
    const struct slo_definition **definition_out, struct err *e)
{
    *definition_out = slo_set_find(q->set, name);
    return *definition_out != NULL ? 0
                                   : err_set(e, ERR_NOT_FOUND, -1, "there is no SLO \"%.*s\"",
                                         (int)(name.len < 200 ? name.len : 200), name.ptr);
}

/* ---- One objective ---- */

static void write_duration(struct json_writer *out, const char *key, int64_t ms)
{
    struct strbuf text = STRBUF_INIT;
    duration_write(ms, &text);
    json_key(out, key);
    json_string(out, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_number(struct json_writer *out, const char *key, double value)
{
    json_key(out, key);
    json_double(out, value);
}

static void write_time(struct json_writer *out, const char *key, int64_t time_ms)
{
    json_key(out, key);
    if (time_ms > 0 && time_ms < INT64_MAX) {
        json_seconds(out, time_ms);
    } else {
        json_null(out);
    }
}

static void write_burn(struct json_writer *out, int64_t window_ms, bool has, double burn)
{
    struct strbuf text = STRBUF_INIT;
    duration_write(window_ms, &text);
    json_key_str(out, strbuf_str(&text));
    if (has) {
        json_double(out, burn);
    } else {
        json_null(out);
    }
    strbuf_release(&text);
}

/* Windows of several tiers may be the same; each is written once. */
static bool burn_was_written(const struct slo_parameters *p, size_t tier, int64_t window_ms)
{
    for (size_t i = 0; i < tier; i++) {
        if (p->tiers[i].long_ms == window_ms || p->tiers[i].short_ms == window_ms) {
            return true;
        }
    }
    return false;
}

static void write_burns(
    const struct slo_parameters *p, const struct slo_evaluation *v, struct json_writer *out)
{
    json_key(out, "burn_rates");
    json_begin_object(out);
    for (size_t i = 0; i < p->tier_count; i++) {
        const struct slo_tier *t = &p->tiers[i];
        if (!burn_was_written(p, i, t->short_ms)) {
            write_burn(out, t->short_ms, v->tiers[i].has_short, v->tiers[i].burn_short);
        }
        if (!burn_was_written(p, i, t->long_ms)) {
            write_burn(out, t->long_ms, v->tiers[i].has_long, v->tiers[i].burn_long);
        }
    }
    json_end(out);
}

static void write_tier(const struct slo_run *run, size_t i, struct json_writer *out)
{
    const struct slo_parameters *p = &run->definition->parameters;
    const struct slo_tier *t = &p->tiers[i];
    const struct slo_tier_value *v = &run->last.tiers[i];
    int64_t period = slo_window_period_ms(&p->window);
    const struct alert_instance *alert = run->states[i].count > 0 ? &run->states[i].items[0] : NULL;
    bool firing = alert != NULL && alert->state == ALERT_FIRING;
    json_begin_object(out);
    json_key(out, "name");
    json_cstring(out, t->name);
    json_key(out, "severity");
    json_cstring(out, t->page ? "page" : "ticket");
    write_duration(out, "long", t->long_ms);
    write_duration(out, "short", t->short_ms);
    write_number(out, "factor", slo_tier_factor(t, period));
    write_number(out, "threshold", slo_tier_threshold(t, period, p->budget_billionths));
    write_number(out, "budget_share", (double)t->share_millionths / (double)SLO_MILLION);
    json_key(out, "state");
    json_cstring(out, firing ? "firing" : "inactive");
    write_time(out, "active_since", firing ? alert->fired_at_ms : 0);
    json_key(out, "no_data");
    json_bool(out, v->verdict == SLO_NO_DATA);
    write_number(out, "failures_needed", run->evaluated ? v->failures_needed : 0);
    double outage = slo_tier_detection_seconds(t, period, p->budget_billionths, 1);
    json_key(out, "smallest_outage_seconds");
    if (isfinite(outage)) {
        json_double(out, outage);
    } else {
        json_null(out);
    }
    json_end(out);
}

static void write_window(const struct slo_definition *d, struct json_writer *out)
{
    struct strbuf text = STRBUF_INIT;
    slo_window_write(&d->parameters.window, &text);
    json_key(out, "window");
    json_string(out, strbuf_str(&text));
    json_key(out, "window_type");
    json_cstring(out, d->parameters.window.calendar ? "calendar" : "rolling");
    if (d->parameters.window.calendar) {
        json_key(out, "timezone");
        json_string(out, d->zone_name);
    }
    strbuf_release(&text);
}

static void write_definition(
    const struct slo_definition *d, const struct slo_version *version, struct json_writer *out)
{
    json_key(out, "name");
    json_string(out, d->name);
    json_key(out, "display_name");
    json_string(out, d->display_name.len > 0 ? d->display_name : d->name);
    json_key(out, "service");
    json_string(out, d->service);
    json_key(out, "description");
    json_string(out, d->description);
    write_number(
        out, "objective", 1 - (double)d->parameters.budget_billionths / (double)SLO_BILLION);
    write_window(d, out);
    json_key(out, "runbook_url");
    json_string(out, d->runbook_url);
    if (d->waived.len > 0) {
        json_key(out, "runbook_waived");
        json_string(out, d->waived);
    }
    json_key(out, "labels");
    json_begin_object(out);
    for (size_t i = 0; i < d->label_count; i++) {
        json_key_str(out, d->labels[i].name);
        json_string(out, d->labels[i].value);
    }
    json_end(out);
    json_key(out, "file");
    json_string(out, d->file);
    if (version != NULL) {
        json_key(out, "version");
        json_integer(out, version->number);
        write_time(out, "version_since", version->since_ms);
    }
    json_key(out, "notes");
    json_begin_array(out);
    for (size_t i = 0; i < d->note_count; i++) {
        json_string(out, d->notes[i]);
    }
    json_end(out);
}

static void write_objective(
    struct slo_run *run, const struct slo_version *version, struct json_writer *out)
{
    const struct slo_definition *d = run->definition;
    const struct slo_parameters *p = &d->parameters;
    const struct slo_evaluation *v = &run->last;
    double pace = 0;
    bool has_pace = run->evaluated && slo_run_pace(run, v, &pace);
    json_begin_object(out);
    write_definition(d, version, out);
    write_time(out, "evaluated_at", run->evaluated ? v->at_ms : 0);
    write_number(out, "good", v->count.events.total - v->count.events.bad);
    write_number(out, "total", v->count.events.total);
    json_key(out, "budget_remaining");
    if (run->evaluated) {
        json_double(out, v->budget_remaining);
    } else {
        json_null(out);
    }
    write_number(out, "coverage", v->coverage);
    json_key(out, "no_data");
    json_bool(out, v->no_data);
    write_number(out, "excluded_seconds", (double)v->count.excluded * (double)p->step_ms / 1000);
    write_burns(p, v, out);
    json_key(out, "tiers");
    json_begin_array(out);
    for (size_t i = 0; i < p->tier_count; i++) {
        write_tier(run, i, out);
    }
    json_end(out);
    write_time(out, "forecast_exhaustion",
        has_pace ? slo_forecast(p, run->components, d->indicator_count, v->at_ms, pace) : 0);
    json_end(out);
}

/* ---- The list ---- */

/* What the objective at work has counted is not read again, but for its newest steps. */
static int adopt_live(struct slo_manager *m, struct slo_run *run, int64_t until_ms, struct err *e)
{
    int status = 0;
    lock_take(&m->lock);
    for (size_t i = 0; i < m->run_count; i++) {
        const struct slo_run *live = &m->runs[i];
        if (live->evaluated && str_eq(live->definition->name, run->definition->name)) {
            int64_t settled_ms = live->last.at_ms - SLO_READ_AGAIN_MS;
            status = slo_run_adopt(run, live, settled_ms < until_ms ? settled_ms : until_ms);
            break;
        }
    }
    lock_give(&m->lock);
    return status == 0 ? 0 : err_set(e, status, -1, "%s", err_text(status));
}

/* As it was at `time_ms`: run over the day before. */
static int write_past(struct slo_manager *m, const struct question *q,
    const struct slo_definition *d, int64_t time_ms, const struct slo_version *version,
    struct json_writer *out, struct err *e)
{
    struct slo_run run;
    int status = slo_run_open(&run, d, time_ms - SLO_LOOK_BACK_MS);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    int64_t at = slo_run_floor(&run, time_ms);
    status = adopt_live(m, &run, at, e);
    if (status == 0) {
        status = slo_run_read(&run, &m->store, at, e);
    }
    slo_run_exclude(&run, q->exclusions.items, q->exclusions.count);
    if (status == 0) {
        status = slo_run_step_to(&run, at);
    }
    if (status == 0) {
        write_objective(&run, version, out);
    }
    slo_run_release(&run);
    return status;
}

static int write_list_past(
    struct slo_manager *m, struct str name, int64_t time_ms, struct json_writer *out, struct err *e)
{
    struct question q;
    int status = question_open(m, &q, e);
    if (status != 0) {
        return status;
    }
    bool found = name.len == 0;
    for (size_t i = 0; i < q.set->count && status == 0; i++) {
        for (size_t j = 0; j < q.set->files[i].count && status == 0; j++) {
            const struct slo_definition *d = &q.set->files[i].definitions[j];
            if (name.len > 0 && !str_eq(name, d->name)) {
                continue;
            }
            found = true;
            status = write_past(m, &q, d, time_ms, NULL, out, e);
        }
    }
    if (status == 0 && !found) {
        const struct slo_definition *none;
        status = find(&q, name, &none, e);
    }
    question_close(&q);
    return status;
}

int slo_write_list(
    struct slo_manager *m, struct str name, int64_t time_ms, struct json_writer *out, struct err *e)
{
    int status = 0;
    json_begin_array(out);
    if (time_ms != INT64_MIN) {
        status = write_list_past(m, name, time_ms, out, e);
        json_end(out);
        return status;
    }
    lock_take(&m->lock);
    bool found = name.len == 0;
    for (size_t i = 0; i < m->run_count; i++) {
        struct slo_run *run = &m->runs[i];
        struct slo_version version;
        if (name.len > 0 && !str_eq(name, run->definition->name)) {
            continue;
        }
        found = true;
        bool has_version = slo_version_find(m, run->definition->name, &version);
        write_objective(run, has_version ? &version : NULL, out);
    }
    lock_give(&m->lock);
    json_end(out);
    return found ? 0
                 : err_set(e, ERR_NOT_FOUND, -1, "there is no SLO \"%.*s\"",
                       (int)(name.len < 200 ? name.len : 200), name.ptr);
}

/* ---- History ---- */

static void write_point(struct slo_run *run, int64_t at_ms, struct json_writer *out)
{
    struct slo_evaluation v;
    slo_run_look(run, at_ms, &v);
    json_begin_object(out);
    write_time(out, "time", at_ms);
    write_number(out, "good", v.count.events.total - v.count.events.bad);
    write_number(out, "total", v.count.events.total);
    write_number(out, "budget_remaining", v.budget_remaining);
    write_number(out, "coverage", v.coverage);
    write_burns(&run->definition->parameters, &v, out);
    json_end(out);
}

int slo_write_history(struct slo_manager *m, struct str name, int64_t start_ms, int64_t end_ms,
    int64_t step_ms, struct json_writer *out, struct err *e)
{
    const struct slo_definition *d = NULL;
    struct question q;
    if (step_ms <= 0 || end_ms < start_ms ||
        (end_ms - start_ms) / step_ms >= SLO_HISTORY_POINTS_MAX) {
        return err_set(e, ERR_INVALID, -1, "start, end and step give more than %d points, or none",
            SLO_HISTORY_POINTS_MAX);
    }
    int status = question_open(m, &q, e);
    if (status != 0) {
        return status;
    }
    struct slo_run run = {0};
    status = find(&q, name, &d, e);
    if (status == 0 && slo_run_open(&run, d, start_ms) != 0) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    if (status == 0) {
        status = slo_run_read(&run, &m->store, slo_run_floor(&run, end_ms), e);
    }
    if (status == 0) {
        slo_run_exclude(&run, q.exclusions.items, q.exclusions.count);
        json_begin_array(out);
        for (int64_t t = start_ms; t <= end_ms; t += step_ms) {
            write_point(&run, slo_run_floor(&run, t), out);
        }
        json_end(out);
    }
    slo_run_release(&run);
    question_close(&q);
    return status;
}

/* ---- Back-test and preview ---- */

static void write_episodes(const struct slo_definition *d, const struct slo_episode *episodes,
    size_t count, struct json_writer *out)
{
    size_t pages = 0;
    json_key(out, "alerts");
    json_begin_array(out);
    for (size_t i = 0; i < count; i++) {
        const struct slo_tier *t = &d->parameters.tiers[episodes[i].tier];
        pages += t->page;
        json_begin_object(out);
        json_key(out, "tier");
        json_cstring(out, t->name);
        json_key(out, "severity");
        json_cstring(out, t->page ? "page" : "ticket");
        write_time(out, "start", episodes[i].start_ms);
        write_time(out, "end", episodes[i].end_ms);
        write_number(out, "budget_spent", episodes[i].budget_spent);
        json_end(out);
    }
    json_end(out);
    json_key(out, "pages");
    json_integer(out, (int64_t)pages);
    json_key(out, "tickets");
    json_integer(out, (int64_t)(count - pages));
}

static int check_range(int64_t start_ms, int64_t end_ms, struct err *e)
{
    return start_ms <= end_ms && end_ms - start_ms <= SLO_BACKTEST_MS_MAX
               ? 0
               : err_set(e, ERR_INVALID, -1, "a back-test ends after it starts, within %lld days",
                     (long long)(SLO_BACKTEST_MS_MAX / 86400000));
}

/* Members of an object that is open. */
static int write_backtest(struct slo_manager *m, const struct question *q,
    const struct slo_definition *d, int64_t start_ms, int64_t end_ms, struct json_writer *out,
    struct err *e)
{
    struct slo_episode *episodes = NULL;
    size_t count = 0;
    int status = slo_backtest(&m->store, d, q->exclusions.items, q->exclusions.count, start_ms,
        end_ms, &episodes, &count, e);
    if (status == 0) {
        json_key(out, "name");
        json_string(out, d->name);
        write_time(out, "start", start_ms);
        write_time(out, "end", end_ms);
        write_episodes(d, episodes, count, out);
        mem_free(episodes);
    }
    return status;
}

int slo_write_backtest(struct slo_manager *m, struct str name, int64_t start_ms, int64_t end_ms,
    struct json_writer *out, struct err *e)
{
    const struct slo_definition *d = NULL;
    struct question q;
    int status = check_range(start_ms, end_ms, e);
    if (status == 0) {
        status = question_open(m, &q, e);
    }
    if (status != 0) {
        return status;
    }
    status = find(&q, name, &d, e);
    json_begin_object(out);
    if (status == 0) {
        status = write_backtest(m, &q, d, start_ms, end_ms, out, e);
    }
    json_end(out);
    question_close(&q);
    return status;
}

int slo_write_preview(struct slo_manager *m, struct str text, int64_t start_ms, int64_t end_ms,
    struct json_writer *out, struct err *e)
{
    struct slo_file file;
    struct question q;
    int status = check_range(start_ms, end_ms, e);
    if (status == 0) {
        status = slo_file_parse(m->fs, STR("preview"), text, &file, e);
    }
    if (status != 0) {
        return status;
    }
    status = question_open(m, &q, e);
    if (status != 0) {
        slo_file_release(&file);
        return status;
    }
    json_begin_array(out);
    for (size_t i = 0; i < file.count && status == 0; i++) {
        json_begin_object(out);
        status = write_backtest(m, &q, &file.definitions[i], start_ms, end_ms, out, e);
        if (status == 0) {
            json_key(out, "now");
            status = write_past(m, &q, &file.definitions[i], end_ms, NULL, out, e);
        }
        json_end(out);
    }
    json_end(out);
    question_close(&q);
    slo_file_release(&file);
    return status;
}

int slo_write_openslo(struct slo_manager *m, struct str name, struct strbuf *out, struct err *e)
{
    const struct slo_definition *d = NULL;
    struct question q;
    int status = question_open(m, &q, e);
    if (status != 0) {
        return status;
    }
    status = find(&q, name, &d, e);
    if (status == 0) {
        slo_openslo_write(d, out);
    }
    question_close(&q);
    return status;
}
