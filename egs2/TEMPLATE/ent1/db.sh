# Where the corpora are; sourced by the recipes. IEMOCAP is licensed, ZED is CC BY-NC 4.0.
# shellcheck shell=bash

# The directory that holds Session1 to Session5.
export IEMOCAP=${IEMOCAP:-}
# The directory that holds ZED.json.
export ZED=${ZED:-}
