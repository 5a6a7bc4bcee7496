//! Words that people look up: the types and reasons of conditions, what NGF writes into their messages, what other
//! programs say of certificates; each with the codes that are about it.

mod conditions;
mod messages;

use self::{
    conditions::{REASONS, TYPES},
    messages::MESSAGES,
};
use super::code::Code;

/// A word or a part of a message, and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The word, or the part of a message that tells it from others.
    pub words: &'static str,
    /// Where it stands.
    pub place: &'static str,
    /// What it means, in a sentence.
    pub means: &'static str,
    /// The codes that are about it, the likeliest first.
    pub codes: &'static [Code],
}

const fn entry(
    words: &'static str,
    place: &'static str,
    means: &'static str,
    codes: &'static [Code],
) -> Entry {
    Entry {
        words,
        place,
        means,
        codes,
    }
}

/// Bytes of a text that are compared.
const LONGEST: usize = 4 << 10;

/// What a text names: a type or a reason of conditions, alone or as `ResolvedRefs=False/InvalidKind`, or a message.
pub fn look_up(text: &str) -> Vec<&'static Entry> {
    let text: String = text.chars().take(LONGEST).collect();
    let named = conditions(&text);
    if !named.is_empty() {
        return named;
    }
    let text = text.to_lowercase();
    let is_in = |entry: &&Entry| text.contains(&entry.words.to_lowercase());
    MESSAGES.iter().find(is_in).into_iter().collect()
}

/// The types and reasons, where the text holds nothing else; a reason says more than the type beside it.
fn conditions(text: &str) -> Vec<&'static Entry> {
    const BESIDE: &[&str] = &[
        "true",
        "false",
        "unknown",
        "type",
        "reason",
        "status",
        "condition",
    ];
    let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '/' | ':' | ',' | '"' | '\'');
    let words = || text.split(is_end).filter(|word| !word.is_empty());
    let find = |all: &'static [Entry], word: &str| {
        all.iter()
            .find(|entry| entry.words.eq_ignore_ascii_case(word))
    };
    let is_beside = |word: &str| BESIDE.iter().any(|known| known.eq_ignore_ascii_case(word));
    let is_known = |word: &str| {
        is_beside(word) || find(REASONS, word).is_some() || find(TYPES, word).is_some()
    };
    if !words().all(is_known) {
        return Vec::new();
    }
    let of = |all| {
        words()
            .filter_map(|word| find(all, word))
            .collect::<Vec<_>>()
    };
    let mut found = of(REASONS);
    if found.is_empty() {
        found = of(TYPES);
    }
    found
}

/// The types and reasons nearest to a word, the nearest first.
pub fn nearest(word: &str) -> Vec<&'static str> {
    let wanted: String = word.trim().to_lowercase().chars().take(64).collect();
    let most = wanted.len() / 4;
    let mut near: Vec<(usize, &'static str)> = TYPES
        .iter()
        .chain(REASONS)
        .map(|entry| {
            let distance = strsim::damerau_levenshtein(&wanted, &entry.words.to_lowercase());
            (distance, entry.words)
        })
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&'static str> {
        look_up(text).iter().map(|entry| entry.words).collect()
    }

    #[test]
    fn a_condition_is_found_however_it_is_written() {
        for (text, expected) in [
            ("InvalidCACertificateRef", "InvalidCACertificateRef"),
            ("invalidcacertificateref", "InvalidCACertificateRef"),
            ("ResolvedRefs=False/InvalidKind", "InvalidKind"),
            ("ResolvedRefs False RefNotPermitted", "RefNotPermitted"),
            ("reason: NoValidCACertificate", "NoValidCACertificate"),
            ("Programmed", "Programmed"),
            ("Accepted=False", "Accepted"),
            ("Accepted False/Invalid", "Invalid"),
        ] {
            assert_eq!(words(text), [expected], "{text}");
        }
        for text in ["", "certificate", "what is Invalid", "False"] {
            assert_eq!(words(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_message_is_found_by_what_tells_it_from_others() {
        for (text, code) in [
            (
                "Backend ref to Service a/b not permitted by any ReferenceGrant",
                Code::G7,
            ),
            (
                "Spec.tls.backend.clientCertificateRef: Invalid value: {}: unsupported secret type \"Opaque\"",
                Code::G4,
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Code::L9,
            ),
            ("curl: (52) Empty reply from server", Code::L4),
        ] {
            let found = look_up(text);
            assert_eq!(found[0].codes[0], code, "{text}");
        }
    }

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        assert_eq!(
            nearest("InvalidCACertficateRefs"),
            [
                "InvalidCACertificateRef",
                "InvalidCertificateRef",
                "InvalidCACertificateKind"
            ]
        );
        assert_eq!(nearest("RefNotPermited"), ["RefNotPermitted"]);
        assert_eq!(nearest("zzzz"), [""; 0]);
    }

    #[test]
    fn no_word_stands_twice_and_none_is_hidden() {
        let all: Vec<&Entry> = TYPES.iter().chain(REASONS).chain(MESSAGES).collect();
        for (at, entry) in all.iter().enumerate() {
            assert!(!entry.codes.is_empty(), "{}", entry.words);
            let same = |other: &&&Entry| other.words.eq_ignore_ascii_case(entry.words);
            assert_eq!(all.iter().filter(same).count(), 1, "{} ({at})", entry.words);
            assert!(words(entry.words).contains(&entry.words), "{}", entry.words);
        }
    }
}
