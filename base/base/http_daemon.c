/* The wrapper of libmicrohttpd (0.9.75), and how it is driven.
 *
 * Threads of its own: epoll, one daemon thread or a pool of them on one listening socket. Or none:
 * the loop watches libmicrohttpd's epoll descriptor and calls it when something is ready or its
 * nearest timeout has come. In that way libmicrohttpd does not wake up for resumed connections by
 * itself, so an eventfd of ours tells the loop to call it.
 *
 * Stopping: libmicrohttpd follows a null pointer when a malformed request is answered while
 * MHD_stop_daemon runs (its reply is accepted but not kept). So all connections are ended from our
 * side first, by shutting their sockets down, and the daemon is stopped when none is left.
 */
#include "http_daemon.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "http_address.h"
#include "http_connections.h"

enum {
    /* Request line, headers and read buffer of a connection. Pages are only touched when used. */
    CONNECTION_MEMORY = 128 * 1024,
    /* How long stopping waits for its threads to notice that connections have ended. */
    DRAIN_MS = 5000,
    DRAIN_STEP_MS = 10,
    /* Connections that were ended and are not closed yet: a share of those allowed, and some. */
    CLOSING_DIVISOR = 8,
    CLOSING_LEAST = 16,
    /* What a body made while it is sent is asked for at a time. */
    PIECE_BYTES = 64 * 1024,
};

struct http_daemon {
    struct MHD_Daemon *mhd;
    const struct http_daemon_callbacks *callbacks;
    void *server;
    int listen_fd; /* closed by libmicrohttpd, with its daemon or when that cannot start */
    /* With a loop: its hold on libmicrohttpd's descriptor, on the wake-up, and on time. */
    struct loop *loop;
    struct loop_watch *watch, *wake_watch;
    struct loop_timer *timer;
    int wake_fd;
    struct http_connections connections;
};

static int64_t monotonic_ms(void)
{
    return clock_monotonic_ms(clock_real());
}

static struct MHD_Connection *mhd_of(struct http_connection *connection)
{
    return (struct MHD_Connection *)connection;
}

/* ---- Callbacks of libmicrohttpd ---- */

static void enter(
    struct http_daemon *daemon, struct MHD_Connection *connection, enum connection_phase phase)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL) {
        http_connections_enter(&daemon->connections, info->socket_context, phase, monotonic_ms());
    }
}

/* The only time that libmicrohttpd shows the target as it was sent. */
static void *on_request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_daemon *daemon = context;
    enter(daemon, connection, CONNECTION_WAITS);
    return daemon->callbacks->begin(daemon->server, (struct http_connection *)connection, target);
}

static enum MHD_Result on_step(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request)
{
    (void)connection, (void)url, (void)version;
    struct http_daemon *daemon = context;
    if (*request == NULL) {
        return MHD_NO; /* memory was short at the request line */
    }
    size_t size = *upload_size;
    *upload_size = 0; /* all of it is taken */
    return daemon->callbacks->step(*request, method, upload, size) ? MHD_YES : MHD_NO;
}

static void on_end(void *context, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode reason)
{
    (void)reason;
    struct http_daemon *daemon = context;
    if (*request != NULL) {
        daemon->callbacks->end(daemon->server, *request);
        *request = NULL;
    }
    enter(daemon, connection, CONNECTION_WAITS);
}

/* Before the handshake. Without its certificates a connection would come to nothing; it is ended. */
static void greet(
    struct http_daemon *daemon, struct MHD_Connection *connection, struct open_connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL) {
        c->held = daemon->callbacks->greet(daemon->server, info->tls_session);
        if (c->held == NULL) {
            (void)shutdown(c->fd, SHUT_RDWR);
        }
    }
}

/* A connection was accepted, or is about to be closed: its descriptor is still its own. */
static void on_connection(void *context, struct MHD_Connection *connection, void **remembered,
    enum MHD_ConnectionNotificationCode what)
{
    struct http_daemon *daemon = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct open_connection *c = info != NULL ? http_connections_add(&daemon->connections,
                                                       info->connect_fd, monotonic_ms())
                                                 : NULL;
        if (c != NULL) {
            greet(daemon, connection, c);
        }
        *remembered = c;
    } else if (*remembered != NULL) {
        struct open_connection *c = *remembered;
        if (c->held != NULL) {
            daemon->callbacks->hang_up(daemon->server, c->held);
        }
        http_connections_remove(&daemon->connections, c);
        *remembered = NULL;
    }
}

/* Targets are decoded by their reader, who knows what '+' and '%00' mean there. */
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* ---- On a loop ---- */

/* One turn: what is ready, then when to come again. */
static void drive(void *context)
{
    struct http_daemon *daemon = context;
    (void)MHD_run(daemon->mhd);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(daemon->mhd, &wait_ms) == MHD_YES) {
        loop_timer_start(daemon->timer, wait_ms < INT32_MAX ? (int64_t)wait_ms : INT32_MAX, 0);
    } else {
        loop_timer_stop(daemon->timer);
    }
}

