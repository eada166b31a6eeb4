#include "operator/resource.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "kube/kube_object.h"

enum { DEFAULT_REPLICAS = 2, DEFAULT_SHUTDOWN_MS = 20000, SHUTDOWN_MAX_MS = 3600000 };

enum kind { OBJECT = 1, ARRAY = 2, STRING = 4, INTEGER = 8, BOOLEAN = 16, REQUIRED = 32 };

/* What the rest of the room relies on; everything else is handed on as it is. */
static const struct expectation {
    const char *path;
    unsigned kinds;
} expectations[] = {
    { "spec", OBJECT | REQUIRED },
    { "spec.cdc", OBJECT | REQUIRED },
    { "spec.cdc.host", STRING | REQUIRED },
    { "spec.cdc.port", STRING | INTEGER },
    { "spec.cdc.username", STRING | REQUIRED },
    { "spec.cdc.database", STRING | REQUIRED },
    { "spec.cdc.password", OBJECT },
    { "spec.cdc.sslRootCert", OBJECT },
    { "spec.cdc.sslCert", OBJECT },
    { "spec.cdc.sslKey", OBJECT },
    { "spec.cdc.metric", OBJECT },
    { "spec.cdc.shutdownTimeout", STRING | INTEGER },
    { "spec.cdc.publication", OBJECT | REQUIRED },
    { "spec.cdc.publication.name", STRING | REQUIRED },
    { "spec.cdc.slot", OBJECT | REQUIRED },
    { "spec.cdc.slot.name", STRING | REQUIRED },
    { "spec.kafka", OBJECT | REQUIRED },
    { "spec.kafka.propertyFiles", OBJECT },
    { "spec.format", OBJECT },
    { "spec.format.headers", ARRAY },
    { "spec.election", OBJECT },
    { "spec.replicas", INTEGER },
    { "spec.paused", BOOLEAN },
    { "spec.deletionPolicy", STRING },
    { "spec.image", OBJECT },
    { "spec.image.repository", STRING },
    { "spec.image.tag", STRING },
    { "spec.image.digest", STRING },
    { "spec.image.pullPolicy", STRING },
    { "spec.podMonitor", OBJECT },
    { "spec.podMonitor.enabled", BOOLEAN },
    { "spec.podMonitor.interval", STRING },
    { "spec.podMonitor.labels", OBJECT },
    { "spec.template", OBJECT },
    { "spec.template.resources", OBJECT },
    { "spec.template.nodeSelector", OBJECT },
    { "spec.template.tolerations", ARRAY },
    { "spec.template.affinity", OBJECT },
    { "spec.template.topologySpreadConstraints", ARRAY },
    { "spec.template.priorityClassName", STRING },
    { "spec.template.annotations", OBJECT },
    { "spec.template.labels", OBJECT },
    { "spec.template.env", ARRAY },
    { "spec.template.envFrom", ARRAY },
    { "spec.template.volumes", ARRAY },
    { "spec.template.volumeMounts", ARRAY },
    { "spec.template.securityContext", OBJECT },
    { "spec.template.podSecurityContext", OBJECT },
    { "spec.template.serviceAccountName", STRING },
    { "spec.template.imagePullSecrets", ARRAY },
};

static unsigned kind_of(const json_t *value)
{
    if (json_is_boolean(value))
        return BOOLEAN;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return OBJECT;
    case JSON_ARRAY:
        return ARRAY;
    case JSON_STRING:
        return STRING;
    case JSON_INTEGER:
        return INTEGER;
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
    default:
        return 0;
    }
}

static void name_kinds(unsigned kinds, struct buf *out)
{
    static const char *const names[] = { "an object", "a list", "a text", "a whole number",
                                         "true or false" };
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if ((kinds & (1U << i)) == 0)
            continue;
        buf_append_text(out, out->size > 0 ? " or " : "");
        buf_append_text(out, names[i]);
    }
}

static bool meets(const struct expectation *expectation, const json_t *object, struct error *err)
{
    const json_t *value = kube_object_find(object, expectation->path);
    bool absent = value == NULL || json_is_null(value);
    bool required = (expectation->kinds & REQUIRED) != 0;
    if (absent && !required)
        return true;
    if (absent || (required && json_is_string(value) && json_string_length(value) == 0))
        return error_set(err, ERROR_CONFIG, "missing", "%s is missing", expectation->path);
    if ((kind_of(value) & expectation->kinds) != 0)
        return true;
    AUTO(struct buf, buf_done) kinds = buf_init(ERROR_CODE_SIZE * 4);
    name_kinds(expectation->kinds, &kinds);
    return error_set(err, ERROR_CONFIG, "wrong_type", "%s: expected %s", expectation->path,
                     buf_text(&kinds));
}

