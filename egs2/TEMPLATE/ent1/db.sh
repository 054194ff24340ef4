# Where the corpora are; sourced by the recipes. IEMOCAP and MSP-IMPROV are licensed, ZED is CC BY-NC 4.0.
# shellcheck shell=bash

# The directory that holds Session1 to Session5.
export IEMOCAP=${IEMOCAP:-}
# The directory that holds Evalution.txt (or Evaluation.txt), with session1 to session6 in Audio or itself.
export MSP_IMPROV=${MSP_IMPROV:-}
# The directory that holds ZED.json.
export ZED=${ZED:-}
