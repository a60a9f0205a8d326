/* <data>/METADATA: what is known of metrics, as of the last time log was deleted. Replaced as a whole.
 *
 *     8  magic "SONDEMET"
 *     4  format version, 1
 *     uvarint count, then for each: uvarint type, metric, help, unit (each uvarint size, bytes)
 *     4  checksum32 of everything before
 *
 * It only describes: a damaged file is set aside with a line in the log, and senders repeat theirs.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"

static const char MAGIC[8] = {'S', 'O', 'N', 'D', 'E', 'M', 'E', 'T'};

enum { FORMAT_VERSION = 1 };

int db_metadata_decode(struct metadata *m, struct str bytes)
{
    size_t size = bytes.len - 4;
    if (bytes.len < sizeof(MAGIC) + 8 || memcmp(bytes.ptr, MAGIC, sizeof(MAGIC)) != 0 ||
        get_le32((const uint8_t *)bytes.ptr + size) != checksum32(bytes.ptr, size)) {
        return ERR_CORRUPT;
    }
    struct decbuf d = decbuf_of(bytes.ptr + sizeof(MAGIC), size - sizeof(MAGIC));
    if (decbuf_le32(&d) != FORMAT_VERSION) {
        return ERR_UNSUPPORTED;
    }
    uint64_t count = decbuf_uvarint(&d);
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < count && !d.failed; i++) {
        uint64_t type = decbuf_uvarint(&d);
        struct str metric = decbuf_sized(&d);
        struct str help = decbuf_sized(&d);
        struct str unit = decbuf_sized(&d);
        if (!d.failed) {
            int set = metadata_set(m, metric, (enum metric_type)(type & 7), help, unit);
            status = set < 0 ? set : 0;
        }
    }
    return d.failed ? ERR_CORRUPT : status;
}

int db_metadata_load(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    int status = db_path(db, "METADATA", path);
    if (status == 0) {
        status = vfs_read_file(db->fs, path, METADATA_FILE_MAX, &data, &size);
    }
    if (status == ERR_NOT_FOUND) {
        return 0;
    }
    if (status == 0) {
        status = db_metadata_decode(head_metadata(db->head), str_make(data, size));
        mem_free(data);
    }
    if (status == ERR_CORRUPT) {
        LOG_WARN("tsdb: metadata file is damaged and left aside", LOG_S("path", path));
        status = 0;
    }
    db->metadata_saved = head_metadata(db->head)->changes;
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", path, err_text(status));
}

struct encoding {
    struct strbuf entries;
    uint64_t count;
};

static int encode_one(void *context, const struct metric_metadata *metadata)
{
    struct encoding *encoding = context;
    strbuf_add_uvarint(&encoding->entries, (uint64_t)metadata->type);
    strbuf_add_sized(&encoding->entries, metadata->metric);
    strbuf_add_sized(&encoding->entries, metadata->help);
    strbuf_add_sized(&encoding->entries, metadata->unit);
    encoding->count++;
    return strbuf_error(&encoding->entries);
}

int db_metadata_save(struct tsdb *db, struct err *e)
{
    struct metadata *m = head_metadata(db->head);
    lock_take(&m->lock);
    uint64_t changes = m->changes;
    lock_give(&m->lock);
    if (changes == db->metadata_saved) {
        return 0;
    }
    struct encoding encoding = {.entries = STRBUF_INIT};
    struct strbuf file;
    char path[DB_PATH_MAX];
    strbuf_init(&file, METADATA_FILE_MAX);
    int status = metadata_each(m, str_make(NULL, 0), encode_one, &encoding);
    strbuf_add(&file, MAGIC, sizeof(MAGIC));
    strbuf_add_le32(&file, FORMAT_VERSION);
    strbuf_add_uvarint(&file, encoding.count);
    strbuf_add_str(&file, strbuf_str(&encoding.entries));
    status = status == 0 ? strbuf_error(&file) : status;
    if (status == 0) {
        strbuf_add_le32(&file, checksum32(file.data, file.size));
        status = strbuf_error(&file);
    }
    if (status == 0) {
        status = db_path(db, "METADATA", path);
    }
    if (status == 0) {
        status = vfs_write_file_atomic(db->fs, path, file.data, file.size);
    }
    strbuf_release(&encoding.entries);
    strbuf_release(&file);
    if (status != 0) {
        return err_set(e, status, -1, "the metadata file: %s", err_text(status));
    }
    db->metadata_saved = changes;
    return 0;
}
