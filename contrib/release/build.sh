#!/bin/sh
# The release in dist/: wheel, source archive, what the wheel needs as a CycloneDX SBOM, and sums of all three.
# Built twice from the same commit they are the same bytes.
set -eu
cd "$(dirname "$0")/../.."
python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
# What is not in the commit would be in the archives.
changed=$(git status --porcelain)
if [ -n "$changed" ]; then
    printf 'build.sh: the tree is not what is committed: commit or remove what git status names, then run again\n%s\n' "$changed" >&2
    exit 1
fi
# Times in the archives and in the SBOM are those of the commit.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

"$python" -m hatchling build -d "$work/dist" >&2
wheel=$(basename "$work"/dist/*.whl)
version=${wheel#*-}

# An environment of what the wheel brings along and nothing else, each file by the lock's hash.
"$python" -c 'import sys; from mpio.lab import packages; print(packages.requirements("%d.%d" % sys.version_info[:2]))' \
    >"$work/requirements.txt"
"$python" -m venv --without-pip "$work/environment"
"$python" -m pip --python "$work/environment/bin/python" install -q --require-hashes --only-binary :all: -r "$work/requirements.txt" >&2
"$python" -m pip --python "$work/environment/bin/python" check >&2

# The version of the whole stands in the package, where an SBOM's maker does not look.
version=${version%%-*}
sed "s/^dynamic = \[\"version\"\]$/version = \"$version\"/" pyproject.toml >"$work/pyproject.toml"
"$python" -m cyclonedx_py environment --pyproject "$work/pyproject.toml" --output-reproducible \
    --output-file "$work/dist/mpio-$version.cdx.json" "$work/environment/bin/python" >&2

(cd "$work/dist" && sha256sum -- *) >"$work/SHA256SUMS"
rm -rf dist
mv "$work/dist" dist
mv "$work/SHA256SUMS" dist/
cat dist/SHA256SUMS
