# shellcheck shell=sh
# SPDX-License-Identifier: ISC
# Kernels, sourced by vm-image: find one in Debian's packages, look into one, take its ELF out of a bzImage; and
# look into the programs that are to run on it.
# Wants die OBJECT WHAT CURE, progress TEXT, $kernel (what --kernel said) and $cache (a directory) from the script.
# Offsets into a bzImage are those of Documentation/arch/x86/boot.rst.
# shellcheck disable=SC2154 # those two

# kernel_find: from --kernel to a checked file $kernel, its $kind, $release, $moduledir (empty: no modules)
# and $unpack (program for the payload).
kernel_find() {
	case $kernel in
	package) kernel=$(echo "$(kernel_package)"/boot/vmlinuz-*) ;;
	host) kernel=/boot/vmlinuz-$(uname -r) ;;
	esac
	{ [ -f "$kernel" ] && [ -r "$kernel" ]; } || die "$kernel" 'cannot be read' 'name a kernel file, or use --kernel package'
	kernel=$(realpath "$kernel")
	kind=$(kernel_kind "$kernel")
	case $kind in
	bzimage)
		read -r offset length unpack <<-EOF
			$(kernel_payload "$kernel")
		EOF
		[ $((offset + length)) -le "$(wc -c <"$kernel")" ] || die "$kernel" 'shorter than its header says' 'copy it again'
		command -v "${unpack:-none}" >/dev/null || {
			echo "vm-image: $kernel: no ${unpack:-program that knows its compression}: leaving out vmlinux" >&2
			unpack=
		}
		;;
	elf) unpack=none ;;
	*) die "$kernel" 'not an x86-64 bzImage or ELF kernel' 'name another file, or use --kernel package' ;;
	esac
	release=$(kernel_release "$kernel" "$kind" | grep -x '[0-9][A-Za-z0-9._+~-]*') || release=unknown
	moduledir=$(dirname "$kernel")/../lib/modules/$release
	[ -f "$moduledir/modules.dep" ] || moduledir=/lib/modules/$release
	[ -f "$moduledir/modules.dep" ] || moduledir=
	[ "$moduledir" ] || return 0
	for part in alias builtin; do
		[ -f "$moduledir/modules.$part" ] || die "$moduledir/modules.$part" 'not found' 'make it with depmod'
	done
}

# kernel_copy DIR: what kernel_find found, as DIR/bzImage and DIR/vmlinux.
kernel_copy() {
	case $kind in
	elf) cp --reflink=auto "$kernel" "$1/vmlinux" ;;
	bzimage) cp --reflink=auto "$kernel" "$1/bzImage" ;;
	esac
	[ "$kind" = bzimage ] && [ "$unpack" ] || return 0
	{ tail -c +$((offset + 1)) "$kernel" | head -c "$length" | "$unpack" -dc >"$1/whole" 2>/dev/null &&
		dd if="$1/whole" of="$1/vmlinux" bs=1M conv=sparse status=none && rm "$1/whole" &&
		[ "$(kernel_kind "$1/vmlinux")" = elf ] && [ "$(wc -c <"$1/vmlinux")" -eq "$(kernel_size "$kernel")" ]; } ||
		die "$kernel" "damaged: $unpack cannot unpack it" 'copy it again'
}

# kernel_package: the directory of Debian's newest cloud kernel, unpacked and never installed. What apt knows
# is asked again only after its lists changed. The caller holds a shared lock on $cache.
kernel_package() {
	if [ -z "$(find "$cache/.newest" -newer /var/lib/apt/lists 2>/dev/null)" ] || ! [ -d "$cache/$(cat "$cache/.newest")" ]; then
		{ flock -x 7 && kernel_refresh >&2; } 7>"$cache/.fetch"
	fi
	echo "$cache/$(cat "$cache/.newest")"
}

kernel_refresh() {
	meta=linux-image-cloud-amd64
	command -v apt-get >/dev/null || die "$meta" 'no apt-get on this system' 'use --kernel host or --kernel FILE'
	if kernel_fetch "$(kernel_newest)" || { kernel_lists && kernel_fetch "$(kernel_newest)"; }; then
		:
	else
		got=$(find "$cache" -mindepth 1 -maxdepth 1 -name '[0-9]*' | sort -V | tail -n 1)
		[ "$got" ] || die "$meta" 'cannot be downloaded' 'run apt-get update as root, and see that the network is up'
		echo "vm-image: $meta: cannot be downloaded: going on with $got" >&2
	fi
	basename "$got" >"$cache/.newest"
}

