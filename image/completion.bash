# shellcheck shell=bash
# Completion of gbsup for bash: what the command line itself knows (`gbsup completions bash`, put in front of this by the image), and
# packages, releases and cycles, which only this builder knows.

# The names of a kind, one in each line.
_gbsup_names() {
    case $1 in
        packages)
            gbsup plan 2>/dev/null | cut -sf2 | sed -E 's/^=//; s/-[0-9][^/]*$//'
            find "${GBSUP_VDB:-/var/db/pkg}" -mindepth 2 -maxdepth 2 -type d -printf '%P\n' 2>/dev/null | sed -E 's/-[0-9][^/]*$//'
            ;;
        skipped) gbsup skip 2>/dev/null | cut -f1 ;;
        releases) gbsup releases 2>/dev/null | cut -f1 ;;
        cycles) gbsup history -n 50 2>/dev/null | cut -f1 ;;
    esac | LC_ALL=C sort -u
}

_gbsup_builder() {
    local kind='' verb='' word current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in -*) ;; *) verb=${verb:-$word} ;; esac
    done
    case $verb:$before in
        logs:--cycle) kind=cycles ;;
        resume:--skip) kind=packages ;;
        *:--*) ;;
        logs:* | why:* | skip:*) kind=packages ;;
        unskip:*) kind=skipped ;;
        diff:* | rollback:* | verify:*) kind=releases ;;
    esac
    # As ever, options begin with a hyphen; `gbsup logs` alone has both.
    if [ -n "$kind" ] && [[ $current != -* ]]; then
        # A package is found by its name without the category as well.
        local names
        names=$(_gbsup_names "$kind")
        mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
        if [ "${#COMPREPLY[@]}" -eq 0 ] && [ "$kind" = packages ] && [[ $current != */* ]]; then
            mapfile -t COMPREPLY < <(grep -E "/${current//[^A-Za-z0-9_+-]/}" <<<"$names")
        fi
        return
    fi
    if declare -F _gbsup >/dev/null; then _gbsup "$1" "$current" "$before"; fi
}
complete -F _gbsup_builder -o bashdefault -o default gbsup
