/* The log of slow queries: one line each. */
#ifndef SONDE_QUERY_SLOW_QUERY_H
#define SONDE_QUERY_SLOW_QUERY_H

#include "api/api.h"

/* For struct api_program. */
void slow_query_log(void *context, const struct api_slow_query *query);

#endif
