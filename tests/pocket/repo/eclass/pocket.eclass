# Real sources as Debian keeps them: ORIG is the name of the file, and whatever its one top directory is called, its contents are put
# into ${S}.
case ${EAPI} in
	8) ;;
	*) die "EAPI ${EAPI} unsupported" ;;
esac

SRC_URI="${ORIG}"
KEYWORDS="amd64"

pocket_src_unpack() {
	mkdir -p "${S}" || die
	tar --extract --strip-components=1 --directory="${S}" --file="${DISTDIR}/${ORIG}" || die "cannot unpack ${ORIG}"
}

# pocket_library SONAME SOURCES AND FLAGS: a shared library of these sources by one call of the compiler. What upstream's configure would
# find out is known here, and to find it out anew takes several times what the library takes.
pocket_library() {
	local soname=$1
	shift
	set -- gcc ${CFLAGS} -fPIC -shared -Wl,-soname,"${soname}" ${LDFLAGS} -o "${soname}" "$@"
	echo "$@"
	"$@" || die "the compiler failed"
	ln -s "${soname}" "${soname%%.so*}.so" || die
}

# pocket_install_library SONAME: where others link to it.
pocket_install_library() {
	dolib.so "$1"
	dosym "$1" "/usr/$(get_libdir)/${1%%.so*}.so"
}

EXPORT_FUNCTIONS src_unpack
