//! JSON that has to fit: whoever takes a message over the network takes no more than so much.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Cuts the longest lists in half until the object is no longer than so many bytes; its key `cut` then says of each, by the
/// names that lead to it, how many elements it had. What is long and no list stays.
pub(super) fn fit(mut object: Value, longest: usize) -> Value {
    let mut cut: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let mut largest = None;
        if size(&object, "", &mut largest) <= longest {
            return object;
        }
        let Some((_, path)) = largest else { return object };
        let Some(Value::Array(list)) = object.pointer_mut(&path) else { return object };
        cut.entry(path.trim_start_matches('/').replace('/', ".")).or_insert(list.len());
        list.truncate(list.len() / 2);
        object["cut"] = json!(cut);
    }
}

/// Bytes of a value as JSON, or a few more; and which list of all is the largest, that with its bytes.
fn size(value: &Value, path: &str, largest: &mut Option<(usize, String)>) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.to_string().len() + 1,
        Value::String(text) => json!(text).to_string().len() + 1,
        Value::Object(fields) => {
            let size = |(name, value): (&String, &Value)| {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                name.len() + 4 + size(value, &path, largest)
            };
            2 + fields.iter().map(size).sum::<usize>()
        }
        Value::Array(list) => {
            let elements = list.iter().enumerate();
            let bytes =
                2 + elements.map(|(at, value)| size(value, &format!("{path}/{at}"), largest)).sum::<usize>();
            if !list.is_empty() && largest.as_ref().is_none_or(|(most, _)| bytes > *most) {
                *largest = Some((bytes, path.to_owned()));
            }
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_lists_are_cut_until_it_fits() {
        let failures: Vec<Value> = (0..700)
            .map(|n| json!({ "package": format!("a/b-{n}"), "evidence": vec!["x".repeat(90); 40] }))
            .collect();
        let whole =
            json!({ "schema": 1, "status": { "pause": { "failures": failures }, "warnings": ["w"] } });
        assert_eq!(fit(whole.clone(), 10 << 20), whole, "what fits stays as it is");
        for longest in [256 << 10, 10 << 10] {
            let fitted = fit(whole.clone(), longest);
            assert!(fitted.to_string().len() <= longest && fitted.to_string().len() * 3 > longest);
            assert_eq!(fitted["cut"], json!({ "status.pause.failures": 700 }));
            let left = fitted["status"]["pause"]["failures"].as_array().unwrap();
            assert_eq!(left[..], failures[..left.len()], "those that are left are whole");
            assert_eq!(fitted["status"]["warnings"], json!(["w"]));
        }
        // Down to nothing, and no further.
        let long = json!({ "text": "x".repeat(999), "lists": [["a"], []] });
        assert_eq!(fit(long, 10)["cut"], json!({ "lists": 2 }));
    }
}
