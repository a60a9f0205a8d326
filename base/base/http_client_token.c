/* Tokens of OAuth 2 by client credentials (RFC 6749, sections 2.3.1 and 4.4).
 *
 * The calls of a client share tokens by their settings. A call without a good token waits: the first one asks
 * for it, with a call of its own to the token endpoint, and all that wait go on, or fail, with the answer. A
 * token is good until shortly before it expires, or until a server answers 401 to it.
 *
 * Name and secret are sent in the header Authorization, which every server must understand; where that is
 * answered with 400 or 401, they are sent in the body, which some servers want, and from then on always. Redirects
 * of the endpoint are not followed: the secret would go along.
 *
 * Who may connect where (http_client_request.may_connect) is asked of each call that waits, because the
 * connection to the endpoint is made for their sake.
 */
#include <assert.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "http_client_call.h"

enum {
    /* Sets of settings with a token, of one client. */
    TOKENS_MAX = 256,
    ANSWER_BYTES_MAX = 64 * 1024,
    BODY_BYTES_MAX = 256 * 1024,
    /* Before a token expires it is too late to send it: clocks differ, and requests take time. */
    EXPIRY_MARGIN_SECONDS = 10,
    EXPIRY_SECONDS_MAX = 10 * 365 * 24 * 3600,
};

struct http_token {
    struct http_token *next;
    struct client *client;
    struct arena arena; /* of the settings */
    struct http_oauth2 settings;
    struct strbuf header;  /* "Bearer …"; empty: no token */
    int64_t good_until_ms; /* by the monotonic clock */
    uint64_t generation;   /* counts tokens */
    size_t users;          /* calls that point here */
    bool fetching;
    bool in_body; /* how name and secret are sent */
    struct strbuf body;
    struct http_client_call *waiting,
        *ending; /* ending: told one after the other what came of it */
    char error_text[256];
};

static void token_free(struct http_token *t)
{
    http_secret_release(&t->header);
    http_secret_release(&t->body);
    arena_release(&t->arena);
    mem_free(t);
}

void http_client_tokens_free(struct client *c)
{
    while (c->tokens != NULL) {
        struct http_token *t = c->tokens;
        c->tokens = t->next;
        token_free(t);
    }
}

/* Makes room when there are too many: the oldest that nobody uses goes. */
static int make_room(struct client *c)
{
    struct http_token **oldest = NULL;
    size_t count = 0;
    for (struct http_token **at = &c->tokens; *at != NULL; at = &(*at)->next) {
        count++;
        if ((*at)->users == 0 && !(*at)->fetching) {
            oldest = at; /* new ones come first */
        }
    }
    if (count < TOKENS_MAX) {
        return 0;
    }
    if (oldest == NULL) {
        return ERR_LIMIT;
    }
    struct http_token *t = *oldest;
    *oldest = t->next;
    token_free(t);
    return 0;
}

static int find_token(
    struct client *c, const struct http_oauth2 *settings, struct http_token **token_out)
{
    for (struct http_token *t = c->tokens; t != NULL; t = t->next) {
        if (config_eq(http_oauth2_fields, &t->settings, settings)) {
            *token_out = t;
            return 0;
        }
    }
    int status = make_room(c);
    struct http_token *t = status == 0 ? mem_calloc(1, sizeof(*t)) : NULL;
    if (t == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    t->client = c;
    arena_init(&t->arena, 0);
    strbuf_init(&t->header, HTTP_CLIENT_HEADER_BYTES_MAX);
    strbuf_init(&t->body, BODY_BYTES_MAX);
    status = config_copy(&t->arena, http_oauth2_fields, settings, sizeof(*settings), &t->settings);
    if (status != 0) {
        token_free(t);
        return status;
    }
    t->next = c->tokens;
    c->tokens = t;
    *token_out = t;
    return 0;
}

/* ---- Waiting ---- */

static void leave_list(struct http_client_call **list, const struct http_client_call *call)
{
    for (; *list != NULL; list = &(*list)->next_waiting) {
        if (*list == call) {
            *list = call->next_waiting;
            return;
        }
    }
}

static void append(struct http_client_call **list, struct http_client_call *calls)
{
    while (*list != NULL) {
        list = &(*list)->next_waiting;
    }
    *list = calls;
}

void http_client_token_leave(struct http_client_call *call, unsigned status)
{
    struct http_token *t = call->token;
    if (t == NULL) {
        return;
    }
    leave_list(&t->waiting, call);
    leave_list(&t->ending, call);
    if (status == 401 && call->token_generation == t->generation) {
        explicit_bzero(t->header.data, t->header.size);
        strbuf_reset(&t->header);
    }
    call->token = NULL;
    assert(t->users > 0);
    t->users--;
}

/* Puts the token into the call, which has waited since `begun_ms` and has that much less time. */
static int go_on(struct http_client_call *call)
{
    struct http_token *t = call->token;
    int64_t left_ms = call->timeout_ms - (clock_monotonic_ms(clock_real()) - call->token_since_ms);
    call->token_generation = t->generation;
    int status = http_client_call_add_header(
        call, &(struct http_client_header){"Authorization", t->header.data});
    if (status == 0 &&
        (libcurl.easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK ||
            libcurl.easy_setopt(
                call->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1)) != CURLE_OK)) {
        status = ERR_NOMEM;
    }
    return status;
}

