//! Kills and what comes of them: a flow is begun, killed at a point, perhaps again during its recovery, run
//! once more as a person would, and what is there then is held against what should be.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::flow::{Flow, Stand};
use super::life::{Life, Shape, Strangers, Wrong};
use super::point::{Chart, Point};
use crate::support::Aws;
use crate::support::control::until;
use crate::support::oracle::Oracle;

/// Simulated seconds in a real one: a cluster starts within one.
const FAST: f64 = 300.0;

/// With listings that lag, around a kill: 30 s take longer than a look at the world.
const SLOW: f64 = 20.0;
const SLOWLY: Duration = Duration::from_millis(1500);

/// Tries to come to a point: concurrent calls may be fewer than when they were charted, and a change may be
/// undone by other calls than those it was made by.
const TRIES: usize = 3;

/// A command of a trial: seconds of work, on cores that others may use as well. What hangs is found as surely later.
const AT_MOST: Duration = Duration::from_mins(5);

/// Plain runs after which a person would have to think.
const RUNS: usize = 3;

/// What is to be killed, and where.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Trial {
    pub(super) flow: Flow,
    pub(super) first: Point,
    /// During the recovery.
    pub(super) second: Option<Point>,
    /// Listings lag by 30 s.
    pub(super) lag: bool,
    #[serde(skip)]
    pub(super) tries: usize,
}

impl Trial {
    pub(super) fn of(flow: Flow, first: Point) -> Self {
        Self { flow, first, second: None, lag: false, tries: 0 }
    }

    /// The same where listings lag.
    pub(super) fn lagging(self) -> Self {
        Self { lag: true, ..self }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) trial: Trial,
    pub(super) kills: usize,
    pub(super) orphans: Vec<String>,
    pub(super) doubles: usize,
    pub(super) touched: Vec<String>,
    /// The one plain run that should have been enough was not.
    pub(super) unfinished: Vec<String>,
    /// Nor were further ones.
    pub(super) human_act: bool,
    pub(super) seconds: f64,
}

impl Verdict {
    pub(super) fn well(&self) -> bool {
        self.orphans.is_empty()
            && self.doubles == 0
            && self.touched.is_empty()
            && self.unfinished.is_empty()
            && !self.human_act
    }
}

/// One AWS with strangers in it, and one stack after another.
pub(super) struct Stage<'a> {
    aws: &'a Aws,
    oracle: &'a Oracle<'a>,
    strangers: Strangers,
    pub(super) chart: Chart,
    life: Life<'a>,
    shape: Shape,
    lives: usize,
}

impl<'a> Stage<'a> {
    /// Sets the stage, and charts one undisturbed run of each of these flows and what they need.
    pub(super) fn set(aws: &'a Aws, oracle: &'a Oracle<'a>, flows: &[Flow], shape: Shape) -> Self {
        let strangers = Strangers::settle(oracle);
        let life = Life::new(aws, oracle, "crash-0".into(), shape);
        let mut stage = Self { aws, oracle, strangers, chart: Chart::default(), life, shape, lives: 0 };
        let asked = |flow: &Flow| ![Flow::Run, Flow::Guard].contains(flow) || flows.contains(flow);
        for flow in Flow::ALL.into_iter().filter(asked) {
            stage.record(flow);
            match flow {
                Flow::UpWithChanges => stage.record(flow),
                Flow::Guard => stage.record(Flow::UpAgain),
                _ => {}
            }
        }
        stage
    }

    /// A kill of a flow, and a second one while it recovers.
    pub(super) fn twice(&self, flow: Flow, draw: &mut fastrand::Rng) -> Trial {
        let second = Some(self.chart.any(flow, draw));
        Trial { second, ..Trial::of(flow, self.chart.any(flow, draw)) }
    }

    fn record(&mut self, flow: Flow) {
        self.life.prepare(flow);
        self.aws.forget_calls();
        self.aws.run(&flow.command(&self.life.file())).expect(0);
        let calls: Vec<_> = self.aws.calls().into_iter().filter(|call| call.caller == "test").collect();
        self.chart.record(flow, &calls, self.life.left());
        let wrong = self.life.check(flow, &self.chart, &self.strangers);
        assert!(wrong.nothing(), "{flow:?}, undisturbed: {wrong:?}");
    }

    /// Plays all trials in an order that wastes little, drawn from the seed, until `heard` has enough.
    pub(super) fn play(
        &mut self,
        mut trials: Vec<Trial>,
        draw: &mut fastrand::Rng,
        mut heard: impl FnMut(&Verdict) -> bool,
    ) {
        draw.shuffle(&mut trials);
        while !trials.is_empty() {
            let at = trials.iter().rposition(|trial| trial.flow.from() == self.life.stand);
            let Some(at) = at else {
                self.go_on(&trials);
                continue;
            };
            let trial = trials.swap_remove(at);
            let verdict = self.kill(trial);
            if !verdict.well() {
                self.begin_anew();
            } else if verdict.kills == 0 && verdict.trial.tries + 1 < TRIES {
                let tries = verdict.trial.tries + 1;
                let first = verdict.trial.first.clone();
                let first = if tries + 1 == TRIES { first.surest() } else { first };
                // At once: a change and its way back are played in turns, and only one of them may come to the point.
                trials.push(Trial { first, tries, ..verdict.trial });
                continue;
            }
            if !heard(&verdict) {
                return;
            }
        }
    }

