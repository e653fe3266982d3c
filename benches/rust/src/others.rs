//! Other people's indexes inside our own core: same rule, same scheduler, another search.
//!
//! Neither knows clocks, so a search has to go as far as the smallest clock of all allows.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};
use std::ops::ControlFlow;

use headway_core::{AgentId, Entry, Footprint, Grid, Index, PositionFault, Space, Step, World};
use kiddo::float::distance::Chebyshev;
use kiddo::float::kdtree::KdTree;
use rstar::primitives::GeomWithData;
use rstar::{AABB, RTree};

type P = [i32; 2];

/// Finds who stands within a distance.
pub(crate) trait Places: Clone + Debug + Default {
    fn put(&mut self, position: P, agent: u32);
    fn take(&mut self, position: P, agent: u32);
    /// Shows everybody in the square of this half side, until told to stop.
    fn each(&self, position: P, half: f64, visit: impl FnMut(u32) -> ControlFlow<()>);
}

/// An R*-tree of rstar.
#[derive(Clone, Debug, Default)]
pub(crate) struct RStar(RTree<GeomWithData<P, u32>>);

impl Places for RStar {
    fn put(&mut self, position: P, agent: u32) {
        self.0.insert(GeomWithData::new(position, agent));
    }

    fn take(&mut self, position: P, agent: u32) {
        self.0.remove(&GeomWithData::new(position, agent)).expect("it is there");
    }

    fn each(&self, [x, y]: P, half: f64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let half = half as i32;
        let square = AABB::from_corners([x - half, y - half], [x + half, y + half]);
        for found in self.0.locate_in_envelope(square) {
            if visit(found.data).is_break() {
                return;
            }
        }
    }
}

/// A k-d tree of kiddo, with room for those who stand in one column.
#[derive(Clone, Debug)]
pub(crate) struct Kiddo(KdTree<f64, u32, 2, 32, u32>);

impl Default for Kiddo {
    fn default() -> Self {
        Self(KdTree::new())
    }
}

impl Places for Kiddo {
    fn put(&mut self, position: P, agent: u32) {
        self.0.add(&position.map(f64::from), agent);
    }

    fn take(&mut self, position: P, agent: u32) {
        assert_eq!(self.0.remove(&position.map(f64::from), agent), 1, "it is there");
    }

    fn each(&self, position: P, half: f64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        for found in self.0.within_unsorted::<Chebyshev>(&position.map(f64::from), half) {
            if visit(found.item).is_break() {
                return;
            }
        }
    }
}

/// A grid whose agents are found by something else than our own index.
#[derive(Clone, Debug)]
pub(crate) struct Found<I>(pub(crate) Grid, pub(crate) std::marker::PhantomData<I>);

impl<I: Places> Space for Found<I> {
    type Position = P;
    type Index = Other<I>;

    const SLACK: f64 = Grid::SLACK;

    fn check(&self, p: P) -> Result<(), PositionFault> {
        self.0.check(p)
    }

    fn real(p: P) -> [f64; 2] {
        Grid::real(p)
    }

    fn distance(&self, p: P, q: P) -> f64 {
        self.0.distance(p, q)
    }

    fn within(&self, p: P, q: P, bound: f64) -> bool {
        self.0.within(p, q, bound)
    }
}

/// Somebody else's index, with what the scheduler has to know besides. One world.
#[derive(Clone)]
pub(crate) struct Other<I> {
    space: Found<I>,
    places: I,
    entries: Vec<Entry<P>>,
    clocks: BTreeMap<Step, u32>,
    widest: Footprint,
}

impl<I> Debug for Other<I> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} agents", self.entries.len())
    }
}

impl<I> Other<I> {
    fn count_clock(&mut self, clock: Step) {
        *self.clocks.entry(clock).or_default() += 1;
    }

    fn uncount_clock(&mut self, clock: Step) {
        let count = self.clocks.get_mut(&clock).expect("it was counted");
        *count -= 1;
        if *count == 0 {
            self.clocks.remove(&clock);
        }
    }
}

impl<I: Places> Index<Found<I>> for Other<I> {
    fn new(space: Found<I>, _: impl Iterator<Item = f64>) -> Self {
        Self {
            space,
            places: I::default(),
            entries: Vec::new(),
            clocks: BTreeMap::new(),
            widest: Footprint { sight: 0.0, reach: 0.0, speed: 0.0 },
        }
    }

    fn space(&self) -> &Found<I> {
        &self.space
    }

    fn count(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, agent: AgentId) -> &Entry<P> {
        &self.entries[agent.0 as usize]
    }

    fn insert(&mut self, position: P, clock: Step, world: World, footprint: &Footprint) -> AgentId {
        let agent = self.entries.len() as u32;
        self.entries.push(Entry::new(position, clock, world));
        self.places.put(position, agent);
        self.count_clock(clock);
        self.widest = self.widest.union(footprint);
        AgentId(agent)
    }

    fn remove(&mut self, agent: AgentId) {
        let Entry { position, clock, .. } = self.entries[agent.0 as usize];
        self.places.take(position, agent.0);
        self.uncount_clock(clock);
        self.entries[agent.0 as usize].leave();
    }

    fn put_back(&mut self, agent: AgentId, position: P, clock: Step) {
        let world = self.entries[agent.0 as usize].world;
        self.entries[agent.0 as usize] = Entry::new(position, clock, world);
        self.places.put(position, agent.0);
        self.count_clock(clock);
    }

    fn advance(&mut self, agent: AgentId, position: P, clock: Step) {
        let entry = &mut self.entries[agent.0 as usize];
        let (before, passed) = (entry.position, entry.clock);
        (entry.position, entry.clock) = (position, clock);
        self.uncount_clock(passed);
        self.count_clock(clock);
        if before != position {
            self.places.take(before, agent.0);
            self.places.put(position, agent.0);
        }
    }

    fn search(
        &self,
        _: World,
        position: P,
        bound: impl Fn(Step, &Footprint) -> Option<f64>,
        matters: impl Fn(AgentId, &Entry<P>) -> Option<f64>,
        mut visit: impl FnMut(AgentId, f64, f64) -> ControlFlow<()>,
    ) {
        let Some((&smallest, _)) = self.clocks.first_key_value() else { return };
        let Some(radius) = bound(smallest, &self.widest) else { return };
        self.places.each(position, radius, |agent| {
            let entry = &self.entries[agent as usize];
            match matters(AgentId(agent), entry) {
                Some(bound) if self.space.within(position, entry.position, bound) => {
                    let distance = self.space.distance(position, entry.position);
                    visit(AgentId(agent), bound, distance)
                }
                _ => ControlFlow::Continue(()),
            }
        });
    }

    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}
