/* The web configuration in force. */
#include "http_server_guard.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

enum { LOOK_MS = 1000 };

struct http_guard {
    char *path;
    void (*changed)(void *context, const char *path, const struct err *e);
    void *context;
    struct http_auth_memory memory;
    _Atomic int64_t look_ms; /* when to look again; whoever moves it looks */
    uint64_t complaint;      /* of the last refused state, so that it is told once; the looker's */
    struct lock lock;        /* guards rules */
    struct http_rules *rules;
};

/* ---- Rules ---- */

static int rules_load(const char *path, struct http_rules **rules_out, struct err *e)
{
    struct http_rules *rules = mem_calloc(1, sizeof(*rules));
    if (rules == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    atomic_init(&rules->holders, 1);
    int status = web_config_load(path, &rules->config, e);
    if (status != 0) {
        mem_free(rules);
        return status;
    }
    if (rules->config.has_tls) {
        status = http_tls_new(&rules->config.tls, path, &rules->tls, e);
    }
    if (status != 0) {
        http_rules_unref(rules);
        return status;
    }
    *rules_out = rules;
    return 0;
}

void http_rules_unref(struct http_rules *rules)
{
    if (rules != NULL && atomic_fetch_sub(&rules->holders, 1) == 1) {
        http_tls_free(rules->tls);
        web_config_release(&rules->config);
        mem_free(rules);
    }
}

static struct http_rules *current(struct http_guard *guard)
{
    lock_take(&guard->lock);
    struct http_rules *rules = guard->rules;
    atomic_fetch_add(&rules->holders, 1);
    lock_give(&guard->lock);
    return rules;
}

/* ---- Changes ---- */

static void complain(struct http_guard *guard, const struct err *e)
{
    uint64_t complaint = hash64(e->message, strlen(e->message), 0);
    if (complaint != guard->complaint) {
        guard->complaint = complaint;
        guard->changed(guard->context, guard->path, e);
    }
}

static void replace(struct http_guard *guard, struct http_rules *rules)
{
    lock_take(&guard->lock);
    struct http_rules *before = guard->rules;
    guard->rules = rules;
    lock_give(&guard->lock);
    http_rules_unref(before);
    guard->complaint = 0;
    guard->changed(guard->context, guard->path, NULL);
}

static void look(struct http_guard *guard)
{
    struct http_rules *rules = NULL, *before = current(guard);
    struct err e = ERR_INIT;
    int status = rules_load(guard->path, &rules, &e);
    if (status == 0 && rules->config.has_tls != before->config.has_tls) {
        status = err_set(&e, ERR_INVALID, -1,
            "TLS is turned on or off at the next start; nothing of the change counts");
    }
    if (status != 0) {
        complain(guard, &e);
        http_rules_unref(rules);
    } else if (rules->config.fingerprint == before->config.fingerprint) {
        http_rules_unref(rules);
    } else {
        replace(guard, rules);
    }
    http_rules_unref(before);
}

/* ---- Life ---- */

static void tell_nobody(void *context, const char *path, const struct err *e)
{
    (void)context, (void)path, (void)e;
}

int http_guard_open(const char *path,
    void (*changed)(void *context, const char *path, const struct err *e), void *context,
    struct http_guard **guard_out, struct err *e)
{
    struct http_guard *guard = mem_calloc(1, sizeof(*guard));
    char *copy = mem_strdup(path);
    struct http_rules *rules = NULL;
    int status = guard != NULL && copy != NULL
                     ? rules_load(path, &rules, e)
                     : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    if (status != 0) {
        mem_free(copy);
        mem_free(guard);
        return status;
    }
    guard->path = copy;
    guard->changed = changed != NULL ? changed : tell_nobody;
    guard->context = context;
    guard->rules = rules;
    http_auth_memory_init(&guard->memory);
    lock_init(&guard->lock, LOCK_RANK_LEAF);
    atomic_init(&guard->look_ms, clock_monotonic_ms(clock_real()) + LOOK_MS);
    *guard_out = guard;
    return 0;
}

void http_guard_close(struct http_guard *guard)
{
    if (guard != NULL) {
        http_rules_unref(guard->rules);
        http_auth_memory_release(&guard->memory);
        lock_release(&guard->lock);
        mem_free(guard->path);
        mem_free(guard);
    }
}

struct http_rules *http_guard_rules(struct http_guard *guard)
{
    int64_t now_ms = clock_monotonic_ms(clock_real()), look_ms = atomic_load(&guard->look_ms);
    /* INT64_MAX while somebody looks, so that nobody else does. */
    if (now_ms >= look_ms && atomic_compare_exchange_strong(&guard->look_ms, &look_ms, INT64_MAX)) {
        look(guard);
        atomic_store(&guard->look_ms, clock_monotonic_ms(clock_real()) + LOOK_MS);
    }
    return current(guard);
}

struct http_auth_memory *http_guard_memory(struct http_guard *guard)
{
    return &guard->memory;
}
