/* histogram_quantile, histogram_quantiles and histogram_fraction over vectors.
 *
 * Native histograms are answered series by series as they come. Series of classic buckets are gathered
 * by their labels without `le`, and answered step by step when all are there. Where a classic and a
 * native histogram of the same labels meet at a step, neither is answered, with a warning.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "histogram_quantile.h"
#include "operator.h"

/* A series of one bucket. */
struct bucket_series {
    double upper;
    const struct step_series *values; /* kept in the store */
    size_t next;                      /* of the same histogram; SIZE_MAX = last */
};

/* A classic histogram: its labels without `le`, with the name. */
struct classic {
    const struct labels *labels;
    bool drop_name;
    size_t first, count;
};

struct histogram_operator {
    struct operator_node node;
    enum function_id id;
    const struct expr *argument;
    const struct expr *const *scalars_expr;
    const double *scalars[10]; /* quantiles, or the two ends of a fraction */
    size_t scalar_count;
    struct str quantile_label; /* histogram_quantiles */
    struct operator_node *child;
    /* Answers of native histograms, one series each and quantile, with conflicts cut out. */
    struct series_store native;
    struct id_map native_ids; /* by labels: first of its answers in `native` */
    struct series_store buckets;
    struct bucket_series *bucket_rows;
    size_t bucket_cap;
    struct id_map classic_ids;
    struct classic *classics;
    size_t classic_count, classic_cap;
    bool consumed;
    size_t next_native, next_classic, next_quantile;
    struct step_series *out;
    struct arena *scratch;
    struct classic_bucket *row;
    size_t row_cap;
};

static struct str shown_name(const struct histogram_operator *op, const struct labels *labels)
{
    // Without delayed removal the name is gone by the time these are made.
    return op->node.query->options->delayed_name_removal ? metric_name(labels) : STR("");
}

/* " for metric name "x"", or nothing. */
static int annotate_named(struct histogram_operator *op, enum annotation_kind kind,
    const struct labels *labels, const char *sentence)
{
    struct str name = shown_name(op, labels);
    if (name.len == 0) {
        return query_annotate(op->node.query, kind, op->argument, "%s", sentence);
    }
    return query_annotate(
        op->node.query, kind, op->argument, "%s for metric name \"%.*s\"", sentence, STR_ARG(name));
}

/* ---- Reading ---- */

