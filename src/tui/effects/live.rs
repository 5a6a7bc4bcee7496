//! The worlds of the terminal interface: files, a cluster, the embedded cluster.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use ngf_tls::transcript::{Step, Transcript};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    options::{LiveOptions, Stages},
    places::Places,
};
use crate::tui::state::{
    event::Stage as StageEvent,
    job::{
        By, Connected, Job, ListenerSeen, MatrixNews, ProbeResult, Session, SurveyNews, SwitchTo,
        Work,
    },
    lines::{BYTES, LINES, Read},
};
use ngf_cluster::temporary::{self, Agreed, Made, ONCE, Preparation, TransportRequest, WATCHING};
use ngf_cluster::{
    Cluster, KubeContext, LogOptions,
    endpoint_matrix::{self, EndpointMatrix},
    probe_context::ProbeContext,
    prober::{
        Extras, Prober, listeners,
        survey::{self, Extent, Rate},
    },
    transport::{Confirmation, Leftovers, MakeOptions, Transports, Via},
};
use ngf_core::{
    diagnosis::{
        evidence::Meeting,
        plan::{ProbePlan, ProbeTarget, plan_every},
    },
    fix::{self, FixPlan},
    logs::PodLog,
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
    nginx_config::InPod,
};
use ngf_text::in_words;

/// Probes of a matrix that run at a time.
const PARALLEL: usize = 16;
/// How long a survey may take.
const SURVEY: Duration = Duration::from_secs(30);

/// How long it may take to read what the data planes are using.
const READING: Duration = Duration::from_mins(1);

/// Why one cannot switch.
const NO_PLACES: &str = "there is no other context or namespace here";

/// Objects from files: nothing to connect to.
pub struct Files;

impl Session for Files {}

/// A cluster.
pub struct Live {
    transports: Transports,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    options: LiveOptions,
    stages: Option<Arc<dyn Stages>>,
    places: Option<Places>,
}

impl Live {
    /// A cluster, of which `snapshots` holds the newest.
    pub fn new(
        cluster: Cluster,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        options: LiveOptions,
    ) -> Self {
        let snapshot = Arc::clone(&snapshots.borrow());
        Self {
            transports: Transports::new(cluster, snapshot),
            snapshots,
            options,
            stages: None,
            places: None,
        }
    }

    /// The same cluster, with stages to walk through.
    #[must_use]
    pub fn with_stages(self, stages: Arc<dyn Stages>) -> Self {
        Self {
            stages: Some(stages),
            ..self
        }
    }

    /// The same cluster, from which one may switch to others.
    #[must_use]
    pub fn with_places(self, places: Places) -> Self {
        Self {
            stages: self.stages.or_else(|| places.stages.clone()),
            places: Some(places),
            ..self
        }
    }

    /// The transports of this moment.
    fn now(&self) -> Transports {
        self.transports.at(Arc::clone(&self.snapshots.borrow()))
    }

    /// Waits until NGF has written the status of what a plan changed; why it has not, once its time is over.
    async fn not_applied_by_ngf(&self, plan: &FixPlan) -> Option<String> {
        let mut snapshots = self.snapshots.clone();
        let end = tokio::time::Instant::now() + fix::PATIENCE;
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            let why = fix::status_behind(plan, &snapshot)?;
            match tokio::time::timeout_at(end, snapshots.changed()).await {
                Ok(Ok(())) => {}
                // Nobody follows the cluster any more, so no later status arrives.
                Ok(Err(_)) => return None,
                Err(_) => return Some(why),
            }
        }
    }

    /// A prober for this moment.
    fn prober(&self) -> Prober {
        Prober::new(Arc::new(self.now()), self.options.prober())
    }

    /// What nginx is using in the data planes of these Gateways: where one was left behind, that is the
    /// cause, and only its own files show it.
    async fn in_use(
        &self,
        transports: &Transports,
        gateways: &[ObjectRef],
        cancel: &CancellationToken,
    ) -> Option<Vec<InPod>> {
        let reading = ngf_cluster::nginx_config::read(
            transports.cluster(),
            transports.snapshot(),
            gateways,
            READING,
        );
        let (mut pods, _) = cancel.run_until_cancelled(reading).await?;
        pods.retain(|in_pod| in_pod.found.is_ok());
        Some(pods)
    }

    /// Handshakes with the listeners of these plans.
    async fn listener_handshakes(
        &self,
        chosen: Vec<(Meeting, ProbePlan)>,
        cancel: &CancellationToken,
    ) -> Vec<ListenerSeen> {
        let transports = self.now();
        listeners::run(&transports, chosen, self.options.timeout, SURVEY, cancel).await
    }

    async fn round(
        &self,
        gateway: &ObjectRef,
        by: &By,
        cancel: &CancellationToken,
        news: mpsc::Sender<MatrixNews>,
    ) -> Result<EndpointMatrix, String> {
        let prober = self.prober();
        let transports = prober.transports();
        let target = ProbeTarget::Gateway(gateway.clone());
        let snapshot = transports.snapshot();
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let planning =
            plan_every(snapshot, &index, &topology, &target).map_err(|why| why.to_string())?;
        let (columns, notes) = match by.made.get(gateway) {
            Some(made) => (endpoint_matrix::made_columns(made), Vec::new()),
            None => endpoint_matrix::columns(transports, gateway, by.via, None).await?,
        };
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let waiting = EndpointMatrix::waiting(planning.plans.clone(), names, Timestamp::now());
        let _ = news.send(MatrixNews::Began(Box::new(waiting))).await;
        let mut matrix = endpoint_matrix::run(
            &prober,
            planning.plans,
            &columns,
            PARALLEL,
            cancel,
            |done| {
                let news = news.clone();
                async move {
                    let _ = news.send(MatrixNews::Done(Box::new(done))).await;
                }
            },
        )
        .await;
        matrix.notes.splice(0..0, notes);
        if !by.made.contains_key(gateway)
            && matrix.has_faults()
            && let Some(pods) = self
                .in_use(transports, std::slice::from_ref(gateway), cancel)
                .await
        {
            let _ = news.send(MatrixNews::Using(pods)).await;
        }
        let refused = planning.refused.iter().map(|(_, why)| why.to_string());
        matrix.notes.extend(refused);
        Ok(matrix)
    }
}

