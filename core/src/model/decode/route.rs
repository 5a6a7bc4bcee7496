//! Routes of all five kinds.

use crate::model::{
    kind::Kind,
    kinds::{BackendRef, Route, RouteRule},
    status::RouteStatus,
    value::{Map, Value},
};

use super::{
    meta::{full_reference, local_ref, parents, references},
    reader::Field,
};

const PATH_TYPES: &[&str] = &["Exact", "PathPrefix", "RegularExpression"];
const VALUE_TYPES: &[&str] = &["Exact", "RegularExpression"];
const HTTP_FILTERS: &[&str] = &[
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "ExtensionRef",
    "CORS",
    "ExternalAuth",
];
const GRPC_FILTERS: &[&str] = &[
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "ExtensionRef",
];
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

pub(super) fn route(kind: Kind, root: Field<'_>) -> Route {
    let spec = root.required("spec");
    // Gateway API asks for them since v1alpha3 (`TLSRouteSpec.Hostnames`); of a route of v1alpha2 without any, NGF takes
    // the listener's host name, or every one (`findAcceptedHostnames`).
    let older = root
        .text("apiVersion")
        .is_some_and(|version| version.ends_with("/v1alpha2"));
    if kind == Kind::TLSRoute && !older {
        spec.required("hostnames");
    }
    if !matches!(kind, Kind::HTTPRoute | Kind::GRPCRoute) {
        // The other kinds ask for one at least (`MinItems=1`).
        spec.required("rules");
        let written = spec.get("rules");
        if written
            .value()
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
        {
            written.refused("is empty");
        }
    }
    let mut rules: Vec<RouteRule> = spec.items("rules").map(|field| rule(kind, field)).collect();
    if kind == Kind::HTTPRoute && spec.is_present() && !spec.get("rules").is_present() {
        // The CRD's default, which the API server fills in.
        rules.push(RouteRule {
            path: "/".to_owned(),
            matches: vec!["PathPrefix /".to_owned()],
            ..RouteRule::default()
        });
    }
    Route {
        parent_refs: references(spec, "parentRefs"),
        hostnames: spec.texts("hostnames"),
        rules,
        is_plain: root.value().is_none_or(is_plain),
        takes_all_rules: root.value().is_none_or(takes_all_rules),
    }
}

fn rules<'a>(route: &'a Value<'a>) -> impl Iterator<Item = &'a Value<'a>> + Clone {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array);
    rules.into_iter().flatten()
}

fn takes_all_rules(route: &Value<'_>) -> bool {
    let rules = rules(route);
    let mut filters = rules
        .clone()
        .filter_map(|rule| rule.get("filters")?.as_array())
        .flatten();
    if filters.any(|filter| filter.get("type").and_then(Value::as_str) == Some("ExtensionRef")) {
        return false;
    }
    let mut matches = rules
        .filter_map(|rule| rule.get("matches")?.as_array())
        .flatten();
    matches.all(|matched| {
        let method = matched.get("method").and_then(Value::as_object);
        method.is_none_or(|method| method.contains_key("service") && method.contains_key("method"))
    })
}

fn is_plain(route: &Value<'_>) -> bool {
    const FIELDS: [&str; 3] = ["matches", "filters", "backendRefs"];
    const FILTERS: [&str; 5] = [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestRedirect",
        "URLRewrite",
        "RequestMirror",
    ];
    rules(route).all(|rule| {
        let mut fields = rule.as_object().into_iter().flat_map(Map::keys);
        let filters = rule.get("filters").and_then(Value::as_array);
        let types = filters.into_iter().flatten();
        fields.all(|field| FIELDS.contains(&field))
            && types
                .filter_map(|filter| filter.get("type")?.as_str())
                .all(|kind| FILTERS.contains(&kind))
    })
}

pub(super) fn route_status(root: Field<'_>) -> RouteStatus {
    RouteStatus {
        parents: parents(root.get("status"), "parents", "parentRef"),
    }
}

