/* Blocks of exemplars, out and in; the format stands in the header. */
#include "exemplar/exemplar_block.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "wire/zstd_codec.h"

/* Trace ids are random: more effort finds nothing more. */
enum { COMPRESSION_LEVEL = 1 };
enum { CHECKSUM_AT = 12, SUMMED_FROM = 16, PAYLOAD_CHECKSUM_AT = 48 };

/* ---- Labels ---- */

void exemplar_labels_encode(const struct label *labels, size_t count, struct strbuf *out)
{
    strbuf_add_uvarint(out, count);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_sized(out, labels[i].name);
        strbuf_add_sized(out, labels[i].value);
    }
}

int exemplar_labels_decode(struct decbuf *in, struct label *labels_out, size_t *count_out)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count > LABELS_COUNT_MAX) {
        return ERR_CORRUPT;
    }
    for (uint64_t i = 0; i < count; i++) {
        labels_out[i].name = decbuf_sized(in);
        labels_out[i].value = decbuf_sized(in);
        bool ascends = i == 0 || str_cmp(labels_out[i - 1].name, labels_out[i].name) < 0;
        if (in->failed || !ascends || labels_out[i].name.len == 0 || labels_out[i].value.len == 0) {
            return ERR_CORRUPT;
        }
    }
    *count_out = (size_t)count;
    return 0;
}

/* ---- Writing ---- */

void exemplar_writer_init(struct exemplar_writer *w)
{
    *w = (struct exemplar_writer){.min_t = INT64_MAX, .max_t = INT64_MIN};
    strbuf_init(&w->plain, EXEMPLAR_BLOCK_PLAIN_MAX - VARINT_MAX);
}

void exemplar_writer_release(struct exemplar_writer *w)
{
    strbuf_release(&w->plain);
}

void exemplar_writer_series(
    struct exemplar_writer *w, const struct label *labels, size_t count, uint64_t exemplars)
{
    assert(w->left == 0 && exemplars > 0);
    exemplar_labels_encode(labels, count, &w->plain);
    strbuf_add_uvarint(&w->plain, exemplars);
    w->series++;
    w->left = exemplars;
    w->previous_t = 0;
}

void exemplar_writer_add(struct exemplar_writer *w, int64_t t_ms, double value, struct str labels)
{
    assert(w->left > 0);
    strbuf_add_svarint(&w->plain, t_ms - w->previous_t);
    strbuf_add_le64(&w->plain, double_bits(value));
    strbuf_add_str(&w->plain, labels);
    w->previous_t = t_ms;
    w->min_t = t_ms < w->min_t ? t_ms : w->min_t;
    w->max_t = t_ms > w->max_t ? t_ms : w->max_t;
    w->left--;
    w->exemplars++;
}

static int compress(struct str plain, struct strbuf *payload)
{
    struct zstd_codec *codec = NULL;
    int status = zstd_codec_new(&codec);
    if (status == 0) {
        status = zstd_encode(codec, plain, COMPRESSION_LEVEL, payload);
    }
    zstd_codec_free(codec);
    if (status == 0 && payload->size >= plain.len) {
        strbuf_reset(payload);
        strbuf_add_str(payload, plain);
        status = strbuf_error(payload);
    }
    return status;
}

static void write_header(
    const struct exemplar_writer *w, struct str plain, struct str payload, struct strbuf *file)
{
    struct strbuf summed = STRBUF_INIT;
    strbuf_add_le32(&summed, (uint32_t)payload.len);
    strbuf_add_le32(&summed, (uint32_t)plain.len);
    strbuf_add_le64(&summed, (uint64_t)w->min_t);
    strbuf_add_le64(&summed, (uint64_t)w->max_t);
    strbuf_add_le64(&summed, w->exemplars);
    strbuf_add_le32(&summed, checksum32(payload.ptr, payload.len));
    strbuf_add_c(file, EXEMPLAR_BLOCK_MAGIC);
    strbuf_add_le32(file, EXEMPLAR_BLOCK_VERSION);
    if (strbuf_error(&summed) == 0) {
        strbuf_add_le32(file, checksum32(summed.data, summed.size));
        strbuf_add_str(file, strbuf_str(&summed));
    } else {
        file->error = strbuf_error(&summed);
    }
    strbuf_release(&summed);
}

int exemplar_writer_finish(struct exemplar_writer *w, struct strbuf *file)
{
    assert(w->left == 0 && w->series > 0);
    struct strbuf plain, payload;
    strbuf_init(&plain, EXEMPLAR_BLOCK_PLAIN_MAX);
    strbuf_init(&payload, EXEMPLAR_BLOCK_FILE_MAX + EXEMPLAR_BLOCK_PLAIN_MAX / 16);
    strbuf_add_uvarint(&plain, w->series);
    strbuf_add_str(&plain, strbuf_str(&w->plain));
    int status = strbuf_error(&w->plain) != 0 ? strbuf_error(&w->plain) : strbuf_error(&plain);
    if (status == 0) {
        status = compress(strbuf_str(&plain), &payload);
    }
    if (status == 0) {
        write_header(w, strbuf_str(&plain), strbuf_str(&payload), file);
        strbuf_add_str(file, strbuf_str(&payload));
        status = strbuf_error(file);
    }
    strbuf_release(&plain);
    strbuf_release(&payload);
    return status;
}

/* ---- Reading ---- */

static int corrupt(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, -1, "%s", what);
}