static void on_ready(void *context, int fd, unsigned events)
{
    (void)fd, (void)events;
    drive(context);
}

static void on_wake(void *context, int fd, unsigned events)
{
    (void)events;
    uint64_t count;
    ssize_t size = read(fd, &count, sizeof(count));
    (void)size; /* only empties it */
    drive(context);
}

static void wake(const struct http_daemon *daemon)
{
    uint64_t one = 1;
    if (daemon->wake_fd >= 0) {
        ssize_t written = write(daemon->wake_fd, &one, sizeof(one));
        (void)written; /* fails only when 2^64 wake-ups are waiting already */
    }
}

static int watch_readable(struct http_daemon *daemon, int fd,
    void (*callback)(void *context, int fd, unsigned events), struct loop_watch **watch_out)
{
    int status = loop_watch_new(daemon->loop, fd, callback, daemon, watch_out);
    return status != 0 ? status : loop_watch_set(*watch_out, LOOP_READABLE);
}

static int attach_to_loop(struct http_daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        return ERR_UNSUPPORTED;
    }
    daemon->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (daemon->wake_fd < 0) {
        return ERR_IO;
    }
    int status = loop_timer_new(daemon->loop, drive, daemon, &daemon->timer);
    if (status == 0) {
        status = watch_readable(daemon, daemon->wake_fd, on_wake, &daemon->wake_watch);
    }
    if (status == 0) {
        status = watch_readable(daemon, info->epoll_fd, on_ready, &daemon->watch);
    }
    return status;
}

/* ---- Life ---- */

/* What libmicrohttpd may hold, in equal parts a thread: any one may have got all that we allow, and beside
 * them those that are ended and not yet closed. */
static unsigned connections_of(const struct http_daemon_options *o, unsigned threads)
{
    unsigned most = o->connections_max + o->connections_max / CLOSING_DIVISOR + CLOSING_LEAST;
    return threads > 1 ? most * threads : most;
}

static struct MHD_Daemon *start_mhd(struct http_daemon *daemon, const struct http_daemon_options *o)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    flags |= o->loop == NULL ? MHD_USE_INTERNAL_POLLING_THREAD : 0;
    flags |= o->tls_certificates != NULL ? MHD_USE_TLS : 0;
    /* One thread is the daemon's own; a pool begins with two. */
    unsigned pool = o->loop == NULL && o->threads > 1 ? o->threads : 0;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, o->listen_fd, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, daemon},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_end, daemon},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, daemon},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_encoded, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections_of(o, pool), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)o->idle_timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_END, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem *more = &options[sizeof(options) / sizeof(options[0]) - 3];
    if (pool > 0) {
        *more++ = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)pool, NULL};
    }
    if (o->tls_certificates != NULL) {
        *more++ = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, o->tls_certificates};
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_step, daemon, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* Its threads inherit the mask: signals are for the thread that waits for them. */
static struct MHD_Daemon *start_mhd_without_signals(
    struct http_daemon *daemon, const struct http_daemon_options *o)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *mhd = start_mhd(daemon, o);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return mhd;
}

