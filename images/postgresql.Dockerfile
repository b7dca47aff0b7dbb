# A PostgreSQL for evaluations: Debian's, as uid 1000. A site's own server, with its backups, is the one for patients' data.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
ARG DEBIAN_FRONTEND=noninteractive
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; \
    apt-get -q update; apt-get -q -y upgrade; apt-get -q -y install --no-install-recommends ca-certificates tini; \
    groupadd --gid 1000 voxelhub; useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash voxelhub; \
    mkdir -p /opt/voxelhub /srv/voxelhub; chown 1000:1000 /srv/voxelhub; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/log/* /tmp/*
ENV LANG=C.UTF-8 HOME=/home/voxelhub

# Without LLVM, which only compiles long queries: it is more than half of what Debian installs.
FROM base AS postgresql
ARG DEBIAN_FRONTEND=noninteractive
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; \
    mkdir -p /etc/postgresql-common; echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf; \
    apt-get -q update; apt-get -q -y install --no-install-recommends postgresql-15; \
    rm -rf /usr/lib/postgresql/15/lib/bitcode /usr/lib/postgresql/15/lib/llvmjit*; \
    dpkg --purge --force-depends libllvm14 libz3-4 libedit2; \
    mkdir -p /var/lib/postgresql/data; chown 1000:1000 /var/lib/postgresql/data; chmod 0755 /var/lib/postgresql; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/log/* /tmp/* \
        /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
COPY LICENSE /opt/voxelhub/
COPY images/parts/postgresql.sh /opt/voxelhub/entrypoint
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
WORKDIR /home/voxelhub
USER 1000:1000
EXPOSE 5432
# Ends in order at once; Kubernetes' SIGTERM would wait for every connection first.
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh", "/opt/voxelhub/entrypoint"]
LABEL org.opencontainers.image.title="voxelhub-postgresql" org.opencontainers.image.licenses="PostgreSQL" \
      org.opencontainers.image.description="VoxelHub: a PostgreSQL for evaluations, with the databases of service and hub"