/* All that wait go on, or end with `error` and the token's sentence. They may send and cancel. */
static void tell_waiting(struct http_token *t, int error)
{
    append(&t->ending, t->waiting);
    t->waiting = NULL;
    t->users++; /* it stays while callbacks run */
    while (t->ending != NULL) {
        struct http_client_call *call = t->ending;
        t->ending = call->next_waiting;
        call->next_waiting = NULL;
        int status = error != 0 ? error : go_on(call);
        if (status == 0 && libcurl.multi_add_handle(t->client->multi, call->easy) != CURLM_OK) {
            status = ERR_NOMEM;
        }
        if (status != 0) {
            http_client_call_fail(call, status, error != 0 ? t->error_text : err_text(status));
        }
    }
    t->users--;
}

/* ---- Asking ---- */

static int fetch(struct http_token *t, int64_t timeout_ms);

/* {"access_token": text, "token_type": text, "expires_in": seconds}: section 5.1. */
static int read_answer(struct http_token *t, struct str body)
{
    json_t *root = json_loadb(body.ptr != NULL ? body.ptr : "", body.len, 0, NULL);
    const char *token = json_string_value(json_object_get(root, "access_token"));
    const char *type = json_string_value(json_object_get(root, "token_type"));
    const json_t *expires = json_object_get(root, "expires_in");
    int64_t seconds = 0;
    if (json_is_string(expires)) { /* some servers write it so */
        uint64_t number = 0;
        if (str_to_u64(str_of(json_string_value(expires)), &number) == 0) {
            seconds = number < EXPIRY_SECONDS_MAX ? (int64_t)number : EXPIRY_SECONDS_MAX;
        }
    } else if (json_is_number(expires)) {
        double number = json_number_value(expires);
        seconds = number >= EXPIRY_SECONDS_MAX ? EXPIRY_SECONDS_MAX
                  : number > 0                 ? (int64_t)number
                                               : 0;
    }
    strbuf_reset(&t->header);
    if (token != NULL && token[0] != '\0') {
        bool bearer = type == NULL || type[0] == '\0' || strcasecmp(type, "bearer") == 0;
        strbuf_addf(&t->header, "%s %s", bearer ? "Bearer" : type, token);
        t->generation++;
        t->good_until_ms = seconds <= 0 ? INT64_MAX
                                        : clock_monotonic_ms(clock_real()) +
                                              (seconds - EXPIRY_MARGIN_SECONDS) * 1000;
    }
    json_decref(root);
    if (token == NULL || strbuf_error(&t->header) != 0) {
        strbuf_reset(&t->header);
    }
    return t->header.size > 0 ? 0 : ERR_INVALID;
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct http_token *t = context;
    t->fetching = false;
    int error = r->error;
    if (error != 0) {
        (void)snprintf(
            t->error_text, sizeof(t->error_text), "no token of oauth2: %s", r->error_text);
    } else if ((r->status == 400 || r->status == 401) && !t->in_body && t->waiting != NULL) {
        t->in_body = true;
        if (fetch(t, t->waiting->timeout_ms) == 0) {
            return;
        }
        error = ERR_IO;
        (void)snprintf(t->error_text, sizeof(t->error_text), "no token of oauth2");
    } else if (r->status / 100 != 2) {
        error = ERR_IO;
        t->in_body = false; /* neither way worked: begin anew */
        (void)snprintf(t->error_text, sizeof(t->error_text),
            "no token of oauth2: its endpoint answered %u", r->status);
    } else if (read_answer(t, r->body) != 0) {
        error = ERR_IO;
        (void)snprintf(t->error_text, sizeof(t->error_text),
            "no token of oauth2: its endpoint's answer has none");
    }
    tell_waiting(t, error);
}

