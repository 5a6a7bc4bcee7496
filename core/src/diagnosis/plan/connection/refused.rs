//! What clients get where NGF refuses a backend: it depends on the other backends of the Gateway.

use super::{Place, Planner};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        ngf::{Answer, RuleDecision, Written, decide_rule, refused::answer},
        plan::PlanError,
    },
    model::topology::NodeKind,
};

impl<'a> Planner<'a> {
    /// The error for a backend that NGF refuses, for the reason `message`.
    pub(super) fn refuses(
        &mut self,
        at: &Place<'a>,
        rule: &RuleDecision<'a>,
        label: &str,
        message: impl Into<String>,
        code: Code,
    ) -> PlanError {
        PlanError::Refused {
            answer: Box::new(self.answer(at, rule)),
            service: label.to_owned(),
            message: message.into(),
            code,
        }
    }

    fn answer(&mut self, at: &Place<'a>, rule: &RuleDecision<'a>) -> Answer {
        let gateway = &at.gateway.reference;
        if !self.written.contains_key(gateway) {
            let written = self.written(at);
            self.written.insert(gateway.clone(), written);
        }
        let written = self.written.get(gateway).cloned().unwrap_or_default();
        answer(at.gateway, at.route.reference.kind, rule, &written)
    }

    /// The CA bundles that NGF writes for the Gateway.
    fn written(&self, at: &Place<'a>) -> Written {
        let topology = self.topology;
        let places = topology.places(&at.gateway.reference).into_iter();
        let below = places
            .filter(|place| matches!(topology.node(*place).what, NodeKind::Gateway))
            .flat_map(|place| topology.subtree(place));
        let routes = below.filter_map(|place| {
            let node = topology.node(place);
            let is_route = matches!(node.what, NodeKind::Route { .. });
            let route = node.object.as_ref().filter(|_| is_route)?;
            self.snapshot.routes.get(route)
        });
        let rules: Vec<RuleDecision<'a>> = routes
            .flat_map(|route| {
                let rules = route.spec.rules.iter().enumerate();
                rules.map(|(index, rule)| {
                    decide_rule(self.snapshot, self.index, self.release, route, index, rule)
                })
            })
            .collect();
        Written::of(self.snapshot, at.gateway, &rules)
    }
}
