/* One list of the API server, kept up to date: listed once, then watched.
 *
 *   list    GET …/pods?limit=500&resourceVersion=0     pages follow by metadata.continue
 *   watch   GET …/pods?watch=1&resourceVersion=V&…     events from where the list ended
 *
 * A watch ends after some minutes, by the server or the network, and goes on from the last version seen, its
 * bookmarks included. 410 Gone, as a status or an event, says that this version is forgotten: the list is
 * read again, this time without a version, which no cache may answer. What a list does not name any more is
 * gone when the list has come to its end; until then nothing is taken away.
 *
 * Failures are waited out, each longer than the last. It knows no timer: it is due at a time.
 */
#ifndef SONDE_DISCOVERY_KUBERNETES_SOURCE_H
#define SONDE_DISCOVERY_KUBERNETES_SOURCE_H

#include "discovery/discoverer.h"
#include "discovery/json_cutter.h"
#include "discovery/kubernetes_access.h"
#include "discovery/kubernetes_object.h"

struct kubernetes_source;

/* What is told. `object` is borrowed and may be changed. */
struct kubernetes_listener {
    /* There is such an object, or (`gone`) there was. What is not 0 ends the list or watch as failed. */
    int (*on_object)(void *context, struct kubernetes_source *source, json_t *object, bool gone);
    /* A list is complete: what its generation did not name is gone. */
    void (*on_complete)(void *context, struct kubernetes_source *source);
    /* Something came in, or failed: `failing` and `error` say which. */
    void (*on_news)(void *context, struct kubernetes_source *source);
    /* A call has ended: the next step is at `due_ms`. */
    void (*on_end)(void *context, struct kubernetes_source *source);
    void *context;
};

struct kubernetes_source {
    /* Set by the owner, before the first step. */
    const struct discovery_options *world;
    const struct kubernetes_access *access;
    const struct kubernetes_selector *selector; /* NULL: all */
    const struct kubernetes_listener *listener;
    enum kubernetes_resource resource;
    const char *namespace; /* NULL: all */
    uint32_t index;

    struct http_client_call *call; /* NULL: none under way */
    struct json_cutter cutter;
    bool has_cutter;
    bool watching;        /* what the call is */
    bool listed, synced;  /* watch next; a list was complete once */
    bool exact;           /* no cache may answer the list */
    bool version_is_gone; /* an event has said so */
    bool failing;
    uint32_t generation; /* of the list */
    unsigned failures;   /* in a row */
    uint64_t events;     /* of this watch */
    int64_t due_ms, began_ms;
    struct strbuf version, continues; /* metadata.resourceVersion and metadata.continue */
    char error[ERR_MESSAGE_MAX];
};

/* Asks when it is due. */
void kubernetes_source_step(struct kubernetes_source *s);
/* Cancels what is under way. */
void kubernetes_source_stop(struct kubernetes_source *s);

#endif
