# A client that speaks HTTP/3, as Debian has it.
FROM debian:trixie-slim
RUN --mount=type=bind,source=docker/install,target=/sbin/install-packages \
    --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/90build \
    install-packages curl
ENTRYPOINT ["curl"]
