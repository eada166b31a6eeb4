#include "worker/check_handler.h"

#include "connector/handler_plugin.h"

bool check_handler(struct check_sight *sight, struct error *err)
{
    AUTO(struct handler_plugin *, handler_plugin_free_p) plugin = NULL;
    const char *path = sight->config->handler_path;
    if (path == NULL)
        return true;
    if (!handler_plugin_load(path, &plugin, err))
        return false;
    const char *name = handler_plugin_functions(plugin)->name;
    check_say(sight, OK, MEND_NONE, "%s can be loaded%s%s", path, name != NULL ? ": " : "",
              name != NULL ? name : "");
    return true;
}
