/* Evaluation of pipelines, and what it shares with the walk over the tree. */
#ifndef SONDE_QUERY_TEMPLATE_EVAL_H
#define SONDE_QUERY_TEMPLATE_EVAL_H

#include "template_node.h"
#include "template_run.h"

/* Of one execution: variables alive, and recursion of the walk (a kilobyte of stack each at most). */
#define RUN_VARIABLES_MAX 10000
#define RUN_NESTING_MAX 1000

/* The value of a pipeline; variables it declares or assigns are set. */
int template_eval_pipeline(struct template_run *run, const struct template_value *dot,
    const struct node *pipe, struct template_value *value_out);

/* Fills the error with the place of `run->at`; returns `code`. */
int template_fail(struct template_run *run, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts a step; fails at the limit. template_enter goes a level deeper as well. */
int template_step(struct template_run *run);
int template_enter(struct template_run *run);
int template_push(struct template_run *run, struct str name, const struct template_value *value);
struct template_value *template_variable(struct template_run *run, struct str name);
int template_set_variables(
    struct template_run *run, const struct node *pipe, const struct template_value *value);
/* Go's HTMLEscapeString. */
void template_write_html(struct str text, struct strbuf *out);
/* url.QueryEscape. */
void template_write_query(struct str text, struct strbuf *out);

#endif
