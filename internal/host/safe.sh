# Writing where somebody may have left a link, a pipe or a device. Needs `die TEXT`.

# own_way PATH...: no folder on the way is a link that somebody else than root made. One of root's is the
# administrator's, who may have moved a folder to another disk.
own_way() {
	for w; do
		while [ -n "$w" ] && [ "$w" != / ]; do
			if [ -L "$w" ]; then
				case $(stat -c %u -- "$w") in
				0 | "$(id -u)") ;;
				*) die "$w is a link that another user than root made; nothing is written through it: remove it, or give it to root (chown -h root)" ;;
				esac
			fi
			case $w in */*) w=${w%/*} ;; *) w= ;; esac
		done
	done
}

# plain FILE...: what is no file of its own gives way to one: links, pipes, devices. Where they lead is left alone.
plain() {
	for w; do
		if [ -L "$w" ] || { [ -e "$w" ] && [ ! -f "$w" ] && [ ! -d "$w" ]; }; then rm -f -- "$w" || die "$w: cannot be removed"; fi
	done
}
