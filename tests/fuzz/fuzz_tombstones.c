/* Any bytes as the list of deletes, and as its body behind a right head and checksum, which would hide
 * it from chance. Whatever is read is written back to the same bytes. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "db/tombstone.h"

static void check(struct str bytes)
{
    struct tombstone_list *list = NULL;
    if (tombstone_list_decode(bytes, &list, NULL) != 0) {
        return;
    }
    struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
    struct tombstone_list *again = NULL;
    assert(list->count <= TOMBSTONES_MAX);
    tombstone_list_encode(list, &first);
    assert(tombstone_list_decode(strbuf_str(&first), &again, NULL) == 0);
    tombstone_list_encode(again, &second);
    assert(str_eq(strbuf_str(&first), strbuf_str(&second)));
    tombstone_list_unref(list);
    tombstone_list_unref(again);
    strbuf_release(&first);
    strbuf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf whole = STRBUF_INIT;
    check(str_make((const char *)data, size));
    strbuf_add(&whole, "SONDETOM", 8);
    strbuf_add_le32(&whole, 1);
    strbuf_add(&whole, (const char *)data, size);
    strbuf_add_le32(&whole, checksum32(whole.data, whole.size));
    assert(strbuf_error(&whole) == 0);
    check(strbuf_str(&whole));
    strbuf_release(&whole);
    return 0;
}
