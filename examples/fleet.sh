#!/bin/sh
# Two machines share one login through a bucket. Each has a home of its own, so nothing but the bucket connects them.
# $FLEET_BUCKET is its URL.
set -eu
for machine in one two; do
  mkdir -p "machine-$machine"
  HOME="$PWD/machine-$machine" IXTOKEN_CACHE_URL="$FLEET_BUCKET" ixtoken check equinix > "machine-$machine/report"
  echo "machine $machine: $(grep '^  from' "machine-$machine/report")"
done
IXTOKEN_CACHE_URL="$FLEET_BUCKET" ixtoken cache list
