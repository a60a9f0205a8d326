/* Columns as values with a code a row. */
#include <string.h>

#include "base/bytes.h"
#include "trace/traceql_page.h"

void traceql_page_init(struct traceql_page *p, struct span_page *page, struct arena *arena)
{
    *p = (struct traceql_page){.page = page, .arena = arena, .rows = span_page_info(page).rows};
}

int traceql_page_read(struct traceql_page *p, unsigned which)
{
    return span_page_columns_of(p->page, which, &p->columns);
}

/* What is being filled. */
struct filling {
    struct traceql_value *values;
    uint32_t *codes;
    uint32_t count, cap;
};

static int begin(struct traceql_page *p, size_t values, struct filling *f)
{
    f->values = arena_alloc(p->arena, (values + 1) * sizeof(*f->values));
    f->codes = arena_alloc(p->arena, ((size_t)p->rows + 1) * sizeof(*f->codes));
    f->count = 0;
    f->cap = (uint32_t)values;
    return f->values == NULL || f->codes == NULL ? arena_error(p->arena) : 0;
}

static uint32_t add(struct filling *f, struct traceql_value value)
{
    if (value.type == TRACEQL_NIL) {
        return TRACEQL_CODE_NIL;
    }
    f->values[f->count] = value;
    return f->count++;
}

static void fill_nil(struct traceql_page *p, struct filling *f)
{
    memset(f->codes, 0xff, (size_t)p->rows * sizeof(*f->codes)); /* TRACEQL_CODE_NIL */
}

/* ---- Resources, scopes, what every span has ---- */

/* Codes of `of`, an index each row, by way of the code of each index. */
static void spread(
    struct traceql_page *p, const uint16_t *of, const uint32_t *by_index, uint32_t *codes)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        codes[row] = by_index[of[row]];
    }
}

static int resource_codes(
    struct traceql_page *p, struct str key, struct filling *f, uint32_t **by_index_out)
{
    uint32_t count = p->columns.resource_count;
    uint32_t *by_index = arena_alloc(p->arena, ((size_t)count + 1) * sizeof(*by_index));
    int status = by_index == NULL ? arena_error(p->arena) : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        const struct span_resource *resource;
        status = span_page_resource(p->page, i, &resource);
        if (status == 0) {
            by_index[i] = add(f, traceql_resource_value(resource, key));
        }
    }
    *by_index_out = by_index;
    return status;
}

static int resource_values(struct traceql_page *p, struct str key, struct filling *f)
{
    uint32_t *by_index;
    int status = traceql_page_read(p, SPAN_PAGE_OF_RESOURCE);
    status = status == 0 ? begin(p, p->columns.resource_count, f) : status;
    status = status == 0 ? resource_codes(p, key, f, &by_index) : status;
    if (status == 0) {
        spread(p, p->columns.resource, by_index, f->codes);
    }
    return status;
}

static int scope_values(
    struct traceql_page *p, const struct traceql_field *field, struct filling *f)
{
    int status = traceql_page_read(p, SPAN_PAGE_OF_SCOPE);
    uint32_t count = p->columns.scope_count;
    status = status == 0 ? begin(p, count, f) : status;
    uint32_t *by_index = arena_alloc(p->arena, ((size_t)count + 1) * sizeof(*by_index));
    status = status == 0 && by_index == NULL ? arena_error(p->arena) : status;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        const struct span_scope *scope;
        status = span_page_scope(p->page, i, &scope);
        if (status == 0) {
            by_index[i] = add(f, traceql_scope_value(scope, field));
        }
    }
    if (status == 0) {
        spread(p, p->columns.scope, by_index, f->codes);
    }
    return status;
}

static int name_values(struct traceql_page *p, struct traceql_page_values *out)
{
    const struct span_page_columns *c = &p->columns;
    int status = traceql_page_read(p, SPAN_PAGE_NAMES);
    if (status != 0) {
        return status;
    }
    struct traceql_value *values =
        arena_alloc(p->arena, ((size_t)c->name_count + 1) * sizeof(*values));
    if (values == NULL) {
        return arena_error(p->arena);
    }
    for (uint32_t i = 0; i < c->name_count; i++) {
        values[i] = (struct traceql_value){.type = TRACEQL_STRING, .text = c->names[i]};
    }
    *out = (struct traceql_page_values){values, c->name, c->name_count};
    return 0;
}

