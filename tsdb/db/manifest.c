/* Encoding and replacing of the manifest; see the header for the format. */
#include "db/manifest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

static const char MAGIC[8] = {'S', 'O', 'N', 'D', 'E', 'M', 'A', 'N'};

enum { FORMAT_VERSION = 1 };

void manifest_init(struct manifest *m)
{
    *m = (struct manifest){.next_sequence = 1};
}

void manifest_release(struct manifest *m)
{
    mem_free(m->parts);
    mem_free(m->marks);
    manifest_init(m);
}

int manifest_copy(const struct manifest *m, struct manifest *copy_out)
{
    struct manifest copy = *m;
    copy.parts = mem_dup(m->parts, m->count * sizeof(*m->parts));
    copy.marks = mem_dup(m->marks, m->mark_count * sizeof(*m->marks));
    if (copy.parts == NULL || copy.marks == NULL) {
        mem_free(copy.parts);
        mem_free(copy.marks);
        return ERR_NOMEM;
    }
    copy.cap = m->count;
    copy.mark_cap = m->mark_count;
    *copy_out = copy;
    return 0;
}

int manifest_add(struct manifest *m, const struct manifest_part *part)
{
    size_t cap = m->cap;
    int status = mem_array_grow(
        (void **)&m->parts, &cap, m->count + 1u, sizeof(*m->parts), MANIFEST_PARTS_MAX);
    m->cap = (uint32_t)cap;
    if (status != 0) {
        return status;
    }
    uint32_t at = m->count;
    while (at > 0 && m->parts[at - 1].precedence > part->precedence) {
        at--;
    }
    memmove(m->parts + at + 1, m->parts + at, (m->count - at) * sizeof(*m->parts));
    m->parts[at] = *part;
    m->count++;
    return 0;
}

void manifest_remove(struct manifest *m, uint64_t sequence)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->parts[i].sequence != sequence) {
            m->parts[kept++] = m->parts[i];
        }
    }
    m->count = kept;
}

/* ---- Marks ---- */

