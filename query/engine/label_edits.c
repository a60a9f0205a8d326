/* Functions of MetricsQL that change labels of series one by one, or choose series by them.
 *
 *   label_keep(v, "l", …)              these labels alone
 *   label_lowercase(v, "l", …)         ASCII letters of values; label_uppercase likewise
 *   label_map(v, "l", "from", "to", …) whole values, all at once
 *   label_match(v, "l", "pattern")     series whose value matches as a whole; label_mismatch the others
 *   label_transform(v, "l", "pattern", "replacement")   every match in the value
 *   label_value(v, "l")                the label's value as a number, where the series has one
 *   labels_equal(v, "l", "m", …)       series where these labels have the same value
 *
 * A label that is not there has the value "". Names of metrics stay, but with label_value.
 */
#include "base/mem.h"
#include "base/regex.h"
#include "operator.h"

struct edit_operator {
    struct operator_node node;
    struct operator_node *child;
    enum function_id id;
    const struct expr_call *call;
    struct regex *regex; /* of those that have one */
};

static struct str argument(const struct edit_operator *op, size_t i)
{
    return op->call->arguments[i]->string;
}

/* ---- Changing ---- */

static int take_labels(struct edit_operator *op, struct step_series *s, const struct labels *labels)
{
    s->labels = labels;
    return query_own_labels(op->node.query, labels);
}

static int fail(struct edit_operator *op, int status)
{
    return query_fail(op->node.query, status, "%s", err_text(status));
}

static int set_value(
    struct edit_operator *op, struct step_series *s, struct str name, const struct strbuf *value)
{
    struct labels_builder builder;
    const struct labels *labels = NULL;
    if (strbuf_error(value) != 0) {
        return query_fail(op->node.query, strbuf_error(value), "label value is too long");
    }
    labels_builder_init_from(&builder, s->labels);
    labels_builder_set(&builder, name, strbuf_str(value));
    int status = labels_builder_finish(&builder, &labels);
    labels_builder_release(&builder);
    return status == 0 ? take_labels(op, s, labels) : fail(op, status);
}

static int keep(struct edit_operator *op, struct step_series *s)
{
    struct labels_builder builder;
    const struct labels *labels = NULL;
    labels_builder_init(&builder);
    for (size_t i = 1; i < op->call->argument_count; i++) {
        labels_builder_set(&builder, argument(op, i), labels_get(s->labels, argument(op, i)));
    }
    int status = labels_builder_finish(&builder, &labels);
    labels_builder_release(&builder);
    return status == 0 ? take_labels(op, s, labels) : fail(op, status);
}

static void add_letters(struct strbuf *out, struct str text, bool upper)
{
    const char first = upper ? 'a' : 'A', last = upper ? 'z' : 'Z';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        strbuf_add_char(out, c >= first && c <= last ? (char)(c ^ ('a' ^ 'A')) : c);
    }
}

static int change_letters(struct edit_operator *op, struct step_series *s)
{
    int status = 0;
    for (size_t i = 1; status == 0 && i < op->call->argument_count; i++) {
        struct strbuf value;
        strbuf_init(&value, LABELS_BYTES_MAX);
        add_letters(
            &value, labels_get(s->labels, argument(op, i)), op->id == FUNCTION_LABEL_UPPERCASE);
        status = set_value(op, s, argument(op, i), &value);
        strbuf_release(&value);
    }
    return status;
}

static int map_value(struct edit_operator *op, struct step_series *s)
{
    struct str before = labels_get(s->labels, argument(op, 1));
    for (size_t i = 2; i + 1 < op->call->argument_count; i += 2) {
        if (str_eq(argument(op, i), before)) {
            struct strbuf value;
            strbuf_init(&value, LABELS_BYTES_MAX);
            strbuf_add_str(&value, argument(op, i + 1));
            int status = set_value(op, s, argument(op, 1), &value);
            strbuf_release(&value);
            return status;
        }
    }
    return 0;
}

static int transform(struct edit_operator *op, struct step_series *s)
{
    struct strbuf value;
    strbuf_init(&value, LABELS_BYTES_MAX);
    int status = regex_replace_all(
        op->regex, labels_get(s->labels, argument(op, 1)), argument(op, 3), &value);
    status = status == 0 ? set_value(op, s, argument(op, 1), &value) : fail(op, status);
    strbuf_release(&value);
    return status;
}