/// A rule; one that is no object stays in its place, empty, so that `rules[2]` is still the third.
fn rule(kind: Kind, field: Field<'_>) -> RouteRule {
    let mut rule = RouteRule {
        path: "/".to_owned(),
        ..RouteRule::default()
    };
    if !field.is_object() {
        return rule;
    }
    rule.name = field.text("name");
    rule.has_filters = field.get("filters").is_present();
    match kind {
        Kind::HTTPRoute => http_matches(field, &mut rule),
        Kind::GRPCRoute => grpc_matches(field, &mut rule),
        _ => {}
    }
    filters(kind, field, &mut rule);
    for backend in field.objects("backendRefs") {
        rule.backend_refs.push(backend_ref(backend));
        filters(kind, backend, &mut rule);
    }
    rule
}

fn backend_ref(field: Field<'_>) -> BackendRef {
    BackendRef {
        target: local_ref(field),
        weight: field.number("weight").unwrap_or(1),
        filter: None,
    }
}

fn http_matches(field: Field<'_>, rule: &mut RouteRule) {
    for (index, matched) in field.objects("matches").enumerate() {
        let path = matched.get("path");
        let path_type = path.choice("type", PATH_TYPES);
        let path_type = path_type.as_deref().unwrap_or("PathPrefix");
        let value = path.text("value").unwrap_or_else(|| "/".to_owned());
        let mut words = Vec::new();
        words.extend(matched.choice("method", METHODS));
        words.push(format!("{path_type} {value}"));
        words.extend(
            matched
                .objects("headers")
                .map(|field| pair("header", field)),
        );
        words.extend(
            matched
                .objects("queryParams")
                .map(|field| pair("query", field)),
        );
        rule.matches.push(words.join(" "));
        if index == 0 && path_type != "RegularExpression" && value.starts_with('/') {
            rule.path = value;
        }
    }
    if !field.get("matches").is_present() {
        // the CRD's default
        rule.matches.push("PathPrefix /".to_owned());
    }
}

fn grpc_matches(field: Field<'_>, rule: &mut RouteRule) {
    for (index, matched) in field.objects("matches").enumerate() {
        let mut words = Vec::new();
        let method = matched.get("method");
        if method.is_present() {
            let exact = method.choice("type", VALUE_TYPES).as_deref() != Some("RegularExpression");
            let service = method.text("service");
            let name = method.text("method");
            if let (true, 0, Some(service), Some(name)) = (exact, index, &service, &name) {
                rule.path = format!("/{service}/{name}");
            }
            words.push(format!(
                "method {}/{}",
                service.as_deref().unwrap_or("*"),
                name.as_deref().unwrap_or("*")
            ));
        }
        words.extend(
            matched
                .objects("headers")
                .map(|field| pair("header", field)),
        );
        rule.matches.push(words.join(" "));
    }
}

/// `header X-Version=2`, `query a~b.*` for a regular expression.
fn pair(what: &str, field: Field<'_>) -> String {
    let sign = match field.choice("type", VALUE_TYPES).as_deref() {
        Some("RegularExpression") => '~',
        _ => '=',
    };
    format!(
        "{what} {}{sign}{}",
        field.required_text("name"),
        field.required_text("value")
    )
}

fn filters(kind: Kind, field: Field<'_>, rule: &mut RouteRule) {
    let known = match kind {
        Kind::HTTPRoute => HTTP_FILTERS,
        Kind::GRPCRoute => GRPC_FILTERS,
        _ => return,
    };
    for (index, filter) in field.objects("filters").enumerate() {
        filter.required("type");
        let Some(filter_type) = filter.choice("type", known) else {
            continue;
        };
        let backend = match filter_type.as_str() {
            "RequestMirror" => filter.required("requestMirror").required("backendRef"),
            "ExternalAuth" => filter.required("externalAuth").required("backendRef"),
            "ExtensionRef" => {
                full_reference(filter, "extensionRef");
                filter.required("extensionRef");
                continue;
            }
            "URLRewrite" => {
                let hostname = filter.get("urlRewrite").text("hostname");
                rule.rewrite_hostname = rule.rewrite_hostname.take().or(hostname);
                continue;
            }
            _ => continue,
        };
        if backend.is_present() && backend.is_object() {
            rule.filter_backend_refs.push(BackendRef {
                filter: Some(index),
                ..backend_ref(backend)
            });
        }
    }
}
