# ttf and ttf-gateway: nix-build packages/nix
{ pkgs ? import <nixpkgs> { } }:

pkgs.stdenv.mkDerivation {
  pname = "http-tunnel";
  version = "0.1.0";
  src = pkgs.lib.cleanSource ../..;

  nativeBuildInputs = with pkgs; [ cmake ninja pkg-config ];
  buildInputs = with pkgs; [
    brotli
    c-ares
    curl
    hiredis
    jansson
    libjwt
    libmicrohttpd
    libseccomp
    qrencode
    libuv
    libwebsockets
    libyaml
    nghttp2
    openssl
    zlib
    zstd
  ];
  cmakeFlags = [ "-DTTF_TESTS=OFF" ];

  meta = {
    description = "Public URLs for web services on this machine";
    license = pkgs.lib.licenses.mit;
    platforms = pkgs.lib.platforms.linux;
    mainProgram = "ttf";
  };
}
