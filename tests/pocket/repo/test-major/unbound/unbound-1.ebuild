EAPI=8

inherit test-control

DESCRIPTION="A module that does not say that it is bound to Perl; waits while it is built"
SLOT="0"

DEPEND="dev-lang/perl"
RDEPEND="${DEPEND}"

src_compile() {
	test_wait unbound
}

src_install() {
	insinto /usr/lib/perl5/vendor_perl/$(test-perl)
	newins - Unbound.pm <<<"1;"
}
