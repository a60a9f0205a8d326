/* Requests out of batches. */
#include "ship/request_maker.h"

#include <assert.h>

#include "base/gzip.h"
#include "base/mem.h"
#include "ship/relabel_cache.h"
#include "wire/otlp_writer.h"
#include "wire/remote_write2.h"
#include "wire/snappy_codec.h"

/* Fast rather than small: what is sent over loopback mostly. */
enum { GZIP_LEVEL = 1 };

struct request_maker {
    struct request_maker_options options;
    struct relabel_cache *relabel;         /* NULL: no rules */
    struct remote_write2_encoder *encoder; /* made when 2.0 is spoken first */
    struct otlp_writer *otlp;              /* made when OTLP is spoken first */
    struct strbuf batch, message, scratch, body;
};

int request_maker_new(const struct request_maker_options *options, struct request_maker **maker_out)
{
    struct request_maker *m = mem_calloc(1, sizeof(*m));
    if (m == NULL) {
        return ERR_NOMEM;
    }
    m->options = *options;
    strbuf_init(&m->batch, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&m->message, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&m->scratch, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&m->body, REMOTE_WRITE_MESSAGE_MAX);
    int status =
        relabel_count(options->relabel) > 0 ? relabel_cache_new(options->relabel, &m->relabel) : 0;
    if (status != 0) {
        request_maker_free(m);
        return status;
    }
    *maker_out = m;
    return 0;
}

void request_maker_free(struct request_maker *m)
{
    if (m == NULL) {
        return;
    }
    relabel_cache_free(m->relabel);
    remote_write2_encoder_free(m->encoder);
    otlp_writer_free(m->otlp);
    strbuf_release(&m->batch);
    strbuf_release(&m->message);
    strbuf_release(&m->scratch);
    strbuf_release(&m->body);
    mem_free(m);
}

/* One batch on its way into one protocol. */
struct making {
    struct request_maker *maker;
    enum ship_protocol protocol;
    struct remote_write_decoder *decoder;
    struct made_request *made;
};

/* Labels as the destination's rules leave them: 1, 0 when they drop the series. */
static int find_labels(
    struct making *k, struct remote_write_item *item, struct relabelled *labels_out)
{
    struct request_maker *m = k->maker;
    if (item->labels_bytes.ptr == NULL) {
        return ERR_CORRUPT; /* our own batches keep the labels of a series together */
    }
    if (m->relabel == NULL) {
        int status =
            k->protocol == SHIP_REMOTE_WRITE_1 ? 0 : remote_write_labels(k->decoder, item, NULL);
        *labels_out = (struct relabelled){
            false, item->labels_bytes, item->labels, item->labels != NULL ? item->label_count : 0};
        return status == 0 ? 1 : status;
    }
    const struct relabelled *known = relabel_cache_find(m->relabel, item->labels_bytes);
    if (known == NULL) {
        int status = remote_write_labels(k->decoder, item, NULL);
        if (status == 0) {
            status = relabel_cache_learn(
                m->relabel, item->labels_bytes, item->labels, item->label_count, &known);
        }
        if (status != 0) {
            return status;
        }
    }
    *labels_out = *known;
    return known->dropped ? 0 : 1;
}

static const struct metric_metadata_entry *find_metadata(
    const struct request_maker *m, const struct relabelled *labels)
{
    for (size_t i = 0; m->options.metadata != NULL && i < labels->label_count; i++) {
        if (str_eq(labels->labels[i].name, STR(LABEL_METRIC_NAME))) {
            return metric_metadata_of_series(m->options.metadata, labels->labels[i].value);
        }
    }
    return NULL;
}

static void add_to_remote_write2(
    struct making *k, const struct relabelled *labels, const struct remote_write_item *item)
{
    const struct metric_metadata_entry *metadata = find_metadata(k->maker, labels);
    struct remote_write2_series series = {
        .labels = labels->labels,
        .label_count = labels->label_count,
        .samples = item->samples,
        .sample_count = item->sample_count,
        .exemplars = item->exemplars,
        .exemplar_count = item->exemplar_count,
        .type = metadata != NULL ? metadata->type : METRIC_TYPE_UNKNOWN,
        .help = metadata != NULL ? metadata->help : STR(""),
        .unit = metadata != NULL ? metadata->unit : STR(""),
    };
    if (item->sample_count > 0 || item->histogram_count == 0) {
        if (item->sample_count > 0) {
            remote_write2_encoder_add(k->maker->encoder, &series);
        }
        series.exemplar_count = 0;
    }
    if (item->histogram_count > 0) { /* a series of 2.0 has one kind or the other */
        series.sample_count = 0;
        series.histograms = item->histograms;
        series.histogram_count = item->histogram_count;
        remote_write2_encoder_add(k->maker->encoder, &series);
    }
}

static void add_to_remote_write1(
    struct making *k, const struct relabelled *labels, const struct remote_write_item *item)
{
    const struct remote_write_series series = {labels->labels_bytes, item->samples,
        item->sample_count, item->histograms, item->histogram_count, item->exemplars,
        item->exemplar_count};
    remote_write_encode_whole_series(&series, &k->maker->scratch, &k->maker->message);
}

