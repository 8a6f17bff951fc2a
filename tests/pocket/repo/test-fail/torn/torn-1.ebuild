EAPI=8

inherit test-control

DESCRIPTION="Wants exactly one of two flags, and both are off"
SLOT="0"
IUSE="left right"
REQUIRED_USE="^^ ( left right )"

src_install() {
	test_file
}
