#!/usr/bin/env bash
# Collects wheels of all packages, from which jobs install on their own nodes, where there is no internet.
# On a login node, once; again when the packages or the Python module change.
#
#   clusters/alliance/install.sh CLUSTER [REQUIREMENTS]
#
#   CLUSTER       cluster file, whose modules and variables are the jobs' too: clusters/narval.json
#   REQUIREMENTS  list of packages; requirements.txt if not given
#
# The wheels go to $SWEEP_WHEELS, else to $PROJECT/wheels, else to ~/wheels. It also makes .venv here, in
# which schedule.py and combine.py run on the login node.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ ! -f "$1" ] || [ ! -f "${2:-$1}" ]; then
  echo "usage: $0 CLUSTER [REQUIREMENTS], two files that exist" >&2
  exit 2
fi
cluster=$(realpath "$1")
requirements=$(realpath "${2:-$(dirname "$0")/../../requirements.txt}")
cd "$(dirname "$0")/../.."

# module is a function, which not every shell hands on
if ! command -v module >/dev/null; then
  set +eu
  source /etc/profile
  set -eu
fi
loads=$(python3 - "$cluster" <<'PYTHON'
import json, shlex, sys

cluster = json.load(open(sys.argv[1]))
for name, value in cluster.get("environment", {}).items():
    print(f"export {name}={shlex.quote(value)}")
for module in cluster.get("modules", []):
    print(f"module load {shlex.quote(module)}")
PYTHON
)
set +u
eval "$loads"
set -u

wheels=${SWEEP_WHEELS:-${PROJECT:-$HOME}/wheels}
mkdir -p "$wheels"
if command -v virtualenv >/dev/null; then
  virtualenv --quiet --no-download --clear .venv
else
  python -m venv --clear .venv
fi
set +u
source .venv/bin/activate
set -u

echo "collecting wheels in $wheels"
collect=(pip wheel --quiet --wheel-dir "$wheels" --find-links "$wheels" --requirement "$requirements")
if ! "${collect[@]}" --no-index; then
  echo "the site does not have all of these; what it lacks comes from PyPI"
  if ! "${collect[@]}" --prefer-binary; then
    echo "where a package has no wheel for this site, \`avail_wheels NAME\` says what there is:" >&2
    echo "write a list of your own, with those versions or without the package" >&2
    exit 1
  fi
fi
pip install --quiet --no-index --find-links "$wheels" --requirement "$requirements"
pip freeze --local >"$wheels/requirements.txt"
echo "$(wc -l <"$wheels/requirements.txt") packages, $(du -sh "$wheels" | cut -f1); go on with"
echo "  source .venv/bin/activate"
echo "  python schedule.py ${1} ... --dry-run"
