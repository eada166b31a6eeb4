#!/usr/bin/env bash
# Writes the image's bill of materials (SPDX 2.3 in JSON): every package, with the files that are of it.
#   sbom.sh ROOT        the directory that root.sh made
# SOURCE_DATE_EPOCH, REVISION: the time and the commit that it is of. As the last step it gives every file
# that time.
set -euo pipefail

root=$1
owners=$root.owners
document=/usr/share/sbom/pqcdc.spdx.json
epoch=${SOURCE_DATE_EPOCH:-0}
version=$("$root/usr/bin/pqcdc" --version | awk '{print $2; exit}')
distribution=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

# Parts of awk programs: what an element of the document is called, and lines that are elements of an array.
identify='function identifier(kind, name) { gsub(/[^a-zA-Z0-9.-]/, "-", name); return "SPDXRef-" kind "-" name }'
joined() { sed '$!s/$/,/'; }

own_package() {
    printf '    {"SPDXID": "SPDXRef-package-pqcdc", "name": "pqcdc", "versionInfo": "%s"' "$version"
    printf ', "supplier": "Organization: The pqcdc authors", "downloadLocation": "NOASSERTION", "filesAnalyzed": false'
    printf ', "licenseConcluded": "NOASSERTION", "licenseDeclared": "MIT", "copyrightText": "NOASSERTION"'
    printf ', "sourceInfo": "commit %s"}\n' "${REVISION:-unknown}"
}

debian_packages() {
    # shellcheck disable=SC2016 # fields of dpkg and awk
    cut -f1 "$owners" | sort -u | grep -v '^pqcdc$' |
        xargs dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\n' |
        awk -F '\t' -v distribution="$distribution" "$identify"'{
            locator = $1 "@" $2
            gsub(/\+/, "%2B", locator)
            printf "    {\"SPDXID\": \"%s\", \"name\": \"%s\", \"versionInfo\": \"%s\"", identifier("package", $1), $1, $2
            printf ", \"supplier\": \"Organization: Debian\", \"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false"
            printf ", \"licenseConcluded\": \"NOASSERTION\", \"licenseDeclared\": \"NOASSERTION\""
            printf ", \"copyrightText\": \"NOASSERTION\", \"sourceInfo\": \"Debian source package %s\"", $4
            printf ", \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\""
            printf ", \"referenceLocator\": \"pkg:deb/debian/%s?arch=%s&distro=%s\"}]}\n", locator, $3, distribution
        }'
}

checksums() { # checksums PROGRAM: "SUM<TAB>PATH" of each file
    (cd "$root" && cut -f2 "$owners" | sed 's/^/./' | xargs "$1") | awk '{print $1 "\t" substr($2, 2)}'
}

all_files() {
    paste <(checksums sha1sum) <(checksums sha256sum) | awk -F '\t' "$identify"'{
        printf "    {\"SPDXID\": \"%s\", \"fileName\": \".%s\"", identifier("file", $2), $2
        printf ", \"checksums\": [{\"algorithm\": \"SHA1\", \"checksumValue\": \"%s\"}", $1
        printf ", {\"algorithm\": \"SHA256\", \"checksumValue\": \"%s\"}]", $3
        printf ", \"licenseConcluded\": \"NOASSERTION\", \"copyrightText\": \"NOASSERTION\"}\n"
    }'
}

all_relationships() {
    awk -F '\t' "$identify"'
        function relate(from, type, to) {
            printf "    {\"spdxElementId\": \"%s\", \"relationshipType\": \"%s\", \"relatedSpdxElement\": \"%s\"}\n", from, type, to
        }
        BEGIN { relate("SPDXRef-DOCUMENT", "DESCRIBES", identifier("package", "pqcdc")) }
        $1 != "pqcdc" && !seen[$1]++ { relate(identifier("package", "pqcdc"), "DEPENDS_ON", identifier("package", $1)) }
        { relate(identifier("package", $1), "CONTAINS", identifier("file", $2)) }
    ' "$owners"
}

spdx() {
    cat <<SPDX
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "pqcdc-$version",
  "documentNamespace": "https://pqcdc.io/spdx/pqcdc-$version-${REVISION:-unknown}",
  "creationInfo": {"created": "$(date -u -d "@$epoch" +%FT%TZ)", "creators": ["Tool: image/sbom.sh"],
    "comment": "Built with the packages that /usr/share/sbom/pqcdc.buildinfo lists."},
  "packages": [
$({ own_package && debian_packages; } | joined)
  ],
  "files": [
$(all_files | joined)
  ],
  "relationships": [
$(all_relationships | joined)
  ]
}
SPDX
}

mkdir -p "$root$(dirname "$document")"
spdx >"$root$document"
find "$root" -exec touch --no-dereference --date="@$epoch" {} +
