/* What all ways of writing share. */
#include "api/api_ingest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"

/* Bytes of labels shown in a complaint. */
enum { SERIES_TEXT_MAX = 200 };

int ingest_open(struct api *api, enum commit_durability durability, size_t wire_bytes,
    struct ingest *in_out, struct err *e)
{
    struct appender_source *writes = api->backend.writes;
    *in_out = (struct ingest){.api = api,
        .durability = durability,
        .wire_bytes = wire_bytes,
        .key_seed = writes->key_seed,
        .first = ERR_INIT};
    return appender_open(writes, &in_out->appender, e);
}

static enum commit_durability durability_of(struct api_request *r)
{
    return str_eq_c(http_exchange_param(r->exchange, "ack"), "durable") ? COMMIT_SYNCED
                                                                        : COMMIT_AS_CONFIGURED;
}

int ingest_begin(struct api_request *r, struct ingest *in_out, struct err *e)
{
    size_t wire_bytes = http_exchange_body(r->exchange).len;
    int status = ingest_open(r->api, durability_of(r), wire_bytes, in_out, e);
    in_out->request = r;
    return status;
}

/* Whether the disk takes what is written is part of being ready. */
static void note_commit(struct api *api, int status)
{
    bool failed = status == ERR_IO || status == ERR_NO_SPACE;
    if (failed || atomic_load_explicit(&api->write_failed_ns, memory_order_relaxed) != 0) {
        atomic_store(&api->write_failed_ns, failed ? clock_monotonic_ns(api->clock) : 0);
    }
}

int ingest_commit(struct ingest *in, struct append_counts *counts_out, struct err *e)
{
    int status = appender_commit(in->appender, in->durability, counts_out, e);
    in->appender = NULL;
    note_commit(in->api, status);
    if (status == 0) {
        api_metrics_ingested(counts_out, in->wire_bytes);
        api_metrics_refused_series(in->refused_series);
    }
    return status;
}

void ingest_abort(struct ingest *in)
{
    appender_rollback(in->appender);
    in->appender = NULL;
}

/* ---- What is refused ---- */

bool ingest_wants_complaint(const struct ingest *in)
{
    return in->first.code == 0;
}

void ingest_refuse_series(struct ingest *in, const struct err *e)
{
    assert(e->code != 0);
    in->refused_series++;
    if (ingest_wants_complaint(in)) {
        in->first = *e;
    }
}

int ingest_series(struct ingest *in, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    int status = appender_series(in->appender, labels, count, key, ref_out, e);
    if (status == ERR_INVALID || status == ERR_LIMIT) {
        ingest_refuse_series(in, e);
        return 0;
    }
    return status == 0 ? 1 : status;
}

void ingest_count_lost(struct ingest *in, const struct err *why, const struct label *labels,
    size_t count, uint64_t samples)
{
    struct str metric = STR("");
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(labels[i].name, LABEL_METRIC_NAME)) {
            metric = labels[i].value;
        }
    }
    if (why->code == ERR_LIMIT) {
        appender_count_lost(in->appender, metric, samples);
    }
}

void ingest_refuse_sample(struct ingest *in, const struct label *labels, size_t count, int64_t t_ms,
    int status, const char *why)
{
    in->refused_samples++;
    if (!ingest_wants_complaint(in)) {
        return;
    }
    struct strbuf text = STRBUF_INIT;
    const struct labels *set = NULL;
    if (labels_new(labels, count, &set, NULL) == 0) {
        labels_write(set, &text);
    }
    int shown = text.size < SERIES_TEXT_MAX ? (int)text.size : SERIES_TEXT_MAX;
    err_set(&in->first, status, -1, "sample of %.*s at %" PRId64 " ms: %s", shown,
        text.data != NULL ? text.data : "", t_ms, why);
    labels_unref(set);
    strbuf_release(&text);
}

const char *ingest_refusal(const struct ingest *in, int64_t t_ms, int status)
{
    switch (status) {
    case ERR_RANGE:
        return t_ms > clock_now_ms(in->api->clock) ? "too far in the future"
                                                   : "older than retention";
    case ERR_LIMIT:
        return "a limit of the store was reached";
    default:
        return NULL;
    }
}

uint64_t ingest_refused(const struct ingest *in)
{
    return in->refused_series + in->refused_samples;
}

const char *ingest_complaint(struct ingest *in)
{
    uint64_t refused = ingest_refused(in);
    if (refused > 1) {
        size_t length = strlen(in->first.message);
        snprintf(in->first.message + length, sizeof(in->first.message) - length,
            " (and %" PRIu64 " more refused; all others are stored)", refused - 1);
    }
    return in->first.message;
}

/* ---- Failures ---- */

unsigned ingest_failure_status(struct api_request *r, int code)
{
    unsigned status = 500;
    switch (code) {
    case ERR_CORRUPT:
    case ERR_INVALID:
        status = 400;
        break;
    case ERR_LIMIT:
        status = 413;
        break;
    case ERR_BUSY:
        status = 429;
        break;
    case ERR_NOMEM:
    case ERR_NO_SPACE:
    case ERR_CLOSED:
        status = 503;
        break;
    default:
        break;
    }
    if (status == 429 || status == 503) {
        http_exchange_set_header(r->exchange, "Retry-After", code == ERR_NO_SPACE ? "10" : "1");
    }
    return status;
}

void ingest_answer_failure(struct api_request *r, const struct err *e)
{
    unsigned status = ingest_failure_status(r, e->code);
    api_reply_text(r, status, e->message[0] != '\0' ? e->message : err_text(e->code));
}
