#!/usr/bin/env bash
# Makes .venv with this project and all that its notebooks need, at the versions of constraints.txt; does nothing if it is up to date.
# Usage: scripts/setup.sh [PYTHON]
set -u
cd "$(dirname "$0")/.."
python=${1:-python3}

fail() { printf '\nSetup failed: %s\n' "$1" >&2; printf '  %s\n' "${@:2}" >&2; exit 1; }

command -v "$python" >/dev/null || fail "there is no '$python' here." \
  "Install Python 3.10 or newer, or name the one to use: make test PYTHON=python3.12"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1) || fail "'$python' does not run: $version"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "Python 3.10 or newer is needed, and '$python' is Python $version." \
  "Install a newer one and name it: make test PYTHON=python3.12"

want="$version $(cat constraints.txt settings.ini setup.py pyproject.toml scripts/setup.sh | cksum)"
[ -x .venv/bin/nbdev-test ] && [ "$(cat .venv/up-to-date 2>/dev/null)" = "$want" ] && exit 0

echo "Setting up .venv with Python $version and the packages of constraints.txt. This takes a few minutes, once."
has=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
[ "$has" = "$version" ] && clear= || clear=--clear # what was installed beside stays where it can
"$python" -m venv $clear .venv >.venv-log 2>&1 || { cat .venv-log >&2; rm -f .venv-log; fail "'$python' cannot make a virtual environment." \
  "Its venv module is missing or broken. On Debian and Ubuntu: sudo apt install python3-venv (or python$version-venv)"; }
rm -f .venv-log

log=.venv/install.log
.venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]' >"$log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; echo; exit 130' INT TERM
while kill -0 $pid 2>/dev/null; do
  [ -t 1 ] && printf '\r%-79.79s' "$(grep -E '^(Collecting|Downloading|Installing)' "$log" | tail -n 1)"
  sleep 1
done
[ -t 1 ] && printf '\r%-79s\r' ''
if ! wait $pid; then
  tail -n 15 "$log" >&2
  if grep -qiE 'NewConnectionError|name resolution|Max retries|timed out|Network is unreachable|ProxyError|Could not fetch URL|Connection (refused|reset|broken)' "$log"; then
    fail "the package index cannot be reached." "Check the network (and HTTPS_PROXY, PIP_INDEX_URL if you use them), then run the same command again." \
      "What was downloaded before is kept. The whole log: $log"
  fi
  grep -qi 'No space left' "$log" && fail "the disk is full." "Make room (the environment takes about 3 GB), then run the same command again."
  fail "pip could not install the packages." "The last lines of its log are above, the whole of it is in $log." \
    "After mending the cause, run the same command again."
fi
echo "$want" >.venv/up-to-date
