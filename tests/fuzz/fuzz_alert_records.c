/* Any bytes as a record of alerts.journal: refused, or an object that is written as the same bytes again. The first
 * byte says of which kind. */
#include <assert.h>

#include "alert/alert_item.h"
#include "alert/delivery.h"
#include "alert/silence.h"

#define CHECK(type, decode, encode, release)                                                       \
    do {                                                                                           \
        type *object = NULL;                                                                       \
        if (decode(bytes, &object) == 0) {                                                         \
            type *again = NULL;                                                                    \
            struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;                                 \
            encode(object, &once);                                                                 \
            assert(decode(strbuf_str(&once), &again) == 0);                                        \
            encode(again, &twice);                                                                 \
            assert(str_eq(strbuf_str(&once), strbuf_str(&twice)));                                 \
            strbuf_release(&once);                                                                 \
            strbuf_release(&twice);                                                                \
            release(again);                                                                        \
            release(object);                                                                       \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_skip(str_make((const char *)data, size), 1);
    switch (size > 0 ? data[0] % 4 : 4) {
    case 0:
        CHECK(struct alert_item, alert_item_decode, alert_item_encode, alert_item_unref);
        break;
    case 1:
        CHECK(struct silence, silence_decode, silence_encode, silence_free);
        break;
    case 2:
        CHECK(struct notice, notice_decode, notice_encode, notice_free);
        break;
    case 3:
        CHECK(struct delivery, delivery_decode, delivery_encode, delivery_free);
        break;
    default:
        break;
    }
    return 0;
}
