#!/usr/bin/env bash
# sysroot.sh macos|windows arm64|x86_64: makes build/SYSTEM/ARCHITECTURE/root, what `ttf` for that system is linked from, unless that
# is there already: its libraries, built from the newest tarballs of Debian's source packages by zig (of build/ziglang, which has the
# headers and linkers of both systems); build/SYSTEM/ARCHITECTURE/bin, compilers as CMake and configure want them; and root/versions,
# as aws-adapter/package does.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
SYSTEM=$1
ARCHITECTURE=$2
case $SYSTEM-$ARCHITECTURE in
macos-arm64) TARGET=aarch64-macos HOST=aarch64-apple-darwin OPENSSL_TARGET=darwin64-arm64 ;;
macos-x86_64) TARGET=x86_64-macos HOST=x86_64-apple-darwin OPENSSL_TARGET=darwin64-x86_64 ;;
windows-x86_64) TARGET=x86_64-windows-gnu HOST=x86_64-w64-mingw32 OPENSSL_TARGET=mingw64 ;;
*) sed -n 2p "$0" >&2; exit 2 ;;
esac
case $SYSTEM in
macos) TARGET=$TARGET.12.0 CERTIFICATES=/etc/ssl ;; # the oldest that it runs on
windows) CERTIFICATES=C:/ProgramData/ssl ;;
esac
FOLDER=$TOP/build/$SYSTEM/$ARCHITECTURE
ROOT=$FOLDER/root
DEBIAN=amd64 # of the indexes; sources have none
. "$TOP/aws-adapter/package/sources.sh"

make_tools() {
    local zig tool
    zig=$("$TOP/build/ziglang/bin/python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__) + "/zig")')
    mkdir -p "$FOLDER/bin"
    printf '#!/bin/sh\nexec "%s" cc -target %s "$@"\n' "$zig" "$TARGET" >"$FOLDER/bin/cc"
    for tool in ar ranlib; do printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$zig" "$tool" >"$FOLDER/bin/$tool"; done
    # Windows' resources are for DLLs: nothing is made of them.
    printf '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nexec "%s" -x c -c /dev/null -o "$2"\n' "$FOLDER/bin/cc" >"$FOLDER/bin/rc"
    chmod +x "$FOLDER"/bin/*
}

build() { # library-file name cmake-option...
    local file=$1 name=$2
    shift 2
    fetch_tarball "$name"
    TTF_SYSTEM=$SYSTEM TTF_ARCHITECTURE=$ARCHITECTURE cmake -G Ninja -S "$unpacked${CMAKE_FOLDER:-}" \
        -B "$FOLDER/source/build-$name" --toolchain "$HERE/cross.cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
        -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF "$@"
    DESTDIR=$ROOT ninja -C "$FOLDER/source/build-$name" install
    note_version "$fetched" "$file"
}

# For libraries whose CMake writes none.
describe() { # name version library
    printf 'Name: %s\nDescription: %s\nVersion: %s\nCflags: -I/usr/include\nLibs: -L/usr/lib -l%s\n' "$1" "$1" "$2" "$3" \
        >"$ROOT/usr/lib/pkgconfig/$1.pc"
}

build_openssl() {
    fetch_tarball openssl "$OPENSSL_SERIES"
    (
        cd "$FOLDER"/source/openssl-*/
        ./Configure "$OPENSSL_TARGET" "${OPENSSL_OPTIONS[@]}" --prefix=/usr --libdir=lib --openssldir="$CERTIFICATES" \
            CC="$FOLDER/bin/cc" AR="$FOLDER/bin/ar" RANLIB="$FOLDER/bin/ranlib" CFLAGS=-O2 CPPFLAGS="$OPENSSL_CPPFLAGS"
        make -s -j "$(nproc)" build_generated
        make -s -j "$(nproc)" libcrypto.a libssl.a
        make -s install_dev DESTDIR="$ROOT"
    )
    note_version "$fetched" libcrypto.a libssl.a
}

# Debian's tarball lacks what its CMake wants; its configure knows no more of a system than how libraries are shared there.
build_zlib() {
    fetch_tarball zlib
    (
        cd "$FOLDER"/source/zlib-*/
        uname=Linux CC="$FOLDER/bin/cc" AR="$FOLDER/bin/ar" RANLIB="$FOLDER/bin/ranlib" CFLAGS=-O2 ./configure --static --prefix=/usr
        make -s libz.a
        make -s install DESTDIR="$ROOT"
    )
    note_version "$fetched" libz.a
}

# What bodies are decoded with; Windows' ttf does without.
build_decoders() {
    build_zlib
    build libbrotlidec.a brotli -DBROTLI_DISABLE_TESTS=ON
    note_version "$fetched" libbrotlicommon.a
    CMAKE_FOLDER=/build/cmake build libzstd.a libzstd -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_SHARED=OFF -DZSTD_LEGACY_SUPPORT=OFF
}

build_mhd() {
    fetch_tarball libmicrohttpd
    mkdir "$FOLDER/source/build-mhd"
    (
        cd "$FOLDER/source/build-mhd"
        ../libmicrohttpd-*/configure --host="$HOST" --prefix=/usr --disable-shared --enable-static --disable-https \
            --disable-doc --disable-examples --disable-curl --disable-tools --disable-postprocessor --disable-bauth --disable-dauth \
            CC="$FOLDER/bin/cc" AR="$FOLDER/bin/ar" RANLIB="$FOLDER/bin/ranlib" RC="$FOLDER/bin/rc" CFLAGS=-O2
        make -j "$(nproc)"
        make install DESTDIR="$ROOT"
    )
    rm -f "$ROOT"/usr/lib/*.la
    note_version "$fetched" libmicrohttpd.a
}

recipe=$(cat "$HERE"/* "$TOP"/aws-adapter/package/sources.sh "$TOP"/aws-adapter/package/libjwt/* | sha256sum)
[ "$(cat "$ROOT/recipe" 2>/dev/null)" = "$recipe" ] && exit
rm -rf "$FOLDER"
mkdir -p "$ROOT" "$FOLDER/source"
make_tools
apt_start
build_openssl
build libjansson.a jansson -DJANSSON_BUILD_DOCS=OFF -DJANSSON_WITHOUT_TESTS=ON -DJANSSON_EXAMPLES=OFF
build libuv.a libuv1 -DLIBUV_BUILD_SHARED=OFF
sed -i 's/-l:libuv.a/-luv/' "$ROOT/usr/lib/pkgconfig/libuv-static.pc" # of GNU's linker
build libyaml.a libyaml
describe yaml-0.1 "${fetched#* }" yaml
build libnghttp2.a nghttp2 -DENABLE_LIB_ONLY=ON -DENABLE_DOC=OFF -DBUILD_STATIC_LIBS=ON
build libjwt.a libjwt -DBUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS="-DHAVE_OPENSSL -I$TOP/aws-adapter/package/libjwt -I$ROOT/usr/include" # as in aws-adapter/package/sysroot.sh
describe libjwt "${fetched#* }" jwt
build libqrencode.a qrencode -DWITH_TOOLS=OFF
if [ "$SYSTEM" = macos ]; then build_decoders; fi
build libcmocka.a cmocka -DWITH_EXAMPLES=OFF # for the unit tests
rm -f "$ROOT"/usr/lib/*.dylib
build_mhd
rm -rf "$FOLDER/apt" "$FOLDER/source"
echo "$recipe" >"$ROOT/recipe"
