/* Sockets and the timer. */
#include "receive/receive_statsd.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "receive/receive_datagrams.h"
#include "receive/receive_private.h"
#include "receive/receive_socket.h"

struct receive_statsd {
    struct receive *receive;
    struct statsd_table *table;
    struct datagram_socket *udp, *local; /* NULL: not configured */
    struct loop_timer *timer;
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

static void take(void *context, struct str datagram)
{
    struct receive_statsd *s = context;
    struct receive *r = s->receive;
    receive_statsd_take(s->table, r->options.intakes[RECEIVE_STATSD], datagram,
        clock_monotonic_ms(r->options.clock), &r->statistics[RECEIVE_STATSD]);
}

static int wait_at(
    struct receive_statsd *s, int fd, struct datagram_socket **socket_out, struct err *e)
{
    const struct datagram_options options = {.loop = s->receive->options.loop,
        .take = take,
        .context = s,
        .lost = &s->receive->statistics[RECEIVE_STATSD].lost_messages};
    return datagram_socket_open(fd, &options, socket_out, e);
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
    int fd;
    int status = statsd_table_new((size_t)config->series_max, &s->table);
    status = status == 0 ? loop_timer_new(loop, hand_in, s, &s->timer) : status;
    if (status != 0) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for StatsD");
    }
    if (config->listen[0] != '\0') {
        status = receive_socket_bind(config->listen, SOCK_DGRAM, &fd, e);
        status = status == 0 ? wait_at(s, fd, &s->udp, e) : status;
    }
    if (status == 0 && config->socket[0] != '\0') {
        status = receive_socket_bind_unix(config->socket, &fd, e);
        status = status == 0 ? wait_at(s, fd, &s->local, e) : status;
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
    if (s->local != NULL) {
        (void)unlink(s->receive->options.config.statsd.socket); /* the next start would, too */
    }
    datagram_socket_close(s->udp);
    datagram_socket_close(s->local);
    if (s->timer != NULL) {
        loop_timer_free(s->timer);
    }
    statsd_table_free(s->table);
    mem_free(s);
}
