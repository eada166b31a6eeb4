/* What we show the API server, and what we ask of it: token, client certificate, authorities, as
 * they stand in their files now. Belongs to the client. */
#ifndef KUBE_KUBE_LOGIN_H
#define KUBE_KUBE_LOGIN_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "kube/kube_config.h"

enum { KUBE_LOGIN_FRESH_MS = 60000 };

struct kube_login {
    const struct kube_config *config;
    char *authority, *certificate, *key, *token; /* NULL = not given */
    mono_ms_t read_at;
};

/* Every file that is named must be there. */
MUST_CHECK bool kube_login_init(struct kube_login *login, const struct kube_config *config,
                                mono_ms_t now, struct error *err);
void kube_login_done(struct kube_login *login); /* wipes */

/* Reads the files again; what cannot be read or used stays as it was. True = something is new. */
bool kube_login_reread(struct kube_login *login, mono_ms_t now);
/* The same, when the last time is KUBE_LOGIN_FRESH_MS ago or more. */
void kube_login_refresh(struct kube_login *login, mono_ms_t now);

void kube_login_apply(const struct kube_login *login, CURL *easy); /* TLS */
/* "Authorization: Bearer ..."; NULL = there is no token. secret_free() it. */
char *kube_login_header(const struct kube_login *login);

#endif