static int add_bucket(struct histogram_operator *op, const struct step_series *s, double upper)
{
    struct query *q = op->node.query;
    static const struct str le = {"le", 2};
    uint32_t id;
    bool is_new;
    int status =
        id_map_get(&op->classic_ids, labels_restrict_hash(s->labels, &le, 1, false), &id, &is_new);
    if (status == 0 && id >= op->classic_cap) {
        size_t cap = op->classic_cap > 0 ? op->classic_cap * 2 : 32;
        struct classic *grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (op->classic_cap > 0) {
            memcpy(grown, op->classics, op->classic_cap * sizeof(*grown));
        }
        op->classics = grown;
        op->classic_cap = cap;
    }
    struct classic *c = &op->classics[id];
    if (status == 0 && is_new) {
        *c = (struct classic){.first = SIZE_MAX};
        op->classic_count = id + 1;
        status = labels_restrict(s->labels, &le, 1, false, &c->labels);
        status = status == 0 ? query_own_labels(q, c->labels)
                             : query_fail(q, status, "%s", err_text(status));
    }
    if (status == 0) {
        status = series_store_add(&op->buckets, s);
    }
    if (status == 0 && op->buckets.count > op->bucket_cap) {
        size_t cap = op->bucket_cap > 0 ? op->bucket_cap * 2 : 64;
        struct bucket_series *grown = arena_alloc(&q->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (op->bucket_cap > 0) {
            memcpy(grown, op->bucket_rows, op->bucket_cap * sizeof(*grown));
        }
        op->bucket_rows = grown;
        op->bucket_cap = cap;
    }
    if (status == 0) {
        size_t at = op->buckets.count - 1;
        op->bucket_rows[at] = (struct bucket_series){upper, NULL, c->first};
        c->first = at;
        c->count++;
        c->drop_name = c->drop_name || s->drop_name;
    }
    return status;
}

static int annotate_native(
    struct histogram_operator *op, const struct labels *labels, unsigned notes)
{
    int status = 0;
    if (notes & QUANTILE_NOTE_NAN_RESULT) {
        status = annotate_named(op, ANNOTATION_INFO, labels,
            "input to histogram_quantile has NaN observations, result is NaN");
    }
    if (status == 0 && (notes & QUANTILE_NOTE_NAN_SKEW)) {
        status = annotate_named(op, ANNOTATION_INFO, labels,
            op->id == FUNCTION_HISTOGRAM_FRACTION
                ? "input to histogram_fraction has NaN observations, which are excluded from all "
                  "fractions"
                : "input to histogram_quantile has NaN observations, result is skewed higher");
    }
    return status;
}

/* The answers of one series of native histograms, into the store: one for each quantile. */
static int add_native(struct histogram_operator *op, const struct step_series *s)
{
    struct query *q = op->node.query;
    bool fraction = op->id == FUNCTION_HISTOGRAM_FRACTION;
    size_t answers = fraction ? 1 : op->scalar_count;
    uint32_t id;
    bool is_new;
    int status = id_map_get(&op->native_ids, labels_hash(s->labels), &id, &is_new);
    for (size_t k = 0; status == 0 && k < answers; k++) {
        step_series_clear(op->out, op->node.grid);
        op->out->labels = s->labels;
        op->out->drop_name = s->drop_name;
        for (size_t i = 0; status == 0 && i < op->node.grid->steps; i++) {
            if (s->kinds[i] != SAMPLE_HISTOGRAM) {
                continue;
            }
            unsigned notes = 0;
            const struct histogram *h = s->histograms[i];
            double *value = &op->out->values[i];
            int failed = fraction
                             ? native_fraction(h, op->scalars[0][i], op->scalars[1][i], op->scratch,
                                   value, &notes)
                             : native_quantile(h, op->scalars[k][i], op->scratch, value, &notes);
            op->out->kinds[i] = SAMPLE_FLOAT;
            status = failed != 0 ? query_fail_memory(q, op->scratch)
                                 : annotate_native(op, s->labels, notes);
        }
        if (status == 0) {
            status = series_store_add(&op->native, op->out);
        }
    }
    return status;
}

static int warn_bad_bucket(struct histogram_operator *op, const struct labels *labels)
{
    struct str name = shown_name(op, labels), le = labels_get(labels, STR("le"));
    struct strbuf quoted = STRBUF_INIT;
    promql_write_quoted(le, &quoted);
    int status = query_annotate(op->node.query, ANNOTATION_WARNING, op->argument,
        "bucket label \"le\" is missing or has a malformed value of %s%s%.*s%s",
        quoted.data != NULL ? quoted.data : "", name.len > 0 ? " for metric name \"" : "",
        STR_ARG(name), name.len > 0 ? "\"" : "");
    strbuf_release(&quoted);
    return status;
}

static int add_series(struct histogram_operator *op, struct step_series *s)
{
    bool floats = false;
    for (size_t i = 0; i < op->node.grid->steps && !floats; i++) {
        floats = s->kinds[i] == SAMPLE_FLOAT;
    }
    int status = s->has_histograms ? add_native(op, s) : 0;
    if (status != 0 || !floats) {
        return status;
    }
    double upper;
    if (str_to_double(labels_get(s->labels, STR("le")), &upper) != 0) {
        return warn_bad_bucket(op, s->labels);
    }
    for (size_t i = 0; s->has_histograms && i < op->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_HISTOGRAM) {
            s->kinds[i] = SAMPLE_ABSENT;
        }
    }
    s->has_histograms = false;
    return add_bucket(op, s, upper);
}

/* ---- Classic against native ---- */

static bool classic_has(const struct histogram_operator *op, const struct classic *c, size_t step)
{
    for (size_t at = c->first; at != SIZE_MAX; at = op->bucket_rows[at].next) {
        if (op->buckets.items[at].kinds[step] != SAMPLE_ABSENT) {
            return true;
        }
    }
    return false;
}

