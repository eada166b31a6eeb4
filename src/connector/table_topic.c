#include "connector/table_topic.h"

#include "base/memory.h"

bool table_topic_find(const struct topic_route *route, struct slice schema, struct slice name,
                      const struct relation_name *parents, uint16_t parent_count, char **out_topic,
                      struct error *err)
{
    uint32_t count = (uint32_t)parent_count + 1;
    struct topic_route_name *names = memory_array(count, sizeof(*names));
    names[0] = (struct topic_route_name){ schema, name };
    for (uint32_t i = 1; i < count; i++)
        names[i] = (struct topic_route_name){ parents[i - 1].schema, parents[i - 1].name };
    bool found = topic_route_find(route, names, count, out_topic, err);
    memory_free(names);
    return found;
}

bool table_topic_of_published(const struct topic_route *route, const struct published_table *table,
                              char **out_topic, struct error *err)
{
    return table_topic_find(route, slice_of(table->schema), slice_of(table->name), table->parents,
                            table->parent_count, out_topic, err);
}
