/* HTTP out without libcurl: requests over plain HTTP/1.1 to an address in numbers, or localhost. Most of what an agent sends
 * and asks is of this kind, and libcurl takes more for it than all else that is done with a scrape.
 *
 * One request at a time on a connection; connections are kept for the next one to the same address. A
 * request on a kept connection that ends before a byte of the answer came is sent once more on a new one,
 * because the other side may have closed it meanwhile. Redirects are given as they are. One thread, the
 * loop's. Private to http_client.c.
 */
#ifndef SONDE_BASE_HTTP_CLIENT_PLAIN_H
#define SONDE_BASE_HTTP_CLIENT_PLAIN_H

#include "base/http_client.h"
#include "http_answer.h"

struct http_plain;
struct http_plain_exchange;

struct http_plain_answer {
    int error; /* 0; ERR_TIMEOUT, ERR_LIMIT, ERR_IO, ERR_NOMEM */
    const char *error_text;
    struct http_answer_head head; /* status 0 without one */
    struct str body;              /* decoded */
    int64_t wire_bytes;
    bool was_sent;
    bool refused; /* by who takes the body, with `error` */
};

/* Who takes the body of a 2xx answer as it comes, as http_client_request has it. */
struct http_plain_taker {
    int (*head)(void *context, const struct http_answer_head *head);
    int (*body)(void *context, struct str piece);
};

typedef void (*http_plain_done)(void *context, const struct http_plain_answer *answer);

/* At most `idle_max` connections are kept that nobody uses. */
int http_plain_new(
    struct loop *loop, const char *user_agent, size_t idle_max, struct http_plain **plain_out);
/* No exchange may be in flight. Accepts NULL. */
void http_plain_free(struct http_plain *plain);

/* `done` comes once, later, with an answer that is borrowed for the call; it may send, cancel others, and free
 * all but `plain` itself. `taker` is copied and has the same context; NULL: the body comes with `done`. 0, ERR_NOMEM; ERR_INVALID: a header with a line end; errors of a secret's file. */
int http_plain_send(struct http_plain *plain, const struct http_client_request *request,
    const struct http_plain_taker *taker, http_plain_done done, void *context,
    struct http_plain_exchange **exchange_out);
/* Nothing is called. */
void http_plain_cancel(struct http_plain_exchange *exchange);

#endif
