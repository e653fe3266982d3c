//! The slow twin: the same model, one iteration after the other, nothing skipped, nothing indexed.
//!
//! It shares no code with the engine, not even the arithmetic of time: its parameters are whole
//! nanoseconds.

#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    pub(crate) t0_ns: u64,
    pub(crate) p_ns: u64,
    pub(crate) d_ns: u64,
    pub(crate) max_sequences: u32,
    pub(crate) token_budget: u32,
    pub(crate) replicas: u32,
}

#[derive(Clone)]
struct Request {
    id: u64,
    priority: i64,
    prompt: u32,
    output: u32,
    prompt_done: u32,
    output_done: u32,
    /// Prompt tokens it gets from the iteration under way.
    chunk: u32,
    decoding: bool,
    cancelled: bool,
}

#[derive(Clone, Default)]
struct Replica {
    waiting: Vec<Request>,
    running: Vec<Request>,
    /// Start and end of the iteration under way.
    iteration: Option<(u64, u64)>,
    /// busy ns, iterations, prompt tokens, output tokens, and the two of cancelled requests.
    counts: [u64; 6],
}

/// How often a rare thing happened: a run of tests in which one of them never did proves little.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rarities {
    pub(crate) overtakings: u64,
    pub(crate) split_prompts: u64,
    pub(crate) full_batches: u64,
    pub(crate) spent_budgets: u64,
    pub(crate) running_cancelled: u64,
    pub(crate) waiting_cancelled: u64,
    pub(crate) boundary_arrivals: u64,
    pub(crate) shared_instants: u64,
}

pub(crate) struct Twin {
    parameters: Parameters,
    replicas: Vec<Replica>,
    pub(crate) now: u64,
    submitted: u64,
    cancelled: u64,
    finished: u64,
    in_flight_ns: u64,
    pub(crate) rarities: Rarities,
}

impl Twin {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let replicas = vec![Replica::default(); parameters.replicas as usize];
        let rarities = Rarities::default();
        let (now, submitted, cancelled, finished, in_flight_ns) = (0, 0, 0, 0, 0);
        Self { parameters, replicas, now, submitted, cancelled, finished, in_flight_ns, rarities }
    }

    pub(crate) fn submit(&mut self, priority: i64, prompt: u32, output: u32) -> u64 {
        let id = self.submitted;
        self.submitted += 1;
        let loads = self.loads();
        let least = loads.iter().map(|(waiting, running)| waiting + running).min().unwrap();
        let chosen = loads.iter().position(|(waiting, running)| waiting + running == least);
        let replica = &mut self.replicas[chosen.unwrap()];
        if replica.iteration.is_none() && !replica.running.is_empty() {
            self.rarities.boundary_arrivals += 1;
        }
        replica.waiting.push(Request {
            id,
            priority,
            prompt,
            output,
            prompt_done: 0,
            output_done: 0,
            chunk: 0,
            decoding: false,
            cancelled: false,
        });
        id
    }

    pub(crate) fn cancel(&mut self, id: u64) -> bool {
        for replica in &mut self.replicas {
            if let Some(at) = replica.waiting.iter().position(|request| request.id == id) {
                replica.waiting.remove(at);
                self.cancelled += 1;
                self.rarities.waiting_cancelled += 1;
                return true;
            }
            let request = replica.running.iter_mut().find(|request| request.id == id);
            if let Some(request) = request.filter(|request| !request.cancelled) {
                request.cancelled = true;
                self.cancelled += 1;
                self.rarities.running_cancelled += 1;
                if replica.iteration.is_none() {
                    replica.drop_cancelled();
                }
                return true;
            }
        }
        false
    }

    /// Moves to the next completion, at most to `limit`; without a limit only if there will be one.
    pub(crate) fn advance(&mut self, limit: Option<u64>) -> Vec<u64> {
        let mut finished = Vec::new();
        if limit.is_none() && self.in_flight() == 0 {
            return finished;
        }
        while limit.is_none_or(|limit| self.now < limit) && finished.is_empty() {
            for replica in &mut self.replicas {
                if replica.iteration.is_none() {
                    replica.form(self.now, &self.parameters, &mut self.rarities);
                }
            }
            let ends = self.replicas.iter().filter_map(|replica| replica.iteration);
            let next = ends.map(|(_, end)| end).chain(limit).min().expect("something runs");
            self.in_flight_ns += (next - self.now) * self.in_flight() as u64;
            self.now = next;
            let mut replicas_finishing = 0;
            for replica in &mut self.replicas {
                if replica.iteration.is_some_and(|(_, end)| end == next) {
                    let before = finished.len();
                    replica.end(&mut finished);
                    replicas_finishing += u64::from(finished.len() > before);
                }
            }
            self.rarities.shared_instants += u64::from(replicas_finishing > 1);
        }
        self.finished += finished.len() as u64;
        finished
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.loads().iter().map(|(waiting, running)| waiting + running).sum()
    }

    pub(crate) fn loads(&self) -> Vec<(usize, usize)> {
        let running = |replica: &Replica| replica.running.iter().filter(|r| !r.cancelled).count();
        self.replicas.iter().map(|replica| (replica.waiting.len(), running(replica))).collect()
    }

    /// submitted, finished, cancelled, in-flight ns.
    pub(crate) fn totals(&self) -> [u64; 4] {
        [self.submitted, self.finished, self.cancelled, self.in_flight_ns]
    }

    pub(crate) fn counts(&self) -> Vec<[u64; 6]> {
        let under_way =
            |replica: &Replica| replica.iteration.map_or(0, |(start, _)| self.now - start);
        let with_busy = |replica: &Replica| {
            let mut counts = replica.counts;
            counts[0] += under_way(replica);
            counts
        };
        self.replicas.iter().map(with_busy).collect()
    }
}

