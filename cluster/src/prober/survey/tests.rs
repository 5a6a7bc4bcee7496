use super::*;
use ngf_core::{diagnosis::plan::PlannedEndpoint, model::kind::Kind};

/// A path from a Gateway to a port of a Service.
fn path(gateway: &str, route: &str, service: &str) -> ProbePlan {
    let named = |kind, name: &str| ObjectRef::new(kind, "shop", name);
    ProbePlan {
        gateway: named(Kind::Gateway, gateway),
        listener: None,
        https: false,
        route: named(Kind::HTTPRoute, route),
        rule: 0,
        service: named(Kind::Service, service),
        port: 8443,
        endpoint: PlannedEndpoint {
            address: "10.0.0.1".to_owned(),
            port: 8443,
            pod: None,
        },
        tls: None,
        protocol: ngf_tls::protocol::Protocol::Http1,
        host: "app.example.com".to_owned(),
        path: "/".to_owned(),
        because: Vec::new(),
    }
}

#[test]
fn each_gateway_and_each_service_is_tested_before_more_of_the_same() {
    let paths = [
        path("a", "one", "cart"),
        path("a", "two", "cart"),
        path("a", "three", "till"),
        path("b", "four", "cart"),
    ];
    let names: Vec<String> = most_telling_first(paths.iter().collect())
        .iter()
        .map(|plan| plan.route.name.clone())
        .collect();
    assert_eq!(names, ["one", "four", "three", "two"]);
}

#[test]
fn a_survey_that_began_by_itself_is_soon_calm() {
    let begins = |rate: Rate, number: usize| rate.begins(number).as_millis();
    for number in [0, 1, 20] {
        assert_eq!(begins(Rate::Calm, number), begins(Rate::Asked, number));
    }
    assert_eq!(begins(Rate::Calm, 31) - begins(Rate::Calm, 21), 1_000);
    assert_eq!(begins(Rate::Asked, 71) - begins(Rate::Asked, 21), 1_000);
}
