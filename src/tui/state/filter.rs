//! What a person filters by: words, regular expressions, letters in their order, and labels.
//!
//! A word is a text or a regular expression by its characters: a host name, an address and `[::1]:443` are texts,
//! since a dot alone and the brackets of an address make no expression. An expression also finds what has the
//! word itself. What cannot be read as an expression is searched as text; where nothing has that text, what is
//! before the fault filters, so that rows stay while a person types.

use std::{collections::BTreeMap, ops::Range};

use ngf_core::{
    model::{object::ObjectRef, snapshot::Snapshot},
    selector::Selector,
};
use ngf_ui::Mark;

use super::word::{Broken, Reading, Word};

/// Words of one selector, at most: `-l app in (shop, cart)`.
const LONGEST_SELECTOR: usize = 12;

/// A filter: all of its words must occur, those after `!` must not; `-l app=shop` wants labels, as kubectl takes
/// them, and after `-f` letters in their order are enough.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    wanted: Vec<Word>,
    unwanted: Vec<Word>,
    selectors: Vec<Selector>,
    invalid: Option<String>,
}

/// A selector that begins a list of words, and how many of them it has: as many as make sense together.
fn selector(words: &[&str]) -> Result<(Selector, usize), String> {
    let mut wrong = None;
    for count in (1..=words.len().min(LONGEST_SELECTOR)).rev() {
        match words[..count].join(" ").parse() {
            Ok(selector) => return Ok((selector, count)),
            Err(why) => wrong = Some(why),
        }
    }
    Err(wrong.unwrap_or_default())
}

impl Filter {
    /// Reads a filter.
    pub fn of(text: &str) -> Self {
        let mut filter = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let mut is_fuzzy = false;
        let mut rest: Vec<&str> = text.split_whitespace().collect();
        while let Some(word) = rest.first().copied() {
            let joined = word
                .strip_prefix("-l")
                .or_else(|| word.strip_prefix("--selector="))
                .filter(|joined| joined.contains('='));
            if matches!(word, "-l" | "--selector") || joined.is_some() {
                match joined {
                    Some(joined) => rest[0] = joined,
                    None => drop(rest.remove(0)),
                }
                if rest.is_empty() {
                    // It is still being typed.
                    break;
                }
                let count = match selector(&rest) {
                    Ok((selector, count)) => {
                        filter.selectors.push(selector);
                        count
                    }
                    Err(why) => {
                        filter.invalid = Some(why);
                        1
                    }
                };
                rest.drain(..count);
                continue;
            }
            rest.remove(0);
            match word.strip_prefix('!') {
                _ if word == "-f" => is_fuzzy = true,
                Some(word) => filter.unwanted.extend(Word::of(word, Reading::Cells)),
                None if is_fuzzy => filter.wanted.push(Word::Letters(word.to_owned())),
                None => filter.wanted.extend(Word::of(word, Reading::Cells)),
            }
        }
        filter
    }

