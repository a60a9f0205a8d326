/* dns_sd_configs: targets named by records of the domain name system.
 *
 * All names of an entry are asked for in one job on a side thread, by the resolver of the C library with
 * its search list and its timeouts; the entry looks from time to time whether the job has ended. The job
 * belongs to both: an entry that ends first leaves it to the thread.
 */
#include <netdb.h>
#include <resolv.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "discovery/discoverer.h"
#include "discovery/dns_message.h"

enum { DAY_MS = 24 * 3600 * 1000, LOOK_MS = 50, BUSY_MS = 1000, NAMES_MAX = 256 };
/* Of one server, and how often all are asked: a dead one holds the thread for seconds, not minutes. */
enum { SERVER_SECONDS = 2, ROUNDS = 2 };

const struct config_field dns_discovery_fields[] = {
    {.key = "names",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct dns_discovery_config, names),
        .required = true,
        .help = "Names to ask for"},
    {.key = "type",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct dns_discovery_config, type),
        .default_text = "SRV",
        .help = "Records to ask for: SRV, A, AAAA, MX or NS"},
    {.key = "port",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct dns_discovery_config, port),
        .default_text = "0",
        .max = 65535,
        .help = "Port of the targets, for all types but SRV"},
    {.key = "refresh_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct dns_discovery_config, refresh_ms),
        .default_text = "30s",
        .min = 100,
        .max = DAY_MS,
        .help = "How often they are asked for"},
    {.key = NULL},
};

/* A name's answer. */
struct lookup {
    char *name;
    int status;
    uint8_t *answer; /* NULL: there is none such */
    size_t size;
};

/* The thread writes what is in the lookups, then sets `finished`. */
struct job {
    atomic_int owners;
    atomic_bool finished;
    dns_resolve resolve;
    enum dns_type type;
    size_t count;
    struct lookup lookups[];
};

struct state {
    struct job *job; /* NULL: none under way */
    enum dns_type type;
};

static bool type_of(const char *name, enum dns_type *type_out)
{
    static const struct {
        const char *name;
        enum dns_type type;
    } rows[] = {{"SRV", DNS_SRV}, {"A", DNS_A}, {"AAAA", DNS_AAAA}, {"MX", DNS_MX}, {"NS", DNS_NS}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcasecmp(rows[i].name, name) == 0) {
            *type_out = rows[i].type;
            return true;
        }
    }
    return false;
}

static int check(const void *config, struct err *e)
{
    const struct dns_discovery_config *c = config;
    enum dns_type type;
    if (c->names.count == 0 || c->names.count > NAMES_MAX) {
        return err_set(
            e, ERR_INVALID, -1, "%zu names; accepted: 1 to %d", c->names.count, NAMES_MAX);
    }
    if (!type_of(c->type, &type)) {
        return err_set(e, ERR_INVALID, -1, "type \"%s\"; accepted: SRV, A, AAAA, MX, NS", c->type);
    }
    if (type != DNS_SRV && c->port == 0) {
        return err_set(e, ERR_INVALID, -1, "port must be given for all types but SRV");
    }
    return 0;
}

/* ---- On the side thread ---- */

/* As the system resolves: 0 with no bytes when there is no such name, or none of that type. */
static int resolve_by_system(
    const char *name, int type, uint8_t *answer, size_t cap, size_t *size_out)
{
    struct __res_state resolver;
    memset(&resolver, 0, sizeof(resolver));
    if (res_ninit(&resolver) != 0) {
        return ERR_IO;
    }
    resolver.retrans = SERVER_SECONDS;
    resolver.retry = ROUNDS;
    int size = res_nsearch(&resolver, name, C_IN, type, answer, (int)cap);
    int why = resolver.res_h_errno;
    res_nclose(&resolver);
    *size_out = size > 0 ? (size_t)size : 0;
    if (size < 0) {
        return why == HOST_NOT_FOUND || why == NO_DATA ? 0 : ERR_IO;
    }
    return *size_out <= cap ? 0 : ERR_LIMIT;
}

