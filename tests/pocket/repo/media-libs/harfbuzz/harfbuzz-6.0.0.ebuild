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

src_configure() {
	local feature=(glib gobject cairo icu tests docs benchmark introspection)
	meson setup build --prefix=/usr --libdir="$(get_libdir)" --buildtype=plain \
		$(printf -- '-D%s=disabled ' "${feature[@]}") \
		-Dfreetype=$(usex truetype enabled disabled) || die "meson setup failed"
}

src_compile() {
	ninja -C build || die "ninja failed"
}

src_install() {
	DESTDIR="${D}" ninja -C build install || die "ninja install failed"
}
