#include "config/config_schema.h"

#include "config_fixture.h"

#include <stdio.h>

#include "config/config_option.h"
#include "config/config_yaml.h"

/* The schema, read back as YAML; schema_done() frees it. */
struct schema {
    struct buf text;
    struct config_tree tree;
    struct config_node *root;
};

static struct schema read_schema(uint32_t indent)
{
    static const struct config_source source = { CONFIG_SOURCE_FILE, "schema" };
    struct schema schema = { .text = buf_init(FIXTURE_MAX_BYTES), .tree = config_node_tree_init() };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    config_schema_write(indent, &schema.text);
    assert_false(schema.text.failed);
    if (!config_yaml_parse(&schema.tree, buf_slice(&schema.text), &source, &problems, &schema.root))
        fail_msg("%s: %s", problems.items[0].where, problems.items[0].text);
    return schema;
}

static void schema_done(struct schema *schema)
{
    config_node_tree_done(&schema->tree);
    buf_done(&schema->text);
}

static const struct config_node *get(const struct config_node *map, const char *key)
{
    bool is_map = map != NULL && map->kind == CONFIG_NODE_MAP;
    return is_map ? config_node_get(map, slice_of(key)) : NULL;
}

static const char *text_of(const struct config_node *map, const char *key)
{
    const struct config_node *node = get(map, key);
    return node != NULL ? node->text.data : "";
}

/* What stands about an option: of "cdc.publication.tables[].name" too. NULL = nothing. */
static const struct config_node *find(const struct schema *schema, const char *path)
{
    AUTO(char *, memory_free_p) copy = memory_text(path);
    char *rest = copy;
    const struct config_node *node = NULL;
    for (char *name = strsep(&rest, "."); name != NULL; name = strsep(&rest, ".")) {
        char *bracket = strchr(name, '[');
        if (bracket != NULL)
            *bracket = '\0';
        node = get(node == NULL ? schema->root : get(node, "properties"), name);
        if (bracket != NULL)
            node = get(node, "items");
        if (node == NULL)
            return NULL;
    }
    return node;
}

static void assert_is(const struct schema *schema, const char *path, const char *key,
                      const char *expected)
{
    const char *text = text_of(find(schema, path), key);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s is \"%s\"", path, key, text);
}

static uint32_t count_of(const struct config_node *node)
{
    return node != NULL ? node->count : 0;
}

static bool has_item(const struct config_node *list, const char *text)
{
    for (const struct config_node *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next)
        if (slice_is(item->text, text))
            return true;
    return false;
}

static void each_option_of_the_resource_has_its_schema(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    uint32_t counts[2], seen = 0, left_out = 0;
    const struct config_option *tables[] = { config_option_all(&counts[0]),
                                             config_option_items(&counts[1]) };
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        for (uint32_t i = 0; i < counts[table]; i++) {
            const struct config_option *option = &tables[table][i];
            const struct config_node *node = find(&schema, option->path);
            bool expected = (option->flags & CONFIG_NOT_IN_RESOURCE) == 0;
            if ((node != NULL) != expected)
                fail_msg("%s is %sthere", option->path, expected ? "not " : "");
            if (expected)
                assert_memory_equal(text_of(node, "description"), option->doc, strlen(option->doc));
            seen += expected;
            left_out += !expected;
        }
    }
    assert_true(seen > 50);
    assert_int_equal(left_out, 10);
}

