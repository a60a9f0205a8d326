/* info(): adds labels of info series (target_info and its like) to series of the same instance and job.
 *
 * Info series are selected by the instances and jobs of the base series. At each step a base series takes
 * from each info metric the newest series of its instance and job; conflicts are errors. A base series
 * whose labels change over the steps comes out in several parts.
 */
#include <math.h>

#include "base/regex.h"
#include "base/strbuf.h"
#include "model/sample.h"
#include "operator.h"
#include "samples.h"
#include "selection.h"

#define TARGET_INFO "target_info"
/* Info metrics that one query may combine. */
#define INFO_METRICS_MAX 64

static const struct str identifying[] = {{"instance", 8}, {"job", 3}};

/* One info series: where it is valid, and the times of its samples there. */
struct info_series {
    const struct labels *labels;
    uint64_t identity; /* of instance and job */
    size_t metric;     /* number of its name */
    double *times;     /* of the sample at each step; NaN = none */
};

struct info_operator {
    struct operator_node node;
    struct series_store base;
    const struct matcher *const *matchers; /* of the data labels, the name's among them */
    size_t matcher_count;
    struct info_series *infos;
    size_t info_count;
    struct str metrics[INFO_METRICS_MAX];
    size_t metric_count;
    struct series_store out;
    size_t next;
};

/* ---- Matchers ---- */

static bool is_name_matcher(const struct matcher *m)
{
    return str_eq_c(m->name, LABEL_METRIC_NAME);
}

/* Does the selector name metrics positively? Without, any *_info is meant; without any, target_info. */
enum name_choice { NAMES_GIVEN, NAMES_ANY_INFO, NAMES_TARGET_INFO };

static enum name_choice name_choice(const struct info_operator *op)
{
    enum name_choice choice = NAMES_TARGET_INFO;
    for (size_t i = 0; i < op->matcher_count; i++) {
        const struct matcher *m = op->matchers[i];
        if (is_name_matcher(m)) {
            if (m->type == MATCHER_EQUAL || m->type == MATCHER_REGEX) {
                return NAMES_GIVEN;
            }
            choice = NAMES_ANY_INFO;
        }
    }
    return choice;
}

static bool is_info_name(const struct info_operator *op, struct str name)
{
    enum name_choice choice = name_choice(op);
    if (choice == NAMES_TARGET_INFO) {
        return str_eq_c(name, TARGET_INFO);
    }
    if (choice == NAMES_ANY_INFO && (!str_ends_with(name, STR("_info")) || name.len < 6)) {
        return false;
    }
    for (size_t i = 0; i < op->matcher_count; i++) {
        if (is_name_matcher(op->matchers[i]) && !matcher_matches(op->matchers[i], name)) {
            return false;
        }
    }
    return true;
}

static void free_matcher(void *matcher)
{
    matcher_free(matcher);
}

static int make_matcher(struct query *q, enum matcher_type type, struct str name, struct str value,
    const struct matcher **matcher_out)
{
    struct matcher *m;
    int status = matcher_new(type, name, value, &m, q->e);
    if (status != 0) {
        return status;
    }
    if (arena_on_release(&q->arena, free_matcher, m) != 0) {
        matcher_free(m);
        return query_fail_memory(q, &q->arena);
    }
    *matcher_out = m;
    return 0;
}

static void write_regex_quoted(struct str value, struct strbuf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", value.ptr[i]) != NULL && value.ptr[i] != '\0') {
            strbuf_add_char(out, '\\');
        }
        strbuf_add_char(out, value.ptr[i]);
    }
}

/* instance=~"a|b|c" of all base series that are to be enriched; NULL when none has the label. */
static int identity_matcher(
    struct info_operator *op, struct str name, const struct matcher **matcher_out)
{
    struct query *q = op->node.query;
    struct strbuf pattern = STRBUF_INIT;
    struct id_map seen;
    id_map_init(&seen, q);
    int status = 0;
    bool any = false;
    for (size_t i = 0; status == 0 && i < op->base.count; i++) {
        const struct labels *labels = op->base.items[i].labels;
        struct str value = labels_get(labels, name);
        uint32_t id;
        bool is_new = false;
        if (value.len == 0 || is_info_name(op, metric_name(labels))) {
            continue;
        }
        status = id_map_get(&seen, labels_restrict_hash(labels, &name, 1, true), &id, &is_new);
        if (is_new) {
            strbuf_add_c(&pattern, any ? "|" : "");
            write_regex_quoted(value, &pattern);
            any = true;
        }
    }
    *matcher_out = NULL;
    if (status == 0 && strbuf_error(&pattern) != 0) {
        status = query_fail(q, strbuf_error(&pattern), "info() has too many series to look for");
    }
    if (status == 0 && any) {
        status = make_matcher(q, MATCHER_REGEX, name, strbuf_str(&pattern), matcher_out);
    }
    strbuf_release(&pattern);
    return status;
}

