EAPI=8

inherit test-control

DESCRIPTION="Writes as many MB to its log as /run/test/megabytes says (5)"
SLOT="0"

src_compile() {
	local count
	count=$(test_number megabytes 5)
	yes "this line is sixty-four bytes long, so that it is easy to count" | head -c "${count}M"
	echo "the last line of ${count} MB"
}

src_install() {
	test_file
}