int exemplar_block_header(struct str bytes, struct exemplar_block_info *out, struct err *e)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    if (bytes.len < EXEMPLAR_BLOCK_HEADER_SIZE ||
        memcmp(p, EXEMPLAR_BLOCK_MAGIC, strlen(EXEMPLAR_BLOCK_MAGIC)) != 0) {
        return corrupt(e, "no block of exemplars");
    }
    if (get_le32(p + 8) != EXEMPLAR_BLOCK_VERSION) {
        return err_set(e, ERR_UNSUPPORTED, -1, "a block of exemplars of format %u; %u is known",
            get_le32(p + 8), EXEMPLAR_BLOCK_VERSION);
    }
    if (get_le32(p + CHECKSUM_AT) !=
        checksum32(p + SUMMED_FROM, EXEMPLAR_BLOCK_HEADER_SIZE - SUMMED_FROM)) {
        return corrupt(e, "the header's checksum does not hold");
    }
    struct exemplar_block_info info = {.payload_size = get_le32(p + 16),
        .plain_size = get_le32(p + 20),
        .min_t = (int64_t)get_le64(p + 24),
        .max_t = (int64_t)get_le64(p + 32),
        .exemplars = get_le64(p + 40)};
    if (info.payload_size == 0 || info.plain_size == 0 ||
        info.plain_size > EXEMPLAR_BLOCK_PLAIN_MAX || info.payload_size > info.plain_size ||
        info.min_t > info.max_t || info.exemplars == 0) {
        return corrupt(e, "sizes or times of the header are out of bounds");
    }
    *out = info;
    return 0;
}

/* One walk over the plain bytes. */
struct walk {
    const struct exemplar_reader *reader; /* or NULL */
    const struct exemplar_block_info *info;
    uint64_t exemplars;
    struct label *labels; /* LABELS_COUNT_MAX */
};

static int walk_exemplar(struct walk *w, struct decbuf *in, int64_t *t_ms, bool first, bool wanted)
{
    int64_t step = decbuf_svarint(in);
    double value = double_from_bits(decbuf_le64(in));
    size_t count = 0;
    if (in->failed || exemplar_labels_decode(in, w->labels, &count) != 0) {
        return ERR_CORRUPT;
    }
    if ((!first && step < 0) || __builtin_add_overflow(*t_ms, step, t_ms) ||
        *t_ms < w->info->min_t || *t_ms > w->info->max_t) {
        return ERR_CORRUPT;
    }
    w->exemplars++;
    return wanted ? w->reader->exemplar(w->reader->context, *t_ms, value, w->labels, count) : 0;
}

static int walk_series(struct walk *w, struct decbuf *in)
{
    size_t count = 0;
    int status = exemplar_labels_decode(in, w->labels, &count);
    uint64_t exemplars = status == 0 ? decbuf_uvarint(in) : 0;
    if (status != 0 || in->failed || exemplars == 0) {
        return ERR_CORRUPT;
    }
    int wanted = w->reader != NULL ? w->reader->series(w->reader->context, w->labels, count) : 0;
    if (wanted < 0) {
        return wanted;
    }
    int64_t t_ms = 0;
    for (uint64_t i = 0; status == 0 && i < exemplars; i++) {
        status = walk_exemplar(w, in, &t_ms, i == 0, wanted == 1);
    }
    return status;
}

static int walk_plain(const struct exemplar_reader *reader, const struct exemplar_block_info *info,
    struct str plain, struct err *e)
{
    struct label labels[LABELS_COUNT_MAX];
    struct walk w = {.reader = reader, .info = info, .labels = labels};
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t series = decbuf_uvarint(&in);
    int status = in.failed || series == 0 ? ERR_CORRUPT : 0;
    for (uint64_t i = 0; status == 0 && i < series; i++) {
        status = walk_series(&w, &in);
    }
    if (status == 0 && (in.p != in.end || w.exemplars != info->exemplars)) {
        status = ERR_CORRUPT;
    }
    return status == ERR_CORRUPT ? corrupt(e, "the exemplars break a rule of the format") : status;
}

static int decompress(
    const struct exemplar_block_info *info, struct str payload, struct strbuf *plain)
{
    struct zstd_codec *codec = NULL;
    int status = zstd_codec_new(&codec);
    if (status == 0) {
        status = zstd_decode(codec, payload, info->plain_size, plain);
    }
    zstd_codec_free(codec);
    return status == 0 && plain->size != info->plain_size ? ERR_CORRUPT : status;
}

int exemplar_block_read(struct str file, const struct exemplar_reader *reader,
    struct exemplar_block_info *info_out, struct err *e)
{
    struct exemplar_block_info info;
    int status = exemplar_block_header(file, &info, e);
    if (status != 0) {
        return status;
    }
    struct str payload =
        str_make(file.ptr + EXEMPLAR_BLOCK_HEADER_SIZE, file.len - EXEMPLAR_BLOCK_HEADER_SIZE);
    const uint8_t *p = (const uint8_t *)file.ptr;
    if (payload.len != info.payload_size ||
        get_le32(p + PAYLOAD_CHECKSUM_AT) != checksum32(payload.ptr, payload.len)) {
        return corrupt(e, "the payload's size or checksum does not hold");
    }
    struct strbuf plain;
    strbuf_init(&plain, EXEMPLAR_BLOCK_PLAIN_MAX);
    if (info.payload_size < info.plain_size) {
        status = decompress(&info, payload, &plain);
        payload = strbuf_str(&plain);
        if (status == ERR_CORRUPT || status == ERR_LIMIT) {
            status = corrupt(e, "the payload cannot be decompressed");
        }
    }
    if (status == 0) {
        status = walk_plain(reader, &info, payload, e);
    }
    strbuf_release(&plain);
    if (status == 0 && info_out != NULL) {
        *info_out = info;
    }
    return status;
}
