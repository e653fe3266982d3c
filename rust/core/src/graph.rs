//! A graph whose nodes are the places ([`Graph`]): the distance of two nodes is the number of hops
//! between them, infinite where no path leads. Its index lists the agents of each node and
//! searches by walking outward from the asker, breadth first, as far as the smallest clock of all
//! allows.
//!
//! In a social network nobody moves: with speed 0 a blocker is within a fixed number of hops, so
//! a decision costs about the number of neighbours, however many agents there are.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::ops::ControlFlow;

use crate::frontier::Frontier;
use crate::ids::{AgentId, Step, World};
use crate::index::{Entry, Index, NONE};
use crate::metric::{PositionFault, Space};
use crate::rule::Footprint;

/// Why links do not make a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFault {
    /// There is no first offset, or more nodes than fit.
    Nodes(usize),
    /// The offset at this place is smaller than the one before, or the first is not 0.
    Offset(usize),
    /// The last offset is not the number of links.
    Links {
        /// The last offset.
        offset: usize,
        /// The number of links.
        links: usize,
    },
    /// The link at this place leads to no node.
    NoNode {
        /// The place.
        link: usize,
        /// Number of nodes.
        nodes: u32,
    },
}

impl fmt::Display for GraphFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes(0) => f.write_str("indptr must have one number more than there are nodes"),
            Self::Nodes(nodes) => {
                write!(f, "{nodes} nodes are too many: at most {} fit", Graph::NODES_MAX)
            }
            Self::Offset(at) => {
                write!(f, "indptr must begin with 0 and never fall; it does at place {at}")
            }
            Self::Links { offset, links } => write!(
                f,
                "indptr must end with the number of indices, which is {links}; it ends with \
                 {offset}"
            ),
            Self::NoNode { link, nodes } => write!(
                f,
                "indices must be nodes from 0 up to below {nodes}; the one at place {link} is not"
            ),
        }
    }
}

/// Who is linked with whom, both ways, each once and by number.
#[derive(Debug)]
struct Links {
    /// The links of node `i` are `ends[starts[i]..starts[i + 1]]`.
    starts: Vec<usize>,
    ends: Vec<u32>,
}

impl Links {
    fn of(&self, node: u32) -> &[u32] {
        &self.ends[self.starts[node as usize]..self.starts[node as usize + 1]]
    }
}

/// How far a walk from one node has come. It goes on where the last question with the same source
/// left off, so that many questions about one node cost one walk.
#[derive(Clone, Debug, Default)]
struct Walk {
    /// Of each node: the round in which it was met, and at how many hops.
    met: Vec<(u32, u32)>,
    round: u32,
    /// The nodes met, the source first, by hops.
    queue: Vec<u32>,
    /// Number of them whose links have been followed.
    followed: usize,
}

impl Walk {
    fn begin(&mut self, nodes: usize, source: u32) {
        if self.queue.first() == Some(&source) {
            return;
        }
        if self.met.is_empty() || self.round == u32::MAX {
            self.met = vec![(0, 0); nodes];
            self.round = 0;
        }
        self.round += 1;
        self.followed = 0;
        self.queue.clear();
        self.queue.push(source);
        self.met[source as usize] = (self.round, 0);
    }

    /// The node that is met as number `at`, and its hops, where these are at most `farthest`.
    fn get(&mut self, links: &Links, at: usize, farthest: f64) -> Option<(u32, f64)> {
        while at >= self.queue.len() {
            let node = *self.queue.get(self.followed)?;
            let hops = self.met[node as usize].1 + 1;
            if f64::from(hops) > farthest {
                return None;
            }
            self.followed += 1;
            for &next in links.of(node) {
                if self.met[next as usize].0 != self.round {
                    self.met[next as usize] = (self.round, hops);
                    self.queue.push(next);
                }
            }
        }
        let node = self.queue[at];
        let hops = f64::from(self.met[node as usize].1);
        (hops <= farthest).then_some((node, hops))
    }

    /// The hops to a node, where they are at most `farthest`.
    fn hops_to(&mut self, links: &Links, node: u32, farthest: f64) -> Option<f64> {
        let mut at = self.queue.len();
        while self.met[node as usize].0 != self.round {
            self.get(links, at, farthest)?;
            at = self.queue.len();
        }
        Some(f64::from(self.met[node as usize].1)).filter(|hops| *hops <= farthest)
    }
}

/// An undirected graph. A copy shares the links.
#[derive(Debug)]
pub struct Graph {
    links: Arc<Links>,
    walk: RefCell<Walk>,
}

impl Clone for Graph {
    fn clone(&self) -> Self {
        Self { links: Arc::clone(&self.links), walk: RefCell::default() }
    }
}

impl Graph {
    /// More nodes do not fit.
    pub const NODES_MAX: usize = u32::MAX as usize - 1;

