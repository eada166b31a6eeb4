/* Whom we trust, and whom the server trusts. */
#include "kube/kube_client.h"

#include "unit/kube/fake_pki.h"
#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_teardown)

/* Made once: authorities one and two, and what they signed. */
static char pki[] = "/tmp/pqcdc-pki-XXXXXX";

static int make_pki(void **state)
{
    assert_non_null(mkdtemp(pki));
    fake_pki_authority(pki, "one");
    fake_pki_authority(pki, "two");
    fake_pki_certificate(pki, "one", "server-one", "IP:127.0.0.1,IP:::1,DNS:api.test");
    fake_pki_certificate(pki, "two", "server-two", "IP:127.0.0.1");
    fake_pki_certificate(pki, "one", "named", "DNS:api.test");
    fake_pki_certificate(pki, "one", "client-one", "DNS:client");
    fake_pki_certificate(pki, "two", "client-two", "DNS:client");
    return scene_group(state);
}

static int remove_pki(void **state UNUSED)
{
    return nftw(pki, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The file of the authority there becomes a file of the scene. */
static void put_file(const struct scene *scene, const char *from, const char *to)
{
    AUTO(char *, memory_free_p) text = fake_pki_read(pki, from);
    scene_write(scene, to, text);
}

/* A server with that certificate, which trusts clients of authority one. port 0 = any. */
static void serve(struct scene *scene, const char *name, uint16_t port, bool ipv6)
{
    AUTO(char *, memory_free_p) certificate_file = text_format("%s.crt", name);
    AUTO(char *, memory_free_p) key_file = text_format("%s.key", name);
    AUTO(char *, memory_free_p) certificate = fake_pki_read(pki, certificate_file);
    AUTO(char *, memory_free_p) key = fake_pki_read(pki, key_file);
    AUTO(char *, memory_free_p) authority = fake_pki_read(pki, "one.crt");
    fake_api_start(&scene->api, &(struct fake_api_options){ .ipv6 = ipv6,
                                                            .port = port,
                                                            .certificate = certificate,
                                                            .key = key,
                                                            .client_authority = authority });
    fake_api_push(&scene->api, (struct fake_answer){ .times = FAKE_API_MAX });
}

static int setup(void **state)
{
    struct scene *scene = memory_alloc(sizeof(*scene));
    scene_init(scene);
    serve(scene, "server-one", 0, false);
    put_file(scene, "one.crt", "ca.crt");
    *state = scene;
    return 0;
}

/* fields: more of the cluster */
static void connect_with(struct scene *scene, const char *fields, const char *user)
{
    kube_client_free(TAKE(scene->client));
    kube_config_free(TAKE(scene->config));
    AUTO(char *, memory_free_p)
    cluster = text_format("{server: \"https://127.0.0.1:%u\"%s}", scene->api.port, fields);
    scene_load(scene, cluster, user);
    scene_connect(scene, 0);
}

static const struct fake_request *last_seen(struct scene *scene)
{
    return fake_api_seen(&scene->api, fake_api_count(&scene->api) - 1);
}

static void expect(struct scene *scene, enum kube_outcome outcome, const char *code)
{
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    if (answer.outcome != outcome)
        fail_msg("%s", answer.err.text);
    assert_string_equal(answer.err.code, code);
}

static void the_authority_stands_in_a_file_or_in_the_kubeconfig(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, ", certificate-authority: ca.crt", "{token: t}");
    expect(scene, KUBE_OK, "");
    assert_string_equal(last_seen(scene)->authorization, "Bearer t");
    AUTO(char *, memory_free_p) command =
        text_format("base64 -w0 %s/one.crt > %s/data", pki, scene->directory);
    fake_pki_run(TAKE(command));
    AUTO(char *, memory_free_p) data = fake_pki_read(scene->directory, "data");
    AUTO(char *, memory_free_p) field = text_format(", certificate-authority-data: %s", data);
    connect_with(scene, field, "{}");
    expect(scene, KUBE_OK, "");
}

static void another_authority_is_not_accepted(void **state)
{
    struct scene *scene = *state;
    put_file(scene, "two.crt", "ca.crt");
    connect_with(scene, ", certificate-authority: ca.crt", "{token: s3cret}");
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(answer.err.code, "api_untrusted");
    assert_memory_equal(answer.err.text, "GET /a: the server's certificate is not accepted: ", 50);
    assert_non_null(strstr(answer.err.advice, "ca.crt"));
    /* Nothing was said to it. */
    assert_int_equal(fake_api_count(&scene->api), 0);
}

static void the_system_does_not_know_our_authority(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, "", "{}");
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
}

static void a_broken_authority_is_told(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    connect_with(scene, ", certificate-authority: ca.crt", "{}");
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
}

static void an_insecure_cluster_is_not_checked(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, ", insecure-skip-tls-verify: true", "{}");
    expect(scene, KUBE_OK, "");
}

static void a_rotated_authority_is_read_again(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, ", certificate-authority: ca.crt", "{}");
    expect(scene, KUBE_OK, "");
    uint16_t port = scene->api.port;
    fake_api_stop(&scene->api);
    serve(scene, "server-two", port, false);
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
    put_file(scene, "two.crt", "ca.crt");
    expect(scene, KUBE_OK, "");
    assert_int_equal(fake_api_count(&scene->api), 1);
    /* And back: who was trusted once is so no longer. */
    fake_api_stop(&scene->api);
    serve(scene, "server-one", port, false);
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
}

