# How the units of $SERVICES run.
# systemd is asked only for those that have a file or run: it gives all it knows of a unit, which takes 3 ms each.
known() {
	[ -L "/run/systemd/units/invocation:$1" ] || [ ! -d /run/systemd/units ] && return # only old systemds lack the folder
	for d in /etc /run /usr/local/lib /usr/lib /lib; do
		if [ -e "$d/systemd/system/$1" ] || [ -L "$d/systemd/system/$1" ]; then return; fi
	done
	return 1
}
UNITS=; for n in $SERVICES; do ! known "$n.service" || UNITS="$UNITS $n.service"; done
show_units() {
	systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,Result,ActiveEnterTimestampMonotonic $UNITS 2>"$1"
}
frame "unasked"; S=; [ -z "$UNITS" ] || S=$(show_units /dev/null) || { sleep 1; S=$(show_units /dev/null); } || { show_units /dev/stdout; S=; echo "it failed"; }
frame "uptime"; read -r l </proc/uptime; echo "$l"
frame "units"; printf '%s\n' "$S"
# The running units and their processes, with one pass of the shell's own.
up=' ' active=' ' environs= cmdlines= pid= id= state=
while IFS='=' read -r k v; do
	case $k in
	MainPID) pid=$v ;; Id) id=$v ;; ActiveState) state=$v ;; SubState) state=$state/$v ;;
	esac
	if [ -z "$k" ]; then
		case $state in active/*) active="$active$id " ;; esac
		case $state in active/*|reloading/*|activating/start|activating/start-post) up="$up$id " ;; esac
		case $pid in ''|0) ;; *) environs="$environs /proc/$pid/environ" cmdlines="$cmdlines /proc/$pid/cmdline" ;; esac
		pid= id= state=
	fi
done <<END
$S

END
is_up() { case $up in *" $1.service "*) true ;; *) false ;; esac; }
is_active() { case $active in *" $1.service "*) true ;; *) false ;; esac; }
frame "versions"; set --; for n in $UNITS; do [ ! -f $AT_UNITS/$n ] || set -- "$@" $AT_UNITS/$n; done
[ $# = 0 ] || grep -Hs '^Environment=QUORATE_VERSION=' "$@"
