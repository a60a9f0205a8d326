/* What the files of the HTTP client share: the client and its calls. */
#ifndef SONDE_BASE_HTTP_CLIENT_CALL_H
#define SONDE_BASE_HTTP_CLIENT_CALL_H

#include "base/http_client.h"
#include "base/strbuf.h"
#include "http_client_library.h"
#include "http_client_plain.h"

struct client {
    struct http_client face; /* first: the seam is a pointer to it */
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_timer *resume; /* of calls that wait for the loop to turn */
    uint64_t turn;             /* counts what libcurl is given to do */
    CURLM *multi;              /* NULL: nothing has needed libcurl yet */
    size_t idle_connections_max;
    struct http_plain *plain;
    char *user_agent;
    struct http_client_call *calls; /* in flight, newest first */
    struct http_token *tokens;      /* of OAuth 2, newest first */
    size_t in_flight, in_flight_max;
    unsigned entered; /* depth of functions that call `done` and go on with the client */
    bool closed;      /* free it when the last of them leaves */
};

struct http_client_call {
    struct client *client;
    struct http_client_call *next, *previous;
    struct http_plain_exchange *plain; /* while it is sent without libcurl */
    struct str plain_text;             /* the head of an answer that came without it */
    struct http_client_request
        *again;          /* for libcurl when the answer redirects; NULL: that is the answer */
    int64_t deadline_ms; /* for that; by the monotonic clock */
    CURL *easy;          /* NULL: sent without libcurl */
    struct curl_slist *headers;
    struct curl_slist *connect_to; /* where to go instead of the URL's host */
    struct curl_slist *recipients; /* of a mail */
    struct str upload;             /* what is left of a mail's text */
    bool is_mail;
    struct strbuf body;
    size_t body_max;
    int body_error; /* why a body was refused: ERR_LIMIT, ERR_NOMEM, or what on_body has said */
    int (*on_body)(void *context, struct str piece); /* NULL: the body is collected */
    int (*on_head)(void *context, const struct http_client_response *head);
    bool head_shown;
    uint64_t turn;               /* of the client, when it had a piece last */
    size_t turn_bytes;           /* that it has had in this one */
    bool paused;                 /* until the loop has turned */
    size_t streamed, stream_max; /* bytes that on_body has had and may have; 0 = any */
    bool (*may_connect)(void *context, const struct sockaddr *address);
    void *may_connect_context;
    int64_t timeout_ms;       /* of the whole exchange */
    struct http_token *token; /* that it has or waits for; NULL: none */
    struct http_client_call *next_waiting;
    int64_t token_since_ms;    /* when it was asked for, by the monotonic clock */
    uint64_t token_generation; /* which one it was sent with */
    bool refused;              /* by may_connect */
    http_client_done done;
    void *context;
    char error_text[CURL_ERROR_SIZE];
};

/* A call with its handle, in nobody's list yet. 0, ERR_NOMEM, ERR_LIMIT. */
int http_client_call_new(struct http_client *face, http_client_done done, void *context,
    size_t body_max, struct http_client_call **call_out);
void http_client_call_free(struct http_client_call *call);
/* Hands it to libcurl when `status` is 0; frees it otherwise. Returns the final status. */
int http_client_call_start(
    struct http_client_call *call, int status, struct http_client_call **call_out);
/* Among those in flight, without libcurl yet. */
void http_client_call_link(struct http_client_call *call);
/* Ends a call that libcurl does not have. */
void http_client_call_fail(struct http_client_call *call, int error, const char *text);
/* Settings that every kind of call has. False when memory is short. */
bool http_client_call_set_common(struct http_client_call *call, int64_t timeout_ms);

/* Settings of libcurl's for this client, and libcurl itself. 0, ERR_NOMEM, ERR_UNSUPPORTED. */
int http_client_need_libcurl(struct client *client);
/* An http or https URL with a host: 0, ERR_INVALID, ERR_NOMEM. */
int http_client_check_url(const char *url);
/* All settings of a request. 0, ERR_NOMEM, ERR_LIMIT, ERR_INVALID, or the error of a secret's file. */
int http_client_call_prepare(
    struct http_client_call *call, const struct http_client_request *request);

/* Name and value of a request header together. */
#define HTTP_CLIENT_HEADER_BYTES_MAX ((size_t)64 << 10)
/* A header as libcurl has it. 0, ERR_NOMEM. */
int http_client_call_add_line(struct http_client_call *call, const char *line);
/* 0, ERR_NOMEM, ERR_LIMIT, ERR_INVALID. */
int http_client_call_add_header(
    struct http_client_call *call, const struct http_client_header *header);
/* Headers, certificates and proxy of the profile; the files it names are read now. */
int http_client_call_set_profile(
    struct http_client_call *call, const char *url, const struct http_profile *profile);

/* In http_client_token.c. As http_client_call_start, once the call has a token. */
int http_client_token_send(struct http_client_call *call, const struct http_oauth2 *settings,
    struct http_client_call **call_out);
/* The call ends with this status (0: without an answer). */
void http_client_token_leave(struct http_client_call *call, unsigned status);
void http_client_tokens_free(struct client *client);

int http_client_send_mail(struct http_client *face, const struct http_client_mail *mail,
    http_client_done done, void *context, struct http_client_call **call_out);

#endif
