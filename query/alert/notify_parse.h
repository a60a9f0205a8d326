/* What the API is told in JSON: pure. */
#ifndef SONDE_QUERY_NOTIFY_PARSE_H
#define SONDE_QUERY_NOTIFY_PARSE_H

#include "alert/alert_item.h"
#include "alert/silence.h"
#include "base/err.h"

#define NOTIFY_POSTED_ALERTS_MAX 50000
#define NOTIFY_ALERT_LABELS_MAX 256

struct notify_parsed_alerts {
    int64_t resolve_timeout_ms; /* given */
    struct alert_item **items;  /* a reference each */
    size_t count, invalid;
};

/* The good ones are in `to` also when it fails: ERR_INVALID with a sentence about the first bad one. */
int notify_parse_alerts(
    struct str body, int64_t now_ms, struct notify_parsed_alerts *to, struct err *e);
void notify_parsed_alerts_release(struct notify_parsed_alerts *alerts);
/* A silence as it is wished for; its id is empty for a new one. */
int notify_parse_silence(struct str body, struct silence **silence_out, struct err *e);

#endif
