EAPI=8

inherit test-control

DESCRIPTION="A program that links to Perl's library and does not say so"
SLOT="0"

DEPEND="dev-lang/perl"
RDEPEND="${DEPEND}"

src_compile() {
	printf 'void perl_run(void);\nint main(void) { perl_run(); }\n' >main.c || die
	gcc -o embeds main.c -lperl || die
}

src_install() {
	dobin embeds
}
