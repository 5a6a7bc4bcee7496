//! What JSON weighs in memory, before it is decoded.

/// The memory that JSON takes once it is decoded, estimated while it passes: many tiny values take
/// seventy times their text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weight {
    /// Bytes.
    pub decoded: u64,
    in_text: bool,
    escaped: bool,
}

impl Weight {
    /// A `serde_json::Map` with one field: table, entries and the place in its parent.
    pub(super) const MAP: u64 = 512;
    /// A `Vec<Value>` with one item.
    pub(super) const LIST: u64 = 320;
    /// Another field or item; a vector that has just grown is half empty.
    pub(super) const ITEM: u64 = 160;

    /// Counts more of the text.
    pub fn add(&mut self, text: &[u8]) {
        for byte in text {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' => self.decoded += Self::MAP,
                b'[' => self.decoded += Self::LIST,
                b',' => self.decoded += Self::ITEM,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_counts_values_and_no_text() {
        let mut weight = Weight::default();
        let text = br#"{"a{[,\"{": ["x,y\\", 1]}"#;
        for byte in text {
            weight.add(&[*byte]);
        }
        assert_eq!(weight.decoded, Weight::MAP + Weight::LIST + Weight::ITEM);
    }
}
