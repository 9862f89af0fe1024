#!/usr/bin/env bash
# Fetches Debian packages of another architecture, verified and with all they depend on, and
# unpacks them below a folder where a cross compiler and qemu find them. Nothing is installed:
# apt works on lists and an empty status of its own.
#
#   tools/make_sysroot.sh ARCHITECTURE FOLDER PACKAGE...
#   tools/make_sysroot.sh arm64 build/sysroot-arm64 libhwy-dev libfmt-dev
#
# Does nothing where FOLDER already has exactly these packages.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64; }
architecture=$1 folder=$2; shift 2
wanted="$architecture $*"
[ "$(cat "$folder/.packages" 2>/dev/null)" != "$wanted" ] || exit 0

rm -rf "$folder"
mkdir -p "$folder/.apt/lists/partial" "$folder/.apt/archives/partial"
state=$(cd "$folder/.apt" && pwd)
: >"$state/status"
apt_here() {
  apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
    -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}
if ! { apt_here update && apt_here install -y --no-install-recommends --download-only "$@"; } \
    >"$state/log" 2>&1; then
  tail -n 20 "$state/log" >&2
  echo "make_sysroot: apt-get cannot fetch packages of $architecture (whole log: $state/log)" >&2
  exit 69
fi
for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$folder"; done

# Links to absolute paths would lead out of the folder.
find "$folder" -type l -lname '/*' | while IFS= read -r link; do
  ln -sfnr "$folder$(readlink "$link")" "$link"
done
rm -rf "$state/archives" "$state/lists" "$state"/*.bin
echo "$wanted" >"$folder/.packages"
