#include "operator/rendering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config_option.h"
#include "kube/kube_object.h"

enum { PATH_MAX_BYTES = 512 };

/* How a reference is called, and the source of a projected volume that it becomes. */
static const struct reference {
    const char *name, *source;
} references[] = { { "secretRef", "secret" }, { "configMapRef", "configMap" } };

struct making {
    json_t *sources;
    const char *where; /* of the resource, for errors */
    struct error *err;
};

static void project(const struct making *making, const struct reference *reference,
                    const char *name, const char *key, const char *file)
{
    objects_append(making->sources, objects_pack("{s:{s:s, s:[{s:s, s:s}]}}", reference->source,
                                                 "name", name, "items", "key", key, "path", file));
}

static json_t *path_of(const char *directory, const char *file)
{
    AUTO(struct buf, buf_done) path = buf_init(PATH_MAX_BYTES * 2);
    buf_append_format(&path, "%s/%s", directory, file);
    return json_string(buf_text(&path));
}

static json_t *refused(const struct making *making)
{
    (void)error_set(making->err, ERROR_CONFIG, "wrong_reference",
                    "spec.%s: expected one of path, secretRef {name, key} and configMapRef "
                    "{name, key}",
                    making->where);
    return NULL;
}

/* The path that stands for a reference, as JSON; NULL = it is none. */
static json_t *resolve(const struct making *making, const json_t *value, const char *file)
{
    if (json_object_size(value) != 1)
        return refused(making);
    const char *path = json_string_value(json_object_get(value, "path"));
    if (path != NULL && path[0] != '\0')
        return json_string(path);
    for (size_t i = 0; i < COUNT_OF(references); i++) {
        const json_t *reference = json_object_get(value, references[i].name);
        const char *name = kube_object_text(reference, "name", "");
        const char *key = kube_object_text(reference, "key", "");
        if (name[0] == '\0' || key[0] == '\0')
            continue;
        project(making, &references[i], name, key, file);
        return path_of(RENDERING_SECRETS, file);
    }
    return refused(making);
}

/* The object that the option stands in, and its name there. NULL = there is none. */
static json_t *parent_of(json_t *root, const struct config_option *option, const char **out_name)
{
    struct slice section = config_option_section(option);
    char path[CONFIG_NAME_SIZE];
    memcpy(path, section.data, section.size);
    path[section.size] = '\0';
    *out_name = option->path + section.size + 1;
    return kube_object_find(root, path);
}

/* In the resource a secret is a reference under its own name, in the file its ...File option. */
static bool replace_text(struct making *making, json_t *root, const struct config_option *option)
{
    const char *name;
    json_t *section = parent_of(root, option, &name);
    json_t *value = json_object_get(section, name);
    if (value == NULL || json_is_null(value))
        return true;
    making->where = option->path;
    json_t *path = resolve(making, value, option->path);
    if (path == NULL)
        return false;
    char file_option[CONFIG_NAME_SIZE];
    bool is_secret = (option->flags & CONFIG_SECRET) != 0;
    snprintf(file_option, sizeof(file_option), "%s%s", name, is_secret ? "File" : "");
    (void)json_object_del(section, name);
    objects_set(section, file_option, path);
    return true;
}

static bool replace_map(struct making *making, json_t *root, const struct config_option *option)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(kube_object_find(root, option->path), next, key, value)
    {
        AUTO(struct buf, buf_done) file = buf_init(PATH_MAX_BYTES);
        buf_append_format(&file, "%s.%s", option->path, key);
        making->where = buf_text(&file);
        bool is_name = !file.failed && strchr(key, '/') == NULL;
        json_t *path = is_name ? resolve(making, value, making->where) : refused(making);
        if (path == NULL)
            return false;
        objects_set(kube_object_find(root, option->path), key, path);
    }
    return true;
}

static void leave_out(json_t *root, const struct config_option *option)
{
    const char *name;
    json_t *section = parent_of(root, option, &name);
    (void)json_object_del(section, name);
}

static bool replace_references(struct making *making, json_t *root)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++) {
        if ((options[i].flags & CONFIG_NOT_IN_RESOURCE) != 0)
            leave_out(root, &options[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((options[i].flags & (CONFIG_FILE | CONFIG_SECRET)) == 0)
            continue;
        bool is_map = options[i].kind == CONFIG_MAP;
        if (!(is_map ? replace_map : replace_text)(making, root, &options[i]))
            return false;
    }
    return true;
}

static json_t *copy_sections(const json_t *spec)
{
    static const char *const sections[] = { "cdc", "kafka", "format", "handler", "election" };
    json_t *root = json_object();
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        json_t *section = json_object_get(spec, sections[i]);
        if (json_is_object(section))
            objects_set(root, sections[i], json_deep_copy(section));
    }
    return root;
}

/* The volume is the pod's; what it holds has its path there. An absolute path of a resource that
 * was let through stays what it is. NULL = there is none. */
static json_t *take_handler(json_t *root)
{
    json_t *handler = json_object_get(root, "handler");
    json_t *volume = json_object_get(handler, "volume");
    const char *path = kube_object_text(handler, "path", "");
    volume = json_is_object(volume) ? json_incref(volume) : NULL;
    (void)json_object_del(handler, "volume");
    if (volume == NULL)
        return NULL;
    if (path[0] != '/' && path[0] != '\0')
        objects_set(handler, "path", path_of(RENDERING_HANDLER, path));
    objects_set(volume, "name", json_string(RENDERING_HANDLER_VOLUME));
    return volume;
}

static void set_default(json_t *section, const char *name, json_t *value)
{
    json_t *given = json_object_get(section, name);
    if (given == NULL || json_is_null(given))
        objects_set(section, name, value);
    else
        json_decref(value);
}

static void decide(json_t *root, const struct resource *resource,
                   const struct operator_settings *settings)
{
    json_t *cdc = kube_object_child(root, "cdc");
    json_t *election = kube_object_child(root, "election");
    set_default(cdc, "onHalt", json_string("wait"));
    objects_set(kube_object_child(cdc, "metric"), "port", json_integer(settings->worker_port));
    /* Of one replica too: to be scaled must not change the configuration, and roll the pods. */
    set_default(kube_object_child(root, "format"), "headers", objects_pack("[s]", "pos"));
    objects_set(election, "mode", json_string("lease"));
    objects_set(election, "leaseName", json_string(resource->child));
}

static char *write_text(const json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    CHECK(text != NULL);
    AUTO(struct buf, buf_done) line = buf_init(SIZE_MAX / 2);
    buf_append_text(&line, text);
    buf_append_byte(&line, '\n');
    free(text);
    return memory_text(buf_text(&line));
}

bool rendering_make(const struct resource *resource, const struct operator_settings *settings,
                    struct rendering *out_rendering, struct error *err)
{
    AUTO(json_t *, json_decrefp) root = copy_sections(resource->spec);
    AUTO(json_t *, json_decrefp) sources = json_array();
    AUTO(json_t *, json_decrefp) handler = take_handler(root);
    struct making making = { .sources = sources, .err = err };
    if (!replace_references(&making, root))
        return false;
    decide(root, resource, settings);
    *out_rendering = (struct rendering){ .text = write_text(root),
                                         .sources = TAKE(sources),
                                         .handler = TAKE(handler) };
    objects_hash_text(slice_of(out_rendering->text), out_rendering->hash);
    return true;
}

void rendering_done(struct rendering *rendering)
{
    memory_free(rendering->text);
    json_decref(rendering->sources);
    json_decref(rendering->handler);
    *rendering = (struct rendering){ 0 };
}
