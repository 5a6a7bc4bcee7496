//! GatewayClass, Gateway and ListenerSet.

use crate::model::{
    kinds::{FrontendTls, Gateway, GatewayClass, Listener, ListenerSet},
    status::{ListenerStatus, ListenersStatus},
};

use super::{
    meta::{conditions, full_reference, full_references, reference, references},
    reader::Field,
};

const PROTOCOLS: &[&str] = &["HTTP", "HTTPS", "TLS", "TCP", "UDP"];
const TLS_MODES: &[&str] = &["Terminate", "Passthrough"];
const FRONTEND_MODES: &[&str] = &["AllowValidOnly", "AllowInsecureFallback"];
const FROM: &[&str] = &["All", "Selector", "Same", "None"];

pub(super) fn gateway_class(root: Field<'_>) -> GatewayClass {
    let spec = root.required("spec");
    GatewayClass {
        controller_name: spec.required_text("controllerName"),
        parameters_ref: full_reference(spec, "parametersRef"),
    }
}

pub(super) fn gateway(root: Field<'_>) -> Gateway {
    let spec = root.required("spec");
    Gateway {
        class: spec.required_text("gatewayClassName"),
        listeners: listeners(spec),
        client_certificate_ref: reference(spec.get("tls").get("backend"), "clientCertificateRef"),
        old_client_certificate_ref: reference(spec.get("backendTLS"), "clientCertificateRef"),
        frontend: frontend(spec.get("tls").get("frontend")),
        parameters_ref: full_reference(spec.get("infrastructure"), "parametersRef"),
    }
}

/// `spec.tls.frontend`; what is missing from it is noted.
fn frontend(field: Field<'_>) -> Vec<FrontendTls> {
    if !field.is_present() {
        return Vec::new();
    }
    let validation = |port, tls: Field<'_>| {
        let validation = tls.get("validation");
        FrontendTls {
            port,
            ca_refs: full_references(validation, "caCertificateRefs"),
            mode: validation.choice("mode", FRONTEND_MODES),
        }
    };
    let ports = field.objects("perPort");
    let ports = ports.filter_map(|port| {
        port.required("port");
        let tls = port.required("tls");
        Some(validation(Some(port.port("port")?), tls))
    });
    std::iter::once(validation(None, field.required("default")))
        .chain(ports)
        .filter(|found| !found.ca_refs.is_empty() || found.mode.is_some())
        .collect()
}

pub(super) fn listener_set(root: Field<'_>) -> ListenerSet {
    let spec = root.required("spec");
    spec.required("parentRef");
    ListenerSet {
        parent_ref: reference(spec, "parentRef").unwrap_or_default(),
        listeners: listeners(spec),
    }
}

pub(super) fn listeners_status(root: Field<'_>) -> ListenersStatus {
    let status = root.get("status");
    ListenersStatus {
        addresses: status
            .objects("addresses")
            .filter_map(|address| address.text("value"))
            .collect(),
        conditions: conditions(status, "conditions"),
        listeners: status.objects("listeners").map(listener_status).collect(),
    }
}

fn listeners(spec: Field<'_>) -> Vec<Listener> {
    spec.required("listeners");
    spec.objects("listeners").map(listener).collect()
}

fn listener(field: Field<'_>) -> Listener {
    field.required("protocol");
    let tls = field.get("tls");
    Listener {
        name: field.required_text("name"),
        hostname: field.text("hostname"),
        port: field.required_port("port"),
        protocol: field.choice("protocol", PROTOCOLS).unwrap_or_default(),
        tls_mode: tls.choice("mode", TLS_MODES),
        certificate_refs: references(tls, "certificateRefs"),
        allowed_from: field
            .get("allowedRoutes")
            .get("namespaces")
            .choice("from", FROM),
    }
}

fn listener_status(field: Field<'_>) -> ListenerStatus {
    ListenerStatus {
        name: field.required_text("name"),
        attached_routes: field.number("attachedRoutes").unwrap_or_default(),
        conditions: conditions(field, "conditions"),
    }
}