/* No text, list or map is without an end, and nothing without a description. */
static void check_bounds(const struct config_node *schema, const char *name)
{
    const char *type = text_of(schema, "type");
    bool is_text = strcmp(type, "string") == 0 || get(schema, "anyOf") != NULL;
    if (is_text && get(schema, "enum") == NULL && get(schema, "maxLength") == NULL)
        fail_msg("%s: a text without maxLength", name);
    if (strcmp(type, "array") == 0) {
        if (get(schema, "maxItems") == NULL || *text_of(schema, "x-kubernetes-list-type") == '\0')
            fail_msg("%s: a list without maxItems or its type", name);
        check_bounds(get(schema, "items"), name);
    }
    if (get(schema, "additionalProperties") != NULL) {
        if (get(schema, "maxProperties") == NULL)
            fail_msg("%s: a map without maxProperties", name);
        check_bounds(get(schema, "additionalProperties"), name);
    }
    const struct config_node *fields = get(schema, "properties");
    for (const struct config_node *field = fields != NULL ? fields->first : NULL; field != NULL;
         field = field->next) {
        if (*text_of(field, "description") == '\0')
            fail_msg("%s has no description", field->key.data);
        check_bounds(field, field->key.data);
    }
}

static void everything_is_bounded_and_described(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    uint32_t sections = 0;
    for (const struct config_node *section = schema.root->first; section != NULL;
         section = section->next, sections++)
        check_bounds(section, section->key.data);
    assert_int_equal(sections, 5);
}

static void types_follow_the_kinds(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    assert_is(&schema, "cdc.host", "type", "string");
    assert_is(&schema, "cdc.debugMode", "type", "boolean");
    assert_is(&schema, "kafka.requiredAcks", "type", "integer");
    assert_is(&schema, "kafka.requiredAcks", "minimum", "-1");
    assert_is(&schema, "kafka.requiredAcks", "maximum", "1");
    assert_is(&schema, "kafka.producerMaxAttempts", "maximum", "");
    assert_is(&schema, "kafka.readTimeout", "x-kubernetes-int-or-string", "true");
    assert_is(&schema, "kafka.readTimeout", "type", "");
    assert_is(&schema, "kafka.maxInFlightBytes", "x-kubernetes-int-or-string", "true");
    assert_is(&schema, "cdc.port", "x-kubernetes-int-or-string", "true");
    assert_is(&schema, "cdc.port", "maximum", "65535");
    assert_is(&schema, "cdc.publication.tables", "maxItems", "1000");
    assert_is(&schema, "cdc.publication.tables[].columns", "type", "array");
    assert_true(has_item(get(find(&schema, "cdc.sslMode"), "enum"), "verify-full"));
    assert_true(has_item(get(get(find(&schema, "format.headers"), "items"), "enum"), "commit_ts"));
    assert_is(&schema, "format.headers", "maxItems", "6");
    assert_is(&schema, "kafka.tableTopicMapping", "type", "object");
}

