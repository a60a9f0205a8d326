/* The scripted HTTP client. Requests are copied when sent, so that a test sees what left even when
 * the sender has reused its buffers. */
#include "support/sim_http_client.h"

#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/support.h"

struct sim_http_call {
    struct sim_http_call *next;
    struct sim_http_request request;
    const struct sim_http_answer *answer; /* NULL until the script has one */
    http_client_done done;
    int (*on_body)(void *context, struct str piece);
    int (*on_head)(void *context, const struct http_client_response *head);
    bool head_shown;
    void *context;
};

enum { PIECE_BYTES = 7 };

static struct sim_http_client *sim_of(struct http_client *client)
{
    return (struct sim_http_client *)client;
}

static void must(bool memory)
{
    if (!memory) {
        fail_msg("out of memory in a test");
    }
}

static void request_copy(const struct http_client_request *from, struct sim_http_request *to)
{
    *to = (struct sim_http_request){
        .method = mem_strdup(from->method),
        .url = mem_strdup(from->url),
        .headers = mem_calloc(from->header_count, sizeof(to->headers[0])),
        .header_count = from->header_count,
        .body = mem_strndup(from->body.ptr, from->body.len),
        .body_size = from->body.len,
        .timeout_ms = from->timeout_ms,
        .body_max = from->body_max,
        .follow_redirects = from->follow_redirects,
        .accept_gzip = from->accept_gzip,
        .streams = from->on_body != NULL,
    };
    must(to->method != NULL && to->url != NULL && to->headers != NULL && to->body != NULL);
    for (size_t i = 0; i < from->header_count; i++) {
        to->headers[i].name = mem_strdup(from->headers[i].name);
        to->headers[i].value = mem_strdup(from->headers[i].value);
        must(to->headers[i].name != NULL && to->headers[i].value != NULL);
    }
}

static void request_release(struct sim_http_request *r)
{
    for (size_t i = 0; i < r->header_count; i++) {
        mem_free((void *)(uintptr_t)r->headers[i].name);
        mem_free((void *)(uintptr_t)r->headers[i].value);
    }
    mem_free(r->headers);
    mem_free(r->method);
    mem_free(r->url);
    mem_free(r->body);
    *r = (struct sim_http_request){0};
}

static void check_word(const char *what, const char *expected, const char *got)
{
    if (expected != NULL && strcmp(expected, got) != 0) {
        fail_msg("sent %s \"%s\", expected \"%s\"", what, got, expected);
    }
}

/* Gives waiting requests what the script has for them, in order. */
static void match(struct sim_http_client *sim)
{
    for (struct sim_http_call *call = sim->oldest; call != NULL; call = call->next) {
        if (call->answer == NULL && sim->matched < sim->answer_count) {
            const struct sim_http_answer *answer = &sim->answers[sim->matched++];
            check_word("method", answer->method, call->request.method);
            check_word("URL", answer->url, call->request.url);
            check_word("body", answer->body, call->request.body);
            call->answer = answer;
        }
    }
}

static int sim_send(struct http_client *client, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct sim_http_client *sim = sim_of(client);
    if (strncasecmp(request->url, "http://", 7) != 0 &&
        strncasecmp(request->url, "https://", 8) != 0) {
        return ERR_INVALID;
    }
    if (request->header_count > HTTP_CLIENT_HEADERS_MAX ||
        (sim->in_flight_max != 0 && sim->in_flight >= sim->in_flight_max)) {
        return ERR_LIMIT;
    }
    struct sim_http_call *call = mem_calloc(1, sizeof(*call));
    if (call == NULL) {
        return ERR_NOMEM;
    }
    call->done = done;
    call->on_body = request->on_body;
    call->on_head = request->on_head;
    call->context = context;
    request_copy(request, &call->request);
    request_release(&sim->last);
    request_copy(request, &sim->last);
    if (sim->newest != NULL) {
        sim->newest->next = call;
    } else {
        sim->oldest = call;
    }
    sim->newest = call;
    sim->in_flight++;
    sim->sent++;
    match(sim);
    if (call_out != NULL) {
        *call_out = (struct http_client_call *)call; /* opaque to its holder */
    }
    return 0;
}

static struct str answer_header(const struct http_client_response *r, const char *name)
{
    const struct sim_http_answer *answer = r->impl;
    for (size_t i = 0; answer != NULL && i < answer->header_count; i++) {
        if (strcasecmp(answer->headers[i].name, name) == 0) {
            return str_of(answer->headers[i].value);
        }
    }
    return (struct str){NULL, 0};
}

/* Takes the call out of flight, tells its owner, frees it. */
static void end_call(struct sim_http_client *sim, struct sim_http_call *call,
    const struct http_client_response *response)
{
    struct sim_http_call *before = NULL;
    for (struct sim_http_call *c = sim->oldest; c != call; c = c->next) {
        before = c;
    }
    if (before != NULL) {
        before->next = call->next;
    } else {
        sim->oldest = call->next;
    }
    if (sim->newest == call) {
        sim->newest = before;
    }
    sim->in_flight--;
    call->done(call->context, response);
    request_release(&call->request);
    mem_free(call);
}

static void end_with_error(struct sim_http_client *sim, struct sim_http_call *call, int error,
    unsigned status, int64_t retry_after_ms)
{
    struct http_client_response response = {
        .error = error,
        .status = status,
        .error_text = err_text(error),
        .retry_after_ms = status != 0 && retry_after_ms != 0 ? retry_after_ms : -1,
        .header = answer_header,
    };
    end_call(sim, call, &response);
}

static void sim_cancel(struct http_client *client, struct http_client_call *call)
{
    end_with_error(sim_of(client), (struct sim_http_call *)call, ERR_CANCELED, 0, 0);
}

