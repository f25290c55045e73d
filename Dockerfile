# longwire in a container, with the few programs that scenarios often run.
#
#   docker build -t longwire .
#   docker run --rm --device /dev/net/tun --cap-add SYS_ADMIN --cap-add NET_ADMIN longwire run /usr/share/longwire/scenarios/quickstart.yaml
#
# Virtual time needs none of these options:
#
#   docker run --rm longwire sim /usr/share/longwire/scenarios/quickstart.yaml
#
# For `run`, add --security-opt apparmor=unconfined where the machine has AppArmor. docs/ci.md says what each option is for.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# the commit that `--version` shows: the repository itself is not sent along
ARG LONGWIRE_COMMIT=
RUN cargo build --profile dist --locked --bin longwire
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && packaging/notices > third-party.txt

# `docker build --target program --output target/dist .`: what packaging/deb packs. It runs where glibc is 2.34 or later.
FROM scratch AS program
COPY --from=build /build/target/dist/longwire /

FROM debian:bookworm-slim AS kernel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bc bison build-essential flex linux-source-6.12 perl xz-utils
COPY kernel /build/kernel
RUN /build/kernel/build /usr/lib/longwire/kernel \
    && cp -r /build/kernel /usr/lib/longwire/source
COPY packaging/kernel.copyright /usr/lib/longwire/

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
COPY --from=build /build/LICENSE-MIT /build/LICENSE-APACHE /build/third-party.txt /usr/share/doc/longwire/
COPY scenarios /usr/share/longwire/scenarios
WORKDIR /work
ENTRYPOINT ["longwire"]
CMD ["--help"]