/* All conditions on info series. `count_out` 0: nothing is to be looked for. */
static int info_matchers(
    struct info_operator *op, const struct matcher ***matchers_out, size_t *count_out)
{
    struct query *q = op->node.query;
    const struct matcher **matchers =
        arena_calloc(&q->arena, op->matcher_count + 4, sizeof(*matchers));
    if (matchers == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        int status = identity_matcher(op, identifying[i], &matchers[count]);
        if (status != 0) {
            return status;
        }
        count += matchers[count] != NULL;
    }
    *matchers_out = matchers;
    *count_out = 0;
    if (count == 0) {
        return 0;
    }
    for (size_t i = 0; i < op->matcher_count; i++) {
        matchers[count++] = op->matchers[i];
    }
    int status = 0;
    enum name_choice choice = name_choice(op);
    if (choice == NAMES_ANY_INFO) {
        status = make_matcher(
            q, MATCHER_REGEX, STR(LABEL_METRIC_NAME), STR(".+_info"), &matchers[count++]);
    } else if (choice == NAMES_TARGET_INFO) {
        status = make_matcher(
            q, MATCHER_EQUAL, STR(LABEL_METRIC_NAME), STR(TARGET_INFO), &matchers[count++]);
    }
    *count_out = count;
    return status;
}

/* ---- Info series ---- */

static uint64_t identity_of(const struct labels *labels)
{
    return labels_restrict_hash(labels, identifying, 2, true);
}

static int metric_number(struct info_operator *op, struct str name, size_t *number_out)
{
    for (size_t i = 0; i < op->metric_count; i++) {
        if (str_eq(op->metrics[i], name)) {
            *number_out = i;
            return 0;
        }
    }
    if (op->metric_count == INFO_METRICS_MAX) {
        return query_fail(op->node.query, ERR_LIMIT, "info() matches more than %d info metrics",
            INFO_METRICS_MAX);
    }
    *number_out = op->metric_count;
    op->metrics[op->metric_count++] = name;
    return 0;
}

/* At each step the time of the newest sample in the lookback; NaN when it is stale or there is none. */
static bool sample_times(const struct info_operator *op, const struct samples *s,
    const struct expr_when *when, double *times)
{
    const struct grid *grid = op->node.grid;
    bool any = false;
    size_t at = 0;
    for (size_t i = 0; i < grid->steps; i++) {
        int64_t t = when_at(when, grid_at(grid, i));
        while (at < s->float_count && s->float_times[at] <= t) {
            at++;
        }
        bool valid = at > 0 && s->float_times[at - 1] > t - op->node.query->lookback_ms &&
                     !value_is_stale(s->floats[at - 1]);
        times[i] = valid ? (double)s->float_times[at - 1] : NAN;
        any = any || valid;
    }
    return any;
}

/* The times of the first selector of the argument, subqueries around it included: info series are
 * looked up at the same ones. */
struct selector_search {
    struct expr_path path;
    struct expr_when when;
};

static int find_selector(struct expr *expr, struct expr *parent, void *context)
{
    struct selector_search *search = context;
    expr_path_visit(&search->path, expr, parent);
    if (expr->kind != EXPR_SELECTOR) {
        return 0;
    }
    search->when = expr->selector.when;
    for (size_t i = search->path.count; i-- > 0 && search->when.at == AT_NONE;) {
        const struct expr *node = search->path.nodes[i];
        if (node->kind == EXPR_SUBQUERY) {
            search->when.offset_ms += node->subquery.when.offset_ms;
            search->when.at = node->subquery.when.at;
            search->when.at_ms = node->subquery.when.at_ms;
        }
    }
    return 1;
}

static struct expr_when times_of(const struct expr *argument)
{
    struct selector_search search = {.path = {.count = 0}};
    (void)promql_walk((struct expr *)(uintptr_t)argument, find_selector, &search);
    return search.when;
}

