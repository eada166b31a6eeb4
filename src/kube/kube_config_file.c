/* What is read of a kubeconfig, and nothing else:
 *
 *   current-context: NAME
 *   contexts: [{name, context: {cluster, user, namespace}}]
 *   clusters: [{name, cluster: {server, certificate-authority, certificate-authority-data,
 *               insecure-skip-tls-verify, tls-server-name}}]
 *   users: [{name, user: {token, tokenFile, client-certificate, client-certificate-data,
 *            client-key, client-key-data}}]
 */
#include "kube/kube_config_file.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "kube/kube_base64.h"
#include "kube/kube_config_server.h"
#include "kube/kube_file.h"

enum { NAMESPACE_MAX_BYTES = 63 };

/* An entry, and the file that it stands in. */
struct place {
    struct kube_config_yaml *yaml;
    int node; /* 0 = the entry says nothing */
};

void kube_config_file_done(struct kube_config_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        kube_config_yaml_free(files->yaml[i]);
    files->count = 0;
}

bool kube_config_file_add(struct kube_config_files *files, struct slice text, const char *path,
                          struct error *err)
{
    if (files->count == KUBE_CONFIG_FILE_MAX_COUNT)
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "more than %d kubeconfigs",
                         KUBE_CONFIG_FILE_MAX_COUNT);
    if (!kube_config_yaml_parse(text, path, &files->yaml[files->count], err))
        return false;
    files->count++;
    return true;
}

static bool add_path(struct kube_config_files *files, const char *path, struct error *err)
{
    AUTO(char *, secret_free_p) text = NULL;
    if (!kube_file_read(path, &text, err))
        return error_prefix(err, "kubeconfig");
    return kube_config_file_add(files, slice_of(text), path, err);
}

bool kube_config_file_open(const char *paths, struct kube_config_files *files, struct error *err)
{
    AUTO(char *, memory_free_p) list = memory_text(paths);
    char *rest = list;
    for (char *path; (path = strsep(&rest, ":")) != NULL;) {
        bool alone = strchr(paths, ':') == NULL;
        if (path[0] != '\0' && (alone || access(path, F_OK) == 0) && !add_path(files, path, err))
            return false;
    }
    if (files->count > 0)
        return true;
    error_set(err, ERROR_CONFIG, "kubeconfig_missing", "no kubeconfig at \"%s\"", paths);
    return error_advise(err, "Check the path, and the variable KUBECONFIG.");
}

/* The first file that has the entry tells all of it. */
static bool find(const struct kube_config_files *files, const char *list, const char *child,
                 const char *name, struct place *out_place, struct error *err)
{
    for (size_t i = 0; i < files->count; i++) {
        bool found;
        int node = kube_config_yaml_entry(files->yaml[i], list, child, name, &found);
        if (found) {
            *out_place = (struct place){ files->yaml[i], node };
            return true;
        }
    }
    return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: no %s \"%s\" among its %s",
                     kube_config_yaml_path(files->yaml[0]), child, name, list);
}

static bool text_of(const struct place *place, const char *key, const char **out_text,
                    struct error *err)
{
    return kube_config_yaml_text(place->yaml, place->node, key, out_text, err);
}

/* memory_free() it. */
static char *relative(const struct place *place, const char *path)
{
    const char *base = kube_config_yaml_path(place->yaml);
    const char *slash = strrchr(base, '/');
    if (path[0] == '/' || slash == NULL)
        return memory_text(path);
    return text_format("%.*s/%s", (int)(slash - base), base, path);
}

/* Text under data_key, perhaps in base64, before a path under path_key. */
static bool take_item(const struct place *place, const char *path_key, const char *data_key,
                      struct kube_config_item *item, struct error *err)
{
    const char *path, *data;
    if (!text_of(place, path_key, &path, err) || !text_of(place, data_key, &data, err))
        return false;
    if (data != NULL && data[0] != '\0') {
        if (kube_base64_decode(data, &item->data))
            return true;
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: %s is not base64",
                         kube_config_yaml_path(place->yaml), data_key);
    }
    if (path != NULL && path[0] != '\0')
        item->path = relative(place, path);
    return true;
}

static bool take_server(const struct place *place, struct kube_config *config, struct error *err)
{
    const char *server, *name;
    if (!text_of(place, "server", &server, err) || !text_of(place, "tls-server-name", &name, err))
        return false;
    if (server == NULL || server[0] == '\0')
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: the cluster has no server",
                         kube_config_yaml_path(place->yaml));
    if (!kube_config_server_check(server, &config->server, err))
        return error_prefix(err, "%s", kube_config_yaml_path(place->yaml));
    if (name != NULL && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-_") != strlen(name))
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid",
                         "%s: tls-server-name must be the name of a host",
                         kube_config_yaml_path(place->yaml));
    config->tls_server_name = name != NULL && name[0] != '\0' ? memory_text(name) : NULL;
    return true;
}

