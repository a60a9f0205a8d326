/* The pipeline's journal: `alerts.journal`, see base/journal.h.
 *
 *   key                     value
 *   'a' hash of labels (8)  an alert, as alert_item.c has it
 *   's' id (36)             a silence, as silence.c
 *   'n' notice_key (8)      a notice, as notice.c
 *   'd' id (40)             a delivery, as delivery.c
 *   't'                     the time of the last commit (8)
 *
 * The time of the last commit tells, after a restart, how long nobody was there: an alert that was believed
 * for two more minutes then is believed for two more minutes now, or a restart of the server would resolve
 * what has not ended.
 */
#include "alert/pipeline.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

enum { KEY_BYTES_MAX = 64 };

struct key {
    char bytes[KEY_BYTES_MAX];
    size_t size;
};

static struct str key_str(const struct key *k)
{
    return str_make(k->bytes, k->size);
}

static struct key key_of_hash(char kind, uint64_t hash)
{
    struct key k = {.bytes = {kind}, .size = 9};
    put_le64((uint8_t *)k.bytes + 1, hash);
    return k;
}

static struct key key_of_id(char kind, const char *id)
{
    struct key k = {.bytes = {kind}};
    size_t length = strlen(id);
    length = length < KEY_BYTES_MAX - 1 ? length : KEY_BYTES_MAX - 1;
    memcpy(k.bytes + 1, id, length);
    k.size = length + 1;
    return k;
}

static struct key key_of_item(const struct alert_item *item)
{
    return key_of_hash('a', labels_hash(item->alert.labels));
}

static struct key key_of_notice(const struct notice *n)
{
    return key_of_hash('n', notice_key(n->group_key, n->receiver, n->kind, n->index));
}

/* ---- Noting changes ---- */

static void put(struct pipeline *p, const struct key *key, struct strbuf *value)
{
    if (p->journal != NULL) {
        if (strbuf_error(value) == 0) {
            journal_put(p->journal, key_str(key), strbuf_str(value));
        } else {
            p->journal_behind = true;
        }
        p->journal_dirty = true;
    }
    strbuf_release(value);
}

static void forget(struct pipeline *p, const struct key *key)
{
    if (p->journal != NULL) {
        journal_delete(p->journal, key_str(key));
        p->journal_dirty = true;
    }
}

#define NOTE(function, encode, type, key_function)                                                 \
    void function(struct pipeline *p, type object)                                                 \
    {                                                                                              \
        struct key key = key_function;                                                             \
        struct strbuf value = STRBUF_INIT;                                                         \
        encode(object, &value);                                                                    \
        put(p, &key, &value);                                                                      \
    }
NOTE(pipeline_note_item, alert_item_encode, const struct alert_item *, key_of_item(object))
NOTE(pipeline_note_notice, notice_encode, const struct notice *, key_of_notice(object))
NOTE(pipeline_note_delivery, delivery_encode, const struct delivery *, key_of_id('d', object->id))
NOTE(pipeline_note_silence, silence_encode, const struct silence *, key_of_id('s', object->id))

void pipeline_forget_item(struct pipeline *p, const struct alert_item *item)
{
    struct key key = key_of_item(item);
    forget(p, &key);
}

void pipeline_forget_notice(struct pipeline *p, const struct notice *n)
{
    struct key key = key_of_notice(n);
    forget(p, &key);
}

void pipeline_forget_delivery(struct pipeline *p, const struct delivery *d)
{
    struct key key = key_of_id('d', d->id);
    forget(p, &key);
}

void pipeline_forget_silence(struct pipeline *p, const char *id)
{
    struct key key = key_of_id('s', id);
    forget(p, &key);
}

/* ---- The whole state ---- */

