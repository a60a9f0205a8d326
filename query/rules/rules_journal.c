/* The journal asks for everything that is alive whenever it rewrites its file, in the middle of a commit:
 * while evaluations of other groups move their states. So a copy of what is durable is kept here, record by
 * record; it is small beside the alerts themselves.
 */
#include "rules/rules_journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/journal.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    KIND_ALERT = 'a',
    KIND_GROUP = 'g',
    KEY_SIZE = 33, /* of the larger kind */
    GROUP_VERSION = 1,
    CHANGE_PUT = 1,
    CHANGE_DELETE = 2,
};
/* Alerts and groups. */
#define RECORDS_MAX ((size_t)1 << 26)

struct record {
    uint8_t key[KEY_SIZE]; /* padded with zeros */
    uint8_t key_size;
    bool claimed; /* by a rule, since the journal was opened */
    char *value;
    size_t size;
};

struct rules_journal {
    struct lock lock; /* guards all of it; held while a commit is synced */
    struct journal *journal;
    struct record *records;
    size_t count, cap;
    uint32_t *slots; /* by key: place + 1 */
    size_t slot_count;
    /* Places of alerts in the order of their keys, for restoring; NULL: to be made. */
    uint32_t *by_key;
    size_t by_key_count;
};

/* ---- Records ---- */