static bool take_cluster(const struct place *place, struct kube_config *config, struct error *err)
{
    const char *insecure;
    if (!take_server(place, config, err) ||
        !take_item(place, "certificate-authority", "certificate-authority-data", &config->authority,
                   err) ||
        !text_of(place, "insecure-skip-tls-verify", &insecure, err))
        return false;
    if (insecure != NULL && !text_parse_bool(insecure, &config->insecure))
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid",
                         "%s: insecure-skip-tls-verify must be true or false",
                         kube_config_yaml_path(place->yaml));
    if (kube_config_yaml_child(place->yaml, place->node, "proxy-url") == 0)
        return true;
    error_set(err, ERROR_CONFIG, "kubeconfig_unsupported", "%s: proxy-url is not supported",
              kube_config_yaml_path(place->yaml));
    return error_advise(err, "Set the variable HTTPS_PROXY instead.");
}

/* Ways to log in that need another program, or that API servers have given up. */
static bool refuse_others(const struct place *place, struct error *err)
{
    static const char *const keys[] = { "exec", "auth-provider", "username", "password", "as" };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (kube_config_yaml_child(place->yaml, place->node, keys[i]) == 0)
            continue;
        error_set(err, ERROR_CONFIG, "kubeconfig_unsupported",
                  "%s: the user logs in by %s, which is not supported",
                  kube_config_yaml_path(place->yaml), keys[i]);
        return error_advise(err, "Use a service account: a kubeconfig whose user has token or "
                                 "tokenFile (kubectl create token NAME), or a client certificate.");
    }
    return true;
}

static bool take_token(const struct place *place, struct kube_config *config, struct error *err)
{
    const char *token, *path;
    if (!text_of(place, "token", &token, err) || !text_of(place, "tokenFile", &path, err))
        return false;
    if (path != NULL && path[0] != '\0')
        config->token.path = relative(place, path);
    else if (token != NULL && token[0] != '\0')
        config->token.data = memory_text(token);
    return true;
}

static bool is_given(const struct kube_config_item *item)
{
    return item->path != NULL || item->data != NULL;
}

static bool take_user(const struct place *place, struct kube_config *config, struct error *err)
{
    if (!refuse_others(place, err) || !take_token(place, config, err) ||
        !take_item(place, "client-certificate", "client-certificate-data", &config->certificate,
                   err) ||
        !take_item(place, "client-key", "client-key-data", &config->key, err))
        return false;
    if (is_given(&config->certificate) == is_given(&config->key))
        return true;
    return error_set(err, ERROR_CONFIG, "kubeconfig_invalid",
                     "%s: client-certificate and client-key belong together",
                     kube_config_yaml_path(place->yaml));
}

/* Borrowed from a file, or the caller's. */
static bool choose_context(const struct kube_config_files *files, const char *wanted,
                           const char **out_name, struct error *err)
{
    const char *name = wanted;
    for (size_t i = 0; (name == NULL || name[0] == '\0') && i < files->count; i++) {
        int root = kube_config_yaml_root(files->yaml[i]);
        if (!kube_config_yaml_text(files->yaml[i], root, "current-context", &name, err))
            return false;
    }
    if (name == NULL || name[0] == '\0')
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: it has no current-context",
                         kube_config_yaml_path(files->yaml[0]));
    *out_name = name;
    return true;
}

static bool part_of_context(const struct place *context, const char *key, const char *context_name,
                            const char **out_name, struct error *err)
{
    if (!text_of(context, key, out_name, err))
        return false;
    if (*out_name != NULL && (*out_name)[0] != '\0')
        return true;
    return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: context \"%s\" names no %s",
                     kube_config_yaml_path(context->yaml), context_name, key);
}

static bool take_namespace(const struct place *context, const char *name,
                           struct kube_config *config, struct error *err)
{
    const char *given = name != NULL && name[0] != '\0' ? name : "default";
    size_t size = strspn(given, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (given[size] != '\0' || size > NAMESPACE_MAX_BYTES)
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid",
                         "%s: namespace must be 1 to %d of a-z, 0-9 and -, as namespaces are",
                         kube_config_yaml_path(context->yaml), NAMESPACE_MAX_BYTES);
    config->namespace_name = memory_text(given);
    return true;
}

bool kube_config_file_apply(const struct kube_config_files *files, const char *wanted,
                            struct kube_config *config, struct error *err)
{
    struct place context, cluster, user;
    const char *name = NULL, *cluster_name = NULL, *user_name = NULL, *namespace_name = NULL;
    if (!choose_context(files, wanted, &name, err) ||
        !find(files, "contexts", "context", name, &context, err) ||
        !part_of_context(&context, "cluster", name, &cluster_name, err) ||
        !part_of_context(&context, "user", name, &user_name, err) ||
        !text_of(&context, "namespace", &namespace_name, err) ||
        !find(files, "clusters", "cluster", cluster_name, &cluster, err) ||
        !find(files, "users", "user", user_name, &user, err) ||
        !take_cluster(&cluster, config, err) || !take_user(&user, config, err))
        return false;
    return take_namespace(&context, namespace_name, config, err);
}
