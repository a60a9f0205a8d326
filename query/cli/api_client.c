/* A loop that runs for one exchange. */
#include "cli/api_client.h"

#include <assert.h>

#include "base/loop.h"

/* Answers of large range queries. */
#define BODY_MAX ((size_t)1 << 30)
/* What a file of client's settings may come to. */
#define ARENA_BYTES_MAX ((size_t)4 << 20)

struct exchange {
    struct loop *loop;
    struct strbuf *body;
    unsigned status;
    struct err *e;
    const char *server;
};

static void on_done(void *context, const struct http_client_response *response)
{
    struct exchange *x = context;
    if (response->error != 0) {
        err_set(
            x->e, response->error, -1, "no answer from %s: %s", x->server, response->error_text);
    } else {
        x->status = response->status;
        strbuf_add_str(x->body, response->body);
    }
    loop_stop(x->loop);
}

/* Letters, digits and "-._~" as they are, the rest as %XX. */
static void add_encoded(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c) != NULL;
        if (plain) {
            strbuf_add_char(out, (char)c);
        } else {
            strbuf_addf(out, "%%%02X", c);
        }
    }
}

static void add_form(struct strbuf *out, const struct api_client_request *request)
{
    for (size_t i = 0; i < request->param_count; i++) {
        const struct api_client_param *param = &request->params[i];
        if (param->value == NULL) {
            continue;
        }
        strbuf_add_c(out, out->size > 0 ? "&" : "");
        add_encoded(out, param->name);
        strbuf_add_char(out, '=');
        add_encoded(out, param->value);
    }
}

static void add_url(struct strbuf *out, const struct api_client_request *request)
{
    struct str server = str_of(request->server);
    while (str_ends_with(server, STR("/"))) {
        server.len--;
    }
    strbuf_add_str(out, server);
    strbuf_add_c(out, request->path);
}

/* For one exchange; `profile` says as whom. */
static int exchange(struct exchange *x, const struct api_client_request *request,
    const struct http_profile *profile, const struct strbuf *url, const struct strbuf *form)
{
    struct http_client_options options = {0};
    struct http_client *client = NULL;
    struct http_client_call *call;
    const struct http_client_header header = {"Content-Type", "application/x-www-form-urlencoded"};
    bool own = request->header_count > 0;
    struct http_client_request http = {.method = request->get ? "GET" : "POST",
        .url = url->data,
        .headers = own ? request->headers : &header,
        .header_count = own            ? request->header_count
                        : request->get ? 0
                                       : 1,
        .body = own            ? request->body
                : request->get ? STR("")
                               : strbuf_str(form),
        .timeout_ms = request->timeout_ms,
        .body_max = BODY_MAX,
        .follow_redirects = profile->follow_redirects,
        .accept_gzip = true,
        .profile = profile};
    int status = http_client_open(x->loop, &options, &client);
    if (status == 0) {
        status = client->send(client, &http, on_done, x, &call);
    }
    if (status == 0) {
        (void)loop_run(x->loop); /* ends by loop_stop, with 0 */
        status = x->e->code;
    } else {
        err_set(x->e, status, -1, "cannot ask %s: %s", request->server, err_text(status));
    }
    if (client != NULL) {
        client->close(client);
    }
    return status;
}

/* The one status that is the same to all commands. */
static int check_welcome(const struct exchange *x)
{
    enum { UNAUTHORIZED = 401 };
    return x->status != UNAUTHORIZED
               ? 0
               : err_set(x->e, ERR_PERMISSION, -1,
                     "%s wants to know who asks: --user with --password-file, --token-file or "
                     "--http.config.file say it",
                     x->server);
}

int api_client_ask(const struct api_client_request *request, unsigned *status_out,
    struct strbuf *body, struct err *e)
{
    struct exchange x = {.body = body, .e = e, .server = request->server};
    struct strbuf url = STRBUF_INIT, form = STRBUF_INIT;
    struct http_profile profile;
    struct arena arena;
    assert(request->param_count <= API_CLIENT_PARAMS_MAX);
    *e = (struct err)ERR_INIT;
    add_url(&url, request);
    add_form(&form, request);
    if (request->get && form.size > 0) {
        strbuf_add_char(&url, '?');
        strbuf_add_str(&url, strbuf_str(&form));
    }
    int status = strbuf_error(&url) != 0 ? strbuf_error(&url) : strbuf_error(&form);
    arena_init(&arena, ARENA_BYTES_MAX);
    if (status == 0) {
        status = loop_new(&x.loop);
    }
    if (status != 0) {
        err_set(e, status, -1, "%s", err_text(status));
    } else {
        status = client_identity_read(request->identity, &arena, &profile, e);
    }
    status = status == 0 ? exchange(&x, request, &profile, &url, &form) : status;
    status = status == 0 ? check_welcome(&x) : status;
    loop_free(x.loop);
    arena_release(&arena);
    strbuf_release(&url);
    strbuf_release(&form);
    *status_out = x.status;
    return status;
}
