/* Any bytes as a block of exemplars, and, since checksums hide them from chance, as its plain bytes under
 * good ones. Whatever is handed on obeys the rules of the format. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "exemplar/exemplar_block.h"

struct seen {
    int64_t t_ms;
    uint64_t exemplars;
};

static void check_labels(const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(labels[i].name.len > 0 && labels[i].value.len > 0);
        assert(i == 0 || str_cmp(labels[i - 1].name, labels[i].name) < 0);
    }
}

static int on_series(void *context, const struct label *labels, size_t count)
{
    struct seen *seen = context;
    check_labels(labels, count);
    seen->t_ms = INT64_MIN;
    return 1;
}

static int on_exemplar(
    void *context, int64_t t_ms, double value, const struct label *labels, size_t count)
{
    struct seen *seen = context;
    (void)value;
    check_labels(labels, count);
    assert(t_ms >= seen->t_ms);
    seen->t_ms = t_ms;
    seen->exemplars++;
    return 0;
}

static void read_block(struct str file)
{
    struct seen seen = {0};
    struct exemplar_block_info info;
    const struct exemplar_reader reader = {&seen, on_series, on_exemplar};
    if (exemplar_block_read(file, &reader, &info, NULL) == 0) {
        assert(seen.exemplars == info.exemplars);
    }
}

/* The bytes as payload; how many exemplars there are is in the first byte. */
static void read_plain(const uint8_t *data, size_t size)
{
    struct strbuf header = STRBUF_INIT, file = STRBUF_INIT;
    struct str payload = str_make((const char *)data + 1, size - 1);
    strbuf_add_le32(&header, (uint32_t)payload.len);
    strbuf_add_le32(&header, (uint32_t)payload.len);
    strbuf_add_le64(&header, (uint64_t)INT64_MIN);
    strbuf_add_le64(&header, (uint64_t)INT64_MAX);
    strbuf_add_le64(&header, data[0]);
    strbuf_add_le32(&header, checksum32(payload.ptr, payload.len));
    strbuf_add_c(&file, EXEMPLAR_BLOCK_MAGIC);
    strbuf_add_le32(&file, EXEMPLAR_BLOCK_VERSION);
    strbuf_add_le32(&file, checksum32(header.data, header.size));
    strbuf_add_str(&file, strbuf_str(&header));
    strbuf_add_str(&file, payload);
    read_block(strbuf_str(&file));
    strbuf_release(&header);
    strbuf_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_block(str_make((const char *)data, size));
    if (size > 1) {
        read_plain(data, size);
    }
    return 0;
}
