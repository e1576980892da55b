#!/bin/sh
# docker run … IMAGE grade ID /submissions    results go to /results unless --out says otherwise
# docker run … IMAGE /autograder/run_autograder    as Gradescope runs it
# docker run … IMAGE doctor    any other command of gradkit
set -eu
case "${1-}" in
/*) exec "$@" ;;
esac
here=$(cd "$(dirname "$0")" && pwd) # /opt/gradkit in the image
gradkit=$here/venv/bin/gradkit
cd "$here/kit"
if [ "${1-}" = grade ]; then
    out="--out /results"
    for argument; do
        case "$argument" in --out | --out=* | --dry-run | --help) out="" ;; esac
    done
    if [ -n "$out" ] && ! grep -q ' /results ' /proc/mounts; then
        echo 'gradkit: results would be lost with the container: add -v "$PWD/results:/results"' >&2
        exit 2
    fi
    # shellcheck disable=SC2086 - two words, or none
    exec "$gradkit" "$@" $out
fi
exec "$gradkit" "$@"
