EAPI=8

ORIG="lzop_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A file compressor that uses lzo"
HOMEPAGE="https://www.lzop.org/"
LICENSE="GPL-2"
SLOT="0"

DEPEND="dev-libs/lzo:="
RDEPEND="${DEPEND}"
