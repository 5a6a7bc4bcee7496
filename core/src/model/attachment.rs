//! Which listeners a route attaches to: parentRefs, section names, ports, host names, allowed kinds
//! and namespaces, as NGF decides it (`internal/controller/state/graph/route_common.go`).

use std::fmt;

use serde_json::Value;

use super::{
    kind::Kind,
    kinds::{Gateway, Listener, LocalRef, Route},
    object::{Object, ObjectRef},
    placeholder,
    status::ParentStatus,
};

/// The group of Gateway, ListenerSet and the routes.
pub const GATEWAY_API_GROUP: &str = "gateway.networking.k8s.io";

/// Why a route does not attach by one of its parentRefs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentRefusal {
    /// The parent is of a kind that cannot have routes.
    NotAParent(String),
    /// There is no such Gateway or ListenerSet.
    NoSuchParent(ObjectRef),
    /// The parent has no listener of that name, or on that port.
    NoSuchListener {
        /// The Gateway or ListenerSet.
        parent: ObjectRef,
        /// `sectionName` of the parentRef.
        section: Option<String>,
        /// `port` of the parentRef.
        port: Option<u16>,
    },
    /// No listener takes this kind of route from this namespace.
    NotAllowed(ObjectRef),
    /// The listener asks for namespaces by label, and the labels are not known.
    NamespaceUnknown(ObjectRef),
    /// The host names of route and listener have none in common.
    HostnamesDoNotMatch(ObjectRef),
    /// The Gateway does not take listeners from this ListenerSet.
    ListenerSetNotAllowed(ObjectRef),
}

impl AttachmentRefusal {
    /// The reason that NGF writes into the route's Accepted condition; `None` where NGF writes no
    /// status at all, because the parent is none of its own.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NotAParent(_) | Self::NoSuchParent(_) | Self::NamespaceUnknown(_) => None,
            Self::NoSuchListener { .. } => Some("NoMatchingParent"),
            Self::NotAllowed(_) => Some("NotAllowedByListeners"),
            Self::HostnamesDoNotMatch(_) => Some("NoMatchingListenerHostname"),
            Self::ListenerSetNotAllowed(_) => Some("InvalidListenerSet"),
        }
    }
}

impl fmt::Display for AttachmentRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAParent(kind) => write!(f, "a {kind} takes no routes"),
            Self::NoSuchParent(parent) => write!(f, "there is no {parent}"),
            Self::NoSuchListener {
                parent,
                section,
                port,
            } => {
                write!(f, "{parent} has no listener")?;
                if let Some(section) = section {
                    write!(f, " named {section}")?;
                }
                if let Some(port) = port {
                    write!(f, " on port {port}")?;
                }
                Ok(())
            }
            Self::NotAllowed(parent) => {
                write!(
                    f,
                    "no listener of {parent} allows this kind of route from this namespace"
                )
            }
            Self::NamespaceUnknown(parent) => write!(
                f,
                "{parent} selects namespaces by label, and neither the labels nor the route's status say whether this one is meant"
            ),
            Self::HostnamesDoNotMatch(parent) => {
                write!(f, "no host name of the route fits a listener of {parent}")
            }
            Self::ListenerSetNotAllowed(set) => {
                write!(f, "its Gateway does not take listeners from {set}")
            }
        }
    }
}

/// The Gateway or ListenerSet that a parentRef names; `None` for other kinds and groups.
pub fn parent_of(reference: &LocalRef, route_namespace: &str) -> Option<ObjectRef> {
    if reference
        .group
        .as_deref()
        .is_some_and(|group| group != GATEWAY_API_GROUP)
    {
        return None;
    }
    let kind = match reference.kind.as_deref() {
        None | Some("Gateway") => Kind::Gateway,
        Some("ListenerSet") => Kind::ListenerSet,
        Some(_) => return None,
    };
    let namespace = reference.namespace.as_deref().unwrap_or(route_namespace);
    Some(ObjectRef::new(kind, namespace, &reference.name))
}

/// What a route says of itself in the status that a controller wrote for one parentRef.
///
/// NGF leaves out the port, and names the listener of a parent that has only one, even where the
/// parentRef does not (`prepareRouteStatus`, `removeDuplicateIndexParentRefs`).
pub fn parent_status<'a>(
    route: &'a Object<Route>,
    reference: &LocalRef,
) -> Option<&'a ParentStatus> {
    let namespace = &route.reference.namespace;
    let of_parent = || {
        route.status.parents.iter().filter(|status| {
            parent_of(&status.parent, namespace) == parent_of(reference, namespace)
        })
    };
    of_parent()
        .find(|status| status.parent.section_name == reference.section_name)
        .or_else(|| {
            let any = reference.section_name.is_none();
            of_parent().next().filter(|_| any)
        })
}

