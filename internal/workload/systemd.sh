# How the units of $SERVICES run.
UNITS=; for n in $SERVICES; do UNITS="$UNITS $n.service"; done
S=$(systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,Result,ActiveEnterTimestampMonotonic $UNITS 2>/dev/null)
frame "uptime"; cat /proc/uptime
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
