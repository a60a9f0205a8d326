/* Any bytes as the body of POST /api/v2/alerts and /api/v2/silences. */
#include <assert.h>

#include "alert/notify_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t now_ms = INT64_C(1800000000000);
    struct str body = str_make((const char *)data, size);
    struct notify_parsed_alerts alerts = {.resolve_timeout_ms = 300000};
    struct err e = ERR_INIT;
    int status = notify_parse_alerts(body, now_ms, &alerts, &e);
    assert(status == 0 || e.message[0] != '\0');
    for (size_t i = 0; i < alerts.count; i++) {
        assert(labels_count(alerts.items[i]->alert.labels) > 0);
        assert(alerts.items[i]->alert.starts_at_ms <= alerts.items[i]->alert.ends_at_ms);
    }
    notify_parsed_alerts_release(&alerts);
    struct silence *s = NULL;
    struct err wrong = ERR_INIT;
    status = notify_parse_silence(body, &s, &wrong);
    assert((status == 0) == (s != NULL) && (status == 0 || wrong.message[0] != '\0'));
    silence_free(s);
    return 0;
}