static bool meets_all(const json_t *object, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        if (!meets(&expectations[i], object, err))
            return false;
    }
    return true;
}

static bool has_finalizer(const json_t *object)
{
    const json_t *all = kube_object_find(object, "metadata.finalizers");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *name = json_string_value(json_array_get(all, i));
        if (name != NULL && strcmp(name, RESOURCE_FINALIZER) == 0)
            return true;
    }
    return false;
}

static void read_metadata(const json_t *object, struct resource *out)
{
    *out = (struct resource){
        .object = object,
        .name = kube_object_text(object, "metadata.name", ""),
        .namespace_name = kube_object_text(object, "metadata.namespace", ""),
        .uid = kube_object_text(object, "metadata.uid", ""),
        .generation = kube_object_integer(object, "metadata.generation", 0),
        .deleting = kube_object_text(object, "metadata.deletionTimestamp", NULL) != NULL,
        .abandoned = strcmp(kube_object_annotation(object, RESOURCE_ABANDON), "true") == 0,
        .has_finalizer = has_finalizer(object),
    };
    snprintf(out->child, sizeof(out->child), "pqcdc-%.*s", RESOURCE_NAME_MAX_BYTES, out->name);
    snprintf(out->drop, sizeof(out->drop), "pqcdc-%.*s-drop", RESOURCE_NAME_MAX_BYTES, out->name);
}

static bool is_true(const json_t *object, const char *path)
{
    return json_is_true(kube_object_find(object, path));
}

/* All that does no harm when it is wrong: each has its default. */
static void read_spec(const json_t *object, struct resource *out)
{
    out->spec = kube_object_find(object, "spec");
    out->template = kube_object_find(object, "spec.template");
    out->host = kube_object_text(object, "spec.cdc.host", "");
    out->database = kube_object_text(object, "spec.cdc.database", "");
    out->slot = kube_object_text(object, "spec.cdc.slot.name", "");
    out->publication = kube_object_text(object, "spec.cdc.publication.name", "");
    out->replicas = kube_object_integer(object, "spec.replicas", DEFAULT_REPLICAS);
    out->paused = is_true(object, "spec.paused");
    out->delete_slot = strcmp(kube_object_text(object, "spec.deletionPolicy", ""), "Delete") == 0;
    out->pod_monitor = is_true(object, "spec.podMonitor.enabled");
    const char *account = kube_object_text(object, "spec.template.serviceAccountName", "");
    out->service_account = account[0] != '\0' ? account : NULL;
    out->shutdown_ms = DEFAULT_SHUTDOWN_MS;
}

static bool read_shutdown(struct resource *out, struct error *err)
{
    const json_t *value = kube_object_find(out->spec, "cdc.shutdownTimeout");
    int64_t ms = DEFAULT_SHUTDOWN_MS;
    bool read = json_is_integer(value) || value == NULL || json_is_null(value);
    if (json_is_integer(value))
        ms = json_integer_value(value);
    else if (json_is_string(value))
        read = text_parse_duration_ms(json_string_value(value), 1, &ms);
    if (!read || ms < 0 || ms > SHUTDOWN_MAX_MS)
        return error_set(err, ERROR_CONFIG, "out_of_range",
                         "spec.cdc.shutdownTimeout: expected a duration from 0s to 1h");
    out->shutdown_ms = ms;
    return true;
}

static bool check_values(const struct resource *out, struct error *err)
{
    size_t size = strlen(out->name);
    if (size == 0 || out->namespace_name[0] == '\0' || out->uid[0] == '\0')
        return error_set(err, ERROR_CONFIG, "missing", "metadata lacks name, namespace or uid");
    if (size > RESOURCE_NAME_MAX_BYTES)
        return error_set(err, ERROR_CONFIG, "name_too_long",
                         "metadata.name has %zu bytes, of which %d may be", size,
                         RESOURCE_NAME_MAX_BYTES);
    if (out->replicas < 0 || out->replicas > RESOURCE_REPLICAS_MAX)
        return error_set(err, ERROR_CONFIG, "out_of_range", "spec.replicas: expected 0 to %d",
                         RESOURCE_REPLICAS_MAX);
    const char *policy = kube_object_text(out->spec, "deletionPolicy", "Retain");
    if (!out->delete_slot && strcmp(policy, "Retain") != 0)
        return error_set(err, ERROR_CONFIG, "wrong_value",
                         "spec.deletionPolicy: expected Retain or Delete");
    return true;
}

