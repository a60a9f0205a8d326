/* A journal of arbitrary bytes: opening never reads outside and never fails but for "not a journal" and
 * a version from the future; what it left behind opens without complaint and says the same. Checksums
 * would end most inputs, so the bytes are also tried as the payload of a frame that is sound. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/journal.h"
#include "base/strbuf.h"
#include "support/sim_vfs.h"

/* Everything that was replayed, as changes; written anew it is the same sequence of puts. */
struct seen {
    struct strbuf text;
    struct strbuf key, value; /* of the last put, if it is alive */
    bool alive;
};

static int replay(void *context, struct str key, struct str value, bool deleted)
{
    struct seen *seen = context;
    strbuf_add_sized(&seen->text, key);
    strbuf_add_sized(&seen->text, value);
    seen->alive = !deleted;
    strbuf_reset(&seen->key);
    strbuf_reset(&seen->value);
    strbuf_add_str(&seen->key, key);
    strbuf_add_str(&seen->value, value);
    return 0;
}

static void list(void *context, struct journal_rewrite *to)
{
    const struct seen *seen = context;
    if (seen->alive) {
        journal_rewrite_put(to, strbuf_str(&seen->key), strbuf_str(&seen->value));
    }
}

static int open_once(struct vfs *fs, struct journal_report *report)
{
    struct seen seen = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT, false};
    struct journal_options options = {.fs = fs, .replay = replay, .list = list, .context = &seen};
    struct journal *j = NULL;
    int status = journal_open("j", &options, &j, report, NULL);
    journal_close(j);
    strbuf_release(&seen.text);
    strbuf_release(&seen.key);
    strbuf_release(&seen.value);
    return status;
}

static void attempt(const void *bytes, size_t size)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct journal_report report, again;
    int status = vfs_write_file_atomic(fs, "j", bytes, size);
    assert(status == 0);
    status = open_once(fs, &report);
    assert(status == 0 || status == ERR_INVALID);
    if (status == 0) {
        status = open_once(fs, &again);
        assert(status == 0 && again.torn_bytes == 0 && again.damaged_bytes == 0);
    }
    sim_vfs_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    attempt(data, size);
    struct strbuf file = STRBUF_INIT;
    strbuf_add(&file, "SONDEJRN\x01\0\0\0", 12);
    strbuf_add_le32(&file, checksum32(file.data, 12));
    strbuf_add_c(&file, "JFRM");
    strbuf_add_le32(&file, (uint32_t)size);
    strbuf_add_le32(&file, checksum32(data, size));
    strbuf_add_le32(&file, checksum32(file.data + 16, 12));
    strbuf_add(&file, data, size);
    attempt(file.data, file.size);
    strbuf_release(&file);
    return 0;
}
