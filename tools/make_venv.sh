#!/usr/bin/env bash
# Makes .venv when there is none (or its interpreter is gone), and installs the project and its tools into it.
# uv is used where it is on PATH, because it is faster; python -m venv and pip do otherwise.
set -euo pipefail

newest_accepted() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "no Python 3.11 or newer with its venv module found (looked for: ${PYTHON:-python3 python3.13 python3.12 python3.11});" \
        "install one, or name it: make setup PYTHON=/path/to/python3" >&2
    return 1
}

if ! .venv/bin/python -c '' 2>/dev/null; then
    python="$(newest_accepted)"
    echo "making .venv with $("$python" --version)"
    rm -rf .venv
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$(command -v "$python")" .venv
    else
        "$python" -m venv .venv
    fi
fi

echo "installing the project and its tools into .venv"
if command -v uv >/dev/null; then
    uv pip install --quiet --python .venv/bin/python --editable '.[dev]'
else
    # An environment made by uv has no pip of its own.
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --default-pip >/dev/null
    .venv/bin/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
fi
