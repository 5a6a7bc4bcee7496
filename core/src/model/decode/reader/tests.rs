use serde_json::json;

use super::*;

fn notes_of(value: &serde_json::Value, read: impl FnOnce(Field<'_>)) -> Vec<String> {
    let value = Value::from(value.clone());
    let reader = Reader::new(&value);
    read(reader.root());
    reader
        .into_notes()
        .into_iter()
        .map(|note| format!("{}: {}", note.path, note.message))
        .collect()
}

#[test]
fn a_wrong_value_is_named_by_its_exact_path() {
    let value = json!({"spec": {"listeners": [{"port": 80}, {"port": "eighty"}], "a b": 1}});
    let notes = notes_of(&value, |root| {
        for listener in root.get("spec").items("listeners") {
            listener.required_port("port");
        }
        root.get("spec").text("a b");
    });
    assert_eq!(
        notes,
        [
            r#"spec.listeners[1].port: expected a number, found "eighty""#,
            r#"spec["a b"]: expected text, found 1"#,
        ]
    );
}

#[test]
fn a_missing_field_is_noted_once_and_null_counts_as_missing() {
    let value = json!({"spec": {"name": null}});
    let notes = notes_of(&value, |root| {
        root.get("spec").required_text("name");
        root.get("spec").required_text("name");
        root.get("absent").required_text("name");
    });
    assert_eq!(notes, ["spec.name: is missing"]);
}

#[test]
fn an_implementations_own_value_is_not_reported_as_unknown() {
    let value = json!({"protocol": "example.com/quic", "mode": "Sideways"});
    let notes = notes_of(&value, |root| {
        root.choice("protocol", &["HTTP"]);
        root.choice("mode", &["Terminate", "Passthrough"]);
    });
    assert_eq!(
        notes,
        [
            r#"mode: "Sideways" is not among the values that this tool knows (Terminate, Passthrough)"#
        ]
    );
}

#[test]
fn notes_are_bounded() {
    let items: Vec<_> = (0..1000).map(|n| json!(n)).collect();
    let value = json!({ "items": items });
    let notes = notes_of(&value, |root| {
        root.texts("items");
    });
    assert_eq!(notes.len(), MAX_NOTES + 1);
    assert!(notes[MAX_NOTES].contains("the rest is not listed"));
}

#[test]
fn long_texts_and_long_lists_are_cut_and_said_to_be() {
    let value = json!({"text": "é".repeat(600_000), "list": vec![""; 100_000]});
    let notes = notes_of(&value, |root| {
        assert_eq!(root.text("text").map(|text| text.len()), Some(MAX_TEXT));
        assert_eq!(root.texts("list").len(), MAX_ITEMS);
    });
    assert_eq!(
        notes,
        [
            "text: is 1200000 bytes long; only the first 32768 are read",
            "list: has 100000 items; only the first 10000 are read",
        ]
    );
}
