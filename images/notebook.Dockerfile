# What people's servers run: JupyterLab with the panels, and the kernels. Targets notebook and notebook-gpu.
#
# Up to the environment `core`, which builds the panels and is in no image of these, the same as Dockerfile, word for
# word, so that one build finds the other's layers.
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

FROM base AS python
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; \
    if ! command -v python3 >/dev/null; then apt-get -q update; apt-get -q -y install --no-install-recommends python3; fi; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/log/* /tmp/*
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# The environments, from their locks alone: what else of the sources changes does not make them again.
FROM python AS core
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; \
    if ! python3 -c 'import ensurepip' 2>/dev/null; then apt-get -q update; apt-get -q -y install --no-install-recommends python3-venv; fi
WORKDIR /opt/voxelhub
ENV PYTHONDONTWRITEBYTECODE=
COPY hub_config/bootstrap.py hub_config/bootstrap.py
COPY locks locks
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py core

FROM core AS user
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py lab imaging
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY extensions extensions
COPY kernels kernels
COPY notebooks notebooks
COPY LICENSE ./
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py labextension kernelspecs bytecode; \
    mv extensions built; mkdir -p extensions/lab extensions/planner; \
    mv built/lab/voxelhub_lab built/lab/jupyter-config built/lab/install.json built/lab/THIRD-PARTY-NOTICES.md extensions/lab/; \
    mv built/planner/voxelhub_planner built/planner/voxelhub_planner_widgets extensions/planner/

FROM python AS notebook
COPY --from=user /opt/voxelhub/.envs/imaging /opt/voxelhub/.envs/imaging
COPY --from=user /opt/voxelhub/.envs/lab /opt/voxelhub/.envs/lab
COPY --from=user /opt/voxelhub/LICENSE /opt/voxelhub/
COPY --from=user /opt/voxelhub/dist-lab /opt/voxelhub/dist-lab
COPY --from=user /opt/voxelhub/extensions /opt/voxelhub/extensions
COPY --from=user /opt/voxelhub/kernels /opt/voxelhub/kernels
COPY --from=user /opt/voxelhub/notebooks /opt/voxelhub/notebooks
ENV PATH=/opt/voxelhub/.envs/lab/bin:$PATH SHELL=/bin/bash PYTHONDONTWRITEBYTECODE=
WORKDIR /home/voxelhub
USER 1000:1000
EXPOSE 8888
ENTRYPOINT ["tini", "-g", "--"]
CMD ["/opt/voxelhub/.envs/lab/bin/jupyterhub-singleuser"]
LABEL org.opencontainers.image.title="voxelhub-notebook" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="VoxelHub: JupyterLab with its panels, and the kernel imaging"

# PyTorch and its CUDA libraries: about 5.2 GB more.
FROM user AS torch
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py imaging-torch kernelspecs

FROM notebook AS notebook-gpu
COPY --from=torch /opt/voxelhub/.envs/imaging-torch /opt/voxelhub/.envs/imaging-torch
COPY --from=torch /opt/voxelhub/.envs/lab/share/jupyter/kernels /opt/voxelhub/.envs/lab/share/jupyter/kernels
ENV NVIDIA_VISIBLE_DEVICES=void NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="voxelhub-notebook-gpu" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="VoxelHub: JupyterLab with its panels, and kernels with and without PyTorch"