/* ---- Choosing ---- */

static bool are_equal(const struct edit_operator *op, const struct step_series *s)
{
    struct str first = labels_get(s->labels, argument(op, 1));
    for (size_t i = 2; i < op->call->argument_count; i++) {
        if (!str_eq(labels_get(s->labels, argument(op, i)), first)) {
            return false;
        }
    }
    return true;
}

/* The values of the series become that of the label; false when it is no number. */
static bool take_number(const struct edit_operator *op, struct step_series *s)
{
    double number;
    if (str_to_double(labels_get(s->labels, argument(op, 1)), &number) != 0) {
        return false;
    }
    for (size_t i = 0; i < op->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_ABSENT) {
            s->kinds[i] = SAMPLE_FLOAT;
            s->values[i] = number;
        }
    }
    s->has_histograms = false;
    return true;
}

static bool is_chosen(const struct edit_operator *op, struct step_series *s)
{
    switch (op->id) {
    case FUNCTION_LABELS_EQUAL:
        return are_equal(op, s);
    case FUNCTION_LABEL_MATCH:
    case FUNCTION_LABEL_MISMATCH:
        return regex_matches(op->regex, labels_get(s->labels, argument(op, 1))) ==
               (op->id == FUNCTION_LABEL_MATCH);
    case FUNCTION_LABEL_VALUE:
        return take_number(op, s);
    default:
        return true;
    }
}

static int edit(struct edit_operator *op, struct step_series *s)
{
    switch (op->id) {
    case FUNCTION_LABEL_KEEP:
        return keep(op, s);
    case FUNCTION_LABEL_LOWERCASE:
    case FUNCTION_LABEL_UPPERCASE:
        return change_letters(op, s);
    case FUNCTION_LABEL_MAP:
        return map_value(op, s);
    case FUNCTION_LABEL_TRANSFORM:
        return transform(op, s);
    case FUNCTION_LABEL_VALUE:
        return op->node.expr->keep_name ? 0 : step_series_drop_name(op->node.query, s);
    default:
        return 0;
    }
}

static int edit_next(struct operator_node *node, struct step_series **series_out)
{
    struct edit_operator *op = (struct edit_operator *)node;
    int more;
    while ((more = operator_next(op->child, series_out)) > 0) {
        if (is_chosen(op, *series_out)) {
            int status = edit(op, *series_out);
            return status == 0 ? 1 : status;
        }
    }
    return more;
}

/* ---- Planning ---- */

static void free_regex(void *regex)
{
    regex_free(regex);
}

static int prepare_regex(struct query *q, struct edit_operator *op)
{
    struct err e = ERR_INIT;
    struct str pattern = argument(op, 2);
    int status = op->id == FUNCTION_LABEL_TRANSFORM ? regex_new_unanchored(pattern, &op->regex, &e)
                                                    : regex_new(pattern, &op->regex, &e);
    if (status != 0) {
        return query_fail(q, ERR_INTERNAL, "invalid regular expression in %s(): %.*s",
            op->call->function->name, STR_ARG(pattern));
    }
    if (arena_on_release(&q->arena, free_regex, op->regex) != 0) {
        regex_free(op->regex);
        return query_fail_memory(q, &q->arena);
    }
    return 0;
}

int plan_label_edit(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {edit_next};
    struct edit_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->call = &expr->call;
    op->id = expr->call.function->id;
    int status = 0;
    if (op->id == FUNCTION_LABEL_MAP && op->call->argument_count % 2 != 0) {
        status = query_fail(q, ERR_INTERNAL, "label_map() wants pairs of values behind the label");
    } else if (op->id == FUNCTION_LABEL_MATCH || op->id == FUNCTION_LABEL_MISMATCH ||
               op->id == FUNCTION_LABEL_TRANSFORM) {
        status = prepare_regex(q, op);
    }
    if (status == 0) {
        status = plan_build(q, expr->call.arguments[0], grid, &op->child);
    }
    return status == 0 ? plan_distinct(q, &op->node, op_out) : status;
}
