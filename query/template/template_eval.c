/* Evaluation of pipelines, commands, fields and calls.
 *
 * A command's first word says what it is: a function or the last field of a chain takes the other words as
 * arguments, and the value piped in as the last of them; anything else stands alone. `final` is that value,
 * NULL when nothing is piped in.
 */
#include "template_eval.h"

#include "template_run.h"

/* Arguments that stand on the stack; more are in the arena. */
#define ARGUMENTS_FEW 8

static int eval_operand(struct template_run *run, const struct template_value *dot,
    const struct node *n, char kind, struct template_value *value_out);

static int refuse_arguments(struct template_run *run, const struct node *first, size_t count,
    const struct template_value *final)
{
    if (count > 1 || final != NULL) {
        return template_fail(
            run, ERR_INVALID, "can't give argument to non-function %.*s", STR_ARG(first->source));
    }
    return 0;
}

/* ---- Fields and methods ---- */

static const struct template_method *method_of(const struct template_value *v, struct str name)
{
    const struct template_method *m = v->kind == TEMPLATE_LIST ? v->list->methods
                                      : v->kind == TEMPLATE_MAP || v->kind == TEMPLATE_STRUCT
                                          ? v->fields->methods
                                      : v->kind == TEMPLATE_TIME ? template_time_methods()
                                                                 : NULL;
    for (; m != NULL && m->name != NULL; m++) {
        if (str_eq_c(name, m->name)) {
            return m;
        }
    }
    return NULL;
}

static int check_count(
    struct template_run *run, struct str name, size_t min, size_t max, size_t count)
{
    if (count >= min && count <= max) {
        return 0;
    }
    if (max == ARGUMENTS_ANY) {
        return template_fail(run, ERR_INVALID,
            "wrong number of args for %.*s: want at least %zu got %zu", STR_ARG(name), min, count);
    }
    return template_fail(run, ERR_INVALID, "wrong number of args for %.*s: want %zu got %zu",
        STR_ARG(name), count < min ? min : max, count);
}

/* Puts the place and "error calling NAME" before what a function said. */
static int fail_call(struct template_run *run, const struct node *at, struct str name, int code,
    const struct err *said)
{
    /* A template called by a function has told its place already. */
    char sentence[ERR_MESSAGE_MAX];
    memcpy(sentence, said->message, sizeof(sentence));
    run->at = at;
    return template_fail(run, code, "error calling %.*s: %s", STR_ARG(name),
        sentence[0] != '\0' ? sentence : err_text(code));
}

static int room_for(struct template_run *run, size_t count, struct template_value **arguments)
{
    if (count <= ARGUMENTS_FEW) {
        return 0;
    }
    *arguments = arena_calloc(&run->arena, count, sizeof(**arguments));
    if (*arguments == NULL) {
        int code = arena_error(&run->arena);
        return template_fail(run, code, "%s", err_text(code));
    }
    return 0;
}

/* Arguments of a call: the words after the first, then `final`. */
static int eval_arguments(struct template_run *run, const struct template_value *dot,
    const struct node *const *words, size_t word_count, const struct template_value *final,
    const char *kinds, struct template_value *arguments)
{
    size_t given = word_count > 0 ? word_count - 1 : 0;
    for (size_t i = 0; i < given; i++) {
        int status = eval_operand(run, dot, words[i + 1], *kinds, &arguments[i]);
        if (status != 0) {
            return status;
        }
        kinds += kinds[1] != '\0';
    }
    if (final != NULL) {
        arguments[given] = *final;
        bool right = *kinds == 'v' || (*kinds == 's' && final->kind == TEMPLATE_STRING) ||
                     (*kinds == 'i' && final->kind == TEMPLATE_INT) ||
                     (*kinds == 'f' && final->kind == TEMPLATE_FLOAT);
        if (!right) {
            const char *wanted = *kinds == 's' ? "string" : *kinds == 'i' ? "int" : "float64";
            return final->kind == TEMPLATE_NIL
                       ? template_fail(run, ERR_INVALID, "invalid value; expected %s", wanted)
                       : template_fail(run, ERR_INVALID,
                             "wrong type for value; expected %s; got %s", wanted,
                             template_type_name(final));
        }
    }
    return 0;
}

