//! What a listener says by itself (the validators of `newListenerConfiguratorFactory`), and what it
//! refers to (`createExternalReferencesForTLSSecretsResolver`).

use serde_json::Value;

use super::{Draft, Surroundings};
use crate::{
    diagnosis::ngf::{
        Resolved, frontend, gateway::grant_allows, policy::hostname_problem,
        resolve::resolve_secret,
    },
    model::{
        attachment::{GATEWAY_API_GROUP, kinds_of_protocol},
        kind::Kind,
        object::ObjectRef,
    },
};

/// The port of nginx's metrics, where no NginxProxy says another (`DefaultNginxMetricsPort`).
const METRICS_PORT: u16 = 9113;

pub(super) fn validate(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let protocol = draft.listener.protocol.clone();
    if !matches!(protocol.as_str(), "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP") {
        draft.valid = false;
        draft.attachable = false;
        let message = format!(
            "protocol: Unsupported value: \"{protocol}\": supported values: \"HTTP\", \"HTTPS\", \"TLS\", \"TCP\", \"UDP\""
        );
        draft.say("Accepted", "False", "UnsupportedProtocol", &message);
        draft.say("Programmed", "False", "Invalid", &message);
        return;
    }
    route_kinds(surroundings, draft);
    selector(draft);
    let is_layer4 = matches!(protocol.as_str(), "TCP" | "UDP");
    // The API server refuses host names that NGF refuses.
    if !is_layer4
        && draft
            .hostname()
            .is_some_and(|host| hostname_problem(host).is_some())
    {
        draft.known = false;
    }
    if protocol != "TLS" {
        port(surroundings, draft);
    }
    let has_tls = draft.raw.get("tls").is_some_and(|tls| !tls.is_null());
    match protocol.as_str() {
        "HTTPS" if has_tls => https(surroundings, draft),
        "HTTPS" => draft.unsupported("TLS: Required value: tls must be defined for HTTPS listener"),
        "TLS" => tls(surroundings, draft, has_tls),
        _ if has_tls => draft.unsupported(&format!(
            "tls: Forbidden: tls is not supported for {protocol} listener"
        )),
        _ => {}
    }
    if is_layer4 && draft.hostname().is_some() {
        draft.unsupported(&format!(
            "hostname: Forbidden: hostname is not supported for {protocol} listener"
        ));
    }
}

/// `getAndValidateListenerSupportedKinds`.
fn route_kinds(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let Some(kinds) = draft
        .raw
        .pointer("/allowedRoutes/kinds")
        .and_then(Value::as_array)
    else {
        return;
    };
    let protocol = draft.listener.protocol.clone();
    let terminates = draft.listener.tls_mode.as_deref() != Some("Passthrough");
    let none = protocol == "TLS"
        && terminates
        && surroundings.release.knows_listener_sets()
        && !surroundings.release.terminates_tls_routes();
    let valid = if none {
        &[]
    } else {
        kinds_of_protocol(&protocol)
    };
    let mut wrong = Vec::new();
    for kind in kinds {
        let text = |field: &str| kind.get(field).and_then(Value::as_str);
        let group = text("group").unwrap_or(GATEWAY_API_GROUP);
        let name = text("kind").unwrap_or_default();
        if group != GATEWAY_API_GROUP || !valid.iter().any(|kind| kind.name() == name) {
            wrong.push(format!(
                "Unsupported route kind for protocol {protocol} \"{group}/{name}\""
            ));
        }
    }
    for message in wrong {
        draft.valid = false;
        draft.attachable = false;
        draft.say("ResolvedRefs", "False", "InvalidRouteKinds", &message);
        draft.say("Programmed", "False", "Invalid", &message);
    }
}

fn selector(draft: &mut Draft<'_>) {
    let namespaces = draft.raw.pointer("/allowedRoutes/namespaces");
    let selects = draft.listener.allowed_from.as_deref() == Some("Selector");
    let selector = namespaces.and_then(|namespaces| namespaces.get("selector"));
    if selects && selector.is_none_or(Value::is_null) {
        draft.unsupported(
            "Listener's AllowedRoutes Selector must be set when From is set to type Selector",
        );
        draft.attachable = false;
    }
}

