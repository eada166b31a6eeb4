#include "kube/kube_config.h"

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int setup(void **state)
{
    struct scene *scene = memory_alloc(sizeof(*scene));
    scene_init(scene);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    scene_done(*state);
    memory_free(*state);
    return 0;
}

static void expect_text(const char *text, const char *wanted)
{
    if (wanted == NULL)
        assert_null(text);
    else
        assert_string_equal(text, wanted);
}

/* In the scene's directory. */
static void expect_path(const struct scene *scene, const struct kube_config_item *item,
                        const char *name)
{
    AUTO(char *, memory_free_p) path = scene_path(scene, name);
    assert_string_equal(item->path, path);
    assert_null(item->data);
}

static void in_a_pod(const char *host, const char *port)
{
    setenv("KUBERNETES_SERVICE_HOST", host, 1);
    setenv("KUBERNETES_SERVICE_PORT", port, 1);
}

static void a_pod_knows_its_server(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    in_a_pod("10.96.0.1", "6443");
    scene_write(scene, "namespace", "shop\n");
    assert_true(kube_config_in_cluster(scene->directory, &scene->config, &err));
    assert_string_equal(scene->config->server, "https://10.96.0.1:6443");
    assert_string_equal(scene->config->namespace_name, "shop");
    assert_null(scene->config->tls_server_name);
    assert_false(scene->config->insecure);
    expect_path(scene, &scene->config->authority, "ca.crt");
    expect_path(scene, &scene->config->token, "token");
    assert_null(scene->config->certificate.path);
}

static void a_pod_has_its_place_for_the_account(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    in_a_pod("10.96.0.1", "443");
    assert_true(kube_config_in_cluster(NULL, &scene->config, &err));
    assert_string_equal(scene->config->token.path,
                        "/var/run/secrets/kubernetes.io/serviceaccount/token");
}

static void a_server_may_have_an_ipv6_address(void **state)
{
    static const char *const rows[][2] = {
        { "fd00::1", "https://[fd00::1]:443" },
        { "::1", "https://[::1]:443" },
        { "[fd00::1]", "https://[fd00::1]:443" },
        { "kubernetes.default.svc", "https://kubernetes.default.svc:443" },
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = ERROR_INIT;
        in_a_pod(rows[i][0], "443");
        kube_config_free(TAKE(scene->config));
        assert_true(kube_config_in_cluster(scene->directory, &scene->config, &err));
        assert_string_equal(scene->config->server, rows[i][1]);
        assert_string_equal(scene->config->namespace_name, "default");
    }
}

static void an_odd_environment_is_refused(void **state)
{
    static const char *const rows[][2] = {
        { "10.0.0.1", "x" },  { "10.0.0.1", "70000" }, { "10.0.0.1", "443?a" },
        { "a b", "443" },     { "a/b?c", "443" },      { "user:pw@host", "443" },
        { "fd00::g", "443" }, { "10.0.0.1", "443#" },
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = ERROR_INIT;
        in_a_pod(rows[i][0], rows[i][1]);
        assert_false(kube_config_in_cluster(scene->directory, &scene->config, &err));
        assert_null(scene->config);
        assert_string_equal(err.code, "server_invalid");
        assert_int_equal(err.class, ERROR_CONFIG);
        assert_null(strstr(err.text, "pw"));
    }
}

static void outside_of_a_pod_there_is_no_cluster(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    assert_false(kube_config_is_in_cluster(scene->directory));
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    assert_false(kube_config_is_in_cluster(scene->directory));
    assert_false(kube_config_in_cluster(scene->directory, &scene->config, &err));
    assert_string_equal(err.code, "not_in_cluster");
    assert_non_null(strstr(err.advice, "kubeconfig"));
    scene_write(scene, "token", "t");
    assert_true(kube_config_is_in_cluster(scene->directory));
    setenv("KUBERNETES_SERVICE_HOST", "", 1);
    assert_false(kube_config_is_in_cluster(scene->directory));
    in_a_pod("10.0.0.1", "");
    assert_false(kube_config_in_cluster(scene->directory, &scene->config, &err));
}

