/* From labels to series: finding, and making new ones within the limits.
 *
 * A series is looked for without adding anything: label sets of refused series must not fill the
 * index. Only then the lock of the limits is taken, looked again, asked, and the series made, so that
 * no two writers pass a limit with one place left.
 */
#include "base/log.h"
#include "head/head_private.h"

bool head_is_identity(const struct head *h, struct str name)
{
    size_t low = 0, high = h->options.identity_label_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(h->options.identity_labels[middle], name);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static int check_pairs(const struct label *labels, size_t count, struct err *e)
{
    if (count > LABELS_COUNT_MAX) {
        return err_set(e, ERR_LIMIT, -1, "a series has %zu labels; at most %d are accepted", count,
            LABELS_COUNT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (labels[i].name.len == 0 || labels[i].value.len == 0) {
            return err_set(e, ERR_INVALID, -1, "a label has an empty name or value");
        }
        if (i > 0 && str_cmp(labels[i - 1].name, labels[i].name) >= 0) {
            return err_set(e, ERR_INVALID, -1, "label \"%.*s\" is out of order or comes twice",
                STR_ARG(labels[i].name));
        }
    }
    return 0;
}

/* A label set, divided; ids as far as they are known. */
struct divided {
    struct label sides[2][LABELS_COUNT_MAX];
    size_t counts[2];
    uint32_t ids[2];
    bool known[2];
};

static void divide(
    const struct head *h, const struct label *labels, size_t count, struct divided *out)
{
    out->counts[0] = out->counts[1] = 0;
    for (size_t i = 0; i < count; i++) {
        int side = head_is_identity(h, labels[i].name) ? INDEX_TARGETS : INDEX_SHAPES;
        out->sides[side][out->counts[side]++] = labels[i];
    }
}

/* 1: it is there; 0: not, with the ids that are known; ERR_NOMEM. */
static int find(struct head *h, struct divided *d, struct series_ref *ref_out)
{
    for (int side = 0; side < 2; side++) {
        int status = index_find(h->options.index, (enum index_side)side, d->sides[side],
            d->counts[side], &d->ids[side]);
        if (status < 0) {
            return status;
        }
        d->known[side] = status == 1;
    }
    return d->known[0] && d->known[1] &&
           head_find_column(h, d->ids[INDEX_TARGETS], d->ids[INDEX_SHAPES], COLUMN_FLOAT, ref_out);
}

static int add(struct head *h, struct divided *d, struct series_ref *ref_out)
{
    int status = 0;
    for (int side = 0; status == 0 && side < 2; side++) {
        status = index_add(h->options.index, (enum index_side)side, d->sides[side], d->counts[side],
            &d->ids[side]);
    }
    return status == 0
               ? head_column(h, d->ids[INDEX_TARGETS], d->ids[INDEX_SHAPES], COLUMN_FLOAT, ref_out)
               : status;
}

/* What a series that is to be made is asked for, and counted as. */
struct making {
    const struct label *labels;
    size_t count;
    bool limited;
    bool tell; /* a refusal is to be logged */
};

/* With the lock of the limits. */
static int make(
    struct head *h, struct divided *d, struct making *m, struct series_ref *ref_out, struct err *e)
{
    int status = find(h, d, ref_out);
    if (status != 0) {
        return status > 0 ? 0 : status;
    }
    const struct new_series s = {.labels = m->labels,
        .count = m->count,
        .target_labels = d->sides[INDEX_TARGETS],
        .target_label_count = d->counts[INDEX_TARGETS],
        .target_known = d->known[INDEX_TARGETS],
        .shape_known = d->known[INDEX_SHAPES],
        .target = d->ids[INDEX_TARGETS],
        .shape = d->ids[INDEX_SHAPES]};
    int64_t now_ms = clock_now_ms(h->options.clock);
    if (m->limited) {
        status = limits_check(&h->limits, h->options.index, &s, now_ms,
            clock_monotonic_ms(h->options.clock), &m->tell, e);
    }
    status = status == 0 ? add(h, d, ref_out) : status;
    if (status == 0 && m->limited) {
        limits_count_new(&h->limits, &s, now_ms);
    }
    return status;
}

static int series(struct head *h, struct making *m, struct series_ref *ref_out, struct err *e)
{
    struct err local = ERR_INIT;
    int status = check_pairs(m->labels, m->count, e);
    if (status != 0) {
        return status;
    }
    struct divided d;
    divide(h, m->labels, m->count, &d);
    status = find(h, &d, ref_out);
    if (status > 0) {
        return 0;
    }
    if (status == 0) {
        lock_take(&h->limits.lock);
        status = make(h, &d, m, ref_out, &local);
        lock_give(&h->limits.lock);
    }
    if (m->tell) {
        LOG_WARN("head: a limit refuses new series", LOG_S("reason", local.message));
    }
    if (status != 0 && local.code == 0) {
        err_set(&local, status, -1, "a new series could not be made: %s", err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}

int head_series(struct head *h, const struct label *labels, size_t count,
    struct series_ref *ref_out, struct err *e)
{
    struct making m = {.labels = labels, .count = count};
    return series(h, &m, ref_out, e);
}

int head_limited_series(struct head *h, const struct label *labels, size_t count,
    struct series_ref *ref_out, struct err *e)
{
    struct making m = {.labels = labels, .count = count, .limited = true};
    return series(h, &m, ref_out, e);
}

/* ---- Settings ---- */

void head_set_limits(struct head *h, const struct series_limits *limits)
{
    lock_take(&h->limits.lock);
    h->limits.settings = *limits;
    lock_give(&h->limits.lock);
}

void head_set_memory_short(struct head *h, bool is_short)
{
    atomic_store_explicit(&h->limits.memory_short, is_short, memory_order_relaxed);
}

int head_each_job(
    struct head *h, int (*callback)(void *context, const struct job_churn *churn), void *context)
{
    lock_take(&h->limits.lock);
    int status = limits_each_job(&h->limits, clock_now_ms(h->options.clock), callback, context);
    lock_give(&h->limits.lock);
    return status;
}
