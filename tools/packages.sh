# Debian packages that Tutti needs, and the function that installs what is missing.
# Sourced by ./tutti, ./test and .ci/run.

packages_build=(g++ cmake ninja-build pkg-config libhwy-dev libboost1.81-dev libboost-json1.81-dev
  libfmt-dev libcli11-dev libedit-dev libssl-dev)
packages_test=(libgtest-dev libgmock-dev libbenchmark-dev clang-format-14 python3 python3-venv python3-pip xz-utils)
packages_qemu=(qemu-user g++-aarch64-linux-gnu g++-riscv64-linux-gnu googletest)
# Of the other architecture, for tools/make_sysroot.sh.
packages_arm64=(libhwy-dev libboost1.81-dev libboost-json1.81-dev libfmt-dev libcli11-dev libedit-dev
  libssl-dev libgtest-dev libgmock-dev)
packages_clang=(clang-14 libclang-rt-14-dev)

# ensure_packages PACKAGE...: installs those that are missing; says what to do where it cannot.
ensure_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "tutti: these packages are missing and only root can install them:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      return 69
    fi
    sudo=(sudo)
  fi
  echo "Installing Debian packages: ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  local log; log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update -q && \
         "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "tutti: apt-get failed (whole log: $log); install by hand: ${missing[*]}" >&2
    return 69
  fi
  rm -f "$log"
}

# build_preset PRESET [TARGET...]: configures and builds; shows progress, and the log where it fails.
build_preset() {
  local preset=$1; shift
  local log="build/$preset.log" targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  mkdir -p build
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "tutti: configuring failed; the whole log is $log" >&2
    return 70
  fi
  if [ -t 2 ]; then
    cmake --build --preset "$preset" "${targets[@]}" 2>&1 | tee "$log" | progress_lines "$preset" || return 70
  else
    cmake --build --preset "$preset" "${targets[@]}" >"$log" 2>&1 || { grep -E -A8 'error|FAILED' "$log" | head -60 >&2;
      echo "tutti: the build failed; the whole log is $log" >&2; return 70; }
  fi
}

# Shows ninja's "[12/340] ..." lines as one line that moves; prints everything else as it is.
progress_lines() {
  local line done total
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      done=${BASH_REMATCH[1]}; total=${BASH_REMATCH[2]}
      printf '\r\033[Kbuilding %s  %3d %%  %d of %d' "$1" $((100 * done / total)) "$done" "$total" >&2
    else
      printf '\r\033[K%s\n' "$line" >&2
    fi
  done
  printf '\r\033[K' >&2
}