static void an_emptied_authority_changes_nothing(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, ", certificate-authority: ca.crt", "{}");
    scene_write(scene, "ca.crt", "");
    scene_pass(scene, 60000);
    expect(scene, KUBE_OK, "");
}

static void the_certificate_must_name_the_host(void **state)
{
    struct scene *scene = *state;
    uint16_t port = scene->api.port;
    fake_api_stop(&scene->api);
    serve(scene, "named", port, false);
    connect_with(scene, ", certificate-authority: ca.crt", "{}");
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
    connect_with(scene, ", certificate-authority: ca.crt, tls-server-name: other.test", "{}");
    expect(scene, KUBE_UNREACHABLE, "api_untrusted");
    connect_with(scene, ", certificate-authority: ca.crt, tls-server-name: api.test", "{}");
    expect(scene, KUBE_OK, "");
    char host[32];
    snprintf(host, sizeof(host), "127.0.0.1:%u", port);
    assert_string_equal(last_seen(scene)->host, host);
    assert_string_equal(last_seen(scene)->line, "GET /a");
}

static void a_client_certificate_is_shown(void **state)
{
    struct scene *scene = *state;
    static const char user[] = "{client-certificate: client.crt, client-key: client.key}";
    put_file(scene, "client-two.crt", "client.crt");
    put_file(scene, "client-two.key", "client.key");
    connect_with(scene, ", certificate-authority: ca.crt", user);
    expect(scene, KUBE_OK, "");
    assert_false(last_seen(scene)->certified);
    put_file(scene, "client-one.crt", "client.crt");
    put_file(scene, "client-one.key", "client.key");
    connect_with(scene, ", certificate-authority: ca.crt", user);
    expect(scene, KUBE_OK, "");
    assert_true(last_seen(scene)->certified);
}

static void a_new_client_certificate_is_read(void **state)
{
    struct scene *scene = *state;
    put_file(scene, "client-two.crt", "client.crt");
    put_file(scene, "client-two.key", "client.key");
    connect_with(scene, ", certificate-authority: ca.crt",
                 "{client-certificate: client.crt, client-key: client.key}");
    expect(scene, KUBE_OK, "");
    put_file(scene, "client-one.crt", "client.crt");
    put_file(scene, "client-one.key", "client.key");
    expect(scene, KUBE_OK, "");
    assert_false(last_seen(scene)->certified);
    scene_pass(scene, 60000);
    expect(scene, KUBE_OK, "");
    assert_true(last_seen(scene)->certified);
}

/* While the two files are written there may be a key that fits no certificate. */
static void a_key_of_another_certificate_heals(void **state)
{
    struct scene *scene = *state;
    put_file(scene, "client-one.crt", "client.crt");
    put_file(scene, "client-two.key", "client.key");
    connect_with(scene, ", certificate-authority: ca.crt",
                 "{client-certificate: client.crt, client-key: client.key}");
    expect(scene, KUBE_UNREACHABLE, "api_unreachable");
    put_file(scene, "client-one.key", "client.key");
    expect(scene, KUBE_OK, "");
    assert_true(last_seen(scene)->certified);
}

static void a_pod_finds_its_server_by_an_ipv6_address(void **state)
{
    struct scene *scene = *state;
    struct error err = ERROR_INIT;
    fake_api_stop(&scene->api);
    serve(scene, "server-one", 0, true);
    AUTO(char *, memory_free_p) port = text_format("%u", scene->api.port);
    setenv("KUBERNETES_SERVICE_HOST", "::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", port, 1);
    scene_write(scene, "token", "of-the-account");
    assert_true(kube_config_in_cluster(scene->directory, &scene->config, &err));
    scene_connect(scene, 0);
    expect(scene, KUBE_OK, "");
    assert_string_equal(last_seen(scene)->authorization, "Bearer of-the-account");
    char host[32];
    snprintf(host, sizeof(host), "[::1]:%s", port);
    assert_string_equal(last_seen(scene)->host, host);
}

static void a_body_that_is_cut_is_no_answer(void **state)
{
    struct scene *scene = *state;
    connect_with(scene, ", certificate-authority: ca.crt", "{}");
    fake_api_stop(&scene->api);
    serve(scene, "server-one", scene->api.port, false);
    scene->api.answer_count = 0;
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_CUT,
                                                     .body = "{\"kind\":\"cut in the middle\"}" });
    expect(scene, KUBE_UNREACHABLE, "api_unreachable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_authority_stands_in_a_file_or_in_the_kubeconfig),
        TEST(another_authority_is_not_accepted),
        TEST(the_system_does_not_know_our_authority),
        TEST(a_broken_authority_is_told),
        TEST(an_insecure_cluster_is_not_checked),
        TEST(a_rotated_authority_is_read_again),
        TEST(an_emptied_authority_changes_nothing),
        TEST(the_certificate_must_name_the_host),
        TEST(a_client_certificate_is_shown),
        TEST(a_new_client_certificate_is_read),
        TEST(a_key_of_another_certificate_heals),
        TEST(a_pod_finds_its_server_by_an_ipv6_address),
        TEST(a_body_that_is_cut_is_no_answer),
    };
    return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
