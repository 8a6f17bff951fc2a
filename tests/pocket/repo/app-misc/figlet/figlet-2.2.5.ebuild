EAPI=8

ORIG="figlet_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Large letters out of ordinary text"
HOMEPAGE="http://www.figlet.org/"
LICENSE="BSD"
SLOT="0"

src_compile() {
	emake CC=gcc LD=gcc CFLAGS="${CFLAGS}" prefix=/usr DEFAULTFONTDIR=/usr/share/figlet figlet chkfont
}

src_install() {
	dobin figlet chkfont
	insinto /usr/share/figlet
	doins -r fonts/.
	doman figlet.6
}
