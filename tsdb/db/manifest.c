/* Encoding and replacing of the manifest; see the header for the format. */
#include "db/manifest.h"

#include <assert.h>
#include <string.h>

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
    manifest_init(m);
}

int manifest_copy(const struct manifest *m, struct manifest *copy_out)
{
    struct manifest copy = *m;
    copy.parts = mem_dup(m->parts, m->count * sizeof(*m->parts));
    if (copy.parts == NULL) {
        return ERR_NOMEM;
    }
    copy.cap = m->count;
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
        strbuf_add_le32(out, m->parts[i].level);
        strbuf_add_le64(out, (uint64_t)m->parts[i].day);
        strbuf_add_le64(out, m->parts[i].split);
    }
    if (strbuf_error(out) == 0) {
        strbuf_add_le32(out, checksum32(out->data + start, out->size - start));
    }
}

static int decode_part(struct decbuf *d, struct manifest *m)
{
    struct manifest_part part = {.sequence = decbuf_le64(d)};
    part.precedence = decbuf_le64(d);
    part.level = decbuf_le32(d);
    part.day = (int64_t)decbuf_le64(d);
    part.split = decbuf_le64(d);
    if (d->failed || part.sequence >= m->next_sequence) {
        return ERR_CORRUPT;
    }
    if (m->count > 0 && m->parts[m->count - 1].precedence > part.precedence) {
        return ERR_CORRUPT;
    }
    return manifest_add(m, &part);
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
