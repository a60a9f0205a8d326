/* Execution: the tree is walked, what actions give is written.
 *
 * `run->at` is the node an error would name; it is set where Go's executor sets its own, so that sentences
 * point at the same words. Variables are a stack; each construct drops what it declared. A template called by
 * another sees only $, its data.
 */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "go_print.h"
#include "template_eval.h"
#include "template_run.h"

/* How much of a node's source a sentence quotes. */
#define CONTEXT_BYTES_MAX 160

enum walk { WALK_ON = 0, WALK_BREAK = 1, WALK_CONTINUE = 2 };

/* ---- Errors ---- */

/* The words of a node on one line: runs of white space outside of quotes are one space. */
static void write_context(struct str source, struct strbuf *out)
{
    char quote = '\0';
    struct strbuf words = STRBUF_INIT;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        bool space = quote == '\0' && strchr(" \t\r\n", c) != NULL && c != '\0';
        bool hidden = quote == '"' && i > 0 && source.ptr[i - 1] == '\\';
        if ((c == '"' || c == '`' || c == '\'') && !hidden) {
            quote = quote == '\0' ? c : quote == c ? '\0' : quote;
        }
        char last = words.size > 0 ? words.data[words.size - 1] : ' ';
        if (!space || last != ' ') {
            strbuf_add_char(&words, space ? ' ' : c);
        }
    }
    bool cut = words.size > CONTEXT_BYTES_MAX;
    strbuf_add(out, words.data, cut ? CONTEXT_BYTES_MAX : words.size);
    strbuf_add_c(out, cut ? "..." : "");
    strbuf_release(&words);
}