static const char full[] = "apiVersion: v1\n"
                           "kind: Config\n"
                           "preferences: {}\n"
                           "current-context: dev\n"
                           "contexts:\n"
                           "- name: prod\n"
                           "  context: {cluster: prod, user: robot, namespace: shop}\n"
                           "- name: dev\n"
                           "  context:\n"
                           "    cluster: dev\n"
                           "    user: person\n"
                           "clusters:\n"
                           "- name: dev\n"
                           "  cluster:\n"
                           "    server: https://127.0.0.1:6443/\n"
                           "    certificate-authority: pki/ca.crt\n"
                           "- name: prod\n"
                           "  cluster:\n"
                           "    server: \"https://[fd00::1]/k8s/c-1//\"\n"
                           "    certificate-authority-data: \"Y2EgZGF0YQ==\"\n"
                           "    certificate-authority: not/this\n"
                           "    tls-server-name: api.prod.test\n"
                           "    insecure-skip-tls-verify: false\n"
                           "users:\n"
                           "- name: person\n"
                           "  user:\n"
                           "    client-certificate: /etc/person.crt\n"
                           "    client-key: person.key\n"
                           "- name: robot\n"
                           "  user:\n"
                           "    token: dG9rZW4\n"
                           "    client-certificate-data: Y2VydA==\n"
                           "    client-key-data: a2V5\n";

static bool load(struct scene *scene, const char *context, struct error *err)
{
    AUTO(char *, memory_free_p) path = scene_path(scene, "kubeconfig");
    *err = ERROR_INIT;
    return kube_config_load(path, context, &scene->config, err);
}

static void a_kubeconfig_is_read(void **state)
{
    struct scene *scene = *state;
    struct error err;
    scene_write(scene, "kubeconfig", full);
    if (!load(scene, NULL, &err))
        fail_msg("%s", err.text);
    const struct kube_config *config = scene->config;
    assert_string_equal(config->server, "https://127.0.0.1:6443");
    assert_string_equal(config->namespace_name, "default");
    expect_path(scene, &config->authority, "pki/ca.crt");
    assert_string_equal(config->certificate.path, "/etc/person.crt");
    expect_path(scene, &config->key, "person.key");
    assert_null(config->token.path);
    assert_null(config->token.data);
}

static void a_context_can_be_named(void **state)
{
    struct scene *scene = *state;
    struct error err;
    scene_write(scene, "kubeconfig", full);
    if (!load(scene, "prod", &err))
        fail_msg("%s", err.text);
    const struct kube_config *config = scene->config;
    assert_string_equal(config->server, "https://[fd00::1]:443/k8s/c-1");
    assert_string_equal(config->tls_server_name, "api.prod.test");
    assert_string_equal(config->namespace_name, "shop");
    assert_string_equal(config->authority.data, "ca data");
    assert_null(config->authority.path);
    assert_string_equal(config->certificate.data, "cert");
    assert_string_equal(config->key.data, "key");
    assert_string_equal(config->token.data, "dG9rZW4");
    assert_false(config->insecure);
}

static void json_is_yaml(void **state)
{
    struct scene *scene = *state;
    struct error err;
    scene_write(
        scene, "kubeconfig",
        "{\"current-context\":\"c\",\n\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":"
        "\"k\",\"user\":\"u\"}}],\n\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":"
        "\"http://localhost:8080\",\"insecure-skip-tls-verify\":true}}],\n\"users\":[{"
        "\"name\":\"u\",\"user\":{\"token\":\"t\",\"tokenFile\":\"tok\"}}]}");
    assert_true(load(scene, "", &err));
    assert_string_equal(scene->config->server, "http://localhost:8080");
    assert_true(scene->config->insecure);
    expect_path(scene, &scene->config->token, "tok"); /* before `token` */
}

static void a_user_may_have_nothing(void **state)
{
    static const char *const users[] = { "{name: u, user: {}}", "{name: u}",
                                         "{name: u, user: null}",
                                         "{name: u, user: {token: \"\", exec: ~}}" };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        struct error err;
        AUTO(char *, memory_free_p)
        text = text_format("current-context: c\n"
                           "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                           "clusters: [{name: k, cluster: {server: \"https://h\"}}]\n"
                           "users: [%s]\n",
                           users[i]);
        scene_write(scene, "kubeconfig", text);
        kube_config_free(TAKE(scene->config));
        if (!load(scene, NULL, &err))
            fail_msg("%s", err.text);
        expect_text(scene->config->token.data, NULL);
        assert_string_equal(scene->config->server, "https://h:443");
    }
}

/* The first file that has an entry tells all of it, relative to itself. */
static void several_files_are_merged(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    AUTO(char *, memory_free_p) sub = scene_path(scene, "sub");
    assert_int_equal(mkdir(sub, 0700), 0);
    scene_write(scene, "one",
                "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                "clusters: []\n"
                "users: [{name: u, user: {tokenFile: tok}}]\n");
    scene_write(
        scene, "sub/two",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: never, user: never, namespace: never}}]\n"
        "clusters: [{name: k, cluster: {server: \"https://two\", certificate-authority: ca}}]"
        "\n"
        "users: [{name: u, user: {token: never}}]\n");
    AUTO(char *, memory_free_p)
    paths = text_format(":%s/missing:%s/one::%s/sub/two:", scene->directory, scene->directory,
                        scene->directory);
    if (!kube_config_load(paths, NULL, &scene->config, &err))
        fail_msg("%s", err.text);
    assert_string_equal(scene->config->server, "https://two:443");
    expect_path(scene, &scene->config->authority, "sub/ca");
    expect_path(scene, &scene->config->token, "tok");
    assert_null(scene->config->token.data);
    assert_string_equal(scene->config->namespace_name, "default");
}

