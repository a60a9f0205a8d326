/* Asking the limits, in the order of SERIES_LIMIT_LIST: those of the label set alone first, since they
 * cost nothing. */
#include "head/series_limits.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define HOUR_MS ((int64_t)3600 * 1000)
/* A limit that refuses series without end is logged this often. */
#define TELL_EACH_MS ((int64_t)60 * 1000)
/* Bytes of a name or value in a sentence. */
enum { SHOWN_MAX = 100 };

const char *series_limit_name(enum series_limit limit)
{
    static const char *const names[] = {
#define X(constant, name) #name,
        SERIES_LIMIT_LIST(X)
#undef X
    };
    return names[limit];
}

int limits_init(struct limits *l)
{
    *l = (struct limits){.seed = hash_seed_random()};
    lock_init(&l->lock, LOCK_RANK_SERIES);
    l->jobs = mem_calloc(LIMITS_JOB_SLOTS, sizeof(*l->jobs));
    return l->jobs != NULL ? 0 : ERR_NOMEM;
}

void limits_release(struct limits *l)
{
    for (size_t i = 0; l->jobs != NULL && i < LIMITS_JOB_SLOTS; i++) {
        mem_free(l->jobs[i]);
    }
    mem_free(l->jobs);
    lock_release(&l->lock);
}

/* ---- New series of a job ---- */

static struct str value_of(const struct new_series *s, struct str name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (str_eq(s->labels[i].name, name)) {
            return s->labels[i].value;
        }
    }
    return STR("");
}

static struct job_count **job_slot(const struct limits *l, struct str job)
{
    size_t i = (size_t)hash64(job.ptr, job.len, l->seed) % LIMITS_JOB_SLOTS;
    while (l->jobs[i] != NULL && !str_eq(str_make(l->jobs[i]->name, l->jobs[i]->name_size), job)) {
        i = (i + 1) % LIMITS_JOB_SLOTS;
    }
    return &l->jobs[i];
}

/* The name under which a job is counted: beyond LIMITS_JOBS_MAX that of the series without one. */
static struct str counted_name(const struct limits *l, struct str job)
{
    bool apart = *job_slot(l, job) != NULL || l->job_count < LIMITS_JOBS_MAX;
    return apart ? job : STR("");
}

static struct job_count *job_make(struct limits *l, struct str job)
{
    struct job_count **slot = job_slot(l, job);
    if (*slot == NULL) {
        struct job_count *made = mem_calloc(1, sizeof(*made) + job.len);
        if (made == NULL) {
            return NULL;
        }
        memcpy(made->name, job.len > 0 ? job.ptr : "", job.len);
        made->name_size = job.len;
        *slot = made;
        l->job_count++;
    }
    return *slot;
}

static int64_t hour_of(int64_t now_ms)
{
    return now_ms / HOUR_MS - (now_ms % HOUR_MS < 0);
}

/* New series in the hour, and in the one before it. */
static void read_job(const struct job_count *job, int64_t hour, struct job_churn *out)
{
    *out = (struct job_churn){.job = str_make(job->name, job->name_size)};
    if (job->hour == hour) {
        out->this_hour = job->now;
        out->last_hour = job->before;
    } else if (job->hour == hour - 1) {
        out->last_hour = job->now;
    }
}

/* Has the store seen target and shape before it was opened? Then the series most likely came back: a
 * restart is no churn. */
static bool is_old(const struct limits *l, const struct new_series *s)
{
    return s->target_known && s->shape_known && s->target < l->old_targets &&
           s->shape < l->old_shapes;
}

void limits_count_new(struct limits *l, const struct new_series *s, int64_t now_ms)
{
    if (is_old(l, s)) {
        return;
    }
    int64_t hour = hour_of(now_ms);
    struct job_count *job = job_make(l, counted_name(l, value_of(s, STR("job"))));
    if (job == NULL) {
        return;
    }
    if (job->hour != hour) {
        struct job_churn churn;
        read_job(job, hour, &churn);
        job->before = churn.last_hour;
        job->now = 0;
        job->hour = hour;
    }
    job->now++;
}

int limits_each_job(struct limits *l, int64_t now_ms,
    int (*callback)(void *context, const struct job_churn *churn), void *context)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < LIMITS_JOB_SLOTS; i++) {
        struct job_churn churn = {0};
        if (l->jobs[i] != NULL) {
            read_job(l->jobs[i], hour_of(now_ms), &churn);
        }
        if (churn.this_hour > 0 || churn.last_hour > 0) {
            status = callback(context, &churn);
        }
    }
    return status;
}

/* ---- Checking ---- */

/* What was crossed, and by whom: "label", "trace_id". */
struct refusal {
    enum series_limit limit;
    int64_t maximum;
    const char *kind;
    struct str subject;
};

static bool crossed(int64_t maximum, uint64_t count)
{
    return maximum > 0 && count >= (uint64_t)maximum;
}

