# The image of pqcdc and pqcdc-operator: the programs, the shared libraries that they need, certificates of
# authorities, and nothing that could start anything else. scripts/image builds it without any registry of
# images; elsewhere `docker build .` does, to be pinned by --build-arg BASE=debian@sha256:...
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates ccache cmake gcc libc6-dev libcurl4-openssl-dev libgoogle-perftools4t64 libjansson-dev \
        libmicrohttpd-dev libpq-dev librdkafka-dev libyaml-dev ninja-build pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt ./
COPY cmake cmake
COPY docs docs
COPY include include
COPY src src
# Equal sources give equal programs: no path and no time of the build is in them. The names of functions stay, for
# profiles. CCACHE_DISABLE=1: compiled anew.
ARG CCACHE_DISABLE
RUN --mount=type=cache,id=pqcdc-ccache,target=/ccache \
    export CCACHE_DIR=/ccache \
    && cmake -S . -B /build -G Ninja -DTESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_C_COMPILER_LAUNCHER=ccache \
        -DCMAKE_C_FLAGS="-ffile-prefix-map=/source=. -ffile-prefix-map=/build=build" \
    && cmake --build /build \
    && DESTDIR=/installed cmake --install /build \
    && strip --strip-debug /installed/usr/bin/*
COPY LICENSE ./
COPY image image
ARG SOURCE_DATE_EPOCH=0
ARG REVISION=unknown
RUN bash image/root.sh /installed /image && bash image/buildinfo.sh /image && bash image/sbom.sh /image

# What it is not built on has no digest; source, url and documentation are added by who publishes it.
FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="pqcdc" \
      org.opencontainers.image.description="Change data capture from PostgreSQL to Kafka" \
      org.opencontainers.image.vendor="The pqcdc authors" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="scratch"
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/pqcdc"]
