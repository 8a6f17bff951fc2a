//! `gbsup webhook`: sends one request that stands on standard input. The supervisor starts it without
//! privileges, so that what listens elsewhere never talks to a process of root.

use std::io::{self, Read};
use std::time::Duration;

use http::Uri;
use ureq::{Agent, Error as Trouble};

use super::error::Error;
use crate::cli::Exit;
use crate::procs::Role;
use crate::render::message::Request;
use crate::requests::{self, sentence};
use crate::sys;

/// How often a request may be sent on to another place. A message is not: on its way it would lose its body.
const REDIRECTS: u32 = 5;

pub(super) fn run(timeout: Duration) -> Result<Exit, Error> {
    Role::Webhook.show();
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).map_err(|error| Error::Failed(error.to_string()))?;
    let request: Request = serde_json::from_str(&input)
        .map_err(|_| Error::Usage("expected a request as JSON on standard input".into()))?;
    // A host is looked up in a thread of its own, and whoever does that takes it for granted that there can be one.
    sys::threads(1).map_err(|error| Error::Failed(format!("no thread could be started: {error}")))?;
    send(&request, timeout).map_err(Error::Failed)?;
    Ok(Exit::Done)
}

/// Sends it. An error names no more of the URL than its host.
fn send(request: &Request, timeout: Duration) -> Result<(), String> {
    let redirects = if request.body.is_some() { 0 } else { REDIRECTS };
    let agent: Agent =
        requests::config(timeout).max_redirects(redirects).max_redirects_will_error(true).build().into();
    let answer = match &request.body {
        Some(body) => agent.post(&request.url).content_type("application/json").send(body),
        None => agent.get(&request.url).call(),
    };
    let uri: Uri = request.url.parse().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    match answer {
        Ok(answer) if answer.status().is_redirection() => Err(sentence(&Trouble::RedirectFailed, host)),
        Ok(_) => Ok(()),
        Err(trouble) => Err(sentence(&trouble, host)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that answers one request with this; returns where it listens, and what it was sent.
    fn server(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut got, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                got += &line;
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            got + &String::from_utf8(body).unwrap()
        });
        (url, served)
    }

    fn send_to(url: String, body: Option<&str>) -> Result<(), String> {
        send(&Request { url, body: body.map(str::to_owned) }, Duration::from_secs(20))
    }

    #[test]
    fn a_message_is_posted_and_a_heartbeat_is_got() {
        let (url, served) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(send_to(url, Some("{\"a\":1}")), Ok(()));
        let got = served.join().unwrap();
        assert!(got.starts_with("POST /secret HTTP/1.1\r\n") && got.ends_with("{\"a\":1}"), "{got}");
        assert!(got.to_ascii_lowercase().contains("content-type: application/json"), "{got}");
        let (url, served) = server("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(send_to(url, None), Ok(()));
        assert!(served.join().unwrap().starts_with("GET /secret HTTP/1.1\r\n"));
    }

    #[test]
    fn what_goes_wrong_is_said_without_the_secret() {
        for (answer, body, said) in [
            (
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                Some("{}"),
                "answered with HTTP status 403",
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: /secret2\r\nContent-Length: 0\r\n\r\n",
                Some("{}"),
                "sends it on to another place",
            ),
            ("nonsense\r\n\r\n", None, "did not answer in HTTP"),
        ] {
            let (url, served) = server(answer);
            let problem = send_to(url, body).unwrap_err();
            served.join().unwrap();
            assert!(problem.contains(said) && !problem.contains("secret"), "{problem}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let problem = send_to(format!("http://{nobody}/secret"), None).unwrap_err();
        assert_eq!(problem, "127.0.0.1 cannot be reached: Connection refused");
        let problem = send_to("http://no-such-host.invalid/secret".into(), None).unwrap_err();
        assert!(!problem.contains("secret"), "{problem}");
    }

    #[test]
    fn a_server_that_does_not_speak_tls_is_told_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/secret", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 this is no TLS\r\n\r\n").unwrap();
        });
        let problem = send_to(url, Some("{}")).unwrap_err();
        served.join().unwrap();
        assert!(problem.starts_with("no secure connection to 127.0.0.1: "), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}
