# For the setup lines of a cluster file, in bash:
#
#   source clusters/alliance/activate.sh || exit
#
# Makes a virtual environment on the node's own disk, $SLURM_TMPDIR, from the wheels that install.sh
# collected in $SWEEP_WHEELS, else $PROJECT/wheels, else ~/wheels, and activates it.

_sweep_activate() {
  local wheels=${SWEEP_WHEELS:-${PROJECT:-$HOME}/wheels} place
  if [ -z "${SLURM_TMPDIR:-}" ]; then
    echo "activate.sh: SLURM_TMPDIR is not set; this is for the jobs of a site that sets it" >&2
    return 1
  fi
  if [ ! -f "$wheels/requirements.txt" ]; then
    echo "activate.sh: no wheels in $wheels; run clusters/alliance/install.sh on a login node" >&2
    return 1
  fi
  place=$SLURM_TMPDIR/env
  if command -v virtualenv >/dev/null; then
    virtualenv --quiet --no-download "$place" || return 1
  else
    python -m venv "$place" || return 1
  fi
  source "$place/bin/activate" || return 1
  # the list has every package with its version: nothing is left to resolve
  pip install --quiet --disable-pip-version-check --no-index --no-deps --find-links "$wheels" \
    --requirement "$wheels/requirements.txt" || return 1
}

_sweep_activate
