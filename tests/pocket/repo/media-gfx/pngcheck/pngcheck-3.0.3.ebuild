EAPI=8

ORIG="pngcheck_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Tests PNG files"
HOMEPAGE="http://www.libpng.org/pub/png/apps/pngcheck.html"
LICENSE="GPL-2"
SLOT="0"

DEPEND="sys-libs/zlib:="
RDEPEND="${DEPEND}"

src_compile() {
	gcc ${CFLAGS} ${LDFLAGS} -DUSE_ZLIB -o pngcheck pngcheck.c -lz || die "pngcheck.c does not compile"
}

src_install() {
	dobin pngcheck
}
