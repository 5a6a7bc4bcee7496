//! Probes: all of this run, the newest first.

use ngf_tls::transcript::Outcome;
use ngf_ui::Mark;

use super::{Head, ListInfo, Order, endpoints::result, head, path};
use crate::tui::state::ids::{ListId, ViewId};
use crate::tui::state::{
    App, SeenProbe,
    list::{Cell, Row, Target},
    place::Subject,
};
use ngf_text::host_and_port;
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Probes,
    name: "probes",
    title: "Probes",
    aliases: &["history", "probed"],
    help: "the probes of this run, the newest first",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("WHEN", 4, 8),
    head("ENDPOINT", 14, 48),
    head("ROUTE", 8, 40),
    head("FROM", 6, 40),
    head("CLIENTS GET", 11, 11),
    head("TOOK", 6, 9),
    head("RESULT", 10, 120),
];

fn rows(app: &App) -> Vec<Row> {
    let newest_first = app.probed.iter().rev();
    let probes = newest_first.map(|seen| {
        let probed = &seen.probed;
        let endpoint = &probed.plan.endpoint;
        let transcript = probed.result.as_ref().ok();
        let status = transcript.and_then(|seen| seen.nginx.client_status);
        let mark = match transcript.map(|seen| seen.nginx.outcome) {
            Some(Outcome::Ok) => Mark::Ok,
            Some(_) => Mark::Failed,
            None => Mark::Unknown,
        };
        let from = match (&seen.place, &seen.way) {
            (Some(pod), _) => pod.clone(),
            (None, Some(way)) => way.via.clone(),
            (None, None) => String::new(),
        };
        Row {
            mark,
            cells: vec![
                when(app, seen),
                host_and_port(&endpoint.address, endpoint.port).into(),
                path(&probed.plan.route).into(),
                from.into(),
                status.map_or_else(
                    || "not known".into(),
                    |status| Cell::sorted(status.to_string(), i64::from(status)),
                ),
                transcript.map_or_else(Cell::default, |seen| {
                    let took = i64::try_from(seen.duration_us).unwrap_or(i64::MAX);
                    Cell::sorted(words::micros(seen.duration_us), took)
                }),
                result(probed).into(),
            ],
            target: Target::Probe(seen.number),
            object: None,
        }
    });
    let mut rows: Vec<Row> = probes.chain(listeners(app)).collect();
    // The newest first; of the same moment in the order in which they were made.
    rows.sort_by_key(|row| row.cells[0].number);
    rows
}

/// The handshakes with listeners.
fn listeners(app: &App) -> impl Iterator<Item = Row> {
    app.evidence.meetings().map(|(meeting, at, seen)| {
        let (mark, from, words) = match seen {
            Err(why) => (Mark::Unknown, String::new(), why.to_owned()),
            Ok(met) => {
                let (mark, words) = match (&met.failed, met.accepted) {
                    (Some(failed), _) => (Mark::Failed, failed),
                    (None, Some(false)) => (Mark::Warning, &met.verdict),
                    (None, Some(true)) => (Mark::Ok, &met.verdict),
                    (None, None) => (Mark::Info, &met.verdict),
                };
                (mark, met.via.clone(), words.clone())
            }
        };
        let topology = &app.diagnosis.topology;
        // The first arrow of the path's handshake shows it.
        let of_path = app.evidence.probes().map(|probed| &probed.plan);
        let mut of_path = of_path.filter(|plan| {
            plan.gateway == meeting.gateway
                && plan.host == meeting.server_name
                && plan.listener.as_ref().is_some_and(|(owner, name)| {
                    *owner == meeting.owner && *name == meeting.listener
                })
        });
        let target = match of_path.next() {
            Some(plan) => Target::Tab(Subject::object(topology, &plan.route), ViewId::Handshake),
            None => Target::Tab(Subject::object(topology, &meeting.owner), ViewId::Findings),
        };
        Row {
            mark,
            cells: vec![
                Cell::sorted(words::age(at, app.now), -at.as_second()),
                format!("listener {} for {}", meeting.listener, meeting.server_name).into(),
                path(&meeting.owner).into(),
                from.into(),
                Cell::default(),
                Cell::default(),
                words.into(),
            ],
            target,
            object: Some(meeting.owner.clone()),
        }
    })
}

/// How long ago it was; the sign of the marked one before it.
fn when(app: &App, seen: &SeenProbe) -> Cell {
    let age = words::age(seen.probed.at, app.now);
    let text = if app.marked == Some(seen.number) {
        format!("= {age}")
    } else {
        age
    };
    Cell::sorted(text, -seen.probed.at.as_second())
}
