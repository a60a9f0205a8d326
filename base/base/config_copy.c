/* Structs described by tables, copied and compared row by row: settings that outlive the file they were
 * read from, and the question whether a new file changes them. */
#include <assert.h>
#include <string.h>

#include "base/config.h"

static int copy_fields(
    struct arena *arena, const struct config_field *fields, const void *from, void *to);

static int copy_text(struct arena *arena, const char *from, const char **to)
{
    *to = from != NULL ? arena_strndup(arena, from, strlen(from)) : NULL;
    return from != NULL && *to == NULL ? arena_error(arena) : 0;
}

static int copy_strings(
    struct arena *arena, const struct config_strings *from, struct config_strings *to)
{
    to->count = from->count;
    to->items = arena_calloc(arena, from->count, sizeof(*to->items));
    int status = to->items == NULL && from->count > 0 ? arena_error(arena) : 0;
    for (size_t i = 0; status == 0 && i < from->count; i++) {
        status = copy_text(arena, from->items[i], &to->items[i]);
    }
    return status;
}

static int copy_map(struct arena *arena, const struct config_map *from, struct config_map *to)
{
    to->count = from->count;
    to->items = arena_calloc(arena, from->count, sizeof(*to->items));
    int status = to->items == NULL && from->count > 0 ? arena_error(arena) : 0;
    for (size_t i = 0; status == 0 && i < from->count; i++) {
        status = copy_text(arena, from->items[i].key, &to->items[i].key);
        status = status == 0 ? copy_text(arena, from->items[i].value, &to->items[i].value) : status;
    }
    return status;
}

/* Of an item of a CONFIG_NAMED_LIST. */
static const char **name_of(
    const struct config_field *field, const struct config_list *list, size_t index)
{
    return (const char **)((char *)list->items + index * field->item_size);
}

static int copy_list(struct arena *arena, const struct config_field *field,
    const struct config_list *from, struct config_list *to)
{
    char *items = arena_calloc(arena, from->count, field->item_size);
    if (from->count == 0 || items == NULL) {
        *to = (struct config_list){0};
        return from->count == 0 ? 0 : arena_error(arena);
    }
    memcpy(items, from->items, from->count * field->item_size);
    *to = (struct config_list){items, from->count};
    int status = 0;
    for (size_t i = 0; status == 0 && i < from->count; i++) {
        size_t at = i * field->item_size;
        status = copy_fields(
            arena, field->fields, (const char *)from->items + at, (char *)to->items + at);
        if (status == 0 && field->kind == CONFIG_NAMED_LIST) {
            status = copy_text(arena, *name_of(field, from, i), name_of(field, to, i));
        }
    }
    return status;
}

static int copy_field(
    struct arena *arena, const struct config_field *field, const void *from, void *to)
{
    switch (field->kind) {
    case CONFIG_STRING:
        return copy_text(arena, *(const char *const *)from, to);
    case CONFIG_STRING_LIST:
        return copy_strings(arena, from, to);
    case CONFIG_STRING_MAP:
        return copy_map(arena, from, to);
    case CONFIG_OBJECT:
        return copy_fields(arena, field->fields, from, to);
    case CONFIG_LIST:
    case CONFIG_NAMED_LIST:
        return copy_list(arena, field, from, to);
    case CONFIG_BOOL:
    case CONFIG_INTEGER:
    case CONFIG_DOUBLE:
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        return 0; /* came with the bytes of the struct */
    case CONFIG_IGNORED:
    case CONFIG_REFUSED:
        return 0;
    case CONFIG_CUSTOM:
        break;
    }
    assert(false); /* what a CUSTOM row points to is known to its reader alone */
    return ERR_UNSUPPORTED;
}

static int copy_fields(
    struct arena *arena, const struct config_field *fields, const void *from, void *to)
{
    int status = 0;
    for (const struct config_field *f = fields; status == 0 && f->key != NULL; f++) {
        status = copy_field(arena, f, (const char *)from + f->offset, (char *)to + f->offset);
    }
    return status;
}

int config_copy(struct arena *arena, const struct config_field *fields, const void *from,
    size_t size, void *copy_out)
{
    memcpy(copy_out, from, size);
    return copy_fields(arena, fields, from, copy_out);
}

/* ---- Comparing ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_strings(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = same_text(a->items[i], b->items[i]);
    }
    return same;
}

static bool same_map(const struct config_map *a, const struct config_map *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = same_text(a->items[i].key, b->items[i].key) &&
               same_text(a->items[i].value, b->items[i].value);
    }
    return same;
}

static bool same_list(
    const struct config_field *field, const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        size_t at = i * field->item_size;
        same = config_eq(field->fields, (const char *)a->items + at, (const char *)b->items + at) &&
               (field->kind != CONFIG_NAMED_LIST ||
                   same_text(*name_of(field, a, i), *name_of(field, b, i)));
    }
    return same;
}

static bool same_field(const struct config_field *field, const void *a, const void *b)
{
    switch (field->kind) {
    case CONFIG_STRING:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case CONFIG_STRING_LIST:
        return same_strings(a, b);
    case CONFIG_STRING_MAP:
        return same_map(a, b);
    case CONFIG_OBJECT:
        return config_eq(field->fields, a, b);
    case CONFIG_LIST:
    case CONFIG_NAMED_LIST:
        return same_list(field, a, b);
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_DOUBLE:
        return memcmp(a, b, sizeof(double)) == 0;
    case CONFIG_INTEGER:
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        return *(const int64_t *)a == *(const int64_t *)b;
    case CONFIG_IGNORED:
    case CONFIG_REFUSED:
        return true;
    case CONFIG_CUSTOM:
        break;
    }
    assert(false);
    return false;
}

bool config_eq(const struct config_field *fields, const void *a, const void *b)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        if (!same_field(f, (const char *)a + f->offset, (const char *)b + f->offset)) {
            return false;
        }
    }
    return true;
}