    /// Goes undisturbed to where the next trial begins.
    fn go_on(&mut self, trials: &[Trial]) {
        let flow = match self.life.stand {
            Stand::Nothing => Flow::UpFromNothing,
            Stand::Kept => Flow::UpAgain,
            Stand::Standing if trials.iter().any(|trial| trial.flow == Flow::UpAgain) => Flow::Down,
            Stand::Standing => Flow::Destroy,
        };
        self.life.prepare(flow);
        self.aws.run(&flow.command(&self.life.file())).expect(0);
    }

    /// Leaves a stack that something went wrong with for the next one.
    fn begin_anew(&mut self) {
        self.aws.heal();
        self.lives += 1;
        self.life = Life::new(self.aws, self.oracle, format!("crash-{}", self.lives), self.shape);
    }

    fn kill(&mut self, trial: Trial) -> Verdict {
        let begun = Instant::now();
        self.life.prepare(trial.flow);
        if trial.lag {
            // What is older is listed.
            self.aws.advance(Duration::from_mins(2));
            self.aws.world(&json!({"listing_lag": {"emr": 30, "iam": 10, "ec2": 10}}));
        }
        let file = self.life.file();
        let command = trial.flow.command(&file);
        let mut wrong = Wrong::default();
        let mut kills = 0;
        for point in std::iter::once(&trial.first).chain(&trial.second) {
            match self.run_to(&command, point, trial.lag) {
                Met::Point => {
                    kills += 1;
                    if trial.flow == Flow::Run && self.last_words().contains("completed s-") {
                        self.life.step_was_told();
                    }
                }
                // Nothing is left to be killed again, and what told its end is not followed on but done once more.
                Met::End(Some(0)) => {
                    if trial.flow == Flow::Run {
                        self.life.step_was_told();
                    }
                    break;
                }
                Met::End(code) => {
                    wrong.unfinished.push(format!("it ended with {code:?} before {point}: {}", self.last_words()));
                    break;
                }
                Met::Nothing => {
                    wrong.unfinished.push(format!("it came neither to {point} nor to an end: {}", self.last_words()));
                }
            }
        }
        let mut human_act = false;
        for run in 0..RUNS {
            match self.run_to_the_end(&command, trial.lag) {
                Some(0) => break,
                code if run == 0 => {
                    wrong.unfinished.push(format!("run again, it ended with {code:?}: {}", self.last_words()));
                }
                _ => human_act = run + 1 == RUNS,
            }
        }
        if trial.lag {
            self.aws.plain_world();
        }
        let found = self.life.check(trial.flow, &self.chart, &self.strangers);
        human_act |= !found.unfinished.is_empty() && found.doubles == 0;
        wrong.unfinished.extend(found.unfinished);
        Verdict {
            trial,
            kills,
            orphans: found.orphans,
            doubles: found.doubles,
            touched: found.touched,
            unfinished: wrong.unfinished,
            human_act,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }

    /// Begins a command and kills it at the point.
    fn run_to(&self, command: &[&str], point: &Point, lag: bool) -> Met {
        self.aws.fault(&point.rule());
        let (mut child, begun) = (self.begin(command, lag), Instant::now());
        let mut slow = lag;
        let mut ended = None;
        let over = until(AT_MOST, || {
            if slow && begun.elapsed() > SLOWLY {
                self.aws.set_rate(FAST);
                slow = false;
            }
            ended = child.try_wait().expect("a child of ours");
            ended.is_some() || self.aws.hanging() > 0
        });
        if lag {
            self.aws.set_rate(SLOW);
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        self.aws.heal();
        match ended {
            Some(status) => Met::End(status.code()),
            None if over => Met::Point,
            None => Met::Nothing,
        }
    }

    fn run_to_the_end(&self, command: &[&str], lag: bool) -> Option<i32> {
        let (mut child, begun) = (self.begin(command, lag), Instant::now());
        let mut slow = lag;
        let mut ended = None;
        until(AT_MOST, || {
            if slow && begun.elapsed() > SLOWLY {
                self.aws.set_rate(FAST);
                slow = false;
            }
            ended = child.try_wait().expect("a child of ours");
            ended.is_some()
        });
        if slow {
            self.aws.set_rate(FAST);
        }
        if ended.is_none() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
        ended.and_then(|status| status.code())
    }

    fn begin(&self, command: &[&str], lag: bool) -> Child {
        if lag {
            self.aws.set_rate(SLOW);
        }
        let told = File::create(self.aws.folder().join("told")).expect("a file");
        let mut command = self.aws.command(command);
        command.stdin(Stdio::null()).stdout(told.try_clone().expect("a file")).stderr(told);
        command.spawn().expect("the binary starts")
    }

    fn last_words(&self) -> String {
        let told = std::fs::read_to_string(self.aws.folder().join("told")).expect("what it told");
        let lines: Vec<&str> = told.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

/// What a command that was to be killed came to.
enum Met {
    Point,
    End(Option<i32>),
    Nothing,
}
