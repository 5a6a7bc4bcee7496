#!/bin/sh
# Builds a current nginx against the OpenSSL that the probe links, as a second oracle: what NGF runs
# is years ahead of Debian's. Needs nginx's source, a C compiler and libpcre2-dev; takes a minute.
#
#   probes/tests/differential/current-nginx.sh NGINX-SOURCE /tmp/nginx
#   NGINX_BINARY=/tmp/nginx cargo test -p ngf-probes --features slow-tests --test differential
#
# NGINX-SOURCE is a git directory or an unpacked archive of github.com/nginx/nginx.
set -eu
[ $# = 2 ] || { echo "usage: $0 NGINX-SOURCE BINARY" >&2; exit 2; }
top=$(git rev-parse --show-toplevel)
static=$(find "$top/target" -name libssl.a -path '*openssl-sys-*' -printf '%T@ %h\n' | sort -n | tail -n 1 | cut -d' ' -f2)
[ -n "$static" ] || { echo "no vendored OpenSSL under $top/target: run cargo build first" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if git -C "$1" rev-parse --git-dir >/dev/null 2>&1 && [ ! -d "$1/auto" ]; then
    git -C "$1" archive HEAD | tar -x -C "$work"
else
    cp -r "$1/." "$work"
fi
cd "$work"
./auto/configure --with-debug --with-http_ssl_module --with-http_v2_module --with-http_auth_request_module \
    --with-stream --with-stream_ssl_module --without-http_gzip_module \
    --with-cc-opt="-O0 -I$static/../include" --with-ld-opt="-L$static" >configure.log
make >make.log
cp objs/nginx "$2"
"$2" -V
