//! Packages and releases as somebody looks them up, and the same for programs as the OpenAPI document has it.

use std::fs;

use serde_json::{Value, json};

use crate::builder::{building, paused, tell_building, told, waiting};
use crate::server::{NEW, OLD, Server};

/// Writes a release with these packages: name, version, size.
fn publish(server: &Server, id: &str, packages: &[(&str, &str, u64)]) {
    let place = server.releases().join(id);
    fs::create_dir_all(&place).unwrap();
    let entries: Vec<Value> = packages
        .iter()
        .map(|(name, version, size)| {
            json!({ "cpv": format!("{name}-{version}"), "slot": "0", "build_id": 1, "path": format!("{name}/x-{version}-1.gpkg.tar"), "size": size,
                    "md5": "00", "sha1": format!("{name}-{version}"), "sha512": "00", "why": "its USE flags <changed>", "seconds": 60 })
        })
        .collect();
    let release = json!({ "schema": 1, "id": id, "published": "2026-11-22T14:30:00Z", "gbsup": "0.1.0", "cycle": 7, "revisions": {}, "packages": entries,
        "held": [{ "cpv": "app-misc/broken-1", "slot": "0", "why": { "is": "missing", "about": "dev-libs/none" }, "what": "needs dev-libs/none, which nothing offers" }], "index": [] });
    fs::write(place.join("release.json"), release.to_string()).unwrap();
    let mut index = format!("PACKAGES: {}\nTIMESTAMP: 1\n\n", packages.len());
    for (name, version, size) in packages {
        index += &format!(
            "BUILD_ID: 1\nBUILD_TIME: 1763800000\nCPV: {name}-{version}\nDESC: All about <{name}> & more\nIUSE: doc +nls test\nLICENSE: MIT\nRDEPEND: sys-libs/zlib:0=\n\
             BDEPEND: media-libs/libfoo\nSIZE: {size}\nSLOT: 0/1\nUSE: nls amd64\nrepository: gentoo\n\n"
        );
    }
    fs::write(place.join("Packages"), index).unwrap();
}

/// A builder with two releases and a history.
pub(crate) fn stocked() -> Server {
    stocked_beside("")
}

/// The same, which knows of these builders.
fn stocked_beside(peers: &str) -> Server {
    stocked_with(&[("GBSUP_HTTP_PEERS", peers)])
}

/// The same with these variables.
pub(crate) fn stocked_with(variables: &[(&str, &str)]) -> Server {
    let mut server = Server::of_builder(variables);
    publish(
        &server,
        OLD,
        &[("sys-libs/zlib", "1.3", 90_000), ("app-arch/zstd", "1.5.6", 700_000), ("app-misc/gone", "1", 5)],
    );
    publish(
        &server,
        NEW,
        &[
            ("sys-libs/zlib", "1.3.1-r1", 100_000),
            ("app-arch/zstd", "1.5.7-r1", 800_000),
            ("media-libs/libfoo", "2.1", 4 << 20),
            ("dev-lang/rust", "1.91.1", 300 << 20),
        ],
    );
    tell_building(&mut server);
    server
}

