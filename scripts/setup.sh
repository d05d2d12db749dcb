#!/bin/sh
# Make .venv with the locked packages. With `peers`, install the machinery that tests talk to (as root);
# with `bench`, install what the benchmarks compare with, in a virtual environment of its own.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

say() { echo "setup: $*" >&2; }

apt_install() { # PACKAGES...
    # No daemon may start just because its package is installed.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        made=yes
    fi
    log=$(mktemp)
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        say "apt-get could not install: $*"
    fi
    rm -f "$log"
    if [ -n "$made" ]; then rm -f $policy; fi
}

is_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

make_venv() { # DIRECTORY
    if [ -x "$1/bin/python" ]; then return; fi
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        if is_root; then
            apt_install python3-venv
        else
            say "python3 has no venv here; install the package python3-venv as root, then try again"
            exit 1
        fi
    fi
    "$PYTHON" -m venv "$1"
}

install() { # VENV STAMP-NAME LOCKS... ; again only when a lock or the project's metadata changed
    venv=$1 name=$2
    shift 2
    stamp=$venv/.$name
    now=$(cat "$@" pyproject.toml | sha256sum)
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then return; fi
    for lock; do
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    done
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$now" >"$stamp"
}

make_venv .venv
install .venv lasercats requirements/build.txt requirements/dev.txt

for want; do
    case $want in
        peers)
            missing=
            for tool in /usr/sbin/sshd:openssh-server /usr/bin/ssh:openssh-client /usr/sbin/ip:iproute2 /usr/bin/sudo:sudo /usr/bin/unshare:util-linux /usr/bin/busybox:busybox-static /usr/bin/tcsh:tcsh /usr/sbin/ovs-vswitchd:openvswitch-switch /usr/sbin/netconfd:netconfd /usr/bin/ping:iputils-ping /usr/bin/rsvg-convert:librsvg2-bin /usr/share/fonts/truetype/liberation:fonts-liberation /usr/bin/age:age /usr/lib/postgresql:postgresql /usr/sbin/pgbouncer:pgbouncer; do
                if [ ! -x "${tool%%:*}" ] && [ ! -x "/usr${tool%%:*}" ] && ! command -v "$(basename "${tool%%:*}")" >/dev/null; then
                    missing="$missing ${tool##*:}"
                fi
            done
            if [ -n "$missing" ] && is_root; then
                # shellcheck disable=SC2086 # a list of words
                apt_install $missing
            elif [ -n "$missing" ]; then
                say "not root, and$missing is missing: tests on the hosts and switches that need it will be skipped"
            fi
            ;;
        bench)
            make_venv .venv-bench
            install .venv-bench bench requirements/build.txt requirements/bench.txt
            ;;
    esac
done
