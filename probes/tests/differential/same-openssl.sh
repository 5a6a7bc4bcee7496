#!/bin/sh
# Makes shared libraries for Debian's nginx out of the OpenSSL that the probe links (vendored, and
# built already), so that the differential suite can compare log lines word for word:
#
#   probes/tests/differential/same-openssl.sh /tmp/openssl
#   NGINX_LIBRARIES=/tmp/openssl cargo test -p ngf-probes --features slow-tests --test differential
set -eu
out=${1:?"usage: $0 DIRECTORY"}
top=$(git rev-parse --show-toplevel)
static=$(find "$top/target" -name libssl.a -path '*openssl-sys-*' -printf '%T@ %h\n' | sort -n | tail -n 1 | cut -d' ' -f2)
[ -n "$static" ] || { echo "no vendored OpenSSL under $top/target: run cargo build first" >&2; exit 2; }
mkdir -p "$out"
echo 'OPENSSL_3.0.0 { global: *; };' > "$out/versions.map"
for library in crypto ssl; do
    [ $library = ssl ] && needs=$out/libcrypto.so.3 || needs='-ldl -lpthread'
    # shellcheck disable=SC2086 # a list of arguments
    cc -shared -o "$out/lib$library.so.3" -Wl,-soname,lib$library.so.3 \
        -Wl,--version-script="$out/versions.map" \
        -Wl,--whole-archive "$static/lib$library.a" -Wl,--no-whole-archive $needs
done
LD_LIBRARY_PATH=$out nginx -V 2>&1 | grep OpenSSL
