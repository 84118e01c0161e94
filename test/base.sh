#!/usr/bin/env bash
# Makes a clean Debian 12 by debootstrap, as FOLDER/base.tar, unless it is there.
#
#   test/base.sh FOLDER
set -euo pipefail
folder=$(cd "${1:?which folder?}" && pwd)
[[ ! -e $folder/base.tar ]] || exit 0
new=$(mktemp -d "$folder/base.XXXXXX")
trap 'rm -rf "$new"' EXIT
debootstrap --variant=minbase --include=ca-certificates,systemd bookworm "$new" http://deb.debian.org/debian
rm -f "$new"/var/cache/apt/archives/*.deb
tar -C "$new" -cf "$folder/base.tar.new" .
mv "$folder/base.tar.new" "$folder/base.tar"
