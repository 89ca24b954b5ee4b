# ./dev stack: compose.yaml with an engine, Compose v2 and base images, where they are missing. Sourced by ./dev.
#
# Everything of its own is in build/stack: an engine's data (its images and volumes, so that the next start is quick), Compose,
# what apt has to know in image builds. --down removes it.
STACK_DIR=$ROOT/build/stack
STACK_PACKAGES=(curl openssl)
ENGINE_PACKAGES=(docker.io iptables iproute2)
RELEASE=trixie
BASE_IMAGE=debian:$RELEASE-slim
COMPOSE=()
ENGINE_SOCKET=$STACK_DIR/engine.sock

stack_docker() { timeout 60 docker "$@"; }

# ---- the engine ----

engine_runs() { [ -f "$STACK_DIR/engine.pid" ] && kill -0 "$(cat "$STACK_DIR/engine.pid")" 2>/dev/null; }

# Why no engine can be had, or nothing.
engine_obstacle() {
    if [ "$(id -u)" != 0 ]; then
        echo "no Docker engine runs, and only root can start one"
    elif ! command -v apt-get >/dev/null; then
        echo "no Docker engine runs, and there is no apt to install one with"
    fi
}

engine_start() {
    need "${ENGINE_PACKAGES[@]}"
    say "Starting a Docker engine of our own"
    {
        cat /proc/sys/net/ipv4/ip_forward
        iptables -S FORWARD 2>/dev/null | head -n 1
        [ -e /sys/class/net/docker0 ] && echo docker0 || echo -
    } >"$STACK_DIR/before"
    setsid dockerd --data-root "$STACK_DIR/engine" --exec-root "$STACK_DIR/exec" --pidfile "$STACK_DIR/engine.pid" \
        --host "unix://$ENGINE_SOCKET" >"$STACK_DIR/engine.log" 2>&1 </dev/null &
    local engine=$! tries
    disown
    for ((tries = 0; tries < 3000; tries++)); do
        stack_docker info >/dev/null 2>&1 && return
        kill -0 $engine 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$STACK_DIR/engine.log" >&2
    return 1
}

# With what it has left behind: a mount, its bridge, its rules, and that packets are forwarded.
engine_stop() {
    engine_runs || return 0
    local pid forward policy bridge
    pid=$(cat "$STACK_DIR/engine.pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    umount "$STACK_DIR/exec/netns/default" 2>/dev/null || true
    { read -r forward && read -r policy && read -r bridge; } <"$STACK_DIR/before"
    [ "$bridge" = docker0 ] && return
    ip link delete docker0 2>/dev/null || true
    { iptables-save | grep -viE 'docker' | iptables-restore; } 2>/dev/null || true
    # shellcheck disable=SC2086 # several words on purpose
    iptables $policy 2>/dev/null || true
    echo "$forward" >/proc/sys/net/ipv4/ip_forward
}

engine_ready() { # 1: no engine, and STACK_WHY says why
    mkdir -p "$STACK_DIR"
    if ! engine_runs && command -v docker >/dev/null && stack_docker info >/dev/null 2>&1; then return; fi
    STACK_WHY=$(engine_obstacle)
    [ -z "$STACK_WHY" ] || return 1
    export DOCKER_HOST=unix://$ENGINE_SOCKET
    engine_runs || engine_start || {
        STACK_WHY="the Docker engine does not start (build/stack/engine.log)"
        return 1
    }
}

# ---- what comes from Debian ----

# The machine's own mirrors, for the release of the images; empty where it does not run Debian.
release_sources() {
    local host
    host=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || return 0
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v host="$host" -v release="$RELEASE" '$3 == "main" && $2 ~ "^" host "(-updates|-security)?$" {
            sub("^" host, release, $2); print "deb", $1, $2, "main" }' | sort -u
}

# What apt and Maven need to reach their archives as this machine does; secrets of the builds.
prepare_fetching() {
    apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|Check-|Retries|ForceIP)' >"$STACK_DIR/apt.conf" || true
    export APT_CONF=${APT_CONF:-$STACK_DIR/apt.conf}
    local authorities=/etc/ssl/certs/ca-certificates.crt
    [ ! -f ~/.m2/settings.xml ] || export MAVEN_SETTINGS=${MAVEN_SETTINGS:-$HOME/.m2/settings.xml}
    [ ! -f $authorities ] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$authorities}
}

