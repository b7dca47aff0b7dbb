#!/bin/sh
# What the tests on Kubernetes need from Debian: containers, their network, and images without a registry.
# Installed as root; otherwise those tests are skipped and say so.
PATH="$PATH:/usr/sbin"
[ -z "${VOXELHUB_KUBERNETES_SKIP:-}" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
missing=""
while read -r program packages; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $packages"
done <<'NEEDED'
containerd containerd
runc runc
/usr/lib/cni/bridge containernetworking-plugins
podman podman fuse-overlayfs netavark uidmap
buildah buildah
mmdebstrap mmdebstrap
ip iproute2
iptables iptables
nft nftables
ipset ipset
conntrack conntrack
socat socat
zstd zstd
skopeo skopeo
docker-registry docker-registry
NEEDED
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "[voxelhub] Not here, and this is not root on Debian:$missing. The tests on Kubernetes will be skipped."
    exit 0
fi
echo "[voxelhub] installing for the tests on Kubernetes:$missing"
# The tests start a registry of their own: Debian's shall not run beside it.
if [ ! -e /etc/systemd/system/docker-registry.service ]; then
    mkdir -p /etc/systemd/system && ln -s /dev/null /etc/systemd/system/docker-registry.service
fi
for _attempt in 1 2 3; do
    # shellcheck disable=SC2086 # a list of words
    if apt-get -q -o DPkg::Lock::Timeout=900 update >/dev/null &&
        apt-get -q -y -o DPkg::Lock::Timeout=900 install --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
    sleep 5
done
echo "[voxelhub] could not be installed:$missing. The tests on Kubernetes will be skipped."
