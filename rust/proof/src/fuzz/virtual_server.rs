//! Any calls of the modelled server: what is kept twice agrees, time goes forward, every request
//! finishes once or is cancelled once, and looking in between changes nothing.

use headway_vtime::{Error, Model, RequestId, Server};

use super::draw::Draw;

const CALLS_MAX: usize = 150;

/// Runs one input.
///
/// # Panics
/// Where the server does anything that it must not.
pub fn run(data: &[u8]) {
    let mut draw = Draw::new(data);
    let Some(model) = model(&mut draw) else { return };
    let replicas = match draw.below(16) {
        n @ 0..=11 => u32::from(n % 4) + 1,
        _ => draw.one_of(&[0, 65_537, u32::MAX, 100]),
    };
    let server = Server::new(model, replicas);
    assert_eq!(server.is_ok(), (1..=65_536).contains(&replicas), "{replicas} replicas");
    let Ok(server) = server else { return };
    let mut run = Run { server, open: Vec::new(), submitted: 0, finished: 0, cancelled: 0 };
    for _ in 0..CALLS_MAX {
        if draw.is_empty() {
            return;
        }
        run.call(&mut draw);
        run.check();
    }
}

fn seconds(draw: &mut Draw) -> f64 {
    match draw.below(16) {
        n @ 0..=9 => f64::from(n) / 64.0,
        10 => f64::from(draw.any::<u16>()) * 1e-6,
        11 => draw.one_of(&[1e-6, 999.999, 1000.0, 1000.001, 1e-9, 1e-12]),
        12 => 0.0,
        _ => draw.wild_real(),
    }
}

fn model(draw: &mut Draw) -> Option<Model> {
    let (t0, p, d) = (seconds(draw), seconds(draw), seconds(draw));
    let most = tokens(draw);
    let budget = if draw.rarely(4) { tokens(draw) } else { most.saturating_add(tokens(draw)) };
    let fits = |x: f64, least: f64| (least..=1000.0).contains(&x);
    let counts = most >= 1 && budget >= most;
    let model = Model::new(t0, p, d, most, budget);
    let usable = fits(t0, 1e-6) && fits(p, 0.0) && fits(d, 0.0) && counts;
    assert_eq!(model.is_ok(), usable, "{t0} {p} {d} {most} {budget}: {model:?}");
    model.ok()
}

fn tokens(draw: &mut Draw) -> u32 {
    match draw.below(16) {
        n @ 0..=11 => u32::from(n) + 1,
        12 => u32::from(draw.any::<u16>()),
        13 => 0,
        _ => draw.one_of(&[u32::MAX, u32::MAX - 1, 1 << 31, 100_000]),
    }
}

struct Run {
    server: Server,
    /// Neither finished nor cancelled.
    open: Vec<RequestId>,
    submitted: u64,
    finished: u64,
    cancelled: u64,
}

impl Run {
    fn call(&mut self, draw: &mut Draw) {
        match draw.below(8) {
            0..=2 => self.submit(draw),
            3 => self.cancel(draw),
            4 | 5 => self.advance(draw),
            _ => self.advance_until(draw),
        }
    }

    fn submit(&mut self, draw: &mut Draw) {
        let priority = match draw.below(8) {
            7 => draw.one_of(&[i64::MIN, i64::MAX, -1]),
            n => i64::from(n),
        };
        let (prompt, output) = (tokens(draw), tokens(draw));
        let before = format!("{:?}", self.server);
        let answer = self.server.submit(priority, prompt, output);
        assert_eq!(answer.is_ok(), prompt > 0 && output > 0);
        let lone = self.server.model().lone_latency(prompt, output);
        assert_eq!(answer.is_ok(), lone.is_ok_and(|seconds| seconds > 0.0));
        match answer {
            Ok(id) => {
                assert_eq!(id, RequestId(self.submitted));
                self.submitted += 1;
                self.open.push(id);
            }
            Err(error) => self.unchanged(&before, &error),
        }
    }

