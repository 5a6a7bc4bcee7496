//! Whole objects, in little memory.

use std::{cell::RefCell, fmt, ops::Deref, sync::OnceLock};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// An object as the API server or a file gave it. It is kept as JSON text, since a parsed pod takes
/// ten times the memory of its text and few are ever looked at; it is parsed when somebody looks.
pub struct Raw {
    text: Box<str>,
    value: OnceLock<Box<Value>>,
}

thread_local! {
    /// What the texts are written into, so that each takes one block of memory, and of its own size.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of the buffer that are kept for the next object.
const KEPT: usize = 64 << 10;

impl Raw {
    /// Keeps a value.
    pub fn of(value: &impl Serialize) -> Self {
        let text = WRITTEN.with_borrow_mut(|buffer| {
            buffer.clear();
            // A value has no keys but texts, and a vector takes everything: there is no error.
            let _ = serde_json::to_writer(&mut *buffer, value);
            // serde_json writes nothing but UTF-8.
            let text = std::str::from_utf8(buffer).unwrap_or_default().into();
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
            text
        });
        Self {
            text,
            value: OnceLock::new(),
        }
    }

    /// The length of its text in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

impl Deref for Raw {
    type Target = Value;

    fn deref(&self) -> &Value {
        // the text was written by serde_json: it is JSON, and not too deep to be read again
        self.value
            .get_or_init(|| serde_json::from_str(&self.text).unwrap_or_default())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
