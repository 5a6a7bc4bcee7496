//! Objects as an API server that does not validate could give them: one of every kind that the tool reads, in which the
//! input removes, doubles or replaces fields by values of another type, of another size, or with hostile text.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ngf_core::manifests::parse;
use ngf_fuzz::core::assert_diagnosis;
use serde_json::{Value, json};

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let text = include_str!("../../tests/fixtures/every-kind.yaml");
    serde_saphyr::from_multiple(text).expect("the fixture is YAML")
});

/// Fields that are changed at most.
const MOST: usize = 16;
/// Bytes of all objects at most: what is doubled again and again grows without end.
const MOST_BYTES: usize = 1 << 20;

/// The numbers that the input is made of; zeros after its end.
struct Choices<'i>(std::slice::Iter<'i, u8>);

impl Choices<'_> {
    /// A number below `count`, which is not 0.
    fn below(&mut self, count: usize) -> usize {
        let (high, low) = (self.byte(), self.byte());
        (usize::from(high) << 8 | usize::from(low)) % count
    }

    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.0.len() == 0
    }
}

/// What a field may be instead.
fn hostile(choices: &mut Choices, was: &Value) -> Value {
    match choices.below(16) {
        0 => Value::Null,
        1 => json!(false),
        2 => json!(-1),
        3 => json!(1e300),
        4 => json!(u64::MAX),
        5 => json!(""),
        6 => json!("\u{1b}[2J\u{202e}\r\n\0"),
        7 => json!("n".repeat(300)),
        8 => json!([]),
        9 => json!({}),
        10 => json!([was, was]),
        11 => json!({"name": was, "namespace": was, "value": was}),
        12 => json!(was.to_string()),
        13 => json!("9999-12-31T23:59:59Z"),
        14 => json!("*.example.com:99999/-"),
        _ => json!([Value::Null, {"": ""}, [[]]]),
    }
}

/// Changes one field, at any depth.
fn change(choices: &mut Choices, value: &mut Value) {
    let stops = choices.below(6) == 0;
    match value {
        Value::Object(fields) if !stops && !fields.is_empty() => {
            let at = choices.below(fields.len());
            let key = fields.keys().nth(at).cloned().unwrap_or_default();
            if choices.below(12) == 0 {
                fields.remove(&key);
            } else if let Some(field) = fields.get_mut(&key) {
                change(choices, field);
            }
        }
        Value::Array(items) if !stops && !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.below(12) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(choices, &mut items[at]),
            }
        }
        _ => *value = hostile(choices, value),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices(input.iter());
    let mut objects = OBJECTS.clone();
    for _ in 0..MOST {
        if choices.is_over() {
            break;
        }
        let at = choices.below(objects.len());
        change(&mut choices, &mut objects[at]);
    }
    let text: String = objects
        .iter()
        .map(|object| format!("---\n{object}\n"))
        .collect();
    if text.len() > MOST_BYTES {
        return;
    }
    let now = Timestamp::from_second(1_780_000_000).expect("a moment");
    assert_diagnosis(&parse(&text, "default"), now);
});
