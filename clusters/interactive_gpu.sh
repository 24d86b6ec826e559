#!/usr/bin/env bash
# A shell on a node with a GPU, to try things before a sweep:
#
#   clusters/interactive_gpu.sh ACCOUNT [TIME [GPU [OPTIONS]]]
#
#   ACCOUNT  as the site names it; "" for your default
#   TIME     as Slurm reads it; 1:00:00 if not given
#   GPU      how many, or type and how many, as a100:1; 1 if not given
#   OPTIONS  any others of srun; 4 cores of 4000 MB if they do not say
set -euo pipefail

if [ $# -lt 1 ] || [ "$1" = --help ]; then
  echo 'usage: clusters/interactive_gpu.sh ACCOUNT [TIME [GPU [OPTIONS]]], as def-someuser 1:00:00 a100:1' >&2
  exit 2
fi
account=$1 time=${2:-1:00:00} gpu=${3:-1}
shift $(($# < 3 ? $# : 3))
exec srun ${account:+"--account=$account"} --time="$time" --gpus-per-node="$gpu" --nodes=1 --ntasks=1 \
  --cpus-per-task=4 --mem-per-cpu=4000M "$@" --pty bash -l
