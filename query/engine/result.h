/* From operators to the result that is handed out. */
#ifndef SONDE_QUERY_ENGINE_RESULT_H
#define SONDE_QUERY_ENGINE_RESULT_H

#include "query.h"

int result_evaluate(struct query *q, const struct expr *expr, struct engine_result *result);
int result_annotations(struct query *q, struct engine_result *result);

#endif
