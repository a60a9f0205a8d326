/* Which traces are kept: policies in the order of the file, the first of which all conditions hold.
 *
 * Spans leave marks on their trace as they come, one bit for each condition that one span can fulfil; what
 * only the whole trace tells, its length and its size, is judged when it is decided. Conditions of one policy may
 * be fulfilled by different spans.
 *
 * Chance is the trace's own: a policy of P percent keeps it when its randomness (56 bits: rv of its trace
 * state, or of its id) is at or above T = (1 - P/100) * 2^56, so that all agents choose the same traces. Spans
 * that are kept so say it in their trace state as ot=th:T, unless they say more already: whoever counts them
 * later counts each as 2^56 / (2^56 - T)
 * (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/).
 *
 * Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_SAMPLING_POLICY_H
#define SONDE_SPANS_SAMPLING_POLICY_H

#include "base/clock.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "spans/sampling_config.h"
#include "wire/otlp_traces.h"

/* What is kept of a service's durations to know its quantiles. */
#define SAMPLING_SERVICES_MAX 10000

struct sampling_policies;

/* ERR_INVALID with a sentence: settings that cannot be. */
int sampling_policies_new(const struct sampling_config *config, struct clock *clock,
    struct sampling_policies **policies_out, struct err *e);
/* Accepts NULL. */
void sampling_policies_free(struct sampling_policies *p);
size_t sampling_policies_count(const struct sampling_policies *p);
const char *sampling_policy_name(const struct sampling_policies *p, size_t index);

/* What a span shows of its trace, and what it adds to what is known of its service. `service` is a number
 * that whoever asks has from sampling_policies_service; UINT32_MAX: nothing is known of it. */
uint64_t sampling_policies_mark(
    struct sampling_policies *p, uint32_t service, const struct otlp_span *span);
uint32_t sampling_policies_service(struct sampling_policies *p, struct str name);
/* 56 bits that decide over the trace of a span. */
uint64_t sampling_randomness(const struct span *span);

struct sampling_facts {
    uint64_t marks, randomness, duration_ns;
    uint32_t spans;
};

/* The index of the policy that decides, and whether it keeps the trace; -1: none does, it is dropped. */
int sampling_policies_decide(
    struct sampling_policies *p, const struct sampling_facts *facts, bool *kept_out);
/* Hexadecimal digits of the threshold that spans kept by it tell; empty: none. */
struct str sampling_policy_threshold(const struct sampling_policies *p, size_t index);
/* The trace state with that threshold, unless it has one that says as much or more. */
void sampling_write_state(struct str state, struct str threshold, struct strbuf *out);
/* Each second: what is known of services moves on. */
void sampling_policies_step(struct sampling_policies *p);

#endif
