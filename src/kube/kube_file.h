/* Files that may hold secrets: kubeconfigs, tokens, certificates, keys. Any thread. */
#ifndef KUBE_KUBE_FILE_H
#define KUBE_KUBE_FILE_H

#include "base/check.h"
#include "base/error.h"

enum { KUBE_FILE_MAX_BYTES = 1024 * 1024 };

/* The whole content as text; secret_free() it. ERROR_CONFIG "file_unreadable" names the file and
 * the reason, never the content. */
MUST_CHECK bool kube_file_read(const char *path, char **out_text, struct error *err);

#endif