static int read_info_series(
    struct info_operator *op, struct series_set *set, const struct expr_when *when)
{
    struct query *q = op->node.query;
    struct samples *samples = arena_alloc(&q->arena, sizeof(*samples));
    op->infos = arena_calloc(&q->arena, set->count + 1, sizeof(*op->infos));
    if (samples == NULL || op->infos == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = samples_init(samples, q);
    for (size_t i = 0; status == 0 && i < set->count; i++) {
        struct info_series *info = &op->infos[op->info_count];
        info->labels = series_labels(set->series[i]);
        info->identity = identity_of(info->labels);
        status = query_check(q);
        if (status == 0) {
            status = samples_load(samples, set->series[i], true);
        }
        if (status == 0 && samples->histogram_count > 0) {
            status =
                query_fail(q, ERR_INTERNAL, "this should be an info metric, with float samples");
        }
        if (status == 0) {
            status = metric_number(op, metric_name(info->labels), &info->metric);
        }
        info->times = arena_alloc(&q->arena, op->node.grid->steps * sizeof(double));
        if (info->times == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (status == 0 && sample_times(op, samples, when, info->times)) {
            op->info_count++;
        }
    }
    return status;
}

static int select_infos(struct info_operator *op)
{
    struct query *q = op->node.query;
    const struct matcher **matchers;
    size_t count;
    int status = info_matchers(op, &matchers, &count);
    if (status != 0 || count == 0) {
        return status;
    }
    struct expr_selector times = {.when = times_of(op->node.expr->call.arguments[0])};
    struct series_set *set;
    status = select_series(q, matchers, count,
        selector_extent(q, &times, 0, op->node.grid->start, grid_end(op->node.grid)), op->node.grid,
        0, &set);
    return status == 0 ? read_info_series(op, set, &times.when) : status;
}

/* ---- Combining ---- */

static int fail_same_time(
    struct info_operator *op, const struct info_series *a, const struct info_series *b, double t)
{
    struct strbuf texts[2] = {STRBUF_INIT, STRBUF_INIT};
    query_write_labels(a->labels, &texts[0]);
    query_write_labels(b->labels, &texts[1]);
    int status = query_fail(op->node.query, ERR_INTERNAL,
        "found duplicate series for info metric: existing %.*s @ %lld, new %.*s @ %lld",
        STR_ARG(strbuf_str(&texts[0])), (long long)t, STR_ARG(strbuf_str(&texts[1])), (long long)t);
    strbuf_release(&texts[0]);
    strbuf_release(&texts[1]);
    return status;
}

/* The newest series of each info metric for an identity at a step. */
static int choose(
    struct info_operator *op, uint64_t identity, size_t step, const struct info_series **chosen)
{
    memset(chosen, 0, INFO_METRICS_MAX * sizeof(*chosen));
    for (size_t i = 0; i < op->info_count; i++) {
        const struct info_series *info = &op->infos[i];
        if (info->identity != identity || isnan(info->times[step])) {
            continue;
        }
        const struct info_series *other = chosen[info->metric];
        if (other != NULL && other->times[step] == info->times[step]) {
            return fail_same_time(op, other, info, info->times[step]);
        }
        if (other == NULL || other->times[step] < info->times[step]) {
            chosen[info->metric] = info;
        }
    }
    return 0;
}

/* Is this label asked for? Without data matchers, all are. */
static bool is_data_label(const struct info_operator *op, struct str name)
{
    bool any = false;
    for (size_t i = 0; i < op->matcher_count; i++) {
        if (is_name_matcher(op->matchers[i])) {
            continue;
        }
        any = true;
        if (str_eq(op->matchers[i]->name, name)) {
            return true;
        }
    }
    return !any;
}

/* A base series without info series passes only when every data matcher takes the empty value. */
static bool passes_alone(const struct info_operator *op)
{
    for (size_t i = 0; i < op->matcher_count; i++) {
        if (!is_name_matcher(op->matchers[i]) && !matcher_matches(op->matchers[i], STR(""))) {
            return false;
        }
    }
    return true;
}

static int enriched_labels(struct info_operator *op, const struct labels *base,
    const struct info_series *const *chosen, const struct labels **labels_out)
{
    struct query *q = op->node.query;
    struct labels_builder builder, added;
    labels_builder_init_from(&builder, base);
    labels_builder_init(&added);
    int status = 0;
    for (size_t m = 0; m < op->metric_count && status == 0; m++) {
        for (size_t i = 0; chosen[m] != NULL && i < labels_count(chosen[m]->labels); i++) {
            struct label label = labels_at(chosen[m]->labels, i);
            struct str other = labels_builder_get(&added, label.name);
            if (str_eq_c(label.name, LABEL_METRIC_NAME) || !is_data_label(op, label.name)) {
                continue;
            }
            if (other.len > 0 && !str_eq(other, label.value)) {
                status =
                    query_fail(q, ERR_INTERNAL, "conflicting label: %.*s", STR_ARG(label.name));
                break;
            }
            if (!labels_has(base, label.name)) {
                labels_builder_set(&added, label.name, label.value);
                labels_builder_set(&builder, label.name, label.value);
            }
        }
    }
    if (status == 0) {
        status = labels_builder_finish(&builder, labels_out);
        status = status == 0 ? query_own_labels(q, *labels_out)
                             : query_fail(q, status, "%s", err_text(status));
    }
    labels_builder_release(&added);
    labels_builder_release(&builder);
    return status;
}

/* One base series: runs of steps with the same info series become one output each. */
static int combine(struct info_operator *op, struct step_series *base, struct step_series *part)
{
    struct query *q = op->node.query;
    const struct grid *grid = op->node.grid;
    uint64_t identity = identity_of(base->labels);
    const struct info_series *chosen[INFO_METRICS_MAX], *current[INFO_METRICS_MAX];
    bool open = false;
    int status = 0;
    for (size_t i = 0; status == 0 && i < grid->steps; i++) {
        if (base->kinds[i] == SAMPLE_ABSENT) {
            continue;
        }
        status = choose(op, identity, i, chosen);
        bool any = false;
        for (size_t m = 0; m < op->metric_count; m++) {
            any = any || chosen[m] != NULL;
        }
        if (status != 0 || (!any && !passes_alone(op))) {
            continue;
        }
        if (open && memcmp(chosen, current, sizeof(chosen)) != 0) {
            status = series_store_add(&op->out, part);
            open = false;
        }
        if (status == 0 && !open) {
            const struct histogram **histograms = part->histograms;
            memset(part->kinds, SAMPLE_ABSENT, grid->steps);
            part->drop_name = base->drop_name;
            part->has_histograms = false;
            part->histograms = histograms;
            memcpy(current, chosen, sizeof(chosen));
            open = true;
            status = enriched_labels(op, base->labels, chosen, &part->labels);
        }
        if (status == 0 && base->kinds[i] == SAMPLE_HISTOGRAM && !part->has_histograms) {
            status = step_series_use_histograms(q, part, grid);
        }
        if (status == 0) {
            part->kinds[i] = base->kinds[i];
            part->values[i] = base->values[i];
            if (base->kinds[i] == SAMPLE_HISTOGRAM) {
                part->histograms[i] = base->histograms[i];
            }
        }
    }
    return status == 0 && open ? series_store_add(&op->out, part) : status;
}

static int combine_all(struct info_operator *op)
{
    struct step_series *part = step_series_new(op->node.query, op->node.grid);
    if (part == NULL) {
        return op->node.query->e->code;
    }
    for (size_t i = 0; i < op->base.count; i++) {
        struct step_series *base = &op->base.items[i];
        int status = query_check(op->node.query);
        if (status == 0) {
            status = is_info_name(op, metric_name(base->labels)) ? series_store_add(&op->out, base)
                                                                 : combine(op, base, part);
        }
        if (status != 0) {
            return status;
        }
    }
    return series_store_merge(&op->out);
}

static int info_next(struct operator_node *node, struct step_series **series_out)
{
    struct info_operator *op = (struct info_operator *)node;
    if (op->next == op->out.count) {
        return 0;
    }
    *series_out = &op->out.items[op->next++];
    return 1;
}

int plan_info(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {info_next};
    const struct expr_call *call = &expr->call;
    struct info_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    if (call->argument_count > 1) {
        op->matchers = call->arguments[1]->selector.matchers;
        op->matcher_count = call->arguments[1]->selector.matcher_count;
    }
    struct operator_node *child;
    series_store_init(&op->base, q, grid);
    series_store_init(&op->out, q, grid);
    int status = plan_build(q, call->arguments[0], grid, &child);
    if (status == 0) {
        status = series_store_drain(&op->base, child);
    }
    if (status == 0) {
        status = select_infos(op);
    }
    if (status == 0) {
        status = combine_all(op);
    }
    if (status == 0) {
        *op_out = &op->node;
    }
    return status;
}
