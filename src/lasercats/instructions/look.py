"""The shell functions that look at paths; `lasercats.instructions.path` calls them and reads the answer.

What cannot be found because of an error is not absent (`lc_absent`). Nobody wants to wait until 10 TB are
read (`lc_large`).
"""

from lasercats.core import content as contents

BUDGET = 32 * 1024 * 1024
"""Bytes of contents after which a host leaves the others for the next round trip."""

LOOK = r"""
lc_nl='
'
lc_later= lc_sent= lc_left=BUDGET
lc_stat() { # PATH...
  lc_gone= lc_odd= lc_bad= lc_links=
  for lc_p do
    if [ -L "$lc_p" ]; then lc_links=y
    elif [ ! -e "$lc_p" ]; then lc_gone=x$lc_gone; fi
    case $lc_p in *"$lc_nl"*) lc_odd=y ;; esac
  done
  lc_shape="%n$lc_s%f %u %g %s %Y$lc_s%U$lc_s%G$lc_s"
  lc_key stat
  if [ -z "$lc_gone" ]; then stat -c "$lc_shape" -- "$@" >&3 || lc_bad=y
  else lc_said=$(stat -c "$lc_shape" -- "$@" 2>&1 >&3 | head -c 400000); fi
  lc_end
  if [ -n "$lc_gone$lc_bad" ]; then lc_absent "$@"; fi
  if [ -z "$lc_links" ]; then return; fi
  for lc_p do
    if [ -L "$lc_p" ]; then lc_key "link $lc_p"; readlink -n -- "$lc_p" >&3; lc_end; fi
  done
}
lc_absent() { # PATH...
  IFS=$lc_nl; set -f
  for lc_p in $lc_said; do
    case $lc_p in
      *': No such file or directory' | *': Not a directory') lc_gone=${lc_gone#x} ;;
      *) lc_odd=y ;;
    esac
  done
  unset IFS; set +f
  for lc_p do
    if [ -e "$lc_p" ] || [ -L "$lc_p" ]; then if [ -z "$lc_bad" ]; then continue; fi; fi
    if [ -z "$lc_gone$lc_odd$lc_bad" ]; then lc_say "gone $lc_p" ''
    else
      lc_w=$(stat -c . -- "$lc_p" 2>&1 | head -c 9000)
      if [ "$lc_w" != . ]; then lc_say "absent $lc_p" "$lc_w"; fi
    fi
  done
}
lc_read() { # EXPECTS PATH...  For each path: sha256 of the content, or '-'.
  lc_w=$1 lc_n=0
  shift
  for lc_e in $lc_w; do lc_n=$((lc_n + 1)); eval "lc_e$lc_n=\$lc_e"; done
  lc_n=0 lc_odd= lc_some= lc_any=
  for lc_p do
    lc_n=$((lc_n + 1)); eval "lc_p$lc_n=\$lc_p lc_z$lc_n= lc_d$lc_n="
    if [ -L "$lc_p" ] || [ ! -f "$lc_p" ]; then lc_some=y; eval "lc_d$lc_n=-"
    else lc_any=y; fi
    case $lc_p in *"$lc_nl"*) lc_odd=y ;; esac
  done
  if [ -z "$lc_any" ]; then return; fi
  lc_each lc_readable
  if [ -z "$lc_some" ]; then lc_w=$(stat -L -c %s -- "$@")
  else lc_w=$(lc_each lc_path | xargs -0 -r stat -L -c %s --); fi
  lc_slots z "$lc_w" || lc_each lc_size
  lc_each lc_large
  if [ -n "$lc_odd" ]; then lc_w= # a name with a line break may be printed on two lines
  elif [ -z "$lc_some" ]; then lc_w=$(sha256sum -- "$@" | head -c 9000000)
  else lc_w=$(lc_each lc_path | xargs -0 -r sha256sum -- | head -c 9000000); fi
  lc_slots d "$lc_w" || lc_each lc_sum
  lc_each lc_content
}
lc_each() { # FUNCTION  Call it for each file.
  lc_i=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_p=\$lc_p$lc_i lc_e=\$lc_e$lc_i lc_z=\$lc_z$lc_i lc_d=\$lc_d$lc_i"
    $1
  done
}
lc_path() { if [ -z "$lc_d" ]; then printf '%s\0' "$lc_p"; fi; }
lc_slots() { # ARRAY LINES  Take one line for each file, if there is one for each.
  lc_array=$1
  IFS=$lc_nl; set -f
  set -- $2
  unset IFS; set +f
  lc_i=0 lc_wanted=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_d=\$lc_d$lc_i"
    if [ -z "$lc_d" ]; then lc_wanted=$((lc_wanted + 1)); fi
  done
  if [ $# != $lc_wanted ]; then return 1; fi
  lc_i=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_d=\$lc_d$lc_i"
    if [ -z "$lc_d" ]; then lc_w=${1%% *}; eval "lc_$lc_array$lc_i=\${lc_w#\\\\}"; shift; fi
  done
}
lc_why() { # REASON
  lc_say "why $lc_p" "$1"; eval "lc_d$lc_i=-"; lc_some=y
}
lc_readable() { if [ -z "$lc_d" ] && [ ! -r "$lc_p" ]; then lc_why 'Permission denied'; fi; }
lc_size() {
  if [ -n "$lc_d" ]; then return; fi
  lc_w=$(stat -L -c %s -- "$lc_p" 2>&1 | head -c 9000)
  case $lc_w in '' | *[!0-9]*) lc_why "$lc_w" ;; *) eval "lc_z$lc_i=\$lc_w" ;; esac
}
lc_large() {
  if [ -z "$lc_d" ] && [ "$lc_z" -gt LIMIT ]; then
    lc_say "large $lc_p" "$lc_z"; eval "lc_d$lc_i=-"; lc_some=y
  fi
}
lc_sum() {
  if [ -n "$lc_d" ]; then return; fi
  lc_w=$({ sha256sum <"$lc_p"; } 2>&1 | head -c 9000)
  case $lc_w in *' '*-) eval "lc_d$lc_i=\${lc_w%% *}" ;; *) lc_why "$lc_w" ;; esac
}
lc_content() {
  if [ "$lc_d" = - ]; then return; fi
  lc_say "sum $lc_p" "$lc_d"
  if [ "$lc_d" = "$lc_e" ]; then return; fi
  lc_left=$((lc_left - lc_z))
  if [ $lc_left -lt 0 ] && [ -n "$lc_sent" ]; then lc_later=y; lc_say "later $lc_p" ''; return; fi
  lc_sent=y
  lc_key "body $lc_p"; head -c MOST -- "$lc_p" | base64 >&3; lc_end
}
""".lstrip()
for _word, _value in (("BUDGET", BUDGET), ("LIMIT", contents.LIMIT), ("MOST", contents.LIMIT + 1)):
    LOOK = LOOK.replace(f"={_word}\n", f"={_value}\n").replace(f" {_word} ", f" {_value} ")
