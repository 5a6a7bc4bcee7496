//! What is selected: in the place that is on the screen, or by the page that is.

use crate::tui::state::{
    App, Around, ProbeContextState, SeenProbe, Shown,
    endpoint_matrix::GatewayMatrix,
    filter::Filter,
    ids::ViewId,
    list::{Row, Target},
    place::Place,
};
use ngf_cluster::transport::WayTaken;
use ngf_tls::transcript::Outcome;

use ngf_core::{
    diagnosis::{
        Evidence,
        evidence::{Met, Probed},
        plan::{PlanKey, ProbePlan},
        probe_context::HowProbed,
        problems::Problem,
    },
    model::{
        object::ObjectRef,
        topology::{Node, NodeId, NodeIx},
    },
};

/// So many probes of this run are kept; the oldest go first.
const PROBES: usize = 500;

impl App {
    /// The place that is on the screen.
    pub fn place(&self) -> &Place {
        self.places.top()
    }

    /// The filter of what is on the screen, or what is searched there.
    pub fn filter(&self) -> Option<&Filter> {
        match self.place() {
            Place::Problems => Some(&self.home.filter),
            Place::Tree => Some(&self.tree.filter),
            Place::List(id) => self.lists.get(id).map(|pane| &pane.filter),
            Place::Page(_) if self.detail.view == ViewId::Logs => Some(&self.detail.filter),
            Place::Page(_) | Place::Matrix | Place::Step(_) | Place::Diff(..) => {
                self.search().map(|search| &search.filter)
            }
        }
    }

    /// The node of the tree that the place is about, or that is selected in it.
    pub fn selected(&self) -> Option<(NodeIx, &Node)> {
        let topology = &self.diagnosis.topology;
        let index = match self.place() {
            Place::Problems => topology.find(&self.selected_problem_place()?)?,
            Place::Tree => self.tree.selected()?,
            Place::List(_) => match &self.selected_row()?.target {
                Target::Page(subject) | Target::Tab(subject, _) => return subject.find(topology),
                Target::Probe(_)
                | Target::Context(_)
                | Target::Namespace(_)
                | Target::Elsewhere(..)
                | Target::Nothing(_) => return None,
            },
            Place::Matrix => *topology.places(&self.matrix.as_ref()?.gateway).first()?,
            Place::Diff(..) => return None,
            Place::Page(_) | Place::Step(_) => return self.places.subject()?.find(topology),
        };
        Some((index, topology.node(index)))
    }

    /// The object that is selected, or that the page is about.
    pub fn selected_object(&self) -> Option<&ObjectRef> {
        if let Some(subject) = self.places.subject() {
            return subject.object.as_ref();
        }
        if let Some(row) = self.selected_row() {
            return match &row.target {
                Target::Page(subject) | Target::Tab(subject, _) => subject.object.as_ref(),
                _ => row.object.as_ref(),
            };
        }
        self.selected().and_then(|(_, node)| node.object.as_ref())
    }

    /// The selected row of the list that is on the screen.
    pub fn selected_row(&self) -> Option<&Row> {
        match self.place() {
            Place::List(list) => self.lists.get(list)?.selected(),
            _ => None,
        }
    }

    /// Keeps a probe for the list of this run's probes.
    pub fn remember_probe(
        &mut self,
        probed: &Probed,
        way: Option<WayTaken>,
        place: Option<String>,
    ) {
        let number = self.probed.back().map_or(1, |last| last.number + 1);
        self.probed.push_back(SeenProbe {
            number,
            probed: probed.clone(),
            way,
            place,
        });
        if self.probed.len() > PROBES {
            self.probed.pop_front();
        }
    }

    /// Keeps how a probe went, and its context as far as it is known.
    pub fn keep_around(&mut self, key: PlanKey, around: Around) {
        let context = match &around.context {
            ProbeContextState::Known(context) => Some((**context).clone()),
            ProbeContextState::NotAsked | ProbeContextState::Asking => None,
        };
        let how = HowProbed {
            at: around.at,
            way: Some(around.way.clone()),
            context,
        };
        self.evidence.record_around(key.clone(), how);
        self.around.insert(key, around);
    }

    /// What was seen by another run of how probes went, and the endpoint matrix.
    fn take_around(&mut self) {
        let all = self.evidence.all_around();
        let around = all.filter_map(|(key, how)| {
            let context = match &how.context {
                Some(context) => ProbeContextState::Known(Box::new(context.clone())),
                None => ProbeContextState::NotAsked,
            };
            let around = Around {
                at: how.at,
                way: how.way.clone()?,
                context,
            };
            Some((key.clone(), around))
        });
        self.around = around.collect();
        let shown = self.matrix.as_ref().map(|matrix| matrix.gateway.clone());
        let mut matrices = self.evidence.matrices();
        let of_shown = matrices.find(|(gateway, _)| shown.as_ref() == Some(*gateway));
        let first = || self.evidence.matrices().next();
        let restored = of_shown.or_else(first).map(|(gateway, matrix)| {
            GatewayMatrix::restored(gateway.clone(), matrix.clone(), &self.evidence)
        });
        let known = self.matrix.take();
        self.matrix = restored.map(|mut restored| {
            if let Some(known) = known.filter(|known| known.gateway == restored.gateway) {
                restored.state = known.state;
            }
            restored
        });
    }

    /// The last handshake with the listener by which a path is reached, and what came of it.
    pub fn listener_seen(&self, plan: &ProbePlan) -> Option<Result<&Met, &str>> {
        let (owner, name) = plan.listener.as_ref()?;
        let mut all = self.evidence.meetings();
        let seen = all.find(|(meeting, ..)| {
            meeting.gateway == plan.gateway
                && meeting.owner == *owner
                && meeting.listener == *name
                && meeting.server_name == plan.host
        });
        seen.map(|(_, _, result)| result)
    }

