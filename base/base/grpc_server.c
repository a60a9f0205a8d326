/* The gRPC server: its listener, its connections, where handlers run, its life.
 *
 *   socket -> grpc_connection -> grpc_session -> grpc_call --+-> handler, on this thread
 *                                                            '-> pool --> `ended`, a list, and a post
 *
 * Everything but handlers and checks of passwords happens on one thread. What comes back from a pool is put
 * on a list, and an eventfd tells the loop. A post to the loop would do as well, but for one that is still
 * waiting when the server is gone.
 */
#include "base/grpc_server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "grpc_server_connection.h"
#include "grpc_server_metrics.h"
#include "http_address.h"

enum {
    CONNECTIONS_MAX_DEFAULT = 256,
    STREAMS_MAX_DEFAULT = 100,
    MESSAGES_MAX_FACTOR = 8,
    HEADER_BYTES_DEFAULT = 16 * 1024,
    HANDSHAKE_MS_DEFAULT = 10 * 1000,
    IDLE_MS_DEFAULT = 5 * 60 * 1000,
    MESSAGE_MS_DEFAULT = 60 * 1000,
    RESETS_MAX_DEFAULT = 200,
    TICK_MS = 1000,
    STOP_STEP_MS = 10,
    ACCEPTS_PER_TURN = 64,
    BUFFER_BYTES = 64 * 1024,
    DOOR_QUEUE_MAX = 64,
};
#define MESSAGE_MAX_DEFAULT ((size_t)64 << 20)

struct grpc_server {
    struct grpc_server_options options;
    struct grpc_call_host host;
    struct loop *loop;
    bool own_loop;
    pthread_t thread;
    int listen_fd, wake_fd;
    uint16_t port;
    struct loop_watch *listener, *waker;
    struct loop_timer *tick;
    struct http_guard *guard; /* NULL: everybody may come in, without TLS */
    struct workpool *doormen; /* check passwords; with a guard */
    struct grpc_connection *connections;
    size_t connection_count;
    bool paused;          /* the listener is */
    size_t message_bytes; /* of all calls */
    size_t held;          /* calls in a pool, or with a handler that has not answered */
    uint8_t *buffer;
    struct lock lock; /* guards `ended` */
    struct lock_condition changed;
    struct grpc_call *ended;
};

/* ---- Connections ---- */

static void forget(struct grpc_server *server, struct grpc_connection *c)
{
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        server->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    server->connection_count--;
    grpc_metrics_connections(-1);
    grpc_connection_free(c);
}

static void flush(struct grpc_server *server, struct grpc_connection *c)
{
    if (!grpc_connection_flush(c)) {
        forget(server, c);
    }
}

static void on_ready(void *context, int fd, unsigned events)
{
    (void)fd, (void)events;
    struct grpc_connection *c = context;
    struct grpc_server *server = c->host->context;
    if (!grpc_connection_turn(c, server->buffer, BUFFER_BYTES)) {
        forget(server, c);
    }
}

static void take_connection(struct grpc_server *server, int fd, const struct sockaddr *address)
{
    struct grpc_connection *c;
    char remote[HTTP_ADDRESS_TEXT_MAX];
    int on = 1;
    if (server->connection_count >= server->options.connections_max) {
        grpc_metrics_closed(GRPC_CLOSED_CONNECTIONS);
        (void)close(fd);
        return;
    }
    (void)setsockopt(
        fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* answers would only be later */
    http_address_write(address, remote);
    struct http_rules *rules = server->guard != NULL ? http_guard_rules(server->guard) : NULL;
    if (grpc_connection_new(&server->host, fd, remote, rules, &c) != 0) {
        return; /* memory is short: the client sees a closed connection */
    }
    c->next = server->connections;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    server->connections = c;
    if (server->connection_count++ == 0) {
        loop_timer_start(server->tick, TICK_MS, TICK_MS);
    }
    grpc_metrics_connections(1);
    c->events = LOOP_READABLE;
    if (loop_watch_new(server->loop, fd, on_ready, c, &c->watch) != 0 ||
        loop_watch_set(c->watch, c->events) != 0) {
        forget(server, c);
    }
}

/* Without descriptors or memory the listener pauses until the next tick, instead of turning in place. There are
 * ticks while there is something to look after, and no others: an idle server wakes nobody. */
static void on_listener(void *context, int fd, unsigned events)
{
    (void)events;
    struct grpc_server *server = context;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        int client = accept4(fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            take_connection(server, client, (const struct sockaddr *)&address);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                (void)loop_watch_set(server->listener, 0);
                server->paused = true;
                loop_timer_start(server->tick, TICK_MS, TICK_MS);
            }
            return;
        }
    }
}

