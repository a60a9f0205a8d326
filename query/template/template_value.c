/* Values of templates: truth, names of types, the maps and lists that programs hand in.
 *
 * A map of pairs is Prometheus' `map[string]string` or Alertmanager's KV, the same with methods. KV's sorted
 * pairs are a list with methods of its own. Alertmanager puts `alertname` first among them.
 */
#include <stdlib.h>

#include "template_run.h"

static const struct str alertname = {"alertname", 9};

struct template_value template_time_ms(int64_t time_ms)
{
    int64_t seconds = time_ms / 1000 - (time_ms % 1000 < 0);
    return template_time((struct template_time){
        .seconds = seconds, .nanoseconds = (int32_t)(time_ms - seconds * 1000) * 1000000});
}

bool template_truth(const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NIL:
        return false;
    case TEMPLATE_BOOL:
        return v->boolean;
    case TEMPLATE_INT:
        return v->integer != 0;
    case TEMPLATE_FLOAT:
        return v->number != 0;
    case TEMPLATE_STRING:
        return v->string.len > 0;
    case TEMPLATE_DURATION:
        return v->duration_ns != 0;
    case TEMPLATE_LIST:
        return v->list->count > 0;
    case TEMPLATE_MAP:
        return v->fields->count > 0;
    case TEMPLATE_TIME:
    case TEMPLATE_STRUCT:
        return true;
    }
    return false;
}

const char *template_type_name(const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NIL:
        return "nil";
    case TEMPLATE_BOOL:
        return "bool";
    case TEMPLATE_INT:
        return "int";
    case TEMPLATE_FLOAT:
        return "float64";
    case TEMPLATE_STRING:
        return v->safe ? "template.HTML" : "string";
    case TEMPLATE_TIME:
        return "time.Time";
    case TEMPLATE_DURATION:
        return "time.Duration";
    case TEMPLATE_LIST:
        return v->list->type != NULL ? v->list->type : "[]interface {}";
    case TEMPLATE_MAP:
        return v->fields->type != NULL    ? v->fields->type
               : v->fields->string_values ? "map[string]string"
                                          : "map[string]interface {}";
    case TEMPLATE_STRUCT:
        return v->fields->type != NULL ? v->fields->type : "struct";
    }
    return "nil";
}

const struct template_value *template_field(const struct template_value *value, struct str name)
{
    if (value->kind != TEMPLATE_MAP && value->kind != TEMPLATE_STRUCT) {
        return NULL;
    }
    for (size_t i = 0; i < value->fields->count; i++) {
        if (str_eq(value->fields->items[i].name, name)) {
            return value->fields->items[i].value;
        }
    }
    return NULL;
}

/* ---- Memory ---- */

struct arena *template_run_arena(struct template_run *run)
{
    return &run->arena;
}

int template_memory_error(const struct template_run *run, struct err *e)
{
    int code = arena_error(&run->arena);
    return code == ERR_LIMIT
               ? err_set(e, code, -1, "values need more than %zu bytes", run->limits.memory_bytes)
               : err_set(e, code, -1, "%s", err_text(code));
}

int template_keep(struct template_run *run, struct str text, struct template_value *value_out)
{
    char *kept = arena_strndup(&run->arena, text.len > 0 ? text.ptr : "", text.len);
    *value_out = template_string(str_make(kept, kept != NULL ? text.len : 0));
    return kept != NULL ? 0 : template_memory_error(run, run->e);
}

int template_keep_buffer(
    struct template_run *run, struct strbuf *text, struct template_value *value_out)
{
    int status = strbuf_error(text);
    if (status == 0) {
        status = template_keep(run, strbuf_str(text), value_out);
    } else {
        (void)err_set(run->e, status, -1, "%s", err_text(status));
    }
    strbuf_release(text);
    return status;
}

static struct template_value *list_new(
    struct arena *arena, size_t count, struct template_list **list_out)
{
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    struct template_value *items = arena_calloc(arena, count, sizeof(*items));
    if (list == NULL || items == NULL) {
        return NULL;
    }
    list->items = items;
    list->count = count;
    *list_out = list;
    return items;
}

