//! A backend's name as the pod resolves it, and as this machine does.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ngf_probes::{
    Recorder,
    dial::{
        DialError, dns,
        names_there::{self, Settings},
    },
};

use super::NameView;
use crate::transport::Exec;
use ngf_core::diagnosis::plan::ProbePlan;

/// The names that a plan's backend has: an ExternalName's own, and, where `all` are asked for, the
/// Service's.
pub(super) fn names_of(plan: &ProbePlan, all: bool) -> Vec<String> {
    let mut names = Vec::new();
    let address = &plan.endpoint.address;
    if address.parse::<IpAddr>().is_err() {
        names.push(address.clone());
    }
    if all {
        let service = &plan.service;
        names.push(format!("{}.{}.svc", service.name, service.namespace));
    }
    names
}

/// Resolves a name as the pod would, by its resolv.conf and hosts, asking its name servers from within
/// it; and here.
///
/// # Errors
/// A sentence, where the pod's files cannot be read.
pub(super) async fn look_up(name: &str, exec: &Exec, within: Duration) -> Result<NameView, String> {
    let resolv_conf = exec.file("/etc/resolv.conf").await?;
    // A container without it has no names of its own.
    let hosts = exec.file("/etc/hosts").await.unwrap_or_default();
    let settings = Settings::parse(&resolv_conf, &hosts);
    let there = names_there::resolve(name, &settings, Arc::new(exec.clone()), within);
    let recorder = Recorder::new();
    let here = dns::resolve(name, Instant::now() + within, &recorder);
    let (there, here) = futures::join!(there, here);
    let here = here.map_err(|error| match error {
        DialError::Name { reason, .. } => reason,
        other => other.to_string(),
    });
    let sentence = compare(name, &there, &here);
    let (there, there_error) = split(there);
    let (here, here_error) = split(here);
    Ok(NameView {
        name: name.to_owned(),
        pod: exec.pod().to_string(),
        servers: settings.servers,
        search: settings.search,
        ndots: settings.ndots,
        there,
        there_error,
        here,
        here_error,
        sentence,
    })
}

fn split(result: Result<Vec<IpAddr>, String>) -> (Vec<IpAddr>, Option<String>) {
    match result {
        Ok(mut addresses) => {
            addresses.sort();
            addresses.dedup();
            (addresses, None)
        }
        Err(why) => (Vec::new(), Some(why)),
    }
}

fn compare(
    name: &str,
    there: &Result<Vec<IpAddr>, String>,
    here: &Result<Vec<IpAddr>, String>,
) -> String {
    let list = |addresses: &[IpAddr]| {
        let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        addresses.join(", ")
    };
    let same = |a: &[IpAddr], b: &[IpAddr]| {
        let sorted = |addresses: &[IpAddr]| {
            let mut addresses = addresses.to_vec();
            addresses.sort();
            addresses.dedup();
            addresses
        };
        sorted(a) == sorted(b)
    };
    match (there, here) {
        (Ok(there), Ok(here)) if same(there, here) => {
            format!("{name} is {}, in the pod and here", list(there))
        }
        (Ok(there), Ok(here)) => format!(
            "{name} is {} in the pod, and {} here: a probe from this machine would reach another",
            list(there),
            list(here)
        ),
        (Ok(there), Err(why)) => {
            format!("{name} is {} in the pod; here: {why}", list(there))
        }
        (Err(why), Ok(here)) => format!(
            "{name} leads nowhere in the pod: {why}; here it is {}, which the gateway cannot know",
            list(here)
        ),
        (Err(there), Err(here)) => {
            format!("{name} leads nowhere: in the pod: {there}; here: {here}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_said() {
        let ip = |n| Ok(vec![IpAddr::from([10, 0, 0, n])]);
        let none = || Err("there is no such name".to_owned());
        for (there, here, expected) in [
            (ip(1), ip(1), "db is 10.0.0.1, in the pod and here"),
            (
                ip(1),
                ip(2),
                "db is 10.0.0.1 in the pod, and 10.0.0.2 here: a probe from this machine would reach another",
            ),
            (
                none(),
                ip(2),
                "db leads nowhere in the pod: there is no such name; here it is 10.0.0.2, which the gateway cannot know",
            ),
            (
                ip(1),
                none(),
                "db is 10.0.0.1 in the pod; here: there is no such name",
            ),
        ] {
            assert_eq!(compare("db", &there, &here), expected);
        }
    }
}