#[test]
fn packages_are_found_and_told_of() {
    let server = stocked();
    let list = server.get("/packages/");
    assert_eq!((list.status, list.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = list.text();
    for words in [
        "href=\"/packages/app-arch/zstd\"",
        "1.5.7-r1",
        "All about &lt;app-arch/zstd&gt; &amp; more",
        "href=\"/packages/llvm-core/llvm\"",
        "failed last",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    for (query, found, not) in [
        ("?q=zst", "app-arch/zstd", "sys-libs/zlib\""),
        ("?q=ABOUT+zlib", "sys-libs/zlib", "app-arch/zstd\""),
        ("?q=about%20zlib", "sys-libs/zlib", "app-arch/zstd\""),
        ("?q=%3Cscript%3E", "No package has these words.", "<script>\""),
        ("?q=&from=1000000", "packages", "sys-libs/zlib\""),
        ("?q=%ff%fe", "No package", "\u{0}"),
    ] {
        let answer = server.get(&format!("/packages/{query}"));
        let text = answer.text();
        assert!(answer.status == 200 && text.contains(found), "{query}: {text}");
        assert!(
            !text.contains(&format!("href=\"/packages/{not}")) && text.matches("<script").count() == 1,
            "{query}: {text}"
        );
    }
    let one = server.get("/packages/media-libs/libfoo").text();
    for words in [
        "emerge --ask --getbinpkg media-libs/libfoo",
        "href=\"/releases/2026-11-22.1/\"",
        "needed to build 3",
        "href=\"/packages/app-arch/zstd\"",
        "its USE flags &lt;changed&gt;",
        "class=\"dim\">-doc ",
        "foo.c:12: fatal error",
        "svg class=\"chart\"",
        "href=\"/cycles/118\"",
    ] {
        assert!(one.contains(words), "{words} in {one}");
    }
    // Of one that is not offered any more, where it was last.
    let gone = server.get("/packages/app-misc/gone").text();
    assert!(gone.contains("not on offer") && gone.contains(OLD) && !gone.contains("emerge --ask"), "{gone}");
    for path in [
        "/packages/app-misc/none",
        "/packages/app-misc/hello-1",
        "/packages/a/b/c",
        "/packages/../x",
        "/packages/app-misc/",
        "/packages/%3C/x",
        "/packages/app-misc/x%2f",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn two_releases_are_compared() {
    let server = stocked();
    let page = server.get(&format!("/releases/{OLD}...{NEW}/"));
    let text = page.text();
    for words in [
        "Added 2",
        "Upgraded 2",
        "Removed 1",
        "1.5.6 → ",
        "href=\"/packages/app-misc/gone\"",
        "to download",
        "needs dev-libs/none",
        "+97.7 KiB",
    ] {
        assert!(page.status == 200 && text.contains(words), "{words} in {text}");
    }
    let turned = server.get(&format!("/releases/{NEW}...{OLD}/")).text();
    assert!(turned.contains("Downgraded 2") && turned.contains("Removed 2"), "{turned}");
    assert_eq!(
        server.get(&format!("/releases/{OLD}...{NEW}")).header("location"),
        Some(format!("/releases/{OLD}...{NEW}/").as_str())
    );
    for pair in ["2026-11-22.1...2026-11-22.9", "2026-11-22.1...x", "...", "2026-11-22.1..."] {
        assert_eq!(server.get(&format!("/releases/{pair}/")).status, 404, "{pair}");
    }
    // What people say of them.
    let labels =
        format!(r#"{{"labels":{{"{OLD}":{{"tags":["good"],"note":"before <the> driver","keep":true}}}}}}"#);
    fs::write(server.releases().join("labels.json"), labels).unwrap();
    let list = server.get("/releases/").text();
    for words in ["<code>good</code>", "before &lt;the&gt; driver", "kept"] {
        assert!(list.contains(words), "{words} in {list}");
    }
    let release = server.get(&format!("/releases/{NEW}/")).text();
    assert!(release.contains(&format!("href=\"../{OLD}...{NEW}/\"")), "{release}");
}

/// Whether a value is what a schema says; why not.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.strip_prefix('#').unwrap()).ok_or_else(|| format!("no {name}"))?;
        return check(document, schema, value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let tried: Vec<_> = choices.iter().map(|choice| check(document, choice, value, at)).collect();
        return if tried.iter().any(Result::is_ok) { Ok(()) } else { tried.into_iter().next().unwrap() };
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        kind => panic!("{at}: what is {kind}?"),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        return Err(format!("{at} is {value}, not {kinds:?}"));
    }
    if schema["const"] != Value::Null && schema["const"] != *value {
        return Err(format!("{at} is {value}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at} is {value}, not one of {words:?}"));
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_err())
    {
        return Err(format!("{at} is {value}, and no time"));
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(key.as_str().unwrap()) {
                return Err(format!("{at} has no {key}"));
            }
        }
        for (key, value) in object {
            match schema["properties"].get(key) {
                Some(schema) => check(document, schema, value, &format!("{at}.{key}"))?,
                None if schema["additionalProperties"] == false => {
                    return Err(format!("{at}.{key} is in no document"));
                }
                None => {}
            }
        }
    }
    if let (Some(list), Some(items)) = (value.as_array(), schema.get("items")) {
        for (n, value) in list.iter().enumerate() {
            check(document, items, value, &format!("{at}[{n}]"))?;
        }
    }
    Ok(())
}

#[test]
fn the_document_holds_for_the_answers() {
    let mut other = Server::of_builder(&[]);
    tell_building(&mut other);
    // Nobody listens at the discard port.
    let mut server = stocked_beside(&format!("http://{} http://127.0.0.1:9", other.address));
    let labels = format!(r#"{{"labels":{{"{OLD}":{{"tags":["good"],"note":"fine","keep":true}}}}}}"#);
    fs::write(server.releases().join("labels.json"), labels).unwrap();
    let document: Value = serde_json::from_slice(&server.get("/api/v1/openapi.json").body).unwrap();
    let pair = format!("/api/v1/releases/{OLD}...{NEW}");
    let one = format!("/api/v1/releases/{NEW}");
    let asked = [
        ("/api/v1/status", "/api/v1/status"),
        ("/api/v1/clients", "/api/v1/clients"),
        ("/api/v1/farm", "/api/v1/farm"),
        ("/api/v1/cycles", "/api/v1/cycles?limit=3"),
        ("/api/v1/cycles/{number}", "/api/v1/cycles/118"),
        ("/api/v1/packages", "/api/v1/packages?q=li"),
        ("/api/v1/packages/{category}/{name}", "/api/v1/packages/media-libs/libfoo"),
        ("/api/v1/releases", "/api/v1/releases"),
        ("/api/v1/releases/{release}", &one),
        ("/api/v1/releases/{from}...{to}", &pair),
        ("/api/v1/openapi.json", "/api/v1/openapi.json"),
    ];
    // What else is described is no JSON.
    let described: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in &described {
        let other = ["/api/v1/events", "/metrics", "/healthz"].contains(&path.as_str());
        assert!(other || asked.iter().any(|(template, _)| template == path), "{path} is not asked for");
    }
    for status in [building(12), paused(), waiting()] {
        server.tell(&told(&status));
        server.until(&status.headline[..30]);
        for (template, path) in asked {
            let answer = server.get(path);
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("application/json")),
                "{path}: {}",
                answer.text()
            );
            let schema = &document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]
                ["schema"];
            assert!(schema.is_object(), "{template} is not described");
            let value: Value = serde_json::from_slice(&answer.body).unwrap();
            if let Err(why) = check(&document, schema, &value, template) {
                panic!("{why}\n{}", answer.text());
            }
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{path} has nothing to look at");
            let tag = answer.header("etag").unwrap();
            // The status has the moment in it, and others may be asked anew.
            let again = server.ask("GET", path, &[("If-None-Match", tag)]).status;
            assert!(again == 304 || ["/api/v1/status", "/api/v1/farm"].contains(&path), "{path}: {again}");
        }
    }
    // What the document does not have is noticed.
    let schema = json!({ "type": "object", "additionalProperties": false, "required": ["a"], "properties": { "a": { "type": ["integer", "null"] } } });
    for (value, fits) in [
        (json!({ "a": 1 }), true),
        (json!({ "a": null }), true),
        (json!({}), false),
        (json!({ "a": "1" }), false),
        (json!({ "a": 1, "b": 2 }), false),
    ] {
        assert_eq!(check(&document, &schema, &value, "x").is_ok(), fits, "{value}");
    }
    for limit in ["501", "-1", "x", ""] {
        assert_eq!(server.get(&format!("/api/v1/cycles?limit={limit}")).status, 400, "{limit}");
    }
    for path in [
        "/api/v1/cycles/7777",
        "/api/v1/packages/a/b",
        "/api/v1/packages/a",
        "/api/v1/releases/2026-01-01.1",
        "/api/v1/releases/x",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}