/// The listeners, by index, that a route attaches to by one parentRef, with the host names that
/// both sides accept (empty for "any").
///
/// `listeners` are those of the parent alone: a ListenerSet's listeners are not reached through its
/// Gateway (`validateParentRef`).
pub fn attach(
    route: &Object<Route>,
    reference: &LocalRef,
    parent: &ObjectRef,
    listeners: &[Listener],
    restrictions: &[Restriction],
) -> Result<Vec<(usize, Vec<String>)>, AttachmentRefusal> {
    let mut found = false;
    let (mut allowed, mut unknown) = (false, false);
    let mut attached = Vec::new();
    for (index, listener) in listeners.iter().enumerate() {
        let wanted = reference
            .section_name
            .as_ref()
            .is_none_or(|section| *section == listener.name)
            && reference.port.is_none_or(|port| port == listener.port);
        if !wanted {
            continue;
        }
        found = true;
        let restriction = restrictions.get(index).cloned().unwrap_or_default();
        if !restriction.allows_kind(listener, route.reference.kind) {
            continue;
        }
        match restriction.allows_namespace(listener, &route.reference.namespace, &parent.namespace)
        {
            Some(true) => {}
            Some(false) => continue,
            None => {
                let accepted = parent_status(route, reference).is_some_and(|status| {
                    status
                        .conditions
                        .iter()
                        .any(|condition| condition.kind == "Accepted" && condition.status == "True")
                });
                if !accepted {
                    unknown = true;
                    continue;
                }
            }
        }
        allowed = true;
        if let Some(hostnames) =
            accepted_hostnames(listener.hostname.as_deref(), &route.spec.hostnames)
        {
            attached.push((index, hostnames));
        }
    }
    if !attached.is_empty() {
        Ok(attached)
    } else if !found {
        Err(AttachmentRefusal::NoSuchListener {
            parent: parent.clone(),
            section: reference.section_name.clone(),
            port: reference.port,
        })
    } else if allowed {
        Err(AttachmentRefusal::HostnamesDoNotMatch(parent.clone()))
    } else if unknown {
        Err(AttachmentRefusal::NamespaceUnknown(parent.clone()))
    } else {
        Err(AttachmentRefusal::NotAllowed(parent.clone()))
    }
}

/// The label that the API server gives to each namespace, its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What a listener's `allowedRoutes` says beyond [`Listener::allowed_from`].
#[derive(Debug, Clone, Default)]
pub struct Restriction {
    /// `allowedRoutes.kinds[].kind`; `None` where left out.
    kinds: Option<Vec<String>>,
    /// `allowedRoutes.namespaces.selector`; null where left out.
    selector: Value,
}

impl Restriction {
    /// Reads `allowedRoutes` of each listener in the object as the API server gave it.
    pub fn read(raw: &Value) -> Vec<Self> {
        let listeners = raw.pointer("/spec/listeners").and_then(Value::as_array);
        listeners.map_or_else(Vec::new, |listeners| {
            listeners
                .iter()
                .map(|listener| Self {
                    kinds: listener
                        .pointer("/allowedRoutes/kinds")
                        .and_then(Value::as_array)
                        .filter(|kinds| !kinds.is_empty())
                        .map(|kinds| {
                            kinds
                                .iter()
                                .filter_map(|kind| Some(kind.get("kind")?.as_str()?.to_owned()))
                                .collect()
                        }),
                    selector: listener
                        .pointer("/allowedRoutes/namespaces/selector")
                        .cloned()
                        .unwrap_or_default(),
                })
                .collect()
        })
    }

    /// Whether the selector selects a namespace, of whose labels only the one is known that the API
    /// server gives to each; `None` where others decide.
    fn selects(&self, namespace: &str) -> Option<bool> {
        let selector = self.selector.as_object()?;
        let labels = selector.get("matchLabels").and_then(Value::as_object);
        let labels = labels
            .into_iter()
            .flatten()
            .map(|(key, value)| (key == NAME_LABEL).then(|| value.as_str() == Some(namespace)));
        let expressions = selector.get("matchExpressions").and_then(Value::as_array);
        let expressions = expressions.into_iter().flatten().map(|expression| {
            let text = |field: &str| expression.get(field).and_then(Value::as_str);
            let values = expression.get("values").and_then(Value::as_array);
            let named = values.is_some_and(|values| values.iter().any(|value| value == namespace));
            match (text("key")? == NAME_LABEL, text("operator")?) {
                (true, "In") => Some(named),
                (true, "NotIn") => Some(!named),
                (true, "Exists") => Some(true),
                (true, "DoesNotExist") => Some(false),
                _ => None,
            }
        });
        let each: Vec<Option<bool>> = labels.chain(expressions).collect();
        // One that does not hold decides, whatever the others say.
        if each.contains(&Some(false)) {
            return Some(false);
        }
        each.iter().all(Option::is_some).then_some(true)
    }

