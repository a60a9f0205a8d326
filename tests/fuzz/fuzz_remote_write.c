/* Any bytes as an uncompressed remote-write message, beside protobuf-c: what both take must say the
 * same. */
#include <assert.h>
#include <string.h>

#include "remote_write_oracle.pb-c.h"
#include "wire/remote_write.h"

struct tally {
    size_t series, metadata, samples, histograms, exemplars;
    uint64_t sum; /* of the bits of values and times */
};

static void add_sample(struct tally *t, double value, int64_t t_ms)
{
    t->samples++;
    t->sum = t->sum * 31 + double_bits(value) + (uint64_t)t_ms;
}

static void tally_item(
    struct remote_write_decoder *d, struct remote_write_item *item, struct tally *t)
{
    if (item->kind == REMOTE_WRITE_METADATA) {
        t->metadata++;
        return;
    }
    struct err e = ERR_INIT;
    t->series++;
    t->histograms += item->histogram_count;
    t->exemplars += item->exemplar_count;
    for (size_t i = 0; i < item->sample_count; i++) {
        add_sample(t, item->samples[i].value, item->samples[i].t_ms);
    }
    for (size_t i = 0; i < item->histogram_count; i++) {
        const struct histogram *h = item->histograms[i].histogram;
        struct histogram_walk walk;
        struct histogram_bucket bucket;
        if (histogram_validate(h, &e) == 0) { /* the receiver's business; then it can be walked */
            histogram_walk_begin(&walk, h);
            while (histogram_walk_next(&walk, &bucket)) {
            }
        }
    }
    int status = remote_write_labels(d, item, &e);
    if (status != 0) {
        assert(e.code == status && e.message[0] != '\0');
        return;
    }
    for (size_t i = 0; i < item->label_count; i++) {
        assert(item->labels[i].name.len > 0);
        assert(i == 0 || str_cmp(item->labels[i - 1].name, item->labels[i].name) < 0);
    }
}

/* The whole message; its status, and what it held. */
static int decode(struct str message, struct tally *t)
{
    struct arena arena;
    struct remote_write_decoder *d = NULL;
    struct remote_write_item item;
    struct err e = ERR_INIT;
    arena_init(&arena, 256 << 20);
    int status = remote_write_decoder_new(message, &arena, &d);
    while (status == 0 && (status = remote_write_next(d, &item, &e)) == 1) {
        assert(item.offset < message.len);
        tally_item(d, &item, t);
        status = 0;
    }
    assert(status == 0 || (e.code == status && e.message[0] != '\0'));
    arena_release(&arena);
    return status;
}

static void tally_oracle(const Oracle__WriteRequest *request, struct tally *t)
{
    t->metadata = request->n_metadata;
    t->series = request->n_timeseries;
    for (size_t i = 0; i < request->n_timeseries; i++) {
        const Oracle__TimeSeries *series = request->timeseries[i];
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
    int status = decode(str_make((const char *)data, size), &ours);
    Oracle__WriteRequest *request = oracle__write_request__unpack(NULL, size, data);
    if (request == NULL) {
        return 0;
    }
    tally_oracle(request, &theirs);
    if (status == 0) { /* it cuts overlong keys short, which we refuse */
        assert(memcmp(&ours, &theirs, sizeof(ours)) == 0);
    }
    oracle__write_request__free_unpacked(request, NULL);
    return 0;
}
