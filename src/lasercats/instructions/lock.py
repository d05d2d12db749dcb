r"""The shell functions by which it is proved on a host whether anything is still at work for a batch.

Before a shell changes anything it makes a file that is named by its batch, in a folder that only its user can
enter, takes a lock on it, and writes its number into it. All that it runs to make the change has the lock,
too (descriptor 9), so the lock is free only when none of that is left, whatever became of the shell. What a
raw command starts does not get it: the shell waits for the command itself, and what that leaves running is
its own business.

Whoever wants to judge what became of a batch first makes a file `NAME.over`, then asks for the locks. A shell
that begins later, because its login or its network was slow, looks for that file when it has its lock, and
does nothing. So one of the two always sees the other, in whatever order they come.

Where a host has no `flock`, /proc tells who has the file open. So do we find whom to end: a process that has
it open is one of ours, whatever number it has.

The folder must not depend on the variables of a session, or two sessions of one user would not find each
other; and it must outlive them, as `$XDG_RUNTIME_DIR` does not. Folders in which all can write are sticky, so
that nobody else can put another in its place once owner and mode are found to be right.
"""

PLACES = r"""
# Set lc_places to folders for locks that only we can use: to the best alone, or to all.
lc_find_places() { # one|all
  lc_uid= lc_places= lc_most=$1
  while read -r lc_k lc_p lc_uid lc_rest; do
    case $lc_k in Uid:) break ;; *) lc_uid= ;; esac
  done 2>/dev/null </proc/$$/status
  case ${lc_uid:=$(id -u)} in
    0) set -- /run/lasercats /tmp/.lasercats-0 ;;
    *) set -- "/tmp/.lasercats-$lc_uid" "/var/tmp/.lasercats-$lc_uid" ;;
  esac
  for lc_d; do
    if [ ! -d "$lc_d" ] && [ ! -L "$lc_d" ]; then mkdir -m 0700 -- "$lc_d" 2>/dev/null; fi
    if [ -L "$lc_d" ] || [ ! -d "$lc_d" ] || [ ! -O "$lc_d" ]; then continue; fi
    case $lc_d in
      /run/*) ;; # where nobody but root puts anything
      *) case $(stat -c %a -- "$lc_d" 2>/dev/null) in 700 | ?700) ;; *) continue ;; esac ;;
    esac
    lc_places="$lc_places $lc_d"
    if [ "$lc_most" = one ]; then return 0; fi
  done
}
""".lstrip()
"""The shell function that finds the folders for locks."""

LOCK = (
    PLACES
    + r"""
# Take the lock of a batch before anything is done; fail where the batch was judged already.
lc_lock() { # NAME PART
  lc_find_places one
  lc_file=${lc_places# }/$1
  if [ -z "$lc_places" ] || ! { :; } 2>/dev/null 9>>"$lc_file.$2"; then return 0; fi
  exec 9>>"$lc_file.$2"
  lc_unlock="rm -f $lc_file.$2"
  if command -v flock >/dev/null && flock -n 9 2>/dev/null; then lc_has=locked; else lc_has=; fi
  printf '%s\n' "$$ $lc_has" 2>/dev/null >&9
  [ ! -e "$lc_file.over" ]
}
"""
)
"""The shell function that takes the lock of a batch."""

