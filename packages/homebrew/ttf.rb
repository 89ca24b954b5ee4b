# Homebrew on Linux; macOS is not supported yet (docs/PACKAGES.md). `url` and `sha256` are a release's.
class Ttf < Formula
  desc "Public URLs for web services on this machine, through a tunnel gateway"
  homepage "https://tunnel.example.com"
  url "https://tunnel.example.com/http-tunnel-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "brotli"
  depends_on "c-ares"
  depends_on "curl"
  depends_on "hiredis"
  depends_on "jansson"
  depends_on "libjwt"
  depends_on "libmicrohttpd"
  depends_on "qrencode"
  depends_on "libnghttp2"
  depends_on "libseccomp"
  depends_on "libuv"
  depends_on "libwebsockets"
  depends_on "libyaml"
  depends_on :linux
  depends_on "openssl@3"
  depends_on "zlib"
  depends_on "zstd"

  def install
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DTTF_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/ttf --version")
  end
end
