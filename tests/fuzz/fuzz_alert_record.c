/* Records of alerts from a damaged journal: what is taken is written again and means the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/alert_states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alert_states states = {0}, again = {0};
    if (alert_states_restore(&states, str_make((const char *)data, size), NULL) == 0) {
        struct strbuf bytes = STRBUF_INIT;
        assert(states.count == 1);
        alert_instance_encode(&states.items[0], &bytes);
        assert(bytes.size <= size);
        assert(alert_states_restore(&again, strbuf_str(&bytes), NULL) == 0);
        assert(labels_eq(states.items[0].labels, again.items[0].labels));
        assert(states.items[0].state == again.items[0].state);
        assert(states.items[0].active_at_ms == again.items[0].active_at_ms);
        strbuf_release(&bytes);
    }
    alert_states_release(&states);
    alert_states_release(&again);
    return 0;
}
