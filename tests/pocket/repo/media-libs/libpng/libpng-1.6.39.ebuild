EAPI=8

ORIG="libpng1.6_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Portable Network Graphics library"
HOMEPAGE="http://www.libpng.org/"
LICENSE="libpng2"
SLOT="0/16"

DEPEND="sys-libs/zlib:="
RDEPEND="${DEPEND}"
