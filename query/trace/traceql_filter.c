/* Conditions asked of rows.
 *
 * Of conditions joined by && the cheap ones come first, and each is asked of the rows only that the ones before have
 * left: the first one mostly leaves few. A column's texts are compared once an entry of its dictionary, and only
 * those that such a row has; integers are compared as they lie there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "trace/traceql_page.h"

/* Rows that are asked, ascending. */
struct rows {
    const uint16_t *items; /* NULL: all of the page */
    uint32_t count;
};

static inline uint32_t row_at(const struct rows *rows, uint32_t i)
{
    return rows->items != NULL ? rows->items[i] : i;
}

static void fill(const struct rows *rows, uint8_t verdict, uint8_t *verdicts)
{
    if (rows->items == NULL) {
        memset(verdicts, verdict, rows->count);
    }
    for (uint32_t i = 0; rows->items != NULL && i < rows->count; i++) {
        verdicts[rows->items[i]] = verdict;
    }
}

/* ---- Codes ---- */

/* Verdicts of the entries of a dictionary; 0: not asked yet. */
struct entries {
    uint8_t *verdicts;
    uint32_t count;
};

static int begin_entries(struct traceql_page *p, uint32_t count, struct entries *entries)
{
    *entries = (struct entries){arena_calloc(p->arena, (size_t)count + 1, 1), count};
    return entries->verdicts == NULL ? arena_error(p->arena) : 0;
}

static inline uint8_t text_verdict(const struct traceql_condition *c, struct entries *entries,
    const struct str *texts, uint32_t code, enum traceql_type type)
{
    uint8_t verdict = entries->verdicts[code];
    if (verdict == 0) {
        verdict = traceql_verdict_of(
            traceql_condition_holds(c, (struct traceql_value){.type = type, .text = texts[code]}));
        entries->verdicts[code] = verdict;
    }
    return verdict;
}

/* ---- What every span has ---- */

static int filter_resources(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    const uint8_t *by_index;
    int status = traceql_page_resources(p, c, &by_index);
    status = status == 0 ? traceql_page_read(p, SPAN_PAGE_OF_RESOURCE) : status;
    if (status != 0) {
        return status;
    }
    const uint16_t *of = p->columns.resource;
    for (uint32_t row = 0; rows->items == NULL && row < rows->count; row++) {
        verdicts[row] = by_index[of[row]];
    }
    for (uint32_t i = 0; rows->items != NULL && i < rows->count; i++) {
        verdicts[rows->items[i]] = by_index[of[rows->items[i]]];
    }
    return 0;
}

static int filter_names(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    struct entries entries;
    int status = traceql_page_read(p, SPAN_PAGE_NAMES);
    status = status == 0 ? begin_entries(p, p->columns.name_count, &entries) : status;
    for (uint32_t i = 0; status == 0 && i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        verdicts[row] =
            text_verdict(c, &entries, p->columns.names, p->columns.name[row], TRACEQL_STRING);
    }
    return status;
}

/* Kinds and statuses. */
static int filter_bytes(struct traceql_page *p, const struct traceql_condition *c,
    enum traceql_type type, const struct rows *rows, uint8_t *verdicts)
{
    uint8_t by_value[16];
    int status = traceql_page_read(p, SPAN_PAGE_KINDS);
    const uint8_t *of = type == TRACEQL_KIND ? p->columns.kind : p->columns.status;
    for (int i = 0; i < 16; i++) {
        by_value[i] = traceql_verdict_of(
            traceql_condition_holds(c, (struct traceql_value){.type = type, .integer = i}));
    }
    for (uint32_t i = 0; status == 0 && i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        verdicts[row] = by_value[of[row] & 15];
    }
    return status;
}