static void without_any_file_there_is_no_kubeconfig(void **state)
{
    struct scene *scene = *state;
    static const char *const lists[] = { "", ":", "/nonexistent/a:/nonexistent/b" };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct error err = ERROR_INIT;
        assert_false(kube_config_load(lists[i], NULL, &scene->config, &err));
        assert_string_equal(err.code, "kubeconfig_missing");
    }
    struct error err = ERROR_INIT;
    assert_false(kube_config_load("/nonexistent/a", NULL, &scene->config, &err));
    assert_string_equal(err.code, "file_unreadable");
    assert_string_equal(err.text, "kubeconfig: \"/nonexistent/a\": No such file or directory");
    AUTO(struct buf, buf_done) many = buf_init(1 << 20);
    scene_write(scene, "kubeconfig", full);
    for (int i = 0; i < 33; i++)
        buf_append_format(&many, "%s/kubeconfig:", scene->directory);
    assert_false(kube_config_load(buf_text(&many), NULL, &scene->config, &err));
    assert_string_equal(err.text, "more than 32 kubeconfigs");
}

static void a_relative_file_stays_relative(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(scene->directory), 0);
    scene_write(scene, "kubeconfig", full);
    bool loaded = kube_config_load("kubeconfig", NULL, &scene->config, &err);
    assert_int_equal(chdir(before), 0);
    assert_true(loaded);
    assert_string_equal(scene->config->authority.path, "pki/ca.crt");
}

/* One change of a good file, and what it is refused with. */
static const struct {
    const char *from, *to; /* a text of `full` and what stands there instead */
    const char *code, *text;
} wrong[] = {
    { "current-context: dev", "", "kubeconfig_invalid", ": it has no current-context" },
    { "current-context: dev", "current-context: [a]", "kubeconfig_invalid",
      ":4: current-context must be text" },
    { "current-context: dev", "current-context: qa", "kubeconfig_invalid",
      ": no context \"qa\" among its contexts" },
    { "    cluster: dev", "    cluster: qa", "kubeconfig_invalid",
      ": no cluster \"qa\" among its clusters" },
    { "    user: person", "    user: qa", "kubeconfig_invalid",
      ": no user \"qa\" among its users" },
    { "    user: person", "    user: ''", "kubeconfig_invalid", ": context \"dev\" names no user" },
    { "    cluster: dev", "    x: dev", "kubeconfig_invalid",
      ": context \"dev\" names no cluster" },
    { "    user: person", "    user: person\n    namespace: a/../b", "kubeconfig_invalid",
      ": namespace must be 1 to 63 of a-z, 0-9 and -, as namespaces are" },
    { "    user: person",
      "    user: person\n    namespace: "
      "an-0123456789012345678901234567890123456789012345678901234567890",
      "kubeconfig_invalid", ": namespace must be 1 to 63 of a-z, 0-9 and -, as namespaces are" },
    { "    server: https://127.0.0.1:6443/", "    x: 1", "kubeconfig_invalid",
      ": the cluster has no server" },
    { "https://127.0.0.1:6443/", "{a: b}", "kubeconfig_invalid", ":15: server must be text" },
    { "https://127.0.0.1:6443/", "\"https://h\\0x\"", "kubeconfig_invalid",
      ":15: server must be text" },
    { "https://127.0.0.1:6443/", "127.0.0.1:6443", "server_invalid",
      ": \"127.0.0.1:6443\" is no address of an API server: it must begin with https://" },
    { "https://127.0.0.1:6443/", "ftp://host", "server_invalid",
      ": \"ftp://host\" is no address of an API server: it must begin with https://" },
    { "https://127.0.0.1:6443/", "https://u:s3cret@h", "server_invalid",
      ": \"(not shown: it has an @)\" is no address of an API server: it has a user or a "
      "password" },
    { "https://127.0.0.1:6443/", "https://h/?a=b", "server_invalid",
      ": \"https://h/?a=b\" is no address of an API server: it has a query, a "
      "fragment or a space" },
    { "https://127.0.0.1:6443/", "https://h:x", "server_invalid", "is no address" },
    { "    certificate-authority: pki/ca.crt", "    certificate-authority-data: s3cret!",
      "kubeconfig_invalid", ": certificate-authority-data is not base64" },
    { "    certificate-authority: pki/ca.crt", "    insecure-skip-tls-verify: perhaps",
      "kubeconfig_invalid", ": insecure-skip-tls-verify must be true or false" },
    { "    certificate-authority: pki/ca.crt", "    tls-server-name: a/b", "kubeconfig_invalid",
      ": tls-server-name must be the name of a host" },
    { "    certificate-authority: pki/ca.crt", "    proxy-url: http://p", "kubeconfig_unsupported",
      ": proxy-url is not supported" },
    { "    client-key: person.key", "    x: 1", "kubeconfig_invalid",
      ": client-certificate and client-key belong together" },
    { "    client-key: person.key", "    client-key-data: s3cret", "kubeconfig_invalid",
      ": client-key-data is not base64" },
    { "    client-key: person.key", "    client-key: [s3cret]", "kubeconfig_invalid",
      ":28: client-key must be text" },
    { "    client-key: person.key", "    token: [s3cret]", "kubeconfig_invalid",
      ":28: token must be text" },
    { "    client-key: person.key", "    exec: {command: aws}", "kubeconfig_unsupported",
      ": the user logs in by exec, which is not supported" },
    { "    client-key: person.key", "    auth-provider: {name: oidc}", "kubeconfig_unsupported",
      ": the user logs in by auth-provider, which is not supported" },
    { "    client-key: person.key", "    username: a\n    password: s3cret",
      "kubeconfig_unsupported", ": the user logs in by username, which is not supported" },
    { "- name: dev\n  context:", "- name: [dev]\n  context:", "kubeconfig_invalid",
      ": no context \"dev\" among its contexts" },
    { "clusters:\n", "clusters: {}\nx:\n", "kubeconfig_invalid", ": no cluster \"dev\"" },
    { "kind: Config", "kind: \"Config", "kubeconfig_invalid", "not YAML: " },
    { "kind: Config", "kind: \xff", "kubeconfig_invalid", "not YAML: " },
    { "kind: Config", "kind: *s3cret", "kubeconfig_invalid", ":2: not YAML: " },
};

