EAPI=8

inherit test-control

DESCRIPTION="A module that is bound to the sub-slot of Perl; waits while it is built"
SLOT="0"

DEPEND="dev-lang/perl:= virtual/perl-Test"
RDEPEND="${DEPEND}"

src_compile() {
	test_wait bound
}

src_install() {
	insinto /usr/lib/perl5/vendor_perl/$(test-perl)
	newins - Bound.pm <<<"1;"
}
