/* Any bytes as an uncompressed message of remote write 2.0, beside protobuf-c: what both take must hold
 * the same samples; and what was taken is written again and must read the same. */
#include <assert.h>
#include <string.h>

#include "remote_write_oracle.pb-c.h"
#include "wire/remote_write2.h"

struct tally {
    size_t series, samples, histograms, exemplars;
    uint64_t sum; /* of the bits of values and times */
};

static void add_sample(struct tally *t, double value, int64_t t_ms)
{
    t->samples++;
    t->sum = t->sum * 31 + double_bits(value) + (uint64_t)t_ms;
}

static void tally_item(const struct remote_write_item *item, struct tally *t)
{
    t->series++;
    t->histograms += item->histogram_count;
    t->exemplars += item->exemplar_count;
    for (size_t i = 0; i < item->sample_count; i++) {
        add_sample(t, item->samples[i].value, item->samples[i].t_ms);
    }
}

/* The whole message into `t`; what can be sent again, into `again`. */
static int decode(struct str message, struct tally *t, struct remote_write2_encoder *again)
{
    struct arena arena;
    struct remote_write_decoder *d = NULL;
    struct remote_write_item item;
    struct err e = ERR_INIT;
    arena_init(&arena, 256 << 20);
    int status = remote_write2_decoder_new(message, 7, &arena, &d, &e);
    while (status == 0 && (status = remote_write_next(d, &item, &e)) == 1) {
        assert(item.offset < message.len && item.kind == REMOTE_WRITE_SERIES);
        tally_item(&item, t);
        status = remote_write_labels(d, &item, &e);
        assert(status == 0 || (status == ERR_INVALID && e.message[0] != '\0'));
        if (status == 0 && again != NULL && item.sample_count > 0) {
            remote_write2_encoder_add(again, &(struct remote_write2_series){.labels = item.labels,
                                                 .label_count = item.label_count,
                                                 .samples = item.samples,
                                                 .sample_count = item.sample_count});
        }
        status = 0;
    }
    assert(status == 0 || (e.code == status && e.message[0] != '\0'));
    arena_release(&arena);
    return status;
}

/* What was sent again holds at least a sample a series, and reads. */
static void check_again(struct remote_write2_encoder *again)
{
    struct strbuf message = STRBUF_INIT;
    struct tally t = {0};
    assert(remote_write2_encoder_finish(again, &message) == 0);
    assert(decode(strbuf_str(&message), &t, NULL) == 0);
    assert(t.samples >= t.series);
    strbuf_release(&message);
}

static void tally_oracle(const Oracle__Request2 *request, struct tally *t)
{
    t->series = request->n_timeseries;
    for (size_t i = 0; i < request->n_timeseries; i++) {
        const Oracle__TimeSeries2 *series = request->timeseries[i];
        t->histograms += series->n_histograms;
        t->exemplars += series->n_exemplars;
        for (size_t k = 0; k < series->n_samples; k++) {
            add_sample(t, series->samples[k]->value, series->samples[k]->timestamp);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tally ours = {0}, theirs = {0};
    struct remote_write2_encoder *again;
    assert(remote_write2_encoder_new(&again) == 0);
    int status = decode(str_make((const char *)data, size), &ours, again);
    if (status == 0) {
        check_again(again);
    }
    remote_write2_encoder_free(again);
    Oracle__Request2 *request = oracle__request2__unpack(NULL, size, data);
    if (request == NULL) {
        return 0;
    }
    tally_oracle(request, &theirs);
    if (status == 0) { /* references that lead nowhere are refused by us alone */
        assert(memcmp(&ours, &theirs, sizeof(ours)) == 0);
    }
    oracle__request2__free_unpacked(request, NULL);
    return 0;
}
