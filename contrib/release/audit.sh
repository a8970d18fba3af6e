#!/bin/sh
# Are weaknesses known of anything in the lock? Asks a vulnerability service, by pip-audit: `--vulnerability-service osv`
# asks another than PyPI's. What could not be asked about fails too (--strict): no answer is not a good one.
set -eu
cd "$(dirname "$0")/../.."
python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
exec "$python" -m pip_audit --strict --progress-spinner off --require-hashes --disable-pip -r requirements.lock "$@"