static void add_to_otlp(
    struct making *k, const struct relabelled *labels, const struct remote_write_item *item)
{
    const struct metric_metadata_entry *metadata = find_metadata(k->maker, labels);
    const struct otlp_writer_series series = {
        .labels = labels->labels,
        .label_count = labels->label_count,
        .samples = item->samples,
        .sample_count = item->sample_count,
        .histograms = item->histograms,
        .histogram_count = item->histogram_count,
        .metric = metadata != NULL ? metadata->metric : STR(""),
        .type = metadata != NULL ? metadata->type : METRIC_TYPE_UNKNOWN,
        .help = metadata != NULL ? metadata->help : STR(""),
        .unit = metadata != NULL ? metadata->unit : STR(""),
    };
    otlp_writer_add(k->maker->otlp, &series);
}

static int add_series(struct making *k, struct remote_write_item *item)
{
    struct relabelled labels;
    struct made_request *made = k->made;
    size_t all = item->sample_count + item->histogram_count;
    int kept = find_labels(k, item, &labels);
    if (kept < 0) {
        return kept;
    }
    if (k->maker->options.no_exemplars) {
        item->exemplar_count = 0;
    }
    if (k->maker->options.no_histograms) {
        item->histogram_count = 0;
    }
    size_t count = item->sample_count + item->histogram_count;
    if (kept == 0 || count == 0) {
        made->filtered += (uint32_t)all;
        return 0;
    }
    made->filtered += (uint32_t)(all - count);
    made->samples += (uint32_t)item->sample_count;
    made->histograms += (uint32_t)item->histogram_count;
    made->exemplars += (uint32_t)item->exemplar_count;
    switch (k->protocol) {
    case SHIP_REMOTE_WRITE_1:
        add_to_remote_write1(k, &labels, item);
        break;
    case SHIP_REMOTE_WRITE_2:
        add_to_remote_write2(k, &labels, item);
        break;
    case SHIP_OTLP:
        add_to_otlp(k, &labels, item);
        break;
    case SHIP_OTLP_TRACES:
        assert(false); /* its batches are sent as they are */
        break;
    }
    return 0;
}

/* Metadata travel as items of their own in 1.0 only; elsewhere each series brings its own. */
static void add_metadata(struct making *k, const struct remote_write_item *item)
{
    if (k->protocol == SHIP_REMOTE_WRITE_1 && !k->maker->options.no_metadata) {
        remote_write_encode_metadata(
            item->type, item->metric_family, item->help, item->unit, &k->maker->message);
    }
}

static int add_all(struct making *k)
{
    struct remote_write_item item;
    int more;
    while ((more = remote_write_next(k->decoder, &item, NULL)) == 1) {
        int status = 0;
        if (item.kind == REMOTE_WRITE_SERIES) {
            status = add_series(k, &item);
        } else {
            add_metadata(k, &item);
        }
        if (status != 0) {
            return status;
        }
    }
    return more;
}

static int begin_protocol(struct request_maker *m, enum ship_protocol protocol)
{
    strbuf_reset(&m->message);
    strbuf_reset(&m->body);
    if (protocol == SHIP_REMOTE_WRITE_2) {
        int status = m->encoder == NULL ? remote_write2_encoder_new(&m->encoder) : 0;
        if (status == 0) {
            remote_write2_encoder_reset(m->encoder);
        }
        return status;
    }
    if (protocol == SHIP_OTLP) {
        int status = m->otlp == NULL ? otlp_writer_new(&m->otlp) : 0;
        if (status == 0) {
            otlp_writer_reset(m->otlp);
        }
        return status;
    }
    return 0;
}

/* The message, compressed, in m->body. */
static int end_protocol(
    struct request_maker *m, enum ship_protocol protocol, const struct made_request *made)
{
    bool empty = made->samples + made->histograms == 0;
    int status = 0;
    if (protocol == SHIP_REMOTE_WRITE_2 && !empty) {
        status = remote_write2_encoder_finish(m->encoder, &m->message);
    } else if (protocol == SHIP_OTLP && !empty) {
        status = otlp_writer_finish(m->otlp, &m->message);
    }
    status = status == 0 ? strbuf_error(&m->message) : status;
    if (status != 0 || m->message.size == 0) {
        return status;
    }
    return protocol == SHIP_OTLP ? gzip_encode(strbuf_str(&m->message), GZIP_LEVEL, &m->body)
                                 : snappy_encode(strbuf_str(&m->message), &m->body);
}

static bool takes_batches_as_they_are(const struct request_maker *m, enum ship_protocol protocol)
{
    const struct request_maker_options *o = &m->options;
    bool has_no_wishes =
        m->relabel == NULL && !o->no_exemplars && !o->no_histograms && !o->no_metadata;
    return protocol == SHIP_OTLP_TRACES || (protocol == SHIP_REMOTE_WRITE_1 && has_no_wishes);
}

int request_maker_make(struct request_maker *m, enum ship_protocol protocol, struct str payload,
    struct made_request *made_out)
{
    struct arena arena;
    struct made_request made = {.body = payload};
    struct making making = {m, protocol, NULL, &made};
    if (takes_batches_as_they_are(m, protocol)) {
        *made_out = made;
        return 0;
    }
    made.counted = true;
    arena_init(&arena, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_reset(&m->batch);
    int status = snappy_decode(payload, REMOTE_WRITE_MESSAGE_MAX, &m->batch);
    status = status == 0 ? begin_protocol(m, protocol) : status;
    status = status == 0 ? remote_write_decoder_new(strbuf_str(&m->batch), &arena, &making.decoder)
                         : status;
    status = status == 0 ? add_all(&making) : status;
    status = status == 0 ? end_protocol(m, protocol, &made) : status;
    arena_release(&arena);
    if (status == 0) {
        made.body = strbuf_str(&m->body);
        *made_out = made;
    }
    return status;
}
