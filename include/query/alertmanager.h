/* Where an Alertmanager elsewhere is, and how to present oneself to it. */
#ifndef SONDE_QUERY_ALERTMANAGER_H
#define SONDE_QUERY_ALERTMANAGER_H

#include <stdint.h>

#include "base/http_profile.h"
#include "model/relabel.h"

/* Of one server. */
#define NOTIFY_ALERTMANAGERS_MAX 64

/* An Alertmanager elsewhere: gets every alert, whatever the configuration of notification here says. */
struct notify_alertmanager {
    const char *url; /* "http://am:9093/prefix", without /api/v2/alerts */
    struct http_profile profile;
    int64_t timeout_ms; /* 0 = 10 s */
    struct relabel
        *alert_relabel; /* of alerts on their way there; NULL: none. A reference is taken */
};

#endif