static int call_method(struct template_run *run, const struct template_value *dot,
    const struct template_method *m, const struct template_value *receiver, const struct node *at,
    const struct node *const *words, size_t word_count, const struct template_value *final,
    struct template_value *value_out)
{
    struct template_value few[ARGUMENTS_FEW], *arguments = few;
    size_t count = (word_count > 0 ? word_count - 1 : 0) + (final != NULL);
    int status = check_count(run, str_of(m->name), m->argument_min, m->argument_max, count);
    if (status == 0) {
        status = room_for(run, count, &arguments);
    }
    if (status == 0) {
        status = eval_arguments(run, dot, words, word_count, final, "v", arguments);
    }
    if (status != 0) {
        return status;
    }
    struct err *outer = run->e, said = ERR_INIT;
    run->e = &said;
    status = m->call(run, receiver, arguments, count, value_out, &said);
    run->e = outer;
    return status == 0 ? 0 : fail_call(run, at, str_of(m->name), status, &said);
}

static int eval_field(struct template_run *run, const struct template_value *dot, struct str name,
    const struct node *at, const struct node *const *words, size_t word_count,
    const struct template_value *final, const struct template_value *receiver,
    struct template_value *value_out)
{
    if (receiver->kind == TEMPLATE_NIL) {
        *value_out = template_nil();
        return 0;
    }
    const struct template_method *m = method_of(receiver, name);
    if (m != NULL) {
        return call_method(run, dot, m, receiver, at, words, word_count, final, value_out);
    }
    bool has_arguments = word_count > 1 || final != NULL;
    const struct template_value *field = template_field(receiver, name);
    if (receiver->kind == TEMPLATE_STRUCT && field != NULL && has_arguments) {
        return template_fail(run, ERR_INVALID,
            "%.*s has arguments but cannot be invoked as function", STR_ARG(name));
    }
    if (receiver->kind == TEMPLATE_MAP) {
        if (has_arguments) {
            return template_fail(
                run, ERR_INVALID, "%.*s is not a method but has arguments", STR_ARG(name));
        }
        *value_out = field != NULL                     ? *field
                     : receiver->fields->string_values ? template_string(STR(""))
                                                       : template_nil();
        return 0;
    }
    if (field == NULL) {
        return template_fail(run, ERR_INVALID, "can't evaluate field %.*s in type %s",
            STR_ARG(name), template_type_name(receiver));
    }
    *value_out = *field;
    return 0;
}

/* .a.b.c of `receiver`; the last one gets the arguments. */
static int eval_fields(struct template_run *run, const struct template_value *dot,
    const struct template_value *receiver, const struct node *at, const struct node *const *words,
    size_t word_count, const struct template_value *final, struct template_value *value_out)
{
    struct template_value value = *receiver;
    for (size_t i = 0; i + 1 < at->name_count; i++) {
        struct template_value next;
        int status = eval_field(run, dot, at->names[i], at, NULL, 0, NULL, &value, &next);
        if (status != 0) {
            return status;
        }
        value = next;
    }
    return eval_field(
        run, dot, at->names[at->name_count - 1], at, words, word_count, final, &value, value_out);
}

static int eval_variable(struct template_run *run, const struct template_value *dot,
    const struct node *n, const struct node *const *words, size_t word_count,
    const struct template_value *final, struct template_value *value_out)
{
    run->at = n;
    struct template_value *variable = template_variable(run, n->text);
    if (variable == NULL) {
        return template_fail(run, ERR_INVALID, "undefined variable: %.*s", STR_ARG(n->text));
    }
    struct template_value value = *variable;
    if (n->name_count > 0) {
        return eval_fields(run, dot, &value, n, words, word_count, final, value_out);
    }
    *value_out = value;
    return refuse_arguments(run, n, word_count, final);
}

