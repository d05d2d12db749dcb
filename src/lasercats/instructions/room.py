"""The shell functions by which a host works in a folder that others may change meanwhile.

What they are for is told in `lasercats.instructions.prelude`, which is what uses them.
"""

ROOM = r"""
lc_here= lc_room= lc_up=. lc_safe= lc_plain= lc_closed= lc_host= lc_me=
lc_mode= lc_probe= lc_rooms= lc_cp= lc_ls= lc_quit=lc_quit
lc_quit() { lc_leave; lc_tidy; }
# Stand in the folder of a path: in its room, where there is one.
lc_enter() { # PATH
  lc_path=$1 lc_name=${1##*/}
  if [ "${1%/*}/" = "$lc_here" ] && [ "$lc_here" -ef "$lc_up" ]; then return 0; fi
  lc_leave
  if [ ! -d "${1%/*}/" ]; then lc_bad "directory ${1%/*} does not exist"; return 1; fi
  if ! cd -P -- "${1%/*}/" 2>/dev/null; then lc_bad "directory ${1%/*} cannot be entered"; return 1; fi
  lc_base=${PWD%/}
  if [ "$lc_base" != "${1%/*}" ]; then lc_led "${1%/*}" || return 1; fi
  lc_here=${1%/*}/
}
# A link on the way that somebody else made is followed only to where he could write himself.
lc_led() { # FOLDER
  lc_rest=${1#/}/ lc_way= lc_by=
  while [ -n "$lc_rest" ]; do
    lc_way=$lc_way/${lc_rest%%/*} lc_rest=${lc_rest#*/}
    if [ ! -L "$lc_way" ]; then continue; fi
    lc_id
    lc_by=$(stat -c %u -- "$lc_way") || lc_by=?
    case $lc_by in 0 | "${lc_me%:*}" | "$(stat -c %u .)") ;; *)
      lc_bad "$lc_way on the way is a link that another user made; say the path without it: $PWD"
      lc_back
      return 1 ;;
    esac
  done
  if [ -z "$lc_by" ]; then lc_back; lc_meanwhile; fi
}
lc_meanwhile() { lc_bad "somebody else is changing its folder just now"; }
lc_back() { cd -- "${lc_home:-/}" 2>/dev/null || cd /; }
lc_leave() { # Go back to where we began.
  if [ -n "$lc_room" ]; then
    lc_clear
    case $lc_base in
      *"$lc_line"*) lc_out ;;
      *) lc_rooms=$lc_rooms$lc_base/$lc_room$lc_line ;;
    esac
    if [ ${#lc_rooms} -gt 50000 ]; then lc_tidy; fi
  fi
  lc_here= lc_room= lc_up=. lc_safe=
  lc_back
}
lc_out() { # Leave the room, and stay in its folder.
  lc_clear
  cd ..
  rmdir -- "$lc_room" 2>/dev/null
  lc_room= lc_up=. lc_safe=
}
lc_tidy() { # Remove the rooms that were left, all at once.
  if [ -z "$lc_rooms" ]; then return 0; fi
  IFS=$lc_line; set -f
  rmdir -- $lc_rooms 2>/dev/null
  unset IFS; set +f
  lc_rooms=
}
lc_clear() { # Remove what stands in a room.
  for lc_p in new old; do
    if [ -L $lc_p ] || [ -f $lc_p ]; then rm -f $lc_p
    elif [ -d $lc_p ]; then rmdir $lc_p
    elif [ -e $lc_p ]; then rm -f $lc_p; fi
  done 2>/dev/null
}
lc_id() { lc_me=${lc_me:-$(id -u):$(id -g)}; }
# Tell whether nobody but root and us can write in the folder.
lc_safely() {
  if [ -z "$lc_safe" ]; then lc_judge $(stat -c '%a %u' -- "$lc_up"); fi
  [ $lc_safe = y ]
}
lc_judge() { # MODE UID
  lc_safe=n
  case $1 in '' | *[2367] | *[2367]?) return 0 ;; esac
  if [ "$2" = 0 ] || [ -O "$lc_up" ]; then lc_safe=y; fi
}
# Make a room in the folder and stand in it; learn who can write there, and what mode a new file gets.
lc_make_room() {
  if [ -n "$lc_room" ]; then return 0; fi
  if ! lc_sweep; then lc_leave; lc_meanwhile; return 1; fi
  for lc_way in '' '-m 0700'; do
    if ! lc_random; then lc_bad "the host has no random numbers (/proc, /dev/urandom)"; return 1; fi
    umask 077
    lc_try mkdir $lc_way -- "$lc_new"
    lc_ok=$?
    umask 022
    if [ $lc_ok != 0 ]; then return 1; fi
    if ! lc_inside "$lc_new" || ! lc_empty; then
      lc_leave
      lc_meanwhile
      return 1
    fi
    lc_room=$lc_new lc_up=..
    lc_probe=0666
    case $lc_mode in 0[0246][0246][0246]) if [ "${lc_mode#??}" != 00 ]; then lc_probe=$lc_mode; fi ;; esac
    umask $((10666 - 1$lc_probe))
    : >new
    umask 022
    lc_learn $(stat -c '%a %u' -- . .. new)
    if [ $lc_closed = y ]; then return 0; fi
    # A default ACL opens it, so it is made once more; or the file system keeps no modes.
    if [ -z "$lc_way" ]; then lc_out; fi
  done
  if [ "$lc_safe" != y ]; then
    lc_leave
    lc_bad "its folder can be written by others, and its file system keeps no modes"
    return 1
  fi
}
lc_learn() { # MODE UID of the room, MODE UID of the folder, MODE UID of a new file
  lc_closed=n lc_plain=n
  case $1 in 700 | ?700) lc_closed=y ;; esac
  # With a default ACL the umask is not asked, so both cannot be as by the umask where only one is closed.
  if [ "$1" = 700 ] && [ "0$5" = "$lc_probe" ] && [ -z "$lc_way" ]; then lc_plain=y; fi
  lc_judge "$3" "$4"
}
lc_random() { # Set lc_new to a name that nobody can guess.
  if [ -z "$lc_host" ]; then
    { read -r lc_host </proc/sys/kernel/hostname; } 2>/dev/null || lc_host=$(uname -n)
    case $lc_host in '' | *[!A-Za-z0-9_.-]*) lc_host=host ;; esac
  fi
  lc_new=
  { read -r lc_new </proc/sys/kernel/random/uuid; } 2>/dev/null ||
    lc_new=$(od -An -v -N16 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n')
  if [ ${#lc_new} -lt 32 ]; then return 1; fi
  lc_new=.lasercats.$lc_host.$$.$lc_new
}
# Enter a folder below the one we are in: ours, and no link.
lc_inside() { cd -P -- "./$1" 2>/dev/null && [ "$PWD" = "$lc_base/$1" ] && [ -O . ]; }
lc_empty() {
  for lc_p in * .[!.]* ..?*; do
    if [ -e "$lc_p" ] || [ -L "$lc_p" ]; then return 1; fi
  done
}
lc_lives() { # PID  One that nobody has waited for yet, as in a container without an init, is dead.
  kill -0 "$1" 2>/dev/null || return 1
  lc_l=
  { read -r lc_l <"/proc/$1/stat"; } 2>/dev/null
  case ${lc_l##*) } in Z* | X*) return 1 ;; esac
}
lc_swept() { # FOLDER  Remove what dead shells left in a folder.
  if lc_enter "$1/." 2>/dev/null; then lc_sweep; fi
  lc_leave
}
# Remove rooms that dead shells of this host left in the folder, and the temporary files of earlier versions.
lc_sweep() {
  for lc_left in .lasercats.*; do
    if [ -L "$lc_left" ] || [ ! -O "$lc_left" ]; then continue; fi
    lc_from=${lc_left#.lasercats.}
    case $lc_from in
      *[!0-9]*) lc_pid=${lc_from%.*} lc_from=${lc_pid%.*} lc_pid=${lc_pid##*.} ;;
      *) if [ -f "$lc_left" ] && ! lc_lives "$lc_from"; then rm -f -- "$lc_left"; fi; continue ;;
    esac
    case $lc_pid in '' | *[!0-9]*) continue ;; esac
    if [ -z "$lc_host" ]; then lc_random; fi
    if [ "$lc_from" != "$lc_host" ] || lc_lives "$lc_pid"; then continue; fi
    if lc_inside "$lc_left"; then
      case $(stat -c %a .) in *700) lc_clear ;; esac
    fi
    if ! cd -P -- "$lc_base/" || [ "${PWD%/}" != "$lc_base" ]; then return 1; fi
    rmdir -- "$lc_left" 2>/dev/null
  done
  return 0
}
""".lstrip()
"""Shell functions: to enter a folder, make a room in it, leave it, and remove what dead shells left there."""
