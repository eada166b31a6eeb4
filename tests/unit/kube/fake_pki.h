/* Authorities and certificates for tests, made by openssl(1) in a directory. */
#ifndef TESTS_UNIT_KUBE_FAKE_PKI_H
#define TESTS_UNIT_KUBE_FAKE_PKI_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_file.h"

#define FAKE_PKI_NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"

static inline void fake_pki_run(char *command)
{
    int status = system(command);
    if (status != 0)
        fprintf(stderr, "%s\n", command);
    memory_free(command);
    CHECK(status == 0);
}

/* <name>.crt and <name>.key */
static inline void fake_pki_authority(const char *directory, const char *name)
{
    fake_pki_run(text_format("cd %s && openssl req -x509 " FAKE_PKI_NEW_KEY
                             " -subj /CN=%s -addext basicConstraints=critical,CA:TRUE "
                             "-keyout %s.key -out %s.crt 2>openssl.log",
                             directory, name, name, name));
}

/* Signed by the authority; names: "IP:127.0.0.1,DNS:host". */
static inline void fake_pki_certificate(const char *directory, const char *authority,
                                        const char *name, const char *names)
{
    fake_pki_run(text_format("cd %s && openssl req -x509 " FAKE_PKI_NEW_KEY
                             " -subj /CN=%s -addext basicConstraints=CA:FALSE "
                             "-addext subjectAltName=%s -CA %s.crt -CAkey %s.key "
                             "-keyout %s.key -out %s.crt 2>openssl.log",
                             directory, name, names, authority, authority, name, name));
}

/* The content of a file there; memory_free() it. */
static inline char *fake_pki_read(const char *directory, const char *file)
{
    AUTO(char *, memory_free_p) path = text_format("%s/%s", directory, file);
    char *text = NULL;
    CHECK(kube_file_read(path, &text, NULL));
    return text;
}

#endif
