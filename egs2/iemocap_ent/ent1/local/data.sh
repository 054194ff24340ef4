#!/usr/bin/env bash
# Data directories train, dev and test of one fold of IEMOCAP.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. utils/log.sh
. ./path.sh
. ./db.sh

# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [--iemocap DIR (default: IEMOCAP in db.sh)] [--fold 1] [--tags strip|keep]
    [--missing_transcripts error|exclude|keep] [--protocol honest|paper] [--published_counts true]"
iemocap=${IEMOCAP:-}
fold=1
tags="strip"
missing_transcripts="error"
protocol="honest"
published_counts=true
. utils/parse_options.sh

[ -n "${iemocap}" ] || fail "IEMOCAP is not set; next: set it in db.sh, or --local_data_opts \"--iemocap DIR\""
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus iemocap --root "${iemocap}" --fold "${fold}" --tags "${tags}" \
    --missing_transcripts "${missing_transcripts}" --protocol "${protocol}" --published_counts "${published_counts}" \
    --out "${ENT_DATADIR:-data}"