struct template_value *template_list_new(
    struct template_run *run, size_t count, struct template_list **list_out)
{
    return list_new(&run->arena, count, list_out);
}

/* ---- Pairs ---- */

static int compare_fields(const void *a, const void *b)
{
    const struct template_field *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static const struct template_method pairs_methods[];
static const struct template_method kv_methods[];

/* `count` names of a map; the caller fills in the values behind `values_out`. */
static struct template_field *fields_new(struct arena *arena, size_t count,
    struct template_fields **fields_out, struct template_value **values_out)
{
    struct template_fields *fields = arena_calloc(arena, 1, sizeof(*fields));
    struct template_field *items = arena_calloc(arena, count, sizeof(*items));
    struct template_value *values = arena_calloc(arena, count, sizeof(*values));
    if (fields == NULL || items == NULL || values == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        items[i].value = &values[i];
    }
    fields->items = items;
    fields->count = count;
    *fields_out = fields;
    *values_out = values;
    return items;
}

struct template_value template_pairs(
    struct arena *arena, const struct label *pairs, size_t count, bool methods)
{
    struct template_fields *fields;
    struct template_value *values;
    struct template_field *items = fields_new(arena, count, &fields, &values);
    if (items == NULL) {
        return template_nil();
    }
    for (size_t i = 0; i < count; i++) {
        items[i].name = pairs[i].name;
        values[i] = template_string(pairs[i].value);
    }
    if (count > 1) {
        qsort(items, count, sizeof(*items), compare_fields);
    }
    fields->string_values = true;
    fields->type = methods ? "template.KV" : NULL;
    fields->methods = methods ? kv_methods : NULL;
    return template_map(fields);
}

static struct template_value pair_struct(struct arena *arena, const struct template_field *field)
{
    struct template_fields *fields;
    struct template_value *values;
    struct template_field *items = fields_new(arena, 2, &fields, &values);
    if (items == NULL) {
        return template_nil();
    }
    items[0].name = STR("Name");
    items[1].name = STR("Value");
    values[0] = template_string(field->name);
    values[1] = *field->value;
    fields->type = "template.Pair";
    return template_struct(fields);
}

static int kv_sorted_pairs(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count;
    const struct template_fields *from = self->fields;
    struct template_list *list;
    struct template_value *items = list_new(&run->arena, from->count, &list);
    if (items == NULL) {
        return template_memory_error(run, e);
    }
    size_t first = from->count;
    for (size_t i = 0; i < from->count; i++) {
        first = str_eq(from->items[i].name, alertname) ? i : first;
    }
    size_t next = 0;
    if (first < from->count) {
        items[next++] = pair_struct(&run->arena, &from->items[first]);
    }
    for (size_t i = 0; i < from->count; i++) {
        if (i != first) {
            items[next++] = pair_struct(&run->arena, &from->items[i]);
        }
    }
    if (run->arena.error != 0) {
        return template_memory_error(run, e);
    }
    list->type = "template.Pairs";
    list->methods = pairs_methods;
    *value_out = template_list_of(list);
    return 0;
}

static int kv_remove(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)count;
    if (arguments[0].kind != TEMPLATE_LIST) {
        return err_set(e, ERR_INVALID, -1, "wrong type for value; expected []string; got %s",
            template_type_name(&arguments[0]));
    }
    const struct template_fields *from = self->fields;
    struct template_fields *fields;
    struct template_value *values;
    struct template_field *items = fields_new(&run->arena, from->count, &fields, &values);
    if (items == NULL) {
        return template_memory_error(run, e);
    }
    size_t kept = 0;
    for (size_t i = 0; i < from->count; i++) {
        bool removed = false;
        for (size_t j = 0; j < arguments[0].list->count && !removed; j++) {
            const struct template_value *name = &arguments[0].list->items[j];
            removed = name->kind == TEMPLATE_STRING && str_eq(name->string, from->items[i].name);
        }
        if (!removed) {
            items[kept++] = from->items[i];
        }
    }
    fields->count = kept;
    fields->type = from->type;
    fields->methods = from->methods;
    fields->string_values = true;
    *value_out = template_map(fields);
    return 0;
}

