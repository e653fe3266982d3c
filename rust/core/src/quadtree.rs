//! The index of a space on two axes: a quadtree over positions in which every node also knows the
//! smallest clock below it. A node whose nearest point is beyond the bound that its smallest clock
//! allows holds nobody who matters.
//!
//! Nodes are aligned squares of `1 << level` cells; a leaf is one cell and lists its agents. Agents
//! whose footprints are alike share a *layer*, and each world has a root in each layer, which grows
//! upward when somebody stands outside it. Every order a caller can see is fixed: layers by age,
//! children by index, agents by insertion into their leaf.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::ids::{AgentId, Step, World};
use crate::index::{Entry, Index, NONE};
use crate::metric::Cells;
use crate::node::Node;
use crate::rule::Footprint;

/// Added to cell numbers so that they are positive; its alternating bits keep small neighbourhoods
/// of the origin inside small nodes.
const CELL_OFFSET: i64 = 0x2AAA_AAAA_AAAA_AAAA;

/// Deepest level: nodes of `1 << 62` cells hold every cell a position can have.
const LEVEL_MAX: u8 = 62;

/// The agents whose reach and speed are alike, within a factor of two. A search prunes by the
/// widest footprint of a layer, so a few cars among walkers do not widen it for the walkers.
#[derive(Clone, Debug)]
struct Layer {
    scale: [i32; 2],
    widest: Footprint,
    /// Of each world.
    roots: Vec<u32>,
}

/// More kinds of footprint than this share the last layer.
const LAYERS_MAX: usize = 8;

/// The positions and clocks of all agents, searchable by both.
#[derive(Clone, Debug)]
pub struct Quadtree<S: Cells> {
    space: S,
    log2_cell: i32,
    entries: Vec<Entry<S::Position>>,
    nodes: Vec<Node>,
    free: u32,
    layers: Vec<Layer>,
}

impl<S: Cells> Index<S> for Quadtree<S> {
    fn new(space: S, radii: impl Iterator<Item = f64>) -> Self {
        Self {
            space,
            log2_cell: Self::log2_cell(radii),
            entries: Vec::new(),
            nodes: Vec::new(),
            free: NONE,
            layers: Vec::new(),
        }
    }

    fn space(&self) -> &S {
        &self.space
    }

    fn count(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, agent: AgentId) -> &Entry<S::Position> {
        &self.entries[agent.index()]
    }

    fn insert(
        &mut self,
        position: S::Position,
        clock: Step,
        world: World,
        footprint: &Footprint,
    ) -> AgentId {
        let agent = AgentId(self.entries.len() as u32);
        let layer = self.layer_of(footprint);
        let (leaf, next, previous) = (NONE, NONE, NONE);
        self.entries.push(Entry { position, clock, world, layer, leaf, next, previous });
        let cell = self.cell_of(position);
        let root = self.grow_root(layer, world, cell);
        self.attach(agent.0, cell, root);
        agent
    }

    fn remove(&mut self, agent: AgentId) {
        let leaf = self.detach(agent.0);
        let Entry { layer, world, .. } = self.entries[agent.index()];
        self.entries[agent.index()].leaf = NONE;
        self.prune(leaf, layer, world);
    }

    fn put_back(&mut self, agent: AgentId, position: S::Position, clock: Step) {
        let cell = self.cell_of(position);
        let entry = &mut self.entries[agent.index()];
        (entry.position, entry.clock) = (position, clock);
        let Entry { layer, world, .. } = *entry;
        let root = self.grow_root(layer, world, cell);
        self.attach(agent.0, cell, root);
    }

    fn advance(&mut self, agent: AgentId, position: S::Position, clock: Step) {
        let cell = self.cell_of(position);
        let Entry { leaf, world, layer, clock: before, .. } = self.entries[agent.index()];
        if self.nodes[leaf as usize].origin == cell {
            let entry = &mut self.entries[agent.index()];
            entry.position = position;
            entry.clock = clock;
            if self.nodes[leaf as usize].clock_min == before {
                self.refresh(leaf);
            }
            return;
        }
        self.detach(agent.0);
        let entry = &mut self.entries[agent.index()];
        entry.position = position;
        entry.clock = clock;
        // Neighbouring cells mostly share a low ancestor: go up only as far as needed.
        let mut node = leaf;
        while node != NONE && !self.nodes[node as usize].holds(cell) {
            node = self.nodes[node as usize].parent;
        }
        if node == NONE {
            node = self.grow_root(layer, world, cell);
        }
        self.attach(agent.0, cell, node);
        self.prune(leaf, layer, world);
    }

