//! A log in a real browser: it follows, stops when somebody scrolls, brings what was before, and leads to the error.

use crate::browser::Browser;
use crate::logs::{FIREFOX, failing, serving, write};

/// The page is scrolled to its end.
const AT_END: &str = "innerHeight + scrollY >= document.documentElement.scrollHeight - 60";

#[test]
fn a_log_is_followed_until_somebody_reads() {
    let server = serving();
    write(&server, &failing()[..300_000]);
    let url = format!("http://{}/logs/{FIREFOX}", server.address);
    let mut browser = Browser::open();
    browser.look("light", 1400);
    browser.visit(&url);
    let until = |browser: &mut Browser, condition: &str| {
        let wait = format!(
            "new Promise(done => {{ const look = () => {condition} ? done(true) : setTimeout(look, 20); look(); \
             setTimeout(() => done(false), 30000); }})"
        );
        assert_eq!(browser.eval(&wait), true, "{condition}");
    };
    until(&mut browser, "document.querySelector('.follow')?.textContent === 'following'");
    write(&server, "\nwhat came later\n");
    until(
        &mut browser,
        &format!("document.getElementById('log').textContent.includes('what came later') && {AT_END}"),
    );
    // Whoever scrolls up stays there, and what comes is there all the same.
    browser.eval("scrollBy(0, -900)");
    until(&mut browser, "document.querySelector('.follow').textContent === 'follow'");
    let place = browser.eval("scrollY");
    write(&server, "and what came then\n");
    until(&mut browser, "document.getElementById('log').textContent.includes('and what came then')");
    assert_eq!(browser.eval("scrollY"), place);
    browser.shoot("log-live-light-1400");
    browser.eval("document.querySelector('.follow').click()");
    until(&mut browser, AT_END);
    // At its top comes what was before, up to the beginning.
    browser.eval("scrollTo(0, 0)");
    until(&mut browser, "(scrollTo(0, 0), document.getElementById('log').textContent.includes('[0/6000]'))");
    until(&mut browser, "document.getElementById('earlier') === null");
    // Nothing came twice and nothing is missing.
    let whole = "fetch('?raw').then(answer => answer.text()).then(text => { const bare = text => text.replace(/\\u001b\\[[0-9;]*m/g, '').trim(); \
                 return bare(document.getElementById('log').textContent) === bare(text); })";
    assert_eq!(browser.eval(whole), true);
    write(&server, &failing()[300_000..]);
    for (scheme, width) in [("light", 1400), ("dark", 1400), ("dark", 400), ("light", 320)] {
        browser.look(scheme, width);
        browser.visit("about:blank");
        browser.visit(&format!("{url}?error#error"));
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
            0,
            "{width}"
        );
        let seen = "(() => { const at = document.querySelector('.here').getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; })()";
        until(&mut browser, seen);
        browser.shoot(&format!("log-error-{scheme}-{width}"));
    }
}