/* Names (0) or values (1) of sorted pairs. */
static int pairs_column(struct template_run *run, const struct template_list *pairs, size_t column,
    struct template_value *value_out, struct err *e)
{
    struct template_list *list;
    struct template_value *items = list_new(&run->arena, pairs->count, &list);
    if (items == NULL) {
        return template_memory_error(run, e);
    }
    for (size_t i = 0; i < pairs->count; i++) {
        items[i] = *pairs->items[i].fields->items[column].value;
    }
    list->type = "[]string";
    *value_out = template_list_of(list);
    return 0;
}

static int pairs_names(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count;
    return pairs_column(run, self->list, 0, value_out, e);
}

static int pairs_values(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count;
    return pairs_column(run, self->list, 1, value_out, e);
}

/* "a=1, b=2" */
static int pairs_write(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count, (void)e;
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < self->list->count; i++) {
        const struct template_field *pair = self->list->items[i].fields->items;
        strbuf_add_c(&text, i > 0 ? ", " : "");
        strbuf_add_str(&text, pair[0].value->string);
        strbuf_add_char(&text, '=');
        strbuf_add_str(&text, pair[1].value->string);
    }
    return template_keep_buffer(run, &text, value_out);
}

static int kv_column(struct template_run *run, const struct template_value *self, size_t column,
    struct template_value *value_out, struct err *e)
{
    struct template_value pairs;
    int status = kv_sorted_pairs(run, self, NULL, 0, &pairs, e);
    return status != 0 ? status : pairs_column(run, pairs.list, column, value_out, e);
}

static int kv_names(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count;
    return kv_column(run, self, 0, value_out, e);
}

static int kv_values(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count;
    return kv_column(run, self, 1, value_out, e);
}

static int kv_write(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    struct template_value pairs;
    int status = kv_sorted_pairs(run, self, NULL, 0, &pairs, e);
    return status != 0 ? status : pairs_write(run, &pairs, arguments, count, value_out, e);
}

static const struct template_method pairs_methods[] = {
    {"Names", 0, 0, pairs_names},
    {"Values", 0, 0, pairs_values},
    {"String", 0, 0, pairs_write},
    {NULL, 0, 0, NULL},
};

static const struct template_method kv_methods[] = {
    {"SortedPairs", 0, 0, kv_sorted_pairs},
    {"Remove", 1, 1, kv_remove},
    {"Names", 0, 0, kv_names},
    {"Values", 0, 0, kv_values},
    {"String", 0, 0, kv_write},
    {NULL, 0, 0, NULL},
};

/* ---- Rules ---- */

struct template_value template_rule_data(struct arena *arena, const struct labels *labels,
    const struct labels *external_labels, struct str external_url, double value)
{
    struct template_fields *fields;
    struct template_value *values;
    struct template_field *items = fields_new(arena, 4, &fields, &values);
    if (items == NULL) {
        return template_nil();
    }
    items[0].name = STR("Labels");
    items[1].name = STR("ExternalLabels");
    items[2].name = STR("ExternalURL");
    items[3].name = STR("Value");
    values[0] = template_pairs(arena, labels_pairs(labels), labels_count(labels), false);
    values[1] =
        template_pairs(arena, labels_pairs(external_labels), labels_count(external_labels), false);
    values[2] = template_string(external_url);
    values[3] = template_float(value);
    if (values[0].kind == TEMPLATE_NIL || values[1].kind == TEMPLATE_NIL) {
        return template_nil();
    }
    fields->type = "struct { Labels map[string]string; ExternalLabels map[string]string; "
                   "ExternalURL string; Value interface {} }";
    return template_struct(fields);
}