/* Kinds and statuses: a byte a row. */
static int byte_values(struct traceql_page *p, enum traceql_type type, struct filling *f)
{
    bool kinds = type == TRACEQL_KIND;
    int known = kinds ? SPAN_KIND_COUNT : SPAN_STATUS_COUNT;
    int status = traceql_page_read(p, SPAN_PAGE_KINDS);
    const uint8_t *bytes = kinds ? p->columns.kind : p->columns.status;
    status = status == 0 ? begin(p, (size_t)known, f) : status;
    for (int i = 0; status == 0 && i < known; i++) {
        (void)add(f, (struct traceql_value){.type = type, .integer = i});
    }
    for (uint32_t row = 0; status == 0 && row < p->rows; row++) {
        f->codes[row] = bytes[row] < known ? bytes[row] : TRACEQL_CODE_NIL;
    }
    return status;
}

static int duration_values(struct traceql_page *p, struct filling *f)
{
    int status = traceql_page_read(p, SPAN_PAGE_DURATIONS);
    status = status == 0 ? begin(p, p->rows, f) : status;
    for (uint32_t row = 0; status == 0 && row < p->rows; row++) {
        f->codes[row] = add(f, (struct traceql_value){.type = TRACEQL_DURATION,
                                   .integer = (int64_t)p->columns.duration_ns[row]});
    }
    return status;
}

static int message_values(struct traceql_page *p, struct filling *f)
{
    struct span_page_extras extras;
    int status = span_page_extra(p->page, SPAN_PAGE_MESSAGES, &extras);
    status = status == 0 ? begin(p, (size_t)extras.count + 1, f) : status;
    if (status != 0) {
        return status;
    }
    uint32_t empty = add(f, (struct traceql_value){.type = TRACEQL_STRING, .text = STR("")});
    for (uint32_t row = 0; row < p->rows; row++) {
        f->codes[row] = empty;
    }
    for (uint32_t i = 0; i < extras.count; i++) {
        f->codes[extras.rows[i]] =
            add(f, (struct traceql_value){.type = TRACEQL_STRING, .text = extras.items[i]});
    }
    return 0;
}

/* ---- Attributes of spans ---- */

static struct traceql_value column_value(const struct span_page_column *c, uint32_t at)
{
    struct attribute a = {.kind = c->kind};
    if (c->kind == ATTRIBUTE_INT) {
        a.integer = c->integers[at];
    } else if (c->kind == ATTRIBUTE_BOOL) {
        a.boolean = c->integers[at] != 0;
    } else if (c->kind == ATTRIBUTE_DOUBLE) {
        a.number = c->numbers[at];
    } else if (c->kind == ATTRIBUTE_STRING || c->kind == ATTRIBUTE_ARRAY) {
        a.bytes = c->texts[at];
    }
    return traceql_value_of(&a);
}

/* Of a text column one value a text of its dictionary, else one a value. */
static uint32_t distinct_of(const struct span_page_column *c)
{
    return c->codes != NULL ? c->text_count : c->count;
}

/* A span that has the key in two columns has it twice: which of the two counts the span must say. */
static void fill_column(const struct span_page_column *c, struct filling *f, uint8_t *seen)
{
    uint32_t base = f->count, distinct = distinct_of(c);
    bool nothing =
        c->kind == ATTRIBUTE_EMPTY || c->kind == ATTRIBUTE_BYTES || c->kind == ATTRIBUTE_MAP;
    for (uint32_t i = 0; !nothing && i < distinct; i++) {
        f->values[f->count++] = column_value(c, i);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t row = c->rows[i];
        f->codes[row] = seen[row] != 0     ? TRACEQL_CODE_OPEN
                        : nothing          ? TRACEQL_CODE_NIL
                        : c->codes != NULL ? base + c->codes[i]
                                           : base + i;
        seen[row] = 1;
    }
}

static int each_column(
    struct traceql_page *p, struct str key, struct filling *f, uint8_t *seen, size_t *distinct)
{
    uint32_t count = span_page_column_count(p->page);
    for (uint32_t i = 0; i < count; i++) {
        struct span_page_column column;
        struct str of;
        enum attribute_kind kind;
        span_page_column_key(p->page, i, &of, &kind);
        if (!str_eq(of, key)) {
            continue;
        }
        int status = span_page_column(p->page, i, &column);
        if (status != 0) {
            return status;
        }
        if (f == NULL) {
            *distinct += distinct_of(&column);
        } else {
            fill_column(&column, f, seen);
        }
    }
    return 0;
}