static void what_is_required_is_required_with_its_sections(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    static const struct {
        const char *path, *name;
        bool required;
    } rows[] = {
        { "cdc", "host", true },       { "cdc", "publication", true },
        { "cdc", "slot", true },       { "cdc", "logger", false },
        { "cdc", "port", false },      { "cdc.slot", "name", true },
        { "kafka", "brokers", true },  { "cdc.publication.tables[]", "name", true },
        { "election", "mode", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(has_item(get(find(&schema, rows[i].path), "required"), rows[i].name),
                         rows[i].required);
    assert_null(get(find(&schema, "election"), "required"));
}

static void defaults_are_shown_where_the_resource_has_its_own(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    assert_is(&schema, "cdc.onHalt", "default", "wait");
    assert_is(&schema, "cdc.publication.tables[].schema", "default", "public");
    assert_is(&schema, "kafka.readTimeout", "default", "");
    assert_non_null(strstr(text_of(find(&schema, "kafka.readTimeout"), "description"),
                           "An integer counts milliseconds. Default: 30s."));
    assert_non_null(strstr(text_of(find(&schema, "kafka.producerMaxAttempts"), "description"),
                           "Default: without end."));
    assert_null(strstr(text_of(find(&schema, "cdc.onHalt"), "description"), "Default"));
}

static void secrets_and_files_are_references(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    const struct config_node *password = get(find(&schema, "cdc.password"), "properties");
    assert_int_equal(count_of(password), 1);
    assert_non_null(get(password, "secretRef"));
    assert_null(find(&schema, "cdc.passwordFile"));
    static const char *const files[] = { "cdc.sslRootCert", "cdc.sslCert", "cdc.sslKey" };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        const struct config_node *fields = get(find(&schema, files[i]), "properties");
        assert_int_equal(count_of(fields), 3);
        assert_non_null(get(fields, "path"));
        assert_non_null(get(fields, "secretRef"));
        assert_non_null(get(fields, "configMapRef"));
    }
    const struct config_node *values =
        get(find(&schema, "kafka.propertyFiles"), "additionalProperties");
    assert_non_null(get(get(values, "properties"), "configMapRef"));
}

static const char *rule_of(const struct config_node *schema, const char *message)
{
    const struct config_node *rules = get(schema, "x-kubernetes-validations");
    for (const struct config_node *rule = rules != NULL ? rules->first : NULL; rule != NULL;
         rule = rule->next)
        if (strstr(text_of(rule, "message"), message) != NULL)
            return text_of(rule, "rule");
    fail_msg("no rule says %s", message);
    return "";
}

static void rules_know_the_defaults_of_durations(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) schema = read_schema(0);
    const char *rule = rule_of(find(&schema, "election"), "must be longer than renewDeadline");
    assert_string_equal(rule, "(has(self.leaseDuration) ? (type(self.leaseDuration) == int ? "
                              "self.leaseDuration : "
                              "duration(self.leaseDuration).getMilliseconds()) : 15000) > "
                              "(has(self.renewDeadline) ? (type(self.renewDeadline) == int ? "
                              "self.renewDeadline : "
                              "duration(self.renewDeadline).getMilliseconds()) : 10000)");
    assert_string_equal(rule_of(find(&schema, "cdc.slot.name"), "cannot be changed"),
                        "self == oldSelf");
    assert_string_equal(
        rule_of(find(&schema, "cdc.walSenderTimeout"),
                "expected a duration (such as 200ms, 10s or 1m30s) from 1s to 1h"),
        "type(self) == int ? self >= 1000 && self <= 3600000 : "
        "self.matches('^([0-9.]+(h|m|s|ms))+$') && duration(self) >= duration('1000ms') && "
        "duration(self) <= duration('3600000ms')");
    assert_non_null(strstr(rule_of(find(&schema, "cdc.maxRecordBytes"),
                                   "expected a size (such as 512kb or 10mb) from 1kb to 1gb"),
                           "self >= 1024 && self <= 1073741824"));
    (void)rule_of(find(&schema, "cdc.publication.tables[]"), "go together");
}

/* A row about an option that there is not would bound nothing. */
static void each_row_is_about_an_option(void **state)
{
    (void)state;
    static const char *const paths[] = {
#define LIMIT(path, ...)   path,
#define NUMBER(path, ...)  path,
#define COUNT(path, ...)   path,
#define OBJECT(path, ...)  path,
#define DEFAULT(path, ...) path,
#define RULE(path, ...)    path,
#include "config/resource.def"
    };
    AUTO(struct schema, schema_done) schema = read_schema(0);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (find(&schema, paths[i]) == NULL)
            fail_msg("%s is not in the resource", paths[i]);
}

static void every_line_is_indented(void **state)
{
    (void)state;
    AUTO(struct schema, schema_done) flat = read_schema(0);
    AUTO(struct schema, schema_done) deep = read_schema(14);
    uint32_t lines = 0;
    for (const char *line = buf_text(&deep.text); *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "              ", 14);
        lines++;
    }
    assert_int_equal(deep.text.size, flat.text.size + (size_t)14 * lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_of_the_resource_has_its_schema),
        cmocka_unit_test(everything_is_bounded_and_described),
        cmocka_unit_test(types_follow_the_kinds),
        cmocka_unit_test(what_is_required_is_required_with_its_sections),
        cmocka_unit_test(defaults_are_shown_where_the_resource_has_its_own),
        cmocka_unit_test(secrets_and_files_are_references),
        cmocka_unit_test(rules_know_the_defaults_of_durations),
        cmocka_unit_test(each_row_is_about_an_option),
        cmocka_unit_test(every_line_is_indented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
