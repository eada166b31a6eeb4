/* A shared object with a handler (struct pqcdc_plugin of include/pqcdc/pqcdc.h). It becomes a part
 * of the process: it can crash it, block it, and read all that it can. Errors are ERROR_CONFIG. */
#ifndef CONNECTOR_HANDLER_PLUGIN_H
#define CONNECTOR_HANDLER_PLUGIN_H

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "pqcdc/pqcdc.h"

struct handler_plugin;

/* Loads the object and looks at what it exports. "handler_unloadable", "handler_not_a_plugin",
 * "handler_version". */
MUST_CHECK bool handler_plugin_load(const char *path, struct handler_plugin **out_plugin,
                                    struct error *err);
/* Calls its open(). "handler_refuses": it does not take its options. */
MUST_CHECK bool handler_plugin_open(struct handler_plugin *plugin, struct pqcdc_host *host,
                                    struct error *err);
const struct pqcdc_plugin *handler_plugin_functions(const struct handler_plugin *plugin);
void *handler_plugin_self(const struct handler_plugin *plugin);
void handler_plugin_free(struct handler_plugin *plugin); /* closes and unloads; NULL allowed */
CLEANUP_POINTER(struct handler_plugin, handler_plugin_free)

#endif
