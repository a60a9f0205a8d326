/* Bringing groups into force, and ending those that are no more. The door is rules_load (query/rules.h). */
#ifndef SONDE_QUERY_RULES_LOADING_H
#define SONDE_QUERY_RULES_LOADING_H

#include "rules/rules_manager.h"

/* Ends series of retired groups whose time has come and that no rule has taken over. */
void rules_end_retired(struct rules *r, int64_t now_ms);
/* At the end: everything that was loaded goes. */
void rules_release_loaded(struct rules *r);

#endif
