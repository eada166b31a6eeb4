#include "kube/kube_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "kube/kube_config_file.h"
#include "kube/kube_config_server.h"
#include "kube/kube_file.h"

static void item_done(struct kube_config_item *item)
{
    memory_free(item->path);
    secret_free(item->data);
}

void kube_config_free(struct kube_config *config)
{
    if (config == NULL)
        return;
    item_done(&config->authority);
    item_done(&config->certificate);
    item_done(&config->key);
    item_done(&config->token);
    memory_free(config->server);
    memory_free(config->tls_server_name);
    memory_free(config->namespace_name);
    memory_free(config);
}

static char *file_in(const char *directory, const char *name)
{
    return text_format("%s/%s", directory != NULL ? directory : KUBE_CONFIG_SERVICE_ACCOUNT, name);
}

bool kube_config_is_in_cluster(const char *directory)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    AUTO(char *, memory_free_p) token = file_in(directory, "token");
    return host != NULL && host[0] != '\0' && access(token, F_OK) == 0;
}

static char *namespace_of(const char *directory)
{
    AUTO(char *, memory_free_p) path = file_in(directory, "namespace");
    AUTO(char *, secret_free_p) text = NULL;
    if (!kube_file_read(path, &text, NULL))
        return memory_text("default");
    text[strcspn(text, " \t\r\n")] = '\0';
    return memory_text(text[0] != '\0' ? text : "default");
}

bool kube_config_in_cluster(const char *directory, struct kube_config **out_config,
                            struct error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
        error_set(err, ERROR_CONFIG, "not_in_cluster",
                  "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they are in "
                  "a pod");
        return error_advise(err, "Outside of a cluster name a kubeconfig.");
    }
    AUTO(struct kube_config *, kube_config_free_p) config = memory_alloc(sizeof(*config));
    bool bare_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
    AUTO(char *, memory_free_p)
    server =
        text_format("https://%s%s%s:%s", bare_ipv6 ? "[" : "", host, bare_ipv6 ? "]" : "", port);
    if (!kube_config_server_check(server, &config->server, err))
        return error_prefix(err, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
    config->authority.path = file_in(directory, "ca.crt");
    config->token.path = file_in(directory, "token");
    config->namespace_name = namespace_of(directory);
    *out_config = TAKE(config);
    return true;
}

bool kube_config_load(const char *paths, const char *context, struct kube_config **out_config,
                      struct error *err)
{
    AUTO(struct kube_config_files, kube_config_file_done) files = { .count = 0 };
    AUTO(struct kube_config *, kube_config_free_p) config = memory_alloc(sizeof(*config));
    if (!kube_config_file_open(paths, &files, err) ||
        !kube_config_file_apply(&files, context, config, err))
        return false;
    *out_config = TAKE(config);
    return true;
}
