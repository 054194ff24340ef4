#!/usr/bin/env bash
# Data directories train (IEMOCAP sessions 1-4), dev (session 5) and zed; as in the paper, train (all sessions), dev (ZED).
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. utils/log.sh
. ./path.sh
. ./db.sh

# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [--iemocap DIR] [--zed DIR] [--tags strip|keep]
    [--missing_transcripts error|exclude|keep] [--protocol honest|paper]   (defaults: IEMOCAP and ZED in db.sh)"
iemocap=${IEMOCAP:-}
zed=${ZED:-}
tags="strip"
missing_transcripts="error"
protocol="honest"
. utils/parse_options.sh

tests_only=${ENT_TESTS_ONLY:-false}
[ "${tests_only}" = true ] || [ -n "${iemocap}" ] || fail "IEMOCAP is not set; next: set it in db.sh, or --local_data_opts \"--iemocap DIR --zed DIR\""
[ -n "${zed}" ] || fail "ZED is not set; next: set it in db.sh, or --local_data_opts \"--iemocap DIR --zed DIR\""
datadir=${ENT_DATADIR:-data}
sessions=(--train_sessions 1 2 3 4 --dev_sessions 5)
zed_sets=(zed)
if [ "${protocol}" = paper ]; then
    sessions=(--train_sessions 1 2 3 4 5)
    zed_sets+=(dev)
fi
if [ "${tests_only}" = false ]; then
    "${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus iemocap --root "${iemocap}" "${sessions[@]}" \
        --protocol "${protocol}" --tags "${tags}" --missing_transcripts "${missing_transcripts}" --out "${datadir}"
fi
for name in "${zed_sets[@]}"; do
    "${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus zed --root "${zed}" --tags "${tags}" --out "${datadir}" \
        --set_name "${name}"
done
