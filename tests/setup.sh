#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian packages that a purpose needs and that are missing; says which and what for.
# setup.sh build|run|bochs|debug|test ... ; touches nothing when all are there.
set -euo pipefail

declare -A packages=(
	[build]="gcc make binutils python3 git"
	[run]="qemu-system-x86 grub-common grub-pc-bin xorriso mtools"
	[bochs]="bochs bochsbios vgabios"
	[debug]="gdb"
	[test]="libc6-dev libcmocka-dev libzydis-dev acpica-tools clang libclang-rt-14-dev
		lld clang-format cppcheck python3-pexpect qemu-utils e2fsprogs
		iproute2 dnsmasq-base libvhdi-utils p7zip-full tshark"
)
declare -A why=(
	[build]="to build the image"
	[run]="to make the boot ISO and emulate an AMD machine"
	[bochs]="to emulate an Intel machine"
	[debug]="to debug the image"
	[test]="to build the tests, check the code and judge disk images and packets"
)

declare -A missing=()
for purpose in "$@"; do
	for package in ${packages[$purpose]}; do
		if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
			missing[$package]=1
			echo "setup: $package is missing (${why[$purpose]})"
		fi
	done
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
echo "setup: installing ${!missing[*]} with apt-get${root:+, by sudo}"
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -q --no-install-recommends "${!missing[@]}"