/* Where the mark of a day is, or belongs. */
static uint32_t mark_position(const struct manifest *m, uint16_t tier, int64_t day)
{
    uint32_t low = 0, high = m->mark_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct manifest_mark *k = &m->marks[middle];
        if (k->tier < tier || (k->tier == tier && k->day < day)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_mark(const struct manifest *m, uint32_t at, uint16_t tier, int64_t day)
{
    return at < m->mark_count && m->marks[at].tier == tier && m->marks[at].day == day;
}

uint64_t manifest_mark(const struct manifest *m, uint16_t tier, int64_t day)
{
    uint32_t at = mark_position(m, tier, day);
    return is_mark(m, at, tier, day) ? m->marks[at].mark : 0;
}

int manifest_set_mark(struct manifest *m, const struct manifest_mark *mark)
{
    uint32_t at = mark_position(m, mark->tier, mark->day);
    if (is_mark(m, at, mark->tier, mark->day)) {
        m->marks[at].mark = mark->mark;
        return 0;
    }
    size_t cap = m->mark_cap;
    int status = mem_array_grow(
        (void **)&m->marks, &cap, m->mark_count + 1u, sizeof(*m->marks), MANIFEST_MARKS_MAX);
    m->mark_cap = (uint32_t)cap;
    if (status == 0) {
        memmove(m->marks + at + 1, m->marks + at, (m->mark_count - at) * sizeof(*m->marks));
        m->marks[at] = *mark;
        m->mark_count++;
    }
    return status;
}

/* ---- Names ---- */

int64_t store_tier_resolution(uint16_t tier)
{
    static const int64_t resolutions[STORE_TIERS] = {0, 5 * 60 * 1000, 60 * 60 * 1000};
    return resolutions[tier];
}

const char *store_tier_name(uint16_t tier)
{
    static const char *const names[STORE_TIERS] = {"raw", "t5m", "t1h"};
    return names[tier];
}

/* Years and months before 1970 count down. */
static struct tm civil_of(int64_t day)
{
    struct tm tm = {0};
    time_t seconds = (time_t)(day * 86400);
    (void)gmtime_r(&seconds, &tm); // days of millisecond times have a year that fits an int
    return tm;
}

int64_t store_tier_period(uint16_t tier, int64_t day)
{
    struct tm tm = civil_of(day);
    int64_t year = (int64_t)tm.tm_year + 1900;
    return tier == STORE_RAW ? day : tier == STORE_5M ? year * 12 + tm.tm_mon : year;
}

void manifest_part_directory(const struct manifest_part *part, char name_out[MANIFEST_NAME_MAX])
{
    int64_t period = store_tier_period(part->tier, part->day);
    const char *name = store_tier_name(part->tier);
    if (part->tier == STORE_5M) {
        struct tm tm = civil_of(part->day);
        (void)snprintf(name_out, MANIFEST_NAME_MAX, "%s/%04lld-%02d", name,
            (long long)tm.tm_year + 1900, tm.tm_mon + 1);
    } else {
        (void)snprintf(name_out, MANIFEST_NAME_MAX, "%s/%lld", name, (long long)period);
    }
}

int store_tier_parse(uint16_t tier, struct str name, int64_t *day_out)
{
    struct str month = {0};
    int64_t number = 0, month_number = 1;
    int status = 0;
    if (tier == STORE_5M && name.len > 3) {
        month = str_make(name.ptr + name.len - 2, 2);
        status = str_to_i64(month, &month_number);
        name.len -= 3;
    }
    if (status != 0 || str_to_i64(name, &number) != 0 || number > INT32_MAX || number < INT32_MIN ||
        month_number < 1 || month_number > 12) {
        return ERR_INVALID;
    }
    if (tier != STORE_RAW) {
        struct tm tm = {
            .tm_year = (int)(number - 1900), .tm_mon = (int)month_number - 1, .tm_mday = 1};
        time_t seconds = timegm(&tm);
        number = (int64_t)(seconds / 86400);
    }
    *day_out = number;
    return 0;
}

void manifest_part_name(const struct manifest_part *part, char name_out[MANIFEST_NAME_MAX])
{
    manifest_part_directory(part, name_out);
    size_t length = strlen(name_out);
    (void)snprintf(name_out + length, MANIFEST_NAME_MAX - length, "/p-%08llu",
        (unsigned long long)part->sequence);
}

/* ---- Bytes ---- */

static void encode_tiers(const struct manifest *m, struct strbuf *out)
{
    strbuf_add_le32(out, m->mark_count);
    for (uint32_t i = 0; i < m->mark_count; i++) {
        strbuf_add_le16(out, m->marks[i].tier);
        strbuf_add_le64(out, (uint64_t)m->marks[i].day);
        strbuf_add_le64(out, m->marks[i].mark);
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->parts[i].tier != STORE_RAW) {
            strbuf_add_le64(out, (uint64_t)m->parts[i].retention_ms);
        }
    }
}

static bool has_tiers(const struct manifest *m)
{
    bool found = m->mark_count > 0;
    for (uint32_t i = 0; !found && i < m->count; i++) {
        found = m->parts[i].tier != STORE_RAW;
    }
    return found;
}

void manifest_encode(const struct manifest *m, struct strbuf *out)
{
    size_t start = out->size;
    strbuf_add(out, MAGIC, sizeof(MAGIC));
    strbuf_add_le32(out, FORMAT_VERSION);
    strbuf_add_le64(out, m->next_sequence);
    strbuf_add_le32(out, HEAD_SLICES);
    for (int i = 0; i < HEAD_SLICES; i++) {
        strbuf_add_le64(out, m->floors[i]);
    }
    strbuf_add_le32(out, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        strbuf_add_le64(out, m->parts[i].sequence);
        strbuf_add_le64(out, m->parts[i].precedence);
        strbuf_add_le16(out, m->parts[i].level);
        strbuf_add_le16(out, m->parts[i].tier);
        strbuf_add_le64(out, (uint64_t)m->parts[i].day);
        strbuf_add_le64(out, m->parts[i].split);
    }
    if (has_tiers(m)) {
        encode_tiers(m, out);
    }
    if (strbuf_error(out) == 0) {
        strbuf_add_le32(out, checksum32(out->data + start, out->size - start));
    }
}

static int decode_part(struct decbuf *d, struct manifest *m)
{
    struct manifest_part part = {.sequence = decbuf_le64(d)};
    part.precedence = decbuf_le64(d);
    part.level = decbuf_le16(d);
    part.tier = decbuf_le16(d);
    part.retention_ms = MANIFEST_RETENTION_DEFAULT;
    part.day = (int64_t)decbuf_le64(d);
    part.split = decbuf_le64(d);
    if (d->failed || part.sequence >= m->next_sequence || part.tier >= STORE_TIERS) {
        return ERR_CORRUPT;
    }
    if (m->count > 0 && m->parts[m->count - 1].precedence > part.precedence) {
        return ERR_CORRUPT;
    }
    return manifest_add(m, &part);
}

static int decode_tiers(struct decbuf *d, struct manifest *m)
{
    uint32_t count = decbuf_le32(d);
    int status = d->failed || count > MANIFEST_MARKS_MAX ? ERR_CORRUPT : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct manifest_mark k = {.tier = decbuf_le16(d)};
        k.day = (int64_t)decbuf_le64(d);
        k.mark = decbuf_le64(d);
        bool ascends = mark_position(m, k.tier, k.day) == m->mark_count;
        bool good = !d->failed && ascends && k.tier < STORE_TIERS;
        status = good ? manifest_set_mark(m, &k) : ERR_CORRUPT;
    }
    for (uint32_t i = 0; status == 0 && i < m->count; i++) {
        if (m->parts[i].tier != STORE_RAW) {
            m->parts[i].retention_ms = (int64_t)decbuf_le64(d);
            bool good = !d->failed && m->parts[i].retention_ms >= MANIFEST_RETENTION_DEFAULT;
            status = good ? 0 : ERR_CORRUPT;
        }
    }
    return status;
}