    /// `None` where namespace labels decide, which are not read. The API server fills in `Same`.
    pub fn allows_namespace(&self, listener: &Listener, route: &str, parent: &str) -> Option<bool> {
        match listener.allowed_from.as_deref() {
            Some("All") => Some(true),
            Some("Selector") => self.selects(route),
            _ => Some(route == parent),
        }
    }

    /// Whether a listener takes a kind of route, by its protocol and `allowedRoutes.kinds`.
    pub fn allows_kind(&self, listener: &Listener, kind: Kind) -> bool {
        kinds_of_protocol(&listener.protocol).contains(&kind)
            && self
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.iter().any(|allowed| allowed == kind.name()))
    }
}

/// The kinds of route that a listener's protocol can have (`getValidKindsForProtocol`).
pub fn kinds_of_protocol(protocol: &str) -> &'static [Kind] {
    match protocol {
        "HTTP" | "HTTPS" => &[Kind::HTTPRoute, Kind::GRPCRoute],
        "TLS" => &[Kind::TLSRoute],
        "TCP" => &[Kind::TCPRoute],
        "UDP" => &[Kind::UDPRoute],
        _ => &[],
    }
}

/// Whether a Gateway takes listeners from a ListenerSet (`isListenerSetAllowedByGateway`); `None`
/// where namespace labels decide.
pub fn takes_listener_set(gateway: &Object<Gateway>, set: &ObjectRef) -> Option<bool> {
    let from = gateway
        .raw
        .pointer("/spec/allowedListeners/namespaces/from")
        .and_then(Value::as_str);
    match from {
        Some("All") => Some(true),
        Some("Same") => Some(gateway.reference.namespace == set.namespace),
        Some("Selector") => None,
        _ => Some(false),
    }
}

/// The host names that a listener and a route have in common, the more specific of each pair;
/// `None` where they have none. An empty list means any host name (`findAcceptedHostnames`).
pub fn accepted_hostnames(listener: Option<&str>, route: &[String]) -> Option<Vec<String>> {
    let listener = listener.unwrap_or_default();
    if route.is_empty() {
        return Some(if listener.is_empty() {
            Vec::new()
        } else {
            vec![listener.to_owned()]
        });
    }
    let accepted: Vec<String> = route
        .iter()
        .filter(|host| hosts_meet(listener, host))
        .map(|host| more_specific(listener, host).to_owned())
        .collect();
    (!accepted.is_empty()).then_some(accepted)
}

fn hosts_meet(listener: &str, route: &str) -> bool {
    // What a placeholder stands for meets it, as far as anybody knows.
    placeholder::of(listener).is_some()
        || placeholder::of(route).is_some()
        || listener.is_empty()
        || listener == route
        || wildcard_covers(listener, route)
        || wildcard_covers(route, listener)
}

fn wildcard_covers(wildcard: &str, host: &str) -> bool {
    wildcard.starts_with("*.") && host.ends_with(&wildcard[1..])
}

fn more_specific<'a>(listener: &'a str, route: &'a str) -> &'a str {
    if listener.is_empty() {
        return route;
    }
    match (listener.starts_with("*."), route.starts_with("*.")) {
        (true, true) if listener.split('.').count() > route.split('.').count() => listener,
        (false, true) => listener,
        _ => route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_meet_as_ngf_lets_them() {
        type Case = (
            Option<&'static str>,
            &'static [&'static str],
            Option<&'static [&'static str]>,
        );
        let cases: &[Case] = &[
            (None, &[], Some(&[])),
            (Some("a.example.com"), &[], Some(&["a.example.com"])),
            (None, &["a.example.com"], Some(&["a.example.com"])),
            (
                Some("*.example.com"),
                &["a.example.com"],
                Some(&["a.example.com"]),
            ),
            (
                Some("a.example.com"),
                &["*.example.com"],
                Some(&["a.example.com"]),
            ),
            (
                Some("*.a.example.com"),
                &["*.example.com"],
                Some(&["*.a.example.com"]),
            ),
            (Some("*.example.com"), &["example.com"], None),
            (Some("a.example.com"), &["b.example.com"], None),
            (
                Some("a.example.com"),
                &["b.example.com", "a.example.com"],
                Some(&["a.example.com"]),
            ),
        ];
        for (listener, route, expected) in cases {
            let route: Vec<String> = route.iter().map(|host| (*host).to_owned()).collect();
            let accepted = accepted_hostnames(*listener, &route);
            let accepted = accepted
                .as_ref()
                .map(|hosts| hosts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(
                accepted.as_deref(),
                *expected,
                "listener {listener:?}, route {route:?}"
            );
        }
    }
}