/// `validateListenerPort`, `buildProtectedPorts`.
fn port(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let port = draft.listener.port;
    let taken = match &surroundings.proxies {
        None => None,
        Some(proxies) if proxies.is_empty() => Some(Some(METRICS_PORT)),
        Some(proxies) => match proxies.as_slice() {
            [one] => Some(metrics_port(one)),
            // How two are merged is NGF's affair.
            several => several
                .iter()
                .all(|proxy| proxy.pointer("/spec/metrics").is_none())
                .then_some(Some(METRICS_PORT)),
        },
    };
    match taken {
        None => draft.known = false,
        Some(Some(taken)) if taken == port => draft.unsupported(&format!(
            "port: Invalid value: {port}: port is already in use as MetricsPort"
        )),
        Some(_) => {}
    }
}

fn metrics_port(proxy: &Value) -> Option<u16> {
    let metrics = proxy.pointer("/spec/metrics");
    let get = |field: &str| metrics.and_then(|metrics| metrics.get(field));
    if get("disable").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let port = get("port").and_then(Value::as_u64);
    Some(
        port.and_then(|port| u16::try_from(port).ok())
            .unwrap_or(METRICS_PORT),
    )
}

fn https(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let mode = draft.listener.tls_mode.clone();
    if let Some(mode) = mode.filter(|mode| mode != "Terminate") {
        draft.unsupported(&format!(
            "tls.mode: Unsupported value: \"{mode}\": supported values: \"Terminate\""
        ));
        // Later releases leave the rest to listeners that terminate.
        if surroundings.release.terminates_tls_routes() {
            return;
        }
    }
    terminates(surroundings, draft);
}

/// `validateTLSFieldOnTLSListener`.
fn tls(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>, has_tls: bool) {
    let may_terminate = surroundings.release.terminates_tls_routes();
    if !has_tls {
        let field = if may_terminate { "tls" } else { "TLS" };
        draft.unsupported(&format!(
            "{field}: Required value: tls must be defined for TLS listener"
        ));
        draft.attachable = false;
        return;
    }
    let passes_through = draft.listener.tls_mode.as_deref() == Some("Passthrough");
    if passes_through {
        return;
    }
    if may_terminate {
        terminates(surroundings, draft);
    } else {
        draft.unsupported("TLS.Mode: Required value: Mode must be passthrough for TLS listener");
        draft.attachable = false;
    }
}

/// `createHTTPSListenerValidator`, `validateTLSTerminateConfig`.
fn terminates(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let options = draft.raw.pointer("/tls/options").and_then(Value::as_object);
    if options.is_some_and(|options| !options.is_empty()) {
        draft.known = false;
    }
    let several = surroundings.release.takes_several_listener_certificates();
    let count = draft.refs().len();
    if count == 0 {
        refuse(
            draft,
            "tls.certificateRefs: Required value: certificateRefs must be defined for TLS mode terminate",
        );
        return;
    }
    let looked_at = if several { count } else { 1 };
    let mut wrong = Vec::new();
    for (index, reference) in draft.refs()[..looked_at].iter().enumerate() {
        let path = format!("tls.certificateRefs[{index}]");
        if let Some(kind) = reference.kind.as_deref().filter(|kind| *kind != "Secret") {
            wrong.push(format!(
                "{path}.kind: Unsupported value: \"{kind}\": supported values: \"Secret\""
            ));
        }
        if let Some(group) = reference.group.as_deref().filter(|group| !group.is_empty()) {
            wrong.push(format!(
                "{path}.group: Unsupported value: \"{group}\": supported values: \"\""
            ));
        }
    }
    for message in wrong {
        refuse(draft, &message);
    }
    if !several && count > 1 {
        draft.unsupported(&format!(
            "tls.certificateRefs: Too many: {count}: must have at most 1 item"
        ));
    }
}

