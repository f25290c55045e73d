# longwire in a container, with the few programs that scenarios often run.
#
#   docker build -t longwire .
#   docker run --rm --device /dev/net/tun --cap-add SYS_ADMIN --cap-add NET_ADMIN longwire run /usr/share/longwire/quickstart.yaml
#
# Virtual time needs none of these options:
#
#   docker run --rm longwire sim /usr/share/longwire/quickstart.yaml
#
# For `run`, add --security-opt apparmor=unconfined where the machine has AppArmor. docs/ci.md says what each option is for.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --profile dist --locked --bin longwire

FROM debian:bookworm-slim AS kernel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bc bison build-essential flex linux-source-6.12 perl xz-utils
COPY kernel /build/kernel
RUN /build/kernel/build /usr/lib/longwire/kernel \
    && cp -r /build/kernel /usr/lib/longwire/source

# The kernel is GPL-2.0. Whoever publishes the image below publishes this one beside it (`docker build --target kernel-source`):
# it is the source of that kernel. kernel/README.md says why.
FROM scratch AS kernel-source
COPY --from=kernel /usr/src/linux-source-6.12.tar.xz /usr/lib/longwire /

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl iperf3 iproute2 iputils-ping python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/dist/longwire /usr/local/bin/longwire
COPY --from=kernel /usr/lib/longwire /usr/lib/longwire
COPY scenarios/quickstart.yaml /usr/share/longwire/
WORKDIR /work
ENTRYPOINT ["longwire"]
CMD ["--help"]