    /// Reads what is searched for on the screen: one text or expression, with its blanks.
    pub fn search(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            wanted: Word::of(text, Reading::Screen).into_iter().collect(),
            ..Self::default()
        }
    }

    /// Decides of the words that are no expressions whether they are searched as text: where something has that
    /// text.
    pub fn settle<'t>(&mut self, texts: impl Fn() -> Box<dyn Iterator<Item = String> + 't>) {
        for word in self.wanted.iter_mut().chain(&mut self.unwanted) {
            if let Word::Broken(broken) = word {
                broken.is_text = texts().any(|text| broken.text.is_match(&text));
            }
        }
    }

    /// What a person typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether nothing but texts is wanted, such that letters in their order are worth a try.
    pub fn wants_texts(&self) -> bool {
        !self.wanted.is_empty() && self.wanted.iter().all(|word| matches!(word, Word::Text(_)))
    }

    /// The same filter where letters in their order are enough.
    #[must_use]
    pub fn by_letters(&self) -> Self {
        let words = self.text.split_whitespace();
        let has_flag = words.clone().any(|word| word == "-f");
        let text = if has_flag {
            self.text.clone()
        } else {
            format!("-f {}", self.text)
        };
        Self::of(&text)
    }

    /// What is said of it in one line: how a word is read that is more than a text, or why a part cannot be read.
    pub fn note(&self) -> Option<(Mark, String)> {
        if let Some(why) = &self.invalid {
            return Some((Mark::Warning, why.clone()));
        }
        let words = || self.wanted.iter().chain(&self.unwanted);
        let broken = words().find_map(|word| match word {
            Word::Broken(broken) => Some(broken),
            _ => None,
        });
        if let Some(broken) = broken {
            return Some(if broken.is_text {
                (Mark::Info, format!("{} is searched as text", broken.word))
            } else {
                let why = format!("invalid regular expression: {}", broken.why);
                (Mark::Warning, why)
            });
        }
        if words().any(|word| matches!(word, Word::Expression(..))) {
            return Some((Mark::Info, "regular expression".to_owned()));
        }
        words()
            .any(|word| matches!(word, Word::Letters(_)))
            .then(|| (Mark::Info, "letters in this order".to_owned()))
    }

    /// Where its words stand in a text, in bytes.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let words = self.wanted.iter();
        words.flat_map(|word| word.places(text)).collect()
    }

    /// Whether a text has a word that is not wanted.
    pub fn is_unwanted(&self, text: &str) -> bool {
        // What cannot be read yet, and is nothing without its fault, leaves everything.
        let is_in = |word: &Word| match word {
            Word::Broken(Broken {
                is_text: false,
                before: None,
                ..
            }) => false,
            word => word.is_in(text),
        };
        self.unwanted.iter().any(is_in)
    }

    /// Whether it wants labels.
    pub fn wants_labels(&self) -> bool {
        !self.selectors.is_empty() || self.invalid.is_some()
    }

    /// Whether one of these objects has the labels that it wants. What cannot be read is met by nothing.
    pub fn meets_labels<'o>(
        &self,
        snapshot: &Snapshot,
        objects: impl IntoIterator<Item = &'o ObjectRef>,
    ) -> bool {
        if !self.wants_labels() {
            return true;
        }
        let labels = objects
            .into_iter()
            .filter_map(|object| snapshot.labels(object));
        let has_all = |labels: &BTreeMap<String, String>| {
            let mut selectors = self.selectors.iter();
            selectors.all(|selector| selector.matches(labels))
        };
        self.invalid.is_none() && labels.into_iter().any(has_all)
    }

    /// Whether a text meets the filter.
    pub fn meets(&self, text: &str) -> bool {
        self.wanted.iter().all(|word| word.is_in(text)) && !self.is_unwanted(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ngf_core::model::kind::Kind;

    /// The texts that a filter leaves.
    fn left<'t>(filter: &str, texts: &[&'t str]) -> Vec<&'t str> {
        let mut filter = Filter::of(filter);
        let all: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        filter.settle(|| Box::new(all.clone().into_iter()));
        texts
            .iter()
            .copied()
            .filter(|text| filter.meets(text))
            .collect()
    }

    #[test]
    fn an_expression_finds_what_it_describes_and_its_inverse_the_rest() {
        let texts = ["payments-01 api", "payments-12 web", "shop api"];
        for (filter, expected) in [
            ("^pay", &texts[..2]),
            ("PAY.*1$", &[]),
            (r"payments-\d2", &texts[1..2]),
            ("pay|shop", &texts[..]),
            ("(pay|shop).*api$", &["payments-01 api", "shop api"]),
            ("!^pay", &texts[2..]),
            ("!pay.*web|shop", &texts[..1]),
            ("api !^shop", &texts[..1]),
            ("pay[^x]ents", &texts[..2]),
        ] {
            assert_eq!(left(filter, &texts), expected, "{filter}");
        }
    }

    #[test]
    fn names_and_addresses_are_texts_and_not_expressions() {
        let texts = [
            "secure-app.example.com",
            "secure-appXexample.com",
            "[::1]:443",
            "10.0.0.1:443",
            "[2001:db8::7]:8443",
            "*.example.org",
            "GET /?ngf-tui=probe",
            "code (21:unable to verify",
        ];
        for (filter, expected) in [
            ("secure-app.example.com", &texts[..1]),
            ("[::1]:443", &texts[2..3]),
            ("https://[::1]:443", &[]),
            ("[2001:db8::7]", &texts[4..5]),
            ("10.0.0.1", &texts[3..4]),
            ("*.example.org", &texts[5..6]),
            ("/?ngf-tui", &texts[6..7]),
            ("(21:unable", &texts[7..8]),
            ("!*.example.org secure", &texts[..2]),
        ] {
            assert_eq!(left(filter, &texts), expected, "{filter}");
        }
        assert!(Filter::of("secure-app.example.com").note().is_none());
        assert!(Filter::of("[::1]:443").note().is_none());
    }

    #[test]
    fn rows_stay_while_an_expression_is_typed_and_one_line_says_why() {
        let texts = ["payments", "shop", "cart"];
        for (filter, expected) in [
            ("pay(", &texts[..1]),
            ("pay(sh", &texts[..1]),
            ("pay(ments|sh", &texts[..1]),
            ("[", &texts[..]),
            ("[a-", &texts[..]),
            ("*", &texts[..]),
            (r"shop\", &texts[1..2]),
            ("!pay(", &texts[1..]),
            ("![", &texts[..]),
            ("s{2,1}", &texts[..2]),
        ] {
            assert_eq!(left(filter, &texts), expected, "{filter}");
            let (mark, words) = Filter::of(filter).note().expect("something to say");
            assert_eq!(mark, Mark::Warning, "{filter}");
            assert!(words.starts_with("invalid regular expression"), "{words}");
            assert!(!words.contains('\n'), "{words}");
        }
        let mut filter = Filter::of("*.example.org");
        filter.settle(|| Box::new(std::iter::once("*.example.org".to_owned())));
        assert_eq!(
            filter.note(),
            Some((Mark::Info, "*.example.org is searched as text".to_owned()))
        );
        assert_eq!(
            Filter::of("a|b").note(),
            Some((Mark::Info, "regular expression".to_owned()))
        );
    }

    #[test]
    fn expressions_that_would_take_all_memory_or_time_are_refused() {
        for filter in [
            "(a{1000}){1000}".to_owned(),
            r"\w{999}".to_owned(),
            format!("{}a{}", "(".repeat(100), ")".repeat(100)),
            "(".repeat(4096),
            "a|".repeat(2048),
            "[".repeat(200),
        ] {
            let filter = Filter::of(&filter);
            assert!(!filter.meets("b") || filter.note().is_some());
        }
    }

    #[test]
    fn two_words_are_and_and_an_exclamation_mark_is_not() {
        let texts = ["payments api", "payments web", "shop api"];
        for (filter, expected) in [
            ("pay", &texts[..2]),
            ("API pay", &texts[..1]),
            ("!pay", &texts[2..]),
            ("api !shop", &texts[..1]),
            ("!", &texts[..]),
            ("none", &[]),
            ("-f pmtsw", &texts[1..2]),
            ("-f pmts !web", &texts[..1]),
            ("-f", &texts[..]),
        ] {
            assert_eq!(left(filter, &texts), expected, "{filter}");
        }
    }

    #[test]
    fn the_places_of_words_and_expressions_are_known() {
        for (filter, text, place) in [
            (Filter::of("api pay."), "payments API", 9..12),
            (Filter::of("p[a-c]y"), "PAYments", 0..3),
            (Filter::search("name: a"), "x name: a", 2..9),
        ] {
            assert_eq!(filter.places(text).as_slice(), std::slice::from_ref(&place));
        }
    }

    #[test]
    fn a_selector_in_a_filter_is_read_as_kubectl_reads_it() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop, labels: {app: Shop, tier: web}}\n";
        let snapshot = ngf_core::manifests::parse(text, "default");
        let service = ObjectRef::new(Kind::Service, "shop", "a");
        let other = ObjectRef::new(Kind::Service, "shop", "gone");
        for (filter, is_met, rest) in [
            ("-l app=Shop", true, "anything"),
            ("-lapp=Shop", true, "anything"),
            ("--selector=app=Shop,tier!=db", true, "anything"),
            ("-l app=shop", false, "anything"),
            ("-l app in (Shop, cart) web", true, "a web"),
            ("web -l !db", true, "a web"),
            ("^a.*b$ -l !db", true, "a web"),
            ("-l tier notin (web)", false, "anything"),
            // It is still being typed.
            ("-l", true, "anything"),
            ("-l app=a=b", false, "anything"),
        ] {
            let words = Filter::of(filter);
            assert_eq!(
                words.meets_labels(&snapshot, [&service]),
                is_met,
                "{filter}"
            );
            assert!(words.meets(rest), "{filter}");
            let is_invalid = words.note().is_some_and(|(mark, _)| mark == Mark::Warning);
            assert_eq!(is_invalid, filter.contains("a=b"), "{filter}");
            // Of what was not read no label is known.
            let wants = words.wants_labels();
            assert_eq!(words.meets_labels(&snapshot, [&other]), !wants, "{filter}");
        }
        assert!(!Filter::of("-l app in (Shop, cart) web").meets("other"));
    }
}
