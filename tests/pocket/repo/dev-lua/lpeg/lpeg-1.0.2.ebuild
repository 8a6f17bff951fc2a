EAPI=8

ORIG="lua-lpeg_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Parsing expression grammars for Lua"
HOMEPAGE="https://www.inf.puc-rio.br/~roberto/lpeg/"
LICENSE="MIT"
SLOT="0"

DEPEND="dev-lang/lua:="
RDEPEND="${DEPEND}"

src_compile() {
	emake linux CC=gcc LUADIR="${ESYSROOT}/usr/include" COPT="${CFLAGS}"
}

src_test() {
	lua test.lua || die "test.lua failed"
}

src_install() {
	exeinto "/usr/$(get_libdir)/lua/5.4"
	doexe lpeg.so
	insinto /usr/share/lua/5.4
	doins re.lua
}