static int filter_durations(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    struct traceql_range range;
    int status = traceql_page_read(p, SPAN_PAGE_DURATIONS);
    bool plain = traceql_condition_range(c, &range);
    const uint64_t *durations = p->columns.duration_ns;
    for (uint32_t i = 0; status == 0 && plain && i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        verdicts[row] = traceql_verdict_of(traceql_range_has(&range, (int64_t)durations[row]));
    }
    for (uint32_t i = 0; status == 0 && !plain && i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        verdicts[row] = traceql_verdict_of(traceql_condition_holds(c,
            (struct traceql_value){.type = TRACEQL_DURATION, .integer = (int64_t)durations[row]}));
    }
    return status;
}

/* ---- Attributes ---- */

/* What is said of rows without a value: the resource's word, or one verdict for all. */
struct otherwise {
    const uint8_t *by_resource;
    uint8_t verdict;
    bool may_hold;
};

static inline uint8_t otherwise(
    const struct traceql_page *p, const struct otherwise *o, uint32_t row)
{
    return o->by_resource != NULL ? o->by_resource[p->columns.resource[row]] : o->verdict;
}

static int begin_otherwise(
    struct traceql_page *p, const struct traceql_condition *c, struct otherwise *o)
{
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    bool beyond = span_page_column_count(p->page) == SPAN_PAGE_COLUMNS_MAX;
    *o = (struct otherwise){
        .verdict = beyond ? TRACEQL_OPEN : traceql_verdict_of(traceql_condition_holds(c, nil))};
    o->may_hold = (o->verdict & TRACEQL_MAY_HOLD) != 0;
    if (beyond || c->field->scope != TRACEQL_SCOPE_ANY) {
        return 0;
    }
    o->may_hold = true;
    int status = traceql_page_resources(p, c, &o->by_resource);
    return status == 0 ? traceql_page_read(p, SPAN_PAGE_OF_RESOURCE) : status;
}

/* A column, and what the condition says of its values. */
struct asked_column {
    struct span_page_column column;
    struct traceql_range range;
    bool has_range, is_nothing;
    struct entries entries;
};

static bool is_text(const struct span_page_column *column)
{
    return column->kind == ATTRIBUTE_STRING || column->kind == ATTRIBUTE_ARRAY;
}

static inline uint8_t value_verdict(
    const struct traceql_condition *c, struct asked_column *asked, uint32_t at)
{
    const struct span_page_column *column = &asked->column;
    struct traceql_value value = {.type = TRACEQL_NIL};
    switch (column->kind) {
    case ATTRIBUTE_STRING:
    case ATTRIBUTE_ARRAY:
        return text_verdict(c, &asked->entries, column->texts, column->codes[at],
            column->kind == ATTRIBUTE_STRING ? TRACEQL_STRING : TRACEQL_ARRAY);
    case ATTRIBUTE_INT:
        if (asked->has_range) {
            return traceql_verdict_of(traceql_range_has(&asked->range, column->integers[at]));
        }
        value = (struct traceql_value){.type = TRACEQL_INT, .integer = column->integers[at]};
        break;
    case ATTRIBUTE_BOOL:
        value = (struct traceql_value){.type = TRACEQL_BOOL, .boolean = column->integers[at] != 0};
        break;
    case ATTRIBUTE_DOUBLE:
        value = (struct traceql_value){.type = TRACEQL_FLOAT, .number = column->numbers[at]};
        break;
    default:
        break;
    }
    return traceql_verdict_of(traceql_condition_holds(c, value));
}

/* Whether a value of the column may satisfy the condition; texts are asked when there are fewer than rows. */
static bool column_may_hold(
    const struct traceql_condition *c, struct asked_column *asked, uint32_t rows)
{
    const struct span_page_column *column = &asked->column;
    if (asked->has_range) {
        const struct traceql_range *r = &asked->range;
        return column->count > 0 && (r->others || (column->integer_max >= r->least &&
                                                      column->integer_min <= r->greatest));
    }
    if (!is_text(column) || column->text_count > rows) {
        return column->count > 0;
    }
    uint8_t all = 0;
    for (uint32_t code = 0; code < column->text_count; code++) {
        all |= text_verdict(c, &asked->entries, column->texts, code,
            column->kind == ATTRIBUTE_STRING ? TRACEQL_STRING : TRACEQL_ARRAY);
    }
    return (all & TRACEQL_MAY_HOLD) != 0;
}

