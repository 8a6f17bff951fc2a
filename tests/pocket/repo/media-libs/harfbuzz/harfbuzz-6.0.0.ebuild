EAPI=8

ORIG="harfbuzz_${PV}+dfsg.orig.tar.xz"
inherit pocket

DESCRIPTION="A text shaping engine"
HOMEPAGE="https://harfbuzz.github.io/"
LICENSE="MIT"
SLOT="0/6"
IUSE="+truetype"

DEPEND="truetype? ( media-libs/freetype:= )"
RDEPEND="${DEPEND}"

# From the one file that upstream has for those who build it into something: all of the shaper, in a fifth of the time.
src_compile() {
	local freetype=()
	use truetype && freetype=( -DHAVE_FREETYPE=1 $(pkg-config --cflags --libs freetype2) )
	set -- c++ ${CXXFLAGS} -fPIC -shared -Wl,-soname,libharfbuzz.so.0 ${LDFLAGS} -o libharfbuzz.so.0 \
		src/harfbuzz.cc "${freetype[@]}" -lm
	echo "$@"
	"$@" || die "c++ failed"
}

src_install() {
	local lib=/usr/$(get_libdir)
	dolib.so libharfbuzz.so.0
	dosym libharfbuzz.so.0 "${lib}/libharfbuzz.so"
	insinto /usr/include/harfbuzz
	doins src/hb.h src/hb-{aat*,blob,buffer,common,deprecated,draw,face,font,ft,map,ot*,set,shape*,style,unicode,version}.h
	insinto "${lib}/pkgconfig"
	newins - harfbuzz.pc < <(sed -e "s|%prefix%|/usr|; s|%exec_prefix%|/usr|; s|%libdir%|${lib}|; s|%includedir%|/usr/include|" \
		-e "s|%VERSION%|${PV}|; s|%libs_private%||; s|%requires_private%|$(usex truetype freetype2 '')|" src/harfbuzz.pc.in)
}
