/* A querier of the store from inside: one fixed view of parts and head (INV-6). */
#ifndef SONDE_DB_STORE_QUERIER_H
#define SONDE_DB_STORE_QUERIER_H

#include "db/db.h"
#include "db/series_source.h"

struct db_querier {
    struct querier querier;
    struct tsdb *db;
    struct store_view *view;
    struct head_view head_view;
    struct cursor_pool pool;
    int64_t min_t, max_t;
    int64_t now_ms; /* when it was opened */
};

static inline struct db_querier *db_querier_of(struct querier *q)
{
    return (struct db_querier *)q;
}

/* The operations; see struct querier_ops. */
int db_querier_select(struct querier *q, const struct select_request *request, struct arena *arena,
    struct series_set **set_out, struct err *e);
int db_querier_label_names(struct querier *q, const struct select_request *request, size_t limit,
    struct arena *arena, struct string_list *names_out, struct err *e);
int db_querier_label_values(struct querier *q, struct str name,
    const struct select_request *request, size_t limit, struct arena *arena,
    struct string_list *values_out, struct err *e);

int db_querier_exemplars(struct querier *q, const struct select_request *request,
    struct arena *arena, struct exemplar_list *list_out, struct err *e);

/* Fills in the warnings of a set: damaged runs in the range that could be asked for. ERR_NOMEM. */
int db_damage_warnings(const struct db_querier *q, const struct select_request *request,
    int64_t min_t, int64_t max_t, struct arena *arena, struct series_set *set);

/* The status with a sentence, unless `e` has one for it already. */
int db_querier_fail(struct err *e, int status, const char *what);

#endif
