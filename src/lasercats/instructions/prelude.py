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

from lasercats.instructions.room import ROOM
from lasercats.instructions.shell import WORK

ACTS = r"""
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
    *) lc_through 'base64 -d' "$2" 2>/dev/null || lc_failed_by "$(lc_through lc_decode "$2" 2>&1)" ;;
  esac
  lc_ok=$?
  umask 022
  return $lc_ok
}
lc_through() { printf %s "$2" 2>/dev/null | $1 >|new; }
lc_decode() { base64 -d | cat; } # which tells why it cannot write, as GNU base64 does not
lc_failed_by() { lc_why=${1##*: }; lc_bad "${lc_why:-base64 failed}"; }
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
lc_chown() { # OWNER GROUP FILE; busybox takes a dot for the end of an owner, so such a one is told by number
  lc_who=$1
  case $1 in *.*) lc_who=$(id -u -- "$1" 2>/dev/null) || lc_who=$1 ;; esac
  chown -h -- "$lc_who${2:+:$2}" "$3"
}
# Give the new file what the former had, then what is said.
lc_dress() {
  if [ -n "$lc_user" ]; then lc_copy; fi
  lc_owner=${lc_owner:-${lc_user%:*}} lc_group=${lc_group:-${lc_user#*:}}
  if [ -n "$lc_owner$lc_group" ] && ! lc_owned; then
    lc_try lc_chown "$lc_owner" "$lc_group" new || return 1
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
  if [ -n "$3$4" ]; then lc_try lc_chown "$3" "$4" "../$lc_name" || return 1; fi
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
    lc_back
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
  if [ -n "$3$4" ]; then lc_try lc_chown "$3" "$4" "$1" || return 1; fi
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
  lc_swept "$1"
  lc_path=$1
  lc_try rmdir -- "$1"
}
""".lstrip()
"""Shell functions, one for each act."""

PRELUDE = (WORK, ROOM, ACTS)
"""POSIX shell functions; they need `stat`, `mv -T`, `sha256sum` and `base64` of GNU coreutils or busybox."""
