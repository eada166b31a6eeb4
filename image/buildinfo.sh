#!/usr/bin/env bash
# Writes what the image was built with: each package of the build stage and its version, as Debian's buildinfo
# files have it. With these, from an archive of that day, the same image can be built again.
#   buildinfo.sh ROOT   the directory that root.sh made
# SOURCE_DATE_EPOCH, REVISION: the time and the commit that it is of.
set -euo pipefail

root=$1
record=/usr/share/sbom/pqcdc.buildinfo

installed() { # of each package a line; the last without its comma
    # shellcheck disable=SC2016 # fields of dpkg
    dpkg-query -W -f '${db:Status-Status} ${Package} (= ${Version})\n' |
        sed -n 's/^installed / /p' | LC_ALL=C sort -u | sed '$!s/$/,/'
}

buildinfo() {
    cat <<BUILDINFO
Format: 1.0
Source: pqcdc
Version: $("$root/usr/bin/pqcdc" --version | awk '{print $2; exit}')
Vcs-Revision: ${REVISION:-unknown}
Build-Origin: Debian $(cat /etc/debian_version)
Build-Architecture: $(dpkg --print-architecture)
Environment:
 SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-0}"
Installed-Build-Depends:
$(installed)
BUILDINFO
}

mkdir -p "$root$(dirname "$record")"
buildinfo >"$root$record"
printf 'pqcdc\t%s\n' "$record" >>"$root.owners"
LC_ALL=C sort -u -o "$root.owners" "$root.owners"
