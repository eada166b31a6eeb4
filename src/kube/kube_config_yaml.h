/* A kubeconfig as YAML, looked up by names. A node is a number, 0 = there is none. What is returned
 * lives as long as the document. Any thread, one at a time. */
#ifndef KUBE_KUBE_CONFIG_YAML_H
#define KUBE_KUBE_CONFIG_YAML_H

#include <stdbool.h>

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"

struct kube_config_yaml;

/* The first document of the text. `path` is shown in errors and is copied. */
MUST_CHECK bool kube_config_yaml_parse(struct slice text, const char *path,
                                       struct kube_config_yaml **out_yaml, struct error *err);
void kube_config_yaml_free(struct kube_config_yaml *yaml); /* wipes; NULL allowed */

const char *kube_config_yaml_path(const struct kube_config_yaml *yaml);

int kube_config_yaml_root(struct kube_config_yaml *yaml);
/* Of a mapping; of anything else there are no children. Null values are absent. */
int kube_config_yaml_child(struct kube_config_yaml *yaml, int node, const char *key);
/* In the list at the root ("clusters"), the first item of that name; of it, the child ("cluster").
 * *out_found tells whether there was such an item: its child may be absent. */
int kube_config_yaml_entry(struct kube_config_yaml *yaml, const char *list, const char *child,
                           const char *name, bool *out_found);
/* NULL = absent. An error where a list, a mapping or a NUL stands; it names file, line and key. */
MUST_CHECK bool kube_config_yaml_text(struct kube_config_yaml *yaml, int node, const char *key,
                                      const char **out_text, struct error *err);

#endif