static void sim_close(struct http_client *client)
{
    struct sim_http_client *sim = sim_of(client);
    while (sim->oldest != NULL) {
        end_with_error(sim, sim->oldest, ERR_CANCELED, 0, 0);
    }
}

void sim_http_client_init(struct sim_http_client *sim)
{
    *sim = (struct sim_http_client){
        .client = {.send = sim_send, .cancel = sim_cancel, .close = sim_close}};
}

void sim_http_client_release(struct sim_http_client *sim)
{
    sim_close(&sim->client);
    request_release(&sim->last);
    if (sim->matched < sim->answer_count) {
        const struct sim_http_answer *missing = &sim->answers[sim->matched];
        fail_msg("%zu expected requests were not sent; the next: %s %s",
            sim->answer_count - sim->matched, missing->method != NULL ? missing->method : "any",
            missing->url != NULL ? missing->url : "any");
    }
}

void sim_http_client_expect(struct sim_http_client *sim, const struct sim_http_answer *answer)
{
    assert_true(sim->answer_count < SIM_HTTP_ANSWERS_MAX);
    assert_true(answer->header_count <= SIM_HTTP_ANSWER_HEADERS_MAX);
    sim->answers[sim->answer_count++] = *answer;
    match(sim);
}

/* The head of a good answer, to who takes its body. */
static int show_head(struct sim_http_call *call, const struct sim_http_answer *answer)
{
    struct http_client_response head = {.status = answer->status != 0 ? answer->status : 200,
        .retry_after_ms = -1,
        .header = answer_header,
        .impl = answer};
    if (call->head_shown || call->on_head == NULL) {
        return 0;
    }
    call->head_shown = true;
    head.content_type = answer_header(&head, "Content-Type");
    return call->on_head(call->context, &head);
}

/* A body in pieces, to who takes it so. */
static int stream(struct sim_http_call *call, const struct sim_http_answer *answer, struct str body)
{
    int error = show_head(call, answer);
    for (size_t at = 0; error == 0 && at < body.len; at += PIECE_BYTES) {
        struct str piece = str_skip(body, at);
        piece.len = piece.len < PIECE_BYTES ? piece.len : PIECE_BYTES;
        error = call->on_body(call->context, piece);
    }
    return error;
}

static void deliver(
    struct sim_http_client *sim, struct sim_http_call *call, const struct sim_http_answer *answer)
{
    unsigned status = answer->status != 0 ? answer->status : 200;
    bool streams = call->on_body != NULL && status / 100 == 2;
    size_t body_max = call->request.body_max != 0 ? call->request.body_max
                      : streams                   ? SIZE_MAX
                                                  : HTTP_CLIENT_BODY_MAX_DEFAULT;
    int error = streams && answer->error == 0 ? stream(call, answer, answer->answer_body) : 0;
    error = error != 0                           ? error
            : answer->error != 0                 ? answer->error
            : answer->answer_body.len > body_max ? ERR_LIMIT
                                                 : 0;
    if (error != 0) {
        bool answered = answer->error == 0 || answer->error == ERR_LIMIT;
        end_with_error(sim, call, error, answered ? status : 0, answer->retry_after_ms);
        return;
    }
    struct http_client_response response = {
        .status = status,
        .body = answer->answer_body.ptr != NULL && !streams ? answer->answer_body : STR(""),
        .retry_after_ms = answer->retry_after_ms != 0 ? answer->retry_after_ms : -1,
        .wire_bytes = (int64_t)answer->answer_body.len,
        .header = answer_header,
        .impl = answer,
    };
    response.content_type = answer_header(&response, "Content-Type");
    end_call(sim, call, &response);
}

bool sim_http_client_deliver(struct sim_http_client *sim)
{
    struct sim_http_call *call = sim->oldest;
    if (call == NULL) {
        return false;
    }
    if (call->answer == NULL) {
        fail_msg("no answer in the script for %s %s", call->request.method, call->request.url);
        return false;
    }
    deliver(sim, call, call->answer);
    return true;
}

static struct sim_http_call *find_call(const struct sim_http_client *sim, const char *url_part)
{
    struct sim_http_call *call = sim->oldest;
    while (call != NULL && strstr(call->request.url, url_part) == NULL) {
        call = call->next;
    }
    return call;
}

bool sim_http_client_feed(struct sim_http_client *sim, const char *url_part, struct str piece)
{
    struct sim_http_call *call = find_call(sim, url_part);
    if (call == NULL || call->on_body == NULL) {
        return false;
    }
    static const struct sim_http_answer good = {.status = 200};
    int error = stream(call, &good, piece);
    if (error != 0) {
        end_with_error(sim, call, error, 200, 0);
    }
    return true;
}

bool sim_http_client_answer(
    struct sim_http_client *sim, const char *url_part, const struct sim_http_answer *answer)
{
    struct sim_http_call *call = find_call(sim, url_part);
    if (call != NULL) {
        deliver(sim, call, answer);
    }
    return call != NULL;
}

size_t sim_http_client_deliver_all(struct sim_http_client *sim)
{
    size_t count = 0;
    while (sim_http_client_deliver(sim)) {
        count++;
    }
    return count;
}

const struct sim_http_request *sim_http_client_oldest(const struct sim_http_client *sim)
{
    return sim->oldest != NULL ? &sim->oldest->request : NULL;
}

struct str sim_http_client_last_header(const struct sim_http_client *sim, const char *name)
{
    for (size_t i = 0; i < sim->last.header_count; i++) {
        if (strcasecmp(sim->last.headers[i].name, name) == 0) {
            return str_of(sim->last.headers[i].value);
        }
    }
    return (struct str){NULL, 0};
}
