/* Flags over a file. */
#include "cli/client_identity.h"

static void take(const char **member, const char *flag)
{
    *member = flag != NULL ? flag : *member;
}

/* Flags of one kind put the other kinds of the file out of force. */
static void take_flags(const struct client_identity *i, struct http_profile *p)
{
    if (i->user != NULL || i->token_file != NULL) {
        p->authorization.credentials = p->authorization.credentials_file = NULL;
        p->bearer_token = NULL;
        p->bearer_token_file = i->token_file;
        p->oauth2 = (struct http_oauth2){0};
        p->basic_auth = (struct http_basic_auth){.username = i->user};
    }
    if (i->password_file != NULL) {
        p->basic_auth.password = NULL;
        p->basic_auth.password_file = i->password_file;
    }
    take(&p->tls.ca_file, i->ca_file);
    take(&p->tls.cert_file, i->cert_file);
    take(&p->tls.key_file, i->key_file);
}

static int check_flags(const struct client_identity *i, const struct http_profile *p, struct err *e)
{
    const struct http_basic_auth *b = &p->basic_auth;
    bool named = (b->username != NULL && b->username[0] != '\0') ||
                 (b->username_file != NULL && b->username_file[0] != '\0');
    if (i->password_file != NULL && !named) {
        return err_set(e, ERR_INVALID, -1, "--password-file wants --user");
    }
    if (i->user != NULL && i->token_file != NULL) {
        return err_set(e, ERR_INVALID, -1, "--user and --token-file are two ways; choose one");
    }
    return 0;
}

/* Now, where it can be said which file it is. */
static int check_secrets(const struct http_profile *p, struct err *e)
{
    const char *const files[] = {
        p->basic_auth.password_file, p->bearer_token_file, p->authorization.credentials_file};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        struct strbuf secret = STRBUF_INIT;
        if (files[i] != NULL && files[i][0] != '\0') {
            status = http_secret_read(NULL, files[i], &secret);
        }
        if (status != 0) {
            err_set(e, status, -1, "cannot read %s: %s", files[i], err_text(status));
        }
        http_secret_release(&secret);
    }
    return status;
}

int client_identity_read(const struct client_identity *identity, struct arena *arena,
    struct http_profile *profile_out, struct err *e)
{
    static const struct client_identity nobody = {0};
    const struct client_identity *i = identity != NULL ? identity : &nobody;
    struct http_profile profile;
    int status = http_profile_load(i->config_file, arena, &profile, e);
    if (status == 0) {
        take_flags(i, &profile);
        status = check_flags(i, &profile, e);
    }
    status = status == 0 ? http_profile_check(&profile, e) : status;
    status = status == 0 ? check_secrets(&profile, e) : status;
    if (status == 0) {
        *profile_out = profile;
    }
    return status;
}
