#include "kube/kube_config_yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/memory.h"

struct kube_config_yaml {
    yaml_document_t document;
    char *path;
};

static void wipe(yaml_document_t *document)
{
    for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
}

void kube_config_yaml_free(struct kube_config_yaml *yaml)
{
    if (yaml == NULL)
        return;
    wipe(&yaml->document);
    yaml_document_delete(&yaml->document);
    memory_free(yaml->path);
    memory_free(yaml);
}

/* The parser's own copies of the text hold secrets as well. */
static void parser_done(yaml_parser_t *parser)
{
    explicit_bzero(parser->raw_buffer.start,
                   (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
    explicit_bzero(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
    yaml_parser_delete(parser);
}

/* libyaml's texts are constants: they hold nothing of the input. */
static bool not_yaml(const yaml_parser_t *parser, const char *path, struct error *err)
{
    const char *problem = parser->problem != NULL ? parser->problem : "out of memory";
    if (parser->error == YAML_READER_ERROR)
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s: not YAML: %s", path,
                         problem);
    return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s:%zu: not YAML: %s", path,
                     parser->problem_mark.line + 1, problem);
}

bool kube_config_yaml_parse(struct slice text, const char *path, struct kube_config_yaml **out_yaml,
                            struct error *err)
{
    AUTO(yaml_parser_t, parser_done) parser;
    CHECK(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.size);
    struct kube_config_yaml *yaml = memory_alloc(sizeof(*yaml));
    if (!yaml_parser_load(&parser, &yaml->document)) {
        memory_free(yaml);
        return not_yaml(&parser, path, err);
    }
    yaml->path = memory_text(path);
    *out_yaml = yaml;
    return true;
}

const char *kube_config_yaml_path(const struct kube_config_yaml *yaml)
{
    return yaml->path;
}

int kube_config_yaml_root(struct kube_config_yaml *yaml)
{
    return yaml_document_get_root_node(&yaml->document) != NULL ? 1 : 0;
}

static struct slice scalar_of(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE)
        return SLICE_NULL;
    return (struct slice){ (const char *)node->data.scalar.value, node->data.scalar.length };
}

static bool is_null(const yaml_node_t *node)
{
    struct slice text = scalar_of(node);
    return text.data != NULL && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.size == 0 || slice_is(text, "~") || slice_is(text, "null"));
}

int kube_config_yaml_child(struct kube_config_yaml *yaml, int node, const char *key)
{
    const yaml_node_t *map = yaml_document_get_node(&yaml->document, node);
    if (map == NULL || map->type != YAML_MAPPING_NODE)
        return 0;
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        struct slice name = scalar_of(yaml_document_get_node(&yaml->document, pair->key));
        if (name.data != NULL && slice_is(name, key))
            return is_null(yaml_document_get_node(&yaml->document, pair->value)) ? 0 : pair->value;
    }
    return 0;
}

int kube_config_yaml_entry(struct kube_config_yaml *yaml, const char *list, const char *child,
                           const char *name, bool *out_found)
{
    int at = kube_config_yaml_child(yaml, kube_config_yaml_root(yaml), list);
    const yaml_node_t *items = yaml_document_get_node(&yaml->document, at);
    *out_found = false;
    if (items == NULL || items->type != YAML_SEQUENCE_NODE)
        return 0;
    for (const yaml_node_item_t *item = items->data.sequence.items.start;
         item < items->data.sequence.items.top; item++) {
        int named = kube_config_yaml_child(yaml, *item, "name");
        struct slice text = scalar_of(yaml_document_get_node(&yaml->document, named));
        if (text.data == NULL || !slice_is(text, name))
            continue;
        *out_found = true;
        return kube_config_yaml_child(yaml, *item, child);
    }
    return 0;
}

bool kube_config_yaml_text(struct kube_config_yaml *yaml, int node, const char *key,
                           const char **out_text, struct error *err)
{
    int at = kube_config_yaml_child(yaml, node, key);
    const yaml_node_t *value = yaml_document_get_node(&yaml->document, at);
    if (value == NULL) {
        *out_text = NULL;
        return true;
    }
    struct slice text = scalar_of(value);
    if (text.data == NULL || memchr(text.data, '\0', text.size) != NULL)
        return error_set(err, ERROR_CONFIG, "kubeconfig_invalid", "%s:%zu: %s must be text",
                         yaml->path, value->start_mark.line + 1, key);
    *out_text = text.data;
    return true;
}