static bool may_connect(void *context, const struct sockaddr *address)
{
    const struct http_token *t = context;
    for (const struct http_client_call *call = t->waiting; call != NULL;
         call = call->next_waiting) {
        if (call->may_connect != NULL && !call->may_connect(call->may_connect_context, address)) {
            return false;
        }
    }
    return true;
}

static void add_escaped(struct strbuf *out, const char *text)
{
    char *escaped = libcurl.easy_escape(NULL, text, 0);
    strbuf_add_c(out, escaped != NULL ? escaped : "");
    libcurl.free(escaped);
}

static void add_parameter(struct strbuf *out, const char *name, const char *value)
{
    strbuf_add_c(out, out->size > 0 ? "&" : "");
    add_escaped(out, name);
    strbuf_add_char(out, '=');
    add_escaped(out, value);
}

static void write_body(struct http_token *t, const char *secret)
{
    const struct http_oauth2 *o = &t->settings;
    struct strbuf scopes = STRBUF_INIT;
    for (size_t i = 0; i < o->scopes.count; i++) {
        strbuf_add_c(&scopes, i > 0 ? " " : "");
        strbuf_add_c(&scopes, o->scopes.items[i]);
    }
    strbuf_reset(&t->body);
    add_parameter(&t->body, "grant_type", "client_credentials");
    if (scopes.size > 0) {
        add_parameter(&t->body, "scope", scopes.data);
    }
    if (t->in_body) {
        add_parameter(&t->body, "client_id", o->client_id);
        add_parameter(&t->body, "client_secret", secret);
    }
    for (size_t i = 0; i < o->endpoint_params.count; i++) {
        add_parameter(&t->body, o->endpoint_params.items[i].key, o->endpoint_params.items[i].value);
    }
    strbuf_release(&scopes);
}

static int send_question(
    struct http_token *t, const struct strbuf *id, const struct strbuf *secret, int64_t timeout_ms)
{
    static const struct http_client_header headers[] = {
        {"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
    struct http_profile profile = {.tls = t->settings.tls,
        .proxy_url = t->settings.proxy_url,
        .no_proxy = t->settings.no_proxy,
        .proxy_from_environment = t->settings.proxy_from_environment};
    if (!t->in_body) {
        profile.basic_auth = (struct http_basic_auth){
            .username = id->data, .password = secret->data != NULL ? secret->data : ""};
    }
    struct http_client_request request = {.method = "POST",
        .url = t->settings.token_url,
        .headers = headers,
        .header_count = 2,
        .body = strbuf_str(&t->body),
        .timeout_ms = timeout_ms,
        .body_max = ANSWER_BYTES_MAX,
        .profile = &profile, /* all but the body is copied */
        .may_connect = may_connect,
        .may_connect_context = t};
    return t->client->face.send(&t->client->face, &request, on_answer, t, NULL);
}

static int fetch(struct http_token *t, int64_t timeout_ms)
{
    const struct http_oauth2 *o = &t->settings;
    struct strbuf plain, id = STRBUF_INIT, secret = STRBUF_INIT;
    strbuf_init(&plain, HTTP_SECRET_BYTES_MAX);
    int status = http_secret_read(o->client_secret, o->client_secret_file, &plain);
    if (status == 0) {
        const char *text = plain.data != NULL ? plain.data : "";
        add_escaped(&id, o->client_id);
        add_escaped(&secret, text);
        write_body(t, text);
        status = strbuf_error(&t->body);
    }
    if (status == 0) {
        status = send_question(t, &id, &secret, timeout_ms);
    }
    t->fetching = status == 0;
    http_secret_release(&plain);
    http_secret_release(&id);
    http_secret_release(&secret);
    return status;
}

int http_client_token_send(struct http_client_call *call, const struct http_oauth2 *settings,
    struct http_client_call **call_out)
{
    struct http_token *t = NULL;
    int64_t now_ms = clock_monotonic_ms(clock_real());
    int status = find_token(call->client, settings, &t);
    if (status != 0) {
        http_client_call_free(call);
        return status;
    }
    bool good = t->header.size > 0 && now_ms < t->good_until_ms;
    if (!good && !t->fetching) {
        status = fetch(t, call->timeout_ms);
    }
    if (status != 0) {
        http_client_call_free(call);
        return status;
    }
    call->token = t;
    call->token_since_ms = now_ms;
    t->users++;
    if (good) {
        status = go_on(call);
        if (status != 0) {
            http_client_token_leave(call, 0);
        }
        return http_client_call_start(call, status, call_out);
    }
    append(&t->waiting, call);
    http_client_call_link(call);
    if (call_out != NULL) {
        *call_out = call;
    }
    return 0;
}
