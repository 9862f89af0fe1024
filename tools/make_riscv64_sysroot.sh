#!/usr/bin/env bash
# The libraries that the engine and its tests need, for 64-bit RISC-V. Debian 12 has cross
# compilers for it but no packages (the architecture came with Debian 13), so headers come from the
# packages installed here, which are the same for every architecture, and the little that must be
# compiled comes from Debian's sources.
#
#   tools/make_riscv64_sysroot.sh FOLDER
#
# libedit is left out, and with it the program `tutti`.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64; }
folder=$1
[ ! -e "$folder/.complete" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder/usr/include" "$folder/usr/lib/cmake/fmt" "$folder/usr/lib/pkgconfig" "$folder/src"
folder=$(cd "$folder" && pwd)
log=$folder/log

for headers in hwy boost fmt gtest gmock; do ln -s "/usr/include/$headers" "$folder/usr/include/"; done

# Highway's source package, by an apt of its own that knows sources only.
apt=$folder/src/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
: >"$apt/status"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
  [ -f "$list" ] && sed -n -e 's/^Types: deb$/Types: deb-src/' -e 's/^deb /deb-src /' -e p "$list" \
    >"$apt/sources/$(basename "$list" .list | sed 's/[.]sources$//').${list##*.}"
done
apt_here() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/sources" \
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}
{
  apt_here update
  cd "$folder/src"
  apt_here source --download-only highway
  tar xf highway_*.orig.tar.*
  cd highway-*/
  for name in targets aligned_allocator; do
    riscv64-linux-gnu-g++ -O2 -fPIC -I/nonexistent -I. -c "hwy/$name.cc" -o "$folder/src/$name.o"
  done
  riscv64-linux-gnu-ar rcs "$folder/usr/lib/libhwy.a" "$folder"/src/{targets,aligned_allocator}.o

  cd "$folder/src"
  echo '#include <boost/json/src.hpp>' >json.cc
  : >empty.cc
  cp -r /usr/src/googletest/googletest/src gtest_src
  cp -r /usr/src/googletest/googlemock/src gmock_src
  compile="riscv64-linux-gnu-g++ -std=c++20 -O2 -fPIC -I$folder/usr/include -I$folder/src"
  ln -s gtest_src src  # gtest-all.cc includes "src/gtest.cc"
  $compile -c gtest_src/gtest-all.cc -o gtest.o
  $compile -c gtest_src/gtest_main.cc -o gtest_main.o
  ln -sfn gmock_src src
  $compile -c gmock_src/gmock-all.cc -o gmock.o
  $compile -c json.cc -o json.o
  $compile -c empty.cc -o empty.o
  for library in gtest gtest_main gmock; do
    riscv64-linux-gnu-ar rcs "$folder/usr/lib/lib$library.a" "$library.o"
  done
  riscv64-linux-gnu-ar rcs "$folder/usr/lib/libboost_json.a" json.o
  riscv64-linux-gnu-ar rcs "$folder/usr/lib/libboost_container.a" empty.o
  cp "$folder/usr/lib/libgmock.a" "$folder/usr/lib/libgmock_main.a"
} >"$log" 2>&1 || {
  tail -n 20 "$log" >&2
  echo "make_riscv64_sysroot: failed (whole log: $log)" >&2
  exit 70
}

cat >"$folder/usr/lib/cmake/fmt/fmt-config.cmake" <<'END'
add_library(fmt::fmt INTERFACE IMPORTED)
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY=1)
END
cat >"$folder/usr/lib/pkgconfig/libhwy.pc" <<END
Name: libhwy
Description: Highway for 64-bit RISC-V
Version: 1.0.3
Libs: -L$folder/usr/lib -lhwy
Cflags: -I$folder/usr/include
END
touch "$folder/.complete"
