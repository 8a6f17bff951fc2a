//! The binary.
fn main() {
    println!("gbsup {}", gbsup::VERSION);
}
