/* The store's small files, manifest and metadata: whatever the bytes, decoding stays inside them, and a
 * manifest that is believed is written back as it was. Most inputs would die at the checksum, so the
 * body is also tried with the right one behind it. The first byte picks the file. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "db/db.h"

static void try_manifest(struct str bytes)
{
    struct manifest m;
    struct err e = ERR_INIT;
    if (manifest_decode(bytes, &m, &e) != 0) {
        return;
    }
    struct strbuf again = STRBUF_INIT;
    manifest_encode(&m, &again);
    assert(strbuf_error(&again) == 0);
    assert(again.size == bytes.len && memcmp(again.data, bytes.ptr, bytes.len) == 0);
    strbuf_release(&again);
    manifest_release(&m);
}

static void try_metadata(struct str bytes)
{
    struct metadata m;
    metadata_init(&m);
    (void)db_metadata_decode(&m, bytes); // damage is an answer
    metadata_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    void (*const attempt)(struct str) = data[0] % 2 == 0 ? try_manifest : try_metadata;
    struct strbuf body = STRBUF_INIT;
    attempt(str_make((const char *)data + 1, size - 1));
    strbuf_add(&body, data + 1, size - 1);
    if (strbuf_error(&body) == 0 && body.size > 0) {
        strbuf_add_le32(&body, checksum32(body.data, body.size));
        attempt(strbuf_str(&body));
    }
    strbuf_release(&body);
    return 0;
}
