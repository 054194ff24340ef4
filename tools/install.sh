#!/usr/bin/env bash
# Make or mend an environment with exactly the versions of requirements.lock:  tools/install.sh VENV
# Where that is done already, nothing happens. PYTHON=/path/to/python3.11 chooses the interpreter of a new environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:?usage: tools/install.sh VENV}
lock_stamp=${venv}/.espnet_ent-lock
editable_stamp=${venv}/.espnet_ent-editable
install_log=${venv}/install.log
is_supported='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))'

fail() {
    printf 'install: error: %s\n' "$*" >&2
    exit 2
}

# The first usable interpreter; version managers put commands into PATH that only print an error, so each is tried.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"${PYTHON}"} python3.11 python3.12 python3 python; do
        if "${candidate}" -c "${is_supported}" > /dev/null 2>&1; then
            printf '%s\n' "${candidate}"
            return
        fi
    done
    return 1
}

# pip, seen on a terminal and into a log elsewhere; the end of the log is shown if it fails.
pip_install() {
    if [ -t 1 ]; then
        "${venv}/bin/python" -m pip install "$@"
    elif ! "${venv}/bin/python" -m pip install "$@" >> "${install_log}" 2>&1; then
        tail -n 15 "${install_log}" >&2
        fail "pip failed; the whole log is ${install_log}"
    fi
}

# holds FILE TEXT: whether a stamp says just this.
holds() {
    [ -f "$1" ] && [ "$(< "$1")" = "$2" ]
}

if ! "${venv}/bin/python" -m pip --version > /dev/null 2>&1; then
    python=$(find_python) || fail "Python 3.11 or 3.12 with its venv and ensurepip modules was not found" \
        "($(python3 --version 2> /dev/null || echo 'no python3')); next: install one, or name it: make PYTHON=/path/to/python3.11 env"
    echo "making ${venv} with $("${python}" --version)"
    "${python}" -m venv "${venv}"
fi
"${venv}/bin/python" -c "${is_supported}" 2> /dev/null ||
    fail "${venv} is of $("${venv}/bin/python" --version 2>&1), not 3.11 or 3.12; next: remove it, or choose another: make VENV=dir env"

lock=$(cksum < requirements.lock)
if ! holds "${lock_stamp}" "${lock}"; then
    echo "installing $(grep -c == requirements.lock) packages into ${venv} (5.5 GB, some minutes)"
    # The lock is whole, so nothing is left to resolve; as a constraint it holds for builds of source packages, too.
    PIP_CONSTRAINT=requirements.lock pip_install --no-deps -r requirements.lock
    printf '%s\n' "${lock}" > "${lock_stamp}"
fi

editable="${PWD} $(cksum < setup.py)"
if ! holds "${editable_stamp}" "${editable}"; then
    pip_install --no-deps --no-build-isolation -e .
    printf '%s\n' "${editable}" > "${editable_stamp}"
fi
