/* Rules that rewrite an alert's labels, or drop it, before it is told: `alert_relabel_configs`. */
#ifndef SONDE_QUERY_ALERT_RELABEL_H
#define SONDE_QUERY_ALERT_RELABEL_H

#include "alert/alert_item.h"
#include "model/relabel.h"

/* 1 and the alert as the rules leave it, a reference of the caller's; 0 when they drop it, or leave it without
 * labels; ERR_NOMEM, ERR_LIMIT. `r` NULL: as it is. */
int alert_relabel(const struct relabel *r, struct alert_item *item, struct alert_item **item_out);

#endif