/* The resource speaks where the span does not, when `resources` is set. */
static int attribute_values(
    struct traceql_page *p, struct str key, bool resources, struct filling *f)
{
    size_t distinct = 0;
    uint32_t *by_index = NULL;
    uint8_t *seen = arena_calloc(p->arena, (size_t)p->rows + 1, 1);
    int status = seen == NULL ? arena_error(p->arena) : 0;
    status = status == 0 && resources ? traceql_page_read(p, SPAN_PAGE_OF_RESOURCE) : status;
    status = status == 0 ? each_column(p, key, NULL, NULL, &distinct) : status;
    size_t cap = distinct + (resources ? p->columns.resource_count : 0);
    status = status == 0 ? begin(p, cap, f) : status;
    if (status == 0) {
        fill_nil(p, f);
        status = each_column(p, key, f, seen, &distinct);
    }
    if (status == 0 && resources) {
        status = resource_codes(p, key, f, &by_index);
    }
    bool beyond = span_page_column_count(p->page) == SPAN_PAGE_COLUMNS_MAX;
    for (uint32_t row = 0; status == 0 && (beyond || resources) && row < p->rows; row++) {
        if (f->codes[row] == TRACEQL_CODE_NIL) {
            f->codes[row] = beyond && seen[row] == 0 ? TRACEQL_CODE_OPEN
                            : resources              ? by_index[p->columns.resource[row]]
                                                     : TRACEQL_CODE_NIL;
        }
    }
    return status;
}

/* ---- Events ---- */

/* The first value of the events of each row that has some. */
static int event_values(
    struct traceql_page *p, const struct traceql_field *field, struct filling *f)
{
    struct span_page_extras extras;
    int status = span_page_extra(p->page, SPAN_PAGE_EVENTS, &extras);
    status = status == 0 ? traceql_page_read(p, SPAN_PAGE_STARTS) : status;
    status = status == 0 ? begin(p, extras.count, f) : status;
    if (status != 0) {
        return status;
    }
    fill_nil(p, f);
    for (uint32_t i = 0; i < extras.count; i++) {
        struct decbuf in = decbuf_of(extras.items[i].ptr, extras.items[i].len);
        struct traceql_value value = {.type = TRACEQL_NIL};
        uint32_t row = extras.rows[i];
        while (value.type == TRACEQL_NIL && decbuf_left(&in) > 0) {
            struct span_event event;
            status = otlp_event_decode(decbuf_sized(&in), p->arena, &event);
            if (status != 0 || in.failed) {
                return status != 0 ? status : ERR_CORRUPT;
            }
            value = traceql_event_value(&event, p->columns.start_ns[row], field);
        }
        f->codes[row] = add(f, value);
    }
    return 0;
}

/* ---- Choosing ---- */

/* 1, 0, or an error. */
static int intrinsic_values(struct traceql_page *p, const struct traceql_field *field,
    struct filling *f, struct traceql_page_values *out)
{
    int status;
    switch (field->intrinsic) {
    case TRACEQL_INTRINSIC_NAME:
        status = name_values(p, out);
        break;
    case TRACEQL_INTRINSIC_STATUS:
        status = byte_values(p, TRACEQL_STATUS, f);
        break;
    case TRACEQL_INTRINSIC_KIND:
        status = byte_values(p, TRACEQL_KIND, f);
        break;
    case TRACEQL_INTRINSIC_DURATION:
        status = duration_values(p, f);
        break;
    case TRACEQL_INTRINSIC_STATUS_MESSAGE:
        status = message_values(p, f);
        break;
    case TRACEQL_INTRINSIC_SCOPE_NAME:
    case TRACEQL_INTRINSIC_SCOPE_VERSION:
        status = scope_values(p, field, f);
        break;
    case TRACEQL_INTRINSIC_EVENT_NAME:
    case TRACEQL_INTRINSIC_EVENT_TIME:
        status = event_values(p, field, f);
        break;
    default:
        return 0;
    }
    return status == 0 ? 1 : status;
}

int traceql_page_values(struct traceql_page *p, const struct traceql_field *field,
    struct traceql_page_values *values_out)
{
    struct filling f = {0};
    struct traceql_page_values out = {0};
    int status;
    switch (field->scope) {
    case TRACEQL_SCOPE_INTRINSIC:
        status = intrinsic_values(p, field, &f, &out);
        if (status != 1) {
            return status;
        }
        status = 0;
        break;
    case TRACEQL_SCOPE_RESOURCE:
        status = resource_values(p, field->key, &f);
        break;
    case TRACEQL_SCOPE_INSTRUMENTATION:
        status = scope_values(p, field, &f);
        break;
    case TRACEQL_SCOPE_EVENT:
        status = event_values(p, field, &f);
        break;
    case TRACEQL_SCOPE_LINK:
    case TRACEQL_SCOPE_PARENT:
        return 0;
    default:
        status = attribute_values(p, field->key, field->scope == TRACEQL_SCOPE_ANY, &f);
        break;
    }
    if (status != 0) {
        return status;
    }
    *values_out =
        out.values != NULL ? out : (struct traceql_page_values){f.values, f.codes, f.count};
    return 1;
}