int http_daemon_start(const struct http_daemon_options *options,
    const struct http_daemon_callbacks *callbacks, void *server, struct http_daemon **daemon_out,
    struct err *e)
{
    struct http_daemon *daemon = mem_calloc(1, sizeof(*daemon));
    if (daemon == NULL) {
        (void)close(options->listen_fd);
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    *daemon = (struct http_daemon){.callbacks = callbacks,
        .server = server,
        .loop = options->loop,
        .listen_fd = options->listen_fd,
        .wake_fd = -1};
    http_connections_init(&daemon->connections, options->connections_max, options->patience_ms);
    *daemon_out = daemon; /* its threads may serve, and need it, before this function returns */
    daemon->mhd = start_mhd_without_signals(daemon, options);
    int status = daemon->mhd != NULL ? 0 : ERR_INTERNAL;
    if (status == 0 && options->loop != NULL) {
        status = attach_to_loop(daemon);
    }
    if (status != 0) {
        *daemon_out = NULL;
        http_daemon_free(daemon);
        return err_set(e, status, -1, "cannot start the HTTP server: %s", err_text(status));
    }
    return 0;
}

void http_daemon_stop_listening(struct http_daemon *daemon)
{
    /* Not MHD_quiesce_daemon: it takes the socket out of the epoll sets of threads that may be doing so
     * themselves just then, because they have as many connections as they may, and libmicrohttpd ends
     * the process when the second of the two finds nothing. The kernel refuses connections from now on;
     * threads look at the dead socket again and again until the daemon is gone, which is soon. */
    (void)shutdown(daemon->listen_fd, SHUT_RDWR);
}

void http_daemon_turn(struct http_daemon *daemon, int wait_ms)
{
    (void)MHD_run_wait(daemon->mhd, wait_ms);
}

/* Ends every connection and waits until libmicrohttpd has closed them. */
static void drain(struct http_daemon *daemon)
{
    struct http_connections *all = &daemon->connections;
    int64_t deadline_ms = monotonic_ms() + DRAIN_MS;
    http_connections_end_all(all);
    while (all->first != NULL && monotonic_ms() < deadline_ms) {
        if (daemon->loop != NULL) {
            lock_give(&all->lock);
            http_daemon_turn(daemon, DRAIN_STEP_MS);
            lock_take(&all->lock);
        } else {
            (void)lock_condition_wait_ms(&all->changed, &all->lock, DRAIN_MS);
        }
    }
    lock_give(&all->lock);
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void http_daemon_free(struct http_daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    loop_watch_free(daemon->watch);
    loop_watch_free(daemon->wake_watch);
    loop_timer_free(daemon->timer);
    if (daemon->mhd != NULL) {
        drain(daemon);
        MHD_stop_daemon(daemon->mhd);
    }
    close_if_open(daemon->wake_fd);
    http_connections_release(&daemon->connections);
    mem_free(daemon);
}

/* ---- Connections and responses ---- */

void http_connection_serve(struct http_daemon *daemon, struct http_connection *connection)
{
    enter(daemon, mhd_of(connection), CONNECTION_SERVED);
}

void http_connection_await(struct http_daemon *daemon, struct http_connection *connection)
{
    enter(daemon, mhd_of(connection), CONNECTION_WAITS);
}

void http_connection_suspend(struct http_connection *connection)
{
    MHD_suspend_connection(mhd_of(connection));
}

void http_connection_resume(struct http_daemon *daemon, struct http_connection *connection)
{
    MHD_resume_connection(mhd_of(connection));
    wake(daemon);
}

bool http_connection_reply(struct http_daemon *daemon, struct http_connection *connection,
    unsigned status, struct http_response *response)
{
    enter(daemon, mhd_of(connection), CONNECTION_ANSWERED);
    return MHD_queue_response(mhd_of(connection), status, (struct MHD_Response *)response) ==
           MHD_YES;
}

struct str http_connection_header(struct http_connection *connection, const char *name)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(
            mhd_of(connection), MHD_HEADER_KIND, name, strlen(name), &value, &size) != MHD_YES) {
        return (struct str){NULL, 0};
    }
    return value != NULL ? str_make(value, size) : STR("");
}

bool http_connection_is_closed(struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd_of(connection), MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd end = {.fd = info != NULL ? info->connect_fd : -1, .events = POLLRDHUP};
    return poll(&end, 1, 0) > 0;
}

void http_connection_cut(struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd_of(connection), MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL) {
        (void)shutdown(info->connect_fd, SHUT_RDWR);
    }
}

size_t http_connection_remote(struct http_connection *connection, char *text)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd_of(connection), MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return http_address_write(info != NULL ? info->client_addr : NULL, text);
}

struct http_response *http_response_of(char *bytes, size_t size)
{
    return (struct http_response *)MHD_create_response_from_buffer_with_free_callback(
        size, bytes, mem_free);
}

struct http_response *http_response_of_static(const void *bytes, size_t size)
{
    return (struct http_response *)MHD_create_response_from_buffer(
        size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
}

/* What libmicrohttpd keeps of a body that is made while it is sent. */
struct piece_source {
    ssize_t (*read)(void *context, char *buffer, size_t size);
    void (*free)(void *context);
    void *context;
};

static ssize_t read_pieces(void *source, uint64_t position, char *buffer, size_t size)
{
    (void)position;
    const struct piece_source *s = source;
    ssize_t result = s->read(s->context, buffer, size);
    return result == HTTP_READ_END      ? (ssize_t)MHD_CONTENT_READER_END_OF_STREAM
           : result == HTTP_READ_BROKEN ? (ssize_t)MHD_CONTENT_READER_END_WITH_ERROR
                                        : result;
}

static void free_pieces(void *source)
{
    struct piece_source *s = source;
    s->free(s->context);
    mem_free(s);
}

struct http_response *http_response_of_pieces(
    ssize_t (*read)(void *context, char *buffer, size_t size), void (*free)(void *context),
    void *context)
{
    struct piece_source *source = mem_alloc(sizeof(*source));
    if (source == NULL) {
        return NULL;
    }
    *source = (struct piece_source){read, free, context};
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PIECE_BYTES, read_pieces, source, free_pieces);
    if (response == NULL) {
        mem_free(source);
    }
    return (struct http_response *)response;
}

void http_response_without_chunks(struct http_response *response)
{
    (void)MHD_set_response_options(
        (struct MHD_Response *)response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

void http_response_add_header(struct http_response *response, const char *name, const char *value)
{
    /* Fails on a name or value with a line end, and when memory is short: the reply goes without. */
    (void)MHD_add_response_header((struct MHD_Response *)response, name, value);
}

void http_response_free(struct http_response *response)
{
    if (response != NULL) {
        MHD_destroy_response((struct MHD_Response *)response);
    }
}
