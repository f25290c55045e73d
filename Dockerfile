# longwire in a container, with the few programs that scenarios often run.
#
#   docker build -t longwire .
#   docker run --rm --device /dev/net/tun --cap-add SYS_ADMIN --cap-add NET_ADMIN longwire run /usr/share/longwire/quickstart.yaml
#
# Add --security-opt apparmor=unconfined where the machine has AppArmor. docs/ci.md says what each of them is for.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin longwire

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl iperf3 iproute2 iputils-ping python3-minimal \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/release/longwire /usr/local/bin/longwire
COPY scenarios/quickstart.yaml /usr/share/longwire/
WORKDIR /work
ENTRYPOINT ["longwire"]
CMD ["--help"]
