EAPI=8

inherit test-control

DESCRIPTION="Needs the egg, unless USE=-egg"
SLOT="0"
IUSE="+egg"

DEPEND="egg? ( test-fail/egg )"

src_install() {
	test_file
}
