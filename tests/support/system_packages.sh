#!/bin/sh
# What only the tests need from the system: a browser, a font, a virus scanner, a validator of DICOM files, PostgreSQL, R, a syslog, zstd.
# Installed as root; otherwise the tests that need them are skipped and say so.
PATH="$PATH:/usr/sbin"
export DEBIAN_FRONTEND=noninteractive
missing=""
while read -r program packages; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $packages"
done <<'NEEDED'
chromium chromium fonts-dejavu-core
clamd clamav-daemon
dciodvfy dicom3tools
curl curl
Rscript r-base-core
pg_ctlcluster postgresql
rsyslogd rsyslog
zstd zstd
NEEDED
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "[voxelhub] Not here, and this is not root on Debian:$missing. The tests that need them will be skipped."
    exit 0
fi
echo "[voxelhub] installing for the tests:$missing"
# The tests start a PostgreSQL of their own: Debian's shall make none that runs beside it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
for _attempt in 1 2 3; do
    # shellcheck disable=SC2086 # a list of words
    if apt-get -q -o DPkg::Lock::Timeout=120 update >/dev/null &&
        apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
    sleep 5
done
echo "[voxelhub] could not be installed:$missing. The tests that need them will be skipped."
