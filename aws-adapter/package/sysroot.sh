#!/usr/bin/env bash
# sysroot.sh x86_64|arm64: makes build/lambda/ARCHITECTURE/root, what `bootstrap` and the static `ttf` are linked from, unless that is there already.
# libc, OpenSSL, jansson, libuv, c-ares, zlib, brotli, zstd, nghttp2 and libyaml are Debian's packages (their static libraries), of one release.
# libcurl, libjwt and libmicrohttpd are built here from Debian's source packages: of libjwt Debian has no static library; its
# libcurl would bring 18 MB with it, and its libmicrohttpd GnuTLS.
#
# apt works with folders of its own: the machine's sources, lists and packages stay as they are.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PACKAGES_RELEASE=bookworm # whatever the machine has: one package everywhere, and trixie's OpenSSL is half as large again
SOURCES_RELEASE=trixie
PACKAGES=(libc6-dev libssl-dev libjansson-dev libuv1-dev libc-ares-dev zlib1g-dev libbrotli-dev libzstd-dev libnghttp2-dev libyaml-dev)

ARCHITECTURE=$1
FOLDER=$(cd "$HERE/../.." && pwd)/build/lambda/$ARCHITECTURE
case $ARCHITECTURE in
x86_64) DEBIAN=amd64 ;;
arm64) DEBIAN=arm64 ;;
*) sed -n 2p "$0" >&2; exit 2 ;;
esac
ROOT=$FOLDER/root
export APT_CONFIG=$FOLDER/apt/apt.conf