static int eval_chain(struct template_run *run, const struct template_value *dot,
    const struct node *n, const struct node *const *words, size_t word_count,
    const struct template_value *final, struct template_value *value_out)
{
    run->at = n;
    struct template_value receiver;
    int status = eval_operand(run, dot, n->operand, 'v', &receiver);
    return status != 0 ? status
                       : eval_fields(run, dot, &receiver, n, words, word_count, final, value_out);
}

/* ---- Functions ---- */

/* `and` stops at the first that is false, `or` at the first that is true. */
static int eval_logic(struct template_run *run, const struct template_value *dot, bool is_or,
    const struct node *const *words, size_t word_count, const struct template_value *final,
    struct template_value *value_out)
{
    for (size_t i = 1; i < word_count; i++) {
        int status = eval_operand(run, dot, words[i], 'v', value_out);
        if (status != 0 || template_truth(value_out) == is_or) {
            return status;
        }
    }
    if (final != NULL) {
        *value_out = *final;
    }
    return 0;
}

static int eval_function(struct template_run *run, const struct template_value *dot,
    const struct node *n, const struct node *at, const struct node *const *words, size_t word_count,
    const struct template_value *final, struct template_value *value_out)
{
    const struct function *f = n->function;
    run->at = n;
    size_t count = (word_count > 0 ? word_count - 1 : 0) + (final != NULL);
    int status = check_count(run, n->text, f->argument_min, f->argument_max, count);
    if (status == 0 && f->call == NULL) {
        return eval_logic(run, dot, f->name[0] == 'o', words, word_count, final, value_out);
    }
    struct template_value few[ARGUMENTS_FEW], *arguments = few;
    if (status == 0) {
        status = room_for(run, count, &arguments);
    }
    if (status == 0) {
        status = eval_arguments(run, dot, words, word_count, final, f->kinds, arguments);
    }
    if (status != 0) {
        return status;
    }
    struct err *outer = run->e, said = ERR_INIT;
    run->e = &said;
    status = f->call(run, arguments, count, value_out, &said);
    run->e = outer;
    return status == 0 ? 0 : fail_call(run, at, n->text, status, &said);
}

/* ---- Operands ---- */

static struct template_value number_value(const struct node *n)
{
    return n->number.is_integer && !n->number.ideal_float ? template_int(n->number.integer)
                                                          : template_float(n->number.number);
}

static int eval_constant(
    struct template_run *run, const struct node *n, char kind, struct template_value *value_out)
{
    static const struct {
        char kind;
        const char *name;
    } names[] = {{'s', "string"}, {'i', "integer"}, {'f', "float"}};
    bool right = kind == 'v' || (kind == 's' && n->kind == NODE_STRING) ||
                 (kind == 'i' && n->kind == NODE_NUMBER && n->number.is_integer) ||
                 (kind == 'f' && n->kind == NODE_NUMBER && n->number.is_float);
    for (size_t i = 0; i < 3 && !right; i++) {
        if (names[i].kind == kind) {
            return template_fail(
                run, ERR_INVALID, "expected %s; found %.*s", names[i].name, STR_ARG(n->source));
        }
    }
    if (n->kind == NODE_STRING) {
        *value_out = template_string(n->text);
    } else if (n->kind == NODE_BOOL) {
        *value_out = template_bool(n->truth);
    } else if (kind == 'i') {
        *value_out = template_int(n->number.integer);
    } else if (kind == 'f') {
        *value_out = template_float(n->number.number);
    } else if (!n->number.is_integer && !n->number.ideal_float) {
        return template_fail(run, ERR_INVALID, "%.*s overflows int", STR_ARG(n->source));
    } else {
        *value_out = number_value(n);
    }
    return 0;
}

