/* Kubeconfigs, one or several: who is meant, and what is said of it. Any thread. */
#ifndef KUBE_KUBE_CONFIG_FILE_H
#define KUBE_KUBE_CONFIG_FILE_H

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"
#include "kube/kube_config.h"
#include "kube/kube_config_yaml.h"

enum { KUBE_CONFIG_FILE_MAX_COUNT = 32 };

struct kube_config_files {
    struct kube_config_yaml *yaml[KUBE_CONFIG_FILE_MAX_COUNT]; /* the first that says it counts */
    size_t count;
};

/* Into files that are empty. `paths` as kube_config_load(). */
MUST_CHECK bool kube_config_file_open(const char *paths, struct kube_config_files *files,
                                      struct error *err);
/* One more. */
MUST_CHECK bool kube_config_file_add(struct kube_config_files *files, struct slice text,
                                     const char *path, struct error *err);
void kube_config_file_done(struct kube_config_files *files);

/* Fills a config that is empty; what a failure leaves in it kube_config_free() frees. */
MUST_CHECK bool kube_config_file_apply(const struct kube_config_files *files, const char *context,
                                       struct kube_config *config, struct error *err);

#endif
