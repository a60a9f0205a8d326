/* Batches, and what is due when. */
#include "ship/shipper.h"

#include <stdint.h>

#include "base/log.h"
#include "base/mem.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

/* FLUSH_EARLY_MS: a batch that would be closed soon is closed with what the loop is awake for, which with scrapes
 * each second is the next scrape: one wake-up instead of two. */
enum { METADATA_ENTRIES_MAX = 2000, FLUSH_EARLY_MS = SHIPPER_FLUSH_MS * 9 / 10 };

struct batch {
    struct strbuf message;
    struct strbuf family; /* once it is full: of the series added last */
    uint32_t samples;
    int64_t min_t, max_t;
    int64_t opened_ms;
};

struct shipper {
    struct intake intake; /* first: what others see of it */
    struct clock *clock;
    struct memory_watch *memory;
    const struct labels *external;
    uint64_t external_epoch;
    struct strbuf scratch;
    int lost_status; /* of what was lost since the last commit */
    struct outbox outbox;
    struct batch batch;
    struct strbuf metadata;
    size_t metadata_entries;
    struct metric_metadata known; /* for destinations that are told with each series */
    bool keeps_metadata;          /* there is one */
    int64_t swept_ms;             /* monotonic */
    struct strbuf compressed;
    struct shipper_statistics statistics;
};

/* ---- Batches ---- */

static void start_batch(struct shipper *s)
{
    strbuf_reset(&s->batch.message);
    s->batch.samples = 0;
    s->batch.min_t = INT64_MAX;
    s->batch.max_t = INT64_MIN;
    s->batch.opened_ms = clock_monotonic_ms(s->clock);
}

/* Compresses a message and puts it into the queue. */
static void enqueue(
    struct shipper *s, struct strbuf *message, uint32_t samples, int64_t min_t, int64_t max_t)
{
    strbuf_reset(&s->compressed);
    int status = strbuf_error(message);
    if (status == 0) {
        status = snappy_encode(strbuf_str(message), &s->compressed);
    }
    if (status == 0) {
        status = queue_append(s->outbox.queue, strbuf_str(&s->compressed), samples, min_t, max_t);
    }
    if (status != 0) {
        s->statistics.lost_samples += samples;
        s->lost_status = status;
        LOG_ERROR(
            "ship: a batch is lost", LOG_I("samples", samples), LOG_S("error", err_text(status)));
        return;
    }
    s->statistics.batches++;
}

void shipper_flush(struct shipper *s)
{
    if (s->batch.samples > 0) {
        enqueue(s, &s->batch.message, s->batch.samples, s->batch.min_t, s->batch.max_t);
        start_batch(s);
    }
    if (s->metadata_entries > 0) {
        int64_t now = clock_now_ms(s->clock);
        enqueue(s, &s->metadata, 0, now, now);
        strbuf_reset(&s->metadata);
        s->metadata_entries = 0;
    }
}

/* ---- The door ---- */

static void note_time(struct batch *b, int64_t t_ms)
{
    b->min_t = t_ms < b->min_t ? t_ms : b->min_t;
    b->max_t = t_ms > b->max_t ? t_ms : b->max_t;
}

static bool is_full(const struct batch *b, unsigned times)
{
    return b->samples >= times * SHIPPER_BATCH_SAMPLES_MAX ||
           b->message.size >= times * SHIPPER_BATCH_BYTES_MAX;
}

/* The name of the histogram or summary that a series is a part of; empty when it stands for itself. */
static struct str family_of(struct str labels_bytes)
{
    static const struct str endings[] = {{"_bucket", 7}, {"_sum", 4}, {"_count", 6}};
    struct str name = remote_write_find_label(labels_bytes, STR(LABEL_METRIC_NAME));
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (str_ends_with(name, endings[i])) {
            return str_make(name.ptr, name.len - endings[i].len);
        }
    }
    return STR("");
}

static bool same_family(const struct batch *b, struct str labels_bytes)
{
    return str_eq(strbuf_str(&b->family), family_of(labels_bytes));
}

static void add_series(struct intake *self, const struct remote_write_series *series)
{
    struct shipper *s = (struct shipper *)self;
    struct batch *b = &s->batch;
    if (is_full(b, 1) && !same_family(b, series->labels_bytes)) {
        shipper_flush(s);
    }
    if (b->samples == 0) {
        start_batch(s);
    }
    remote_write_encode_whole_series(series, &s->scratch, &b->message);
    for (size_t i = 0; i < series->sample_count; i++) {
        note_time(b, series->samples[i].t_ms);
    }
    for (size_t i = 0; i < series->histogram_count; i++) {
        note_time(b, series->histograms[i].t_ms);
    }
    size_t count = series->sample_count + series->histogram_count;
    b->samples += (uint32_t)count;
    s->statistics.added_samples += count;
    if (is_full(b, 1)) {
        strbuf_reset(&b->family);
        strbuf_add_str(&b->family, family_of(series->labels_bytes));
        if (b->family.size == 0 || is_full(b, 2)) {
            shipper_flush(s);
        }
    }
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    struct shipper *s = (struct shipper *)self;
    if (s->keeps_metadata) {
        metric_metadata_type(&s->known, metric, type);
        metric_metadata_help(&s->known, metric, help);
        metric_metadata_unit(&s->known, metric, unit);
    }
    remote_write_encode_metadata(type, metric, help, unit, &s->metadata);
    s->metadata_entries++;
    if (s->metadata_entries >= METADATA_ENTRIES_MAX) {
        shipper_flush(s);
    }
}

