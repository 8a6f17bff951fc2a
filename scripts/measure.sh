# shellcheck shell=bash
# What the benchmarks share. Sourced, never run; it reads lib.sh itself.
#
# A benchmark collects one value a round with `sample KEY VALUE` and prints medians beside the least and the greatest with `spread`.

# The benchmarks build the pocket world, and leave the images and containers of others alone.
export BASE=pocket IMAGE=${BENCH_IMAGE:-gbsup-bench} CONFIG=''
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

work=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/gbsup-bench.XXXXXX")
# Containers and volumes of this run begin so.
PREFIX=gbsup-bench-$$

clean_up() {
    local left
    left=$(docker ps -aq --filter "name=^$PREFIX-" 2>/dev/null) || true
    # shellcheck disable=SC2086 # words
    [ -z "$left" ] || docker rm --force --volumes $left >/dev/null 2>&1 || true
    left=$(docker volume ls -q --filter "name=^$PREFIX-" 2>/dev/null) || true
    # shellcheck disable=SC2086
    [ -z "$left" ] || docker volume rm --force $left >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
set -o errtrace
trap 'say "$(basename -- "$0"): line $LINENO failed: $BASH_COMMAND"' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

# Microseconds since the epoch.
now() { echo "${EPOCHREALTIME/[.,]/}"; }
# seconds FROM TO: microseconds to seconds.
seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", (b - a) / 1e6 }'; }
calc() { awk "BEGIN { printf \"%.4f\", $1 }"; }

# cpu_counter FILE: a program for a container that prints the microseconds of CPU which all in it have used, for either kind of control groups.
cpu_counter() {
    cat >"$1" <<'END'
#!/bin/sh
if [ -r /sys/fs/cgroup/cpu.stat ]; then sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat
else echo $(($(cat /sys/fs/cgroup/cpuacct/cpuacct.usage) / 1000)); fi
END
    chmod +x "$1"
}

sample() { printf '%s\n' "$2" >>"$work/samples.$1"; }

# spread KEY [FORMAT]: the median, and the least and the greatest: "1.23 (1.20-1.31)".
spread() {
    sort -g "$work/samples.$1" | awk -v format="${2:-%.2f}" '
        { value[NR] = $1 }
        END {
            if (NR == 0) { print "-"; exit }
            median = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
            printf format, median
            if (NR > 1) printf " (" format "-" format ")", value[1], value[NR]
            print ""
        }'
}
median() { spread "$1" "${2:-%.4f}" | cut -d' ' -f1; }

# ratio A B: the samples of A over those of B, round by round, as spread prints them.
ratio() {
    paste "$work/samples.$1" "$work/samples.$2" | awk '{ printf "%.4f\n", $1 / $2 }' >"$work/samples.ratio"
    spread ratio "${3:-%.3f}"
}

# follow CONTAINER PATTERN: reads its log into the file $work/log up to the first line that has the pattern; 1 when none comes. It costs
# nothing while nothing is said, as asking again and again would.
follow() {
    local pid line found=1
    : >"$work/log"
    exec 3< <(exec timeout "${BENCH_PATIENCE:-1800}" docker logs --follow "$1" 2>&1)
    pid=$!
    while IFS= read -r line <&3; do
        printf '%s\n' "$line" >>"$work/log"
        if [[ $line =~ $2 ]]; then
            found=0
            break
        fi
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    exec 3<&-
    return "$found"
}
# shellcheck disable=SC2034 # for those who source this
# What gbsup says when it has nothing more to do.
END_OF_CYCLE='^gbsup [^ ]+ ([a-z]+: )?(waiting|paused|degraded|stopped)'

row() {
    local cell
    printf '|'
    for cell in "$@"; do printf ' %s |' "$cell"; done
    printf '\n'
}
head_row() {
    row "$@"
    printf '|'
    printf ' --- |%.0s' "$@"
    printf '\n'
}

# The machine, and what else it was doing: a figure means little without it.
machine() {
    local model
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    printf '%s × %s, Linux %s, %s round(s); load before: %s\n\n' "$(nproc)" "${model:-CPU}" "$(uname -r)" "$1" "$(cut -d' ' -f1-3 /proc/loadavg)"
}
