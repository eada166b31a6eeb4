#include "connector/handler_plugin.h"

#include <dlfcn.h>
#include <string.h>

#include "base/memory.h"

enum { PROBLEM_SIZE = 700 };

struct handler_plugin {
    char *path;
    void *object;
    const struct pqcdc_plugin *functions;
    void *self;
    bool is_open;
};

/* What the object's own text says is the reason; it names the file as well. */
static bool unloadable(const char *path, struct error *err)
{
    const char *reason = dlerror();
    error_set(err, ERROR_CONFIG, "handler_unloadable", "handler.path: %s cannot be loaded: %s",
              path, reason != NULL ? reason : "no reason is given");
    return error_advise(err, "name a shared object that was built for this machine (cc -shared "
                             "-fPIC), whose libraries are there, and against a header that is not "
                             "newer than this version");
}

static bool check_functions(const struct handler_plugin *plugin, struct error *err)
{
    const struct pqcdc_plugin *functions = plugin->functions;
    if (functions->api_version != PQCDC_API_VERSION) {
        error_set(
            err, ERROR_CONFIG, "handler_version",
            "handler.path: %s was built for version %u of the handler interface, this program "
            "has version %d",
            plugin->path, functions->api_version, PQCDC_API_VERSION);
        return error_advise(err,
                            "build it again with the pqcdc.h of this version (" PQCDC_VERSION ")");
    }
    for (size_t i = 0; i < COUNT_OF(functions->reserved); i++) {
        if (functions->reserved[i] != NULL)
            return error_set(err, ERROR_CONFIG, "handler_version",
                             "handler.path: %s uses what this version (" PQCDC_VERSION
                             ") does not know: reserved members of pqcdc_plugin are set",
                             plugin->path);
    }
    if (functions->handle == NULL && functions->respond == NULL)
        return error_set(err, ERROR_CONFIG, "handler_not_a_plugin",
                         "handler.path: %s: pqcdc_plugin has neither a handler nor a responder",
                         plugin->path);
    return true;
}

bool handler_plugin_load(const char *path, struct handler_plugin **out_plugin, struct error *err)
{
    AUTO(struct handler_plugin *, handler_plugin_free_p) plugin = memory_alloc(sizeof(*plugin));
    plugin->path = memory_text(path);
    if (strchr(path, '/') == NULL) { /* the loader would look for it elsewhere */
        error_set(err, ERROR_CONFIG, "handler_unloadable",
                  "handler.path: %s is the name of a library, not the path of a file", path);
        return error_advise(err, "write it with its directory: ./%s", path);
    }
    (void)dlerror();
    plugin->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin->object == NULL)
        return unloadable(path, err);
    plugin->functions = dlsym(plugin->object, "pqcdc_plugin");
    if (plugin->functions == NULL) {
        error_set(err, ERROR_CONFIG, "handler_not_a_plugin",
                  "handler.path: %s does not export pqcdc_plugin", path);
        return error_advise(err, "export it with PQCDC_PLUGIN of pqcdc.h");
    }
    if (!check_functions(plugin, err))
        return false;
    *out_plugin = TAKE(plugin);
    return true;
}

bool handler_plugin_open(struct handler_plugin *plugin, struct pqcdc_host *host, struct error *err)
{
    char problem[PROBLEM_SIZE] = "";
    if (plugin->functions->open != NULL &&
        !plugin->functions->open(host, &plugin->self, problem, sizeof(problem))) {
        problem[sizeof(problem) - 1] = '\0';
        return error_set(err, ERROR_CONFIG, "handler_refuses", "handler.path: %s: %s", plugin->path,
                         problem[0] != '\0' ? problem : "it does not start, and did not say why");
    }
    plugin->is_open = true;
    return true;
}

const struct pqcdc_plugin *handler_plugin_functions(const struct handler_plugin *plugin)
{
    return plugin->functions;
}

void *handler_plugin_self(const struct handler_plugin *plugin)
{
    return plugin->self;
}

void handler_plugin_free(struct handler_plugin *plugin)
{
    if (plugin == NULL)
        return;
    if (plugin->is_open && plugin->functions->close != NULL)
        plugin->functions->close(plugin->self);
    if (plugin->object != NULL)
        dlclose(plugin->object);
    memory_free(plugin->path);
    memory_free(plugin);
}
