# shellcheck shell=sh
# SPDX-License-Identifier: ISC
# Initramfs archives without root, sourced by vm-image and by the lab: a manifest in, a newc cpio out.
#
# A manifest has one entry a line, in the manner of the kernel's gen_init_cpio; paths without leading slash:
#   dir PATH MODE UID      file PATH MODE SOURCE      link PATH TARGET      node PATH MODE MAJOR MINOR
# The archive depends on nothing else: times are 0, inodes count from 1, owners are 0 (dir: UID), link
# counts are fixed (a directory's differs between filesystems), device nodes are only text here. Its
# length is a multiple of 4, so that another archive may follow (kernel: "initramfs buffer format").

# initrd_modules DIR NAME...: the modules under DIR (a /lib/modules/RELEASE) that NAMEs need, in load order
# (modules.dep lists what a module needs from the nearest to the deepest). Prints `load PATH [PATTERN]...` with PATH
# relative to DIR, `builtin NAME`, or `missing NAME`. PATTERNs are there where all that needs a module are drivers of
# virtio devices: the aliases of these (modules.alias), which match the modalias of a device. An empty DIR has none.
initrd_modules() {
	initrd_dir=$1
	shift
	[ "$initrd_dir" ] || return 0
	awk -v wanted="$*" '
	function key(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
	function load(path, drives) {
		if (!(path in patterns)) order[++count] = path
		patterns[path] = patterns[path] drives
		if (drives == "") always[path] = 1
	}
	FILENAME ~ /modules\.alias$/ { if ($2 ~ /^virtio:/) devices[key($3)] = devices[key($3)] " " $2; next }
	FILENAME ~ /modules\.builtin$/ { builtin[key($1)] = 1; next }
	{ sub(/:/, "", $1); file[key($1)] = $1; needs[$1] = $0 }
	END {
		n = split(wanted, names, " ")
		for (i = 1; i <= n; i++) {
			k = key(names[i])
			if (k in file) for (j = split(needs[file[k]], words, " "); j > 0; j--) load(words[j], devices[k])
			else print (k in builtin) ? "builtin" : "missing", names[i]
		}
		for (i = 1; i <= count; i++) print "load", order[i] (order[i] in always ? "" : patterns[order[i]])
	}' "$initrd_dir/modules.alias" "$initrd_dir/modules.dep" "$initrd_dir/modules.builtin"
}

# initrd_load_list PREFIX: turns `load PATH [PATTERN]...` lines into those of a list for vm-agent, which has the
# patterns first; other lines are left out.
initrd_load_list() {
	awk -v prefix="$1" '$1 == "load" {
		path = prefix "/" $2; sub(/\.ko\..*/, ".ko", path)
		for (i = 3; i <= NF; i++) printf "%s ", $i
		print path
	}'
}

# initrd_add_modules PREFIX DIR: turns `load PATH` lines into manifest lines for PREFIX/PATH, uncompressed.
initrd_add_modules() {
	awk -v prefix="$1" -v dir="$2" '$1 == "load" {
		path = prefix "/" $2; sub(/\.ko\..*/, ".ko", path)
		print "file", path, "644", dir "/" $2
		while (sub(/\/[^\/]*$/, "", path)) print "dir", path, "755 0"
	}'
}

# initrd_index LIST: on stdin DIR's modules.dep or modules.alias, on stdout those of its lines that are about
# modules of LIST (`load PATH` lines), for a modprobe in the guest.
initrd_index() {
	awk '
	FNR == NR {
		if ($1 != "load") next
		held[$2 ":"] = 1
		sub(/.*\//, "", $2); sub(/\.ko.*/, "", $2); gsub(/-/, "_", $2)
		held[$2] = 1
		next
	}
	($1 in held) || ($1 == "alias" && ($NF in held)) { gsub(/\.ko\.[a-z]+/, ".ko"); print }' "$1" -
}

# initrd_unpack FILE: what FILE holds, uncompressed, by its name.
initrd_unpack() {
	case $1 in
	*.ko.xz) xz -dc "$1" ;;
	*.ko.zst) zstd -qdc "$1" ;;
	*.ko.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

# initrd_sort: a manifest with every path once and parents before what is in them.
initrd_sort() { LC_ALL=C sort -u -k2,2; }

# initrd_sum SCRATCH: text that changes when the archive of the manifest on stdin would; where a source lies is
# left out. SCRATCH is a file it may overwrite.
initrd_sum() {
	while read -r type path mode rest; do
		case $type in
		file) echo "$type $path $mode" && printf '%s\0' "$rest" >&3 ;;
		*) echo "$type $path $mode $rest" ;;
		esac
	done 3>"$1"
	xargs -0 sha256sum <"$1" | cut -d' ' -f1
}

initrd_pad() {
	case $(($1 % 4)) in
	1) printf '\0\0\0' ;;
	2) printf '\0\0' ;;
	3) printf '\0' ;;
	esac
}

# initrd_entry PATH MODE UID NLINK SIZE MAJOR MINOR: one header (cpio(5), "New ASCII Format").
initrd_entry() {
	initrd_ino=$((initrd_ino + 1))
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' $initrd_ino "$2" "$3" "$3" "$4" \
		0 "$5" 0 0 "$6" "$7" $((${#1} + 1)) 0 "$1"
	initrd_pad $((110 + ${#1} + 1))
}

# initrd_pack SCRATCH: manifest on stdin, archive on stdout; SCRATCH is a file it may overwrite. Fails when a
# source cannot be read.
initrd_pack() {
	initrd_ino=0
	while read -r type path mode rest; do
		case $type in
		dir) initrd_entry "$path" $((040000 | 0$mode)) "$rest" 2 0 0 0 ;;
		node) initrd_entry "$path" $((020000 | 0$mode)) 0 1 0 "${rest% *}" "${rest#* }" ;;
		link)
			initrd_entry "$path" $((0120777)) 0 1 ${#mode} 0 0
			printf %s "$mode"
			initrd_pad ${#mode}
			;;
		file)
			initrd_unpack "$rest" >"$1" || return
			size=$(wc -c <"$1")
			initrd_entry "$path" $((0100000 | 0$mode)) 0 1 "$size" 0 0
			cat "$1" || return
			initrd_pad "$size"
			;;
		esac
	done
	initrd_entry 'TRAILER!!!' 0 0 1 0 0 0
}
