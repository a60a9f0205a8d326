/* What a store does with remote write, as far as a sender can tell. */
#include "receiver.h"

#include <string.h>

#include "base/mem.h"
#include "support/support.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

static int receiver_send(struct http_client *client, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct receiver *r = (struct receiver *)client;
    struct receiver_host *host = NULL;
    for (size_t i = 0; i < r->host_count; i++) {
        host = strcmp(r->hosts[i].url, request->url) == 0 ? &r->hosts[i] : host;
    }
    assert_non_null(host);
    for (size_t i = 0; i < RECEIVER_CALLS_MAX; i++) {
        struct receiver_call *call = &r->calls[i];
        assert_true(call->host != host); /* one in flight for each destination */
        if (call->host == NULL) {
            bool before = mem_fail_exempt(true);
            *call = (struct receiver_call){mem_strndup(request->body.ptr, request->body.len),
                request->body.len, host, done, context};
            mem_fail_exempt(before);
            *call_out = (struct http_client_call *)call;
            return 0;
        }
    }
    return ERR_LIMIT;
}

/* Frees the place first: whoever is told may send again. */
static void end_call(struct receiver_call *call, int error, unsigned status)
{
    struct receiver_call ended = *call;
    *call = (struct receiver_call){0};
    mem_free(ended.body);
    struct http_client_response response = {
        .error = error, .status = status, .body = STR(""), .retry_after_ms = -1};
    ended.done(ended.context, &response);
}

static void receiver_cancel(struct http_client *client, struct http_client_call *call)
{
    end_call((struct receiver_call *)call, ERR_CANCELED, 0);
}

static void receiver_close(struct http_client *client)
{
}

void receiver_init(struct receiver *r)
{
    memset(r, 0, sizeof(*r));
    r->client = (struct http_client){
        .send = receiver_send, .cancel = receiver_cancel, .close = receiver_close};
}

void receiver_release(struct receiver *r)
{
    for (size_t i = 0; i < r->host_count; i++) {
        mem_free(r->hosts[i].seen);
    }
}

struct receiver_host *receiver_add(struct receiver *r, const char *url, unsigned status)
{
    assert_true(r->host_count < RECEIVER_HOSTS_MAX);
    struct receiver_host *host = &r->hosts[r->host_count++];
    *host = (struct receiver_host){
        .url = url, .status = status, .seen = mem_calloc(RECEIVER_SAMPLES_MAX, 1), .newest = -1};
    assert_non_null(host->seen);
    return host;
}

static void take_sample(struct receiver_host *host, const struct sample *sample)
{
    assert_true(sample->t_ms >= 0 && sample->t_ms < RECEIVER_SAMPLES_MAX);
    assert_true(sample->value == (double)sample->t_ms);
    host->repeated += host->seen[sample->t_ms] > 0;
    assert_true(sample->t_ms > host->newest || host->seen[sample->t_ms] > 0);
    host->newest = sample->t_ms > host->newest ? sample->t_ms : host->newest;
    host->seen[sample->t_ms]++;
    host->samples++;
}

static void take_request(struct receiver_host *host, struct str body)
{
    struct arena arena;
    struct strbuf message = STRBUF_INIT;
    struct remote_write_decoder *decoder = NULL;
    struct remote_write_item item;
    struct err e = ERR_INIT;
    uint64_t before = host->samples;
    int status;
    arena_init(&arena, 0);
    assert_int_equal(snappy_decode(body, REMOTE_WRITE_MESSAGE_MAX, &message), 0);
    assert_int_equal(remote_write_decoder_new(strbuf_str(&message), &arena, &decoder), 0);
    while ((status = remote_write_next(decoder, &item, &e)) == 1) {
        if (item.kind == REMOTE_WRITE_METADATA) {
            host->metadata++;
            continue;
        }
        assert_int_equal(remote_write_labels(decoder, &item, &e), 0);
        for (size_t i = 0; i < item.sample_count; i++) {
            take_sample(host, &item.samples[i]);
        }
    }
    assert_int_equal(status, 0);
    uint64_t samples = host->samples - before;
    host->requests++;
    host->largest_request = samples > host->largest_request ? samples : host->largest_request;
    host->message_bytes_max =
        message.size > host->message_bytes_max ? message.size : host->message_bytes_max;
    strbuf_release(&message);
    arena_release(&arena);
}

size_t receiver_answer(struct receiver *r)
{
    size_t count = 0;
    struct receiver_call *now[RECEIVER_CALLS_MAX];
    for (size_t i = 0; i < RECEIVER_CALLS_MAX; i++) {
        if (r->calls[i].host != NULL) {
            now[count++] = &r->calls[i];
        }
    }
    bool before = mem_fail_exempt(true);
    for (size_t i = 0; i < count; i++) {
        struct receiver_host *host = now[i]->host;
        bool large = host->body_max != 0 && now[i]->body_size > host->body_max;
        unsigned status = large ? 413 : host->status;
        if (status / 100 == 2) {
            take_request(host, str_make(now[i]->body, now[i]->body_size));
        }
        mem_fail_exempt(before);
        end_call(now[i], status == 0 ? ERR_IO : 0, status);
        mem_fail_exempt(true);
    }
    mem_fail_exempt(before);
    return count;
}
