/* What the files of one execution share: its state, its functions, its values. */
#ifndef SONDE_QUERY_TEMPLATE_RUN_H
#define SONDE_QUERY_TEMPLATE_RUN_H

#include "query/template.h"
#include "template_node.h"

struct run_variable {
    struct str name;
    struct template_value value;
};

struct template_run {
    const struct template *root;  /* where names of templates are looked up */
    const struct template *owner; /* whose text is executed */
    struct str definition;        /* which of its definitions */
    const struct node *at;        /* where an error is */
    struct arena arena;
    struct strbuf *out;
    size_t out_max; /* size of `out` that may not be passed */
    struct template_hooks hooks;
    struct template_limits limits;
    uint64_t steps;
    size_t depth;   /* of templates */
    size_t nesting; /* of everything that recurses */
    struct run_variable *variables;
    size_t variable_count, variable_cap;
    struct err *e;
};

#define ARGUMENTS_ANY ((size_t)-1)

/* A row of the tables of functions. */
struct function {
    const char *name;
    size_t argument_min, argument_max;
    /* One letter an argument, the last for all that follow: s string, i integer, f float, v anything. */
    const char *kinds;
    int (*call)(struct template_run *run, const struct template_value *arguments, size_t count,
        struct template_value *value_out, struct err *e);
};

/* The rows of each file end with a row without a name. */
extern const struct function template_builtins[];
extern const struct function template_rule_functions[];
extern const struct function template_notification_functions[];
/* `and` and `or`, which evaluate no more than they need, have no call. */
const struct function *template_function_find(enum template_functions set, struct str name);

/* Executes a definition with `dot` as its data, onto `run->out`. */
int template_run_definition(
    struct template_run *run, struct str name, const struct template_value *dot);

/* ---- Values (template_value.c) ---- */

bool template_truth(const struct template_value *v);
/* Go's name of the type: "string", "map[string]string". */
const char *template_type_name(const struct template_value *v);
/* Text into the arena of the run. 0, or an error of memory. */
int template_keep(struct template_run *run, struct str text, struct template_value *value_out);
/* Takes what is in `text`, which is released. */
int template_keep_buffer(
    struct template_run *run, struct strbuf *text, struct template_value *value_out);
int template_memory_error(const struct template_run *run, struct err *e);
/* A list in the arena with room for `count` items. NULL when memory is short. */
struct template_value *template_list_new(
    struct template_run *run, size_t count, struct template_list **list_out);
const struct template_method *template_time_methods(void);

/* ---- Functions that both sets have (template_text.c) ---- */

#define TEMPLATE_CALL                                                                              \
    struct template_run *run, const struct template_value *arguments, size_t count,                \
        struct template_value *value_out, struct err *e

int template_call_upper(TEMPLATE_CALL);
int template_call_lower(TEMPLATE_CALL);
int template_call_match(TEMPLATE_CALL);
int template_call_replace(TEMPLATE_CALL);
int template_call_safe(TEMPLATE_CALL);
int template_call_humanize_duration(TEMPLATE_CALL);
/* A number of any kind, or a string of one, as Prometheus' humanizing functions take it. */
int template_float_of(const struct template_value *v, double *number_out, struct err *e);
/* The upper (or lower) case of a character: ASCII, Latin, Greek and Cyrillic. */
uint32_t template_to_upper(uint32_t code);
uint32_t template_to_lower(uint32_t code);

#endif
