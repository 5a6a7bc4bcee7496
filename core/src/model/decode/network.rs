//! NetworkPolicy.

use crate::model::{
    network::{IngressRule, IpBlock, NetworkPolicy, Peer, PolicyPort, Selector},
    value::Value,
};

use super::reader::Field;

pub(super) fn network_policy(root: Field<'_>) -> NetworkPolicy {
    let spec = root.required("spec");
    let types = spec.texts("policyTypes");
    NetworkPolicy {
        pods: selector(spec.get("podSelector")),
        is_about_ingress: types.is_empty() || types.iter().any(|one| one == "Ingress"),
        ingress: spec.objects("ingress").map(ingress_rule).collect(),
    }
}

fn ingress_rule(field: Field<'_>) -> IngressRule {
    IngressRule {
        from: field.objects("from").map(peer).collect(),
        ports: field.objects("ports").map(port).collect(),
    }
}

fn peer(field: Field<'_>) -> Peer {
    let of = |key| {
        let field = field.get(key);
        field.is_present().then(|| selector(field))
    };
    let block = field.get("ipBlock");
    Peer {
        pods: of("podSelector"),
        namespaces: of("namespaceSelector"),
        ip_block: block.is_present().then(|| IpBlock {
            cidr: block.required_text("cidr"),
            except: block.texts("except"),
        }),
    }
}

fn port(field: Field<'_>) -> PolicyPort {
    let port = field.get("port");
    PolicyPort {
        protocol: field
            .choice("protocol", &["TCP", "UDP", "SCTP"])
            .unwrap_or_else(|| "TCP".to_owned()),
        port: match port.value().and_then(Value::as_i64) {
            Some(_) => field.port("port").map(|port| port.to_string()),
            None => port.as_text(),
        },
        end_port: field.port("endPort"),
    }
}

fn selector(field: Field<'_>) -> Selector {
    Selector {
        labels: field.text_map("matchLabels"),
        expressions: field
            .objects("matchExpressions")
            .map(|one| {
                (
                    one.required_text("key"),
                    one.required_text("operator"),
                    one.texts("values"),
                )
            })
            .collect(),
    }
}
