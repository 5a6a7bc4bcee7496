use super::*;
use ngf_core::{diagnosis::plan::PlannedEndpoint, model::kind::Kind};
use ngf_tls::transcript::Outcome;

fn plan(endpoint: &str) -> ProbePlan {
    let named = |kind, name: &str| ObjectRef::new(kind, "shop", name);
    ProbePlan {
        gateway: named(Kind::Gateway, "gateway"),
        listener: None,
        https: false,
        route: named(Kind::HTTPRoute, "app"),
        rule: 0,
        service: named(Kind::Service, "app"),
        port: 8443,
        endpoint: PlannedEndpoint {
            address: endpoint.to_owned(),
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

fn cell(code: i32) -> Cell {
    Cell::Probed {
        outcome: if code == 0 {
            Outcome::Ok
        } else {
            Outcome::VerifyError
        },
        verify_code: Some(code),
        alert: None,
        client_status: Some(if code == 0 { 200 } else { 502 }),
        sentence: match code {
            0 => "served".to_owned(),
            10 => "expired".to_owned(),
            21 => "wrong CA".to_owned(),
            code => format!("error {code}"),
        },
        took_us: 1,
        via: String::new(),
    }
}

/// A grid of verify codes: a line for each endpoint, a number for each data-plane pod.
fn matrix(codes: &[&[i32]]) -> EndpointMatrix {
    EndpointMatrix {
        schema: std::borrow::Cow::Borrowed(SCHEMA),
        started_at: String::new(),
        columns: (0..codes[0].len()).map(|n| format!("pod-{n}")).collect(),
        rows: codes
            .iter()
            .enumerate()
            .map(|(n, codes)| Row {
                plan: plan(&format!("10.0.0.{n}")),
                cells: codes.iter().map(|code| cell(*code)).collect(),
            })
            .collect(),
        findings: Vec::new(),
        notes: Vec::new(),
    }
}

fn found(codes: &[&[i32]]) -> Vec<String> {
    findings(&matrix(codes))
}

const E1: &str = "10.0.0.1:8443 of Service shop/app:8443";

#[test]
fn nothing_stands_out_where_all_is_well() {
    assert_eq!(found(&[&[0, 0], &[0, 0]]), Vec::<String>::new());
}

#[test]
fn one_bad_endpoint_and_one_stale_data_plane_are_both_named() {
    // In the corner, where both are at fault, nginx logs either.
    for corner in [10, 21] {
        assert_eq!(
            found(&[&[0, 0, 21], &[10, 10, corner], &[0, 0, 21]]),
            [
                "from pod-2 every endpoint fails that is well from elsewhere: wrong CA".to_owned(),
                format!("{E1} fails from everywhere: expired"),
            ]
        );
    }
}

#[test]
fn one_cause_for_all_is_one_sentence() {
    assert_eq!(
        found(&[&[21, 21], &[21, 21]]),
        ["every endpoint fails, from everywhere, and in the same way: wrong CA"]
    );
}

#[test]
fn a_single_cell_is_named_with_both_its_sides() {
    assert_eq!(
        found(&[&[0, 0], &[0, 10]]),
        [format!(
            "{E1} fails from pod-1, and not from everywhere: expired"
        )]
    );
}

#[test]
fn from_a_single_place_only_endpoints_stand_out() {
    assert_eq!(
        found(&[&[0], &[10]]),
        [format!("{E1} fails from everywhere: expired")]
    );
}

#[test]
fn what_was_not_probed_is_no_fault_of_an_endpoint() {
    let mut matrix = matrix(&[&[0, 0], &[10, 10]]);
    matrix.rows[0].cells[1] = Cell::NotRun {
        why: "exec failed".to_owned(),
    };
    matrix.rows[1].cells[1] = Cell::Waiting;
    assert_eq!(
        findings(&matrix),
        [
            format!("{E1} fails from everywhere: expired"),
            "not probed from pod-1: exec failed".to_owned(),
        ]
    );
}

#[test]
fn a_round_says_what_changed() {
    let mut history = History::default();
    assert_eq!(history.take(&matrix(&[&[0], &[0]])), Vec::<String>::new());
    assert_eq!(history.take(&matrix(&[&[0], &[0]])), Vec::<String>::new());
    assert_eq!(
        history.take(&matrix(&[&[0], &[10]])),
        [format!("{E1} from pod-0: expired")]
    );
    let smaller = matrix(&[&[0]]);
    assert_eq!(history.take(&smaller), [format!("{E1} from pod-0 is gone")]);
    assert_eq!(history.rounds(&smaller.rows[0].plan, "pod-0").len(), 4);
}
