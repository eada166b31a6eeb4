/* Where the API server is and how we log in: as a pod, or by a kubeconfig.
 *
 * The files that it names are read later, and again when they change; see kube_login.h. Errors are
 * ERROR_CONFIG and never show a secret. A config may be used by any thread while nobody frees it.
 */
#ifndef KUBE_KUBE_CONFIG_H
#define KUBE_KUBE_CONFIG_H

#include <stdbool.h>

#include "base/check.h"
#include "base/error.h"

/* Bytes that stand in a file, or that the kubeconfig itself holds; neither = not given. */
struct kube_config_item {
    char *path; /* NULL = `data` */
    char *data;
};

struct kube_config {
    char *server;                        /* "https://host:6443/prefix", no slash at its end */
    char *tls_server_name;               /* whom the certificate must name; NULL = the host */
    bool insecure;                       /* the server's certificate is not looked at */
    struct kube_config_item authority;   /* PEM; not given = those that the system trusts */
    struct kube_config_item certificate; /* PEM, of the client */
    struct kube_config_item key;         /* PEM, of the client */
    struct kube_config_item token;
    char *namespace_name; /* "default" when nothing says another */
};

#define KUBE_CONFIG_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* Whether the process runs as a pod: KUBERNETES_SERVICE_HOST is set and there is a token.
 * directory: of the service account; NULL = KUBE_CONFIG_SERVICE_ACCOUNT. */
bool kube_config_is_in_cluster(const char *directory);

/* KUBERNETES_SERVICE_HOST and _PORT; ca.crt, token and namespace of the directory. Reads the
 * environment: no other thread may change it meanwhile. */
MUST_CHECK bool kube_config_in_cluster(const char *directory, struct kube_config **out_config,
                                       struct error *err);

/* paths: one kubeconfig or several with ':' between, as in KUBECONFIG; of entries with the same
 * name the first one counts, and files that do not exist are passed over while one does. context:
 * NULL = the current-context. Paths inside are relative to their file. `exec` and `auth-provider`
 * are refused, since they run other programs. */
MUST_CHECK bool kube_config_load(const char *paths, const char *context,
                                 struct kube_config **out_config, struct error *err);

void kube_config_free(struct kube_config *config); /* wipes the secrets; NULL allowed */

static inline __attribute__((unused)) void kube_config_free_p(struct kube_config **config)
{
    kube_config_free(*config);
}

#endif