impl Session for Live {
    fn messages(&self) -> Option<mpsc::Receiver<String>> {
        Some(self.transports.cluster().screen_is_drawn())
    }

    fn logs(&self, cancel: &CancellationToken) -> Option<mpsc::Receiver<PodLog>> {
        let cluster = self.transports.cluster();
        Some(ngf_cluster::logs::watch(
            cluster,
            self.snapshots.clone(),
            cancel,
        ))
    }

    fn prepare<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Preparation, String>> {
        async move {
            let (every_pod, lives) = match &job.work {
                Work::Probes(_) | Work::Survey => (false, ONCE),
                Work::EndpointMatrix { watch: false, .. } => (true, ONCE),
                Work::EndpointMatrix { watch: true, .. } => (true, WATCHING),
            };
            let request = TransportRequest {
                via: job.via,
                gateways: job.work.gateways(),
                every_pod,
                pod: None,
                options: MakeOptions {
                    image: self.options.image.clone(),
                    lives,
                    ..MakeOptions::default()
                },
            };
            temporary::prepare(&self.now(), &request).await
        }
        .boxed()
    }

    fn make<'a>(
        &'a self,
        agreed: Agreed,
        leftovers: &'a Leftovers,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Made, String>> {
        async move { temporary::make(&self.now(), agreed, leftovers, cancel).await }.boxed()
    }

    fn probe_telling<'a>(
        &'a self,
        plan: &'a ProbePlan,
        by: &'a By,
        steps: mpsc::Sender<Step>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        async move {
            let extras = Extras {
                steps: Some(steps),
                ..Extras::default()
            };
            self.prober().probe(plan, by, &extras, cancel).await
        }
        .boxed()
    }

    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        by: &'a By,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        async move {
            let extras = Extras::default();
            self.prober().probe(plan, by, &extras, cancel).await
        }
        .boxed()
    }

    fn listeners<'a>(
        &'a self,
        plans: &'a [ProbePlan],
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Vec<ListenerSeen>> {
        let chosen = listeners::select(self.now().snapshot(), plans);
        self.listener_handshakes(chosen, cancel).boxed()
    }

    fn probe_context<'a>(
        &'a self,
        plan: &'a ProbePlan,
        seen: &'a ProbeResult,
        began: Timestamp,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<ProbeContext>> {
        async move { Some(self.prober().context(plan, seen, began, cancel).await) }.boxed()
    }

    fn matrix<'a>(
        &'a self,
        gateway: &'a ObjectRef,
        by: &'a By,
        cancel: &'a CancellationToken,
        news: mpsc::Sender<MatrixNews>,
    ) -> BoxFuture<'a, Result<EndpointMatrix, String>> {
        self.round(gateway, by, cancel, news).boxed()
    }

    fn settle<'a>(
        &'a self,
        seen: &'a ProbeResult,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<Transcript>> {
        async move { self.prober().settle(seen, cancel).await }.boxed()
    }

    fn survey<'a>(
        &'a self,
        via: Via,
        cancel: &'a CancellationToken,
        news: mpsc::Sender<SurveyNews>,
    ) -> BoxFuture<'a, ()> {
        async move {
            let prober = self.prober();
            let transports = prober.transports();
            let plans = survey::plans(transports.snapshot(), &[], Extent::Sample);
            let of_listeners = listeners::select(transports.snapshot(), &plans);
            let meet = async {
                let seen = self.listener_handshakes(of_listeners, cancel).await;
                if !seen.is_empty() {
                    let _ = news.send(SurveyNews::Listeners(seen)).await;
                }
            };
            let selection = survey::select(transports, &plans, via, Extent::Sample).await;
            drop(plans);
            let began = SurveyNews::Began {
                paths: selection.paths,
                handshakes: selection.probes.len(),
                via: selection.via,
            };
            let _ = news.send(began).await;
            let mut failing = Vec::new();
            let tell = |tested: survey::Tested| {
                if tested.failed() && !failing.contains(&tested.probed.plan.gateway) {
                    failing.push(tested.probed.plan.gateway.clone());
                }
                let news = news.clone();
                async move {
                    let _ = news.send(SurveyNews::Done(Box::new(tested))).await;
                }
            };
            let survey = survey::run(&prober, selection, Rate::Calm, SURVEY, cancel, tell);
            futures::join!(survey, meet);
            if !failing.is_empty()
                && let Some(pods) = self.in_use(transports, &failing, cancel).await
            {
                let _ = news.send(SurveyNews::Using(pods)).await;
            }
            let _ = news.send(SurveyNews::Ended).await;
        }
        .boxed()
    }

    fn lines(&self, of: Vec<(ObjectRef, String)>) -> BoxFuture<'_, Read> {
        let options = LogOptions {
            tail: Some(LINES),
            limit: Some(BYTES),
            timestamps: true,
            ..LogOptions::default()
        };
        async move {
            let options = &options;
            let cluster = self.transports.cluster();
            let read = of.into_iter().map(|(pod, container)| async move {
                let text = cluster
                    .pod_log(&pod.namespace, &pod.name, &container, options)
                    .await
                    .map_err(|error| in_words(&error));
                (pod, container, text)
            });
            futures::future::join_all(read).await
        }
        .boxed()
    }

    fn contexts(&self) -> BoxFuture<'_, Result<Vec<KubeContext>, String>> {
        async move {
            match &self.places {
                Some(places) => places.contexts().await,
                None => Err(NO_PLACES.to_owned()),
            }
        }
        .boxed()
    }

    fn switch<'a>(&'a self, to: &'a SwitchTo) -> BoxFuture<'a, Result<Connected, String>> {
        async move {
            match &self.places {
                Some(places) => places.connect(to).await,
                None => Err(NO_PLACES.to_owned()),
            }
        }
        .boxed()
    }

    fn configuration<'a>(
        &'a self,
        gateways: &'a [ObjectRef],
    ) -> BoxFuture<'a, Result<crate::tui::state::job::InUse, String>> {
        async move {
            let transports = self.now();
            let (cluster, snapshot) = (transports.cluster(), transports.snapshot());
            Ok(ngf_cluster::nginx_config::read(cluster, snapshot, gateways, READING).await)
        }
        .boxed()
    }

    fn read_again(&self, object: &ObjectRef) {
        self.transports.cluster().read_again(object);
    }

    fn try_fix<'a>(&'a self, plan: &'a FixPlan) -> BoxFuture<'a, Result<Vec<String>, String>> {
        async move {
            let cluster = self.transports.cluster();
            ngf_cluster::fix::who_may(cluster, plan).await?;
            let tried = ngf_cluster::fix::dry_run(cluster, plan).await;
            tried.map_err(|error| in_words(&error))
        }
        .boxed()
    }

    fn apply_fix<'a>(
        &'a self,
        plan: &'a FixPlan,
        agreed: Confirmation,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        async move {
            let applied = ngf_cluster::fix::apply(self.transports.cluster(), plan, agreed).await;
            let mut done = applied.map_err(|error| in_words(&error))?;
            match self.not_applied_by_ngf(plan).await {
                None => Ok(done),
                Some(why) => {
                    done.push(format!("NGF has not applied the change: {why}"));
                    Err(done.join("; "))
                }
            }
        }
        .boxed()
    }

    fn go_to_stage(&self, index: usize) -> BoxFuture<'_, Result<StageEvent, String>> {
        match &self.stages {
            Some(stages) => stages.go_to_stage(index),
            None => async { Err("there are no stages here".to_owned()) }.boxed(),
        }
    }
}
