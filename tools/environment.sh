# Makes .venv with sonoplane and all it needs, or leaves it as it is when nothing has changed since.
# Sourced by ./demo and ./check from the root of the repository: `make_environment [dev]`.

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3.14 python3 python; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "sonoplane needs Python 3.11 or newer, and found none. Install one, then run this again." >&2
  return 1
}

# PyTorch's own index has builds without CUDA, a tenth of the size: use it where there is no NVIDIA driver.
torch_index() {
  if [ "$(uname -s)" != Linux ] || command -v nvidia-smi >/dev/null 2>&1 || [ -e /proc/driver/nvidia ]; then
    return
  fi
  local cpu=https://download.pytorch.org/whl/cpu
  if .venv/bin/python - "$cpu/torch/" <<'PY' >/dev/null 2>&1; then
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="HEAD"), timeout=2)
PY
    echo "--extra-index-url $cpu"
  else
    echo "PyTorch's CPU index does not answer, so pip takes the build it finds: on Linux that may be the CUDA" >&2
    echo "build, a download of about 3 GB. Going on." >&2
  fi
}

make_environment() {
  local group="${1:-}" stamp python index
  stamp=.venv/made-from-${group:-all}
  if [ ! -x .venv/bin/python ]; then
    python=$(find_python) || return 1
    echo "Making .venv with $("$python" --version) ..."
    "$python" -m venv .venv || {
      rm -rf .venv
      echo "This Python cannot make virtual environments. On Debian or Ubuntu: install python3-venv." >&2
      return 1
    }
  fi
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(cat pyproject.toml constraints.txt | cksum)" ]; then
    return
  fi
  echo "Installing (about 1.5 GB on disk; some minutes the first time) ..."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
  index=$(torch_index)
  # shellcheck disable=SC2086 -- the index is two words or none
  .venv/bin/python -m pip install --quiet --disable-pip-version-check $index -c constraints.txt \
    -e '.[all]' ${group:+--group "$group"}
  cat pyproject.toml constraints.txt | cksum >"$stamp"
}
