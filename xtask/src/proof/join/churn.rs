//! What happens to the pods: rollouts, deletions, scaling, restarts, short Jobs, files under one uid, and outages of the
//! API server and the kubelet.

use anyhow::Result;

use super::shapes::{self, NAMESPACE, SHAPES};
use crate::cluster::{self, BOX_IMAGE, Cluster, Options};
use crate::places;

/// How many short Jobs are made at once.
const JOBS: usize = 8;

pub(super) struct Churn<'c> {
    cluster: &'c Cluster,
    options: &'c Options,
    turn: usize,
    jobs: usize,
    second: bool,
    outages: Vec<Outage>,
    silent: bool,
}

/// Something that is away for part of the time.
#[derive(Debug, Clone, Copy)]
struct Outage {
    what: What,
    /// From and until which part of the whole.
    from: f64,
    until: f64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Before,
    Away,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Api,
    Kubelet,
}

impl<'c> Churn<'c> {
    pub(super) fn new(cluster: &'c Cluster, options: &'c Options) -> Self {
        let outage = |what, from, until| Outage { what, from, until, state: State::Before };
        let outages =
            vec![outage(What::Api, 0.3, 0.42), outage(What::Kubelet, 0.6, 0.68), outage(What::Api, 0.8, 0.84)];
        Self { cluster, options, turn: 0, jobs: 0, second: false, outages, silent: false }
    }

    /// Does the next thing; `part` is how much of the time is over. Says what it was.
    pub(super) fn step(&mut self, part: f64) -> Result<Option<String>> {
        if let Some(said) = self.outage(part)? {
            return Ok(Some(said));
        }
        self.turn += 1;
        if self.turn.is_multiple_of(4) {
            self.second = !self.second;
            let file = self.cluster.static_pods().join("twice.yaml");
            places::write(&file, shapes::twice(self.second))?;
            return Ok(Some(format!("a file's pod is another under the same uid: second {}", self.second)));
        }
        if self.silent {
            return Ok(None);
        }
        let rolling: Vec<String> = SHAPES.iter().filter_map(shapes::Shape::rolls).collect();
        let pick = |turn: usize| rolling.get(turn % rolling.len()).cloned().unwrap_or_default();
        let said = match self.turn % 4 {
            1 => {
                let what = pick(self.turn / 4);
                self.kubectl(&["rollout", "restart", &what])?;
                format!("rollout of {what}")
            }
            2 => {
                let manifests: Vec<String> = (self.jobs..self.jobs + JOBS).map(shapes::short).collect();
                self.cluster.create(&manifests.join("---\n"))?;
                self.jobs += JOBS;
                format!("{JOBS} Jobs that live for milliseconds")
            }
            _ if self.turn % 8 == 3 => {
                let pod = format!("lone-{}", (self.turn / 8) % 10);
                let name = format!("look-{}", self.turn);
                let container = format!("--container={name}");
                let image = format!("--image={BOX_IMAGE}");
                self.kubectl(&[
                    "debug",
                    &pod,
                    &image,
                    "--image-pull-policy=Never",
                    &container,
                    "--",
                    "/bin/sleep",
                    "100000",
                ])?;
                format!("an ephemeral container in {pod}")
            }
            _ => {
                let few = ["dep-a", "dep-b", "rs-bare", "rc-old", "set-a"];
                let app = few.get(self.turn % few.len()).copied().unwrap_or("dep-a");
                self.kubectl(&[
                    "delete",
                    "pods",
                    "-l",
                    &format!("app={app}"),
                    "--grace-period=0",
                    "--force",
                    "--wait=false",
                ])?;
                format!("all pods of {app} deleted")
            }
        };
        Ok(Some(said))
    }

    fn outage(&mut self, part: f64) -> Result<Option<String>> {
        let (cluster, options) = (self.cluster, self.options);
        for outage in &mut self.outages {
            let what = outage.what;
            match outage.state {
                State::Before if part >= outage.from => {
                    outage.state = State::Away;
                    match what {
                        What::Api => cluster::kill_api(cluster)?,
                        What::Kubelet => cluster::kill_kubelet(cluster)?,
                    }
                    self.silent |= what == What::Api;
                    return Ok(Some(format!("{what:?} is gone")));
                }
                State::Away if part >= outage.until => {
                    outage.state = State::Over;
                    match what {
                        What::Api => cluster::start_api(cluster, options)?,
                        What::Kubelet => cluster::start_kubelet(cluster, options)?,
                    }
                    self.silent &= what != What::Api;
                    return Ok(Some(format!("{what:?} is there again")));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn kubectl(&self, words: &[&str]) -> Result<()> {
        let all: Vec<&str> = ["-n", NAMESPACE].into_iter().chain(words.iter().copied()).collect();
        self.cluster.kubectl(&all).map(drop)
    }

    /// Ends it, with all that was away there again; says how many short Jobs there were.
    pub(super) fn finish(mut self) -> Result<usize> {
        while self.outage(1.0)?.is_some() {}
        Ok(self.jobs)
    }
}
