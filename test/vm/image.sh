#!/usr/bin/env bash
# Makes what the virtual machines boot, of Debian's packages alone:
#
#   test/vm/image.sh FOLDER
#
#   vmlinuz      Debian's kernel
#   initrd       finds the disk: busybox and a few modules of that kernel
#   root.img     the disk: Debian 12 with the newest guideway_*.deb of FOLDER,
#                drivers for the network cards that QEMU has, and guest, the
#                program that the test speaks to
#
# All of it is in FOLDER/vm, and made again when what it is made of has changed.
# It takes root, for chroot, and base.tar of test/base.sh.
set -Eeuo pipefail
trap 'echo "image.sh: line $LINENO failed" >&2' ERR
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(cd "${1:?which folder?}" && pwd)
vm=$folder/vm
mkdir -p "$vm"
# Two at a time would trip over each other.
exec 9>"$vm/lock"
flock 9

deb=$(ls -t "$folder"/guideway_*.deb | head -n1)
[[ -e $vm/guest ]] || { echo "no $vm/guest: make test-vm builds it" >&2; exit 1; }

# Modules that the machines load, with what these need (modules.dep).
modules='virtio_pci virtio_blk virtio_net virtio_console ext4 crc32c_generic e1000e vmxnet3 vfio-pci vfio_iommu_type1
	ip_gre ip6_gre dummy tun 8021q'
# Beside the package's own dependencies.
packages='librte-net-e1000-23 librte-net-virtio23 librte-net-vmxnet3-23 iproute2 kmod udev pciutils procps'

stage=$(mktemp -d "$vm/stage.XXXXXX")
root=$stage/root
clean() {
	umount -lqR "$root" 2>/dev/null || true
	rm -rf --one-file-system "$stage"
}
trap clean EXIT
step() { printf 'image: %s\n' "$*"; }
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside timeout 300 apt-get -qy -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >"$vm/apt.log" 2>&1 || { cat "$vm/apt.log" >&2; return 1; }; }
# unpack FILE.tar: a root to change, in a mount namespace's own tmpfs no more than is needed.
unpack() {
	mkdir "$root"
	tar -C "$root" -xf "$1"
}

# fresh FILE INPUT...: whether FILE was made of these inputs.
sum() { cat "$@" | sha256sum; }
fresh() { [[ -e $1 && $(cat "$1.sum" 2>/dev/null) == "$(sum "${@:2}")" ]]; }
made() { sum "${@:2}" >"$1.sum"; }

# --- the kernel ----------------------------------------------------------------
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9]\S*\)$/\1/p' | head -n1)
if [[ ! $kernel ]]; then
	apt-get update
	kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9]\S*\)$/\1/p' | head -n1)
fi
release=${kernel#linux-image-}
echo "$kernel $modules" >"$stage/kernel"
if ! fresh "$vm/vmlinuz" "$stage/kernel" "$0"; then
	step "$kernel"
	mkdir "$stage/deb" "$stage/all" "$stage/initrd"
	(cd "$stage/deb" && apt-get -qq -o APT::Sandbox::User=root download "$kernel") || { echo "image: apt-get cannot download $kernel" >&2; exit 1; }
	dpkg -x "$stage"/deb/*.deb "$stage/all"
	depmod -b "$stage/all" "$release"
	dir=lib/modules/$release
	mkdir -p "$stage/few/$dir"
	cp "$stage/all/$dir"/modules.{order,builtin,builtin.modinfo} "$stage/few/$dir"
	for m in $modules; do
		# "insmod FILE" for each that it takes, or "builtin NAME".
		modprobe -d "$stage/all" -S "$release" --show-depends "$m"
	done | sed -n "s,^insmod $stage/all/\([^ ]*\).*,\1,p" | sort -u >"$stage/files"
	tar -C "$stage/all" -cT "$stage/files" | tar -C "$stage/few" -x
	depmod -b "$stage/few" "$release"
	tar -C "$stage/few" -cf "$vm/modules.tar" .

	mkdir -p "$stage/initrd"/{bin,dev,proc,sys,root}
	cp /bin/busybox "$stage/initrd/bin"
	tar -C "$stage/initrd" -xf "$vm/modules.tar"
	cat >"$stage/initrd/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in virtio_pci virtio_blk crc32c_generic ext4 virtio_console; do modprobe $m; done
n=0
while ! mount -t ext4 /dev/vda /root 2>/dev/null; do
	n=$((n + 1))
	[ $n -lt 600 ] || { echo 'no disk'; poweroff -f; }
	sleep 0.1
done
mount --move /dev /root/dev
# The kernel keeps init= to itself when there is an initrd.
init=$(sed -n 's/.*\binit=\([^ ]*\).*/\1/p' /proc/cmdline)
umount /sys /proc
exec switch_root /root "${init:-/lib/systemd/systemd}"
END
	chmod 755 "$stage/initrd/init"
	(cd "$stage/initrd" && find . | cpio -o -H newc --quiet) >"$vm/initrd"
	cp "$stage/all/boot/vmlinuz-$release" "$vm/vmlinuz"
	made "$vm/vmlinuz" "$stage/kernel" "$0"
	rm -rf "$stage/all"
fi

# --- the disk, all but the package: rarely ---------------------------------------
echo "$packages" >"$stage/packages"
if ! fresh "$vm/root.tar" "$stage/packages" "$0" "$folder/base.tar"; then
	step "Debian with the drivers"
	unpack "$folder/base.tar"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	apt update
	apt install $packages
	# What the package depends on, without the package.
	dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/[(|].*//; s/ //g' | sort -u >"$stage/depends"
	apt install $(<"$stage/depends")
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
	inside passwd -qd root
	tar -C "$root" -cf "$vm/root.tar.new" .
	mv "$vm/root.tar.new" "$vm/root.tar"
	made "$vm/root.tar" "$stage/packages" "$0" "$folder/base.tar"
	rm -rf --one-file-system "$root"
fi

# --- and with the package: as often as it changes --------------------------------
if ! fresh "$vm/root.img" "$deb" "$vm/guest" "$vm/modules.tar" "$vm/root.tar.sum" "$here"/rootfs/*; then
	step "$(basename "$deb")"
	unpack "$vm/root.tar"
	cp "$deb" "$root/tmp/guideway.deb"
	inside dpkg -i /tmp/guideway.deb >"$vm/apt.log" 2>&1 || { cat "$vm/apt.log" >&2; exit 1; }
	rm "$root/tmp/guideway.deb"
	# Debian 12 has /lib in /usr: tar would put a folder in the link's place.
	tar -C "$root/usr" -xf "$vm/modules.tar"
	mkdir "$root/vm"
	cp "$vm/guest" "$here"/rootfs/init "$root/vm"
	cp "$here"/rootfs/*.service "$root/etc/systemd/system"
	inside systemctl enable guest.service 2>/dev/null
	inside systemctl mask getty@tty1 serial-getty@ttyS0 apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap 2>/dev/null
	echo guideway-vm >"$root/etc/hostname"
	truncate -s 1G "$stage/root.img"
	mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$root" "$stage/root.img"
	mv "$stage/root.img" "$vm/root.img"
	made "$vm/root.img" "$deb" "$vm/guest" "$vm/modules.tar" "$vm/root.tar.sum" "$here"/rootfs/*
fi
