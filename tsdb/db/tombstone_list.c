/* The list of deletes and its file; the format is in tombstone.h. */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "db/tombstone.h"

static const char MAGIC[8] = {'S', 'O', 'N', 'D', 'E', 'T', 'O', 'M'};

enum { FORMAT_VERSION = 1 };

/* ---- Lists ---- */

static int list_new(size_t cap, struct tombstone_list **list_out)
{
    struct tombstone_list *l = mem_calloc(1, sizeof(*l));
    struct tombstone **items = mem_calloc(cap + 1, sizeof(struct tombstone *));
    if (l == NULL || items == NULL) {
        mem_free(l);
        mem_free(items);
        return ERR_NOMEM;
    }
    atomic_init(&l->references, 1);
    l->items = items;
    *list_out = l;
    return 0;
}

int tombstone_list_new(struct tombstone_list **list_out)
{
    return list_new(0, list_out);
}

struct tombstone_list *tombstone_list_ref(struct tombstone_list *l)
{
    atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    return l;
}

void tombstone_list_unref(struct tombstone_list *l)
{
    if (l == NULL || atomic_fetch_sub_explicit(&l->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        tombstone_unref(l->items[i]);
    }
    mem_free(l->items);
    mem_free(l);
}

/* Takes a reference. */
static void list_push(struct tombstone_list *l, struct tombstone *t)
{
    atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
    l->items[l->count++] = t;
}

/* Does a later tombstone hide all that an earlier one hides? */
static bool says_again(const struct tombstone *later, const struct tombstone *earlier)
{
    if (later->range.min_t > earlier->range.min_t || later->range.max_t < earlier->range.max_t ||
        later->matcher_count != earlier->matcher_count) {
        return false;
    }
    for (size_t i = 0; i < later->matcher_count; i++) {
        const struct matcher *a = later->matchers[i], *b = earlier->matchers[i];
        if (a->type != b->type || !str_eq(a->name, b->name) || !str_eq(a->value, b->value)) {
            return false;
        }
    }
    return true;
}

int tombstone_list_change(const struct tombstone_list *old, struct tombstone *added,
    const bool *gone, struct tombstone_list **list_out)
{
    struct tombstone_list *l = NULL;
    int status = list_new(old->count + 1, &l);
    if (status != 0) {
        return status;
    }
    l->bound = old->bound;
    memcpy(l->floors, old->floors, sizeof(l->floors));
    for (size_t i = 0; i < old->count; i++) {
        bool dropped =
            (gone != NULL && gone[i]) || (added != NULL && says_again(added, old->items[i]));
        if (!dropped) {
            list_push(l, old->items[i]);
        }
    }
    if (added != NULL && l->count == TOMBSTONES_MAX) {
        tombstone_list_unref(l);
        return ERR_LIMIT;
    }
    if (added != NULL) {
        list_push(l, added);
        l->bound = added->bound > l->bound ? added->bound : l->bound;
    }
    *list_out = l;
    return 0;
}

/* ---- Encoding ---- */

void tombstone_list_encode(const struct tombstone_list *l, struct strbuf *out)
{
    size_t start = out->size;
    strbuf_add(out, MAGIC, sizeof(MAGIC));
    strbuf_add_le32(out, FORMAT_VERSION);
    strbuf_add_le64(out, l->bound);
    strbuf_add_le32(out, HEAD_SLICES);
    for (int i = 0; i < HEAD_SLICES; i++) {
        strbuf_add_le64(out, l->floors[i]);
    }
    strbuf_add_uvarint(out, l->count);
    for (size_t i = 0; i < l->count; i++) {
        const struct tombstone *t = l->items[i];
        strbuf_add_le64(out, t->bound);
        strbuf_add_le64(out, (uint64_t)t->created_ms);
        strbuf_add_le64(out, (uint64_t)t->range.min_t);
        strbuf_add_le64(out, (uint64_t)t->range.max_t);
        strbuf_add_uvarint(out, t->matcher_count);
        for (size_t m = 0; m < t->matcher_count; m++) {
            strbuf_add_char(out, (char)t->matchers[m]->type);
            strbuf_add_sized(out, t->matchers[m]->name);
            strbuf_add_sized(out, t->matchers[m]->value);
        }
    }
    if (strbuf_error(out) == 0) {
        strbuf_add_le32(out, checksum32(out->data + start, out->size - start));
    }
}

static int decode_matchers(struct decbuf *d, struct tombstone *t, uint64_t count)
{
    t->matchers = mem_calloc(count + 1, sizeof(struct matcher *));
    int status = t->matchers != NULL ? 0 : ERR_NOMEM;
    for (uint64_t i = 0; status == 0 && i < count; i++) {
        uint8_t type = decbuf_u8(d);
        struct str name = decbuf_sized(d);
        struct str value = decbuf_sized(d);
        if (d->failed || type > MATCHER_NOT_REGEX) {
            return ERR_CORRUPT;
        }
        status = matcher_new((enum matcher_type)type, name, value, &t->matchers[i], NULL);
        t->matcher_count += status == 0;
    }
    return status == 0 || status == ERR_NOMEM ? status : ERR_CORRUPT;
}

static int decode_one(struct decbuf *d, struct tombstone_list *l)
{
    struct tombstone *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&t->references, 1);
    t->bound = decbuf_le64(d);
    t->created_ms = (int64_t)decbuf_le64(d);
    t->range.min_t = (int64_t)decbuf_le64(d);
    t->range.max_t = (int64_t)decbuf_le64(d);
    uint64_t count = decbuf_uvarint(d);
    bool ascends = l->count == 0 || l->items[l->count - 1]->bound <= t->bound;
    int status = d->failed || count > TOMBSTONE_MATCHERS_MAX || t->bound > l->bound || !ascends
                     ? ERR_CORRUPT
                     : decode_matchers(d, t, count);
    if (status != 0) {
        tombstone_unref(t);
        return status;
    }
    l->items[l->count++] = t;
    return 0;
}

