#!/bin/sh
# Checks the files of this folder, and brings the images in it to where Kubernetes finds them.
#
#   ./load check                       are all files here, and whole?
#   ./load containerd                  on each node, as root: into its containerd. CTR="k3s ctr" for k3s
#   ./load push REGISTRY/PATH [...]    into a registry, by skopeo, with options of `skopeo copy`
#
# Nothing is loaded before every file is checked.
set -eu
cd "$(dirname "$0")"

say() { echo "load: $*" >&2; }

check() {
    [ -f SHA256SUMS ] || { say "SHA256SUMS is missing: the archive was not unpacked to its end."; return 1; }
    wrong=0
    while read -r sum name; do
        if [ ! -f "$name" ]; then
            say "$name is missing."
            wrong=1
        elif [ "$(sha256sum <"$name")" != "$sum  -" ]; then
            say "$name is damaged: its SHA-256 is not the one in SHA256SUMS."
            wrong=1
        fi
    done <SHA256SUMS
    for name in $(find images* load -type f); do
        grep -q "  $name\$" SHA256SUMS || { say "SHA256SUMS is damaged: it does not name $name."; wrong=1; }
    done
    [ "$wrong" = 0 ] || { say "Nothing was loaded. Copy the archive again, and unpack it into an empty folder."; return 1; }
}

need() { command -v "$1" >/dev/null || { say "$1 is missing on this machine."; exit 1; }; }

case "${1:-}" in
check)
    check
    echo "load: every file is here and whole."
    ;;
containerd)
    ctr=${CTR:-ctr}
    need "${ctr%% *}"
    check
    # shellcheck disable=SC2086 # words
    tar -cf - -C images . | $ctr --namespace k8s.io images import - || { say "containerd did not take the images; see above."; exit 1; }
    ;;
push)
    to=${2:-}
    [ -n "$to" ] || { say "Name the registry: ./load push registry.example.org/voxelhub"; exit 1; }
    need skopeo
    check
    shift 2
    while read -r name _; do
        skopeo copy "$@" "oci:images:${name##*/}" "docker://$to/${name##*/}" ||
            { say "$to did not take ${name##*/}; see above. The same command goes on from there."; exit 1; }
    done <images.txt
    echo "load: in the chart's values: image: { registry: $to }"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' load >&2
    exit 2
    ;;
esac
