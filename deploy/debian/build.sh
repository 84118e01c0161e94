#!/usr/bin/env bash
# Builds the Debian package of what is in bin/, with Debian's own tools. Its name
# is the last line of the output.
#
#   deploy/debian/build.sh FOLDER [VERSION]
#
# VERSION is Debian's; by default it comes from git: 1.2.3 at the tag v1.2.3,
# 1.2.3+4.abcdef four commits later, 0~20260102.abcdef without a tag.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$here"

describe() {
	local tag
	if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
		sed -E 's/^v//; s/-([0-9]+)-g/+\1./; s/-/~/g' <<<"$tag"
	else
		git log -1 --date=format:%Y%m%d%H%M --format='0~%cd.%h'
	fi
}
version=${2:-$(describe)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
tree=$stage/guideway
mkdir -p "$tree/man" "$tree/completion"
cp -r deploy docs "$tree"
cp -r deploy/debian "$tree/debian"
cp deploy/guidewayd.service "$tree/debian/guideway.guidewayd.service"
cp bin/guideway bin/guidewayd bin/guideway-load "$tree"
deploy/debian/man.sh "$here/bin" "$tree/man" "$version"
bin/guideway completion bash >"$tree/completion/guideway"

# The licenses of all that is linked in.
for binary in bin/guideway bin/guidewayd bin/guideway-load; do go version -m "$binary"; done | awk '$1 == "dep" {print $2 "@" $3}' | sort -u |
	while read -r module; do
		printf '=== %s\n\n' "$module"
		find "$(go list -m -f '{{.Dir}}' "${module%@*}")" -maxdepth 1 -type f -iname 'LICENSE*' -o -maxdepth 1 -iname 'COPYING*' -o -maxdepth 1 -iname 'NOTICE*' |
			sort | xargs -rd '\n' cat
		echo
	done >"$tree/third-party-licenses.txt"
{
	printf '=== Go\n\n'
	cat "$(go env GOROOT)/LICENSE"
} >>"$tree/third-party-licenses.txt"

cat >"$tree/debian/changelog" <<END
guideway ($version) unstable; urgency=medium

  * See the project's history.

 -- The Guideway authors <maintainers@guideway.invalid>  $(date -R -d "@$SOURCE_DATE_EPOCH")
END

# Drivers are plugins, which no linker knows of: they are of the same ABI as the
# libraries, and that is in the libraries' names.
abi=$(objdump -p bin/guidewayd | sed -n 's/.*NEEDED *librte_eal\.so\.//p')
[[ $abi ]] || { echo "bin/guidewayd is not linked with DPDK's libraries" >&2; exit 1; }

cd "$tree"
DPDK_ABI=$abi dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$stage/log" 2>&1 || { cat "$stage/log" >&2; exit 1; }
cp "$stage"/guideway_*.deb "$stage"/guideway_*.changes "$folder"
echo "$folder/$(basename "$stage"/guideway_*.deb)"