static void each(struct pipeline *p, void (*take)(void *context, struct str key, struct str value),
    void *context)
{
    struct strbuf value = STRBUF_INIT;
    size_t at = 0;
    const struct alert_item *item;
    while ((item = pointer_table_next(&p->alerts, &at)) != NULL) {
        struct key key = key_of_item(item);
        strbuf_reset(&value);
        alert_item_encode(item, &value);
        take(context, key_str(&key), strbuf_str(&value));
    }
    const struct notice *n;
    at = 0;
    while ((n = pointer_table_next(&p->notices, &at)) != NULL) {
        struct key key = key_of_notice(n);
        strbuf_reset(&value);
        notice_encode(n, &value);
        take(context, key_str(&key), strbuf_str(&value));
    }
    for (size_t i = 0; i < p->silences.count; i++) {
        struct key key = key_of_id('s', p->silences.items[i]->id);
        strbuf_reset(&value);
        silence_encode(p->silences.items[i], &value);
        take(context, key_str(&key), strbuf_str(&value));
    }
    for (size_t i = 0; i < p->delivery_count; i++) {
        struct key key = key_of_id('d', p->deliveries[i]->id);
        strbuf_reset(&value);
        delivery_encode(p->deliveries[i], &value);
        take(context, key_str(&key), strbuf_str(&value));
    }
    uint8_t time[8];
    put_le64(time, (uint64_t)p->alive_ms);
    take(context, STR("t"), str_make((const char *)time, sizeof(time)));
    strbuf_release(&value);
}

static void rewrite_pair(void *context, struct str key, struct str value)
{
    journal_rewrite_put(context, key, value);
}

static void list(void *context, struct journal_rewrite *to)
{
    each(context, rewrite_pair, to);
}

static void put_pair(void *context, struct str key, struct str value)
{
    journal_put(context, key, value);
}

int pipeline_store_commit(struct pipeline *p, int64_t now_ms, struct err *e)
{
    if (p->journal == NULL || (!p->journal_dirty && !p->journal_behind)) {
        return 0;
    }
    p->alive_ms = now_ms;
    if (p->journal_behind) {
        each(p, put_pair, p->journal);
    }
    uint8_t time[8];
    put_le64(time, (uint64_t)now_ms);
    journal_put(p->journal, STR("t"), str_make((const char *)time, sizeof(time)));
    struct err own = ERR_INIT;
    int status = journal_commit(p->journal, &own);
    p->journal_dirty = false;
    if (status != 0 && !p->journal_behind) {
        LOG_ERROR("alerts: the journal does not take changes; people are told all the same",
            LOG_S("error", own.message));
    }
    p->counters.journal_failures += status != 0;
    p->journal_behind = status != 0;
    return status != 0 ? err_set(e, status, -1, "%s", own.message) : 0;
}

/* ---- Replay ---- */

static int replay_item(struct pipeline *p, uint64_t hash, struct str value, bool deleted)
{
    struct alert_item *item = NULL;
    int status = deleted ? 0 : alert_item_decode(value, &item);
    if (status != 0) {
        return status;
    }
    alert_item_unref(pointer_table_remove(&p->alerts, hash));
    status = item != NULL ? pointer_table_put(&p->alerts, hash, item) : 0;
    if (status != 0) {
        alert_item_unref(item);
    }
    return status;
}

static int replay_notice(struct pipeline *p, uint64_t hash, struct str value, bool deleted)
{
    struct notice *n = NULL;
    int status = deleted ? 0 : notice_decode(value, &n);
    if (status != 0) {
        return status;
    }
    notice_free(pointer_table_remove(&p->notices, hash));
    status = n != NULL ? pointer_table_put(&p->notices, hash, n) : 0;
    if (status != 0) {
        notice_free(n);
    }
    return status;
}

static int replay_silence(struct pipeline *p, struct str id, struct str value, bool deleted)
{
    struct silence *s = NULL;
    int status = deleted ? 0 : silence_decode(value, &s);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; deleted && i < p->silences.count; i++) {
        if (str_eq_c(id, p->silences.items[i]->id)) {
            silence_free(p->silences.items[i]);
            p->silences.items[i] = p->silences.items[--p->silences.count];
        }
    }
    status = s != NULL ? silences_add(&p->silences, s) : 0;
    if (status != 0) {
        silence_free(s);
    }
    return status;
}

static int replay_delivery(struct pipeline *p, struct str id, struct str value, bool deleted)
{
    struct delivery *d = NULL;
    uint64_t hash = hash64(id.ptr, id.len, 0);
    int status = deleted ? 0 : delivery_decode(value, &d);
    if (status != 0) {
        return status;
    }
    delivery_free(pointer_table_remove(&p->deliveries_by_id, hash));
    status = d != NULL ? pointer_table_put(&p->deliveries_by_id, hash, d) : 0;
    if (status != 0) {
        delivery_free(d);
    }
    return status;
}

