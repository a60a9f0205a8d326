/* count_values: how many series have each value, as series that carry the value in a label. */
#include <math.h>

#include "base/fpconv.h"
#include "groups.h"

struct count_operator {
    struct operator_node node;
    struct operator_node *child;
    struct str label;
    struct groups groups;
    double **counts; /* by group: one a step */
    size_t cap;
    bool consumed;
    size_t next;
    struct step_series *out;
};

static int group_of(struct count_operator *c, const struct step_series *s, size_t step,
    struct strbuf *text, uint32_t *group_out)
{
    struct query *q = c->node.query;
    strbuf_reset(text);
    if (s->kinds[step] == SAMPLE_HISTOGRAM) {
        histogram_write(s->histograms[step], text);
    } else {
        char number[FP_PLAIN_TEXT_MAX];
        strbuf_add(text, number, fp_format_plain(s->values[step], number));
    }
    if (strbuf_error(text) != 0) {
        return query_fail(q, strbuf_error(text), "label value is too long");
    }
    struct labels_builder builder;
    const struct labels *labels;
    labels_builder_init_from(&builder, s->labels);
    labels_builder_set(&builder, c->label, strbuf_str(text));
    int status = labels_builder_finish(&builder, &labels);
    labels_builder_release(&builder);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    bool is_new;
    status = groups_find(&c->groups, labels, group_out, &is_new);
    labels_unref(labels);
    if (status != 0 || !is_new) {
        return status;
    }
    if (*group_out >= c->cap) {
        size_t cap = c->cap > 0 ? c->cap * 2 : 16;
        double **grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (c->cap > 0) {
            memcpy(grown, c->counts, c->cap * sizeof(*grown));
        }
        c->counts = grown;
        c->cap = cap;
    }
    c->counts[*group_out] = arena_calloc(&q->arena, c->node.grid->steps, sizeof(double));
    return c->counts[*group_out] != NULL ? query_hold_samples(q, c->node.grid->steps)
                                         : query_fail_memory(q, &q->arena);
}

/* A value that is the same as at the step before needs no text. */
static int add_series(struct count_operator *c, const struct step_series *s, struct strbuf *text)
{
    uint32_t group = 0;
    bool known = false;
    double last = 0;
    for (size_t i = 0; i < c->node.grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_ABSENT) {
            continue;
        }
        bool same =
            known && s->kinds[i] == SAMPLE_FLOAT && memcmp(&last, &s->values[i], sizeof(last)) == 0;
        if (!same) {
            int status = group_of(c, s, i, text, &group);
            if (status != 0) {
                return status;
            }
            known = s->kinds[i] == SAMPLE_FLOAT;
            last = s->values[i];
        }
        c->counts[group][i]++;
    }
    return 0;
}

static int consume(struct count_operator *c)
{
    struct step_series *s;
    struct strbuf text;
    strbuf_init(&text, LABELS_BYTES_MAX);
    int more, status = 0;
    while (status == 0 && (more = operator_next(c->child, &s)) != 0) {
        status = more > 0 ? query_check(c->node.query) : more;
        if (status == 0) {
            status = add_series(c, s, &text);
        }
    }
    strbuf_release(&text);
    return status;
}

static int count_next(struct operator_node *node, struct step_series **series_out)
{
    struct count_operator *c = (struct count_operator *)node;
    if (!c->consumed) {
        int status = consume(c);
        if (status != 0) {
            return status;
        }
        c->consumed = true;
    }
    if (c->next == c->groups.count) {
        return 0;
    }
    size_t group = c->next++;
    step_series_clear(c->out, node->grid);
    c->out->labels = c->groups.labels[group];
    for (size_t i = 0; i < node->grid->steps; i++) {
        c->out->values[i] = c->counts[group][i];
        c->out->kinds[i] = c->counts[group][i] > 0 ? SAMPLE_FLOAT : SAMPLE_ABSENT;
    }
    *series_out = c->out;
    return 1;
}

int plan_count_values(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {count_next};
    struct count_operator *c = operator_new(q, sizeof(*c), &ops, expr, grid);
    if (c == NULL) {
        return q->e->code;
    }
    c->label = expr->aggregate.parameter->string;
    if (c->label.len == 0 || !str_is_utf8(c->label)) {
        struct strbuf quoted = STRBUF_INIT;
        promql_write_quoted(c->label, &quoted);
        int failed = query_fail(
            q, ERR_INTERNAL, "invalid label name %s", quoted.data != NULL ? quoted.data : "");
        strbuf_release(&quoted);
        return failed;
    }
    c->out = step_series_new(q, grid);
    if (c->out == NULL) {
        return q->e->code;
    }
    int status = groups_init(&c->groups, q, &expr->aggregate, c->label);
    if (status == 0) {
        status = plan_build(q, expr->aggregate.expr, grid, &c->child);
    }
    if (status == 0) {
        *op_out = &c->node;
    }
    return status;
}
