host=$1 port=$2 patience=$3 life=$4 pid=$$
by=
for tool in nc busybox ncat bash; do
  command -v "$tool" >/dev/null 2>&1 && { by=$tool; break; }
done
[ -n "$by" ] || { echo 'ngf-tui: no relay' >&2; exit 127; }
state() {
  for fd in /proc/$pid/fd/*; do
    link=$(readlink "$fd" 2>/dev/null) || continue
    case $link in socket:*) ;; *) continue ;; esac
    inode=${link#socket:?} inode=${inode%?}
    grep -h " $inode " /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ _ _ state _; do
      echo "$state"
      break
    done
  done
}
can_see=
command -v grep >/dev/null && command -v readlink >/dev/null && [ -r /proc/net/tcp ] && can_see=yes
{
  pause=1 waited=0
  while :; do
    [ -n "$can_see" ] && case $(state) in '' | 02) ;; *) break ;; esac
    sleep "0.0$pause" 2>/dev/null || sleep 1
    waited=$((waited + pause))
    [ $pause -lt 9 ] && pause=$((pause + 1))
    kill -0 $pid 2>/dev/null || exit 0
    [ $waited -gt $((patience * 100)) ] && {
      [ -n "$can_see" ] || break
      echo 'ngf-tui: timed out' >&2
      kill $pid
      exit 0
    }
  done
  [ -n "$can_see" ] && echo 'ngf-tui: connected' >&2
  exec 2>/dev/null
  while [ "$life" -gt 0 ]; do
    sleep 1
    life=$((life - 1))
    kill -0 $pid || exit 0
  done
  kill $pid
} </dev/null >/dev/null &
[ -n "$can_see" ] || [ "$by" = bash ] || echo 'ngf-tui: blind' >&2
echo "ngf-tui: by $by" >&2
case $by in
busybox) exec busybox nc "$host" "$port" ;;
bash)
  exec bash -c '
    exec 3<>"/dev/tcp/$0/$1" || exit 1
    echo "ngf-tui: connected" >&2
    exec 4<&0
    cat <&4 >&3 & writer=$!
    cat <&3 & reader=$!
    exec 0<&- 1>&- 4<&-
    trap "kill $writer $reader 2>/dev/null" EXIT
    trap "exit 143" TERM
    wait $reader' "$host" "$port"
  ;;
*) exec "$by" "$host" "$port" ;;
esac
