#!/usr/bin/env bash
# sysroot.sh x86_64|arm64: makes build/lambda/ARCHITECTURE/root, what `bootstrap` and the static `ttf` are linked from, unless that is there already.
# root/versions tells what there is to link: a library's file, Debian's source package and its version a line.
# libc, jansson, libuv, c-ares, zlib, brotli, zstd, nghttp2, libyaml and libseccomp are Debian's packages (their static libraries), of one release.
# OpenSSL, libcurl, libjwt and libmicrohttpd are built here from Debian's source packages: of libjwt Debian has no static library; its
# libcurl would bring 18 MB with it, its libmicrohttpd GnuTLS, and its OpenSSL a megabyte of what TLS 1.2 and 1.3 have no use for.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PACKAGES=(libc6-dev libjansson-dev libuv1-dev libc-ares-dev zlib1g-dev libbrotli-dev libzstd-dev libnghttp2-dev libyaml-dev libseccomp-dev)

ARCHITECTURE=$1
FOLDER=$(cd "$HERE/../.." && pwd)/build/lambda/$ARCHITECTURE
case $ARCHITECTURE in
x86_64) DEBIAN=amd64 ;;
arm64) DEBIAN=arm64 ;;
*) sed -n 2p "$0" >&2; exit 2 ;;
esac
ROOT=$FOLDER/root
. "$HERE/sources.sh"

unpack_packages() {
    local package
    apt-get -qq -y --download-only install "${PACKAGES[@]}"
    for package in "$FOLDER"/apt/archives/*.deb; do
        dpkg-deb -x "$package" "$ROOT"
        note_version "$(dpkg-deb -W --showformat '${source:Package} ${source:Version}' "$package")" \
            $(dpkg-deb --fsys-tarfile "$package" | tar --list | sed -n 's,.*/\(lib[^/]*\.a\)$,\1,p')
    done
}

build() { # name cmake-option...
    local name=$1
    shift
    cmake -G Ninja -S "$(find "$FOLDER/source" -maxdepth 1 -type d -name "$name-*")" -B "$FOLDER/source/build-$name" \
        --toolchain "$HERE/$ARCHITECTURE.cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
        -DBUILD_SHARED_LIBS=OFF -DBUILD_EXAMPLES=OFF "$@"
    DESTDIR=$ROOT ninja -C "$FOLDER/source/build-$name" install
}

# Each function a section of its own, so that a program has only those that it calls. Of its own build system.
build_openssl() {
    local triplet=${ARCHITECTURE/arm64/aarch64}-linux-gnu
    fetch_tarball openssl "$OPENSSL_SERIES"
    (
        cd "$FOLDER"/source/openssl-*/
        ./Configure "linux-${triplet%%-*}" "${OPENSSL_OPTIONS[@]}" enable-ec_nistp_64_gcc_128 --cross-compile-prefix="$triplet-" \
            --prefix=/usr --libdir=lib --openssldir=/usr/lib/ssl \
            CFLAGS="--sysroot=$ROOT -O2 -fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables" \
            CPPFLAGS="$OPENSSL_CPPFLAGS"
        make -s -j "$(nproc)" build_generated
        make -s -j "$(nproc)" libcrypto.a libssl.a
        make -s install_dev DESTDIR="$ROOT"
    )
    note_version "$fetched" libcrypto.a libssl.a
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
    note_version "$fetched" libcurl.a
}

# It lacks libjwt's own base64, in whose place Debian has libb64 and we have
# libjwt/base64.h. HAVE_OPENSSL is what its other build system says, and libjwt.pc what only that makes.
build_jwt() {
    fetch_tarball libjwt
    build libjwt -DCMAKE_C_FLAGS="-ffunction-sections -fdata-sections -DHAVE_OPENSSL -I$HERE/libjwt"
    cat >"$ROOT/usr/lib/pkgconfig/libjwt.pc" <<PC
Name: libjwt
Description: JSON Web Tokens
Version: $(sed -n 's/^AC_INIT(\[libjwt\],\[\([0-9.]*\)\].*/\1/p' "$FOLDER"/source/libjwt-*/configure.ac)
Requires.private: jansson openssl
Libs: -L/usr/lib -ljwt
PC
    note_version "$fetched" libjwt.a
}

# Of ttf alone; Debian has it shared only.
build_qrencode() {
    fetch_source qrencode
    build qrencode -DWITH_TOOLS=OFF
    note_version "$fetched" libqrencode.a
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
    note_version "$fetched" libmicrohttpd.a
}

recipe=$(find "$HERE" -type f -print0 | sort -z | xargs -0 cat | sha256sum)
[ "$(cat "$ROOT/recipe" 2>/dev/null)" = "$recipe" ] && exit
rm -rf "$ROOT" "$FOLDER/source" "$FOLDER/build" # where CMake keeps what it found
mkdir -p "$ROOT" "$FOLDER/source"
apt_start
unpack_packages
build_openssl
build_curl
build_jwt
build_qrencode
build_mhd
rm -rf "$FOLDER/apt" "$FOLDER/source"
echo "$recipe" >"$ROOT/recipe"
