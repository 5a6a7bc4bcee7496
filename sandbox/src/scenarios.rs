//! What the embedded cluster can play: one list. Each scenario is the guide, and what differs from it.

use std::fmt;

use crate::error::SandboxError;

/// A scenario.
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// A heading.
    pub title: &'static str,
    /// What a user sees at the guide's last stage.
    pub shows: &'static str,
    /// How it differs from the guide.
    pub differs: &'static str,
    pub(crate) changes: &'static [Change],
}

impl Scenario {
    /// Whether data-plane pods differ, so that it matters from which one a probe leaves.
    pub fn is_about_data_planes(&self) -> bool {
        let configures = |change: &Change| matches!(change, Change::Extra(objects) if objects.contains("kind: NginxProxy"));
        self.changes.iter().any(configures)
    }

    /// The Secret with the certificate of a client that the Gateway lets in, where it verifies its clients.
    pub fn client_secret(&self) -> Option<&'static str> {
        let issues = |change: &Change| matches!(change, Change::Extra(objects) if objects.contains("secretName: alice"));
        self.changes.iter().any(issues).then_some("alice")
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What makes it harder to work in the pods of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quirk {
    /// The agent of one data-plane pod is stuck: nginx there trusts a CA that was replaced.
    StaleDataPlane,
    /// Whatever relays in a container writes 1 MB of warnings to standard error once it is connected.
    NoisyRelay,
    /// A quota is used up: no pod can be made by hand.
    RefusesPods,
}

/// One difference from the guide.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// A JSON merge patch on an object of the guide, each time it is applied.
    Patch {
        kind: &'static str,
        name: &'static str,
        patch: &'static str,
    },
    /// Objects besides the guide's, from its first stage on.
    Extra(&'static str),
    /// What is wrong with what cert-manager is made to put into a Secret.
    Secret { name: &'static str, flaw: Flaw },
    /// What is odd about the cluster's pods.
    Quirk(Quirk),
}

/// What can be wrong with an issued Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The certificate was valid for 90 days, until yesterday.
    Expired,
    /// The certificate was signed by a CA of the same name and another key, which is also in
    /// `ca.crt`: it was issued before the CA was rotated.
    OtherCa,
    /// `ca.crt` holds a CA of the same name and another key: the Secret is older than the CA.
    OtherCaCrt,
    /// There is no `ca.crt`, as with issuers that return none.
    NoCaCrt,
    /// The Secret is of type Opaque.
    Opaque,
}

impl Scenario {
    /// The scenario of this name. The error lists the names there are.
    pub fn find(name: &str) -> Result<&'static Self, SandboxError> {
        SCENARIOS
            .iter()
            .find(|scenario| scenario.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> = SCENARIOS.iter().map(|known| known.name).collect();
                SandboxError::UnknownScenario {
                    name: name.to_owned(),
                    known: names.join(", "),
                }
            })
    }

    /// What is odd about its pods.
    pub(crate) fn quirks(&self) -> impl Iterator<Item = Quirk> {
        self.changes.iter().filter_map(|change| match change {
            Change::Quirk(quirk) => Some(*quirk),
            _ => None,
        })
    }

    /// What is wrong with the Secret of this name.
    pub(crate) fn flaw(&self, secret: &str) -> Option<Flaw> {
        self.changes.iter().find_map(|change| match change {
            Change::Secret { name, flaw } if *name == secret => Some(*flaw),
            _ => None,
        })
    }
}