static int decode_body(struct decbuf *d, struct manifest *m)
{
    m->next_sequence = decbuf_le64(d);
    if (decbuf_le32(d) != HEAD_SLICES) {
        return ERR_CORRUPT;
    }
    for (int i = 0; i < HEAD_SLICES; i++) {
        m->floors[i] = decbuf_le64(d);
    }
    uint32_t count = decbuf_le32(d);
    int status = d->failed || count > MANIFEST_PARTS_MAX ? ERR_CORRUPT : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = decode_part(d, m);
    }
    if (status == 0 && decbuf_left(d) > 0) {
        status = decode_tiers(d, m);
    }
    return status == 0 && decbuf_left(d) != 0 ? ERR_CORRUPT : status;
}

int manifest_decode(struct str bytes, struct manifest *m_out, struct err *e)
{
    if (bytes.len < sizeof(MAGIC) + 8 || memcmp(bytes.ptr, MAGIC, sizeof(MAGIC)) != 0) {
        return err_set(
            e, ERR_CORRUPT, 0, "this is not a manifest: the first bytes are not its own");
    }
    size_t size = bytes.len - 4;
    if (get_le32((const uint8_t *)bytes.ptr + size) != checksum32(bytes.ptr, size)) {
        return err_set(e, ERR_CORRUPT, (int64_t)size, "the manifest's checksum is wrong");
    }
    struct decbuf d = decbuf_of(bytes.ptr + sizeof(MAGIC), size - sizeof(MAGIC));
    uint32_t version = decbuf_le32(&d);
    if (version != FORMAT_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, sizeof(MAGIC),
            "the manifest has format %u; this program reads %d: use the one that wrote it", version,
            FORMAT_VERSION);
    }
    struct manifest m;
    manifest_init(&m);
    int status = decode_body(&d, &m);
    if (status != 0) {
        manifest_release(&m);
        return err_set(e, status, -1, "the manifest's content is damaged");
    }
    *m_out = m;
    return 0;
}

int manifest_load(struct vfs *fs, const char *path, struct manifest *m_out, struct err *e)
{
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, path, MANIFEST_BYTES_MAX, &data, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s cannot be read: %s", path, err_text(status));
    }
    status = manifest_decode(str_make(data, size), m_out, e);
    mem_free(data);
    if (status != 0) {
        err_prefix(e, "%s", path);
    }
    return status;
}

int manifest_store(struct vfs *fs, const char *path, const struct manifest *m, struct err *e)
{
    struct strbuf bytes;
    strbuf_init(&bytes, MANIFEST_BYTES_MAX);
    manifest_encode(m, &bytes);
    int status = strbuf_error(&bytes);
    if (status == 0) {
        status = vfs_write_file_atomic(fs, path, bytes.data, bytes.size);
    }
    strbuf_release(&bytes);
    if (status != 0) {
        return err_set(e, status, -1, "%s cannot be written: %s", path, err_text(status));
    }
    return 0;
}
