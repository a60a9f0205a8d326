/* YAML in: libyaml's events built into a tree. The one file that includes libyaml.
 *
 * Nodes live in the caller's arena and are never changed once complete, so an alias is the very
 * node of its anchor: a small file may stand for a large tree. What it stands for is counted with
 * all aliases expanded (nodes, and depth), because whoever walks the tree pays for that; the limits
 * of yaml.h hold for the expanded tree. An alias inside its own anchor would be a circle and is
 * refused.
 *
 * Merge keys (`<<: *base`, or a sequence of them) are resolved here: their entries are appended to
 * the mapping unless it has the key itself; of several, the first wins.
 */
#include "base/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/mem.h"

/* Anchors of one document; more is refused. */
#define YAML_ANCHORS_MAX 4096
/* Keys of a mapping that a merge key adds to; merging compares each with each. */
#define YAML_MERGED_KEYS_MAX 4096

struct anchor {
    struct str name;
    struct yaml_node *node; /* NULL while the node is being read */
    size_t nodes;           /* expanded */
    size_t height;
};

struct builder {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct arena *arena;
    const char *name;
    struct str text;
    struct anchor *anchors; /* the latest of a name counts */
    size_t anchor_count, anchor_cap;
    size_t node_count; /* expanded */
    struct err *err;
};

static int read_node(
    struct builder *b, size_t depth, struct yaml_node **node_out, size_t *height_out);

/* ---- Errors ---- */

static int fail_at(struct builder *b, size_t line, size_t column, int code, const char *what)
{
    return err_set(b->err, code, -1, "%s:%zu:%zu: %s", b->name, line, column, what);
}

static int fail_here(struct builder *b, int code, const char *what)
{
    yaml_mark_t at = b->event.start_mark;
    return fail_at(b, at.line + 1, at.column + 1, code, what);
}

static int fail_memory(struct builder *b)
{
    int code = arena_error(b->arena);
    return err_set(b->err, code, -1, "%s: %s", b->name, err_text(code));
}

/* libyaml's complaint. Its reader (encoding) only knows a byte offset. */
static int fail_parser(struct builder *b)
{
    yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return err_set(b->err, ERR_NOMEM, -1, "%s: %s", b->name, err_text(ERR_NOMEM));
    }
    size_t line = p->problem_mark.line + 1;
    size_t column = p->problem_mark.column + 1;
    if (p->error == YAML_READER_ERROR) {
        line = 1;
        column = 1;
        for (size_t i = 0; i < p->problem_offset && i < b->text.len; i++) {
            column = b->text.ptr[i] == '\n' ? 1 : column + 1;
            line += b->text.ptr[i] == '\n';
        }
    }
    const char *problem = p->problem != NULL ? p->problem : "not YAML";
    if (p->context != NULL) {
        return err_set(b->err, ERR_INVALID, -1, "%s:%zu:%zu: %s, %s", b->name, line, column,
            p->context, problem);
    }
    return fail_at(b, line, column, ERR_INVALID, problem);
}

/* ---- Events ---- */

static int next_event(struct builder *b)
{
    if (b->has_event) {
        yaml_event_delete(&b->event);
        b->has_event = false;
    }
    if (!yaml_parser_parse(&b->parser, &b->event)) {
        return fail_parser(b);
    }
    b->has_event = true;
    return 0;
}

/* ---- Anchors ---- */

static struct anchor *find_anchor(struct builder *b, struct str name)
{
    for (size_t i = b->anchor_count; i > 0; i--) {
        if (str_eq(b->anchors[i - 1].name, name)) {
            return &b->anchors[i - 1];
        }
    }
    return NULL;
}

/* Remembers that the node now beginning has this anchor; *index_out is SIZE_MAX when it has none. */
static int begin_anchor(struct builder *b, const yaml_char_t *name, size_t *index_out)
{
    *index_out = SIZE_MAX;
    if (name == NULL) {
        return 0;
    }
    int status = mem_array_grow((void **)&b->anchors, &b->anchor_cap, b->anchor_count + 1,
        sizeof(b->anchors[0]), YAML_ANCHORS_MAX);
    if (status != 0) {
        return fail_here(b, status, status == ERR_LIMIT ? "too many anchors" : err_text(status));
    }
    struct str text = str_of((const char *)name);
    char *copy = arena_strndup(b->arena, text.ptr, text.len);
    if (copy == NULL) {
        return fail_memory(b);
    }
    *index_out = b->anchor_count++;
    b->anchors[*index_out] = (struct anchor){.name = str_make(copy, text.len)};
    return 0;
}