/* ---- Calls ---- */

static bool charge(void *context, size_t bytes)
{
    struct grpc_server *server = context;
    if (bytes > server->options.messages_max - server->message_bytes) {
        return false;
    }
    server->message_bytes += bytes;
    return true;
}

static void discharge(void *context, size_t bytes)
{
    struct grpc_server *server = context;
    assert(server->message_bytes >= bytes);
    server->message_bytes -= bytes;
}

static void answer(struct grpc_server *server, struct grpc_call *call)
{
    struct grpc_session *session = call->session;
    assert(server->held > 0);
    server->held--;
    grpc_session_answer(call, clock_monotonic_ms(server->options.clock));
    if (session != NULL) {
        flush(server, grpc_session_context(session));
    }
}

static void hand_back(struct grpc_server *server, struct grpc_call *call);

static void on_ended(void *context, struct grpc_call *call)
{
    struct grpc_server *server = context;
    if (server->options.pool == NULL) {
        answer(server, call);
    } else {
        hand_back(server, call);
    }
}

static void run_call(void *context)
{
    grpc_call_run(context);
}

/* The handler's turn. */
static void begin_handling(struct grpc_server *server, struct grpc_call *call)
{
    call->holders++;
    server->held++;
    if (server->options.pool == NULL) {
        grpc_call_run(call);
    } else if (workpool_submit(server->options.pool, run_call, call) != 0) {
        grpc_call_set_failure(call, GRPC_UNAVAILABLE,
            "there are as many calls as can wait; send again later", GRPC_RETRY_AFTER_MS);
        answer(server, call);
    }
}

static void on_complete(void *context, struct grpc_call *call)
{
    if (!call->checking) {
        begin_handling(context, call);
    }
}

/* ---- Passwords ---- */

static void check_password(void *context)
{
    struct grpc_call *call = context;
    struct grpc_server *server = call->host->context;
    call->is_welcome = http_auth_check(http_guard_memory(server->guard), &call->rules->config.users,
        grpc_call_metadata(call, "authorization"));
    hand_back(server, call);
}

static void turn_away(struct grpc_call *call)
{
    grpc_call_set_failure(
        call, GRPC_UNAUTHENTICATED, "name and password are wanted: authorization: Basic …", -1);
    grpc_session_refuse(call);
}

static void end_check(struct grpc_server *server, struct grpc_call *call)
{
    struct grpc_session *session = call->session;
    struct grpc_connection *c = session != NULL ? grpc_session_context(session) : NULL;
    server->held--;
    call->checking = false;
    http_rules_unref(call->rules);
    call->rules = NULL;
    if (c != NULL) {
        c->receiving = true; /* keeps it: an answer now is sent below */
    }
    if (!call->is_welcome) {
        turn_away(call);
    } else if (call->state == GRPC_CALL_COMPLETE && call->stream_id != 0) {
        begin_handling(server, call);
    }
    grpc_session_let_go(call);
    if (c != NULL) {
        c->receiving = false;
        flush(server, c);
    }
}

static void on_begun(void *context, struct grpc_call *call)
{
    struct grpc_server *server = context;
    struct http_rules *rules = server->guard != NULL ? http_guard_rules(server->guard) : NULL;
    if (rules == NULL || rules->config.users.count == 0) {
        http_rules_unref(rules);
        return;
    }
    struct str header = grpc_call_metadata(call, "authorization");
    enum http_auth_verdict verdict =
        http_auth_recall(http_guard_memory(server->guard), &rules->config.users, header);
    if (verdict == HTTP_AUTH_UNKNOWN) {
        uint64_t client =
            hash64(call->remote, (size_t)(strrchr(call->remote, ':') - call->remote), 0);
        call->checking = true;
        call->rules = rules;
        call->holders++;
        server->held++;
        if (workpool_submit_for(server->doormen, client, check_password, call) == 0) {
            return;
        }
        server->held--;
        call->holders--;
        call->rules = NULL;
        grpc_call_set_failure(call, GRPC_UNAVAILABLE,
            "there are as many passwords to check as can wait; send again later",
            GRPC_RETRY_AFTER_MS);
        grpc_session_refuse(call);
    } else if (verdict == HTTP_AUTH_BAD) {
        turn_away(call);
    }
    http_rules_unref(rules);
}

/* ---- Back from the pools ---- */