static int commit(struct intake *self)
{
    struct shipper *s = (struct shipper *)self;
    shipper_flush(s);
    int status = s->lost_status;
    s->lost_status = 0;
    return status;
}

static enum intake_pressure pressure(const struct intake *self)
{
    const struct shipper *s = (const struct shipper *)self;
    return s->memory != NULL ? memory_watch_ask(s->memory) : INTAKE_EASY;
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    const struct shipper *s = (const struct shipper *)self;
    *epoch_out = s->external_epoch;
    return s->external;
}

struct intake *shipper_intake(struct shipper *s)
{
    return &s->intake;
}

void shipper_set_external(struct shipper *s, const struct labels *labels)
{
    const struct labels *before = s->external;
    s->external = labels != NULL ? labels_ref(labels) : NULL;
    s->external_epoch++;
    labels_unref(before);
}

/* ---- Time ---- */

int64_t shipper_step(struct shipper *s)
{
    int64_t now = clock_monotonic_ms(s->clock);
    outbox_maintain(&s->outbox);
    bool old = s->batch.samples > 0 && now - s->batch.opened_ms >= FLUSH_EARLY_MS;
    if (old || (s->metadata_entries > 0 && s->batch.samples == 0)) {
        shipper_flush(s);
    }
    if (now - s->swept_ms >= METRIC_METADATA_SWEEP_MS) {
        s->swept_ms = now;
        metric_metadata_sweep(&s->known);
    }
    int64_t wake = outbox_send(&s->outbox);
    int64_t left = s->batch.opened_ms + SHIPPER_FLUSH_MS - now;
    return s->batch.samples > 0 && left < wake ? left : wake;
}

/* ---- Opening ---- */

/* Options of the outbox, with what only the shipper knows. `destinations` has room for all. */
static struct outbox_options outbox_of(const struct shipper *s,
    const struct shipper_options *options, struct sender_options *destinations)
{
    size_t count = options->destination_count;
    count = count < OUTBOX_DESTINATIONS_MAX ? count : OUTBOX_DESTINATIONS_MAX;
    for (size_t i = 0; i < count; i++) {
        destinations[i] = options->destinations[i];
        destinations[i].request.metadata = &s->known;
    }
    return (struct outbox_options){
        .queue = options->queue,
        .destinations = destinations,
        .destination_count = options->destination_count,
        .client = options->client,
        .clock = options->clock,
        .background = options->background,
        .seed = options->seed,
    };
}

/* Metadata is remembered while somebody is told of it with each series. */
static void find_keepers(struct shipper *s)
{
    s->keeps_metadata = false;
    for (size_t i = 0; i < s->outbox.sender_count; i++) {
        s->keeps_metadata =
            s->keeps_metadata || sender_protocol(s->outbox.senders[i]) != SHIP_REMOTE_WRITE_1;
    }
}

static int open_outbox(struct shipper *s, const struct shipper_options *options, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    const struct outbox_options outbox = outbox_of(s, options, destinations);
    int status = outbox_open(&s->outbox, &outbox, e);
    find_keepers(s);
    return status;
}

int shipper_prepare(struct shipper *s, const struct shipper_options *options,
    struct outbox_change *change_out, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    const struct outbox_options outbox = outbox_of(s, options, destinations);
    return outbox_prepare(&s->outbox, &outbox, change_out, e);
}

void shipper_commit(struct shipper *s, struct outbox_change *change)
{
    outbox_commit(&s->outbox, change);
    find_keepers(s);
}

void shipper_abandon(struct shipper *s, struct outbox_change *change)
{
    outbox_abandon(&s->outbox, change);
}

int shipper_open(const struct shipper_options *options, struct shipper **shipper_out, struct err *e)
{
    struct shipper *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the shipper");
    }
    s->intake = (struct intake){add_series, add_metadata, commit, pressure, external};
    s->clock = options->clock;
    s->swept_ms = clock_monotonic_ms(s->clock);
    s->memory = options->memory;
    strbuf_init(&s->scratch, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&s->batch.family, LABELS_BYTES_MAX);
    strbuf_init(&s->batch.message, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&s->metadata, REMOTE_WRITE_MESSAGE_MAX);
    strbuf_init(&s->compressed, QUEUE_PAYLOAD_MAX);
    int status = open_outbox(s, options, e);
    if (status != 0) {
        shipper_close(s);
        return status;
    }
    *shipper_out = s;
    return 0;
}

void shipper_close(struct shipper *s)
{
    if (s == NULL) {
        return;
    }
    if (s->outbox.queue != NULL) {
        shipper_flush(s);
    }
    outbox_close(&s->outbox);
    strbuf_release(&s->batch.message);
    strbuf_release(&s->metadata);
    strbuf_release(&s->compressed);
    strbuf_release(&s->scratch);
    labels_unref(s->external);
    metric_metadata_release(&s->known);
    strbuf_release(&s->batch.family);
    mem_free(s);
}

/* ---- Statistics ---- */

void shipper_statistics(const struct shipper *s, struct shipper_statistics *statistics_out)
{
    *statistics_out = s->statistics;
    statistics_out->open_samples = s->batch.samples;
    queue_statistics(s->outbox.queue, &statistics_out->queue);
}

size_t shipper_destination_count(const struct shipper *s)
{
    return s->outbox.sender_count;
}

void shipper_destination_statistics(
    const struct shipper *s, size_t index, struct sender_statistics *statistics_out)
{
    outbox_destination_statistics(&s->outbox, index, statistics_out);
}

const char *shipper_destination_name(const struct shipper *s, size_t index)
{
    return sender_name(s->outbox.senders[index]);
}