    /// Children with smaller clocks come first, so that a search for one blocker meets the one
    /// farthest behind early.
    fn search(
        &self,
        world: World,
        position: S::Position,
        bound: impl Fn(Step, &Footprint) -> Option<f64>,
        matters: impl Fn(AgentId, &Entry<S::Position>) -> Option<f64>,
        mut visit: impl FnMut(AgentId, f64, f64) -> ControlFlow<()>,
    ) {
        let mut stack = [(NONE, 0); 4 * LEVEL_MAX as usize];
        for layer in &self.layers {
            let Some(&root) = layer.roots.get(world as usize).filter(|root| **root != NONE) else {
                continue;
            };
            stack[0] = (root, self.nodes[root as usize].clock_min);
            let bound = |clock| bound(clock, &layer.widest);
            let look = |id, entry: &Entry<S::Position>| {
                // Most are too far for anybody of the layer; who they are need not be looked up.
                let far = |bound| !self.space.within(position, entry.position, bound);
                if bound(entry.clock).is_none_or(far) {
                    return ControlFlow::Continue(());
                }
                match matters(id, entry) {
                    Some(bound) if self.space.within(position, entry.position, bound) => {
                        visit(id, bound, self.space.distance(position, entry.position))
                    }
                    _ => ControlFlow::Continue(()),
                }
            };
            if self.search_below(&mut stack, position, bound, look).is_break() {
                return;
            }
        }
    }

    fn validate(&self) -> Result<(), String> {
        let mut listed = 0;
        let roots = self.layers.iter().flat_map(|layer| &layer.roots);
        for &root in roots.filter(|root| **root != NONE) {
            if self.nodes[root as usize].parent != NONE {
                return Err(format!("root {root} of the index has a parent"));
            }
            listed += self.validate_below(root)?;
        }
        let present = self.entries.iter().filter(|entry| entry.is_present()).count();
        if listed == present {
            Ok(())
        } else {
            Err(format!("the index lists {listed} agents, {present} are present"))
        }
    }
}

