//! Sets of objects that nobody wrote: scenarios with a few fields changed at random, the same at every
//! run.

use serde_json::{Value, json};

use crate::support::scenario;

const BASES: [&str; 9] = [
    "guide",
    "topology",
    "two-services",
    "healthy-across-namespaces",
    "healthy-listener-set",
    "x4-behind-https-and-a-redirect",
    "healthy-two-gateways",
    "healthy-grpc",
    "r11-passthrough",
];

/// The objects of a variation, with certificates in place.
pub(crate) fn objects(number: u64) -> Vec<Value> {
    varied(number, scenario::objects)
}

/// The objects of a variation, with certificates as their names: the same at every run.
pub(crate) fn objects_by_name(number: u64) -> Vec<Value> {
    varied(number, scenario::objects_by_name)
}

fn varied(number: u64, of_base: impl FnOnce(&str) -> Vec<Value>) -> Vec<Value> {
    let mut chance = Chance(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        chance.next();
    }
    let mut objects = of_base(chance.of(&BASES));
    let changes = 1 + chance.below(4);
    for _ in 0..changes {
        let which = chance.below(objects.len());
        change(&mut chance, &mut objects, which);
    }
    objects
}

/// Xorshift: all that is asked of it is to be the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("small")
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn any(&mut self, all: &[Value]) -> Value {
        all[self.below(all.len())].clone()
    }
}

fn change(chance: &mut Chance, objects: &mut Vec<Value>, which: usize) {
    let kind = objects[which]["kind"].as_str().expect("a kind").to_owned();
    let object = &mut objects[which];
    match kind.as_str() {
        "Gateway" => match chance.below(8) {
            0 => gateway(chance, object),
            _ => listeners(chance, object),
        },
        "ListenerSet" => listeners(chance, object),
        "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute" => route(chance, object),
        "BackendTLSPolicy" => policy(chance, object),
        "Service" => service(chance, object),
        "Secret" => secret(chance, object),
        "ReferenceGrant" | "ConfigMap" | "EndpointSlice" => {
            objects.remove(which);
        }
        _ => {}
    }
}

/// Sets a field, or takes it away where the value is null.
fn set(object: &mut Value, field: &str, value: Value) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    if value.is_null() {
        map.shift_remove(field);
    } else {
        map.insert(field.to_owned(), value);
    }
}

fn hostname(chance: &mut Chance) -> Value {
    chance.any(&[
        Value::Null,
        json!("*.example.com"),
        json!("secure-app.example.com"),
        json!("other.example.org"),
    ])
}

fn listeners(chance: &mut Chance, object: &mut Value) {
    let Some(all) = object["spec"]["listeners"].as_array_mut() else {
        return;
    };
    if all.is_empty() {
        return;
    }
    let which = chance.below(all.len());
    if chance.below(4) == 0 && all.len() < 6 {
        let mut other = all[which].clone();
        set(&mut other, "name", json!(format!("more-{}", all.len())));
        all.push(other);
    }
    let (field, value) = match chance.below(6) {
        0 => ("protocol", chance.any(&[json!("HTTP"), json!("HTTPS"), json!("TLS"), json!("TCP"), json!("UDP"), json!("example.com/quic")])),
        1 => ("port", chance.any(&[json!(80), json!(443), json!(8080), json!(9113)])),
        2 => ("hostname", hostname(chance)),
        3 => ("tls", tls(chance)),
        4 => ("allowedRoutes", chance.any(&[
            Value::Null,
            json!({"namespaces": {"from": "All"}}),
            json!({"namespaces": {"from": "Same"}}),
            json!({"namespaces": {"from": "Selector"}}),
            json!({"namespaces": {"from": "Same"}, "kinds": [{"kind": "GRPCRoute"}]}),
            json!({"namespaces": {"from": "All"}, "kinds": [{"kind": "TLSRoute"}, {"kind": "HTTPRoute"}]}),
        ])),
        _ => ("name", chance.any(&[json!("http"), json!("web"), json!("tls")])),
    };
    let taken = field == "name" && all.iter().any(|listener| listener["name"] == value);
    if !taken {
        set(all.last_mut().expect("a listener"), field, value);
    }
}

fn tls(chance: &mut Chance) -> Value {
    let name = "gateway-presents-this-cert-for-validation";
    chance.any(&[
        Value::Null,
        json!({"mode": "Passthrough"}),
        json!({"mode": "Terminate", "certificateRefs": [{"name": name}]}),
        json!({"mode": "Terminate", "certificateRefs": [{"name": "nowhere"}]}),
        json!({"mode": "Terminate", "certificateRefs": [{"name": "nowhere"}, {"name": name}]}),
        json!({"mode": "Terminate", "certificateRefs": [{"name": name, "namespace": "elsewhere"}]}),
        json!({"mode": "Terminate", "certificateRefs": [{"name": name, "kind": "ConfigMap"}]}),
        json!({"mode": "Terminate"}),
    ])
}