static int replay(void *context, struct str key, struct str value, bool deleted)
{
    struct pipeline *p = context;
    char kind = key.len > 0 ? key.ptr[0] : '\0';
    struct str rest = str_skip(key, 1);
    uint64_t hash = rest.len == 8 ? get_le64((const uint8_t *)rest.ptr) : 0;
    int status = ERR_CORRUPT;
    if (kind == 'a' && rest.len == 8) {
        status = replay_item(p, hash, value, deleted);
    } else if (kind == 'n' && rest.len == 8) {
        status = replay_notice(p, hash, value, deleted);
    } else if (kind == 's') {
        status = replay_silence(p, rest, value, deleted);
    } else if (kind == 'd') {
        status = replay_delivery(p, rest, value, deleted);
    } else if (kind == 't' && value.len == 8) {
        p->alive_ms = (int64_t)get_le64((const uint8_t *)value.ptr);
        status = 0;
    }
    if (status == ERR_CORRUPT) {
        /* Its frame is whole, so this is of another version: better told without it than not at all. */
        LOG_WARN("alerts: a record of the journal is not understood", LOG_I("bytes", value.len));
        status = 0;
    }
    return status;
}

static int compare_deliveries(const void *a, const void *b)
{
    uint64_t x = (*(struct delivery *const *)a)->sequence;
    uint64_t y = (*(struct delivery *const *)b)->sequence;
    return x < y ? -1 : x > y;
}

/* The list in order, and the notices' pointers to what is on its way. */
static int adopt_deliveries(struct pipeline *p)
{
    struct delivery *d;
    size_t at = 0;
    while ((d = pointer_table_next(&p->deliveries_by_id, &at)) != NULL) {
        int status = mem_array_grow((void **)&p->deliveries, &p->delivery_cap,
            p->delivery_count + 1, sizeof(d), PIPELINE_DELIVERIES_MAX);
        if (status != 0) {
            return status;
        }
        p->deliveries[p->delivery_count++] = d;
        p->sequence = d->sequence >= p->sequence ? d->sequence + 1 : p->sequence;
        if (d->state != DELIVERY_PENDING) {
            p->kept_bytes += delivery_memory(d);
        }
    }
    if (p->delivery_count > 1) {
        qsort(p->deliveries, p->delivery_count, sizeof(d), compare_deliveries);
    }
    for (size_t i = 0; i < p->delivery_count; i++) {
        d = p->deliveries[i];
        struct notice *n = d->state == DELIVERY_PENDING ? pipeline_notice_of(p, d) : NULL;
        if (n != NULL && pipeline_is_newest(p, d)) {
            /* It may have been in the air when the process ended. */
            n->pending = d;
            int status = fingerprint_set_join(&n->maybe, &d->firing);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

/* Nobody was there to repeat them: their ends move by as long. */
static int move_ends(struct pipeline *p, int64_t now_ms)
{
    int64_t away_ms = p->alive_ms > 0 && now_ms > p->alive_ms ? now_ms - p->alive_ms : 0;
    for (size_t i = 0; i < p->alerts.cap; i++) {
        struct alert_item *old = p->alerts.cells[i].pointer;
        if (old == NULL || old->alert.resolved || old->alert.ends_at_ms <= p->alive_ms ||
            away_ms == 0) {
            continue;
        }
        struct alert moved = old->alert;
        struct alert_item *item = NULL;
        moved.ends_at_ms += away_ms;
        int status = alert_item_new(&moved, old->updated_at_ms, old->guessed_end, &item);
        if (status != 0) {
            return status;
        }
        p->alerts.cells[i].pointer = item;
        alert_item_unref(old);
        pipeline_note_item(p, item);
    }
    return 0;
}

int pipeline_store_open(struct pipeline *p, int64_t now_ms, struct err *e)
{
    if (p->options.journal_path == NULL) {
        return 0;
    }
    struct journal_options options = {
        .fs = p->options.fs, .replay = replay, .list = list, .context = p};
    struct journal_report report = {0};
    int status = journal_open(p->options.journal_path, &options, &p->journal, &report, e);
    if (status != 0) {
        return status;
    }
    if (report.damaged_bytes > 0) {
        LOG_WARN("alerts: damage in the journal was set aside",
            LOG_S("path", p->options.journal_path), LOG_I("bytes", report.damaged_bytes));
    }
    status = adopt_deliveries(p);
    if (status == 0) {
        status = move_ends(p, now_ms);
    }
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}
