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
COPY locks/core.lock locks/core.lock
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py core

FROM core AS kernels
COPY locks/lab.lock locks/imaging.lock locks/
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py lab imaging; \
    rm -f .envs/lab/.lock .envs/imaging/.lock

FROM kernels AS npm
COPY package.json package-lock.json .npmrc ./
COPY extensions/lab/package.json extensions/lab/package.json
COPY extensions/planner/widgets/package.json extensions/planner/widgets/package.json
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py npm

# What a server needs of the sources and of what is built from them; the environment `lab` then only gets links and settings.
FROM npm AS user
COPY tsconfig.base.json LICENSE ./
COPY extensions extensions
COPY kernels kernels
COPY notebooks notebooks
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; \
    python3 hub_config/bootstrap.py labextension kernelspecs bytecode; \
    mkdir -p /out/opt/voxelhub/extensions/lab /out/opt/voxelhub/extensions/planner /out/opt/voxelhub/.envs/lab/etc/jupyter \
        /out/opt/voxelhub/.envs/lab/share/jupyter/labextensions; \
    cp -a LICENSE dist-lab kernels notebooks /out/opt/voxelhub/; \
    cd extensions/lab; cp -a voxelhub_lab jupyter-config install.json THIRD-PARTY-NOTICES.md /out/opt/voxelhub/extensions/lab/; \
    cd ../planner; cp -a voxelhub_planner voxelhub_planner_widgets /out/opt/voxelhub/extensions/planner/; \
    cd /opt/voxelhub/.envs/lab; cp -a share/jupyter/kernels /out/opt/voxelhub/.envs/lab/share/jupyter/; \
    cp -a share/jupyter/labextensions/@voxelhub /out/opt/voxelhub/.envs/lab/share/jupyter/labextensions/; \
    cp -a etc/jupyter/jupyter_server_config.d /out/opt/voxelhub/.envs/lab/etc/jupyter/

FROM python AS notebook
COPY --from=kernels /opt/voxelhub/.envs/imaging /opt/voxelhub/.envs/imaging
COPY --from=kernels /opt/voxelhub/.envs/lab /opt/voxelhub/.envs/lab
COPY --from=user /out/ /
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
COPY locks/imaging-torch.lock locks/imaging-torch.lock
RUN set -eu; [ ! -f /mnt/environment ] || . /mnt/environment; python3 hub_config/bootstrap.py imaging-torch kernelspecs; \
    rm -f .envs/imaging-torch/.lock

FROM notebook AS notebook-gpu
COPY --from=torch /opt/voxelhub/.envs/imaging-torch /opt/voxelhub/.envs/imaging-torch
COPY --from=torch /opt/voxelhub/.envs/lab/share/jupyter/kernels/imaging-torch /opt/voxelhub/.envs/lab/share/jupyter/kernels/imaging-torch
ENV NVIDIA_VISIBLE_DEVICES=void NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="voxelhub-notebook-gpu" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="VoxelHub: JupyterLab with its panels, and kernels with and without PyTorch"
