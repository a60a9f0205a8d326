/* Tags come as a JSON object from Jaeger's clients of both versions. */
#include <jansson.h>
#include <string.h>

#include "api/api_trace_search.h"
#include "api/api_traceql.h"

/* ---- The question ---- */

int api_trace_add_tag(struct api_trace_question *q, struct str key, struct str value, struct err *e)
{
    if (q->query.tag_count == TRACE_TAGS_MAX) {
        return err_set(e, ERR_INVALID, -1, "more than %d tags", TRACE_TAGS_MAX);
    }
    q->query.tags = q->tags;
    q->tags[q->query.tag_count++] = (struct trace_tag){key, value};
    return 0;
}

static int copy_text(struct arena *arena, const char *text, size_t length, struct str *copy_out)
{
    const char *copy = arena_strndup(arena, text, length);
    *copy_out = str_make(copy, length);
    return copy == NULL ? arena_error(arena) : 0;
}

int api_trace_read_tags(
    struct api_request *r, const char *name, struct api_trace_question *q, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct arena *arena = http_exchange_arena(r->exchange);
    const char *key;
    json_t *value;
    if (text.len == 0) {
        return 0;
    }
    json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
    int status = json_is_object(root) ? 0 : ERR_INVALID;
    json_object_foreach(root, key, value)
    {
        struct str key_copy, value_copy;
        if (status != 0 || !json_is_string(value)) {
            status = status != 0 ? status : ERR_INVALID;
            break;
        }
        status = copy_text(arena, key, strlen(key), &key_copy);
        status = status == 0 ? copy_text(arena, json_string_value(value), json_string_length(value),
                                   &value_copy)
                             : status;
        status = status == 0 ? api_trace_add_tag(q, key_copy, value_copy, e) : status;
    }
    json_decref(root);
    return status != 0 && e->code == 0
               ? err_set(e, status, -1,
                     "%s: expected a JSON object of texts, like {\"http.status_code\":\"200\"}",
                     name)
               : status;
}

/* ---- The answer ---- */

int api_trace_walk_open(struct api_request *r, struct api_trace_walk *walk, struct err *e)
{
    *walk = (struct api_trace_walk){0};
    api_trace_budget(r, &walk->budget);
    int status = api_open_spans(r, &walk->view, e);
    trace_reader_init(&walk->reader, walk->view);
    return status;
}

int api_trace_walk_one(struct api_trace_walk *walk, struct trace_id id, api_trace_taker take,
    void *context, struct err *e)
{
    struct arena arena;
    struct span_trace trace;
    arena_init(&arena, TRACE_BUDGET_BYTES_MAX);
    int status = trace_reader_read(&walk->reader, id, &arena, &trace, e);
    status = status == 0 ? trace_budget_spend(&walk->budget, trace.count, e) : status;
    if (status == 0 && trace.count > 0) {
        walk->left_out += trace.left_out;
        status = take(&trace, &arena, context);
    }
    arena_release(&arena);
    return status;
}

int api_trace_walk_hits(struct api_trace_walk *walk, const struct trace_hits *hits,
    api_trace_taker take, void *context, struct err *e)
{
    int status = 0;
    walk->damaged |= hits->damaged_pages > 0;
    for (size_t i = 0; status == 0 && i < hits->count; i++) {
        status = api_trace_walk_one(walk, hits->items[i].id, take, context, e);
    }
    return status;
}

void api_trace_walk_close(struct api_request *r, struct api_trace_walk *walk)
{
    trace_reader_release(&walk->reader);
    api_trace_say_missing(r, walk->left_out, walk->damaged || walk->reader.damaged);
    span_view_close(walk->view);
}
