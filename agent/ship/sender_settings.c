/* Copies of a sender's options. */
#include "ship/sender_settings.h"

#include <string.h>

#include "base/mem.h"

static const char *copy_text(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

static int copy_headers(struct sender_settings *s)
{
    struct sender_options *o = &s->options;
    struct http_client_header *headers =
        arena_calloc(&s->arena, o->header_count + 1, sizeof(*headers));
    bool is_whole = headers != NULL;
    for (size_t i = 0; is_whole && i < o->header_count; i++) {
        headers[i].name = copy_text(&s->arena, o->headers[i].name);
        headers[i].value = copy_text(&s->arena, o->headers[i].value);
        is_whole = headers[i].name != NULL && headers[i].value != NULL;
    }
    o->headers = headers;
    return is_whole ? 0 : arena_error(&s->arena);
}

static int copy_options(struct sender_settings *s, const struct sender_options *options)
{
    struct sender_options *o = &s->options;
    *o = *options;
    o->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : SENDER_TIMEOUT_DEFAULT_MS;
    o->backoff_min_ms = o->backoff_min_ms != 0 ? o->backoff_min_ms : SENDER_BACKOFF_MIN_MS;
    o->backoff_max_ms = o->backoff_max_ms != 0 ? o->backoff_max_ms : SENDER_BACKOFF_MAX_MS;
    o->name = copy_text(&s->arena, options->name);
    o->url = copy_text(&s->arena, options->url);
    int status = o->name != NULL && o->url != NULL ? copy_headers(s) : arena_error(&s->arena);
    if (status == 0 && options->profile != NULL) {
        status = http_profile_copy(options->profile, &s->arena, &s->profile);
        o->profile = &s->profile;
    }
    return status;
}

int sender_settings_new(const struct sender_options *options, struct sender_settings **settings_out)
{
    if (options->header_count > SENDER_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    struct sender_settings *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&s->arena, 0);
    int status = copy_options(s, options);
    s->options.request.relabel =
        options->request.relabel != NULL ? relabel_ref(options->request.relabel) : NULL;
    status = status == 0 ? request_maker_new(&s->options.request, &s->maker) : status;
    if (status != 0) {
        sender_settings_free(s);
        return status;
    }
    *settings_out = s;
    return 0;
}

void sender_settings_free(struct sender_settings *s)
{
    if (s == NULL) {
        return;
    }
    request_maker_free(s->maker);
    relabel_unref(s->options.request.relabel);
    arena_release(&s->arena);
    mem_free(s);
}

/* ---- Comparing ---- */

bool sender_settings_same_requests(const struct sender_settings *a, const struct sender_settings *b)
{
    const struct request_maker_options *x = &a->options.request, *y = &b->options.request;
    return relabel_eq(x->relabel, y->relabel) && x->no_exemplars == y->no_exemplars &&
           x->no_histograms == y->no_histograms && x->no_metadata == y->no_metadata &&
           x->metadata == y->metadata;
}

static bool same_headers(const struct sender_options *a, const struct sender_options *b)
{
    bool same = a->header_count == b->header_count;
    for (size_t i = 0; same && i < a->header_count; i++) {
        same = strcmp(a->headers[i].name, b->headers[i].name) == 0 &&
               strcmp(a->headers[i].value, b->headers[i].value) == 0;
    }
    return same;
}

bool sender_settings_same_receiver(const struct sender_settings *a, const struct sender_settings *b)
{
    const struct sender_options *x = &a->options, *y = &b->options;
    bool same = strcmp(x->url, y->url) == 0 && x->protocol == y->protocol &&
                x->timeout_ms == y->timeout_ms && same_headers(x, y);
    return same && (x->profile == NULL) == (y->profile == NULL) &&
           (x->profile == NULL || http_profile_eq(x->profile, y->profile));
}