/* The label set alone. */
static bool labels_refuse(
    const struct series_limits *m, const struct new_series *s, struct refusal *r)
{
    struct str metric = value_of(s, STR(LABEL_METRIC_NAME));
    if (m->labels_per_series > 0 && s->count > (size_t)m->labels_per_series) {
        *r = (struct refusal){
            SERIES_LIMIT_LABELS_PER_SERIES, m->labels_per_series, "metric", metric};
        return true;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct label *label = &s->labels[i];
        if (m->label_name_bytes > 0 && label->name.len > (size_t)m->label_name_bytes) {
            *r = (struct refusal){
                SERIES_LIMIT_LABEL_NAME_BYTES, m->label_name_bytes, "label", label->name};
            return true;
        }
        if (m->label_value_bytes > 0 && label->value.len > (size_t)m->label_value_bytes) {
            *r = (struct refusal){
                SERIES_LIMIT_LABEL_VALUE_BYTES, m->label_value_bytes, "label", label->name};
            return true;
        }
    }
    return false;
}

static bool memory_refuses(const struct limits *l, struct refusal *r)
{
    *r = (struct refusal){SERIES_LIMIT_MEMORY, 0, "the process", STR("")};
    return atomic_load_explicit(&l->memory_short, memory_order_relaxed);
}

static bool values_refuse(
    const struct series_limits *m, struct index *ix, const struct new_series *s, struct refusal *r)
{
    for (size_t i = 0; m->values_per_label > 0 && i < s->count; i++) {
        const struct label *label = &s->labels[i];
        if (crossed(m->values_per_label, index_active_values(ix, label->name)) &&
            !index_value_is_active(ix, label->name, label->value)) {
            *r = (struct refusal){
                SERIES_LIMIT_VALUES_PER_LABEL, m->values_per_label, "label", label->name};
            return true;
        }
    }
    return false;
}

static bool counts_refuse(
    const struct series_limits *m, struct index *ix, const struct new_series *s, struct refusal *r)
{
    struct str metric = value_of(s, STR(LABEL_METRIC_NAME));
    if (crossed(m->series, index_series_count(ix))) {
        *r = (struct refusal){SERIES_LIMIT_SERIES, m->series, "the store", STR("")};
        return true;
    }
    if (s->target_known && s->target_label_count > 0 &&
        crossed(m->series_per_target, index_series_of(ix, INDEX_TARGETS, s->target))) {
        *r = (struct refusal){
            SERIES_LIMIT_SERIES_PER_TARGET, m->series_per_target, "target", STR("")};
        return true;
    }
    if (crossed(m->series_per_metric, index_series_of_metric(ix, metric))) {
        *r = (struct refusal){
            SERIES_LIMIT_SERIES_PER_METRIC, m->series_per_metric, "metric", metric};
        return true;
    }
    return values_refuse(m, ix, s, r);
}

static bool rate_refuses(
    const struct limits *l, const struct new_series *s, int64_t now_ms, struct refusal *r)
{
    int64_t maximum = l->settings.new_series_per_hour;
    if (maximum <= 0 || is_old(l, s)) {
        return false;
    }
    struct str name = counted_name(l, value_of(s, STR("job")));
    const struct job_count *job = *job_slot(l, name);
    struct job_churn churn = {0};
    if (job != NULL) {
        read_job(job, hour_of(now_ms), &churn);
    }
    *r = (struct refusal){SERIES_LIMIT_NEW_SERIES_PER_HOUR, maximum, "job", name};
    return crossed(maximum, churn.this_hour);
}

static int shown(struct str text)
{
    return text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
}

/* limit values_per_label (1000) reached by label "user": a new series of metric "x" was refused */
static int write_refusal(const struct new_series *s, const struct refusal *r, struct err *e)
{
    struct strbuf subject = STRBUF_INIT;
    struct str metric = value_of(s, STR(LABEL_METRIC_NAME));
    if (r->limit == SERIES_LIMIT_SERIES_PER_TARGET) {
        for (size_t i = 0; i < s->target_label_count; i++) {
            const struct label *label = &s->target_labels[i];
            strbuf_addf(&subject, "%s%.*s=\"%.*s\"", i > 0 ? "," : " {", STR_ARG(label->name),
                shown(label->value), label->value.ptr);
        }
        strbuf_add_char(&subject, '}');
    } else if (r->subject.len > 0) {
        strbuf_addf(&subject, " \"%.*s\"", shown(r->subject), r->subject.ptr);
    }
    char maximum[32] = "";
    if (r->maximum > 0) {
        snprintf(maximum, sizeof(maximum), " (%lld)", (long long)r->maximum);
    }
    err_set(e, ERR_LIMIT, -1,
        "limit %s%s reached by %s%s: a new series of metric \"%.*s\" is refused",
        series_limit_name(r->limit), maximum, r->kind, subject.data != NULL ? subject.data : "",
        shown(metric), metric.len > 0 ? metric.ptr : "");
    strbuf_release(&subject);
    return ERR_LIMIT;
}

int limits_check(struct limits *l, struct index *ix, const struct new_series *s, int64_t now_ms,
    int64_t monotonic_ms, bool *tell_out, struct err *e)
{
    struct refusal r = {0};
    *tell_out = false;
    if (!labels_refuse(&l->settings, s, &r) && !memory_refuses(l, &r) &&
        !counts_refuse(&l->settings, ix, s, &r) && !rate_refuses(l, s, now_ms, &r)) {
        return 0;
    }
    int64_t *told = &l->told_ms[r.limit];
    if (*told == 0 || monotonic_ms + 1 - *told >= TELL_EACH_MS) {
        *told = monotonic_ms + 1;
        *tell_out = true;
    }
    atomic_fetch_add_explicit(&l->refused[r.limit], 1, memory_order_relaxed);
    return write_refusal(s, &r, e);
}