/// `NewListenerInvalidCertificateRef`.
fn refuse(draft: &mut Draft<'_>, message: &str) {
    draft.valid = false;
    draft.say("Accepted", "False", "InvalidCertificateRef", message);
    draft.say("ResolvedRefs", "False", "InvalidCertificateRef", message);
    draft.say("Programmed", "False", "Invalid", message);
}

/// Looks up the certificates of a listener that terminates TLS.
pub(super) fn references(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let release = surroundings.release;
    let terminates = match draft.listener.protocol.as_str() {
        "HTTPS" => true,
        "TLS" => {
            release.terminates_tls_routes()
                && draft.listener.tls_mode.as_deref() != Some("Passthrough")
        }
        _ => false,
    };
    // What fails by itself is never looked up; before 2.6 what conflicts was.
    let by_itself = !draft.valid
        && !draft
            .conditions
            .iter()
            .any(|said| said.kind == "Conflicted");
    if !terminates || by_itself || (!draft.valid && release.knows_listener_sets()) {
        return;
    }
    let mut faults: Vec<(&'static str, String)> = Vec::new();
    let mut usable = 0;
    for (index, reference) in draft.refs().iter().enumerate() {
        let namespace = reference.namespace.as_deref().unwrap_or(draft.owner.1);
        let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
        if namespace != draft.owner.1 {
            match grant_allows(
                surroundings.snapshot,
                draft.owner.0.name(),
                draft.owner.1,
                &secret,
            ) {
                Ok(true) => {}
                Ok(false) => {
                    faults.push((
                        "RefNotPermitted",
                        format!(
                            "Certificate ref to secret {} not permitted by any ReferenceGrant",
                            secret.path()
                        ),
                    ));
                    continue;
                }
                Err(_) => {
                    draft.known = false;
                    return;
                }
            }
        }
        match resolve_secret(surroundings.snapshot, release, &secret) {
            Resolved::Usable => usable += 1,
            Resolved::Refused(_, text) => faults.push((
                "InvalidCertificateRef",
                format!(
                    "tls.certificateRefs[{index}]: Invalid value: {{\"Namespace\":\"{namespace}\",\"Name\":\"{}\"}}: {text}",
                    secret.name
                ),
            )),
            Resolved::Unknown(_) => {
                draft.known = false;
                return;
            }
        }
    }
    certificates(draft, &faults, usable);
    if draft.listener.protocol == "HTTPS" {
        clients(surroundings, draft);
    }
}

/// The CAs of the listener's clients (`validateFrontendTLS`).
fn clients(surroundings: &Surroundings<'_>, draft: &mut Draft<'_>) {
    let Surroundings {
        snapshot,
        release,
        gateway,
        ..
    } = surroundings;
    let port = draft.listener.port;
    let Some(demand) = frontend::demand(snapshot, *release, gateway, port) else {
        return;
    };
    let bad = |ca: &frontend::Ca| matches!(&ca.fault, Ok(Some(fault)) if fault.is_refused());
    match demand.refuses_listener() {
        None => draft.known = false,
        Some(true) => {
            let message = "All frontend TLS CA certificate refs are invalid for this listener";
            draft.valid = false;
            draft.say("Accepted", "False", "NoValidCACertificate", message);
            draft.say("Programmed", "False", "Invalid", message);
        }
        // Which of several NGF reports last is not worked out.
        Some(false) if demand.cas.iter().any(bad) => draft.known = false,
        Some(false) => {}
    }
}

fn certificates(draft: &mut Draft<'_>, faults: &[(&'static str, String)], usable: usize) {
    let any = "InvalidCertificateRef";
    let Some((first, _)) = faults.first() else {
        return;
    };
    let reason = if faults.iter().any(|(reason, _)| *reason == any) {
        any
    } else {
        first
    };
    let texts: Vec<&str> = faults.iter().map(|(_, text)| text.as_str()).collect();
    let message = texts.join("; ");
    if usable == 0 {
        draft.valid = false;
        draft.say("Accepted", "False", reason, &message);
        draft.say("ResolvedRefs", "False", reason, &message);
        draft.say("Programmed", "False", "Invalid", &message);
    } else {
        draft.say("ResolvedRefs", "False", reason, &message);
    }
}
