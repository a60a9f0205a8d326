/* The state machine of notification: what is known, who is to be told of it when, and which messages are on
 * their way. Time is an argument, the network is somebody else's: pipeline_take_due hands out messages,
 * pipeline_attempted brings back what came of them.
 *
 *   alerts   ->  groups   ->  (inhibited? muted? silenced?)  ->  notices  ->  deliveries
 *   by labels    by route      what is left is compared with      what was     what is on
 *                and labels    what was told                      told last    its way
 *
 * All but the groups is durable in `alerts.journal`: groups follow from alerts and configuration. What a
 * change brings about is on the platter before the first attempt of its message; when the disk does not
 * take it, people are told all the same, and the journal catches up as soon as it can.
 *
 * One thread. Times are wall time in milliseconds; jumps of the clock only move what is due, at most by
 * the longest interval of the configuration.
 */
#ifndef SONDE_QUERY_PIPELINE_H
#define SONDE_QUERY_PIPELINE_H

#include "alert/alert_item.h"
#include "alert/alerting_config.h"
#include "alert/delivery.h"
#include "alert/inhibition.h"
#include "alert/message.h"
#include "alert/notice.h"
#include "alert/pointer_table.h"
#include "alert/silence.h"
#include "base/journal.h"

#define PIPELINE_ALERTS_MAX 1000000
#define PIPELINE_GROUPS_MAX 1000000
#define PIPELINE_DELIVERIES_MAX 100000
/* Alerts that have ended are kept this long when nobody could be told. */
#define PIPELINE_RESOLVED_KEPT_MS DELIVERY_AGE_MS_MAX

/* Alerts of one route with the same group labels. */
struct alert_group {
    const struct alerting_route *route;
    const struct labels *labels;
    char *key;                 /* Alertmanager's group key; owned */
    struct alert_item **items; /* by fingerprint; each a reference */
    size_t count, cap;
    int64_t next_flush_ms;
    bool has_flushed;
    const char *muted_by; /* the interval that holds now, or does not; NULL = none */
};

struct pipeline_options {
    struct vfs *fs;           /* NULL = vfs_posix() */
    const char *journal_path; /* NULL: nothing is durable (tests) */
    const char *external_url;
    const char *trace_url; /* with MESSAGE_TRACE_ID in it */
    uint64_t seed;         /* of the jitter of pauses */
};

struct pipeline_counters {
    uint64_t alerts_received[2]; /* firing, resolved */
    uint64_t alerts_invalid;
    uint64_t notifications[4],
        failed[4];          /* by kind; of messages that were taken, of attempts not */
    uint64_t deliveries[4]; /* that ended, by state */
    uint64_t suppressed;    /* flushes of alerts that were not told */
    uint64_t journal_failures;
};

struct pipeline {
    struct pipeline_options options;
    const struct alerting_config *config;
    const struct message_templates *templates;
    struct journal *journal;
    struct pointer_table alerts;  /* struct alert_item by labels_hash; a reference each */
    struct pointer_table groups;  /* struct alert_group by hash of key and receiver */
    struct pointer_table notices; /* struct notice by notice_key */
    struct pointer_table gone;    /* those that answered 410, until the next configuration */
    struct silences silences;
    struct delivery **deliveries; /* all, oldest first */
    size_t delivery_count, delivery_cap;
    struct pointer_table deliveries_by_id; /* by hash of the id */
    size_t kept_bytes;                     /* of those that are over */
    uint64_t sequence;
    struct inhibition_index inhibitions;
    bool inhibitions_stale;
    int64_t alive_ms;      /* the last moment that is known to the journal */
    int64_t next_sweep_ms; /* when what is old is thrown away */
    uint64_t random;       /* state of the jitter */
    bool journal_behind;   /* a commit failed: all is to be written anew */
    bool journal_dirty;
    int64_t *heartbeats; /* when the next one of each receiver is due */
    struct pipeline_counters counters;
};

/* Opens the journal and takes up where it ended. `config` is borrowed until pipeline_reconfigure or close. */
int pipeline_open(struct pipeline *p, const struct pipeline_options *options,
    const struct alerting_config *config, int64_t now_ms, struct err *e);