/* Where both kinds of the same labels have a value, both lose it. */
static int settle_conflicts(struct histogram_operator *op)
{
    for (size_t n = 0; n < op->native.count; n++) {
        struct step_series *native = &op->native.items[n];
        int64_t id =
            id_map_find(&op->classic_ids, labels_restrict_hash(native->labels, NULL, 0, false));
        if (id < 0) {
            continue;
        }
        struct classic *c = &op->classics[id];
        for (size_t i = 0; i < op->node.grid->steps; i++) {
            if (native->kinds[i] == SAMPLE_ABSENT || !classic_has(op, c, i)) {
                continue;
            }
            int status = annotate_named(op, ANNOTATION_WARNING, native->labels,
                "vector contains a mix of classic and native histograms");
            if (status != 0) {
                return status;
            }
            native->kinds[i] = SAMPLE_HISTOGRAM; // marked; see below
        }
    }
    for (size_t n = 0; n < op->native.count; n++) {
        struct step_series *native = &op->native.items[n];
        int64_t id =
            id_map_find(&op->classic_ids, labels_restrict_hash(native->labels, NULL, 0, false));
        for (size_t i = 0; i < op->node.grid->steps; i++) {
            if (native->kinds[i] != SAMPLE_HISTOGRAM) {
                continue;
            }
            native->kinds[i] = SAMPLE_ABSENT;
            for (size_t at = op->classics[id].first; at != SIZE_MAX;
                 at = op->bucket_rows[at].next) {
                op->buckets.items[at].kinds[i] = SAMPLE_ABSENT;
            }
        }
    }
    return 0;
}

static int consume(struct histogram_operator *op)
{
    struct step_series *s;
    int more;
    while ((more = operator_next(op->child, &s)) > 0) {
        int status = query_check(op->node.query);
        if (status == 0 && step_series_count(s, op->node.grid) > 0) {
            status = add_series(op, s);
        }
        if (status != 0) {
            return status;
        }
    }
    return more < 0 ? more : settle_conflicts(op);
}

/* ---- Classic answers ---- */

static int note_repair(struct histogram_operator *op, const struct labels *labels, size_t step,
    const struct classic_repair *repair)
{
    struct query *q = op->node.query;
    struct str name = shown_name(op, labels);
    char text[ERR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text),
        "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
        "%s%.*s%s",
        name.len > 0 ? " for metric name \"" : "", STR_ARG(name), name.len > 0 ? "\"" : "");
    int64_t t = grid_at(op->node.grid, step);
    const struct monotonicity_span span = {
        t, t, repair->min_bucket, repair->max_bucket, repair->max_difference, 1};
    int status =
        annotations_add_monotonicity(&q->annotations, op->argument->position.start, text, &span);
    return status == 0 ? 0 : query_fail_memory(q, &q->arena);
}

static int classic_step(
    struct histogram_operator *op, const struct classic *c, size_t quantile, size_t step)
{
    size_t count = 0;
    for (size_t at = c->first; at != SIZE_MAX; at = op->bucket_rows[at].next) {
        const struct step_series *s = &op->buckets.items[at];
        if (s->kinds[step] == SAMPLE_FLOAT) {
            op->row[count++] = (struct classic_bucket){op->bucket_rows[at].upper, s->values[step]};
        }
    }
    if (count == 0) {
        return 0;
    }
    op->out->kinds[step] = SAMPLE_FLOAT;
    if (op->id == FUNCTION_HISTOGRAM_FRACTION) {
        op->out->values[step] =
            classic_fraction(op->row, count, op->scalars[0][step], op->scalars[1][step]);
        return 0;
    }
    struct classic_repair repair;
    op->out->values[step] = classic_quantile(op->row, count, op->scalars[quantile][step], &repair);
    return repair.forced ? note_repair(op, c->labels, step, &repair) : 0;
}

static int next_classic(struct histogram_operator *op)
{
    const struct classic *c = &op->classics[op->next_classic];
    struct query *q = op->node.query;
    int status = mem_array_grow(
        (void **)&op->row, &op->row_cap, c->count, sizeof(*op->row), (size_t)1 << 27);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    step_series_clear(op->out, op->node.grid);
    op->out->labels = c->labels;
    op->out->drop_name = c->drop_name;
    for (size_t i = 0; status == 0 && i < op->node.grid->steps; i++) {
        status = classic_step(op, c, op->next_quantile, i);
    }
    return status != 0 ? status : query_check(q);
}

/* ---- Handing out ---- */

/* OpenMetrics' form of a number: 1.0, 0.5, 1e+10. */
static void write_quantile(double q, struct strbuf *out)
{
    char text[FP_TEXT_MAX];
    size_t length = fp_format_short(q, text);
    strbuf_add(out, text, length);
    bool plain = isfinite(q);
    for (size_t i = 0; i < length; i++) {
        plain = plain && text[i] != '.' && text[i] != 'e';
    }
    strbuf_add_c(out, plain ? ".0" : "");
}