# kernel_newest: PACKAGE=VERSION that the metapackage depends on, nothing when apt does not know it.
kernel_newest() {
	apt-cache show --no-all-versions "$meta" 2>/dev/null | sed -n 's/^Depends: \([^ ,]*\) (= \([^)]*\)).*/\1=\2/p'
}

kernel_lists() {
	[ "$(id -u)" -eq 0 ] && sudo= || sudo='sudo -n'
	[ -z "$sudo" ] || command -v sudo >/dev/null || return
	progress 'fetching package lists'
	$sudo apt-get -qq update
}

# kernel_fetch PACKAGE=VERSION: to $got, which is $cache/VERSION, whole or not at all.
kernel_fetch() {
	[ "$1" ] || return
	got=$cache/${1#*=}
	! [ -d "$got" ] || return 0
	progress "downloading $1"
	rm -rf "$cache/.tmp"
	mkdir "$cache/.tmp" "$cache/.tmp/root" || return
	(cd "$cache/.tmp" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$1") || return
	dpkg -x "$cache"/.tmp/*.deb "$cache/.tmp/root" || return
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$cache/.tmp/root" "$(ls "$cache/.tmp/root/lib/modules")" || return
	rm -rf "$cache/.tmp/root/usr"
	mv "$cache/.tmp/root" "$got" && rm -rf "$cache/.tmp"
}

# kernel_kind FILE: bzimage or elf; nothing for anything else.
kernel_kind() {
	case $(bytes "$1" 0 4) in
	7f454c46) [ "$(bytes "$1" 4 2)$(bytes "$1" 18 2)" != 02013e00 ] || echo elf ;;
	*)
		# boot_flag, header; protocol 2.12 and XLF_KERNEL_64 say that it can be started in 64-bit mode
		[ "$(bytes "$1" 510 2)$(bytes "$1" 514 4)" = 55aa48647253 ] || return 0
		[ "$(number "$1" 518 2)" -lt $((0x20c)) ] || [ $(($(number "$1" 566 2) & 1)) -eq 0 ] || echo bzimage
		;;
	esac
}

# kernel_release FILE KIND: what uname -r will say; nothing when FILE does not tell.
kernel_release() {
	case $2 in
	bzimage) tail -c +$(($(number "$1" 526 2) + 513)) "$1" | head -c 256 | tr '\0' '\n' | sed 's/ .*//;q' ;;
	elf) grep -a -o -m 1 'Linux version [0-9][^ ]*' "$1" | sed 's/.* //;q' ;;
	esac
}

# kernel_payload FILE: the compressed kernel in a bzImage, as `OFFSET LENGTH PROGRAM`. Every format but gzip is
# followed by the kernel's size in 4 bytes, gzip ends in it (so LENGTH includes it there). PROGRAM is empty for
# an unknown format.
kernel_payload() {
	sects=$(number "$1" 497 1)
	[ "$sects" -gt 0 ] || sects=4
	off=$(((sects + 1) * 512 + $(number "$1" 584 4))) len=$(number "$1" 588 4)
	case $(bytes "$1" "$off" 6) in
	1f8b*) echo "$off $len gzip" ;;
	02214c18*) echo "$off $((len - 4)) lz4" ;;
	fd377a585a00) echo "$off $((len - 4)) xz" ;;
	28b52ffd*) echo "$off $((len - 4)) zstd" ;;
	425a68*) echo "$off $((len - 4)) bzip2" ;;
	*) echo "$off $len" ;;
	esac
}

# kernel_size FILE: the bytes that its payload unpacks to.
kernel_size() { number "$1" $(($(kernel_payload "$1" | awk '{ print $1 }') + $(number "$1" 588 4) - 4)) 4; }

# kernel_static PROGRAM: it runs where there is no other file: a script, or an ELF without a PT_INTERP segment.
kernel_static() {
	case $(bytes "$1" 0 4) in
	2321*) return 0 ;;
	7f454c46) ! od -An -v -tu4 -w56 -j"$(number "$1" 32 8)" -N$((56 * $(number "$1" 56 2))) "$1" | grep -q '^ *3 ' ;;
	*) false ;;
	esac
}

# bytes FILE OFFSET COUNT: as hexadecimal digits. number FILE OFFSET SIZE: little-endian. Both: nothing past the end.
bytes() { od -An -v -tx1 -j"$2" -N"$3" "$1" 2>/dev/null | tr -d ' \n'; }
number() {
	value=$(od -An -v -tu"$3" -j"$2" -N"$3" "$1" 2>/dev/null | tr -d ' ')
	echo "${value:-0}"
}
