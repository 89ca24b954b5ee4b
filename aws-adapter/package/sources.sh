# To be sourced: Debian's packages and sources, fetched by an apt with folders of its own; the machine's sources, lists and packages
# stay as they are. Wants FOLDER and ROOT, and DEBIAN, the name that Debian has for the architecture.
PACKAGES_RELEASE=bookworm # whatever the machine has: one package everywhere, and trixie's OpenSSL is half as large again
OPENSSL_SERIES=3.0.       # that release's
SOURCES_RELEASE=trixie
export APT_CONFIG=$FOLDER/apt/apt.conf

# TLS 1.2 and 1.3, what certificates and tokens are signed with, and nothing else. The security level is Debian's.
OPENSSL_OPTIONS=(
    no-aria no-async no-bf no-camellia no-cast no-cmp no-cms no-comp no-ct no-dgram no-dso no-dtls no-dynamic-engine no-ec2m
    no-engine no-gost no-idea no-legacy no-md4 no-mdc2 no-multiblock no-nextprotoneg no-ocb no-psk no-rc2 no-rc4 no-rc5
    no-rfc3779 no-rmd160 no-seed no-shared no-siphash no-siv no-sm2 no-sm3 no-sm4 no-srp no-srtp no-ssl-trace no-tests no-tls1
    no-tls1_1 no-ts no-weak-ssl-ciphers no-whirlpool
)
OPENSSL_CPPFLAGS=-DOPENSSL_TLS_SECURITY_LEVEL=2

# Where this machine gets Debian from: lines of "address release", each of the release itself, its updates and security.
debian_archives() { # code name
    (unset APT_CONFIG && apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages') |
        awk -v name="$1" '$3 == "main" && $2 ~ "^" name "(-updates|-security)?$" { print $1, $2 }' | LC_ALL=C sort -u # a mirror of security may lack what it lists
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
        echo "deb-src [signed-by=$keys] $address $PACKAGES_RELEASE$suffix main"
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

note_version() { # "package version" file...
    local file
    for file in "${@:2}"; do echo "$file $1" >>"$ROOT/versions"; done
}

fetched= # "package version" of what was fetched last
unpacked= # the folder of the tarball that was fetched last
# Unpacks the newest that can be had: an archive's index may name files that a mirror does not hold yet, or no more.
fetch_source() { # name
    local version
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -ruV); do
        (cd "$FOLDER/source" && apt-get -qq source --only-source "$1=$version") && fetched="$1 $version" && return
        echo "$1 $version cannot be had" >&2
    done
    return 1
}

# The same of a tarball alone, without Debian's patches.
fetch_tarball() { # name [what the version begins with]
    local version
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | grep "^${2:-}" | sort -ruV); do
        if (cd "$FOLDER/source" && apt-get -qq source --only-source --tar-only "$1=$version" && tar xf "$1"_*.orig.tar.*); then
            version=${version#*:}
            fetched="$1 ${version%-*}"
            unpacked=$FOLDER/source/$(cd "$FOLDER/source" && tar tf "$1"_*.orig.tar.* | sed -n '1s,/.*,,p')
            return
        fi
        echo "$1 $version cannot be had" >&2
    done
    return 1
}