static void what_is_wrong_is_told(void **state)
{
    struct scene *scene = *state;
    AUTO(char *, memory_free_p) path = scene_path(scene, "kubeconfig");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *at = strstr(full, wrong[i].from);
        assert_non_null(at);
        AUTO(char *, memory_free_p)
        text = text_format("%.*s%s%s", (int)(at - full), full, wrong[i].to,
                           at + strlen(wrong[i].from));
        scene_write(scene, "kubeconfig", text);
        struct error err;
        if (load(scene, NULL, &err))
            fail_msg("%s was taken", wrong[i].to);
        assert_null(scene->config);
        assert_int_equal(err.class, ERROR_CONFIG);
        assert_string_equal(err.code, wrong[i].code);
        assert_memory_equal(err.text, path, strlen(path));
        if (strstr(err.text, wrong[i].text) == NULL)
            fail_msg("%s: \"%s\"", wrong[i].to, err.text);
        assert_null(strstr(err.text, "s3cret"));
    }
}

static void who_uses_a_plug_in_is_told_what_to_use(void **state)
{
    struct scene *scene = *state;
    struct error err;
    scene_write(scene, "kubeconfig",
                "current-context: c\n"
                "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                "clusters: [{name: k, cluster: {server: \"https://h\"}}]\n"
                "users: [{name: u, user: {exec: {command: aws}}}]\n");
    assert_false(load(scene, NULL, &err));
    assert_non_null(strstr(err.advice, "kubectl create token"));
}

static void empty_files_are_refused(void **state)
{
    static const char *const texts[] = {
        "", "\n", "# nothing\n", "--- \n...\n", "[]", "text", "~"
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err;
        scene_write(scene, "kubeconfig", texts[i]);
        assert_false(load(scene, NULL, &err));
        assert_non_null(strstr(err.text, "no current-context"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_knows_its_server),
        TEST(a_pod_has_its_place_for_the_account),
        TEST(a_server_may_have_an_ipv6_address),
        TEST(an_odd_environment_is_refused),
        TEST(outside_of_a_pod_there_is_no_cluster),
        TEST(a_kubeconfig_is_read),
        TEST(a_context_can_be_named),
        TEST(json_is_yaml),
        TEST(a_user_may_have_nothing),
        TEST(several_files_are_merged),
        TEST(without_any_file_there_is_no_kubeconfig),
        TEST(a_relative_file_stays_relative),
        TEST(what_is_wrong_is_told),
        TEST(who_uses_a_plug_in_is_told_what_to_use),
        TEST(empty_files_are_refused),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
