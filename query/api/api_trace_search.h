/* What searches for traces share, whoever's words they are in: the question, and the traces of the answer, read one
 * after the other, so that memory holds one of them.
 *
 *   api_trace_walk_open     what there is now
 *   api_trace_walk_hits     each trace that was found, or api_trace_walk_one by its id
 *   api_trace_walk_close    and the answer says in a header what it lacks
 */
#ifndef SONDE_QUERY_API_TRACE_SEARCH_H
#define SONDE_QUERY_API_TRACE_SEARCH_H

#include "api/api_request.h"
#include "trace/trace_reader.h"
#include "trace/trace_search.h"

/* ---- The question ---- */

struct api_trace_question {
    struct trace_query query; /* whose tags are these */
    struct trace_tag tags[TRACE_TAGS_MAX];
    size_t limit;
};

/* Key and value are borrowed; a value without ptr: the key has to be there. ERR_INVALID beyond TRACE_TAGS_MAX. */
int api_trace_add_tag(
    struct api_trace_question *question, struct str key, struct str value, struct err *e);
/* The parameter `name`: {"http.status_code":"200"}; absent: nothing. In the request's arena. */
int api_trace_read_tags(
    struct api_request *r, const char *name, struct api_trace_question *question, struct err *e);

/* ---- The answer ---- */

struct api_trace_walk {
    struct span_view *view;
    struct trace_budget budget; /* of search and reading together */
    struct trace_reader reader;
    uint64_t left_out; /* spans beyond SPAN_TRACE_SPANS_MAX */
    bool damaged;
};

/* What becomes of a trace, which has a span at least; `arena` is its own and lives as long. */
typedef int (*api_trace_taker)(const struct span_trace *trace, struct arena *arena, void *context);

/* Close it in any case. ERR_CLOSED when traces are not kept, or the store's. */
int api_trace_walk_open(struct api_request *r, struct api_trace_walk *walk, struct err *e);
/* A trace that is not there is passed over. */
int api_trace_walk_one(struct api_trace_walk *walk, struct trace_id id, api_trace_taker take,
    void *context, struct err *e);
int api_trace_walk_hits(struct api_trace_walk *walk, const struct trace_hits *hits,
    api_trace_taker take, void *context, struct err *e);
/* Before the answer is sent. */
void api_trace_walk_close(struct api_request *r, struct api_trace_walk *walk);

#endif