impl<S: Cells> Quadtree<S> {
    /// The cell size for typical searches of these radii: their mean, rounded up to a power of two,
    /// so that cell borders are exact.
    fn log2_cell(radii: impl Iterator<Item = f64>) -> i32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for radius in radii.filter(|radius| radius.is_finite()) {
            sum += radius;
            count += 1.0;
        }
        let typical = if count > 0.0 { sum / count } else { 1.0 };
        let smallest = if S::SLACK == 0.0 { 0 } else { -20 };
        (smallest..30).find(|&log2| libm::ldexp(1.0, log2) >= typical).unwrap_or(30)
    }

    fn layer_of(&mut self, footprint: &Footprint) -> u32 {
        let scale = [footprint.reach, footprint.speed].map(|x| libm::frexp(x).1);
        let found = self.layers.iter().position(|layer| layer.scale == scale);
        let at = found.unwrap_or(self.layers.len()).min(LAYERS_MAX - 1);
        match self.layers.get_mut(at) {
            Some(layer) => layer.widest = layer.widest.union(footprint),
            None => self.layers.push(Layer { scale, widest: *footprint, roots: Vec::new() }),
        }
        at as u32
    }

    fn search_below(
        &self,
        stack: &mut [(u32, Step)],
        position: S::Position,
        bound: impl Fn(Step) -> Option<f64>,
        mut visit: impl FnMut(AgentId, &Entry<S::Position>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut top = 1;
        while top > 0 {
            top -= 1;
            let node = &self.nodes[stack[top].0 as usize];
            if node.level == 0 {
                let mut at = node.first;
                while at != NONE {
                    let entry = &self.entries[at as usize];
                    visit(AgentId(at), entry)?;
                    at = entry.next;
                }
                continue;
            }
            // The children are the four combinations of two intervals on each axis.
            let half = 1_i64 << (node.level - 1);
            let gaps = [0, 1].map(|axis| {
                let lo = node.origin[axis] - CELL_OFFSET;
                [lo, lo + half].map(|lo| {
                    self.space.gap_to_cells(position, axis, lo, lo + half, self.log2_cell)
                })
            });
            let below = top;
            for slot in 0..4 {
                let (child, clock) = (node.children[slot], node.clocks[slot]);
                let far =
                    |bound| !self.space.gaps_within([gaps[0][slot & 1], gaps[1][slot >> 1]], bound);
                if child == NONE || bound(clock).is_none_or(far) {
                    continue;
                }
                // Insertion by clock, the smallest on top; of equals the lower slot on top.
                let mut i = top;
                while i > below && stack[i - 1].1 <= clock {
                    stack[i] = stack[i - 1];
                    i -= 1;
                }
                stack[i] = (child, clock);
                top += 1;
            }
        }
        ControlFlow::Continue(())
    }

    fn cell_of(&self, p: S::Position) -> [i64; 2] {
        S::cell(p, self.log2_cell).map(|cell| cell + CELL_OFFSET)
    }

    fn new_node(&mut self, cell: [i64; 2], level: u8, parent: u32) -> u32 {
        let node = Node {
            origin: [cell[0] >> level << level, cell[1] >> level << level],
            children: [NONE; 4],
            clocks: [Step::MAX; 4],
            parent,
            first: NONE,
            clock_min: Step::MAX,
            level,
        };
        if self.free == NONE {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].first;
            self.nodes[at as usize] = node;
            at
        }
    }

    /// Makes sure that the world has a root that holds the cell, and returns it.
    fn grow_root(&mut self, layer: u32, world: World, cell: [i64; 2]) -> u32 {
        let roots = &mut self.layers[layer as usize].roots;
        if roots.len() <= world as usize {
            roots.resize(world as usize + 1, NONE);
        }
        let mut root = roots[world as usize];
        if root == NONE {
            root = self.new_node(cell, 0, NONE);
        }
        while !self.nodes[root as usize].holds(cell) {
            let node = self.nodes[root as usize];
            let above = self.new_node(node.origin, node.level + 1, NONE);
            let slot = self.nodes[above as usize].slot(node.origin);
            self.nodes[above as usize].children[slot] = root;
            self.nodes[above as usize].clocks[slot] = node.clock_min;
            self.nodes[above as usize].clock_min = node.clock_min;
            self.nodes[root as usize].parent = above;
            root = above;
        }
        self.layers[layer as usize].roots[world as usize] = root;
        root
    }

    /// Lists an agent in the leaf of its cell, below `node`, which holds the cell.
    fn attach(&mut self, agent: u32, cell: [i64; 2], mut node: u32) {
        while self.nodes[node as usize].level > 0 {
            let Node { level, children, .. } = self.nodes[node as usize];
            let slot = self.nodes[node as usize].slot(cell);
            let mut child = children[slot];
            if child == NONE {
                child = self.new_node(cell, level - 1, node);
                self.nodes[node as usize].children[slot] = child;
            }
            node = child;
        }
        let head = self.nodes[node as usize].first;
        let entry = &mut self.entries[agent as usize];
        (entry.leaf, entry.next, entry.previous) = (node, head, NONE);
        let clock = entry.clock;
        if head != NONE {
            self.entries[head as usize].previous = agent;
        }
        self.nodes[node as usize].first = agent;
        while node != NONE && self.nodes[node as usize].clock_min > clock {
            node = self.set_clock(node, clock);
        }
    }

    /// Sets the smallest clock of a node and returns the parent.
    fn set_clock(&mut self, node: u32, clock: Step) -> u32 {
        self.nodes[node as usize].clock_min = clock;
        let Node { parent, origin, .. } = self.nodes[node as usize];
        if parent != NONE {
            let above = &mut self.nodes[parent as usize];
            above.clocks[above.slot(origin)] = clock;
        }
        parent
    }

    /// Takes an agent off its leaf's list and returns the leaf, whose clock is not yet corrected.
    fn detach(&mut self, agent: u32) -> u32 {
        let Entry { leaf, next, previous, .. } = self.entries[agent as usize];
        if previous == NONE {
            self.nodes[leaf as usize].first = next;
        } else {
            self.entries[previous as usize].next = next;
        }
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        leaf
    }

    /// Corrects the smallest clocks from `node` upward, as far as they change.
    fn refresh(&mut self, mut node: u32) {
        while node != NONE {
            let clock = self.clock_min_of(node);
            if self.nodes[node as usize].clock_min == clock {
                return;
            }
            node = self.set_clock(node, clock);
        }
    }

    /// Gives back the node and its ancestors, which are of this layer and world, where they have
    /// become empty, then corrects clocks.
    fn prune(&mut self, mut node: u32, layer: u32, world: World) {
        while node != NONE {
            let Node { origin, first, children, parent, level, .. } = self.nodes[node as usize];
            let empty = if level == 0 { first == NONE } else { children == [NONE; 4] };
            if !empty {
                break;
            }
            if parent == NONE {
                self.layers[layer as usize].roots[world as usize] = NONE;
            } else {
                let above = &mut self.nodes[parent as usize];
                let slot = above.slot(origin);
                above.children[slot] = NONE;
                above.clocks[slot] = Step::MAX;
            }
            self.nodes[node as usize].first = self.free;
            self.free = node;
            node = parent;
        }
        self.refresh(node);
    }

    fn clock_min_of(&self, node: u32) -> Step {
        let node = &self.nodes[node as usize];
        let mut clock = Step::MAX;
        if node.level > 0 {
            // Of an empty slot it is the largest there is.
            return node.clocks.iter().fold(clock, |a, b| a.min(*b));
        }
        let mut at = node.first;
        while at != NONE {
            clock = clock.min(self.entries[at as usize].clock);
            at = self.entries[at as usize].next;
        }
        clock
    }

    fn validate_below(&self, at: u32) -> Result<usize, String> {
        let node = &self.nodes[at as usize];
        if node.clock_min != self.clock_min_of(at) {
            return Err(format!("node {at} of the index has a wrong smallest clock"));
        }
        let mut listed = 0;
        for (slot, &child) in node.children.iter().enumerate().filter(|(_, c)| **c != NONE) {
            let below = &self.nodes[child as usize];
            if below.parent != at
                || below.level + 1 != node.level
                || node.slot(below.origin) != slot
                || node.clocks[slot] != below.clock_min
            {
                return Err(format!("node {child} of the index hangs in the wrong place"));
            }
            listed += self.validate_below(child)?;
        }
        let mut agent = node.first;
        while node.level == 0 && agent != NONE {
            let entry = &self.entries[agent as usize];
            if entry.leaf != at || self.cell_of(entry.position) != node.origin {
                return Err(format!("agent {agent} is listed in the wrong cell of the index"));
            }
            listed += 1;
            agent = entry.next;
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Grid, Metric};
    use core::cell::Cell;

    #[test]
    fn a_search_looks_only_where_the_smallest_clock_lets_somebody_matter() {
        let grid = Grid::new(Metric::Chebyshev, None).unwrap();
        let footprint = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };
        let mut index = Quadtree::new(grid, core::iter::repeat_n(5.0, 10_000));
        for i in 0..10_000 {
            // One straggler, in the middle of those who are far ahead.
            let clock = if i == 5050 { 10 } else { 1000 };
            index.insert([i % 100 * 8, i / 100 * 8], clock, 0, &footprint);
        }
        let looks = Cell::new(0);
        let found = |asker: [i32; 2]| {
            let mut found = Vec::new();
            let bound = |clock: Step| 1000_u32.checked_sub(clock).map(f64::from);
            looks.set(0);
            let matters = |_, entry: &Entry<[i32; 2]>| {
                looks.set(looks.get() + 1);
                bound(entry.clock)
            };
            let visit = |agent, _, _| {
                found.push(agent);
                ControlFlow::Continue(())
            };
            index.search(0, asker, |clock, _| bound(clock), matters, visit);
            found
        };
        assert_eq!(found([0, 0]), [AgentId(5050), AgentId(0)], "the one farthest behind first");
        assert!(looks.get() < 20, "{} looks at one of 10000", looks.get());
    }
}