/// Every scenario, the guide itself first.
pub static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "guide",
        title: "The guide, healthy",
        shows: "200, hello from pod secure-app; the pod logs ssl_client_verify=SUCCESS",
        differs: "nothing",
        changes: &[],
    },
    Scenario {
        name: "wrong-hostname",
        title: "The policy's hostname is not in the certificate",
        shows: "502; nginx logs: upstream SSL certificate does not match \"backend.example.com\"; \
                every condition is True",
        differs: "BackendTLSPolicy backend-tls names backend.example.com; the certificate is for \
                  secure-app.example.com",
        changes: &[Change::Patch {
            kind: "BackendTLSPolicy",
            name: "backend-tls",
            patch: r#"{"spec": {"validation": {"hostname": "backend.example.com"}}}"#,
        }],
    },
    Scenario {
        name: "expired-backend-certificate",
        title: "The backend's certificate has expired",
        shows: "502; nginx logs: upstream SSL certificate verify error: (10:certificate has \
                expired); every condition of the Gateway API is True",
        differs: "The certificate in Secret app-tls-secret ended yesterday; cert-manager did not \
                  renew it",
        changes: &[Change::Secret {
            name: "app-tls-secret",
            flaw: Flaw::Expired,
        }],
    },
    Scenario {
        name: "wrong-ca",
        title: "The policy's CA did not sign the backend's certificate",
        shows: "502; nginx logs: upstream SSL certificate verify error: (21:unable to verify the \
                first certificate); every condition is True",
        differs: "The ca.crt of Secret backend-cert is an older CA: it has the same name, LocalCA, \
                  and another key",
        changes: &[Change::Secret {
            name: "backend-cert",
            flaw: Flaw::OtherCaCrt,
        }],
    },
    Scenario {
        name: "no-client-certificate",
        title: "The Gateway presents no client certificate",
        shows: "400, No required SSL certificate was sent; every condition is True",
        differs: "The Gateway has no spec.tls.backend.clientCertificateRef",
        changes: &[Change::Patch {
            kind: "Gateway",
            name: "gateway",
            patch: r#"{"spec": {"tls": null}}"#,
        }],
    },
    Scenario {
        name: "client-certificate-from-another-ca",
        title: "The backend does not trust the Gateway's client certificate",
        shows: "400, The SSL certificate error; the pod logs ssl_client_verify=FAILED:unable to \
                verify the first certificate; every condition is True",
        differs: "The certificate in Secret gateway-presents-this-cert-for-validation was signed by \
                  an older CA: it has the same name, LocalCA, and another key",
        changes: &[Change::Secret {
            name: "gateway-presents-this-cert-for-validation",
            flaw: Flaw::OtherCa,
        }],
    },
    Scenario {
        name: "secret-without-ca-crt",
        title: "The policy's Secret has no ca.crt",
        shows: "every condition of the policy is True, and the Gateway is not Programmed: nginx \
                refuses to reload with an empty CA bundle and keeps the configuration it had",
        differs: "Secret backend-cert holds tls.crt and tls.key only",
        changes: &[Change::Secret {
            name: "backend-cert",
            flaw: Flaw::NoCaCrt,
        }],
    },
    Scenario {
        name: "policy-on-wrong-service",
        title: "The policy targets a Service that no route uses",
        shows: "400, The plain HTTP request was sent to HTTPS port; the policy has no status at all",
        differs: "BackendTLSPolicy backend-tls targets the Service secure-app-v2",
        changes: &[Change::Patch {
            kind: "BackendTLSPolicy",
            name: "backend-tls",
            patch: r#"{"spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "secure-app-v2"}]}}"#,
        }],
    },
    Scenario {
        name: "opaque-secret",
        title: "The policy's Secret is of type Opaque",
        shows: "500; BackendTLSPolicy Accepted False/NoValidCACertificate, ResolvedRefs \
                False/InvalidCACertificateRef: unsupported secret type \"Opaque\"",
        differs: "Secret backend-cert is of type Opaque, with the same data",
        changes: &[Change::Secret {
            name: "backend-cert",
            flaw: Flaw::Opaque,
        }],
    },
    Scenario {
        name: "plain-backend",
        title: "The backend's port speaks no TLS",
        shows: "502; nginx logs: SSL_do_handshake() failed (… wrong version number); every condition \
                is True",
        differs: "secure-app listens on 8443 without ssl",
        changes: &[Change::Patch {
            kind: "ConfigMap",
            name: "secure-config",
            patch: r#"{"data": {"app.conf": "server {\n  listen 8443;\n\n  server_name secure-app.example.com;\n\n  default_type text/plain;\n\n  access_log /var/log/nginx/access.log ssl_log;\n\n  location / {\n    return 200 \"hello from pod secure-app\\n\";\n  }\n}"}}"#,
        }],
    },
    Scenario {
        name: "two-endpoints-one-expired",
        title: "One of two pods serves an expired certificate",
        shows: "200, because nginx tries the other pod; a probe of each endpoint shows the one that \
                fails with (10:certificate has expired)",
        differs: "A second Deployment behind the Service secure-app serves Secret app-tls-old, which \
                  ended yesterday",
        changes: &[
            Change::Extra(include_str!("objects/manifests/old-endpoint.yaml")),
            Change::Secret {
                name: "app-tls-old",
                flaw: Flaw::Expired,
            },
        ],
    },
    Scenario {
        name: "fleet",
        title: "Forty pods behind five data-plane pods: one certificate expired, one CA left behind",
        shows: "200 from most places; ngf-tui probe gateway/gateway --all names the pod that serves an \
                expired certificate, and the data-plane pod whose nginx trusts a CA that was replaced",
        differs: "secure-app has 39 pods and secure-app-old one, which serves Secret app-tls-old; the \
                  NginxProxy asks for five data-plane pods, and the agent of one is stuck",
        changes: &[
            Change::Patch {
                kind: "Deployment",
                name: "secure-app",
                patch: r#"{"spec": {"replicas": 39}}"#,
            },
            Change::Extra(include_str!("objects/manifests/old-endpoint.yaml")),
            Change::Extra(include_str!("objects/manifests/five-data-planes.yaml")),
            Change::Secret {
                name: "app-tls-old",
                flaw: Flaw::Expired,
            },
            Change::Quirk(Quirk::StaleDataPlane),
        ],
    },
    Scenario {
        name: "expired-client-certificate",
        title: "The Gateway's client certificate has expired",
        shows: "400, The SSL certificate error; the pod logs ssl_client_verify=FAILED:certificate has \
                expired; every condition of the Gateway API is True",
        differs: "The certificate in Secret gateway-presents-this-cert-for-validation ended yesterday",
        changes: &[Change::Secret {
            name: "gateway-presents-this-cert-for-validation",
            flaw: Flaw::Expired,
        }],
    },
    Scenario {
        name: "sni-mismatch-421",
        title: "The request's host is not the policy's hostname",
        shows: "421 Misdirected Request; every condition is True",
        differs: "secure-app has two server blocks; BackendTLSPolicy backend-tls names \
                  backend.example.com, which selects the second by SNI, and the route's host selects \
                  the first",
        changes: &[
            Change::Patch {
                kind: "BackendTLSPolicy",
                name: "backend-tls",
                patch: r#"{"spec": {"validation": {"hostname": "backend.example.com"}}}"#,
            },
            Change::Patch {
                kind: "Certificate",
                name: "secure-app-cert",
                patch: r#"{"spec": {"dnsNames": ["secure-app.example.com", "backend.example.com"]}}"#,
            },
            Change::Patch {
                kind: "ConfigMap",
                name: "secure-config",
                patch: r#"{"data": {"app.conf": "server {\n  listen 8443 ssl;\n\n  server_name secure-app.example.com;\n\n  default_type text/plain;\n\n  ssl_certificate /etc/nginx/ssl/secret/tls.crt;\n  ssl_certificate_key /etc/nginx/ssl/secret/tls.key;\n  ssl_client_certificate /etc/nginx/ssl/secret/ca.crt;\n  ssl_verify_client on;\n\n  access_log /var/log/nginx/access.log ssl_log;\n\n  location / {\n    return 200 \"hello from pod secure-app\\n\";\n  }\n}\n\nserver {\n  listen 8443 ssl;\n\n  server_name backend.example.com;\n\n  default_type text/plain;\n\n  ssl_certificate /etc/nginx/ssl/secret/tls.crt;\n  ssl_certificate_key /etc/nginx/ssl/secret/tls.key;\n  ssl_client_certificate /etc/nginx/ssl/secret/ca.crt;\n  ssl_verify_client on;\n\n  access_log /var/log/nginx/access.log ssl_log;\n\n  location / {\n    return 200 \"hello from the other server\\n\";\n  }\n}"}}"#,
            },
        ],
    },
    Scenario {
        name: "frontend-mtls",
        title: "The Gateway verifies its own clients, too",
        shows: "200 for clients with a certificate of LocalCA, such as the one in Secret alice; others get no \
                answer: nginx logs client sent no required SSL certificate, and status 444",
        differs: "The Gateway has one listener, https, with the certificate in Secret web-tls; \
                  spec.tls.frontend demands client certificates of the CA in that Secret's ca.crt",
        changes: &[
            Change::Extra(include_str!("objects/manifests/frontend-mtls.yaml")),
            Change::Patch {
                kind: "Gateway",
                name: "gateway",
                patch: r#"{"spec": {"listeners": [{"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "secure-app.example.com", "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": "web-tls"}]}}], "tls": {"frontend": {"default": {"validation": {"mode": "AllowValidOnly", "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "web-tls"}]}}}}}}"#,
            },
            Change::Patch {
                kind: "HTTPRoute",
                name: "secure-app",
                patch: r#"{"spec": {"parentRefs": [{"name": "gateway", "sectionName": "https"}]}}"#,
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::guide;

    #[test]
    fn names_are_unique_and_an_unknown_one_is_answered_with_all_of_them() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        let error = Scenario::find("nothing").unwrap_err().to_string();
        for name in names {
            assert!(error.contains(name), "{error}");
            assert_eq!(Scenario::find(name).unwrap().name, name);
        }
    }

    #[test]
    fn every_change_is_about_an_object_that_there_is() {
        let mut objects: Vec<Value> = guide::STEPS
            .iter()
            .flat_map(|step| guide::objects(step.manifest))
            .collect();
        for change in SCENARIOS.iter().flat_map(|s| s.changes) {
            if let Change::Extra(manifest) = change {
                objects.extend(guide::objects(manifest));
            }
        }
        for change in SCENARIOS.iter().flat_map(|s| s.changes) {
            match change {
                Change::Patch { kind, name, patch } => {
                    serde_json::from_str::<Value>(patch).unwrap();
                    assert!(
                        objects
                            .iter()
                            .any(|o| o["kind"] == *kind && o["metadata"]["name"] == *name)
                    );
                }
                Change::Secret { name, .. } => {
                    assert!(
                        objects.iter().any(|o| o["spec"]["secretName"] == *name),
                        "{name}"
                    );
                }
                Change::Extra(manifest) => assert!(!guide::objects(manifest).is_empty()),
                Change::Quirk(_) => {}
            }
        }
    }
}
