#!/bin/sh
# Puts SmartRouter into a LibreChat client that is served from files, or takes it out again. Meant for the start of a container
# or service, after every update of LibreChat; safe to run again.
#
#     ./install.sh [--remove] CLIENT_DIST          for example ./install.sh /app/client/dist
set -eu
remove=
[ "${1:-}" = --remove ] && { remove=1; shift; }
dist=${1:-}
page=$dist/index.html
here=$(cd "$(dirname "$0")" && pwd)
tag='<script defer src="smartrouter/plugin.js?v=VERSION" data-lc-rum-bootstrap="true"></script>'

if [ -z "$dist" ] || [ ! -f "$page" ]; then
    echo "install.sh: there is no index.html in '$dist': give LibreChat's client/dist folder" >&2
    exit 2
fi
if ! grep -q '</head>' "$page"; then
    echo "install.sh: $page has no </head>: not changed" >&2
    exit 1
fi

# Out first, so that an update replaces the old version's tag; in a copy, so that no page is ever half written. The copy keeps
# the page's owner and mode, and a failure leaves the page as it was.
copy=$page.smartrouter
trap 'rm -f "$copy"' EXIT
cp -p "$page" "$copy"
sed 's|<script[^>]*smartrouter/plugin\.js[^>]*></script>||g' "$page" > "$copy"
if [ -n "$remove" ]; then
    mv "$copy" "$page"
    rm -rf "$dist/smartrouter"
    echo "install.sh: SmartRouter is out of $dist"
    exit 0
fi
sed "s|</head>|$tag</head>|" "$copy" > "$copy.2" && cat "$copy.2" > "$copy" && rm -f "$copy.2"
grep -q 'smartrouter/plugin.js' "$copy" || { echo "install.sh: the tag could not be added: not changed" >&2; exit 1; }
if [ "$here/smartrouter" != "$dist/smartrouter" ]; then
    # the operator's settings stay
    kept=
    [ -f "$dist/smartrouter/smartrouter.json" ] && kept=$(mktemp) && cp "$dist/smartrouter/smartrouter.json" "$kept"
    rm -rf "$dist/smartrouter"
    cp -R "$here/smartrouter" "$dist/smartrouter"
    [ -z "$kept" ] || { cat "$kept" > "$dist/smartrouter/smartrouter.json"; rm -f "$kept"; }
fi
mv "$copy" "$page"
echo "install.sh: SmartRouter VERSION is in $dist"