static void take_back(struct grpc_server *server)
{
    lock_take(&server->lock);
    struct grpc_call *call = server->ended;
    server->ended = NULL;
    lock_give(&server->lock);
    while (call != NULL) {
        struct grpc_call *next = call->next_ended;
        if (call->checking) {
            end_check(server, call);
        } else {
            answer(server, call);
        }
        call = next;
    }
}

static void on_wake(void *context, int fd, unsigned events)
{
    (void)events;
    uint64_t count;
    ssize_t size = read(fd, &count, sizeof(count));
    (void)size; /* only empties it */
    take_back(context);
}

/* From any thread. All of it under the lock: the server may be gone as soon as the call is seen. */
static void hand_back(struct grpc_server *server, struct grpc_call *call)
{
    const uint64_t one = 1;
    lock_take(&server->lock);
    call->next_ended = server->ended;
    server->ended = call;
    ssize_t written = write(server->wake_fd, &one, sizeof(one));
    (void)written; /* fails only when 2^64 wake-ups are waiting already */
    lock_condition_signal(&server->changed);
    lock_give(&server->lock);
}

/* ---- Time ---- */

static void on_tick(void *context)
{
    struct grpc_server *server = context;
    for (struct grpc_connection *c = server->connections, *next; c != NULL; c = next) {
        next = c->next;
        if (!grpc_connection_check(c)) {
            forget(server, c);
        }
    }
    if (server->paused) {
        server->paused = loop_watch_set(server->listener, LOOP_READABLE) != 0;
    }
    if (server->connection_count == 0 && !server->paused) {
        loop_timer_stop(server->tick);
    }
}

/* ---- Stopping ---- */

static void for_each_connection(
    struct grpc_server *server, bool (*act)(struct grpc_server *server, struct grpc_connection *c))
{
    for (struct grpc_connection *c = server->connections, *next; c != NULL; c = next) {
        next = c->next;
        if (!act(server, c)) {
            forget(server, c);
        }
    }
}

static bool shut_down(struct grpc_server *server, struct grpc_connection *c)
{
    (void)server;
    return grpc_connection_shut_down(c);
}

static bool turn(struct grpc_server *server, struct grpc_connection *c)
{
    return grpc_connection_turn(c, server->buffer, BUFFER_BYTES);
}

static bool close_now(struct grpc_server *server, struct grpc_connection *c)
{
    (void)server, (void)c;
    return false;
}

/* On the server's thread, whose loop does not run now: waits for handlers as long as they take, and for
 * clients a while. */
static void drain(struct grpc_server *server)
{
    struct clock *clock = clock_real();
    const int64_t deadline_ms = clock_monotonic_ms(clock) + GRPC_STOP_GRACE_MS;
    (void)shutdown(server->listen_fd, SHUT_RDWR); /* refuses from now on */
    for_each_connection(server, shut_down);
    while (server->held > 0 ||
           (server->connections != NULL && clock_monotonic_ms(clock) < deadline_ms)) {
        lock_take(&server->lock);
        if (server->ended == NULL) {
            (void)lock_condition_wait_ms(&server->changed, &server->lock, STOP_STEP_MS);
        }
        lock_give(&server->lock);
        take_back(server);
        for_each_connection(server, turn);
    }
    for_each_connection(server, close_now);
}

/* What hangs on the loop, on its thread. */
static void leave_loop(struct grpc_server *server)
{
    loop_watch_free(server->listener);
    loop_watch_free(server->waker);
    loop_timer_free(server->tick);
}

static void server_free(struct grpc_server *server)
{
    if (server->own_loop) {
        loop_free(server->loop);
    }
    if (server->listen_fd >= 0) {
        (void)close(server->listen_fd);
    }
    if (server->wake_fd >= 0) {
        (void)close(server->wake_fd);
    }
    workpool_close(server->doormen);
    http_guard_close(server->guard);
    lock_condition_release(&server->changed);
    lock_release(&server->lock);
    mem_free(server->buffer);
    mem_free(server);
}

static void *run_thread(void *context)
{
    struct grpc_server *server = context;
    (void)loop_run(server->loop); /* ends by loop_stop, with 0 */
    drain(server);
    return NULL;
}

static void stop_thread(void *context)
{
    struct grpc_server *server = context;
    loop_stop(server->loop);
}

void grpc_server_stop(struct grpc_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->own_loop) {
        while (loop_post(server->loop, stop_thread, server) != 0) {
            sched_yield(); /* memory is short for a moment */
        }
        (void)pthread_join(server->thread, NULL);
    } else {
        drain(server);
    }
    leave_loop(server);
    server_free(server);
}