static int decode_body(struct decbuf *d, struct tombstone_list **list_out)
{
    uint64_t bound = decbuf_le64(d), floors[HEAD_SLICES];
    if (decbuf_le32(d) != HEAD_SLICES) {
        return ERR_CORRUPT;
    }
    for (int i = 0; i < HEAD_SLICES; i++) {
        floors[i] = decbuf_le64(d);
    }
    uint64_t count = decbuf_uvarint(d);
    struct tombstone_list *l = NULL;
    int status = d->failed || count > TOMBSTONES_MAX ? ERR_CORRUPT : list_new(count, &l);
    if (status == 0) {
        l->bound = bound;
        memcpy(l->floors, floors, sizeof(floors));
    }
    for (uint64_t i = 0; status == 0 && i < count; i++) {
        status = decode_one(d, l);
    }
    status = status == 0 && decbuf_left(d) != 0 ? ERR_CORRUPT : status;
    if (status != 0) {
        tombstone_list_unref(l);
        return status;
    }
    *list_out = l;
    return 0;
}

int tombstone_list_decode(struct str bytes, struct tombstone_list **list_out, struct err *e)
{
    size_t size = bytes.len - 4;
    if (bytes.len < sizeof(MAGIC) + 8 || memcmp(bytes.ptr, MAGIC, sizeof(MAGIC)) != 0 ||
        get_le32((const uint8_t *)bytes.ptr + size) != checksum32(bytes.ptr, size)) {
        return err_set(e, ERR_CORRUPT, -1, "the list of deletes is damaged");
    }
    struct decbuf d = decbuf_of(bytes.ptr + sizeof(MAGIC), size - sizeof(MAGIC));
    if (decbuf_le32(&d) != FORMAT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, -1, "the list of deletes has a newer format");
    }
    int status = decode_body(&d, list_out);
    return status == 0
               ? 0
               : err_set(e, status, -1, "the list of deletes is damaged: %s", err_text(status));
}

/* ---- The file ---- */

int tombstone_list_load(
    struct vfs *fs, const char *path, struct tombstone_list **list_out, struct err *e)
{
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, path, TOMBSTONES_FILE_MAX, &data, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s cannot be read: %s", path, err_text(status));
    }
    status = tombstone_list_decode(str_make(data, size), list_out, e);
    mem_free(data);
    if (status != 0) {
        err_prefix(e, "%s", path);
    }
    return status;
}

int tombstone_list_store(
    struct vfs *fs, const char *path, const struct tombstone_list *l, struct err *e)
{
    struct strbuf bytes;
    strbuf_init(&bytes, TOMBSTONES_FILE_MAX);
    tombstone_list_encode(l, &bytes);
    int status = strbuf_error(&bytes);
    if (status == 0) {
        status = vfs_write_file_atomic(fs, path, bytes.data, bytes.size);
    }
    strbuf_release(&bytes);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s cannot be written: %s", path, err_text(status));
}
