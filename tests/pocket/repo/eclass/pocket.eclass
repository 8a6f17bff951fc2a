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

EXPORT_FUNCTIONS src_unpack
