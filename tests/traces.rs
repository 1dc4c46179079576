//! Ten thousand days of clusters that never were: a hidden truth, told by late metrics with gaps, judged every five
//! minutes. No work is ended, whatever idles is, and whatever only looks busy is found.

use std::time::Duration;

use fruitsinfra::cloud::mark::Mark;
use fruitsinfra::cloud::promise::Promise;
use fruitsinfra::cloud::steps::Step;
use fruitsinfra::guard::decide::{Doubt, Terms, Verdict, Word, decide, doubt};
use fruitsinfra::guard::facts::{Facts, Sample, Samples, Stage, Warned, Whose};
use fruitsinfra::residency::EuRegion;
use jiff::{SignedDuration, Timestamp};

const TRACES: u64 = 10_000;

/// Minutes of a trace, between its samples, between sweeps.
const HORIZON: i64 = 16 * 60;
const SAMPLE: i64 = 5;
const SWEEP: i64 = 5;

/// A trace's end lies beyond it, but where that is what it is about.
const BEYOND: i64 = 30 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Working,
    Idle,
    Accepted,
    Shell,
    StuckStep,
    /// At work when its end comes.
    Ending,
}

const KINDS: [Kind; 6] = [Kind::Working, Kind::Idle, Kind::Accepted, Kind::Shell, Kind::StuckStep, Kind::Ending];

/// What happens from one minute on until the next segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Idles,
    /// Applications whose containers come and go.
    Interactive,
    /// A job outside any step that holds its containers for hours, and works.
    LongJob,
    /// A step whose containers come and go, or stay, or that has none.
    Step {
        containers: u8,
    },
    /// A shell between two thoughts.
    Thinks,
    Accepted,
    Stuck {
        containers: u8,
    },
}

impl Does {
    fn advances(self) -> bool {
        matches!(self, Self::Interactive | Self::LongJob | Self::Step { .. })
    }
}

#[derive(Debug)]
struct Trace {
    kind: Kind,
    seed: u64,
    bound: i64,
    late: i64,
    expires: i64,
    /// When each begins, in order; the last one lasts.
    segments: Vec<(i64, Does)>,
    /// Samples by their minute.
    samples: Vec<(i64, Sample)>,
    gapless: bool,
}

fn at(minute: i64) -> Timestamp {
    let begun: Timestamp = "2026-01-31T06:00:00Z".parse().expect("a moment");
    begun.checked_add(SignedDuration::from_mins(minute)).expect("a moment")
}

impl Trace {
    fn draw(seed: u64) -> Self {
        let mut draw = fastrand::Rng::with_seed(seed);
        let kind = KINDS[usize::try_from(seed).expect("small") % KINDS.len()];
        let bound = draw.i64(6..=18) * SAMPLE;
        let mut segments = Vec::new();
        let mut minute = draw.i64(0..bound - 15);
        segments.push((0, Does::Idles));
        let busy_until = match kind {
            Kind::Working | Kind::Ending => HORIZON,
            _ => draw.i64(0..180),
        };
        // Steps of one job take about as long; what a first one takes is not known to anybody.
        let usual = draw.i64(10..70);
        let mut ran = false;
        while minute < busy_until {
            let (does, long) = match draw.u8(0..4) {
                0 => (Does::Interactive, draw.i64(20..120)),
                1 => (Does::LongJob, draw.i64(30..300)),
                _ if ran => (Does::Step { containers: draw.u8(0..3) }, draw.i64(1..usual * 2)),
                _ => (Does::Step { containers: draw.u8(0..3) }, usual.max(draw.i64(1..220))),
            };
            ran |= matches!(does, Does::Step { .. });
            segments.push((minute, does));
            minute += long;
            let pause = draw.i64(1..bound - 12);
            segments.push((minute, if draw.bool() { Does::Idles } else { Does::Thinks }));
            minute += pause;
        }
        let last = match kind {
            Kind::Working => None,
            Kind::Ending => Some(Does::Interactive),
            Kind::Idle => Some(Does::Idles),
            Kind::Accepted => Some(Does::Accepted),
            Kind::Shell => Some(Does::Thinks),
            Kind::StuckStep => Some(Does::Stuck { containers: draw.u8(0..2) }),
        };
        segments.extend(last.map(|does| (minute, does)));
        let mut trace = Self {
            expires: if kind == Kind::Ending { draw.i64(120..HORIZON - 60) } else { BEYOND },
            late: draw.i64(1..=12),
            samples: vec![],
            gapless: true,
            kind,
            seed,
            bound,
            segments,
        };
        trace.measure(&mut draw);
        trace
    }

