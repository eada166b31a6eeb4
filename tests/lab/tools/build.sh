#!/usr/bin/env bash
# build.sh NAME [OPTION...]: compiles tests/lab/tools/NAME.c into the cache, with further options for
# gcc, and prints the program's path.
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
source=$lab_directory/tools/$1.c
program=$(lab_cache)/tools/$1-$(sha256sum "$source" | cut -c1-12)
if [ ! -x "$program" ]; then
    mkdir -p "$(dirname "$program")"
    gcc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "${@:2}" -o "$program" "$source" -lrdkafka -lm
fi
echo "$program"
