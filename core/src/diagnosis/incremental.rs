//! A diagnosis that is kept up to date: one change costs what the part of the cluster costs that it is tied to.
//!
//! The rules judge a part by itself, before the change and after it. Before the change they have to find exactly what
//! they found of these objects when all were judged together; else, and wherever a change cannot be told to be one part's
//! own, everything is judged again.

mod links;
mod shape;
mod ties;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use self::{
    links::{Links, Region},
    ties::DataPlanePods,
};
use super::{
    Diagnosis, Evidence, Finding,
    code::Code,
    context::{Context, Surroundings},
    coverage::{self},
    elsewhere::Elsewhere,
    engine::{Judged, judge, ordered},
    evidence::{Place, Probed},
    health::{self, Ground, Health},
    hidden,
    ngf::Running,
    suppress::Filtered,
};
use crate::model::{
    index::Index,
    object::ObjectRef,
    snapshot::{Snapshot, Source},
    topology::Topology,
};

use shape::Shape;

/// Rules that gather what they find of several objects in one finding.
const GATHERING: &[Code] = &[Code::S7, Code::S8, Code::S9];

/// Of fewer objects it does not matter how they are judged.
const FEW: usize = 200;

/// Parts of which is kept what the rules said of them by themselves.
const KNOWN_PARTS: usize = 16;

/// Whether a part is so large that judging it before and after costs more than judging everything.
fn is_most(part: usize, all: usize) -> bool {
    part > FEW && part * 2 > all
}

/// Why everything was judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing was known before.
    First,
    /// The objects come from files, where what is missing may exist all the same.
    Files,
    /// What changed belongs to every part: a GatewayClass, NGF's control plane, what is known of a kind.
    Everywhere,
    /// Most objects are tied to what changed.
    TooLarge,
    /// A rule looked at all objects of the kind that changed.
    Wide,
    /// It was measured or read of an object that no part has.
    Evidence,
    /// Time may have changed what was found, and it is not known of which objects.
    Time,
    /// By themselves the objects of the part were judged otherwise than together with all others.
    Differs,
    /// What is found of objects of other parts changed with it.
    Others,
    /// One finding gathers objects of several parts.
    Gathered,
}

/// How often what was judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nothing had changed.
    pub kept: usize,
    /// A part was judged.
    pub parts: usize,
    /// Everything was judged.
    pub whole: BTreeMap<Why, usize>,
}

/// A diagnosis that is kept up to date.
#[derive(Default)]
pub struct Incremental {
    last: Option<Last>,
    counts: Counts,
}

/// What was judged last.
struct Last {
    snapshot: Arc<Snapshot>,
    evidence: Evidence,
    now: Timestamp,
    judged: Judged,
    shape: Shape,
    /// The data-plane pods that evidence is from.
    pods: DataPlanePods,
    /// Built when it is first needed.
    links: Option<Links>,
    /// From when on, in seconds since 1970, something may be another for the objects of a part.
    due: BTreeMap<i64, Arc<BTreeSet<ObjectRef>>>,
    /// What the rules said last of parts, the newest last.
    known: VecDeque<Known>,
}

/// What the rules say of a part by itself, as it is now.
struct Known {
    region: Region,
    findings: Vec<Finding>,
    /// What they were told of the rest, where they asked.
    elsewhere: Option<Elsewhere>,
    /// From when on, in seconds since 1970, they may say something else.
    until: i64,
}

impl Incremental {
    /// One that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the last diagnosis was made of the very same, but for Events and the moment.
    pub fn is_of(&self, snapshot: &Snapshot, evidence: &Evidence) -> bool {
        self.last.as_ref().is_some_and(|last| {
            last.snapshot.is_same_but_for_events(snapshot) && last.evidence.is_same(evidence)
        })
    }

