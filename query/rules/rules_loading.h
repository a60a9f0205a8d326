/* Bringing groups into force, and ending those that are no more. The door is rules_load (query/rules.h). */
#ifndef SONDE_QUERY_RULES_LOADING_H
#define SONDE_QUERY_RULES_LOADING_H

#include "rules/rules_manager.h"

/* One load at a time: whoever reads files to write them anew begins one first. */
void rules_begin_loading(struct rules *r);
void rules_end_loading(struct rules *r);

/* Inside a load: puts a namespace's groups in force as `text` has them, a whole rule file; an empty one
 * deletes the namespace. The file on disk is written when everything else is known to be good. Errors of
 * rules_load; then nothing has changed. */
int rules_load_namespace(struct rules *r, struct str namespace, struct str text, struct err *e);

/* Ends series of retired groups whose time has come and that no rule has taken over. */
void rules_end_retired(struct rules *r, int64_t now_ms);
/* At the end: everything that was loaded goes. */
void rules_release_loaded(struct rules *r);

#endif