static size_t slot_of(const struct rules_journal *j, const uint8_t key[KEY_SIZE])
{
    size_t mask = j->slot_count - 1;
    size_t slot = (size_t)hash64(key, KEY_SIZE, 0) & mask;
    while (j->slots[slot] != 0 && memcmp(j->records[j->slots[slot] - 1].key, key, KEY_SIZE) != 0) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static int reserve(struct rules_journal *j)
{
    int status = mem_array_grow(
        (void **)&j->records, &j->cap, j->count + 1, sizeof(*j->records), RECORDS_MAX);
    if (status != 0 || (j->slot_count > 0 && j->slot_count / 2 >= j->cap)) {
        return status;
    }
    size_t slot_count = 64;
    while (slot_count / 2 < j->cap) {
        slot_count *= 2;
    }
    uint32_t *slots = mem_calloc(slot_count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    mem_free(j->slots);
    j->slots = slots;
    j->slot_count = slot_count;
    for (size_t i = 0; i < j->count; i++) {
        j->slots[slot_of(j, j->records[i].key)] = (uint32_t)i + 1;
    }
    return 0;
}

/* Places change, or alerts come and go. */
static void forget_order(struct rules_journal *j)
{
    mem_free(j->by_key);
    j->by_key = NULL;
    j->by_key_count = 0;
}

/* The last one takes the place of one that is gone. */
static void remove_record(struct rules_journal *j, size_t slot)
{
    size_t place = j->slots[slot] - 1;
    size_t mask = j->slot_count - 1, last = j->count - 1;
    mem_free(j->records[place].value);
    if (place != last) {
        size_t last_slot = slot_of(j, j->records[last].key);
        j->records[place] = j->records[last];
        j->slots[last_slot] = (uint32_t)place + 1;
    }
    j->count--;
    j->slots[slot] = 0;
    /* What stood behind it in the row of slots may belong further in front. */
    for (size_t next = (slot + 1) & mask; j->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t entry = j->slots[next];
        j->slots[next] = 0;
        j->slots[slot_of(j, j->records[entry - 1].key)] = entry;
    }
}

/* ERR_CORRUPT for a key that is none of ours. */
static int apply(
    struct rules_journal *j, struct str key, struct str value, bool deleted, bool claimed)
{
    uint8_t padded[KEY_SIZE] = {0};
    bool alert = key.len == KEY_SIZE && key.ptr[0] == KIND_ALERT;
    bool group = key.len == 17 && key.ptr[0] == KIND_GROUP;
    if (!alert && !group) {
        return ERR_CORRUPT;
    }
    memcpy(padded, key.ptr, key.len);
    int status = reserve(j);
    if (status != 0) {
        return status;
    }
    size_t slot = slot_of(j, padded);
    if (deleted) {
        if (j->slots[slot] != 0) {
            forget_order(j);
            remove_record(j, slot);
        }
        return 0;
    }
    char *copy = mem_dup(value.ptr, value.len);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (j->slots[slot] == 0) {
        forget_order(j);
        j->records[j->count] = (struct record){.key_size = (uint8_t)key.len};
        memcpy(j->records[j->count].key, padded, KEY_SIZE);
        j->slots[slot] = (uint32_t)++j->count;
    }
    struct record *record = &j->records[j->slots[slot] - 1];
    mem_free(record->value);
    record->value = copy;
    record->size = value.len;
    record->claimed = claimed;
    return 0;
}

/* ---- Opening ---- */

static int replay(void *context, struct str key, struct str value, bool deleted)
{
    int status = apply(context, key, value, deleted, false);
    if (status == ERR_CORRUPT) {
        LOG_WARN("rules: the journal has a record of an unknown kind, left out");
        return 0;
    }
    return status;
}

static void list(void *context, struct journal_rewrite *to)
{
    const struct rules_journal *j = context;
    for (size_t i = 0; i < j->count; i++) {
        const struct record *r = &j->records[i];
        journal_rewrite_put(
            to, str_make((const char *)r->key, r->key_size), str_make(r->value, r->size));
    }
}

int rules_journal_open(
    struct vfs *fs, const char *path, struct rules_journal **journal_out, struct err *e)
{
    struct rules_journal *j = mem_calloc(1, sizeof(*j));
    if (j == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    lock_init(&j->lock, LOCK_RANK_JOURNAL);
    const struct journal_options options = {.fs = fs, .replay = replay, .list = list, .context = j};
    struct journal_report report = {0};
    int status = journal_open(path, &options, &j->journal, &report, e);
    if (status != 0) {
        rules_journal_close(j);
        return status;
    }
    if (report.torn_bytes > 0 || report.damaged_bytes > 0) {
        LOG_WARN("rules: the journal was damaged; what is whole is used", LOG_S("path", path),
            LOG_I("torn_bytes", report.torn_bytes), LOG_I("damaged_bytes", report.damaged_bytes));
    }
    *journal_out = j;
    return 0;
}

void rules_journal_close(struct rules_journal *j)
{
    if (j == NULL) {
        return;
    }
    journal_close(j->journal);
    for (size_t i = 0; i < j->count; i++) {
        mem_free(j->records[i].value);
    }
    mem_free(j->records);
    mem_free(j->slots);
    mem_free(j->by_key);
    lock_release(&j->lock);
    mem_free(j);
}

/* ---- Keys ---- */

static void put_hash(uint8_t *p, struct hash128 hash)
{
    put_le64(p, hash.low);
    put_le64(p + 8, hash.high);
}

static struct hash128 labels_key(const struct labels *labels)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        strbuf_add_sized(&text, pair.name);
        strbuf_add_sized(&text, pair.value);
    }
    struct hash128 hash = hash128(text.data, text.size, 0);
    strbuf_release(&text);
    return hash;
}

static void alert_key(uint8_t key[KEY_SIZE], struct hash128 rule, const struct labels *labels)
{
    key[0] = KIND_ALERT;
    put_hash(key + 1, rule);
    put_hash(key + 17, labels_key(labels));
}

static void group_key(uint8_t key[KEY_SIZE], struct hash128 group)
{
    memset(key, 0, KEY_SIZE);
    key[0] = KIND_GROUP;
    put_hash(key + 1, group);
}

/* ---- Restoring ---- */

static int compare_places(const void *a, const void *b, void *context)
{
    const struct rules_journal *j = context;
    const uint32_t *x = a, *y = b;
    return memcmp(j->records[*x].key, j->records[*y].key, KEY_SIZE);
}

static int order_by_key(struct rules_journal *j)
{
    uint32_t *places = mem_calloc(j->count + 1, sizeof(*places));
    if (places == NULL) {
        return ERR_NOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < j->count; i++) {
        if (j->records[i].key[0] == KIND_ALERT) {
            places[count++] = (uint32_t)i;
        }
    }
    if (count > 1) {
        qsort_r(places, count, sizeof(*places), compare_places, j);
    }
    j->by_key = places;
    j->by_key_count = count;
    return 0;
}

/* The first place in the order whose key begins with `prefix` or comes after those that do. */
static size_t lower_bound(const struct rules_journal *j, const uint8_t *prefix, size_t size)
{
    size_t low = 0, high = j->by_key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = memcmp(j->records[j->by_key[middle]].key, prefix, size) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

int rules_journal_restore(struct rules_journal *j, struct hash128 rule, struct alert_states *states)
{
    uint8_t prefix[17] = {KIND_ALERT};
    put_hash(prefix + 1, rule);
    lock_take(&j->lock);
    int status = j->by_key != NULL ? 0 : order_by_key(j);
    size_t i = status == 0 ? lower_bound(j, prefix, sizeof(prefix)) : j->by_key_count;
    for (; i < j->by_key_count && status == 0; i++) {
        struct record *r = &j->records[j->by_key[i]];
        if (memcmp(r->key, prefix, sizeof(prefix)) != 0) {
            break;
        }
        if (!r->claimed) {
            struct err e = ERR_INIT;
            status = alert_states_restore(states, str_make(r->value, r->size), &e);
            r->claimed = status == 0;
            if (status == ERR_CORRUPT) {
                LOG_WARN("rules: a record of the journal makes no sense, left out");
                status = 0;
            }
        }
    }
    lock_give(&j->lock);
    return status;
}

bool rules_journal_group(const struct rules_journal *j, struct hash128 group, int64_t *at_ms_out)
{
    uint8_t key[KEY_SIZE];
    group_key(key, group);
    if (j->slot_count == 0) {
        return false;
    }
    uint32_t entry = j->slots[slot_of(j, key)];
    if (entry == 0) {
        return false;
    }
    const struct record *r = &j->records[entry - 1];
    struct decbuf d = decbuf_of(r->value, r->size);
    uint8_t version = decbuf_u8(&d);
    *at_ms_out = (int64_t)decbuf_le64(&d);
    return !d.failed && version == GROUP_VERSION && decbuf_left(&d) == 0;
}

int rules_journal_settle(struct rules_journal *j, struct err *e)
{
    struct state_changes gone = STATE_CHANGES_INIT;
    lock_take(&j->lock);
    forget_order(j);
    for (size_t i = 0; i < j->count; i++) {
        const struct record *r = &j->records[i];
        if (r->key[0] == KIND_ALERT && !r->claimed) {
            strbuf_add_char(&gone.bytes, CHANGE_DELETE);
            strbuf_add_sized(&gone.bytes, str_make((const char *)r->key, r->key_size));
        }
    }
    lock_give(&j->lock);
    int status = rules_journal_commit(j, &gone, e);
    state_changes_release(&gone);
    return status;
}

/* ---- Changes ---- */

void state_changes_release(struct state_changes *c)
{
    strbuf_release(&c->bytes);
}

bool state_changes_empty(const struct state_changes *c)
{
    return c->bytes.size == 0 && strbuf_error(&c->bytes) == 0;
}

static void add_change(struct state_changes *c, uint8_t kind, const uint8_t *key, size_t size,
    const struct strbuf *value)
{
    strbuf_add_char(&c->bytes, (char)kind);
    strbuf_add_sized(&c->bytes, str_make((const char *)key, size));
    if (kind == CHANGE_PUT) {
        strbuf_add_sized(&c->bytes, strbuf_str(value));
    }
}

void state_changes_put(
    struct state_changes *c, struct hash128 rule, const struct alert_instance *instance)
{
    uint8_t key[KEY_SIZE];
    struct strbuf value = STRBUF_INIT;
    alert_key(key, rule, instance->labels);
    alert_instance_encode(instance, &value);
    if (strbuf_error(&value) != 0) {
        c->bytes.error = strbuf_error(&value);
    }
    add_change(c, CHANGE_PUT, key, KEY_SIZE, &value);
    strbuf_release(&value);
}

void state_changes_delete(
    struct state_changes *c, struct hash128 rule, const struct alert_instance *instance)
{
    uint8_t key[KEY_SIZE];
    alert_key(key, rule, instance->labels);
    add_change(c, CHANGE_DELETE, key, KEY_SIZE, NULL);
}

void state_changes_group(struct state_changes *c, struct hash128 group, int64_t at_ms)
{
    uint8_t key[KEY_SIZE];
    struct strbuf value = STRBUF_INIT;
    group_key(key, group);
    strbuf_add_char(&value, GROUP_VERSION);
    strbuf_add_le64(&value, (uint64_t)at_ms);
    if (strbuf_error(&value) != 0) {
        c->bytes.error = strbuf_error(&value);
    }
    add_change(c, CHANGE_PUT, key, 17, &value);
    strbuf_release(&value);
}

void state_changes_delete_group(struct state_changes *c, struct hash128 group)
{
    uint8_t key[KEY_SIZE];
    group_key(key, group);
    add_change(c, CHANGE_DELETE, key, 17, NULL);
}

void state_changes_append(struct state_changes *to, struct state_changes *from)
{
    strbuf_add_str(&to->bytes, strbuf_str(&from->bytes));
    if (strbuf_error(&from->bytes) != 0) {
        to->bytes.error = strbuf_error(&from->bytes);
    }
    strbuf_reset(&from->bytes);
}

/* Hands each change to the copy, or to the journal. */
static int walk(struct rules_journal *j, const struct state_changes *c, bool to_copy)
{
    struct decbuf d = decbuf_of(c->bytes.data, c->bytes.size);
    int status = 0;
    while (decbuf_left(&d) > 0 && status == 0) {
        bool deleted = decbuf_u8(&d) == CHANGE_DELETE;
        struct str key = decbuf_sized(&d);
        struct str value = deleted ? (struct str){0} : decbuf_sized(&d);
        assert(!d.failed); /* written above */
        if (to_copy) {
            status = apply(j, key, value, deleted, true);
        } else if (deleted) {
            journal_delete(j->journal, key);
        } else {
            journal_put(j->journal, key, value);
        }
    }
    return status;
}

/* The copy first: the journal may ask for it in the middle of the commit, and then wants it with the
 * changes. What fails is tried again with the same changes, which does no harm. */
int rules_journal_commit(struct rules_journal *j, struct state_changes *c, struct err *e)
{
    if (strbuf_error(&c->bytes) != 0) {
        /* Which changes were lost nobody knows: the caller writes all states anew. */
        int status = strbuf_error(&c->bytes);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    if (c->bytes.size == 0) {
        return 0;
    }
    lock_take(&j->lock);
    int status = walk(j, c, true);
    if (status == 0) {
        (void)walk(j, c, false); /* errors stick in the journal */
        status = journal_commit(j->journal, e);
    } else {
        err_set(e, status, -1, "%s", err_text(status));
    }
    lock_give(&j->lock);
    if (status == 0) {
        strbuf_reset(&c->bytes);
    }
    return status;
}
