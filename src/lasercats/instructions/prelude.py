r"""The shell functions by which a host changes what is at a path, for dash, bash and busybox alike.

Whoever owns a folder may rename, remove and plant what he likes in it while we work there. So nothing is ever
made or changed under a name in it:

- We stand in the folder (`cd -P`) and not on the way to it, so that the way cannot be bent meanwhile.
- What is new is made in a *room*: a folder in the folder that only we can enter, under a name that nobody can
  guess. There it gets content, owner, attributes and mode, and goes to its place by one rename.
- What is there already and is to be changed is first given a name in the room (a hard link, which follows
  nothing and opens nothing) and changed under that, or, a directory, is entered and changed as `.`.

One room serves all that is written into a folder one after the other. A host that died leaves its room; the
next that works in the folder finds it by its name, `.lasercats.HOST.PID.RANDOM`, and removes it.

Each function prints a line to standard error and fails, or does what it should; `note: ...` tells on the way
what an operator should know of it.
"""

PRELUDE = r"""
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
umask 022
lc_here= lc_room= lc_up=. lc_safe= lc_plain= lc_closed= lc_host= lc_me=
lc_mode= lc_probe= lc_rooms= lc_cp= lc_ls=
lc_line='
'
trap 'lc_leave; lc_tidy' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
lc_bad() { printf '%s\n' "$lc_path: $*" >&2; return 1; }
lc_note() { printf 'note: %s\n' "$lc_path: $*" >&2; }
# Run a command; only where it fails is it run once more to hear why, as listening takes another process.
lc_try() { # COMMAND...
  if "$@" 2>/dev/null || lc_why=$("$@" 2>&1); then return 0; fi
  case $lc_why in
    '') lc_bad "$1 failed" ;;
    *nvalid* | *unknown*) lc_bad "${lc_why#*: }" ;;
    *) lc_bad "${lc_why##*: }" ;;
  esac
}
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
      cd /
      return 1 ;;
    esac
  done
  if [ -z "$lc_by" ]; then cd /; lc_meanwhile; fi
}
lc_meanwhile() { lc_bad "somebody else is changing its folder just now"; }
lc_leave() {
  if [ -n "$lc_room" ]; then
    lc_clear
    case $lc_base in
      *"$lc_line"*) lc_out ;;
      *) lc_rooms=$lc_rooms$lc_base/$lc_room$lc_line ;;
    esac
    if [ ${#lc_rooms} -gt 50000 ]; then lc_tidy; fi
  fi
  lc_here= lc_room= lc_up=. lc_safe=
  cd /
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
# Remove rooms that dead shells of this host left in the folder, and the temporary files of earlier versions.
lc_sweep() {
  for lc_left in .lasercats.*; do
    if [ -L "$lc_left" ] || [ ! -O "$lc_left" ]; then continue; fi
    lc_from=${lc_left#.lasercats.}
    case $lc_from in
      *[!0-9]*) lc_pid=${lc_from%.*} lc_from=${lc_pid%.*} lc_pid=${lc_pid##*.} ;;
      *) if [ -f "$lc_left" ] && ! kill -0 "$lc_from" 2>/dev/null; then rm -f -- "$lc_left"; fi; continue ;;
    esac
    case $lc_pid in '' | *[!0-9]*) continue ;; esac
    if [ -z "$lc_host" ]; then lc_random; fi
    if [ "$lc_from" != "$lc_host" ] || kill -0 "$lc_pid" 2>/dev/null; then continue; fi
    if lc_inside "$lc_left"; then
      case $(stat -c %a .) in *700) lc_clear ;; esac
    fi
    if ! cd -P -- "$lc_base/" || [ "${PWD%/}" != "$lc_base" ]; then return 1; fi
    rmdir -- "$lc_left" 2>/dev/null
  done
  return 0
}
# Replace a file at once. What is not said stays as it was.
lc_replace() { # PATH MODE OWNER GROUP new|any text|base64 CONTENT
  lc_mode=$2 lc_owner=$3 lc_group=$4 lc_was= lc_user= lc_users= lc_copied= lc_path=$1
  if [ -d "$1" ] && [ ! -L "$1" ]; then lc_bad "is a directory"; return 1; fi
  lc_enter "$1" && lc_make_room || return 1
  if [ -e "../$lc_name" ] && [ ! -L "../$lc_name" ]; then lc_former "$5" || { lc_clear; return 1; }; fi
  lc_mode=${lc_mode:-${lc_was:-0644}}
  if lc_fill "$6" "$7" && lc_dress && lc_put "$@"; then return 0; fi
  lc_clear
  return 1
}
# Look at the file that is to be replaced, and hold it fast where somebody else could change what it is.
lc_former() { # new|any
  lc_from=../$lc_name lc_more=0
  if ! lc_safely; then
    if ln -- "../$lc_name" old 2>/dev/null; then lc_from=old lc_more=1
    elif [ -L "../$lc_name" ] || [ ! -e "../$lc_name" ]; then return 0
    else lc_from=; fi
  fi
  lc_form="%f %a %u %g %h${lc_line}%U$lc_line%G"
  lc_stat=$(stat -c "$lc_form" -- "${lc_from:-../$lc_name}" 2>/dev/null) || return 0
  lc_users=${lc_stat#*"$lc_line"}
  set -- "$1" ${lc_stat%%"$lc_line"*}
  case $2 in
    8???) ;;
    a???) rm -f old; return 0 ;;
    *) lc_bad "is no regular file"; return 1 ;;
  esac
  if [ $(($6 - lc_more)) -gt 1 ]; then
    if ! lc_safely; then
      lc_bad "has other names, too (hard links), and others can write in its folder; remove it first"
      return 1
    fi
    lc_note "had other names, too (hard links); they keep the former content"
  fi
  if [ "$1" = new ] && ! lc_safely; then rm -f old; lc_users=; return 0; fi
  lc_was=$3 lc_user=$4:$5
  while [ ${#lc_was} -lt 4 ]; do lc_was=0$lc_was; done
}
lc_fill() { # text|base64 CONTENT
  # A mode without x and special bits is made by the umask alone: 0666 less each digit, without borrowing.
  lc_bits=y
  umask 077
  if [ $lc_plain = y ]; then
    case $lc_mode in
      0[0246][0246][0246])
        if [ ! -e new ] || [ "$lc_mode" = "$lc_probe" ]; then umask $((10666 - 1$lc_mode)); lc_bits=; fi ;;
    esac
  fi
  if [ $lc_closed != y ]; then lc_shut || { umask 022; return 1; }; fi
  case $1 in
    text) printf %s "$2" 2>/dev/null >|new || lc_try lc_through cat "$2" ;;
    *) lc_try lc_through 'base64 -d' "$2" ;;
  esac
  lc_ok=$?
  umask 022
  return $lc_ok
}
lc_through() { printf %s "$2" 2>/dev/null | $1 >|new; }
# Where the file system keeps no modes: what is to be closed must be closed before it is filled.
lc_shut() {
  : >|new
  if chmod -- "$lc_mode" new 2>/dev/null; then lc_has=$(stat -c %a new); else lc_has=; fi
  while [ ${#lc_has} -lt 4 ]; do lc_has=0$lc_has; done
  lc_bits=
  if [ "$lc_has" = "$lc_mode" ]; then return 0; fi
  case $lc_mode in
    *[4567]) lc_note "cannot have mode $lc_mode on its file system" ;;
    *) lc_bad "its file system keeps no modes, so it cannot be closed to others"; return 1 ;;
  esac
}
# Give the new file what the former had, then what is said.
lc_dress() {
  if [ -n "$lc_user" ]; then lc_copy; fi
  lc_owner=${lc_owner:-${lc_user%:*}} lc_group=${lc_group:-${lc_user#*:}}
  if [ -n "$lc_owner$lc_group" ] && ! lc_owned; then
    lc_try chown -h -- "$lc_owner${lc_group:+:$lc_group}" new || return 1
    case $lc_mode in 0???) ;; *) lc_bits=y ;; esac
  fi
  if [ -z "$lc_bits" ] || [ $lc_closed != y ]; then return 0; fi
  lc_try chmod -- "$lc_mode" new
}
lc_owned() { # Tell whether the new file has its owner and group without being given them.
  lc_id
  lc_ids=$lc_owner:$lc_group
  if [ "$lc_owner$lc_line$lc_group" = "$lc_users" ]; then lc_ids=$lc_user; fi
  if [ -n "$lc_copied" ] && [ "${lc_me%%:*}" = 0 ]; then [ "$lc_ids" = "$lc_user" ]; return; fi
  [ "$lc_ids" = "$lc_me" ] && [ -O new ] && [ -G new ]
}
# Copy mode, owner, ACL, extended attributes and security label of the former file.
lc_copy() {
  if [ -z "$lc_from" ]; then lc_unkept; return 0; fi
  if [ -z "$lc_cp" ]; then
    if cp --attributes-only --version >/dev/null 2>&1; then lc_cp=gnu
    elif command -v getfattr >/dev/null && command -v setfattr >/dev/null; then lc_cp=attr
    elif command -v getfacl >/dev/null && command -v setfacl >/dev/null; then lc_cp=acl
    else lc_cp=none; fi
  fi
  case $lc_cp in
    gnu)
      lc_bits=y
      if lc_clone 2>/dev/null || lc_why=$(lc_clone 2>&1); then
        lc_copied=y
        if [ "$lc_mode" = "$lc_was" ]; then lc_bits=; fi
      else lc_note "not all of its attributes could be kept: ${lc_why##*: }"; fi ;;
    attr)
      lc_why=$(getfattr -h -d -m - -e hex -- "$lc_from" 2>/dev/null | sed '1s/.*/# file: new/') || lc_why=
      if [ -n "$lc_why" ]; then
        lc_bits=y
        printf '%s\n' "$lc_why" | setfattr -h --restore=- 2>/dev/null || lc_unkept
      fi ;;
    acl)
      lc_bits=y
      getfacl -p -n --omit-header -- "$lc_from" 2>/dev/null | setfacl -n --set-file=- new 2>/dev/null ||
        lc_unkept ;;
    *) lc_unkept ;;
  esac
}
lc_clone() { cp --attributes-only --preserve=mode,ownership,xattr -- "$lc_from" new; }
lc_unkept() { lc_note "what it had of ACLs and extended attributes could not be kept"; }
# Put the new file into its place.
lc_put() { # PATH MODE OWNER GROUP ...
  if [ -L old ] || [ -e old ]; then rm -f old; fi
  if mv -fT -- new "../$lc_name" 2>/dev/null || lc_why=$(mv -fT -- new "../$lc_name" 2>&1); then return 0; fi
  case $lc_why in *usy*) ;; *) lc_why=${lc_why##*: }; lc_bad "${lc_why:-mv failed}"; return 1 ;; esac
  # A mount point cannot be replaced.
  if ! lc_safely || [ -L "../$lc_name" ] || [ ! -f "../$lc_name" ]; then
    lc_bad "is a mount point, which can be written in place only, and others can write in its folder"
    return 1
  fi
  lc_try lc_over || return 1
  rm -f new
  lc_note "is a mount point, so it was written in place and not at once"
  if [ -n "$3$4" ]; then lc_try chown -h -- "$3${4:+:$4}" "../$lc_name" || return 1; fi
  if [ -n "$2" ]; then lc_try chmod -- "$2" "../$lc_name" || return 1; fi
}
lc_over() { cat new >|"../$lc_name"; }
lc_write() { lc_replace "$1" "$2" "$3" "$4" any text "$5"; } # PATH MODE OWNER GROUP TEXT
lc_write64() { lc_replace "$1" "$2" "$3" "$4" any base64 "$5"; } # PATH MODE OWNER GROUP BASE64
# Of what is not known to be there: a file that somebody else has put there does not say whose it is to be.
lc_create() { lc_replace "$1" "$2" "$3" "$4" new text "$5"; } # PATH MODE OWNER GROUP TEXT
lc_create64() { lc_replace "$1" "$2" "$3" "$4" new base64 "$5"; } # PATH MODE OWNER GROUP BASE64
lc_attributes() { # PATH MODE OWNER GROUP
  lc_path=$1
  if [ -d "$1" ] && [ ! -L "$1" ]; then lc_leave; fi
  lc_enter "$1" || return 1
  if [ -L "$lc_up/$lc_name" ]; then lc_bad "is a symbolic link"; return 1; fi
  if [ -d "$lc_up/$lc_name" ]; then
    if [ -n "$lc_room" ]; then lc_meanwhile; return 1; fi
    lc_within "$@"
    lc_ok=$?
    cd /
    lc_here=
    return $lc_ok
  fi
  if lc_safely; then lc_set "$lc_up/$lc_name" "$2" "$3" "$4"; return; fi
  lc_make_room && lc_hold && lc_set old "$2" "$3" "$4"
  lc_ok=$?
  lc_clear
  return $lc_ok
}
lc_set() { # FILE MODE OWNER GROUP
  if [ -n "$3$4" ]; then lc_try chown -h -- "$3${4:+:$4}" "$1" || return 1; fi
  # Five digits, because with fewer GNU chmod keeps the setuid and setgid bits of a directory.
  if [ -n "$2" ]; then lc_try chmod -- "0$2" "$1" || return 1; fi
}
lc_within() { # PATH MODE OWNER GROUP of a directory
  if cd -P -- "./$lc_name" 2>/dev/null; then
    if [ "$PWD" = "$lc_base/$lc_name" ]; then lc_set . "$2" "$3" "$4"; return; fi
  elif lc_safely && [ ! -L "./$lc_name" ]; then lc_set "./$lc_name" "$2" "$3" "$4"; return; fi
  lc_meanwhile
}
# Give a file in a folder that others can write in a name in our room, and see that it is no other's file.
lc_hold() {
  lc_try ln -- "../$lc_name" old || return 1
  if [ -L old ] || [ ! -f old ]; then lc_bad "is no regular file"; return 1; fi
  lc_guard=
  { read -r lc_guard </proc/sys/fs/protected_hardlinks; } 2>/dev/null
  if [ "$lc_guard" = 0 ] || [ "$(stat -c %h old)" != 2 ] || [ ! old -ef "../$lc_name" ]; then
    lc_bad "may have other names, too (hard links), and others can write in its folder; it is left as it is"
    return 1
  fi
}
lc_mkdir() { # PATH MODE OWNER GROUP
  lc_enter "$1" && lc_make_room || return 1
  if [ -e "../$lc_name" ] || [ -L "../$lc_name" ]; then lc_bad "File exists"; return 1; fi
  if [ -n "$3$4" ] || [ $lc_plain != y ]; then
    lc_try mkdir -m 0700 old && lc_set old "${2:-0755}" "$3" "$4" && lc_try mv -fT -- old "../$lc_name"
  else
    lc_try mkdir -m "0${2:-0755}" old && lc_try mv -fT -- old "../$lc_name"
  fi && return 0
  lc_clear
  return 1
}
lc_symlink() { # PATH TARGET
  lc_path=$1
  if [ -d "$1" ] && [ ! -L "$1" ]; then lc_bad "is a directory"; return 1; fi
  lc_enter "$1" && lc_make_room && lc_try ln -s -- "$2" old && lc_try mv -fT -- old "../$lc_name" && return 0
  if [ -n "$lc_room" ]; then lc_clear; fi
  return 1
}
lc_remove() { # PATH
  lc_path=$1
  lc_extra "$1"
  lc_try rm -f -- "$1" || return 1
  if [ -n "$lc_had" ]; then lc_note "had $lc_had, which is not recorded and does not come back"; fi
}
# Find out what an undo could not bring back, where that can be told.
lc_extra() { # PATH
  lc_had=
  if [ ! -e "$1" ] || [ -L "$1" ]; then return 0; fi
  if [ -z "$lc_ls" ]; then
    if command -v getfattr >/dev/null; then lc_ls=attr
    elif ls --version >/dev/null 2>&1; then lc_ls=gnu
    else lc_ls=none; fi
  fi
  case $lc_ls in
    attr)
      IFS=$lc_line; set -f
      for lc_p in $(getfattr -h -m - -- "$1" 2>/dev/null); do
        case $lc_p in
          '# file: '* | security.selinux) ;;
          system.posix_acl_*) lc_had="${lc_had:+$lc_had, }an ACL" ;;
          *) lc_had="${lc_had:+$lc_had, }the attribute $lc_p" ;;
        esac
      done
      unset IFS; set +f ;;
    gnu) case $(ls -ld -- "$1" 2>/dev/null) in ??????????+*) lc_had="an ACL" ;; esac ;;
  esac
}
lc_rmdir() { # PATH
  lc_path=$1
  lc_leave
  lc_tidy
  if [ ! -d "$1" ]; then return 0; fi
  lc_extra "$1"
  if ! rmdir -- "$1" 2>/dev/null; then lc_emptied "$1" || return 1; fi
  if [ -n "$lc_had" ]; then lc_note "had $lc_had, which is not recorded and does not come back"; fi
}
lc_emptied() { # PATH of a directory that could not be removed, perhaps for what a dead shell left in it
  if lc_enter "$1/." 2>/dev/null; then lc_sweep; lc_leave; fi
  lc_path=$1
  lc_try rmdir -- "$1"
}
""".lstrip()
"""POSIX shell functions; they need `stat`, `mv -T`, `sha256sum` and `base64` of GNU coreutils or busybox."""
