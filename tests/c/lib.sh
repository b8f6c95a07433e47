# shellcheck shell=bash
# What the scripts of this directory share; they source it.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-$root/target}}")
built=$target${CARGO_BUILD_TARGET:+/$CARGO_BUILD_TARGET}/release
export CARGO_TARGET_DIR=$target
export USERENGAGE_LIBRARY=${USERENGAGE_LIBRARY:-$built/libuserengage.so}
export UE_SANDBOX=${UE_SANDBOX:-$built/ue-sandbox}
# A make of these scripts has jobs and variables of its own, not those of the one that runs them.
unset MAKEFLAGS MAKEOVERRIDES MAKELEVEL

# Ends the script unless every tool is there: `need "Debian packages" tool...`.
need() {
  local tool
  for tool in "${@:2}"; do
    command -v "$tool" >/dev/null || { echo "$0 needs $tool: install it (Debian: $1)" >&2; exit 1; }
  done
}

# Ends the script unless every file is there.
need_built() {
  local file
  for file in "$@"; do
    [ -e "$file" ] || { echo "$0: there is no $file: build it, or set USERENGAGE_LIBRARY and UE_SANDBOX" >&2; exit 1; }
  done
}

# make, in the directory of the test programs: see the Makefile beside this file.
make_programs() {
  local library
  library=$OUT/lib/$(soname)
  if ! cmp -s "$USERENGAGE_LIBRARY" "$library"; then
    rm -rf "${OUT:?}/lib"
    mkdir -p "$OUT/lib"
    cp "$USERENGAGE_LIBRARY" "$library"
  fi
  ln -sfn "$root" "$OUT/root"
  make -s --no-print-directory -C "$OUT" -f root/tests/c/Makefile "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Says whether what a name claims holds: `holds name command...`.
holds() {
  local name=$1 output=$work/.output.$BASHPID
  if "${@:2}" >"$output" 2>&1; then
    echo "ok     $name"
  else
    cat "$output"
    echo "FAILED $name"
  fi
}

# A member of the line that the sandbox said: `member name "$line"`.
member() {
  local from=${2#*\""$1"\":\"}
  echo "${from%%\"*}"
}

soname() { sed -n 's/^#define UE_SONAME "\(.*\)"/\1/p' "$root/include/userengage.h"; }
version() { sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1; }

# Prints what the files say, and ends with "N passed, N failed": `summarise file...`.
summarise() {
  local passed=0 failed=0 file
  for file in "$@"; do
    echo "== $(basename "$file")"
    grep -v ' passed, [0-9]* failed$' "$file" || true
    passed=$((passed + $(grep -c '^ok ' "$file" || true)))
    failed=$((failed + $(grep -c '^FAILED ' "$file" || true)))
  done
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