/* ---- Starting ---- */

static void set_defaults(struct grpc_server_options *o)
{
    o->connections_max = o->connections_max != 0 ? o->connections_max : CONNECTIONS_MAX_DEFAULT;
    o->streams_max = o->streams_max != 0 ? o->streams_max : STREAMS_MAX_DEFAULT;
    o->message_max = o->message_max != 0 ? o->message_max : MESSAGE_MAX_DEFAULT;
    o->messages_max = o->messages_max != 0 ? o->messages_max : o->message_max * MESSAGES_MAX_FACTOR;
    o->header_bytes_max = o->header_bytes_max != 0 ? o->header_bytes_max : HEADER_BYTES_DEFAULT;
    o->handshake_ms = o->handshake_ms != 0 ? o->handshake_ms : HANDSHAKE_MS_DEFAULT;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : IDLE_MS_DEFAULT;
    o->message_ms = o->message_ms != 0 ? o->message_ms : MESSAGE_MS_DEFAULT;
    o->resets_max = o->resets_max != 0 ? o->resets_max : RESETS_MAX_DEFAULT;
    o->clock = o->clock != NULL ? o->clock : clock_real();
}

static int open_guard(struct grpc_server *server, struct err *e)
{
    const struct grpc_server_options *o = &server->options;
    const struct workpool_options doormen = {"grpc-doormen", 1, DOOR_QUEUE_MAX};
    if (o->web_config_file == NULL || o->web_config_file[0] == '\0') {
        return 0;
    }
    int status = http_guard_open(
        o->web_config_file, o->web_config_changed, o->web_config_context, &server->guard, e);
    if (status == 0 && (status = workpool_open(&doormen, &server->doormen)) != 0) {
        err_set(e, status, -1, "cannot start a thread: %s", err_text(status));
    }
    return status;
}

static int join_loop(struct grpc_server *server)
{
    server->own_loop = server->options.loop == NULL;
    server->loop = server->options.loop;
    int status = server->own_loop ? loop_new(&server->loop) : 0;
    if (status != 0) {
        server->own_loop = false;
        return status;
    }
    status = loop_timer_new(server->loop, on_tick, server, &server->tick);
    if (status == 0) {
        status = loop_watch_new(server->loop, server->wake_fd, on_wake, server, &server->waker);
    }
    status = status == 0 ? loop_watch_set(server->waker, LOOP_READABLE) : status;
    if (status == 0) {
        status =
            loop_watch_new(server->loop, server->listen_fd, on_listener, server, &server->listener);
    }
    return status == 0 ? loop_watch_set(server->listener, LOOP_READABLE) : status;
}

/* The thread inherits the mask: signals are for the thread that waits for them. */
static int start_thread(struct grpc_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&server->thread, NULL, run_thread, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? 0 : ERR_LIMIT;
}

static int start(struct grpc_server *server, struct err *e)
{
    int status = open_guard(server, e);
    status = status == 0
                 ? http_listen(server->options.address, &server->listen_fd, &server->port, e)
                 : status;
    if (status != 0) {
        return status;
    }
    server->buffer = mem_alloc(BUFFER_BYTES);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    status = server->buffer == NULL ? ERR_NOMEM : server->wake_fd < 0 ? ERR_IO : join_loop(server);
    if (status == 0 && server->own_loop) {
        status = start_thread(server);
    }
    return status == 0
               ? 0
               : err_set(e, status, -1, "cannot start the gRPC server: %s", err_text(status));
}

int grpc_server_start(
    const struct grpc_server_options *options, struct grpc_server **server_out, struct err *e)
{
    struct grpc_server *server = mem_calloc(1, sizeof(*server));
    if (server == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    server->options = *options;
    set_defaults(&server->options);
    server->host = (struct grpc_call_host){.context = server,
        .options = &server->options,
        .begun = on_begun,
        .complete = on_complete,
        .ended = on_ended,
        .charge = charge,
        .discharge = discharge};
    server->listen_fd = server->wake_fd = -1;
    grpc_metrics_register();
    lock_init(&server->lock, LOCK_RANK_LEAF);
    lock_condition_init(&server->changed);
    int status = start(server, e);
    if (status != 0) {
        leave_loop(server);
        server_free(server);
        return status;
    }
    *server_out = server;
    return 0;
}

uint16_t grpc_server_port(const struct grpc_server *server)
{
    return server->port;
}