SETTLE = (
    PLACES
    + r"""
# Let nothing begin for a batch any more, and wait until nothing is at work for it, or end it.
# Fail where something is left.
lc_settle() { # NAME SECONDS wait|end
  lc_find_places all
  if [ -z "$lc_places" ]; then lc_say unknown 'no folder for locks can be made there'; return 1; fi
  for lc_d in $lc_places; do { :; } >"$lc_d/$1.over"; done 2>/dev/null
  lc_await "$1" "$2"
  if [ "$3" = end ]; then
    for lc_signal in TERM KILL; do
      if [ -z "$lc_still" ]; then break; fi
      lc_end "$1" $lc_signal
      lc_await "$1" 2
    done
  fi
  if [ -n "$lc_still" ]; then lc_say still "${lc_still# }"; return 1; fi
  if [ -n "$lc_unsure" ]; then lc_say unknown "$lc_unsure"; return 1; fi
  lc_forget "$1"
}
lc_await() { # NAME SECONDS
  lc_left=$(($2 * 5))
  while lc_ask "$1"; [ -n "$lc_still" ] && [ $lc_left -gt 0 ]; do
    if sleep 0.2 2>/dev/null; then lc_left=$((lc_left - 1)); else sleep 1; lc_left=$((lc_left - 5)); fi
  done
}
lc_ask() { # NAME  Set lc_still to what is at work for a batch, lc_unsure to why nobody can tell.
  lc_still= lc_unsure=
  for lc_d in $lc_places; do
    for lc_f in "$lc_d/$1".[0-9]*; do
      if [ -f "$lc_f" ] && lc_busy "$lc_f"; then lc_still="$lc_still${lc_found:- ?}"; fi
    done
  done
}
lc_busy() { # FILE
  lc_shell= lc_has=
  { read -r lc_shell lc_has <"$1"; } 2>/dev/null
  lc_holders "$1"
  if command -v flock >/dev/null; then
    if ! { flock -n 8; } 2>/dev/null 8<"$1"; then [ -e "$1" ]; return; fi
    if [ "$lc_has" = locked ]; then return 1; fi
  fi
  if [ ! -e /proc/$$/fd ]; then lc_unsure='the host has neither flock nor /proc'; fi
  [ -n "$lc_found" ]
}
lc_holders() { # FILE  Set lc_found to the processes that have it open as what works for us has it.
  lc_found=
  for lc_p in /proc/[0-9]*; do
    if [ "$lc_p/fd/9" -ef "$1" ]; then lc_found="$lc_found ${lc_p#/proc/}"; fi
  done
}
lc_end() { # NAME SIGNAL
  for lc_d in $lc_places; do
    for lc_f in "$lc_d/$1".[0-9]*; do
      if [ ! -f "$lc_f" ]; then continue; fi
      lc_holders "$lc_f"
      lc_descend "$lc_f"
      for lc_p in $lc_found; do kill -s "$2" -- "$lc_p"; done 2>/dev/null
    done
  done
}
# Add to lc_found what those started: their children, and the session that the shell leads.
lc_descend() { # FILE
  lc_shell= lc_led=none
  { read -r lc_shell lc_has <"$1"; } 2>/dev/null
  case "$lc_found " in
    *" ${lc_shell:-none} "*)
      { read -r lc_l <"/proc/$lc_shell/stat"; } 2>/dev/null && lc_leads ${lc_l##*) } && lc_led=$lc_shell ;;
  esac
  while :; do
    lc_more=
    for lc_p in /proc/[0-9]*; do
      case "$lc_found " in *" ${lc_p#/proc/} "*) continue ;; esac
      if { read -r lc_l <"$lc_p/stat"; } 2>/dev/null && lc_ours ${lc_l##*) }; then
        lc_found="$lc_found ${lc_p#/proc/}" lc_more=y
      fi
    done
    if [ -z "$lc_more" ]; then return 0; fi
  done
}
lc_leads() { [ "$4" = "$lc_shell" ]; } # STATE PARENT GROUP SESSION ..., as after the name in proc(5)
lc_ours() {
  case $1 in Z | X) return 1 ;; esac
  case "$lc_found $lc_led " in *" $2 "*) return 0 ;; esac
  [ "$4" = $lc_led ]
}
# Remove what is left of the shells of a batch, and in a week what keeps others from beginning.
lc_forget() { # NAME
  for lc_d in $lc_places; do
    rm -f -- "$lc_d/$1".[0-9]*
    for lc_f in $(find "$lc_d" -type f -mtime +7 2>/dev/null); do
      case $lc_f in
        *.over) rm -f -- "$lc_f" ;;
        *) if ! lc_busy "$lc_f" && [ -z "$lc_unsure" ]; then rm -f -- "$lc_f"; fi ;;
      esac
    done
  done
}
"""
)
"""The shell functions that find out what is at work for a batch, and end it."""
