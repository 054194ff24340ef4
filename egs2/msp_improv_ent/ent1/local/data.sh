#!/usr/bin/env bash
# Data directories train, dev and test of one fold of MSP-IMPROV.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. utils/log.sh
. ./path.sh
. ./db.sh

# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [--msp_improv DIR (default: MSP_IMPROV in db.sh)] [--fold 1] [--tags strip|keep]
    [--missing_transcripts keep|exclude|error] [--protocol honest|paper] [--published_counts true]"
msp_improv=${MSP_IMPROV:-}
fold=1
tags="strip"
missing_transcripts="keep"
protocol="honest"
published_counts=true
. utils/parse_options.sh

[ -n "${msp_improv}" ] || fail "MSP_IMPROV is not set; next: set it in db.sh, or --local_data_opts \"--msp_improv DIR\""
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus msp_improv --root "${msp_improv}" --fold "${fold}" \
    --tags "${tags}" --missing_transcripts "${missing_transcripts}" --protocol "${protocol}" \
    --published_counts "${published_counts}" --out "${ENT_DATADIR:-data}"
