#!/usr/bin/env bash
# deb.sh: makes build/packages/ttf_VERSION_ARCHITECTURE.deb and that of ttf-gateway, of the files of this tree as they are, for the
# release of Debian (or Ubuntu) and the architecture that this machine has; and has lintian look at them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
VERSION=$(sed -n 's/^project(http_tunnel VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
OUT=$PWD/build/packages
SOURCE=$OUT/source/http-tunnel-$VERSION

grep -q "^http-tunnel ($VERSION)" packages/debian/changelog || {
    echo "packages/debian/changelog does not begin with version $VERSION, which CMakeLists.txt has" >&2
    exit 1
}
rm -rf "$OUT/source" "$OUT"/*.deb
mkdir -p "$SOURCE"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read 2>/dev/null |
    tar --extract --directory "$SOURCE"
cp -r packages/debian "$SOURCE/debian"
TTF_COMMIT=$(git rev-parse --short HEAD)
export TTF_COMMIT DEB_BUILD_OPTIONS="noautodbgsym parallel=${TTF_JOBS:-2}"
(cd "$SOURCE" && dpkg-buildpackage --build=binary --no-sign)
mv "$OUT"/source/*.deb "$OUT"
rm -rf "$OUT/source"
lintian --fail-on error,warning --tag-display-limit 0 "$OUT"/*.deb
