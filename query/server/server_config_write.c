/* Comparing configurations, and writing one as a file that reads back to the same but for its secrets. */
#include "model/duration.h"
#include "server/server_settings.h"

/* ---- Comparing ---- */

static bool same_list(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool same_map(const struct config_map *a, const struct config_map *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i].key, b->items[i].key) == 0 &&
               strcmp(a->items[i].value, b->items[i].value) == 0;
    }
    return same;
}

static bool same_member(const struct config_field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case CONFIG_STRING:
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    case CONFIG_STRING_LIST:
        return same_list(a, b);
    case CONFIG_STRING_MAP:
        return same_map(a, b);
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_CUSTOM: /* enumerations, both of them */
        return memcmp(a, b, sizeof(int)) == 0;
    default:
        return *(const int64_t *)a == *(const int64_t *)b;
    }
}

static bool has_member(const struct config_field *f)
{
    return f->kind != CONFIG_IGNORED && f->kind != CONFIG_REFUSED;
}

static const char *first_difference(
    const struct config_field *fields, const void *before, const void *after);

/* Of an item of a CONFIG_NAMED_LIST. */
static const char *item_name(
    const struct config_field *f, const struct config_list *list, size_t index)
{
    return *(const char *const *)((const char *)list->items + index * f->item_size);
}

/* Items of a list are compared in order. */
static bool same_objects(
    const struct config_field *f, const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same =
            first_difference(f->fields, (const char *)a->items + i * f->item_size,
                (const char *)b->items + i * f->item_size) == NULL &&
            (f->kind != CONFIG_NAMED_LIST || strcmp(item_name(f, a, i), item_name(f, b, i)) == 0);
    }
    return same;
}

static const char *first_difference(
    const struct config_field *fields, const void *before, const void *after)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        const void *a = (const char *)before + f->offset, *b = (const char *)after + f->offset;
        if (server_setting_is_live(f) || !has_member(f)) {
            continue;
        }
        if (f->kind == CONFIG_OBJECT) {
            const char *inner = first_difference(f->fields, a, b);
            if (inner != NULL) {
                return inner;
            }
        } else if (f->kind == CONFIG_LIST || f->kind == CONFIG_NAMED_LIST) {
            if (!same_objects(f, a, b)) {
                return f->key;
            }
        } else if (!same_member(f, a, b)) {
            return f->key;
        }
    }
    return NULL;
}

const char *server_config_needs_restart(
    const struct server_config *before, const struct server_config *after)
{
    return first_difference(server_config_fields, before, after);
}

/* ---- Writing ---- */

/* What others may see of the text, in single quotes, which YAML reads as they are but for the quote
 * itself. */
static void write_text(struct strbuf *out, const struct config_field *f, const char *text)
{
    struct strbuf shown = STRBUF_INIT;
    config_add_public(f, text, &shown);
    strbuf_add_char(out, '\'');
    for (size_t i = 0; i < shown.size; i++) {
        strbuf_add_c(out, shown.data[i] == '\'' ? "'" : "");
        strbuf_add_char(out, shown.data[i]);
    }
    strbuf_add_char(out, '\'');
    strbuf_release(&shown);
}

static void write_list(
    struct strbuf *out, const struct config_field *f, const struct config_strings *list)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        strbuf_add_c(out, i > 0 ? ", " : "");
        write_text(out, f, list->items[i]);
    }
    strbuf_add_char(out, ']');
}

static void write_map(
    struct strbuf *out, const struct config_field *f, const struct config_map *map)
{
    static const struct config_field name;
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < map->count; i++) {
        strbuf_add_c(out, i > 0 ? ", " : "");
        write_text(out, &name, map->items[i].key);
        strbuf_add_c(out, ": ");
        write_text(out, f, map->items[i].value);
    }
    strbuf_add_char(out, '}');
}

static void write_member(struct strbuf *out, const struct config_field *f, const void *member)
{
    switch (f->kind) {
    case CONFIG_STRING:
        write_text(out, f, *(const char *const *)member);
        break;
    case CONFIG_STRING_LIST:
        write_list(out, f, member);
        break;
    case CONFIG_STRING_MAP:
        write_map(out, f, member);
        break;
    case CONFIG_BOOL:
        strbuf_add_c(out, *(const bool *)member ? "true" : "false");
        break;
    case CONFIG_DURATION:
        duration_write(*(const int64_t *)member, out);
        break;
    case CONFIG_CUSTOM:
        strbuf_add_c(out, server_setting_word(f, member));
        break;
    default:
        strbuf_add_i64(out, *(const int64_t *)member);
        break;
    }
    strbuf_add_char(out, '\n');
}

/* Tables in tables are as deep as the program's own. */
static void write_fields(
    struct strbuf *out, const struct config_field *fields, const void *config, int depth);

static void write_objects(
    struct strbuf *out, const struct config_field *f, const struct config_list *list, int depth)
{
    bool named = f->kind == CONFIG_NAMED_LIST;
    strbuf_add_c(out, list->count > 0 ? "\n" : named ? " {}\n" : " []\n");
    for (size_t i = 0; i < list->count; i++) {
        static const struct config_field name;
        strbuf_addf(out, "%*s", 2 * depth + 2, "");
        if (named) {
            write_text(out, &name, item_name(f, list, i));
        }
        strbuf_add_c(out, named ? ":\n" : "-\n");
        write_fields(out, f->fields, (const char *)list->items + i * f->item_size, depth + 2);
    }
}

static void write_fields(
    struct strbuf *out, const struct config_field *fields, const void *config, int depth)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        const void *member = (const char *)config + f->offset;
        if (!has_member(f)) {
            continue;
        }
        strbuf_addf(out, "%*s%s:", 2 * depth, "", f->key);
        if (f->kind == CONFIG_OBJECT) {
            strbuf_add_char(out, '\n');
            write_fields(out, f->fields, member, depth + 1);
        } else if (f->kind == CONFIG_LIST || f->kind == CONFIG_NAMED_LIST) {
            write_objects(out, f, member, depth);
        } else {
            strbuf_add_char(out, ' ');
            write_member(out, f, member);
        }
    }
}

void server_config_write(const struct server_config *config, struct strbuf *out)
{
    write_fields(out, server_config_fields, config, 0);
}