    fn cancel(&mut self, draw: &mut Draw) {
        let id = match draw.below(8) {
            7 => draw.one_of(&[self.submitted, u64::MAX]),
            n => self.submitted.saturating_sub(u64::from(n)),
        };
        let before = format!("{:?}", self.server);
        match self.server.cancel(RequestId(id)) {
            Ok(was_open) => {
                assert!(id < self.submitted, "request {id} was never submitted");
                assert_eq!(was_open, self.open.contains(&RequestId(id)));
                self.open.retain(|open| open.0 != id);
                self.cancelled += u64::from(was_open);
            }
            Err(error) => {
                assert!(id >= self.submitted, "{error}");
                self.unchanged(&before, &error);
            }
        }
    }

    fn unchanged(&self, before: &str, error: &Error) {
        assert!(error.to_string().len() > 20, "{error}");
        assert_eq!(format!("{:?}", self.server), before, "after {error}");
    }

    fn advance(&mut self, draw: &mut Draw) {
        let mut looked_at = self.server.clone();
        let before = self.server.now();
        let mut finished = vec![RequestId(u64::MAX)];
        let time = self.server.advance(&mut finished);
        self.close(&finished[1..]);
        assert_eq!(time.is_some(), finished.len() > 1);
        assert_eq!(time.unwrap_or(self.server.now()).to_bits(), self.server.now().to_bits());
        assert!(self.server.now() >= before);
        // Stopping on the way, at times when nothing finishes, changes nothing. After some weeks
        // not every nanosecond has a number of seconds.
        let (after, mut early) = (self.server.now(), Vec::new());
        for share in [0.25, 0.5, 0.9] {
            let stop = before + (after - before) * share;
            if draw.rarely(2) && after < 1e6 && stop < after - 1e-9 {
                looked_at.advance_until(stop, &mut early).expect("not in the past");
            }
        }
        assert_eq!(early, [], "finished before the next to finish");
        looked_at.advance(&mut early);
        assert_eq!(early, finished[1..]);
        assert_eq!(looked_at.now().to_bits(), after.to_bits());
    }

    fn advance_until(&mut self, draw: &mut Draw) {
        let now = self.server.now();
        let limit = if draw.rarely(4) { seconds(draw) } else { now + seconds(draw) };
        let before = format!("{:?}", self.server);
        let mut finished = Vec::new();
        match self.server.advance_until(limit, &mut finished) {
            Ok(time) => {
                assert!((now..=18_446_744_073.709_553).contains(&limit), "{limit} at {now}");
                assert_eq!(time.to_bits(), self.server.now().to_bits());
                // To the nearest nanosecond, of those that a number of seconds can say.
                assert!(time >= now && time <= limit + 1e-9 + limit * 1e-15, "{time} for {limit}");
                self.close(&finished);
            }
            Err(error) => {
                assert!(!(now..=18_446_744_073.709_55).contains(&limit), "{error}");
                assert_eq!(finished, []);
                self.unchanged(&before, &error);
            }
        }
    }

    fn close(&mut self, finished: &[RequestId]) {
        for id in finished {
            assert!(self.open.contains(id), "request {id} finished, but was not in flight");
            self.open.retain(|open| open != id);
        }
        self.finished += finished.len() as u64;
    }

    fn check(&self) {
        self.server.validate();
        assert_eq!(self.server.in_flight(), self.open.len());
        let loads: usize = self.server.loads().map(|load| load.total()).sum();
        assert_eq!(loads, self.open.len());
        let counted = self.server.statistics();
        assert_eq!(
            (counted.submitted, counted.finished, counted.cancelled),
            (self.submitted, self.finished, self.cancelled)
        );
        assert!(counted.in_flight_seconds >= 0.0 && counted.now >= 0.0);
        for replica in counted.replicas {
            assert!(replica.busy_seconds <= counted.now * 1.000_000_001 + 1e-9);
            assert!(replica.cancelled_prompt_tokens <= replica.prompt_tokens);
            assert!(replica.cancelled_output_tokens <= replica.output_tokens);
        }
    }
}