static int count_nodes(struct builder *b, size_t more)
{
    if (more > YAML_NODES_MAX - b->node_count) {
        return fail_here(
            b, ERR_LIMIT, "the document has more than a million nodes, aliases counted");
    }
    b->node_count += more;
    return 0;
}

static int check_depth(struct builder *b, size_t depth)
{
    return depth <= YAML_DEPTH_MAX ? 0 : fail_here(b, ERR_LIMIT, "nested more than 64 levels deep");
}

static int read_alias(
    struct builder *b, size_t depth, struct yaml_node **node_out, size_t *height_out)
{
    const struct anchor *a = find_anchor(b, str_of((const char *)b->event.data.alias.anchor));
    if (a == NULL) {
        return fail_here(b, ERR_INVALID, "alias without an anchor of that name before it");
    }
    if (a->node == NULL) {
        return fail_here(b, ERR_INVALID, "alias inside the node it stands for");
    }
    int status = check_depth(b, depth + a->height);
    if (status == 0) {
        status = count_nodes(b, a->nodes);
    }
    if (status == 0) {
        *node_out = a->node;
        *height_out = a->height;
    }
    return status;
}

/* ---- Nodes ---- */

static int read_scalar(struct builder *b, struct yaml_node *node)
{
    size_t length = b->event.data.scalar.length;
    char *text = arena_strndup(b->arena, (const char *)b->event.data.scalar.value, length);
    if (text == NULL) {
        return fail_memory(b);
    }
    node->text = str_make(text, length);
    node->plain =
        b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && b->event.data.scalar.tag == NULL;
    return 0;
}

/* Entries are gathered on the heap and moved to the arena once their number is known. */
struct gathering {
    struct yaml_entry *entries;
    size_t count, cap;
};

static int gather(struct builder *b, struct gathering *g, struct yaml_entry entry)
{
    int status =
        mem_array_grow((void **)&g->entries, &g->cap, g->count + 1, sizeof(entry), YAML_NODES_MAX);
    if (status != 0) {
        return fail_here(b, status, err_text(status));
    }
    g->entries[g->count++] = entry;
    return 0;
}

static int keep_entries(struct builder *b, struct gathering *g, struct yaml_node *node)
{
    node->entries = arena_alloc(b->arena, g->count * sizeof(g->entries[0]));
    if (node->entries == NULL) {
        return fail_memory(b);
    }
    if (g->count > 0) {
        memcpy(node->entries, g->entries, g->count * sizeof(g->entries[0]));
    }
    node->count = g->count;
    return 0;
}

static int read_sequence(struct builder *b, size_t depth, struct yaml_node *node, size_t *height)
{
    struct gathering g = {0};
    int status = next_event(b);
    while (status == 0 && b->event.type != YAML_SEQUENCE_END_EVENT) {
        struct yaml_entry entry = {0};
        size_t child = 0;
        status = read_node(b, depth + 1, &entry.value, &child);
        if (status == 0) {
            *height = child + 1 > *height ? child + 1 : *height;
            status = gather(b, &g, entry);
        }
        if (status == 0) {
            status = next_event(b);
        }
    }
    if (status == 0) {
        status = keep_entries(b, &g, node);
    }
    mem_free(g.entries);
    return status;
}

static int compare_keys(const void *x, const void *y)
{
    const struct yaml_node *a = (*(const struct yaml_entry *)x).key;
    const struct yaml_node *b = (*(const struct yaml_entry *)y).key;
    int order = str_cmp(a->text, b->text);
    if (order != 0 || a->line != b->line) {
        return order != 0 ? order : a->line < b->line ? -1 : 1;
    }
    return a->column < b->column ? -1 : a->column > b->column;
}