    /// A graph from its links in compressed rows: node `i` is linked with
    /// `indices[indptr[i]..indptr[i + 1]]`. A link given one way counts both ways; doubles and
    /// links of a node with itself do not matter.
    ///
    /// # Errors
    /// The first fault found.
    pub fn new(indptr: &[usize], indices: &[u32]) -> Result<Self, GraphFault> {
        let nodes = indptr.len().checked_sub(1).ok_or(GraphFault::Nodes(0))?;
        if nodes > Self::NODES_MAX {
            return Err(GraphFault::Nodes(nodes));
        }
        if indptr[0] != 0 {
            return Err(GraphFault::Offset(0));
        }
        if let Some(at) = indptr.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(GraphFault::Offset(at + 1));
        }
        if indptr[nodes] != indices.len() {
            return Err(GraphFault::Links { offset: indptr[nodes], links: indices.len() });
        }
        if let Some(link) = indices.iter().position(|end| *end as usize >= nodes) {
            return Err(GraphFault::NoNode { link, nodes: nodes as u32 });
        }
        let links = Arc::new(both_ways(indptr, indices));
        Ok(Self { links, walk: RefCell::default() })
    }

    /// Number of nodes.
    pub fn nodes(&self) -> u32 {
        self.links.starts.len() as u32 - 1
    }

    /// The nodes linked with this one, by number.
    ///
    /// # Panics
    /// Where there is no such node.
    pub fn neighbours(&self, node: u32) -> &[u32] {
        self.links.of(node)
    }

    /// Lends the walk from a node. It is taken out meanwhile, so that whoever asks about a
    /// distance in between begins one of its own.
    fn walking<T>(&self, source: u32, go: impl FnOnce(&Links, &mut Walk) -> T) -> T {
        let mut walk = self.walk.take();
        walk.begin(self.nodes() as usize, source);
        let result = go(&self.links, &mut walk);
        self.walk.replace(walk);
        result
    }
}

fn both_ways(indptr: &[usize], indices: &[u32]) -> Links {
    let nodes = indptr.len() - 1;
    let each = || {
        (0..nodes)
            .flat_map(|a| indices[indptr[a]..indptr[a + 1]].iter().map(move |b| (a as u32, *b)))
    };
    let mut starts = vec![0; nodes + 1];
    for (a, b) in each() {
        starts[a as usize + 1] += 1;
        starts[b as usize + 1] += 1;
    }
    for i in 0..nodes {
        starts[i + 1] += starts[i];
    }
    let mut ends = vec![0; 2 * indices.len()];
    let mut filled = starts.clone();
    for (a, b) in each() {
        for (from, to) in [(a, b), (b, a)] {
            ends[filled[from as usize]] = to;
            filled[from as usize] += 1;
        }
    }
    let mut kept = 0;
    for node in 0..nodes {
        let (start, end) = (starts[node], filled[node]);
        ends[start..end].sort_unstable();
        starts[node] = kept;
        for at in start..end {
            let to = ends[at];
            if to != node as u32 && (kept == starts[node] || ends[kept - 1] != to) {
                ends[kept] = to;
                kept += 1;
            }
        }
    }
    starts[nodes] = kept;
    ends.truncate(kept);
    ends.shrink_to_fit();
    Links { starts, ends }
}

impl Space for Graph {
    type Position = u32;
    type Index = Nodes;
    const SLACK: f64 = 0.0;

    fn check(&self, p: u32) -> Result<(), PositionFault> {
        let nodes = self.nodes();
        if p < nodes { Ok(()) } else { Err(PositionFault::NoNode(nodes)) }
    }

    fn real(p: u32) -> [f64; 2] {
        [f64::from(p), 0.0]
    }

    fn distance(&self, p: u32, q: u32) -> f64 {
        self.walking(p, |links, walk| walk.hops_to(links, q, f64::INFINITY))
            .unwrap_or(f64::INFINITY)
    }

    fn within(&self, p: u32, q: u32, bound: f64) -> bool {
        if p == q {
            return bound >= 0.0;
        }
        self.walking(p, |links, walk| walk.hops_to(links, q, bound)).is_some()
    }
}

/// The agents of each node.
#[derive(Clone, Debug)]
pub struct Nodes {
    graph: Graph,
    entries: Vec<Entry<u32>>,
    /// Of each node, the first on its list.
    first: Vec<u32>,
    clocks: Frontier,
    widest: Footprint,
}

impl Nodes {
    fn attach(&mut self, agent: AgentId) {
        let entry = &mut self.entries[agent.index()];
        let node = entry.position;
        let head = self.first[node as usize];
        (entry.leaf, entry.next, entry.previous) = (node, head, NONE);
        if head != NONE {
            self.entries[head as usize].previous = agent.0;
        }
        self.first[node as usize] = agent.0;
    }

    fn detach(&mut self, agent: AgentId) {
        let Entry { leaf, next, previous, .. } = self.entries[agent.index()];
        if previous == NONE {
            self.first[leaf as usize] = next;
        } else {
            self.entries[previous as usize].next = next;
        }
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
    }
}

impl Index<Graph> for Nodes {
    fn new(space: Graph, _radii: impl Iterator<Item = f64>) -> Self {
        Self {
            first: vec![NONE; space.nodes() as usize],
            graph: space,
            entries: Vec::new(),
            clocks: Frontier::default(),
            widest: Footprint { sight: 0.0, reach: 0.0, speed: 0.0 },
        }
    }

