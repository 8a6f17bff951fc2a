EAPI=8

ORIG="lzop_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A file compressor that uses lzo"
HOMEPAGE="https://www.lzop.org/"
LICENSE="GPL-2"
SLOT="0"

DEPEND="dev-libs/lzo:="
RDEPEND="${DEPEND}"

src_configure() { :; }

src_compile() {
	gcc ${CFLAGS} ${LDFLAGS} -Isrc -o lzop src/*.c -llzo2 || die "lzop does not compile"
}

src_install() {
	dobin lzop
	doman doc/lzop.1
}
