/* Connections, each with a buffer for the line that is not whole yet. */
#include "receive/receive_graphite.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "receive/graphite_line.h"
#include "receive/pushed_labels.h"
#include "receive/receive_private.h"
#include "receive/receive_socket.h"

struct graphite_connection {
    struct receive_graphite *owner;
    int fd; /* -1: free */
    struct loop_watch *watch;
    size_t size;
    char *buffer; /* GRAPHITE_LINE_MAX bytes */
};

struct receive_graphite {
    struct receive *receive;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *resume; /* runs while nothing is read */
    struct graphite_connection connections[GRAPHITE_CONNECTIONS_MAX];
};

/* ---- Lines ---- */

static int hand_in(struct receive *r, const struct graphite_line *line)
{
    struct pushed_labels labels;
    struct intake *intake = r->options.intakes[RECEIVE_GRAPHITE];
    const struct sample sample = {
        line->has_time ? line->t_ms : clock_now_ms(r->options.clock), line->value};
    pushed_labels_begin(&labels, &r->text, line->path);
    for (size_t i = 0; i < line->tag_count; i++) {
        pushed_labels_add(&labels, line->tags[i].name, line->tags[i].value);
    }
    int status = pushed_labels_encode(&labels, intake, &r->labels);
    if (status == 0) {
        const struct remote_write_series series = {
            .labels_bytes = strbuf_str(&r->labels), .samples = &sample, .sample_count = 1};
        intake->add(intake, &series);
    }
    return status;
}

void receive_graphite_take(struct receive *r, struct str line)
{
    struct graphite_line parsed;
    line = str_trim(line);
    if (line.len == 0) {
        return;
    }
    r->statistics[RECEIVE_GRAPHITE].messages++;
    int status = graphite_line_parse(line, &parsed);
    status = status == 0 ? hand_in(r, &parsed) : status;
    r->statistics[RECEIVE_GRAPHITE].refused_invalid += status != 0;
}

/* ---- Connections ---- */

static void hang_up(struct graphite_connection *c)
{
    loop_watch_free(c->watch);
    if (c->fd >= 0) {
        close(c->fd);
    }
    mem_free(c->buffer);
    *c = (struct graphite_connection){.owner = c->owner, .fd = -1};
}

/* Takes the whole lines of the buffer; what is behind the last stays. */
static void take_lines(struct graphite_connection *c)
{
    struct str rest = {c->buffer, c->size};
    ptrdiff_t end;
    while ((end = str_find(rest, '\n')) >= 0) {
        receive_graphite_take(c->owner->receive, str_make(rest.ptr, (size_t)end));
        rest = str_skip(rest, (size_t)end + 1);
    }
    memmove(c->buffer, rest.ptr, rest.len);
    c->size = rest.len;
}

/* Stops or goes on reading from all connections. */
static void set_reading(struct receive_graphite *g, bool on)
{
    for (size_t i = 0; i < GRAPHITE_CONNECTIONS_MAX; i++) {
        if (g->connections[i].fd >= 0) {
            (void)loop_watch_set(g->connections[i].watch, on ? LOOP_READABLE : 0);
        }
    }
}

/* Memory may be short still: the first read will see. */
static void on_resume(void *context)
{
    set_reading(context, true);
}

static void on_readable(void *context, int fd, unsigned events)
{
    struct graphite_connection *c = context;
    struct receive_graphite *g = c->owner;
    struct err e = ERR_INIT;
    if (receive_admit(g->receive, RECEIVE_GRAPHITE, &e) != 0) {
        g->receive->statistics[RECEIVE_GRAPHITE].refused_overload++;
        set_reading(g, false);
        loop_timer_start(g->resume, GRAPHITE_PAUSE_MS, 0);
        return;
    }
    for (int i = 0; i < GRAPHITE_READS_MAX; i++) {
        ssize_t size = read(fd, c->buffer + c->size, GRAPHITE_LINE_MAX - c->size);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (size > 0) {
            c->size += (size_t)size;
            take_lines(c);
        }
        if (size <= 0 || c->size == GRAPHITE_LINE_MAX) {
            g->receive->statistics[RECEIVE_GRAPHITE].refused_invalid += size > 0;
            hang_up(c);
            return;
        }
    }
}

static void start_connection(struct graphite_connection *c, int fd)
{
    c->fd = fd;
    c->buffer = mem_alloc(GRAPHITE_LINE_MAX);
    if (c->buffer == NULL ||
        loop_watch_new(c->owner->receive->options.loop, fd, on_readable, c, &c->watch) != 0 ||
        loop_watch_set(c->watch, LOOP_READABLE) != 0) {
        hang_up(c);
    }
}

static void on_connection(void *context, int listening, unsigned events)
{
    struct receive_graphite *g = context;
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < GRAPHITE_CONNECTIONS_MAX; i++) {
        if (g->connections[i].fd < 0) {
            start_connection(&g->connections[i], fd);
            return;
        }
    }
    if (fd >= 0) {
        g->receive->statistics[RECEIVE_GRAPHITE].refused_overload++;
        close(fd);
    }
}

/* ---- Start and stop ---- */

int receive_graphite_open(struct receive *r, struct receive_graphite **graphite_out, struct err *e)
{
    const char *address = r->options.config.graphite.listen;
    if (address[0] == '\0') {
        return 0;
    }
    struct receive_graphite *g = mem_calloc(1, sizeof(*g));
    if (g == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for Graphite");
    }
    g->receive = r;
    g->fd = -1;
    for (size_t i = 0; i < GRAPHITE_CONNECTIONS_MAX; i++) {
        g->connections[i] = (struct graphite_connection){.owner = g, .fd = -1};
    }
    int status = receive_socket_bind(address, SOCK_STREAM, &g->fd, e);
    if (status == 0) {
        struct loop *loop = r->options.loop;
        status = loop_timer_new(loop, on_resume, g, &g->resume);
        status = status == 0 ? loop_watch_new(loop, g->fd, on_connection, g, &g->watch) : status;
        status = status == 0 ? loop_watch_set(g->watch, LOOP_READABLE) : status;
        if (status != 0) {
            err_set(e, status, -1, "graphite: %s", err_text(status));
        }
    }
    if (status != 0) {
        receive_graphite_close(g);
        return status;
    }
    *graphite_out = g;
    return 0;
}

void receive_graphite_close(struct receive_graphite *g)
{
    if (g == NULL) {
        return;
    }
    loop_watch_free(g->watch);
    if (g->fd >= 0) {
        close(g->fd);
    }
    for (size_t i = 0; i < GRAPHITE_CONNECTIONS_MAX; i++) {
        hang_up(&g->connections[i]);
    }
    loop_timer_free(g->resume);
    mem_free(g);
}