    fn space(&self) -> &Graph {
        &self.graph
    }

    fn count(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, agent: AgentId) -> &Entry<u32> {
        &self.entries[agent.index()]
    }

    fn insert(
        &mut self,
        position: u32,
        clock: Step,
        world: World,
        footprint: &Footprint,
    ) -> AgentId {
        let agent = AgentId(self.entries.len() as u32);
        let (layer, leaf, next, previous) = (0, NONE, NONE, NONE);
        self.entries.push(Entry { position, clock, world, layer, leaf, next, previous });
        self.widest = self.widest.union(footprint);
        self.clocks.join(clock);
        self.attach(agent);
        agent
    }

    fn remove(&mut self, agent: AgentId) {
        self.detach(agent);
        let entry = &mut self.entries[agent.index()];
        entry.leaf = NONE;
        self.clocks.leave(entry.clock);
    }

    fn put_back(&mut self, agent: AgentId, position: u32, clock: Step) {
        let entry = &mut self.entries[agent.index()];
        (entry.position, entry.clock) = (position, clock);
        self.clocks.join(clock);
        self.attach(agent);
    }

    fn advance(&mut self, agent: AgentId, position: u32, clock: Step) {
        let Entry { position: from, clock: before, .. } = self.entries[agent.index()];
        self.clocks.join(clock);
        self.clocks.leave(before);
        self.entries[agent.index()].clock = clock;
        if position != from {
            self.detach(agent);
            self.entries[agent.index()].position = position;
            self.attach(agent);
        }
    }

    /// The nearest come first.
    fn search(
        &self,
        world: World,
        position: u32,
        bound: impl Fn(Step, &Footprint) -> Option<f64>,
        matters: impl Fn(AgentId, &Entry<u32>) -> Option<f64>,
        mut visit: impl FnMut(AgentId, f64, f64) -> ControlFlow<()>,
    ) {
        let Some(farthest) = bound(self.clocks.smallest(), &self.widest) else { return };
        self.graph.walking(position, |links, walk| {
            let mut at = 0;
            while let Some((node, hops)) = walk.get(links, at, farthest) {
                at += 1;
                let mut next = self.first[node as usize];
                while next != NONE {
                    let (agent, entry) = (AgentId(next), &self.entries[next as usize]);
                    next = entry.next;
                    if entry.world == world
                        && let Some(bound) = matters(agent, entry).filter(|bound| hops <= *bound)
                        && visit(agent, bound, hops).is_break()
                    {
                        return;
                    }
                }
            }
        });
    }

    fn validate(&self) -> Result<(), String> {
        let mut listed = 0;
        for (node, &first) in self.first.iter().enumerate() {
            let (mut at, mut previous) = (first, NONE);
            while at != NONE {
                let entry = &self.entries[at as usize];
                if (entry.position, entry.leaf) != (node as u32, node as u32)
                    || entry.previous != previous
                {
                    return Err(format!("agent {at} is listed at the wrong node"));
                }
                listed += 1;
                (previous, at) = (at, entry.next);
            }
        }
        let present = || self.entries.iter().filter(|entry| entry.is_present());
        if listed != present().count() || self.clocks.present() as usize != listed {
            return Err(format!(
                "the nodes list {listed} agents, {} are present",
                present().count()
            ));
        }
        let smallest = present().map(|entry| entry.clock).min();
        if smallest.is_some_and(|clock| clock != self.clocks.smallest()) {
            return Err(format!("the smallest clock of the index is {smallest:?}, not as stored"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_meets_no_more_nodes_than_the_smallest_clock_allows() {
        let nodes = 10_000;
        let indptr: Vec<_> = (0..=nodes).collect();
        let indices: Vec<_> = (1..=nodes).map(|node| (node % nodes) as u32).collect();
        let graph = Graph::new(&indptr, &indices).unwrap();
        let mut index = Nodes::new(graph, core::iter::empty());
        let footprint = Footprint { sight: 1.0, reach: 0.0, speed: 0.0 };
        for node in 0..nodes as u32 {
            index.insert(node, 7 + node % 2, 0, &footprint);
        }
        let met = |asker: u32, bound: fn(Step) -> Option<f64>| {
            let mut found = Vec::new();
            let visit = |agent: AgentId, _, hops: f64| {
                found.push((agent.0, hops as u32));
                ControlFlow::Continue(())
            };
            index.search(0, asker, |clock, _| bound(clock), |_, _| Some(2.0), visit);
            (found, index.graph.walk.borrow().queue.len())
        };
        assert_eq!(met(50, |_| None), (vec![], 0));
        assert_eq!(met(50, |_| Some(1.0)), (vec![(50, 0), (49, 1), (51, 1)], 3));
        assert_eq!(met(60, |clock| (clock > 7).then_some(9.0)), (vec![], 3));
        assert_eq!(met(70, |clock| Some(9.0 - f64::from(clock))).1, 5);
        // Farther than anybody matters it walks, but shows nobody.
        assert_eq!(met(60, |_| Some(3.0)).0.len(), 5);
    }
}
