/* Checking a block of exemplars, and showing it to people. */
#include <inttypes.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "exemplar/exemplar_block.h"

int exemplar_block_verify(struct vfs *fs, const char *path, struct strbuf *report)
{
    struct err e = ERR_INIT;
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, path, EXEMPLAR_BLOCK_FILE_MAX, &data, &size);
    if (status == ERR_LIMIT) {
        status = err_set(&e, ERR_CORRUPT, -1, "the file is too large");
    } else if (status == 0) {
        status = exemplar_block_read(str_make(data, size), NULL, NULL, &e);
    }
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED) {
        strbuf_addf(report, "%s: %s\n", path, e.message);
    }
    mem_free(data);
    return status;
}

static void write_labels(const struct label *pairs, size_t count, struct strbuf *out)
{
    const struct labels *labels = NULL;
    int status = labels_new(pairs, count, &labels, NULL);
    if (status == 0) {
        labels_write(labels, out);
    } else {
        out->error = status;
    }
    labels_unref(labels);
}

static int dump_series(void *context, const struct label *labels, size_t count)
{
    struct strbuf *out = context;
    write_labels(labels, count, out);
    strbuf_add_char(out, '\n');
    return 1;
}

static int dump_exemplar(
    void *context, int64_t t_ms, double value, const struct label *labels, size_t count)
{
    struct strbuf *out = context;
    strbuf_addf(out, "  %" PRId64 " ", t_ms);
    strbuf_add_double(out, value);
    strbuf_add_char(out, ' ');
    write_labels(labels, count, out);
    strbuf_add_char(out, '\n');
    return strbuf_error(out);
}

int exemplar_block_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e)
{
    const struct exemplar_reader reader = {out, dump_series, dump_exemplar};
    struct exemplar_block_info info;
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, path, EXEMPLAR_BLOCK_FILE_MAX, &data, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = exemplar_block_header(str_make(data, size), &info, e);
    if (status == 0) {
        strbuf_addf(out,
            "exemplars: %" PRIu64 ", %" PRId64 " to %" PRId64 " ms, %u bytes plain, %u "
            "stored\n",
            info.exemplars, info.min_t, info.max_t, info.plain_size, info.payload_size);
        status = exemplar_block_read(str_make(data, size), with_samples ? &reader : NULL, NULL, e);
    }
    mem_free(data);
    return status;
}
