//! The codes of the catalogue.

use std::{
    borrow::{Borrow, Cow},
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use ngf_text::words::list;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::list::for_every_rule;

macro_rules! codes {
    ($($code:ident in $($module:ident)::+;)*) => {
        /// The stable code of a rule: `NGF-`, the letter of its family and a number. Codes are ordered by their text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(
                #[doc = concat!("`NGF-", stringify!($code), "`.")]
                $code,
            )*
        }

        impl Code {
            /// Every code, in the order in which the rules are asked.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code as it is written: `NGF-T1`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => concat!("NGF-", stringify!($code)),)*
                }
            }
        }
    };
}

for_every_rule!(codes);

impl Code {
    /// The code without `NGF-`: `T1`.
    pub fn bare(self) -> &'static str {
        self.as_str().trim_start_matches("NGF-")
    }

    /// The letter of its family.
    pub fn family(self) -> char {
        self.bare().chars().next().unwrap_or_default()
    }

    /// Whether it is about what one side of a handshake makes of the other: families T and B.
    pub fn is_of_handshake(self) -> bool {
        matches!(self.family(), 'T' | 'B')
    }

    /// The codes nearest to what somebody wrote, the nearest first.
    pub fn nearest(written: &str) -> Vec<Self> {
        let written = written.trim().to_ascii_uppercase();
        let bare = written.trim_start_matches("NGF-").trim_start_matches("NGF");
        if bare.len() > LONGEST {
            return Vec::new();
        }
        let mut near: Vec<(usize, Self)> = Self::ALL
            .iter()
            .map(|code| (strsim::levenshtein(bare, code.bare()), *code))
            .filter(|(distance, _)| *distance <= 1)
            .collect();
        near.sort_by_key(|(distance, code)| (*distance, !bare.starts_with(code.family())));
        near.into_iter().take(3).map(|(_, code)| code).collect()
    }
}

/// Bytes of a text that may be a code with a slip.
const LONGEST: usize = 16;

/// Bytes of a text that an error repeats.
const SHOWN: usize = 40;

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown code \"{written}\"{}", did_you_mean(near))]
pub struct UnknownCode {
    /// The text, without control characters and bounded.
    pub written: String,
    /// The codes nearest to it.
    pub near: Vec<Code>,
}

fn did_you_mean(near: &[Code]) -> String {
    match near {
        [] => String::new(),
        [one] => format!(": did you mean {one}?"),
        several => format!(": did you mean one of {}?", list(several, 3)),
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads a code with or without `NGF-`, in upper or lower case.
    fn from_str(written: &str) -> Result<Self, UnknownCode> {
        let wanted = written.trim().to_ascii_uppercase();
        let bare = wanted.trim_start_matches("NGF-");
        let known = Self::ALL.iter().find(|code| code.bare() == bare);
        known.copied().ok_or_else(|| UnknownCode {
            written: ngf_text::sanitize::line(written, SHOWN),
            near: Self::nearest(written),
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// As of the text, which a code can be looked up by.
impl Hash for Code {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Code {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.as_str()
    }
}

impl From<Code> for Cow<'static, str> {
    fn from(code: Code) -> Self {
        code.as_str().into()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.as_str().to_owned()
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Code> for &str {
    fn eq(&self, other: &Code) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<String> for Code {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Cow::<'de, str>::deserialize(deserializer)?;
        written.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(code.bare().to_lowercase().parse(), Ok(*code));
            assert_eq!(format!("{code:<9}|"), format!("{:<9}|", code.as_str()));
            let json = serde_json::to_string(code).expect("JSON");
            assert_eq!(json, format!("\"{}\"", code.as_str()));
            let read: Code = serde_json::from_str(&json).expect("a code");
            assert_eq!(read, *code);
        }
        assert_eq!(
            serde_json::from_value::<Code>("g1".into()).ok(),
            Some(Code::G1)
        );
    }

    #[test]
    fn codes_are_ordered_by_their_text() {
        let sorted: BTreeSet<Code> = Code::ALL.iter().copied().collect();
        let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), texts);
    }

    #[test]
    fn a_misspelt_code_names_the_nearest() {
        for (written, expected) in [
            ("T99", "unknown code \"T99\": did you mean NGF-T9?"),
            (
                "ngf-g33",
                "unknown code \"ngf-g33\": did you mean one of NGF-G3 and NGF-G13?",
            ),
            (
                "z1",
                "unknown code \"z1\": did you mean one of NGF-A1, NGF-C1 and NGF-G1?",
            ),
            ("what is this", "unknown code \"what is this\""),
            ("a\u{1b}[31mb", "unknown code \"a[31mb\""),
            ("", "unknown code \"\""),
        ] {
            let error = written.parse::<Code>().expect_err("no code");
            assert_eq!(error.to_string(), expected, "{written}");
        }
    }
}