fn gateway(chance: &mut Chance, object: &mut Value) {
    let spec = &mut object["spec"];
    match chance.below(5) {
        0 => set(spec, "addresses", chance.any(&[
            json!([{"type": "IPAddress", "value": "192.0.2.7"}]),
            json!([{"type": "Hostname", "value": "gateway.example.com"}]),
            json!([{"type": "IPAddress", "value": "198.51.100.0"}]),
        ])),
        1 => set(spec, "infrastructure", json!({"parametersRef": {"group": "gateway.nginx.org", "kind": "NginxProxy", "name": "nowhere"}})),
        2 => set(spec, "tls", chance.any(&[
            Value::Null,
            json!({"backend": {"clientCertificateRef": {"name": "nowhere"}}}),
            json!({"backend": {"clientCertificateRef": {"name": "nowhere", "namespace": "elsewhere"}}}),
            json!({"backend": {"clientCertificateRef": {"kind": "ConfigMap", "group": "", "name": "nowhere"}}}),
        ])),
        3 => set(spec, "allowedListeners", chance.any(&[
            Value::Null,
            json!({"namespaces": {"from": "Same"}}),
            json!({"namespaces": {"from": "All"}}),
            json!({"namespaces": {"from": "None"}}),
        ])),
        _ => set(spec, "gatewayClassName", json!("elsewhere")),
    }
}

fn route(chance: &mut Chance, object: &mut Value) {
    let spec = &mut object["spec"];
    match chance.below(4) {
        0 => {
            let parent = &mut spec["parentRefs"][0];
            match chance.below(4) {
                0 => set(
                    parent,
                    "sectionName",
                    chance.any(&[Value::Null, json!("http"), json!("nowhere")]),
                ),
                1 => set(
                    parent,
                    "port",
                    chance.any(&[Value::Null, json!(80), json!(443), json!(81)]),
                ),
                2 => set(parent, "name", json!("nowhere")),
                _ => set(
                    parent,
                    "namespace",
                    chance.any(&[Value::Null, json!("default"), json!("elsewhere")]),
                ),
            }
        }
        1 => {
            let host = hostname(chance);
            let hosts = if host.is_null() { host } else { json!([host]) };
            set(spec, "hostnames", hosts);
        }
        _ => {
            let backend = &mut spec["rules"][0]["backendRefs"][0];
            if !backend.is_object() {
                return;
            }
            match chance.below(5) {
                0 => set(
                    backend,
                    "port",
                    chance.any(&[json!(80), json!(8443), json!(9)]),
                ),
                1 => set(
                    backend,
                    "name",
                    chance.any(&[json!("nowhere"), json!("other"), json!("secure-app")]),
                ),
                2 => set(
                    backend,
                    "namespace",
                    chance.any(&[Value::Null, json!("elsewhere"), json!("default")]),
                ),
                3 => {
                    set(
                        backend,
                        "group",
                        chance.any(&[json!(""), json!("example.com")]),
                    );
                    set(
                        backend,
                        "kind",
                        chance.any(&[json!("Service"), json!("Bucket")]),
                    );
                }
                _ => {
                    let more = backend.clone();
                    if let Some(all) = spec["rules"][0]["backendRefs"].as_array_mut() {
                        all.push(more);
                        set(&mut all[0], "name", json!("other"));
                    }
                }
            }
        }
    }
}

fn policy(chance: &mut Chance, object: &mut Value) {
    let spec = &mut object["spec"];
    match chance.below(4) {
        0 => {
            let target = &mut spec["targetRefs"][0];
            match chance.below(3) {
                0 => set(target, "sectionName", chance.any(&[Value::Null, json!("https"), json!("nowhere")])),
                1 => set(target, "name", json!("nowhere")),
                _ => set(target, "kind", json!("Bucket")),
            }
        }
        1 => set(&mut spec["validation"], "hostname", chance.any(&[
            json!("app.example.com"),
            json!("App.example.com"),
            json!("*.example.com"),
            json!("app.example.com:8443"),
        ])),
        2 => set(&mut spec["validation"], "wellKnownCACertificates", json!("System")),
        _ => set(&mut spec["validation"], "caCertificateRefs", chance.any(&[
            json!([{"group": "", "kind": "Secret", "name": "backend-cert"}]),
            json!([{"group": "", "kind": "ConfigMap", "name": "backend-cert"}]),
            json!([{"group": "example.com", "kind": "Secret", "name": "backend-cert"}]),
            json!([{"group": "", "kind": "Bucket", "name": "backend-cert"}]),
            json!([{"group": "", "kind": "Secret", "name": "a"}, {"group": "", "kind": "Secret", "name": "b"}]),
            Value::Null,
        ])),
    }
}

fn service(chance: &mut Chance, object: &mut Value) {
    let port = &mut object["spec"]["ports"][0];
    if !port.is_object() {
        return;
    }
    match chance.below(4) {
        0 => set(
            port,
            "name",
            chance.any(&[Value::Null, json!("https"), json!("other")]),
        ),
        1 => set(port, "port", chance.any(&[json!(80), json!(8443)])),
        2 => set(
            port,
            "appProtocol",
            chance.any(&[
                Value::Null,
                json!("https"),
                json!("kubernetes.io/h2c"),
                json!("kubernetes.io/ws"),
                json!("kubernetes.io/wss"),
                json!("example.com/own"),
            ]),
        ),
        _ => {
            set(&mut object["spec"], "type", json!("ExternalName"));
            set(
                &mut object["spec"],
                "externalName",
                json!("app.example.net"),
            );
        }
    }
}

fn secret(chance: &mut Chance, object: &mut Value) {
    match chance.below(5) {
        0 => set(object, "type", json!("Opaque")),
        1 => set(&mut object["stringData"], "ca.crt", Value::Null),
        2 => set(&mut object["stringData"], "ca.crt", json!("no certificate")),
        3 => set(&mut object["stringData"], "tls.key", json!("no key")),
        _ => set(&mut object["metadata"], "name", json!("renamed")),
    }
}