impl Replica {
    fn form(&mut self, now: u64, parameters: &Parameters, rarities: &mut Rarities) {
        let mut budget = parameters.token_budget;
        let mut decoding = 0;
        for request in &mut self.running {
            request.decoding = request.prompt_done == request.prompt;
            if request.decoding {
                decoding += 1;
                budget -= 1;
            }
        }
        let mut prefill = 0;
        for request in self.running.iter_mut().filter(|request| !request.decoding) {
            request.chunk = (request.prompt - request.prompt_done).min(budget);
            budget -= request.chunk;
            prefill += request.chunk;
        }
        while self.running.len() < parameters.max_sequences as usize && budget > 0 {
            let first = self.waiting.iter().map(|request| (request.priority, request.id)).min();
            let Some((_, id)) = first else { break };
            let at = self.waiting.iter().position(|request| request.id == id).unwrap();
            let mut request = self.waiting.remove(at);
            rarities.overtakings += u64::from(self.waiting.iter().any(|other| other.id < id));
            request.chunk = request.prompt.min(budget);
            rarities.split_prompts += u64::from(request.chunk < request.prompt);
            budget -= request.chunk;
            prefill += request.chunk;
            self.running.push(request);
        }
        if self.running.is_empty() {
            return;
        }
        if !self.waiting.is_empty() {
            rarities.spent_budgets += u64::from(budget == 0);
            rarities.full_batches += u64::from(budget > 0);
        }
        let duration =
            parameters.t0_ns.max(parameters.p_ns * u64::from(prefill)) + parameters.d_ns * decoding;
        self.iteration = Some((now, now + duration));
    }

    fn end(&mut self, finished: &mut Vec<u64>) {
        let (start, end) = self.iteration.take().expect("an iteration is under way");
        self.counts[0] += end - start;
        self.counts[1] += 1;
        for request in &mut self.running {
            let was_prefilling = request.prompt_done < request.prompt;
            request.prompt_done += request.chunk;
            self.counts[2] += u64::from(request.chunk);
            request.chunk = 0;
            let has_first = was_prefilling && request.prompt_done == request.prompt;
            if request.decoding || has_first {
                request.output_done += 1;
                self.counts[3] += 1;
            }
        }
        self.drop_cancelled();
        let done = |request: &Request| request.output_done == request.output;
        finished.extend(self.running.iter().filter(|request| done(request)).map(|r| r.id));
        self.running.retain(|request| !done(request));
    }

    fn drop_cancelled(&mut self) {
        for request in self.running.iter().filter(|request| request.cancelled) {
            self.counts[4] += u64::from(request.prompt_done);
            self.counts[5] += u64::from(request.output_done);
        }
        self.running.retain(|request| !request.cancelled);
    }
}
