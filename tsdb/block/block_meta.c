/* meta.json in and out. */
#include "block/block_meta.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "block/chunk_file.h"

enum { VERSION = 1, META_BYTES_MAX = 16 << 20 };

static const char HINT[] = "from-out-of-order";

void ulid_write(int64_t time_ms, struct hash128 random, char text_out[ULID_TEXT_SIZE])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t time = (uint64_t)time_ms;
    for (int i = 9; i >= 0; i--, time >>= 5) {
        text_out[i] = alphabet[time & 31];
    }
    for (int i = 0; i < 8; i++) {
        text_out[10 + i] = alphabet[random.high >> (5 * i) & 31];
        text_out[18 + i] = alphabet[random.low >> (5 * i) & 31];
    }
    text_out[26] = '\0';
}

/* ---- Reading ---- */

static int64_t integer_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Text of the right length. */
static bool take_ulid(const json_t *value, char ulid_out[ULID_TEXT_SIZE])
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != ULID_TEXT_SIZE - 1) {
        return false;
    }
    memcpy(ulid_out, text, ULID_TEXT_SIZE);
    return true;
}

static int take_compaction(const json_t *compaction, struct block_meta *m)
{
    const json_t *parents = json_object_get(compaction, "parents");
    const json_t *hints = json_object_get(compaction, "hints");
    size_t count = json_array_size(parents);
    m->deletable = json_is_true(json_object_get(compaction, "deletable"));
    for (size_t i = 0; i < json_array_size(hints); i++) {
        const char *hint = json_string_value(json_array_get(hints, i));
        m->out_of_order = m->out_of_order || (hint != NULL && strcmp(hint, HINT) == 0);
    }
    m->parents = mem_calloc(count + 1, sizeof(*m->parents));
    if (m->parents == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *parent = json_object_get(json_array_get(parents, i), "ulid");
        m->parent_count += take_ulid(parent, m->parents[m->parent_count]);
    }
    return 0;
}

void block_meta_release(struct block_meta *meta)
{
    mem_free(meta->parents);
    meta->parents = NULL;
    meta->parent_count = 0;
}

bool block_meta_has_parent(const struct block_meta *meta, const char *ulid)
{
    for (size_t i = 0; i < meta->parent_count; i++) {
        if (strcmp(meta->parents[i], ulid) == 0) {
            return true;
        }
    }
    return false;
}

static int take(const json_t *root, struct block_meta *m, struct err *e)
{
    const json_t *stats = json_object_get(root, "stats");
    const json_t *downsample = json_object_get(json_object_get(root, "thanos"), "downsample");
    if (integer_at(root, "version") != VERSION) {
        return err_set(e, ERR_UNSUPPORTED, -1, "meta.json has version %lld; this program reads %d",
            (long long)integer_at(root, "version"), VERSION);
    }
    if (!take_ulid(json_object_get(root, "ulid"), m->ulid) ||
        !json_is_integer(json_object_get(root, "minTime")) ||
        !json_is_integer(json_object_get(root, "maxTime"))) {
        return err_set(e, ERR_CORRUPT, -1, "meta.json lacks ulid, minTime or maxTime");
    }
    m->min_t = integer_at(root, "minTime");
    m->max_t = integer_at(root, "maxTime");
    m->samples = (uint64_t)integer_at(stats, "numSamples");
    m->series = (uint64_t)integer_at(stats, "numSeries");
    m->chunks = (uint64_t)integer_at(stats, "numChunks");
    m->tombstones = (uint64_t)integer_at(stats, "numTombstones");
    m->resolution_ms = integer_at(downsample, "resolution");
    return take_compaction(json_object_get(root, "compaction"), m);
}

int block_meta_decode(struct str text, struct block_meta *meta_out, struct err *e)
{
    struct block_meta meta = {.min_t = 0};
    json_error_t problem;
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return err_set(e, ERR_CORRUPT, problem.position, "meta.json: %s", problem.text);
    }
    int status = take(root, &meta, e);
    json_decref(root);
    if (status == 0) {
        *meta_out = meta;
    }
    return status;
}

int block_meta_read(
    struct vfs *fs, const char *directory, struct block_meta *meta_out, struct err *e)
{
    char path[BLOCK_PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    int written = snprintf(path, sizeof(path), "%s/meta.json", directory);
    int status = written > 0 && written < BLOCK_PATH_MAX
                     ? vfs_read_file(fs, path, META_BYTES_MAX, &text, &size)
                     : ERR_LIMIT;
    if (status != 0) {
        return err_set(e, status, -1, "%s cannot be read: %s", directory, err_text(status));
    }
    status = block_meta_decode(str_make(text, size), meta_out, e);
    mem_free(text);
    if (status != 0) {
        err_prefix(e, "%s", directory);
    }
    return status;
}

/* ---- Writing ---- */

static void write_external(struct json_writer *w, const struct labels *external)
{
    json_key(w, "thanos");
    json_begin_object(w);
    json_key(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < labels_count(external); i++) {
        struct label label = labels_at(external, i);
        json_key_str(w, label.name);
        json_string(w, label.value);
    }
    json_end(w);
    json_key(w, "downsample");
    json_begin_object(w);
    json_key(w, "resolution");
    json_integer(w, 0);
    json_end(w);
    json_key(w, "source");
    json_cstring(w, "sonde");
    json_end(w);
}

static void write_stat(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_integer(w, (int64_t)value);
}

void block_meta_encode(
    const struct block_meta *meta, const struct labels *external, struct strbuf *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "ulid");
    json_cstring(&w, meta->ulid);
    write_stat(&w, "minTime", (uint64_t)meta->min_t);
    write_stat(&w, "maxTime", (uint64_t)meta->max_t);
    json_key(&w, "stats");
    json_begin_object(&w);
    write_stat(&w, "numSamples", meta->samples);
    write_stat(&w, "numSeries", meta->series);
    write_stat(&w, "numChunks", meta->chunks);
    json_end(&w);
    json_key(&w, "compaction");
    json_begin_object(&w);
    write_stat(&w, "level", 1);
    json_key(&w, "sources");
    json_begin_array(&w);
    json_cstring(&w, meta->ulid);
    json_end(&w);
    json_end(&w);
    write_stat(&w, "version", VERSION);
    if (external != NULL && labels_count(external) > 0) {
        write_external(&w, external);
    }
    json_end(&w);
    strbuf_add_char(out, '\n');
}
