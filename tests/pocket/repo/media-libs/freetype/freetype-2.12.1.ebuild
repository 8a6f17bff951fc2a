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

src_configure() { :; }

src_compile() {
	local with=( -DFT_CONFIG_OPTION_SYSTEM_ZLIB -lz )
	use bzip2 && with+=( -DFT_CONFIG_OPTION_USE_BZIP2 -lbz2 )
	use harfbuzz && with+=( -DFT_CONFIG_OPTION_USE_HARFBUZZ $(pkg-config --cflags --libs harfbuzz) )
	use png && with+=( -DFT_CONFIG_OPTION_USE_PNG -lpng16 )
	pocket_library libfreetype.so.6 -DFT2_BUILD_LIBRARY -DHAVE_FCNTL_H -DHAVE_UNISTD_H -Iinclude \
		src/base/ft{base,bbox,bdf,bitmap,cid,debug,fstype,gasp,glyph,gxval,init,mm,otval,patent,pfr,stroke,synth,system,type1,winfnt}.c \
		src/{autofit/autofit,bdf/bdf,bzip2/ftbzip2,cache/ftcache,cff/cff,cid/type1cid,gzip/ftgzip,lzw/ftlzw,pcf/pcf,pfr/pfr}.c \
		src/{psaux/psaux,pshinter/pshinter,psnames/psnames,raster/raster,sdf/sdf,sfnt/sfnt,smooth/smooth,svg/svg}.c \
		src/{truetype/truetype,type1/type1,type42/type42,winfonts/winfnt}.c "${with[@]}"
}

src_install() {
	local lib=/usr/$(get_libdir)
	pocket_install_library libfreetype.so.6
	insinto /usr/include/freetype2
	doins -r include/.
	insinto "${lib}/pkgconfig"
	newins - freetype2.pc <<-END
		Name: FreeType 2
		Description: ${DESCRIPTION}
		Version: 24.3.18
		Libs: -lfreetype
		Cflags: -I/usr/include/freetype2
	END
}
