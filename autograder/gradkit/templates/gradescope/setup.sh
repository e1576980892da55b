#!/bin/sh
# Gradescope runs this once, as root, while it builds the image. The system's Python stays as it is: the grader has an
# environment of its own, outside /root because the workers, which are other users, must be able to read it.
set -eu
umask 022

# Where pip finds the CPU build of torch: its wheel index (see "Start locally" on PyTorch's site) or a folder of wheels.
# Without it pip takes the default build, which on x86-64 brings several GB of CUDA libraries that Gradescope can't use.
torch_index=${TORCH_INDEX-@TORCH_INDEX@}

here=$(cd "$(dirname "$0")" && pwd)
home=${GRADKIT_HOME:-/opt/gradkit}
autograder=${AUTOGRADER:-/autograder}
export DEBIAN_FRONTEND=noninteractive

suitable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for python in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 "$home"/python/*/bin/python3; do
        if suitable "$python"; then command -v "$python"; return; fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "setup.sh: Python 3.11 or newer is missing here; installing one into $home/python" >&2
    mkdir -p "$home"
    { apt-get update -qq && apt-get install -y -qq python3-venv ca-certificates; } >&2 || true
    { python3 -m venv "$home/uv" && "$home/uv/bin/pip" install -q uv &&
        UV_PYTHON_INSTALL_DIR="$home/python" "$home/uv/bin/uv" python install 3.12; } >&2 ||
        apt-get install -y -qq python3.13-venv >&2 || apt-get install -y -qq python3.12-venv >&2 ||
        apt-get install -y -qq python3.11-venv >&2 || true
    rm -rf "$home/uv"
    python=$(find_python) || { echo "setup.sh: no Python 3.11 or newer could be installed: choose an Ubuntu 24.04 base image" >&2; exit 1; }
fi

"$python" -m venv "$home/venv"
pip="$home/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --constraint $here/constraints.txt"
if [ -d "$torch_index" ]; then $pip --find-links "$torch_index" torch
elif [ -n "$torch_index" ]; then $pip --index-url "$torch_index" torch
else $pip torch; fi
$pip --requirement "$here/requirements.txt"

rm -rf "$home/kit"
cp -R "$here/kit" "$home/kit"
chmod -R u+rwX,go+rX "$home/kit"
chmod 700 "$home/kit/solutions" "$here" # the workers' users have no business in either
site=$("$home/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')
printf '%s\n' "$home/kit/autograder" "$home/kit/shared" >"$site/gradkit.pth"
"$home/venv/bin/python" -m compileall -q "$home/kit/autograder" "$home/kit/shared"
if [ -d "$autograder" ]; then
    cp "$here/run_autograder" "$autograder/run_autograder"
    chmod 755 "$autograder/run_autograder"
fi

# What this machine gives; at build time it may be less than when grading.
cd "$home/kit" && "$home/venv/bin/python" -I -m gradkit doctor || true
