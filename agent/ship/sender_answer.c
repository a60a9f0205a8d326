/* Answers, judged. */
#include "ship/sender_answer.h"

#include "base/err.h"
#include "wire/otlp_writer.h"

/* A number in a header; false when it is absent or none. */
static bool read_count(const struct http_client_response *r, const char *name, uint64_t *sum)
{
    uint64_t value;
    struct str text = r->header(r, name);
    if (text.ptr == NULL || str_to_u64(str_trim(text), &value) != 0) {
        return false;
    }
    *sum += value;
    return true;
}

/* What a receiver of 2.0 says it has written; false when it says nothing. */
static bool read_written(const struct http_client_response *r, uint64_t *written_out)
{
    uint64_t exemplars = 0;
    bool samples = read_count(r, "X-Prometheus-Remote-Write-Samples-Written", written_out);
    bool histograms = read_count(r, "X-Prometheus-Remote-Write-Histograms-Written", written_out);
    return read_count(r, "X-Prometheus-Remote-Write-Exemplars-Written", &exemplars) || samples ||
           histograms;
}

static struct answer judge_remote_write2(
    bool proven, uint64_t count, const struct http_client_response *r)
{
    uint64_t written = 0;
    bool says = read_written(r, &written);
    uint64_t missing = written < count ? count - written : 0;
    if (r->status == 415 || (r->status == 400 && !says && !proven)) {
        return (struct answer){.verdict = ANSWER_OTHER_PROTOCOL};
    }
    if (r->status / 100 == 2) {
        return says ? (struct answer){ANSWER_TAKEN, missing}
                    : (struct answer){.verdict = ANSWER_OTHER_PROTOCOL};
    }
    return (struct answer){ANSWER_REFUSED, missing};
}

static struct answer judge_otlp(uint64_t count, const struct http_client_response *r)
{
    uint64_t rejected = 0;
    if (r->status / 100 == 2) {
        if (r->error == 0) {
            otlp_read_response(r->body, &rejected);
        }
        return (struct answer){ANSWER_TAKEN, rejected < count ? rejected : count};
    }
    bool again = r->status == 502 || r->status == 503 || r->status == 504;
    return again ? (struct answer){.verdict = ANSWER_AGAIN}
                 : (struct answer){ANSWER_REFUSED, count};
}

struct answer answer_judge(
    enum ship_protocol protocol, bool proven, uint64_t count, const struct http_client_response *r)
{
    /* An answer too long to read is an answer: its status is known. */
    bool answered = r->error == 0 || (r->error == ERR_LIMIT && r->status != 0);
    if (!answered || r->status == 429) {
        return (struct answer){.verdict = ANSWER_AGAIN};
    }
    if (r->status == 413) {
        return (struct answer){ANSWER_TOO_LARGE, count};
    }
    if (protocol == SHIP_OTLP || protocol == SHIP_OTLP_TRACES) {
        return judge_otlp(count, r);
    }
    if (r->status >= 500) {
        return (struct answer){.verdict = ANSWER_AGAIN};
    }
    if (protocol == SHIP_REMOTE_WRITE_2) {
        return judge_remote_write2(proven, count, r);
    }
    return r->status / 100 == 2 ? (struct answer){.verdict = ANSWER_TAKEN}
                                : (struct answer){ANSWER_REFUSED, count};
}