    /// Keeps a probe that went well, to compare later ones with.
    pub fn remember_good(&mut self, probed: &Probed) {
        let is_good = matches!(&probed.result, Ok(seen) if seen.nginx.outcome == Outcome::Ok);
        if is_good {
            self.good.insert(probed.plan.key(), probed.clone());
        }
    }

    /// Takes what was measured by another run: that of a bundle, or of a recording.
    pub fn take_evidence(&mut self, evidence: Evidence) {
        let mut new: Vec<(Option<&str>, &Probed)> = evidence
            .probes_from()
            .filter(|(_, probed)| {
                let mut known = self.probed.iter().map(|seen| &seen.probed);
                !known.any(|one| one.at == probed.at && one.plan.key() == probed.plan.key())
            })
            .collect();
        new.sort_by_key(|(_, probed)| probed.at);
        for (pod, probed) in new {
            self.remember_good(probed);
            let way = evidence.around(probed).and_then(|how| how.way.clone());
            self.remember_probe(probed, way, pod.map(str::to_owned));
        }
        self.evidence = evidence;
        self.take_around();
    }

    /// The selected problem of the home screen.
    pub fn selected_problem(&self) -> Option<&Problem> {
        self.home.problems.get(self.home.list.selected)
    }

    /// The problem that the place is about: the selected one, or that of the page.
    pub fn problem(&self) -> Option<&Problem> {
        let Some(subject) = self.places.subject() else {
            return match self.place() {
                Place::Problems => self.selected_problem(),
                _ => None,
            };
        };
        let key = subject.problem.as_ref()?;
        self.home
            .problems
            .iter()
            .find(|problem| problem.key == *key)
    }

    /// Where the selected entry of the home screen is in the tree: of the untested paths, or else of all, the
    /// first.
    fn selected_problem_place(&self) -> Option<NodeId> {
        let topology = &self.diagnosis.topology;
        match self.selected_problem() {
            Some(problem) => problem.place.clone(),
            None => {
                let coverage = &self.diagnosis.coverage;
                let untested = coverage.untested.first().map(|path| &path.path);
                let path = untested.or(coverage.paths.first().map(|path| &path.path))?;
                let route = topology.places(&path.route).first().copied()?;
                Some(topology.node(route).id.clone())
            }
        }
    }

    /// The last good probe of the connection that is shown.
    pub fn good_probe(&self) -> Option<&Probed> {
        let shown = self.shown_probe()?;
        self.good.get(&shown.probed.plan.key())
    }

    /// The probes of connections at or below the selected node (or, for an endpoint or a Service,
    /// of that), the worst first.
    pub fn probes_of_selected(&self) -> Vec<&Probed> {
        let Some((index, _)) = self.selected() else {
            return Vec::new();
        };
        let mut probes: Vec<&Probed> = self
            .evidence
            .probes()
            .filter(|probed| self.concerns(index, &probed.plan))
            .collect();
        probes.sort_by_key(|probed| match &probed.result {
            Err(_) => 0,
            Ok(transcript) if transcript.nginx.outcome != Outcome::Ok => 1,
            Ok(_) => 2,
        });
        probes
    }

    /// The handshake that is shown: that of a cell of the matrix, or one of the selection's.
    pub fn shown_probe(&self) -> Option<Shown<'_>> {
        if let Some(opened) = &self.detail.opened {
            return Some(Shown {
                probed: &opened.probed,
                number: 0,
                count: 1,
                way: opened.way.as_ref(),
                context: self.context_of(&opened.probed),
                listener: self.listener_seen(&opened.probed.plan),
            });
        }
        let all = self.probes_of_selected();
        let count = all.len();
        let number = self.detail.endpoint.checked_rem(count)?;
        let probed = all[number];
        let around = self.around.get(&probed.plan.key());
        let around = around.filter(|around| around.at == probed.at);
        Some(Shown {
            probed,
            number,
            count,
            way: around.map(|around| &around.way),
            context: self.context_of(probed),
            listener: self.listener_seen(&probed.plan),
        })
    }

    /// The context of a probe, as far as it is known.
    fn context_of(&self, probed: &Probed) -> &ProbeContextState {
        let around = self.around.get(&probed.plan.key());
        let around = around.filter(|around| around.at == probed.at);
        around.map_or(&ProbeContextState::NotAsked, |around| &around.context)
    }

    /// Whether a plan's connection is at or below a node.
    fn concerns(&self, index: NodeIx, plan: &ProbePlan) -> bool {
        use ngf_core::model::topology::NodeKind;
        let topology = &self.diagnosis.topology;
        // From the node upwards every level that the plan names must agree.
        std::iter::once(index)
            .chain(topology.ancestors(index))
            .all(|place| {
                let node = topology.node(place);
                match &node.what {
                    NodeKind::Group(_)
                    | NodeKind::Class
                    | NodeKind::ListenerSet
                    | NodeKind::Policy { .. } => true,
                    NodeKind::Gateway => node.object.as_ref() == Some(&plan.gateway),
                    NodeKind::Listener { name } => {
                        plan.listener.as_ref().is_none_or(|(owner, listener)| {
                            listener == name && node.object.as_ref() == Some(owner)
                        })
                    }
                    NodeKind::Route { .. } => node.object.as_ref() == Some(&plan.route),
                    NodeKind::Rule { index } => *index == plan.rule,
                    NodeKind::Backend(backend) => {
                        backend.service.as_ref() == Some(&plan.service)
                            && backend.port.is_none_or(|port| port == plan.port)
                    }
                    NodeKind::Endpoint(endpoint) => {
                        endpoint.address == plan.endpoint.address
                            && endpoint.port == plan.endpoint.port
                    }
                }
            })
    }
}
