/* What an answer to a request means for the sender, by the rules of its protocol.
 *
 *   answer                           remote write 1.0 and 2.0     OTLP, both signals
 *   2xx                              taken                        taken
 *   none, 429                        again                        again
 *   5xx                              again                        502, 503, 504 again; else refused
 *   413                              too large                    too large
 *   415, from a receiver of 2.0      another protocol             -
 *   400, before one was ever taken,
 *     without Written headers        another protocol (2.0)       refused
 *   2xx without Written headers      another protocol (2.0): it
 *                                    has read nothing it knows    -
 *   other 4xx, 3xx, 1xx              refused for good             refused for good
 *
 * Receivers of 2.0 say in headers how much they have written, with 2xx and with 400; those of OTLP in
 * the body of a 200. What they left out they will not take on a repetition either.
 */
#ifndef SONDE_SHIP_SENDER_ANSWER_H
#define SONDE_SHIP_SENDER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_client.h"
#include "ship/request_maker.h"

enum answer_verdict {
    ANSWER_TAKEN,
    ANSWER_AGAIN,
    ANSWER_TOO_LARGE,
    ANSWER_OTHER_PROTOCOL,
    ANSWER_REFUSED,
};

struct answer {
    enum answer_verdict verdict;
    uint64_t missing; /* taken or refused: samples and histograms of the request it did not take */
};

/* `count` samples and histograms are in the request; `proven`: the receiver took one in this protocol
 * before. */
struct answer answer_judge(enum ship_protocol protocol, bool proven, uint64_t count,
    const struct http_client_response *response);

#endif
