//! Label selectors and field selectors, as query parameters and in objects.

use serde_json::Value;

use super::kinds::Kind;

/// What objects a request is about. An empty selector selects everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<LabelRequirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LabelRequirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`; errors are sentences for a 400.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, String> {
        let labels = split_outside_parentheses(labels)
            .into_iter()
            .map(label_requirement)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .filter(|term| !term.trim().is_empty())
            .map(|term| field_requirement(kind, term.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether the object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.labels.iter().all(|r| r.matches(labels))
            && self
                .fields
                .iter()
                .all(|(path, equal, value)| (field(object, path) == *value) == *equal)
    }
}

impl LabelRequirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let label = |key: &String| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
        match self {
            Self::In(key, values) => label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => label(key).is_none_or(|v| values.iter().all(|w| w != v)),
            Self::Exists(key) => label(key).is_some(),
            Self::Missing(key) => label(key).is_none(),
        }
    }
}

/// `a in (x,y),b` has two terms.
fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0usize;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|term| !term.is_empty())
    .collect()
}

fn label_requirement(term: &str) -> Result<LabelRequirement, String> {
    let refused = || format!("unable to parse requirement: {term}");
    let key = |text: &str| {
        let key = text.trim();
        let fine = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        if fine {
            Ok(key.to_owned())
        } else {
            Err(refused())
        }
    };
    if let Some(rest) = term.strip_prefix('!') {
        return Ok(LabelRequirement::Missing(key(rest)?));
    }
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((name, value)) = term.split_once(operator) {
            let values = vec![value.trim().to_owned()];
            return Ok(if equal {
                LabelRequirement::In(key(name)?, values)
            } else {
                LabelRequirement::NotIn(key(name)?, values)
            });
        }
    }
    let mut words = term.splitn(2, char::is_whitespace);
    let name = key(words.next().unwrap_or_default())?;
    let Some(rest) = words.next().map(str::trim) else {
        return Ok(LabelRequirement::Exists(name));
    };
    let set = |rest: &str| {
        let inside = rest
            .trim()
            .strip_prefix('(')
            .and_then(|r| r.strip_suffix(')'));
        inside
            .map(|values| {
                values
                    .split(',')
                    .map(|v| v.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .ok_or_else(refused)
    };
    if let Some(rest) = rest.strip_prefix("notin") {
        return Ok(LabelRequirement::NotIn(name, set(rest)?));
    }
    if let Some(rest) = rest.strip_prefix("in") {
        return Ok(LabelRequirement::In(name, set(rest)?));
    }
    Err(refused())
}

fn field_requirement(kind: &Kind, term: &str) -> Result<(String, bool, String), String> {
    let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (path, true, value)
    } else {
        return Err(format!(
            "invalid selector: '{term}'; can't understand '{term}'"
        ));
    };
    let path = path.trim();
    let known = path == "metadata.name"
        || (path == "metadata.namespace" && kind.namespaced)
        || kind.fields.contains(&path);
    if !known {
        return Err(format!("field label not supported: {path}"));
    }
    Ok((path.to_owned(), equal, value.trim().to_owned()))
}

fn field(object: &Value, path: &str) -> String {
    let path = if path == "source" {
        "source.component"
    } else {
        path
    };
    let found = path
        .split('.')
        .try_fold(object, |value, name| value.get(name));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

/// Whether a plain map of labels (`spec.selector` of a Service, `matchLabels`) selects the object.
pub(crate) fn labels_match(selector: Option<&Value>, object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    selector.and_then(Value::as_object).is_some_and(|wanted| {
        !wanted.is_empty()
            && wanted
                .iter()
                .all(|(k, v)| labels.and_then(|l| l.get(k)) == Some(v))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn label_selectors_select_as_kubernetes_documents_them() {
        let object =
            json!({"metadata": {"name": "p", "labels": {"app": "secure-app", "tier": "web"}}});
        for (selector, selected) in [
            ("", true),
            ("app=secure-app", true),
            ("app==secure-app,tier!=db", true),
            ("app in (a, secure-app),tier", true),
            ("app notin (secure-app)", false),
            ("other notin (x)", true),
            ("!app", false),
            ("!other", true),
            ("missing", false),
        ] {
            let parsed = Selector::parse(kinds::POD, selector, "").unwrap();
            assert_eq!(parsed.matches(&object), selected, "{selector}");
        }
        assert!(Selector::parse(kinds::POD, "app is x", "").is_err());
        assert!(Selector::parse(kinds::POD, "=x", "").is_err());
    }

    #[test]
    fn field_selectors_know_the_fields_of_their_kind_and_no_others() {
        let event = json!({
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "p"},
        });
        let select = |text| Selector::parse(kinds::EVENT, "", text);
        assert!(
            select("involvedObject.name=p,involvedObject.kind!=Service")
                .unwrap()
                .matches(&event)
        );
        assert!(!select("metadata.namespace=other").unwrap().matches(&event));
        assert_eq!(
            select("spec.x=1").unwrap_err(),
            "field label not supported: spec.x"
        );
        assert!(Selector::parse(kinds::GATEWAY, "", "metadata.name=g").is_ok());
        assert!(Selector::parse(kinds::NODE, "", "metadata.namespace=x").is_err());
    }
}
