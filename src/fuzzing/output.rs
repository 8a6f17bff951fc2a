//! What emerge prints while it works, and the advice that is read off it.
use crate::portage::output::advice;
use crate::portage::output::circular;
use crate::portage::output::scanner::Scanner;

/// Reads it.
pub fn run(data: &[u8]) {
    let mut scanner = Scanner::new();
    for line in data.split(|&byte| byte == b'\n') {
        scanner.line(line);
    }
    let evidence = scanner.finish();
    for problem in &evidence.problems {
        let lines = &problem.lines;
        let _ = advice::candidate(lines);
        let _ = advice::use_changes(lines);
        let _ = advice::unmet(lines).and_then(advice::meeting);
        let _ = advice::contradicting(lines);
        drop((
            advice::required_by(lines),
            advice::requirers(lines),
            advice::in_brackets(lines),
            advice::owners(lines),
        ));
        let _ = circular::from_text(lines.iter().map(String::as_str)).solution(&[]);
    }
}