static int begin_column(struct traceql_page *p, const struct traceql_condition *c, uint32_t index,
    struct asked_column *asked)
{
    *asked = (struct asked_column){.has_range = false};
    int status = span_page_column(p->page, index, &asked->column);
    enum attribute_kind kind = asked->column.kind;
    asked->is_nothing = kind == ATTRIBUTE_EMPTY || kind == ATTRIBUTE_BYTES || kind == ATTRIBUTE_MAP;
    asked->has_range = kind == ATTRIBUTE_INT && traceql_condition_range(c, &asked->range);
    return status == 0 && is_text(&asked->column)
               ? begin_entries(p, asked->column.text_count, &asked->entries)
               : status;
}

/* Of a key that the page has in one column, as mostly. */
static void ask_column(struct traceql_page *p, const struct traceql_condition *c,
    struct asked_column *asked, const struct otherwise *o, const struct rows *rows,
    uint8_t *verdicts)
{
    /* What verdicts are written to may not be what these lie in, but the compiler cannot know. */
    const struct otherwise none = *o;
    const uint16_t *places = asked->column.places;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = row_at(rows, i), place = places[row];
        verdicts[row] = place == 0 || asked->is_nothing    ? otherwise(p, &none, row)
                        : place == SPAN_PAGE_PLACE_SEVERAL ? TRACEQL_OPEN
                                                           : value_verdict(c, asked, place - 1);
    }
}

/* A span that has the key twice: which of the two counts the span must say. */
static void ask_columns(struct traceql_page *p, const struct traceql_condition *c,
    struct asked_column *all, uint32_t count, const struct otherwise *o, const struct rows *rows,
    uint8_t *verdicts)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = row_at(rows, i), found = 0, values = 0;
        bool several = false;
        for (uint32_t k = 0; k < count; k++) {
            uint16_t place = all[k].column.places[row];
            several = several || place == SPAN_PAGE_PLACE_SEVERAL;
            values += place != 0;
            found = place != 0 ? k : found;
        }
        if (several || values > 1) {
            verdicts[row] = TRACEQL_OPEN;
        } else if (values == 0 || all[found].is_nothing) {
            verdicts[row] = otherwise(p, o, row);
        } else {
            verdicts[row] = value_verdict(c, &all[found], all[found].column.places[row] - 1u);
        }
    }
}

static int filter_attributes(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    enum { SAME_KEY_MAX = ATTRIBUTE_MAP + 1 }; /* one a kind */
    struct asked_column asked[SAME_KEY_MAX];
    struct otherwise o;
    uint32_t count = 0;
    bool may = false;
    int status = begin_otherwise(p, c, &o);
    for (uint32_t i = 0; status == 0 && i < span_page_column_count(p->page); i++) {
        struct str key;
        enum attribute_kind kind;
        span_page_column_key(p->page, i, &key, &kind);
        if (!str_eq(key, c->field->key)) {
            continue;
        }
        if (count == SAME_KEY_MAX) { /* of a page that nobody here wrote */
            return ERR_CORRUPT;
        }
        status = begin_column(p, c, i, &asked[count]);
        may = may || (status == 0 && column_may_hold(c, &asked[count], rows->count));
        count++;
    }
    if (status != 0) {
        return status;
    }
    /* With the key twice a row is open, though no value by itself would do: that is for the span to say. */
    if (!may && !o.may_hold && count == 1 && !asked[0].column.several) {
        fill(rows, TRACEQL_MAY_FAIL, verdicts);
    } else if (count == 1) {
        ask_column(p, c, asked, &o, rows, verdicts);
    } else {
        ask_columns(p, c, asked, count, &o, rows, verdicts);
    }
    return 0;
}

/* ---- Others ---- */