    /// How often what was judged until now.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The diagnosis of a snapshot, as [`Diagnosis::of`] makes it; `None` where the one before still holds.
    pub fn update(
        &mut self,
        snapshot: &Arc<Snapshot>,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Option<Diagnosis> {
        let step = match &mut self.last {
            Some(last) => last.step(snapshot, evidence, now),
            None => Err(Why::First),
        };
        match step {
            Ok(None) => {
                self.counts.kept += 1;
                None
            }
            Ok(diagnosis) => {
                self.counts.parts += 1;
                diagnosis
            }
            Err(why) => {
                *self.counts.whole.entry(why).or_default() += 1;
                Some(self.whole(snapshot, evidence, now))
            }
        }
    }

    fn whole(
        &mut self,
        snapshot: &Arc<Snapshot>,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Diagnosis {
        let (diagnosis, judged) = Diagnosis::judged(snapshot, evidence, now);
        let before = self.last.take();
        self.last = judged.map(|judged| Last {
            shape: Shape::of(&diagnosis),
            pods: evidence.data_plane_pods(),
            snapshot: Arc::clone(snapshot),
            evidence: evidence.clone(),
            now,
            judged,
            links: before.and_then(|before| before.links),
            due: BTreeMap::new(),
            known: VecDeque::new(),
        });
        diagnosis
    }
}

impl Last {
    /// Judges the part that has changed. After an error everything has to be judged; the links are those of the new
    /// snapshot then, or gone.
    fn step(
        &mut self,
        snapshot: &Arc<Snapshot>,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Option<Diagnosis>, Why> {
        let links = self.links.take();
        let changed = self.snapshot.changed_objects(snapshot);
        let changed = changed.ok_or(Why::Everywhere)?;
        let mut also = self.also(evidence, now)?;
        if changed.is_empty() && also.is_empty() {
            self.links = links;
            if now < self.now || now.as_second() >= self.judged.asked.until {
                return Err(Why::Time);
            }
            self.snapshot = Arc::clone(snapshot);
            return Ok(None);
        }
        if matches!(snapshot.source, Source::Files { .. }) {
            return Err(Why::Files);
        }
        let mut links = links.unwrap_or_else(|| Links::of(&self.snapshot, &self.pods));
        if !self.evidence.is_same(evidence) {
            self.pods = evidence.data_plane_pods();
        }
        if changed.iter().any(|one| links.is_everywhere(snapshot, one)) {
            return Err(Why::Everywhere);
        }
        also.retain(|object| !changed.contains(object));
        let is_known = also.iter().all(|object| links.knows(object));
        let region = links.update(snapshot, &self.pods, &changed, &also);
        let step = Step {
            snapshot,
            evidence,
            now,
            region: &region,
            links: &links,
        };
        let judged = if !is_known {
            Err(Why::Evidence)
        } else if now < self.now || now.as_second() >= self.judged.asked.until {
            Err(Why::Time)
        } else if is_most(region.objects().len(), links.len()) {
            Err(Why::TooLarge)
        } else if self.is_wide(snapshot, &changed) {
            Err(Why::Wide)
        } else if Running::of(snapshot) != self.judged.running {
            Err(Why::Everywhere)
        } else {
            self.judge(&step)
        };
        self.links = Some(links);
        let (part, elsewhere) = judged?;
        let until = part.judged.asked.until;
        self.due = self.due.split_off(&(now.as_second() + 1));
        let objects = Arc::new(region.objects().clone());
        self.due
            .entry(until)
            .and_modify(|known| *known = Arc::new(known.union(&objects).cloned().collect()))
            .or_insert(objects);
        self.snapshot = Arc::clone(snapshot);
        if !self.evidence.is_same(evidence) {
            self.known.clear();
        }
        self.evidence = evidence.clone();
        self.now = now;
        let diagnosis = self.finish(&region, &part);
        self.keep(region, part.judged, elsewhere);
        Ok(Some(diagnosis))
    }

    /// Keeps what the rules said of a part: before its next change they need not be asked again.
    fn keep(&mut self, region: Region, judged: Judged, elsewhere: Elsewhere) {
        self.known
            .retain(|known| known.region.is_apart_from(&region));
        if self.known.len() == KNOWN_PARTS {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            region,
            findings: judged.findings,
            elsewhere: judged.asked.elsewhere.then_some(elsewhere),
            until: judged.asked.until,
        });
    }

    /// What the rules said of a region by itself before the change, where that is known.
    fn known(&self, region: &Region, elsewhere: &Elsewhere) -> Option<&[Finding]> {
        let is_same = |known: &&Known| {
            let told = known.elsewhere.as_ref();
            known.region == *region
                && told.is_none_or(|told| told == elsewhere)
                && self.now.as_second() < known.until
        };
        Some(&self.known.iter().find(is_same)?.findings)
    }

    /// What is to be judged again without a change of its own: what somebody measured, and what time may change.
    fn also(&self, evidence: &Evidence, now: Timestamp) -> Result<BTreeSet<ObjectRef>, Why> {
        let mut also = BTreeSet::new();
        if !self.evidence.is_same(evidence) {
            if self.evidence.is_of_all() || evidence.is_of_all() {
                return Err(Why::Evidence);
            }
            also = self.evidence.changed(evidence).ok_or(Why::Evidence)?;
        }
        for (_, objects) in self.due.range(..=now.as_second()) {
            let is_there = |object: &&ObjectRef| self.snapshot.has_entry(object);
            also.extend(objects.iter().filter(is_there).cloned());
        }
        Ok(also)
    }

    /// Whether a rule looked at all objects of a kind that has changed, or at the name of an object that came or went.
    fn is_wide(&self, snapshot: &Snapshot, changed: &BTreeSet<ObjectRef>) -> bool {
        let asked = &self.judged.asked;
        changed.iter().any(|object| {
            let came_or_went = || self.snapshot.has_entry(object) != snapshot.has_entry(object);
            asked.wide.contains(&object.kind) || asked.names.contains(object) && came_or_went()
        })
    }

    /// Puts the findings in order, and the part's tree in its place.
    fn finish(&mut self, region: &Region, part: &Part) -> Diagnosis {
        let findings = ordered(self.judged.findings.clone());
        let is_of_part = |object: &ObjectRef| region.holds(object);
        let (topology, new) =
            self.shape
                .topology
                .spliced(&self.snapshot, &part.topology, is_of_part);
        let at_node = health::findings_by_node(&topology, &findings);
        let ground = Ground {
            snapshot: &part.snapshot,
            evidence: &part.evidence,
            topology: &topology,
            gateways: &part.judged.gateways,
            probes: &part.judged.probes,
        };
        let Shape {
            own,
            worst,
            coverage,
            ..
        } = &mut self.shape;
        own.resize(topology.bound(), Health::Unknown);
        worst.resize(topology.bound(), Health::Unknown);
        let roots = topology.roots().iter();
        health::own(
            &ground,
            &findings,
            &at_node,
            roots.chain(&new).copied(),
            own,
        );
        health::worst_of(&topology, &new, own, worst);
        let of_part = coverage::of(&ground, own, new.iter().copied());
        coverage.replace(of_part, is_of_part);
        self.shape.topology = topology;
        Diagnosis {
            topology: self.shape.topology.clone(),
            findings,
            running: self.judged.running.clone(),
            differences: self.judged.differences.clone(),
            coverage: self.shape.coverage.clone(),
            loading: 0,
            hidden: hidden::of(&self.snapshot, &self.evidence),
            filtered: Filtered::default(),
            own: self.shape.own.clone(),
            worst: self.shape.worst.clone(),
            at_node,
        }
    }

    /// Judges the region by itself, before and after, and puts what comes of it in the place of what was. After an error
    /// nothing has changed.
    fn judge(&mut self, step: &Step<'_>) -> Result<(Part, Elsewhere), Why> {
        let region = step.region;
        let elsewhere = self.judged.facts.without(|object| region.holds(object));
        let running = &self.judged.running;
        let asked;
        let before = match self.known(region, &elsewhere) {
            Some(findings) => findings,
            None => {
                let (snapshot, evidence) = (&self.snapshot, &self.evidence);
                asked = step.of(snapshot, evidence, self.now, &elsewhere, running)?;
                &asked.judged.findings
            }
        };
        let part = step.of(step.snapshot, step.evidence, step.now, &elsewhere, running)?;
        let after = &part.judged;
        let is_inside =
            |finding: &Finding| finding.input.is_none() && region.holds(&finding.subject);
        let is_in = |finding: &&Finding| is_inside(finding);
        let (known, rest): (Vec<&Finding>, Vec<&Finding>) =
            self.judged.findings.iter().partition(is_in);
        let (inside, outside): (Vec<&Finding>, Vec<&Finding>) = before.iter().partition(is_in);
        if known != inside {
            return Err(Why::Differs);
        }
        let (new, others): (Vec<&Finding>, Vec<&Finding>) = after.findings.iter().partition(is_in);
        if outside != others {
            return Err(Why::Others);
        }
        let gathers = |finding: &&&Finding| GATHERING.contains(&finding.code);
        let mut gathered = inside.iter().chain(&new).filter(gathers);
        if gathered.any(|one| rest.iter().any(|other| other.code == one.code)) {
            return Err(Why::Gathered);
        }
        let mut facts = elsewhere.clone();
        facts.add(after.facts.clone());
        let asks_elsewhere = self.judged.asked.elsewhere || after.asked.elsewhere;
        if asks_elsewhere && facts != self.judged.facts {
            return Err(Why::Others);
        }
        let new: Vec<Finding> = new.into_iter().cloned().collect();
        let judged = &mut self.judged;
        judged.findings.retain(|finding| !is_inside(finding));
        judged.findings.extend(new);
        judged.findings.sort_by(Finding::by_rule);
        // What is said of an object is said of one that is there or was.
        for object in region.objects() {
            judged.differences.remove(object);
            judged.gateways.remove(object);
        }
        judged.differences.extend(after.differences.clone());
        judged.gateways.extend(after.gateways.iter().cloned());
        let is_outside = |probed: &Probed| !region.holds(&probed.plan.route);
        judged.probes.retain(is_outside);
        judged.probes.extend(after.probes.iter().cloned());
        judged.asked.add(&after.asked);
        judged.facts = facts;
        Ok((part, elsewhere))
    }
}

/// A part of a cluster by itself.
struct Part {
    snapshot: Snapshot,
    evidence: Evidence,
    topology: Topology,
    judged: Judged,
}

/// What is judged again.
struct Step<'s> {
    snapshot: &'s Snapshot,
    evidence: &'s Evidence,
    now: Timestamp,
    region: &'s Region,
    links: &'s Links,
}

impl Step<'_> {
    /// What the rules say of the region by itself at one moment.
    fn of(
        &self,
        cluster: &Snapshot,
        evidence: &Evidence,
        now: Timestamp,
        elsewhere: &Elsewhere,
        running: &Running,
    ) -> Result<Part, Why> {
        let everywhere = self.links.everywhere();
        let part = cluster.part(self.region.objects().iter().chain(everywhere));
        let evidence = evidence.part(|object| {
            if self.region.holds(object) {
                Place::Here
            } else if self.links.knows(object) {
                Place::Elsewhere
            } else {
                Place::Nowhere
            }
        });
        let index = Index::of(&part);
        let topology = Topology::with(&part, &index);
        let surroundings = Surroundings {
            cluster,
            elsewhere,
            running: running.clone(),
        };
        let judged = {
            let context = Context::within(surroundings, &part, &evidence, now, &index, &topology);
            judge(&context)
        };
        drop(index);
        if judged.asked.is_cut {
            return Err(Why::Wide);
        }
        Ok(Part {
            snapshot: part,
            evidence,
            topology,
            judged,
        })
    }
}