    fn does(&self, minute: i64) -> Does {
        self.segments.iter().rev().find(|(from, _)| *from <= minute).map_or(Does::Idles, |(_, does)| *does)
    }

    /// What EMR tells CloudWatch, with what gets lost on the way.
    fn measure(&mut self, draw: &mut fastrand::Rng) {
        let missing = [0.0, 0.0, 0.05, 0.15][draw.usize(0..4)];
        let hole = if draw.u8(0..4) == 0 { draw.i64(60..HORIZON) } else { HORIZON };
        let hole = hole..hole + draw.i64(20..90);
        let offset = draw.i64(0..SAMPLE);
        let mut last = 0_u8;
        for minute in (offset..HORIZON).step_by(5) {
            let any = || Some(0.0);
            let busy = |running: u8, pending: u8, containers: u8| Sample {
                idle: Some(0.0),
                running: Some(running.into()),
                pending: Some(pending.into()),
                containers: Some(containers.into()),
                memory: Some(100.0 - f64::from(containers) * 2.0),
                hdfs: any(),
            };
            let quiet = Sample { idle: Some(1.0), memory: Some(100.0), ..busy(0, 0, 0) };
            last = (last + draw.u8(1..7)) % 9;
            let mut sample = match self.does(minute) {
                Does::Idles | Does::Step { containers: 0 } => quiet,
                Does::Interactive | Does::Step { containers: 1 } => busy(1, 0, 3 + last),
                Does::LongJob | Does::Step { .. } => busy(1, 0, 12),
                Does::Thinks => busy(1, 0, 1),
                Does::Accepted => busy(0, 1, 0),
                Does::Stuck { containers } => busy(1, 0, containers),
            };
            if draw.f64() < missing || hole.contains(&minute) {
                self.gapless = false;
                continue;
            }
            if missing > 0.0 {
                for value in [&mut sample.idle, &mut sample.running, &mut sample.containers, &mut sample.memory] {
                    if draw.u8(0..50) == 0 {
                        *value = None;
                        self.gapless = false;
                    }
                }
            }
            self.samples.push((minute, sample));
        }
    }

    /// Steps as EMR lists them at this minute: these are never late.
    fn steps(&self, now: i64) -> Vec<Step> {
        let ends = self.segments.iter().skip(1).map(|(from, _)| Some(*from)).chain([None]);
        let steps = self
            .segments
            .iter()
            .zip(ends)
            .filter(|((from, does), _)| *from <= now && matches!(does, Does::Step { .. } | Does::Stuck { .. }));
        let step = |((from, _), end): (&(i64, Does), Option<i64>)| {
            let ended = end.filter(|end| *end <= now);
            Step {
                id: format!("s-{from}"),
                name: format!("features {from:016x}"),
                state: if ended.is_some() { "COMPLETED" } else { "RUNNING" }.into(),
                reason: None,
                created: Some(at(*from)),
                started: Some(at(*from)),
                ended: ended.map(at),
            }
        };
        steps.map(step).collect()
    }

    /// When work last advanced, as it truly was.
    fn advanced(&self, now: i64) -> i64 {
        (0..=now).rev().find(|minute| self.does(*minute).advances()).unwrap_or(0)
    }

    /// Since when it has done what it does last.
    fn settled(&self) -> i64 {
        let (from, does) = *self.segments.last().expect("a segment");
        let before = self.segments.iter().rev().skip(1).take_while(|(_, earlier)| *earlier == does);
        before.last().map_or(from, |(from, _)| *from)
    }

    fn facts(&self) -> Facts {
        let mark = Mark { stack: "demo".into(), address: "cluster/main".into(), owner: "o".into() };
        let promise = Promise {
            home: "demo-home-000000000000".into(),
            expires: at(self.expires),
            idle: Duration::from_secs(u64::try_from(self.bound * 60).expect("positive")),
            liftable: false,
        };
        Facts {
            region: EuRegion::EuWest3,
            id: format!("j-{}", self.seed),
            name: "demo-main".into(),
            stage: Stage::Waiting,
            created: at(-8),
            ready: Some(at(0)),
            whose: Whose::Ours { mark, promise },
            warned: None,
            protected: Some(false),
            nodes: vec![],
            billed: at(-8),
            steps: None,
            samples: Samples::new(),
        }
    }

