#!/bin/sh
# What only the tests need from the system: a browser and a font. Installed as root; otherwise the tests that need them
# are skipped and say so.
if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "[voxelhub] There is no Chromium here and this is not root on Debian: the browser tests will be skipped."
    exit 0
fi
echo "[voxelhub] installing chromium and fonts-dejavu-core for the browser tests"
export DEBIAN_FRONTEND=noninteractive
for _attempt in 1 2 3; do
    if apt-get -q -o DPkg::Lock::Timeout=120 update >/dev/null &&
        apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends chromium fonts-dejavu-core >/dev/null; then
        exit 0
    fi
    sleep 5
done
echo "[voxelhub] chromium could not be installed: the browser tests will be skipped."
