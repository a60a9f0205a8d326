/* What is told: the alerts of one group, why now, and the body that says so to one way of sending.
 *
 * Webhooks get Alertmanager's payload, version 4, with members of ours beside (docs/alerting.md lists them):
 * those who know Alertmanager ignore them.
 */
#ifndef SONDE_QUERY_MESSAGE_H
#define SONDE_QUERY_MESSAGE_H

#include "alert/alert_item.h"
#include "alert/alerting_config.h"
#include "alert/notice.h"
#include "base/strbuf.h"

struct message {
    const struct alerting_config *config;
    const struct alerting_receiver *receiver;
    const struct alerting_integration *integration;
    const struct alerting_route *route; /* NULL: a heartbeat */
    const char *group_key;
    const struct labels *group_labels;
    struct alert_item *const *items; /* firing ones first; cut to what the receiver wants */
    size_t count;
    size_t truncated; /* how many were left out */
    int64_t now_ms;
    enum notice_reason reason;
    const char *delivery_id;
    const char *external_url;
    const char *trace_url;                     /* with MESSAGE_TRACE_ID in it */
    const struct message_templates *templates; /* NULL: none */
};

struct message_templates;

bool message_fires(const struct message *m);
/* Labels (or annotations) that all items have alike. 0 or ERR_NOMEM. */
int message_common_labels(const struct message *m, const struct labels **labels_out);
/* What stands for the id in the URL of a trace. */
#define MESSAGE_TRACE_ID "{traceID}"
/* Where a trace can be looked at. */
void message_trace_url_write(const struct message *m, struct str trace_id, struct strbuf *out);
int message_common_annotations(const struct message *m, const struct labels **annotations_out);

/* In webhook_payload.c: left open at its end, for message_write_attempt. */
int webhook_payload_write(const struct message *m, struct strbuf *out);

#endif