/* A comparison with a field of events is true when it is for one of them. */
static int filter_events(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    struct span_page_extras extras;
    int status = span_page_extra(p->page, SPAN_PAGE_EVENTS, &extras);
    status = status == 0 ? traceql_page_read(p, SPAN_PAGE_STARTS) : status;
    fill(rows, TRACEQL_MAY_FAIL, verdicts);
    for (uint32_t i = 0, k = 0; status == 0 && i < extras.count; i++) {
        struct decbuf in = decbuf_of(extras.items[i].ptr, extras.items[i].len);
        uint32_t row = extras.rows[i];
        while (k < rows->count && row_at(rows, k) < row) {
            k++;
        }
        if (k == rows->count || row_at(rows, k) != row) {
            continue;
        }
        struct arena_mark mark = arena_mark(p->arena);
        while (status == 0 && decbuf_left(&in) > 0 && verdicts[row] == TRACEQL_MAY_FAIL) {
            struct span_event event;
            status = otlp_event_decode(decbuf_sized(&in), p->arena, &event);
            status = status == 0 && in.failed ? ERR_CORRUPT : status;
            if (status == 0) {
                verdicts[row] = traceql_verdict_of(traceql_condition_holds(
                    c, traceql_event_value(&event, p->columns.start_ns[row], c->field)));
            }
        }
        arena_rewind(p->arena, mark);
    }
    return status;
}

static int filter_values(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    struct traceql_page_values v;
    struct entries entries;
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    int known = traceql_page_values(p, c->field, &v);
    if (known != 1) {
        fill(rows, TRACEQL_OPEN, verdicts);
        return known;
    }
    int status = begin_entries(p, v.count, &entries);
    uint8_t of_nil = traceql_verdict_of(traceql_condition_holds(c, nil));
    for (uint32_t i = 0; status == 0 && i < rows->count; i++) {
        uint32_t row = row_at(rows, i), code = v.codes[row];
        if (code < v.count && entries.verdicts[code] == 0) {
            entries.verdicts[code] = traceql_verdict_of(traceql_condition_holds(c, v.values[code]));
        }
        verdicts[row] = code < v.count             ? entries.verdicts[code]
                        : code == TRACEQL_CODE_NIL ? of_nil
                                                   : TRACEQL_OPEN;
    }
    return status;
}

static int filter_intrinsic(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    switch (c->field->intrinsic) {
    case TRACEQL_INTRINSIC_NAME:
        return filter_names(p, c, rows, verdicts);
    case TRACEQL_INTRINSIC_STATUS:
        return filter_bytes(p, c, TRACEQL_STATUS, rows, verdicts);
    case TRACEQL_INTRINSIC_KIND:
        return filter_bytes(p, c, TRACEQL_KIND, rows, verdicts);
    case TRACEQL_INTRINSIC_DURATION:
        return filter_durations(p, c, rows, verdicts);
    default:
        return filter_values(p, c, rows, verdicts);
    }
}

static int filter_condition(struct traceql_page *p, const struct traceql_condition *c,
    const struct rows *rows, uint8_t *verdicts)
{
    uint8_t all;
    int status = traceql_page_verdict(p, c, &all);
    if (status != 0 || all != TRACEQL_OPEN) {
        fill(rows, all, verdicts);
        return status;
    }
    if (traceql_field_of_events(c->field) && c->expr->node == TRACEQL_BINARY) {
        return filter_events(p, c, rows, verdicts);
    }
    switch (c->field->scope) {
    case TRACEQL_SCOPE_RESOURCE:
        return filter_resources(p, c, rows, verdicts);
    case TRACEQL_SCOPE_SPAN:
    case TRACEQL_SCOPE_ANY:
        return filter_attributes(p, c, rows, verdicts);
    case TRACEQL_SCOPE_INTRINSIC:
        return filter_intrinsic(p, c, rows, verdicts);
    default:
        return filter_values(p, c, rows, verdicts);
    }
}

/* ---- What joins them ---- */

static int filter(struct traceql_page *p, const struct traceql_expr *e, const struct rows *rows,
    uint8_t *verdicts);

/* What asking costs: dictionaries of resources and scopes; columns that every span has; attributes, equality before
 * order before regular expressions; others. As deep as the expression: TRACEQL_NODES_MAX. */