# Where this machine gets Debian from: lines of "address release", each of the release itself, its updates and security.
debian_archives() { # code name
    (unset APT_CONFIG && apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages') |
        awk -v name="$1" '$3 == "main" && $2 ~ "^" name "(-updates|-security)?$" { print $1, $2 }' | sort -ru
}

apt_start() {
    local release archives address suite suffix keys=/usr/share/keyrings/debian-archive-keyring.gpg
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    archives=$(debian_archives "$release")
    [ -n "$archives" ] || { echo "apt of this machine knows no Debian archive of $release" >&2; return 1; }
    mkdir -p "$FOLDER"/apt/{lists,archives}/partial
    : >"$FOLDER/apt/status"
    while read -r address suite; do
        suffix=${suite#"$release"}
        echo "deb [arch=$DEBIAN signed-by=$keys] $address $PACKAGES_RELEASE$suffix main"
        echo "deb-src [signed-by=$keys] $address $SOURCES_RELEASE$suffix main"
    done <<<"$archives" >"$FOLDER/apt/sources.list"
    cat >"$APT_CONFIG" <<CONF
APT::Architecture "$DEBIAN";
APT::Architectures { "$DEBIAN"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Dir::State "$FOLDER/apt";
Dir::State::status "$FOLDER/apt/status";
Dir::Cache "$FOLDER/apt";
Dir::Etc::sourcelist "$FOLDER/apt/sources.list";
Dir::Etc::sourceparts "-";
DPkg::Pre-Install-Pkgs "";
CONF
    apt-get -qq update
}

unpack_packages() {
    local package
    apt-get -qq -y --download-only install "${PACKAGES[@]}"
    for package in "$FOLDER"/apt/archives/*.deb; do dpkg-deb -x "$package" "$ROOT"; done
}

# Unpacks the newest that can be had: an archive's index may name files that a mirror does not hold yet, or no more.
fetch_source() { # name
    local version
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -ruV); do
        (cd "$FOLDER/source" && apt-get -qq source --only-source "$1=$version") && return
        echo "$1 $version cannot be had" >&2
    done
    return 1
}

build() { # name cmake-option...
    local name=$1
    shift
    cmake -G Ninja -S "$(find "$FOLDER/source" -maxdepth 1 -type d -name "$name-*")" -B "$FOLDER/source/build-$name" \
        --toolchain "$HERE/$ARCHITECTURE.cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
        -DBUILD_SHARED_LIBS=OFF -DBUILD_EXAMPLES=OFF "$@"
    DESTDIR=$ROOT ninja -C "$FOLDER/source/build-$name" install
}

# HTTP over OpenSSL, names by c-ares (a static libc cannot look them up), and nothing else.
build_curl() {
    local option options=()
    for option in ALTSVC AWS BASIC_AUTH BEARER_AUTH BINDLOCAL COOKIES DIGEST_AUTH DOH FORM_API GETOPTIONS HSTS HEADERS_API IPFS \
        KERBEROS_AUTH LIBCURL_OPTION MIME NEGOTIATE_AUTH NETRC NTLM PARSEDATE PROGRESS_METER PROXY SHUFFLE_DNS SRP WEBSOCKETS; do
        options+=("-DCURL_DISABLE_$option=ON")
    done
    for option in USE_NGHTTP2 CURL_USE_LIBPSL CURL_USE_LIBSSH2 CURL_ZLIB CURL_BROTLI CURL_ZSTD USE_LIBIDN2 ENABLE_UNIX_SOCKETS \
        ENABLE_CURL_MANUAL BUILD_CURL_EXE BUILD_LIBCURL_DOCS BUILD_MISC_DOCS BUILD_TESTING; do
        options+=("-D$option=OFF")
    done
    fetch_source curl
    build curl -DCMAKE_C_FLAGS="-ffunction-sections -fdata-sections" -DHTTP_ONLY=ON -DENABLE_ARES=ON -DCURL_USE_OPENSSL=ON \
        -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none "${options[@]}"
}

# The tarball alone, without Debian's patches. It lacks libjwt's own base64, in whose place Debian has libb64 and we have
# libjwt/base64.h. HAVE_OPENSSL is what its other build system says, and libjwt.pc what only that makes.
build_jwt() {
    (cd "$FOLDER/source" && apt-get -qq source --only-source --tar-only libjwt && tar xf libjwt_*.orig.tar.*)
    build libjwt -DCMAKE_C_FLAGS="-ffunction-sections -fdata-sections -DHAVE_OPENSSL -I$HERE/libjwt"
    cat >"$ROOT/usr/lib/pkgconfig/libjwt.pc" <<PC
Name: libjwt
Description: JSON Web Tokens
Version: $(sed -n 's/^AC_INIT(\[libjwt\],\[\([0-9.]*\)\].*/\1/p' "$FOLDER"/source/libjwt-*/configure.ac)
Requires.private: jansson openssl
Libs: -L/usr/lib -ljwt
PC
}

# Without TLS, for which Debian's would bring GnuTLS: ttf serves this machine alone. Of its own build system.
build_mhd() {
    local triplet=${ARCHITECTURE/arm64/aarch64}-linux-gnu
    fetch_source libmicrohttpd
    mkdir "$FOLDER/source/build-libmicrohttpd"
    (
        cd "$FOLDER/source/build-libmicrohttpd"
        ../libmicrohttpd-*/configure --host="$triplet" --prefix=/usr --disable-shared --enable-static --disable-https --disable-doc \
            --disable-examples --disable-curl --disable-tools --disable-postprocessor --disable-bauth --disable-dauth \
            CC="$triplet-gcc --sysroot=$ROOT" CFLAGS="-O2 -ffunction-sections -fdata-sections"
        make -j "$(nproc)"
        make install DESTDIR="$ROOT"
    )
    rm -f "$ROOT"/usr/lib/*.la
}

recipe=$(find "$HERE" -type f -print0 | sort -z | xargs -0 cat | sha256sum)
[ "$(cat "$ROOT/recipe" 2>/dev/null)" = "$recipe" ] && exit
rm -rf "$ROOT" "$FOLDER/source" "$FOLDER/build" # where CMake keeps what it found
mkdir -p "$ROOT" "$FOLDER/source"
apt_start
unpack_packages
build_curl
build_jwt
fetch_source qrencode && build qrencode -DWITH_TOOLS=OFF # of ttf alone; Debian has it shared only
build_mhd
rm -rf "$FOLDER/apt" "$FOLDER/source"
echo "$recipe" >"$ROOT/recipe"
