/* Any bytes as matchers: a set that reads back to itself from what it writes, or an error with a sentence. */
#include <assert.h>

#include "alert/label_matchers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct label_matchers set = {0}, again = {0};
    struct err e = ERR_INIT;
    int status = label_matchers_parse(&set, str_make((const char *)data, size), &e);
    if (status != 0) {
        assert(e.message[0] != '\0' || status == ERR_NOMEM);
    } else {
        struct strbuf text = STRBUF_INIT;
        label_matchers_sort(&set);
        label_matchers_write(&set, &text);
        if (text.size <= LABEL_MATCHERS_BYTES_MAX) {
            assert(label_matchers_parse(&again, strbuf_str(&text), &e) == 0);
            label_matchers_sort(&again);
            assert(label_matchers_eq(&set, &again));
        }
        strbuf_release(&text);
    }
    label_matchers_release(&set);
    label_matchers_release(&again);
    return 0;
}
