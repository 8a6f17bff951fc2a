EAPI=8

ORIG="freetype_${PV}+dfsg.orig.tar.xz"
inherit pocket

DESCRIPTION="High-quality and portable font engine"
HOMEPAGE="https://freetype.org/"
LICENSE="FTL"
SLOT="0/2"
IUSE="+bzip2 harfbuzz +png"

# With USE=harfbuzz on, this and media-libs/harfbuzz[truetype] need each other: the best-known circular dependency.
DEPEND="
	sys-libs/zlib:=
	bzip2? ( app-arch/bzip2:= )
	harfbuzz? ( media-libs/harfbuzz:=[truetype] )
	png? ( media-libs/libpng:= )
"
RDEPEND="${DEPEND}"

src_configure() {
	econf --with-zlib=yes --with-brotli=no $(use_with bzip2) $(use_with harfbuzz) $(use_with png)
}
