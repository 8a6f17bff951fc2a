# What the findings share: a temporary directory, a Portage in it, and packages made of nothing. Sourced, not run.
#
# Portage comes from PyPI into a virtual environment, which it takes for a Gentoo prefix: its configuration is in $prefix/etc/portage, what it
# installs goes below $prefix, and nothing outside of $work is written. Root, bash, python3 with venv, tar and make are needed.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
tree=$work/tree
export LC_ALL=C.UTF-8 NO_COLOR=1 HOME=$work/home PORTAGE_USERNAME=root PORTAGE_GRPNAME=root TERM=dumb
mkdir "$HOME"
unset FEATURES USE EMERGE_DEFAULT_OPTS BINPKG_COMPRESS PORTAGE_CONFIGROOT ROOT

# The behaviour is another one by now.
changed() {
    echo "$(basename "$0"): CHANGED: $*" >&2
    exit 1
}

# It is as the header says.
as_before() { echo "$(basename "$0"): as before: $*"; }

# says FILE WORDS: changed unless the file has these words.
says() { grep -qF -- "$2" "$1" || { cat "$1" >&2; changed "it does not say: $2"; }; }

# silent FILE WORDS: changed if the file has these words.
silent() { ! grep -qF -- "$2" "$1" || { cat "$1" >&2; changed "it says: $2"; }; }

# ended WANTED CODE: changed unless a program ended with the code that is wanted.
ended() { [ "$2" = "$1" ] || changed "it ended with $2, and not with $1"; }

# Portage 3.0.83 in $prefix with an empty repository, and its programs on the PATH.
portage() {
    python3 -m venv "$prefix"
    "$prefix/bin/pip" install --quiet --disable-pip-version-check portage==3.0.83
    rm -r "$prefix/share/portage/config/repos.conf"
    PATH=$prefix/bin:$PATH
    # Portage calls GNU tar by this name.
    command -v gtar >/dev/null || ln -s "$(command -v tar)" "$prefix/bin/gtar"
    mkdir -p "$tree"/{profiles/default,metadata,eclass} "$prefix"/etc/portage/repos.conf "$prefix"/var/{db/pkg,lib/portage,log,tmp,cache/edb}
    echo finding >"$tree/profiles/repo_name"
    echo amd64 >"$tree/profiles/arch.list"
    echo 'amd64 default stable' >"$tree/profiles/profiles.desc"
    echo a >"$tree/profiles/categories"
    printf 'masters =\nthin-manifests = true\n' >"$tree/metadata/layout.conf"
    echo 8 | tee "$tree/profiles/eapi" >"$tree/profiles/default/eapi"
    printf '%s="%s"\n' ARCH amd64 ACCEPT_KEYWORDS amd64 CHOST x86_64-pc-linux-gnu KERNEL linux ELIBC glibc >"$tree/profiles/default/make.defaults"
    ln -s "$tree/profiles/default" "$prefix/etc/portage/make.profile"
    printf '[DEFAULT]\nmain-repo = finding\n[finding]\nlocation = %s\n' "$tree" >"$prefix/etc/portage/repos.conf/finding.conf"
    cat >"$prefix/etc/portage/make.conf" <<END
FEATURES="-news -sandbox -usersandbox -ipc-sandbox -network-sandbox -pid-sandbox -mount-sandbox -userpriv -userfetch binpkg-multi-instance"
PKGDIR="$work/binpkgs"
DISTDIR="$work/distfiles"
PORTAGE_TMPDIR="$prefix/var/tmp"
PORTAGE_LOGDIR="$work/log"
MAKEOPTS="-j2"
END
    mkdir "$work"/{binpkgs,distfiles,log}
}

# make_conf LINE...: more lines for make.conf.
make_conf() { printf '%s\n' "$@" >>"$prefix/etc/portage/make.conf"; }

# package NAME-VERSION [LINE]...: an ebuild of category `a` that installs one file, with these lines.
package() {
    local name=$1
    mkdir -p "$tree/a/${name%-*}"
    shift
    {
        # shellcheck disable=SC2016 # It is the ebuild that expands it.
        printf 'EAPI=8\nDESCRIPTION="A package of nothing"\nSLOT=0\nKEYWORDS=amd64\nS=${WORKDIR}\n'
        # shellcheck disable=SC2016 # It is the ebuild that expands it.
        echo 'src_install() { echo "${PVR}" >"${T}/${PN}" && insinto /usr/share/finding && doins "${T}/${PN}"; }'
        printf '%s\n' "$@"
    } >"$tree/a/${name%-*}/$name.ebuild"
}

# run FILE COMMAND...: runs a command whatever comes of it; all that it prints goes to the file, its status to $code.
# shellcheck disable=SC2034 # Whoever sources this reads it.
run() {
    local to=$1
    shift
    code=0
    "$@" >"$to" 2>&1 </dev/null || code=$?
}

# commit MESSAGE: makes a commit of all that is in the repository, which is one of git's from the first time on.
commit() {
    local git=(git -c user.name=finding -c user.email=finding@localhost -c init.defaultBranch=main -C "$tree")
    if ! [ -e "$tree/.git" ]; then
        git config --global --add safe.directory '*'
        "${git[@]}" init --quiet
    fi
    "${git[@]}" add .
    "${git[@]}" commit --quiet --message "$1"
}

# synced LINE...: has Portage sync $work/copy from the repository by git, with these lines in repos.conf besides.
synced() {
    printf '%s\n' '[DEFAULT]' 'main-repo = finding' '[finding]' "location = $work/copy" 'sync-type = git' "sync-uri = file://$tree" "$@" \
        >"$prefix/etc/portage/repos.conf/finding.conf"
}