static void job_unref(struct job *job)
{
    if (atomic_fetch_sub(&job->owners, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < job->count; i++) {
        mem_free(job->lookups[i].name);
        mem_free(job->lookups[i].answer);
    }
    mem_free(job);
}

static void look_up(struct job *job, struct lookup *l)
{
    uint8_t *buffer = mem_alloc(DNS_MESSAGE_MAX);
    l->status = buffer == NULL
                    ? ERR_NOMEM
                    : job->resolve(l->name, (int)job->type, buffer, DNS_MESSAGE_MAX, &l->size);
    if (l->status == 0 && l->size > 0) {
        l->answer = mem_dup(buffer, l->size);
        l->status = l->answer == NULL ? ERR_NOMEM : 0;
    }
    mem_free(buffer);
}

static void work(void *context)
{
    struct job *job = context;
    for (size_t i = 0; i < job->count; i++) {
        /* Nobody waits for it any more: the names left are not asked for. */
        if (atomic_load(&job->owners) > 1) {
            look_up(job, &job->lookups[i]);
        }
    }
    atomic_store(&job->finished, true);
    job_unref(job);
}

/* ---- On the loop's thread ---- */

static struct job *job_new(const struct discoverer *d)
{
    const struct dns_discovery_config *c = d->config;
    const struct state *s = d->state;
    struct job *job = mem_calloc(1, sizeof(*job) + c->names.count * sizeof(job->lookups[0]));
    if (job == NULL) {
        return NULL;
    }
    job->resolve = d->world->resolve != NULL ? d->world->resolve : resolve_by_system;
    job->type = s->type;
    atomic_init(&job->owners, 1);
    for (; job->count < c->names.count; job->count++) {
        struct lookup *l = &job->lookups[job->count];
        l->name = mem_strdup(c->names.items[job->count]);
        if (l->name == NULL) {
            job_unref(job);
            return NULL;
        }
    }
    return job;
}

static int begin(struct discoverer *d)
{
    struct state *s = d->state;
    struct job *job = job_new(d);
    if (job == NULL) {
        return ERR_NOMEM;
    }
    atomic_fetch_add(&job->owners, 1);
    int status = 0;
    if (d->world->pool == NULL) {
        work(job);
    } else {
        status = workpool_submit(d->world->pool, work, job);
    }
    if (status != 0) {
        job_unref(job);
        job_unref(job);
        return status;
    }
    s->job = job;
    return 0;
}

/* One name's targets while they are made. */
struct making {
    struct arena arena;
    struct target_list list;
    const char *name;
    uint64_t port;
};

static int add_record(void *context, const struct dns_record *record)
{
    struct making *m = context;
    struct labels_builder b;
    bool is_address = record->type == DNS_A || record->type == DNS_AAAA;
    struct str target = str_of(record->target), host = target;
    if (!is_address && host.len > 1) {
        host.len--; /* people write names without their final dot */
    }
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__address__"),
        meta_address(&m->arena, host, record->type == DNS_SRV ? record->port : m->port));
    labels_builder_set(&b, STR("__meta_dns_name"), str_of(m->name));
    if (record->type == DNS_SRV) {
        labels_builder_set(&b, STR("__meta_dns_srv_record_target"), target);
        labels_builder_set(
            &b, STR("__meta_dns_srv_record_port"), meta_number(&m->arena, record->port));
    } else if (!is_address) {
        labels_builder_set(&b,
            record->type == DNS_MX ? STR("__meta_dns_mx_record_target")
                                   : STR("__meta_dns_ns_record_target"),
            target);
    }
    target_list_add(&m->list, &b);
    labels_builder_release(&b);
    return m->list.error;
}

static bool take_answer(struct discoverer *d, const struct lookup *l)
{
    const struct dns_discovery_config *c = d->config;
    const struct state *s = d->state;
    struct making m = {.name = l->name, .port = (uint64_t)c->port};
    int status = l->status;
    arena_init(&m.arena, 0);
    if (status == 0 && l->answer != NULL) {
        status = dns_message_read(l->answer, l->size, s->type, add_record, &m);
    }
    status = status == 0 ? target_groups_put(&d->groups, str_of(l->name), &m.list) : status;
    target_list_release(&m.list);
    arena_release(&m.arena);
    if (status != 0) {
        discoverer_failed(d, "%s: %s", l->name, err_text(status));
    }
    return status == 0;
}

static void step(struct discoverer *d)
{
    const struct dns_discovery_config *c = d->config;
    struct state *s = d->state;
    int status = s->job == NULL ? begin(d) : 0;
    if (status != 0) {
        discoverer_failed(d, "lookups cannot begin: %s", err_text(status));
        discoverer_due_in(d, BUSY_MS);
        return;
    }
    if (!atomic_load(&s->job->finished)) {
        discoverer_due_in(d, LOOK_MS);
        return;
    }
    bool good = true;
    for (size_t i = 0; i < s->job->count; i++) {
        good = take_answer(d, &s->job->lookups[i]) && good;
    }
    if (good) {
        discoverer_answered(d);
    }
    job_unref(s->job);
    s->job = NULL;
    discoverer_due_in(d, c->refresh_ms);
}

static int start(struct discoverer *d)
{
    const struct dns_discovery_config *c = d->config;
    struct state *s = d->state;
    return type_of(c->type, &s->type) ? 0 : ERR_INVALID;
}

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    if (s->job != NULL) {
        job_unref(s->job);
    }
}

const struct discovery_kind dns_discovery_kind = {
    .name = "dns",
    .offset = offsetof(struct discovery_configs, dns),
    .fields = dns_discovery_fields,
    .config_size = sizeof(struct dns_discovery_config),
    .state_size = sizeof(struct state),
    .check = check,
    .start = start,
    .step = step,
    .stop = stop,
};
