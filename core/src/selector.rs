//! Label selectors, as `kubectl -l` takes them.

use std::{collections::BTreeMap, str::FromStr};

use serde_json::Value;

/// Which labels an object has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

/// One condition; all have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Selector {
    /// Whether the labels meet it. As in Kubernetes, `!=` and `notin` are met by an object without the label.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| match requirement {
                Requirement::Exists(name) => labels.contains_key(name),
                Requirement::Absent(name) => !labels.contains_key(name),
                Requirement::In(name, values) => {
                    labels.get(name).is_some_and(|value| values.contains(value))
                }
                Requirement::NotIn(name, values) => {
                    labels.get(name).is_none_or(|value| !values.contains(value))
                }
            })
    }

    /// Whether the labels of an object, as JSON, meet it.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = object
            .pointer("/metadata/labels")
            .and_then(Value::as_object);
        let labels = labels
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        self.matches(&labels.collect())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Selector {
    type Err = String;

    /// Reads `app=shop`, `app!=shop`, `app in (shop, cart)`, `app notin (shop)`, `app`, `!app`, with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "invalid label selector {:?}: expected app=shop, app!=shop, 'app in (shop,cart)', app or '!app'",
                crate::model::clean::clean_line(text)
            )
        };
        let parts = split(text).ok_or_else(wrong)?;
        let requirements: Option<Vec<Requirement>> =
            parts.into_iter().map(|part| one(part.trim())).collect();
        Ok(Self {
            text: text.to_owned(),
            requirements: requirements.ok_or_else(wrong)?,
        })
    }
}

/// Splits at the commas that are not within parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut is_inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if !is_inside => is_inside = true,
            ')' if is_inside => is_inside = false,
            '(' | ')' => return None,
            ',' if !is_inside => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!is_inside).then_some(parts)
}

fn one(text: &str) -> Option<Requirement> {
    if let Some(name) = text.strip_prefix('!') {
        return Some(Requirement::Absent(name_of(name)?));
    }
    for (sign, is_in) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((name, value)) = text.split_once(sign) {
            let values = vec![value_of(value)?];
            return Some(requirement(name_of(name)?, values, is_in));
        }
    }
    if let Some((head, values)) = text.split_once('(') {
        let values = values.strip_suffix(')')?;
        let mut words = head.split_whitespace();
        let (name, verb) = (words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        let values: Option<Vec<String>> = values.split(',').map(value_of).collect();
        return match verb {
            "in" => Some(requirement(name_of(name)?, values?, true)),
            "notin" => Some(requirement(name_of(name)?, values?, false)),
            _ => None,
        };
    }
    Some(Requirement::Exists(name_of(text)?))
}

fn requirement(name: String, values: Vec<String>, is_in: bool) -> Requirement {
    if is_in {
        Requirement::In(name, values)
    } else {
        Requirement::NotIn(name, values)
    }
}

fn name_of(text: &str) -> Option<String> {
    let text = text.trim();
    crate::command::names::label_name(text).ok()?;
    Some(text.to_owned())
}

fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    crate::command::names::label_value(text).ok()?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `app=shop,tier=web` meets the selector; `None` where it is none.
    fn meets(selector: &str) -> Option<bool> {
        let labels = [("app", "shop"), ("tier", "web")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let selector = selector.parse::<Selector>().ok()?;
        Some(selector.matches(&BTreeMap::from(labels)))
    }

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        for (selector, expected) in [
            ("app=shop", Some(true)),
            ("app==shop", Some(true)),
            ("app=cart", Some(false)),
            ("app!=cart", Some(true)),
            ("app!=shop", Some(false)),
            ("other!=shop", Some(true)),
            ("app=shop,tier=web", Some(true)),
            ("app=shop,tier=db", Some(false)),
            ("app in (shop, cart),tier", Some(true)),
            ("app in (cart)", Some(false)),
            ("app notin (cart),!other", Some(true)),
            ("!app", Some(false)),
            ("app.kubernetes.io/name", Some(false)),
            ("", None),
            ("app=", Some(false)),
            ("app in shop", None),
            ("app in (shop", None),
            ("app=sh op", None),
            ("app,,tier", None),
            ("a=b=c", None),
        ] {
            assert_eq!(meets(selector), expected, "{selector:?}");
        }
    }
}