bool resource_read(const json_t *object, struct resource *out_resource, struct error *err)
{
    read_metadata(object, out_resource);
    read_spec(object, out_resource);
    return meets_all(object, err) && check_values(out_resource, err) &&
           read_shutdown(out_resource, err);
}

/* "repository", "tag" and "digest" of a reference; a registry's port is no tag. */
static void split_image(const char *reference, struct slice *out_repository, struct slice *out_tag)
{
    size_t size = strcspn(reference, "@");
    const char *slash = memrchr(reference, '/', size);
    const char *last = slash != NULL ? slash : reference;
    const char *colon = memchr(last, ':', size - (size_t)(last - reference));
    size_t name = colon != NULL ? (size_t)(colon - reference) : size;
    *out_repository = (struct slice){ reference, name };
    *out_tag =
        colon != NULL ? (struct slice){ colon + 1, size - name - 1 } : (struct slice){ "", 0 };
}

void resource_image(const struct resource *resource, const struct operator_settings *settings,
                    struct buf *out)
{
    const char *repository = kube_object_text(resource->spec, "image.repository", "");
    const char *tag = kube_object_text(resource->spec, "image.tag", "");
    const char *digest = kube_object_text(resource->spec, "image.digest", "");
    if (repository[0] == '\0' && tag[0] == '\0' && digest[0] == '\0') {
        buf_append_text(out, settings->worker_image);
        return;
    }
    struct slice own_repository, own_tag;
    split_image(settings->worker_image, &own_repository, &own_tag);
    buf_append_slice(out, repository[0] != '\0' ? slice_of(repository) : own_repository);
    struct slice wanted_tag = tag[0] != '\0' || digest[0] != '\0' ? slice_of(tag) : own_tag;
    if (wanted_tag.size > 0) {
        buf_append_byte(out, ':');
        buf_append_slice(out, wanted_tag);
    }
    if (digest[0] != '\0') {
        buf_append_byte(out, '@');
        buf_append_text(out, digest);
    }
}

static void append_lower(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        buf_append_byte(out, (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte));
    }
}

/* A name without a dot is looked up in the namespace of the pod; a path is in its file system. An
 * address has a dot or a colon. */
static void append_host(struct buf *out, struct slice host, const char *namespace_name)
{
    bool is_path = host.size > 0 && host.data[0] == '/';
    append_lower(out, host);
    if (is_path ||
        (memchr(host.data, '.', host.size) == NULL && memchr(host.data, ':', host.size) == NULL))
        buf_append_format(out, "%s%s", is_path ? "@" : ".", namespace_name);
}

static void append_hosts(struct buf *out, const char *hosts, const char *namespace_name)
{
    for (;;) {
        size_t size = strcspn(hosts, ",");
        append_host(out, (struct slice){ hosts, size }, namespace_name);
        hosts += size;
        if (*hosts++ == '\0')
            return;
        buf_append_byte(out, ',');
    }
}

static void append_port(struct buf *out, const json_t *port)
{
    if (json_is_integer(port))
        buf_append_format(out, "%lld", (long long)json_integer_value(port));
    else
        buf_append_text(out, json_is_string(port) ? json_string_value(port) : "5432");
}

void resource_slot_key(const json_t *object, struct buf *out)
{
    const char *host = kube_object_text(object, "spec.cdc.host", "");
    const char *database = kube_object_text(object, "spec.cdc.database", "");
    const char *slot = kube_object_text(object, "spec.cdc.slot.name", "");
    if (host[0] == '\0' || database[0] == '\0' || slot[0] == '\0')
        return;
    append_hosts(out, host, kube_object_text(object, "metadata.namespace", ""));
    buf_append_byte(out, '\n');
    append_port(out, kube_object_find(object, "spec.cdc.port"));
    buf_append_format(out, "\n%s\n%s", database, slot);
}

bool resource_is_older(const json_t *a, const json_t *b)
{
    static const char *const paths[] = { "metadata.creationTimestamp", "metadata.namespace",
                                         "metadata.name" };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int order = strcmp(kube_object_text(a, paths[i], ""), kube_object_text(b, paths[i], ""));
        if (order != 0)
            return order < 0;
    }
    return false;
}
