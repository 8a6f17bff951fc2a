//! What emerge prints while it works, and the advice that is read off it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::output::advice;
use gbsup::portage::output::circular;
use gbsup::portage::output::scanner::Scanner;

fuzz_target!(|data: &[u8]| {
    let mut scanner = Scanner::new();
    for line in data.split(|&byte| byte == b'\n') {
        scanner.line(line);
    }
    let evidence = scanner.finish();
    for problem in &evidence.problems {
        let lines = &problem.lines;
        drop(advice::candidate(lines));
        drop(advice::use_changes(lines));
        drop(advice::unmet(lines).and_then(advice::meeting));
        drop(advice::contradicting(lines));
        drop((
            advice::required_by(lines),
            advice::requirers(lines),
            advice::in_brackets(lines),
            advice::owners(lines),
        ));
        circular::from_text(lines.iter().map(String::as_str)).solution(&[]);
    }
});
