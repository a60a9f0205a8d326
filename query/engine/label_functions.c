/* label_replace and label_join: series keep their values and get other labels. */
#include "base/regex.h"
#include "operator.h"

struct label_operator {
    struct operator_node node;
    struct operator_node *child;
    struct str destination;
    /* label_replace */
    struct regex *regex;
    struct str source, replacement;
    /* label_join */
    struct str separator;
    size_t first_source; /* argument */
};

static int set_label(struct label_operator *op, struct step_series *s, struct str value)
{
    struct query *q = op->node.query;
    struct labels_builder builder;
    const struct labels *labels;
    labels_builder_init_from(&builder, s->labels);
    labels_builder_set(&builder, op->destination, value);
    int status = labels_builder_finish(&builder, &labels);
    labels_builder_release(&builder);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    s->labels = labels;
    if (str_eq_c(op->destination, LABEL_METRIC_NAME)) {
        s->drop_name = false;
    }
    return query_own_labels(q, labels);
}

static int replace(struct label_operator *op, struct step_series *s)
{
    struct strbuf value;
    strbuf_init(&value, LABELS_BYTES_MAX);
    int matched =
        regex_expand(op->regex, labels_get(s->labels, op->source), op->replacement, &value);
    int status = 0;
    if (matched > 0) {
        status = strbuf_error(&value) == 0
                     ? set_label(op, s, strbuf_str(&value))
                     : query_fail(op->node.query, strbuf_error(&value), "label value is too long");
    }
    strbuf_release(&value);
    return status;
}

static int join(struct label_operator *op, struct step_series *s)
{
    const struct expr_call *call = &op->node.expr->call;
    struct strbuf value;
    strbuf_init(&value, LABELS_BYTES_MAX);
    for (size_t i = op->first_source; i < call->argument_count; i++) {
        if (i > op->first_source) {
            strbuf_add_str(&value, op->separator);
        }
        strbuf_add_str(&value, labels_get(s->labels, call->arguments[i]->string));
    }
    int status = strbuf_error(&value) == 0
                     ? set_label(op, s, strbuf_str(&value))
                     : query_fail(op->node.query, strbuf_error(&value), "label value is too long");
    strbuf_release(&value);
    return status;
}

static int label_next(struct operator_node *node, struct step_series **series_out)
{
    struct label_operator *op = (struct label_operator *)node;
    int more = operator_next(op->child, series_out);
    if (more <= 0) {
        return more;
    }
    int status = op->regex != NULL ? replace(op, *series_out) : join(op, *series_out);
    return status == 0 ? 1 : status;
}

static bool is_label_name(struct str name)
{
    return name.len > 0 && str_is_utf8(name);
}

static void free_regex(void *regex)
{
    regex_free(regex);
}

static int prepare_replace(struct query *q, struct label_operator *op, const struct expr_call *call)
{
    struct str pattern = call->arguments[4]->string;
    op->replacement = call->arguments[2]->string;
    op->source = call->arguments[3]->string;
    int status = regex_new(pattern, &op->regex, NULL);
    if (status == ERR_NOMEM) {
        return query_fail(q, status, "%s", err_text(status));
    }
    if (status != 0) {
        return query_fail(q, ERR_INTERNAL, "invalid regular expression in label_replace(): %.*s",
            STR_ARG(pattern));
    }
    if (arena_on_release(&q->arena, free_regex, op->regex) != 0) {
        regex_free(op->regex);
        return query_fail_memory(q, &q->arena);
    }
    if (!is_label_name(op->destination)) {
        return query_fail(q, ERR_INTERNAL,
            "invalid destination label name in label_replace(): %.*s", STR_ARG(op->destination));
    }
    return 0;
}

static int prepare_join(struct query *q, struct label_operator *op, const struct expr_call *call)
{
    op->separator = call->arguments[2]->string;
    op->first_source = 3;
    for (size_t i = 3; i < call->argument_count; i++) {
        if (!is_label_name(call->arguments[i]->string)) {
            return query_fail(q, ERR_INTERNAL, "invalid source label name in label_join(): %.*s",
                STR_ARG(call->arguments[i]->string));
        }
    }
    if (!is_label_name(op->destination)) {
        return query_fail(q, ERR_INTERNAL, "invalid destination label name in label_join(): %.*s",
            STR_ARG(op->destination));
    }
    return 0;
}

int plan_label_function(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {label_next};
    const struct expr_call *call = &expr->call;
    struct label_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->destination = call->arguments[1]->string;
    int status = call->function->id == FUNCTION_LABEL_REPLACE ? prepare_replace(q, op, call)
                                                              : prepare_join(q, op, call);
    if (status == 0) {
        status = plan_build(q, call->arguments[0], grid, &op->child);
    }
    return status == 0 ? plan_distinct(q, &op->node, op_out) : status;
}