/* Commits. Accepts one that is all zero. */
void pipeline_close(struct pipeline *p);
/* Groups are made anew; notices and deliveries stay. */
int pipeline_reconfigure(struct pipeline *p, const struct alerting_config *config, int64_t now_ms);

/* Takes one alert. ERR_LIMIT, ERR_NOMEM: it is not taken. */
int pipeline_receive(
    struct pipeline *p, const struct alert *alert, bool guessed_end, int64_t now_ms);
/* Everything that is due, then one commit. Returns when to come again, at the latest. */
int64_t pipeline_advance(struct pipeline *p, int64_t now_ms);
/* Writes down what was changed from outside (silences). 0, or why the disk did not take it. */
int pipeline_commit(struct pipeline *p, int64_t now_ms, struct err *e);

/* The next message whose attempt is due; it is in flight until pipeline_attempted. NULL when none is. */
struct delivery *pipeline_take_due(struct pipeline *p, int64_t now_ms);
void pipeline_attempted(struct pipeline *p, struct delivery *d,
    const struct delivery_outcome *outcome, int64_t began_ms, int64_t now_ms);
struct delivery *pipeline_delivery(const struct pipeline *p, struct str id);
/* Sends one again that is over, under its old id. ERR_NOT_FOUND; ERR_BUSY: it is on its way. */
int pipeline_replay(struct pipeline *p, struct str id, int64_t now_ms, struct err *e);

/* Silences; written down before they answer. */
int pipeline_put_silence(struct pipeline *p, struct silence *wanted, int64_t now_ms,
    const struct silence **silence_out, struct err *e);
int pipeline_expire_silence(struct pipeline *p, struct str id, int64_t now_ms, struct err *e);

/* Who inhibits alerts of these labels now; NULL: nobody. */
const struct alert_item *pipeline_inhibitor(
    struct pipeline *p, const struct labels *labels, int64_t now_ms);
/* Calls back for each route that takes the labels, in order. */
void pipeline_routes(const struct alerting_config *config, const struct labels *labels,
    void (*found)(void *context, const struct alerting_route *route), void *context);

/* ---- Between pipeline.c, pipeline_flush.c and pipeline_store.c ---- */

void pipeline_note_item(struct pipeline *p, const struct alert_item *item);
void pipeline_note_notice(struct pipeline *p, const struct notice *n);
void pipeline_note_delivery(struct pipeline *p, const struct delivery *d);
void pipeline_note_silence(struct pipeline *p, const struct silence *s);
void pipeline_forget_item(struct pipeline *p, const struct alert_item *item);
void pipeline_forget_notice(struct pipeline *p, const struct notice *n);
void pipeline_forget_delivery(struct pipeline *p, const struct delivery *d);
void pipeline_forget_silence(struct pipeline *p, const char *id);
int pipeline_store_open(struct pipeline *p, int64_t now_ms, struct err *e);
/* Commits when anything was noted. */
int pipeline_store_commit(struct pipeline *p, int64_t now_ms, struct err *e);

int pipeline_group_item(struct pipeline *p, struct alert_item *item, bool restored, int64_t now_ms);
void pipeline_group_free(struct alert_group *g);
void pipeline_flush_group(struct pipeline *p, struct alert_group *g, int64_t now_ms);
/* Forgets what has ended in the group and everybody knows. */
void pipeline_settle_group(struct pipeline *p, struct alert_group *g, int64_t now_ms);
void pipeline_heartbeat(
    struct pipeline *p, const struct alerting_receiver *receiver, int64_t now_ms);
struct alert_group *pipeline_group(const struct pipeline *p, const char *key, const char *receiver);
int pipeline_add_delivery(struct pipeline *p, struct delivery *d);
/* No later message of the same notice is known. */
bool pipeline_is_newest(const struct pipeline *p, const struct delivery *d);
struct notice *pipeline_notice_of(const struct pipeline *p, const struct delivery *d);

#endif