static void place_of(struct str text, uint32_t position, unsigned *line_out, unsigned *column_out)
{
    unsigned line = 1, begin = 0;
    for (uint32_t i = 0; i < position && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    *line_out = line;
    *column_out = position - begin;
}

int template_fail(struct template_run *run, int code, const char *format, ...)
{
    if (run->e == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(run->e, code, -1, format, arguments);
    va_end(arguments);
    struct strbuf context = STRBUF_INIT;
    unsigned line = 0, column = 0;
    uint32_t position = run->at != NULL ? run->at->position : 0;
    write_context(run->at != NULL ? run->at->source : STR(""), &context);
    place_of(run->owner->text, position, &line, &column);
    (void)err_prefix(run->e, "template: %.*s:%u:%u: executing \"%.*s\" at <%s>",
        STR_ARG(run->owner->name), line, column, STR_ARG(run->definition),
        context.data != NULL ? context.data : "");
    run->e->position = position;
    strbuf_release(&context);
    return code;
}

int template_step(struct template_run *run)
{
    if (run->steps++ == run->limits.steps_max) {
        return template_fail(run, ERR_LIMIT, "executed more than %llu steps",
            (unsigned long long)run->limits.steps_max);
    }
    return 0;
}

int template_enter(struct template_run *run)
{
    if (run->nesting == RUN_NESTING_MAX) {
        return template_fail(run, ERR_LIMIT, "nested more than %d deep", RUN_NESTING_MAX);
    }
    int status = template_step(run);
    run->nesting += status == 0;
    return status;
}

/* ---- Variables ---- */

int template_push(struct template_run *run, struct str name, const struct template_value *value)
{
    int status = mem_array_grow((void **)&run->variables, &run->variable_cap,
        run->variable_count + 1, sizeof(*run->variables), RUN_VARIABLES_MAX);
    if (status != 0) {
        return template_fail(run, status, "more than %d variables", RUN_VARIABLES_MAX);
    }
    run->variables[run->variable_count++] = (struct run_variable){name, *value};
    return 0;
}

struct template_value *template_variable(struct template_run *run, struct str name)
{
    for (size_t i = run->variable_count; i > 0; i--) {
        if (str_eq(run->variables[i - 1].name, name)) {
            return &run->variables[i - 1].value;
        }
    }
    return NULL;
}

static int assign(struct template_run *run, struct str name, const struct template_value *value)
{
    struct template_value *variable = template_variable(run, name);
    if (variable == NULL) {
        return template_fail(run, ERR_INVALID, "undefined variable: %.*s", STR_ARG(name));
    }
    *variable = *value;
    return 0;
}

int template_set_variables(
    struct template_run *run, const struct node *pipe, const struct template_value *value)
{
    int status = 0;
    for (size_t i = 0; i < pipe->name_count && status == 0; i++) {
        status = pipe->assigns ? assign(run, pipe->names[i], value)
                               : template_push(run, pipe->names[i], value);
    }
    return status;
}

/* ---- Output ---- */

static int check_output(struct template_run *run)
{
    int status = strbuf_error(run->out);
    if (status == 0 && run->out->size > run->out_max) {
        strbuf_truncate(run->out, run->out_max);
        status = ERR_LIMIT;
    }
    if (status == ERR_LIMIT) {
        return template_fail(
            run, status, "writes more than %zu bytes", run->limits.output_bytes_max);
    }
    return status == 0 ? 0 : template_fail(run, status, "%s", err_text(status));
}

static int write_value(struct template_run *run, const struct template_value *value)
{
    bool escape = run->root->html && !(value->kind == TEMPLATE_STRING && value->safe);
    size_t room = run->out_max - run->out->size + 1;
    if (value->kind == TEMPLATE_NIL) {
        /* html/template writes nothing where text/template says so. */
        strbuf_add_c(run->out, run->root->html ? "" : "<no value>");
    } else if (escape) {
        struct strbuf plain;
        strbuf_init(&plain, room);
        go_print_value(run, value, &plain);
        template_write_html(strbuf_str(&plain), run->out);
        int status = strbuf_error(&plain);
        strbuf_release(&plain);
        if (status != 0) {
            return template_fail(
                run, status, "writes more than %zu bytes", run->limits.output_bytes_max);
        }
    } else {
        go_print_value(run, value, run->out);
    }
    return check_output(run);
}

/* ---- Walking ---- */

static int walk(struct template_run *run, const struct template_value *dot, const struct node *n,
    enum walk *how_out);

static int walk_list(struct template_run *run, const struct template_value *dot,
    const struct node *list, enum walk *how_out)
{
    int status = 0;
    for (size_t i = 0; i < list->count && status == 0 && *how_out == WALK_ON; i++) {
        status = walk(run, dot, list->items[i], how_out);
    }
    return status;
}

static int walk_condition(struct template_run *run, const struct template_value *dot,
    const struct node *n, enum walk *how_out)
{
    size_t mark = run->variable_count;
    struct template_value value;
    int status = template_eval_pipeline(run, dot, n->pipe, &value);
    if (status == 0 && template_truth(&value)) {
        status = walk_list(run, n->kind == NODE_WITH ? &value : dot, n->list, how_out);
    } else if (status == 0 && n->else_list != NULL) {
        status = walk_list(run, dot, n->else_list, how_out);
    }
    run->variable_count = mark;
    return status;
}

/* One turn of a range. With two variables the index is the first; with one it is the element. */
static int walk_turn(struct template_run *run, const struct node *n,
    const struct template_value *index, const struct template_value *element, bool *broken_out)
{
    const struct node *pipe = n->pipe;
    size_t mark = run->variable_count;
    const struct template_value *values[] = {pipe->name_count > 1 ? index : element, element};
    int status = template_step(run);
    for (size_t i = 0; i < pipe->name_count && status == 0; i++) {
        status = pipe->assigns ? assign(run, pipe->names[i], values[i])
                               : template_push(run, pipe->names[i], values[i]);
    }
    enum walk how = WALK_ON;
    if (status == 0) {
        status = walk_list(run, element, n->list, &how);
    }
    run->variable_count = mark;
    *broken_out = how == WALK_BREAK;
    return status;
}

/* How many turns a value gives; false when it cannot be walked over. */
static bool turns_of(const struct template_value *value, int64_t *count_out)
{
    switch (value->kind) {
    case TEMPLATE_NIL:
        *count_out = 0;
        return true;
    case TEMPLATE_INT:
        *count_out = value->integer;
        return true;
    case TEMPLATE_LIST:
        *count_out = (int64_t)value->list->count;
        return true;
    case TEMPLATE_MAP:
        *count_out = (int64_t)value->fields->count;
        return true;
    default:
        return false;
    }
}

static int walk_range(struct template_run *run, const struct template_value *dot,
    const struct node *n, enum walk *how_out)
{
    size_t mark = run->variable_count;
    struct template_value value;
    int64_t turns = 0;
    int status = template_eval_pipeline(run, dot, n->pipe, &value);
    if (status == 0 && !turns_of(&value, &turns)) {
        struct strbuf text = STRBUF_INIT;
        go_print_value(run, &value, &text);
        status = template_fail(run, ERR_INVALID, "range can't iterate over %.200s",
            text.data != NULL ? text.data : "");
        strbuf_release(&text);
    }
    bool broken = false;
    for (int64_t i = 0; i < turns && status == 0 && !broken; i++) {
        struct template_value index = template_int(i), element = index;
        if (value.kind == TEMPLATE_LIST) {
            element = value.list->items[i];
        } else if (value.kind == TEMPLATE_MAP) {
            index = template_string(value.fields->items[i].name);
            element = *value.fields->items[i].value;
        }
        status = walk_turn(run, n, &index, &element, &broken);
    }
    if (status == 0 && turns <= 0 && n->else_list != NULL) {
        status = walk_list(run, dot, n->else_list, how_out);
    }
    run->variable_count = mark;
    return status;
}

static int walk_template(
    struct template_run *run, const struct template_value *dot, const struct node *n)
{
    const struct template *owner;
    if (template_definition(run->root, n->text, &owner) == NULL) {
        return template_fail(run, ERR_INVALID, "template \"%.*s\" not defined", STR_ARG(n->text));
    }
    struct template_value data = template_nil();
    int status = n->pipe != NULL ? template_eval_pipeline(run, dot, n->pipe, &data) : 0;
    return status != 0 ? status : template_run_definition(run, n->text, &data);
}

static int walk_action(
    struct template_run *run, const struct template_value *dot, const struct node *n)
{
    struct template_value value;
    int status = template_eval_pipeline(run, dot, n->pipe, &value);
    if (status != 0 || n->pipe->name_count > 0) {
        return status;
    }
    run->at = n;
    return write_value(run, &value);
}

static int walk_node(struct template_run *run, const struct template_value *dot,
    const struct node *n, enum walk *how_out)
{
    switch (n->kind) {
    case NODE_TEXT:
        strbuf_add_str(run->out, n->text);
        return check_output(run);
    case NODE_ACTION:
        return walk_action(run, dot, n);
    case NODE_IF:
    case NODE_WITH:
        return walk_condition(run, dot, n, how_out);
    case NODE_RANGE:
        return walk_range(run, dot, n, how_out);
    case NODE_TEMPLATE:
        return walk_template(run, dot, n);
    case NODE_LIST:
        return walk_list(run, dot, n, how_out);
    case NODE_BREAK:
        *how_out = WALK_BREAK;
        return 0;
    case NODE_CONTINUE:
        *how_out = WALK_CONTINUE;
        return 0;
    default:
        assert(false && "not a statement");
        return ERR_INTERNAL;
    }
}

static int walk(struct template_run *run, const struct template_value *dot, const struct node *n,
    enum walk *how_out)
{
    run->at = n;
    int status = template_enter(run);
    if (status == 0) {
        status = walk_node(run, dot, n, how_out);
        run->nesting--;
    }
    return status;
}

int template_run_definition(
    struct template_run *run, struct str name, const struct template_value *dot)
{
    const struct template *owner;
    const struct definition *d = template_definition(run->root, name, &owner);
    if (d == NULL) {
        return template_fail(run, ERR_INVALID, "template \"%.*s\" not defined", STR_ARG(name));
    }
    if (run->depth == run->limits.depth_max) {
        return template_fail(
            run, ERR_LIMIT, "exceeded maximum template depth (%zu)", run->limits.depth_max);
    }
    const struct template_run outer = *run;
    run->owner = owner;
    run->definition = name;
    run->depth++;
    enum walk how = WALK_ON;
    int status = template_push(run, STR("$"), dot);
    if (status == 0) {
        status = walk_list(run, dot, d->list, &how);
    }
    run->owner = outer.owner;
    run->definition = outer.definition;
    run->at = outer.at;
    run->depth--;
    run->variable_count = outer.variable_count;
    return status;
}

int template_execute(const struct template *t, const struct template_value *root,
    const struct template_hooks *hooks, const struct template_limits *limits, struct strbuf *out,
    struct err *e)
{
    struct template_run run = {.root = t, .owner = t, .definition = t->name, .out = out, .e = e};
    if (hooks != NULL) {
        run.hooks = *hooks;
    }
    if (limits != NULL) {
        run.limits = *limits;
    }
    struct template_limits *l = &run.limits;
    l->depth_max = l->depth_max != 0 ? l->depth_max : TEMPLATE_DEPTH_MAX_DEFAULT;
    l->output_bytes_max =
        l->output_bytes_max != 0 ? l->output_bytes_max : TEMPLATE_OUTPUT_BYTES_MAX_DEFAULT;
    l->steps_max = l->steps_max != 0 ? l->steps_max : TEMPLATE_STEPS_MAX_DEFAULT;
    l->memory_bytes = l->memory_bytes != 0 ? l->memory_bytes : TEMPLATE_MEMORY_BYTES_DEFAULT;
    run.hooks.clock = run.hooks.clock != NULL ? run.hooks.clock : clock_real();
    run.out_max = out->size + l->output_bytes_max;
    arena_init(&run.arena, l->memory_bytes);
    int status = template_run_definition(&run, t->name, root);
    arena_release(&run.arena);
    mem_free(run.variables);
    return status;
}
