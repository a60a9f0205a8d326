/* Counts of lost samples into the store, through the same door as everybody's samples. */
#include "base/mem.h"
#include "head/head_private.h"

/* A metric's count; before its first one the 0 of the last time nothing was lost, so that `increase`
 * sees all of it. */
static int append_entry(struct head *h, struct appender *a, const struct overflow_entry *entry,
    int64_t now_ms, struct err *e)
{
    const struct label labels[] = {{STR(LABEL_METRIC_NAME), STR(OVERFLOW_METRIC)},
        {STR(OVERFLOW_LABEL), str_make(entry->metric->name, entry->metric->name_size)}};
    struct series_ref ref;
    int status = head_series(h, labels, 2, &ref, e);
    if (status == 0 && entry->written == 0 && h->overflow.written_ms < now_ms) {
        status = appender_append(a, ref, h->overflow.written_ms, 0);
        status = status == ERR_RANGE ? 0 : status; // the clock has jumped: it only rounds off
    }
    return status == 0 ? appender_append(a, ref, now_ms, (double)entry->lost) : status;
}

static int append_all(struct head *h, struct appender *a, uint64_t *lost, int64_t now_ms,
    size_t *count_out, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < OVERFLOW_SLOTS; i++) {
        struct overflow_entry entry;
        if (overflow_get(&h->overflow, i, &entry)) {
            status = append_entry(h, a, &entry, now_ms, e);
            lost[i] = entry.lost;
            (*count_out)++;
        }
    }
    if (status == 0 && *count_out > 0) {
        status = appender_set_metadata(a, STR(OVERFLOW_METRIC), METRIC_TYPE_COUNTER,
            STR("Samples that were not stored because a limit refused their series."), STR(""));
    }
    return status;
}

static int write_counts(struct head *h, uint64_t *lost, int64_t now_ms, struct err *e)
{
    struct appender *a = NULL;
    size_t count = 0;
    int status = appender_open(&h->source, &a, e);
    if (status == 0) {
        status = append_all(h, a, lost, now_ms, &count, e);
        if (status != 0 || count == 0) {
            appender_rollback(a);
        } else {
            status = appender_commit(a, COMMIT_AS_CONFIGURED, NULL, e);
        }
    }
    for (size_t i = 0; status == 0 && i < OVERFLOW_SLOTS; i++) {
        if (lost[i] > 0) {
            overflow_note_written(&h->overflow, i, lost[i]);
        }
    }
    return status;
}

int head_write_overflow(struct head *h, bool now, struct err *e)
{
    struct overflow *o = &h->overflow;
    int64_t now_ms = clock_now_ms(h->options.clock);
    int64_t monotonic_ms = clock_monotonic_ms(h->options.clock);
    if (!now && monotonic_ms - o->written_mono < OVERFLOW_INTERVAL_MS) {
        return 0;
    }
    uint64_t *lost = mem_calloc(OVERFLOW_SLOTS, sizeof(*lost));
    int status = lost != NULL ? write_counts(h, lost, now_ms, e) : ERR_NOMEM;
    mem_free(lost);
    o->written_mono = monotonic_ms;
    if (status == 0) {
        o->written_ms = now_ms;
    }
    return status;
}
