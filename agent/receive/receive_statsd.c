/* Sockets and the timer; the kernel tells with each datagram how many it has dropped (SO_RXQ_OVFL). */
#include "receive/receive_statsd.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "receive/receive_private.h"
#include "receive/receive_socket.h"

struct statsd_socket {
    struct receive_statsd *owner;
    int fd; /* -1: none */
    struct loop_watch *watch;
    uint32_t dropped; /* as the kernel last told */
};

struct receive_statsd {
    struct receive *receive;
    struct statsd_table *table;
    struct statsd_socket udp, local;
    struct loop_timer *timer;
    char *datagram;
};

void receive_statsd_take(struct statsd_table *table, const struct intake *intake,
    struct str datagram, int64_t now_ms, struct receive_statistics *statistics)
{
    while (datagram.len > 0) {
        struct statsd_line parsed;
        struct str line = str_trim(str_split(&datagram, '\n'));
        if (line.len == 0) {
            continue;
        }
        statistics->messages++;
        int status = statsd_line_parse(line, &parsed);
        bool is_sound = status == 0;
        status = is_sound ? statsd_table_add(table, intake, &parsed, now_ms) : status;
        bool no_room = is_sound && status != 0 && status != ERR_INVALID;
        statistics->refused_overload += no_room;
        statistics->refused_invalid += status != 0 && !no_room;
    }
}

/* ---- Sockets ---- */

static void note_dropped(struct statsd_socket *s, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t dropped;
            memcpy(&dropped, CMSG_DATA(c), sizeof(dropped));
            struct receive *r = s->owner->receive;
            r->statistics[RECEIVE_STATSD].lost_messages += dropped - s->dropped; /* wraps */
            s->dropped = dropped;
        }
    }
}

static void on_readable(void *context, int fd, unsigned events)
{
    struct statsd_socket *s = context;
    struct receive *r = s->owner->receive;
    int64_t now = clock_monotonic_ms(r->options.clock);
    for (int i = 0; i < STATSD_DATAGRAMS_MAX; i++) {
        char control[CMSG_SPACE(sizeof(uint32_t))];
        struct iovec place = {s->owner->datagram, STATSD_DATAGRAM_MAX};
        struct msghdr message = {.msg_iov = &place,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control)};
        ssize_t size = recvmsg(fd, &message, 0);
        if (size < 0) {
            return; /* nothing left; an error of the network comes back, or goes */
        }
        note_dropped(s, &message);
        receive_statsd_take(s->owner->table, r->options.intakes[RECEIVE_STATSD],
            str_make(s->owner->datagram, (size_t)size), now, &r->statistics[RECEIVE_STATSD]);
    }
}

static int watch(struct statsd_socket *s, struct err *e)
{
    int on = 1, bytes = STATSD_SOCKET_BYTES;
    (void)setsockopt(s->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)); /* else nothing is told */
    (void)setsockopt(
        s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* else it stays smaller */
    int status = loop_watch_new(s->owner->receive->options.loop, s->fd, on_readable, s, &s->watch);
    status = status == 0 ? loop_watch_set(s->watch, LOOP_READABLE) : status;
    return status == 0 ? 0 : err_set(e, status, -1, "statsd: %s", err_text(status));
}

static void close_socket(struct statsd_socket *s)
{
    loop_watch_free(s->watch);
    if (s->fd >= 0) {
        close(s->fd);
    }
}

/* ---- Handing in ---- */

static void hand_in(void *context)
{
    struct receive_statsd *s = context;
    struct receive *r = s->receive;
    struct err e = ERR_INIT;
    int64_t now = clock_monotonic_ms(r->options.clock);
    int status = statsd_table_flush(
        s->table, r->options.intakes[RECEIVE_STATSD], now, clock_now_ms(r->options.clock));
    status = status == 0 ? receive_commit(r, RECEIVE_STATSD, &e) : status;
    if (status != 0) {
        LOG_ERROR("receive: samples of StatsD are lost", LOG_S("error", err_text(status)));
    }
}

static int start(struct receive_statsd *s, struct err *e)
{
    const struct receive_statsd_config *config = &s->receive->options.config.statsd;
    struct loop *loop = s->receive->options.loop;
    int status = statsd_table_new((size_t)config->series_max, &s->table);
    status = status == 0 ? loop_timer_new(loop, hand_in, s, &s->timer) : status;
    s->datagram = mem_alloc(STATSD_DATAGRAM_MAX);
    if (status != 0 || s->datagram == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for StatsD");
    }
    if (config->listen[0] != '\0') {
        status = receive_socket_bind(config->listen, SOCK_DGRAM, &s->udp.fd, e);
        status = status == 0 ? watch(&s->udp, e) : status;
    }
    if (status == 0 && config->socket[0] != '\0') {
        status = receive_socket_bind_unix(config->socket, &s->local.fd, e);
        status = status == 0 ? watch(&s->local, e) : status;
    }
    if (status == 0) {
        loop_timer_start(s->timer, config->interval_ms, config->interval_ms);
    }
    return status;
}

int receive_statsd_open(struct receive *r, struct receive_statsd **statsd_out, struct err *e)
{
    const struct receive_statsd_config *config = &r->options.config.statsd;
    if (config->listen[0] == '\0' && config->socket[0] == '\0') {
        return 0;
    }
    struct receive_statsd *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for StatsD");
    }
    s->receive = r;
    s->udp = (struct statsd_socket){.owner = s, .fd = -1};
    s->local = (struct statsd_socket){.owner = s, .fd = -1};
    int status = start(s, e);
    if (status != 0) {
        receive_statsd_close(s);
        return status;
    }
    *statsd_out = s;
    return 0;
}

void receive_statsd_close(struct receive_statsd *s)
{
    if (s == NULL) {
        return;
    }
    if (s->table != NULL) {
        hand_in(s);
    }
    if (s->local.fd >= 0) {
        (void)unlink(s->receive->options.config.statsd.socket); /* the next start would, too */
    }
    close_socket(&s->udp);
    close_socket(&s->local);
    if (s->timer != NULL) {
        loop_timer_free(s->timer);
    }
    statsd_table_free(s->table);
    mem_free(s->datagram);
    mem_free(s);
}
