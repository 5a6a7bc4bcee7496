//! NetworkPolicy (networking.k8s.io/v1), as far as it says who may come in.

use std::{collections::BTreeMap, net::IpAddr};

/// NetworkPolicy.
#[derive(Debug, Clone, Default)]
pub struct NetworkPolicy {
    /// `spec.podSelector`: the pods of its namespace that it is about.
    pub pods: Selector,
    /// It says who may come in: `spec.policyTypes` has `Ingress`, or is left out.
    pub is_about_ingress: bool,
    /// `spec.ingress`; with none, nobody may.
    pub ingress: Vec<IngressRule>,
}

/// `spec.ingress[]`.
#[derive(Debug, Clone, Default)]
pub struct IngressRule {
    /// `from`; empty for anybody.
    pub from: Vec<Peer>,
    /// `ports`; empty for any.
    pub ports: Vec<PolicyPort>,
}

/// `from[]`.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// `podSelector`.
    pub pods: Option<Selector>,
    /// `namespaceSelector`; without it the policy's own namespace is meant.
    pub namespaces: Option<Selector>,
    /// `ipBlock`.
    pub ip_block: Option<IpBlock>,
}

/// `ipBlock`.
#[derive(Debug, Clone, Default)]
pub struct IpBlock {
    /// `cidr`.
    pub cidr: String,
    /// `except`.
    pub except: Vec<String>,
}

/// `ports[]`.
#[derive(Debug, Clone, Default)]
pub struct PolicyPort {
    /// `protocol`; TCP where left out.
    pub protocol: String,
    /// `port`: a number, or the name of a container's port; `None` for any.
    pub port: Option<String>,
    /// `endPort`.
    pub end_port: Option<u16>,
}

/// A label selector (`metav1.LabelSelector`); an empty one meets everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`: key, operator, values.
    pub expressions: Vec<(String, String, Vec<String>)>,
}

impl Selector {
    /// Whether it meets labels; `None` where it has an operator that is not known.
    pub fn meets(&self, labels: &BTreeMap<String, String>) -> Option<bool> {
        let mut meets = self
            .labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value));
        for (key, operator, values) in &self.expressions {
            let value = labels.get(key);
            let is_in = value.is_some_and(|value| values.contains(value));
            meets &= match operator.as_str() {
                "In" => is_in,
                "NotIn" => !is_in,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => return None,
            };
        }
        Some(meets)
    }

    /// Whether it looks at this label only, or at none.
    pub fn is_only_about(&self, label: &str) -> bool {
        let keys = self.labels.keys();
        let others = self.expressions.iter().map(|(key, _, _)| key);
        keys.chain(others).all(|key| key == label)
    }
}

impl IpBlock {
    /// Whether an address is in it; `None` where it is none.
    pub fn holds(&self, address: IpAddr) -> Option<bool> {
        if !within(address, &self.cidr)? {
            return Some(false);
        }
        for cidr in &self.except {
            if within(address, cidr)? {
                return Some(false);
            }
        }
        Some(true)
    }
}

/// `10.0.0.0/8`, `fd00::/8`.
fn within(address: IpAddr, cidr: &str) -> Option<bool> {
    let (network, bits) = cidr.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    let same = |a: u128, b: u128, width: u32| {
        let shift = width.checked_sub(bits)?;
        Some(a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0))
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => Some(false),
    }
}

impl PolicyPort {
    /// Whether it is that TCP port, of a pod whose containers name ports so; `None` where its name is none of theirs.
    pub fn is(&self, number: u16, named: &BTreeMap<String, u16>) -> Option<bool> {
        if self.protocol != "TCP" {
            return Some(false);
        }
        let Some(port) = &self.port else {
            return Some(true);
        };
        match (port.parse::<u16>(), self.end_port) {
            (Ok(first), Some(last)) => Some((first..=last).contains(&number)),
            (Ok(only), None) => Some(only == number),
            (Err(_), _) => named.get(port).map(|port| *port == number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_blocks_as_their_first_bits_say() {
        let block = |cidr: &str, except: &[&str]| IpBlock {
            cidr: cidr.to_owned(),
            except: except.iter().map(|cidr| (*cidr).to_owned()).collect(),
        };
        for (address, cidr, except, expected) in [
            ("10.1.2.3", "10.0.0.0/8", &[][..], Some(true)),
            ("11.1.2.3", "10.0.0.0/8", &[], Some(false)),
            ("10.1.2.3", "10.0.0.0/8", &["10.1.0.0/16"], Some(false)),
            ("10.1.2.3", "0.0.0.0/0", &[], Some(true)),
            ("10.1.2.3", "10.1.2.3/32", &[], Some(true)),
            ("fd00::1", "fd00::/8", &[], Some(true)),
            ("fd00::1", "::/0", &[], Some(true)),
            ("fd00::1", "0.0.0.0/0", &[], Some(false)),
            ("10.1.2.3", "10.0.0.0/33", &[], None),
            ("10.1.2.3", "everything", &[], None),
        ] {
            let address = address.parse().unwrap();
            let found = block(cidr, except).holds(address);
            assert_eq!(found, expected, "{address} in {cidr} but {except:?}");
        }
    }

    #[test]
    fn a_selector_meets_labels_as_kubernetes_has_it() {
        let labels: BTreeMap<String, String> = [("app", "shop"), ("tier", "web")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let expression = |key: &str, operator: &str, values: &[&str]| Selector {
            expressions: vec![(
                key.to_owned(),
                operator.to_owned(),
                values.iter().map(|value| (*value).to_owned()).collect(),
            )],
            ..Selector::default()
        };
        assert_eq!(Selector::default().meets(&labels), Some(true));
        for (key, operator, values, expected) in [
            ("app", "In", &["shop", "cart"][..], Some(true)),
            ("app", "In", &["cart"], Some(false)),
            ("app", "NotIn", &["shop"], Some(false)),
            ("none", "NotIn", &["shop"], Some(true)),
            ("app", "Exists", &[], Some(true)),
            ("app", "DoesNotExist", &[], Some(false)),
            ("none", "DoesNotExist", &[], Some(true)),
            ("app", "Near", &[], None),
        ] {
            let found = expression(key, operator, values).meets(&labels);
            assert_eq!(found, expected, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn a_port_is_meant_by_number_range_or_name() {
        let named = BTreeMap::from([("https".to_owned(), 8443)]);
        let port = |port: Option<&str>, end_port: Option<u16>| PolicyPort {
            protocol: "TCP".to_owned(),
            port: port.map(str::to_owned),
            end_port,
        };
        for (wanted, expected) in [
            (port(None, None), Some(true)),
            (port(Some("8443"), None), Some(true)),
            (port(Some("443"), None), Some(false)),
            (port(Some("8000"), Some(9000)), Some(true)),
            (port(Some("https"), None), Some(true)),
            (port(Some("metrics"), None), None),
            (
                PolicyPort {
                    protocol: "UDP".to_owned(),
                    ..port(None, None)
                },
                Some(false),
            ),
        ] {
            assert_eq!(wanted.is(8443, &named), expected, "{wanted:?}");
        }
    }
}
