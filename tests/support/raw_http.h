/* HTTP written byte by byte over a socket on loopback, for tests of servers: what a well-behaved client
 * library would never send can be sent. */
#ifndef SONDE_TESTS_RAW_HTTP_H
#define SONDE_TESTS_RAW_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Connects to 127.0.0.1; reads give up after half a minute. */
int raw_http_dial(uint16_t port);
/* Does nobody listen at the port? Uses up a fresh socket. */
bool raw_http_is_refused(int fd, uint16_t port);
void raw_http_send(int fd, const char *bytes, size_t size);
void raw_http_send_text(int fd, const char *text);
/* Closes with a reset instead of an end. */
void raw_http_abort(int fd);
/* True when the peer has ended the connection and nothing is left to read. */
bool raw_http_at_end(int fd);

struct raw_http_answer {
    unsigned status;
    struct strbuf head; /* with the empty line */
    struct strbuf body;
};

/* Reads one answer and leaves the connection at the next; a body is as long as Content-Length says or comes
 * in chunks, and is absent with `head_only` (answers to HEAD). */
void raw_http_receive(int fd, bool head_only, struct raw_http_answer *answer);
/* The same in steps, for answers in chunks: the head; then chunk by chunk, each appended to `out`. False
 * after the last one, with `*whole_out` when it was there and did not just end. */
void raw_http_receive_head(int fd, struct raw_http_answer *answer);
bool raw_http_receive_chunk(int fd, struct strbuf *out, bool *whole_out);
/* The value of a header, in any case; ptr NULL when absent. */
struct str raw_http_header(const struct raw_http_answer *answer, const char *name);
void raw_http_release(struct raw_http_answer *answer);

#endif