    /// Sweeps every five minutes until it is killed; each verdict with its minute.
    fn sweep(&self) -> Vec<(i64, Verdict)> {
        let mut facts = self.facts();
        let mut told = Vec::new();
        let mut seen = self.samples.iter().peekable();
        let first = i64::try_from(self.seed % 5).expect("small");
        for now in (first..HORIZON).step_by(usize::try_from(SWEEP).expect("small")) {
            while let Some((minute, sample)) = seen.next_if(|(minute, _)| minute + self.late <= now) {
                facts.samples.insert(at(*minute), *sample);
            }
            facts.steps = None;
            if doubt(&facts, Terms::default(), at(now)) != Doubt::No {
                facts.steps = Some(self.steps(now));
            }
            let verdict = decide(&facts, Terms::default(), at(now));
            assert!(!verdict.reasons.is_empty() && verdict.reasons.iter().all(|r| !r.is_empty()), "{verdict:?}");
            if let Some(warning) = verdict.warning {
                facts.warned = Some(warning);
            }
            let word = verdict.word;
            told.push((now, verdict));
            if word == Word::Kill {
                break;
            }
        }
        told
    }

    /// When it is known by the metrics that it idled for its bound, gaps not counted.
    fn known(&self) -> i64 {
        let quiet = |sample: &Sample| {
            sample.idle == Some(1.0) || sample.idle.is_none() && sample.running.is_some() && sample.containers.is_some()
        };
        let from = self.settled();
        let minutes = self.samples.iter().filter(|(minute, sample)| *minute >= from && quiet(sample)).map(|(m, _)| *m);
        let (mut last, mut idle) = (None::<i64>, 0);
        for minute in minutes {
            match last.map(|last| minute - last) {
                Some(gap) if gap <= 15 => idle += gap.min(SAMPLE),
                _ => idle = 0,
            }
            if idle >= self.bound {
                return minute;
            }
            last = Some(minute);
        }
        HORIZON
    }
}

#[test]
fn ten_thousand_traces_lose_no_work_and_leave_nothing_idle() {
    let (mut kills, mut warned) = (0, 0);
    for seed in 0..TRACES {
        let trace = Trace::draw(seed);
        let told = trace.sweep();
        let of = |word: Word| told.iter().find(|(_, verdict)| verdict.word == word);
        let killed = of(Word::Kill).map(|(minute, _)| *minute);
        let show = || format!("{trace:?}\n{:?}", told.last());
        kills += usize::from(killed.is_some());
        warned += usize::from(of(Word::Warn).is_some());
        if trace.kind == Kind::Ending {
            let minute = killed.unwrap_or_else(|| panic!("its end came: {}", show()));
            assert!(minute >= trace.expires, "before its end: {}", show());
            let warned = told
                .iter()
                .any(|(when, verdict)| *when < minute && verdict.warning == Some(Warned::End(at(trace.expires))));
            assert!(warned || !trace.does(minute).advances(), "not warned: {}", show());
            continue;
        }
        if let Some(minute) = killed {
            assert!(!trace.does(minute).advances(), "work was ended: {}", show());
            assert!(minute - trace.advanced(minute) >= trace.bound, "too soon: {}", show());
        }
        match trace.kind {
            Kind::Working => assert_eq!(killed, None, "{}", show()),
            Kind::Idle => {
                let minute = killed.unwrap_or_else(|| panic!("it idles for ever: {}", show()));
                assert!(minute <= trace.known().max(15) + trace.late + SWEEP, "too late: {}", show());
                if trace.gapless {
                    let most = trace.settled() + trace.bound + SWEEP + (trace.late + SAMPLE);
                    assert!(minute <= most.max(15 + SWEEP), "later than {most}: {}", show());
                }
            }
            Kind::Accepted | Kind::Shell | Kind::StuckStep => {
                assert!(of(Word::Warn).is_some(), "not found: {}", show());
                assert!(killed.is_some(), "found and not ended: {}", show());
            }
            Kind::Ending => {}
        }
    }
    assert!(kills > 8000 && warned > 4000, "{kills} kills, {warned} warned");
}
