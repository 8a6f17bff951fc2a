EAPI=8

ORIG="pcre2_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Perl-compatible regular expressions"
HOMEPAGE="https://www.pcre.org/"
LICENSE="BSD"
SLOT="0/3"
IUSE="+bzip2 +zlib"

DEPEND="
	bzip2? ( app-arch/bzip2:= )
	zlib? ( sys-libs/zlib:= )
"
RDEPEND="${DEPEND}"

src_configure() {
	econf $(use_enable bzip2 pcre2grep-libbz2) $(use_enable zlib pcre2grep-libz)
}