static int finish_series(struct histogram_operator *op, struct step_series *s, size_t quantile)
{
    struct query *q = op->node.query;
    int status = step_series_drop_name(q, s);
    if (status != 0 || op->id != FUNCTION_HISTOGRAM_QUANTILES) {
        return status;
    }
    struct strbuf text = STRBUF_INIT;
    struct labels_builder builder;
    const struct labels *labels;
    write_quantile(op->scalars[quantile][0], &text);
    labels_builder_init_from(&builder, s->labels);
    labels_builder_set(&builder, op->quantile_label, strbuf_str(&text));
    status = strbuf_error(&text);
    status = status == 0 ? labels_builder_finish(&builder, &labels) : status;
    labels_builder_release(&builder);
    strbuf_release(&text);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    s->labels = labels;
    return query_own_labels(q, labels);
}

static int histogram_next(struct operator_node *node, struct step_series **series_out)
{
    struct histogram_operator *op = (struct histogram_operator *)node;
    bool fraction = op->id == FUNCTION_HISTOGRAM_FRACTION;
    size_t answers = fraction ? 1 : op->scalar_count;
    int status = 0;
    if (!op->consumed) {
        op->consumed = true;
        status = consume(op);
    }
    if (status == 0 && op->next_native < op->native.count) {
        size_t at = op->next_native++;
        *series_out = &op->native.items[at];
        status = finish_series(op, *series_out, at % answers);
        return status == 0 ? 1 : status;
    }
    if (status != 0 || op->next_classic == op->classic_count) {
        return status;
    }
    status = next_classic(op);
    if (status == 0) {
        status = finish_series(op, op->out, op->next_quantile);
    }
    if (++op->next_quantile == answers) {
        op->next_quantile = 0;
        op->next_classic++;
    }
    *series_out = op->out;
    return status == 0 ? 1 : status;
}

/* ---- Planning ---- */

static int check_quantiles(struct histogram_operator *op, const struct expr *argument, size_t k)
{
    double shown = 0;
    bool warned = false;
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        double q = op->scalars[k][i];
        bool same = warned && (q == shown || (isnan(q) && isnan(shown)));
        if (!(q >= 0 && q <= 1) && !same) {
            char text[FP_TEXT_MAX];
            text[fp_format_short(q, text)] = '\0';
            int status = query_annotate(op->node.query, ANNOTATION_WARNING, argument,
                "quantile value should be between 0 and 1, got %s", text);
            if (status != 0) {
                return status;
            }
            warned = true;
            shown = q;
        }
    }
    return 0;
}

static void release_row(void *object)
{
    struct histogram_operator *op = object;
    mem_free(op->row);
}

static int plan_scalars(
    struct query *q, struct histogram_operator *op, const struct expr_call *call)
{
    bool fraction = op->id == FUNCTION_HISTOGRAM_FRACTION;
    for (size_t i = 0; i < call->argument_count; i++) {
        const struct expr *argument = call->arguments[i];
        if (argument->type == PROMQL_VECTOR) {
            op->argument = argument;
        } else if (argument->type == PROMQL_STRING) {
            op->quantile_label = argument->string;
        } else {
            size_t k = op->scalar_count++;
            int status = scalar_values(q, argument, op->node.grid, &op->scalars[k]);
            if (status == 0 && !fraction) {
                status = check_quantiles(op, argument, k);
            }
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

int plan_histogram_quantile(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {histogram_next};
    const struct expr_call *call = &expr->call;
    struct histogram_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->id = call->function->id;
    op->out = step_series_new(q, grid);
    op->scratch = query_scratch(q);
    if (op->out == NULL || op->scratch == NULL) {
        return q->e->code;
    }
    if (arena_on_release(&q->arena, release_row, op) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    series_store_init(&op->native, q, grid);
    series_store_init(&op->buckets, q, grid);
    id_map_init(&op->native_ids, q);
    id_map_init(&op->classic_ids, q);
    int status = plan_scalars(q, op, call);
    if (status == 0) {
        status = plan_build(q, op->argument, grid, &op->child);
    }
    return status == 0 ? plan_unique(q, &op->node, op_out) : status;
}