/* Sorts the gathered entries by key; neighbours with the same key are a mistake. */
static int sort_and_check(struct builder *b, struct gathering *g)
{
    if (g->count > 1) {
        qsort(g->entries, g->count, sizeof(g->entries[0]), compare_keys);
    }
    for (size_t i = 1; i < g->count; i++) {
        const struct yaml_node *key = g->entries[i].key;
        if (str_eq(g->entries[i - 1].key->text, key->text)) {
            return err_set(b->err, ERR_INVALID, -1,
                "%s:%zu:%zu: key \"%.*s\" is here twice, first on line %zu", b->name, key->line,
                key->column, STR_ARG(key->text), g->entries[i - 1].key->line);
        }
    }
    return 0;
}

static bool is_merge_key(const struct yaml_node *key)
{
    return key->plain && str_eq_c(key->text, "<<");
}

/* Appends what `from` has and the gathered entries lack. */
static int merge_mapping(struct builder *b, struct gathering *g, const struct yaml_node *from)
{
    if (from->kind != YAML_MAPPING) {
        return fail_at(b, from->line, from->column, ERR_INVALID,
            "a merge key takes a mapping or a sequence of mappings");
    }
    if (g->count + from->count > YAML_MERGED_KEYS_MAX) {
        return fail_at(b, from->line, from->column, ERR_LIMIT, "a merge key gives too many keys");
    }
    for (size_t i = 0; i < from->count; i++) {
        bool present = false;
        for (size_t j = 0; j < g->count && !present; j++) {
            present = str_eq(g->entries[j].key->text, from->entries[i].key->text);
        }
        if (!present) {
            int status = gather(b, g, from->entries[i]);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

/* Replaces the "<<" entry at `index` by what it stands for. */
static int merge_entry(struct builder *b, struct gathering *g, size_t index)
{
    const struct yaml_node *value = g->entries[index].value;
    memmove(
        &g->entries[index], &g->entries[index + 1], (g->count - index - 1) * sizeof(g->entries[0]));
    g->count--;
    if (value->kind != YAML_SEQUENCE) {
        return merge_mapping(b, g, value);
    }
    for (size_t i = 0; i < value->count; i++) {
        int status = merge_mapping(b, g, value->entries[i].value);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int check_mapping(struct builder *b, struct gathering *g)
{
    struct gathering sorted = {mem_dup(g->entries, g->count * sizeof(g->entries[0])), g->count, 0};
    if (sorted.entries == NULL) {
        return fail_here(b, ERR_NOMEM, err_text(ERR_NOMEM));
    }
    int status = sort_and_check(b, &sorted);
    mem_free(sorted.entries);
    for (size_t i = 0; i < g->count && status == 0; i++) {
        if (is_merge_key(g->entries[i].key)) {
            status = merge_entry(b, g, i);
            break; /* there is one at most: keys are unique */
        }
    }
    return status;
}

static int read_entry(struct builder *b, size_t depth, struct yaml_entry *entry, size_t *height)
{
    size_t child = 0;
    int status = read_node(b, depth + 1, &entry->key, &child);
    if (status == 0 && entry->key->kind != YAML_SCALAR) {
        status = fail_at(b, entry->key->line, entry->key->column, ERR_INVALID,
            "a key must be a word, not a mapping or a sequence");
    }
    if (status == 0) {
        status = next_event(b);
    }
    if (status == 0) {
        status = read_node(b, depth + 1, &entry->value, &child);
    }
    *height = child + 1 > *height ? child + 1 : *height;
    return status;
}

static int read_mapping(struct builder *b, size_t depth, struct yaml_node *node, size_t *height)
{
    struct gathering g = {0};
    int status = next_event(b);
    while (status == 0 && b->event.type != YAML_MAPPING_END_EVENT) {
        struct yaml_entry entry = {0};
        status = read_entry(b, depth, &entry, height);
        if (status == 0) {
            status = gather(b, &g, entry);
        }
        if (status == 0) {
            status = next_event(b);
        }
    }
    if (status == 0) {
        status = check_mapping(b, &g);
    }
    if (status == 0) {
        status = keep_entries(b, &g, node);
    }
    mem_free(g.entries);
    return status;
}

/* The node whose first event is the current one; leaves its last event current. `depth` counts from
 * 1, `*height_out` is the number of levels below. The recursion ends at YAML_DEPTH_MAX. */
static int read_node(
    struct builder *b, size_t depth, struct yaml_node **node_out, size_t *height_out)
{
    int status = check_depth(b, depth);
    if (status != 0) {
        return status;
    }
    if (b->event.type == YAML_ALIAS_EVENT) {
        return read_alias(b, depth, node_out, height_out);
    }
    size_t nodes_before = b->node_count;
    size_t anchor = SIZE_MAX;
    size_t height = 0;
    struct yaml_node *node = arena_calloc(b->arena, 1, sizeof(*node));
    if (node == NULL) {
        return fail_memory(b);
    }
    node->line = b->event.start_mark.line + 1;
    node->column = b->event.start_mark.column + 1;
    status = count_nodes(b, 1);
    if (status == 0 && b->event.type == YAML_SCALAR_EVENT) {
        node->kind = YAML_SCALAR;
        status = begin_anchor(b, b->event.data.scalar.anchor, &anchor);
        status = status != 0 ? status : read_scalar(b, node);
    } else if (status == 0 && b->event.type == YAML_SEQUENCE_START_EVENT) {
        node->kind = YAML_SEQUENCE;
        status = begin_anchor(b, b->event.data.sequence_start.anchor, &anchor);
        status = status != 0 ? status : read_sequence(b, depth, node, &height);
    } else if (status == 0) {
        assert(b->event.type == YAML_MAPPING_START_EVENT);
        node->kind = YAML_MAPPING;
        status = begin_anchor(b, b->event.data.mapping_start.anchor, &anchor);
        status = status != 0 ? status : read_mapping(b, depth, node, &height);
    }
    if (status != 0) {
        return status;
    }
    if (anchor != SIZE_MAX) {
        b->anchors[anchor].node = node;
        b->anchors[anchor].nodes = b->node_count - nodes_before;
        b->anchors[anchor].height = height;
    }
    *node_out = node;
    *height_out = height;
    return 0;
}

/* Stream start, at most one document, stream end. */
static int read_stream(struct builder *b, struct yaml_node **node_out)
{
    struct yaml_node *root = NULL;
    size_t height;
    int status = next_event(b);
    status = status != 0 ? status : next_event(b);
    if (status == 0 && b->event.type == YAML_DOCUMENT_START_EVENT) {
        status = next_event(b);
        status = status != 0 ? status : read_node(b, 1, &root, &height);
        status = status != 0 ? status : next_event(b);
        status = status != 0 ? status : next_event(b);
    }
    if (status == 0 && b->event.type != YAML_STREAM_END_EVENT) {
        status = fail_here(b, ERR_INVALID, "a second document begins here; only one is read");
    }
    if (status == 0) {
        *node_out = root != NULL && yaml_is_null(root) ? NULL : root;
    }
    return status;
}

int yaml_parse(struct arena *arena, const char *name, struct str text, struct yaml_node **node_out,
    struct err *e)
{
    if (text.len > YAML_FILE_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "%s: %zu bytes are more than the %zu accepted", name,
            text.len, YAML_FILE_BYTES_MAX);
    }
    struct builder b = {.arena = arena, .name = name, .text = text, .err = e};
    if (!yaml_parser_initialize(&b.parser)) {
        return err_set(e, ERR_NOMEM, -1, "%s: %s", name, err_text(ERR_NOMEM));
    }
    yaml_parser_set_input_string(
        &b.parser, (const unsigned char *)(text.ptr != NULL ? text.ptr : ""), text.len);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    int status = read_stream(&b, node_out);
    if (b.has_event) {
        yaml_event_delete(&b.event);
    }
    yaml_parser_delete(&b.parser);
    mem_free(b.anchors);
    return status;
}

/* ---- Reading the tree ---- */

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING) {
        return NULL;
    }
    struct str wanted = str_of(key);
    for (size_t i = 0; i < mapping->count; i++) {
        if (str_eq(mapping->entries[i].key->text, wanted)) {
            return mapping->entries[i].value;
        }
    }
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != YAML_SCALAR || !node->plain) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_c(node->text, words[i])) {
            return true;
        }
    }
    return false;
}