static int cost_of(const struct traceql_expr *e)
{
    enum { NOTHING, POOL, FIXED, ATTRIBUTE, OTHER = ATTRIBUTE + 4 };
    struct traceql_condition c;
    if (!traceql_condition_of(e, &c)) {
        if (e->node == TRACEQL_BINARY && (e->op == TRACEQL_AND || e->op == TRACEQL_OR)) {
            int left = cost_of(e->left), right = cost_of(e->right);
            return left > right ? left : right;
        }
        return e->node == TRACEQL_LITERAL ? NOTHING
               : e->node == TRACEQL_NOT   ? cost_of(e->left)
                                          : OTHER;
    }
    switch (c.field->scope) {
    case TRACEQL_SCOPE_RESOURCE:
    case TRACEQL_SCOPE_INSTRUMENTATION:
        return POOL;
    case TRACEQL_SCOPE_INTRINSIC:
        return c.field->intrinsic <= TRACEQL_INTRINSIC_DURATION ? FIXED : OTHER;
    case TRACEQL_SCOPE_SPAN:
    case TRACEQL_SCOPE_ANY:
        return ATTRIBUTE + (e->node != TRACEQL_BINARY || e->op == TRACEQL_NE ? 2
                               : e->op == TRACEQL_EQ                         ? 0
                               : e->op == TRACEQL_RE || e->op == TRACEQL_NRE ? 3
                                                                             : 1);
    default:
        return OTHER;
    }
}

struct conjunct {
    const struct traceql_expr *expr;
    int cost;
    size_t place;
};

static int cheap_first(const void *left, const void *right)
{
    const struct conjunct *a = left, *b = right;
    return a->cost != b->cost ? a->cost - b->cost : a->place < b->place ? -1 : a->place > b->place;
}

static void collect(const struct traceql_expr *e, struct conjunct *all, size_t *count)
{
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_AND) {
        collect(e->left, all, count);
        collect(e->right, all, count);
        return;
    }
    all[*count] = (struct conjunct){e, cost_of(e), *count};
    (*count)++;
}

static size_t count_conjuncts(const struct traceql_expr *e)
{
    return e->node == TRACEQL_BINARY && e->op == TRACEQL_AND
               ? count_conjuncts(e->left) + count_conjuncts(e->right)
               : 1;
}

/* Of the rows those that may still hold. Mostly few do: rows that fail are passed eight at a time. */
static uint32_t keep_open(const struct rows *rows, const uint8_t *verdicts, uint16_t *kept)
{
    const uint64_t may_hold = UINT64_C(0x0101010101010101) * TRACEQL_MAY_HOLD;
    uint32_t count = 0, i = 0;
    for (; rows->items == NULL && i + 8 <= rows->count; i += 8) {
        uint64_t eight;
        memcpy(&eight, verdicts + i, sizeof(eight));
        for (uint32_t k = 0; (eight & may_hold) != 0 && k < 8; k++) {
            kept[count] = (uint16_t)(i + k);
            count += (verdicts[i + k] & TRACEQL_MAY_HOLD) != 0;
        }
    }
    for (; i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        kept[count] = (uint16_t)row;
        count += (verdicts[row] & TRACEQL_MAY_HOLD) != 0;
    }
    return count;
}

static int filter_and(struct traceql_page *p, const struct traceql_expr *e, const struct rows *rows,
    uint8_t *verdicts)
{
    size_t count = 0;
    struct conjunct *all = arena_alloc(p->arena, count_conjuncts(e) * sizeof(*all));
    uint8_t *one = arena_alloc(p->arena, (size_t)p->rows + 1);
    uint16_t *left = arena_alloc(p->arena, ((size_t)p->rows + 1) * sizeof(*left));
    if (all == NULL || one == NULL || left == NULL) {
        return arena_error(p->arena);
    }
    collect(e, all, &count);
    qsort(all, count, sizeof(*all), cheap_first);
    int status = filter(p, all[0].expr, rows, verdicts);
    struct rows open = {left, status == 0 ? keep_open(rows, verdicts, left) : 0};
    for (size_t i = 1; status == 0 && i < count && open.count > 0; i++) {
        status = filter(p, all[i].expr, &open, one);
        for (uint32_t k = 0; status == 0 && k < open.count; k++) {
            uint32_t row = left[k];
            verdicts[row] = traceql_verdict_and(verdicts[row], one[row]);
        }
        open.count = status == 0 ? keep_open(&open, verdicts, left) : 0;
    }
    return status;
}

