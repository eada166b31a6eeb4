# Sourced: keys and certificates, in the working directory.
# shellcheck shell=bash

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

quietly() { # what it says only when it fails
    local said
    said=$("$@" 2>&1) || { lab_say "$said" && return 1; }
}

make_authority() { # clients are known by every authority that there was
    quietly openssl req -x509 "${new_key[@]}" -keyout ca.key -out ca.crt -days 365 \
        -subj "/CN=pqcdc-lab-$(openssl rand -hex 4)" \
        -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
    cat ca.crt >>clients.crt
}

make_certificate() { # make_certificate NAME SUBJECT USAGE [ALTERNATIVE NAMES]
    quietly openssl req -new "${new_key[@]}" -keyout "$1.key" -out "$1.csr" -subj "$2"
    printf '%s\n' basicConstraints=CA:FALSE keyUsage=critical,digitalSignature "extendedKeyUsage=$3" \
        "${4:+subjectAltName=$4}" >"$1.extensions"
    quietly openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 \
        -extfile "$1.extensions" -out "$1.crt"
}