# Compose v2 out of the next release's package, without that release's sources on the system.
fetch_compose() {
    local dir=$STACK_DIR/apt
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/etc"
    release_sources >"$dir/sources.list"
    [ -s "$dir/sources.list" ] || die "please install Docker Compose v2"
    say "Fetching Docker Compose v2"
    local options=(-qq -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$dir/lists"
        -o "Dir::Cache=$dir" -o Acquire::Languages=none -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >/dev/null && (cd "$dir" && apt-get "${options[@]}" download docker-compose) ||
        die "Docker Compose v2 cannot be fetched"
    dpkg-deb --fsys-tarfile "$dir"/docker-compose_*.deb |
        tar -xO ./usr/libexec/docker/cli-plugins/docker-compose >"$STACK_DIR/docker-compose"
    chmod +x "$STACK_DIR/docker-compose"
    rm -rf "$dir"
}

compose_ready() {
    if docker compose version >/dev/null 2>&1; then
        COMPOSE=(docker compose)
        return
    fi
    [ -x "$STACK_DIR/docker-compose" ] || fetch_compose
    COMPOSE=("$STACK_DIR/docker-compose")
}

# Where no registry can be reached: the same from Debian's packages, under the same name.
base_image_ready() {
    stack_docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
    stack_docker pull -q "$BASE_IMAGE" >/dev/null 2>&1 && return
    say "$BASE_IMAGE cannot be pulled; making it of Debian's packages"
    need mmdebstrap debian-archive-keyring
    local sources=$STACK_DIR/sources.list options=() option
    release_sources >"$sources"
    while read -r option; do options+=(--aptopt="$option"); done <"$STACK_DIR/apt.conf"
    [ -s "$sources" ] && options+=("$RELEASE" - "$sources") || options+=("$RELEASE" -)
    mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "${options[@]}" 2>"$STACK_DIR/mmdebstrap.log" |
        docker import - "$BASE_IMAGE" >/dev/null || die "the base image cannot be made (build/stack/mmdebstrap.log)"
}

# ---- the stack ----

stack_ready() { # 1: no engine, see engine_ready
    engine_ready || return 1
    prepare_fetching
    compose_ready
    base_image_ready
}

stack_compose() { "${COMPOSE[@]}" --project-directory "$ROOT" -f "$ROOT/compose.yaml" "$@"; }

stack_up() { # compose's own options...: builds, starts, waits for health
    say "Building the images and starting them"
    stack_compose "$@" up --build --wait --quiet-pull >"$STACK_DIR/up.log" 2>&1 || {
        grep -vE '^#[0-9]+ (DONE|CACHED|transferring|sha256|extracting)' "$STACK_DIR/up.log" | tail -n 40 >&2
        stack_compose "$@" logs --tail 20 >&2 || true
        return 1
    }
}

stack_stop() { # compose's own options for `down`...: and the engine, if it is ours
    stack_compose --profile '*' down --remove-orphans --timeout 10 "$@" >"$STACK_DIR/down.log" 2>&1 || tail -n 5 "$STACK_DIR/down.log" >&2
    engine_stop
}

stack_down() {
    mkdir -p "$STACK_DIR"
    ! engine_runs || export DOCKER_HOST=unix://$ENGINE_SOCKET
    if command -v docker >/dev/null && stack_docker info >/dev/null 2>&1; then
        compose_ready
        stack_stop --volumes --rmi local
    fi
    rm -rf "$STACK_DIR"
    say "Nothing of the stack is left"
}

end_stack() { # exit code
    trap - EXIT INT TERM HUP
    say ""
    say "Stopping"
    stack_stop
    exit "$1"
}

stack_run() { # the service that prints the URL, compose's own options...
    local ttf=$1
    shift
    stack_ready || die "$STACK_WHY"
    trap 'end_stack 0' INT TERM HUP
    trap 'end_stack $?' EXIT
    stack_up "$@" || die "the stack did not start"
    local url
    url=$(stack_compose "$@" logs --no-log-prefix --no-color "$ttf" | sed -n 's/^.*Tunnel established: //p' | tail -n 1)
    say ""
    say "  $url/"
    say ""
    say "is the todo list, through the tunnel. Requests appear below. Ctrl-C ends all of it."
    say ""
    stack_compose "$@" logs --no-log-prefix --follow --tail 0 "$ttf" || true &
    wait $! || true
    die "the stack has ended"
}

# ---- its test ----

# Ports of the kernel's choice: whatever runs on this machine goes on.
free_ports() {
    "$PYTHON" -c 'import socket
s = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
print(*(x.getsockname()[1] for x in s))'
}

# The number of failures is not told, only whether there are any; 77 where there is no engine.
stack_test() { # arguments for pytest...
    need "${TEST_PACKAGES[@]}"
    want chromium
    build release
    engine_ready || {
        say "skipped: $STACK_WHY"
        return 77
    }
    trap 'stack_stop --volumes >/dev/null' EXIT
    stack_ready || return 1
    local status=0
    read -r PUBLIC_PORT AGENT_PORT HTTPS_PORT AWS_PUBLIC_PORT AWS_AGENT_PORT AWS_ADMIN_PORT GATEWAY_HTTPS_PORT GATEWAY_WSS_PORT \
        < <(free_ports)
    export PUBLIC_PORT AGENT_PORT HTTPS_PORT AWS_PUBLIC_PORT AWS_AGENT_PORT AWS_ADMIN_PORT GATEWAY_HTTPS_PORT GATEWAY_WSS_PORT
    export COMPOSE_PROJECT_NAME=http-tunnel-test COMPOSE_PROFILES=tls,https,aws LOG_LEVEL=info
    export TTF_ENDPOINT=wss://tls:$HTTPS_PORT/.tunnel/agent PUBLIC_URL=https://tunnel.localhost:$HTTPS_PORT
    stack_up && STACK_COMPOSE="${COMPOSE[*]}" "$PYTHON" -m pytest -q -p no:cacheprovider tests/stack "$@" || status=$?
    trap - EXIT
    stack_stop --volumes
    return $status
}

stack_main() {
    case ${1:-} in
    --down) stack_down ;;
    --test) shift; stack_test "$@" ;;
    --tls) stack_run ttf --env-file "$ROOT/docker/tls.env" ;;
    --https) stack_run ttf --env-file "$ROOT/docker/https.env" ;;
    --aws) stack_run ttf-aws --env-file "$ROOT/docker/aws.env" ;;
    '') stack_run ttf ;;
    *) die "stack: unknown option $1 (there are --tls, --https, --aws, --down and --test)" ;;
    esac
}