static int check_kind(struct template_run *run, char kind, const struct template_value *v)
{
    static const char *const names[] = {"string", "int", "float64"};
    static const enum template_kind kinds[] = {TEMPLATE_STRING, TEMPLATE_INT, TEMPLATE_FLOAT};
    if (kind == 'v') {
        return 0;
    }
    size_t i = kind == 's' ? 0 : kind == 'i' ? 1 : 2;
    if (v->kind == kinds[i]) {
        return 0;
    }
    return v->kind == TEMPLATE_NIL
               ? template_fail(run, ERR_INVALID, "invalid value; expected %s", names[i])
               : template_fail(run, ERR_INVALID, "wrong type for value; expected %s; got %s",
                     names[i], template_type_name(v));
}

/* An operand as argument of the wanted kind. */
static int eval_operand(struct template_run *run, const struct template_value *dot,
    const struct node *n, char kind, struct template_value *value_out)
{
    int status = 0;
    run->at = n;
    switch (n->kind) {
    case NODE_DOT:
        *value_out = *dot;
        break;
    case NODE_NIL:
        if (kind != 'v') {
            return template_fail(run, ERR_INVALID, "cannot assign nil to %s",
                kind == 's'   ? "string"
                : kind == 'i' ? "int"
                              : "float64");
        }
        *value_out = template_nil();
        break;
    case NODE_FIELD:
        status = eval_fields(run, dot, dot, n, NULL, 0, NULL, value_out);
        break;
    case NODE_VARIABLE:
        status = eval_variable(run, dot, n, NULL, 0, NULL, value_out);
        break;
    case NODE_PIPE:
        status = template_eval_pipeline(run, dot, n, value_out);
        break;
    case NODE_FUNCTION:
        status = eval_function(run, dot, n, n, NULL, 0, NULL, value_out);
        break;
    case NODE_CHAIN:
        status = eval_chain(run, dot, n, NULL, 0, NULL, value_out);
        break;
    default:
        return eval_constant(run, n, kind, value_out);
    }
    return status != 0 ? status : check_kind(run, kind, value_out);
}

static int eval_command(struct template_run *run, const struct template_value *dot,
    const struct node *command, const struct template_value *final,
    struct template_value *value_out)
{
    const struct node *first = command->items[0];
    const struct node *const *words = (const struct node *const *)command->items;
    int status;
    switch (first->kind) {
    case NODE_FIELD:
        run->at = first;
        return eval_fields(run, dot, dot, first, words, command->count, final, value_out);
    case NODE_CHAIN:
        return eval_chain(run, dot, first, words, command->count, final, value_out);
    case NODE_FUNCTION:
        return eval_function(run, dot, first, command, words, command->count, final, value_out);
    case NODE_VARIABLE:
        return eval_variable(run, dot, first, words, command->count, final, value_out);
    case NODE_PIPE:
        status = refuse_arguments(run, first, command->count, final);
        return status != 0 ? status : template_eval_pipeline(run, dot, first, value_out);
    default:
        run->at = first;
        status = refuse_arguments(run, first, command->count, final);
        if (status == 0 && first->kind == NODE_NIL) {
            status = template_fail(run, ERR_INVALID, "nil is not a command");
        }
        return status != 0 ? status : eval_operand(run, dot, first, 'v', value_out);
    }
}

int template_eval_pipeline(struct template_run *run, const struct template_value *dot,
    const struct node *pipe, struct template_value *value_out)
{
    run->at = pipe;
    int status = template_enter(run);
    if (status != 0) {
        return status;
    }
    struct template_value value = template_nil(), piped;
    for (size_t i = 0; i < pipe->count && status == 0; i++) {
        piped = value;
        status = eval_command(run, dot, pipe->items[i], i > 0 ? &piped : NULL, &value);
    }
    run->nesting--;
    if (status == 0) {
        *value_out = value;
        status = template_set_variables(run, pipe, &value);
    }
    return status;
}