/* Rows for which one side holds are not asked of the other. */
static int filter_or(struct traceql_page *p, const struct traceql_expr *e, const struct rows *rows,
    uint8_t *verdicts)
{
    uint8_t *one = arena_alloc(p->arena, (size_t)p->rows + 1);
    uint16_t *left = arena_alloc(p->arena, ((size_t)p->rows + 1) * sizeof(*left));
    bool turned = cost_of(e->right) < cost_of(e->left);
    struct rows open = {left, 0};
    if (one == NULL || left == NULL) {
        return arena_error(p->arena);
    }
    int status = filter(p, turned ? e->right : e->left, rows, verdicts);
    for (uint32_t i = 0; status == 0 && i < rows->count; i++) {
        uint32_t row = row_at(rows, i);
        left[open.count] = (uint16_t)row;
        open.count += verdicts[row] != TRACEQL_MAY_HOLD;
    }
    status =
        status == 0 && open.count > 0 ? filter(p, turned ? e->left : e->right, &open, one) : status;
    for (uint32_t i = 0; status == 0 && i < open.count; i++) {
        uint32_t row = left[i];
        verdicts[row] = traceql_verdict_or(verdicts[row], one[row]);
    }
    return status;
}

static int filter(struct traceql_page *p, const struct traceql_expr *e, const struct rows *rows,
    uint8_t *verdicts)
{
    struct traceql_condition c;
    if (e->node == TRACEQL_LITERAL) {
        fill(rows, traceql_verdict_of(e->literal.type == TRACEQL_BOOL && e->literal.boolean),
            verdicts);
        return 0;
    }
    if (traceql_condition_of(e, &c)) {
        return filter_condition(p, &c, rows, verdicts);
    }
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_AND) {
        return filter_and(p, e, rows, verdicts);
    }
    if (e->node == TRACEQL_BINARY && e->op == TRACEQL_OR) {
        return filter_or(p, e, rows, verdicts);
    }
    if (e->node == TRACEQL_NOT && e->left->type == TRACEQL_BOOL) {
        int status = filter(p, e->left, rows, verdicts);
        for (uint32_t i = 0; status == 0 && i < rows->count; i++) {
            uint32_t row = row_at(rows, i);
            verdicts[row] = traceql_verdict_not(verdicts[row]);
        }
        return status;
    }
    fill(rows, TRACEQL_OPEN, verdicts);
    return 0;
}

int traceql_page_filter(
    struct traceql_page *p, const struct traceql_expr *expr, uint8_t **verdicts_out)
{
    const struct rows all = {NULL, p->rows};
    uint8_t *verdicts = arena_alloc(p->arena, (size_t)p->rows + 1);
    if (verdicts == NULL) {
        return arena_error(p->arena);
    }
    memset(verdicts, TRACEQL_MAY_HOLD, p->rows);
    *verdicts_out = verdicts;
    return expr != NULL ? filter(p, expr, &all, verdicts) : 0;
}

bool traceql_any_holds(const uint8_t *verdicts, uint32_t rows)
{
    uint64_t all = 0, eight;
    uint32_t i = 0;
    for (; i + 8 <= rows; i += 8) {
        memcpy(&eight, verdicts + i, sizeof(eight));
        all |= eight;
    }
    for (; i < rows; i++) {
        all |= verdicts[i];
    }
    return (all & (UINT64_C(0x0101010101010101) * TRACEQL_MAY_HOLD)) != 0;
}
