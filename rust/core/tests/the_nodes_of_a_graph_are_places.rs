//! Places that are nodes of a graph: whom it links, what it refuses, who waits for whom.

use headway_core::{
    AgentId, Error, Footprint, Graph, GraphFault, NewAgent, PositionFault, Rule, Scheduler, Space,
};

/// Sees those it is linked with, and stays.
const MEMBER: Footprint = Footprint { sight: 1.0, reach: 0.0, speed: 0.0 };

fn ring(nodes: usize) -> Graph {
    let indptr: Vec<_> = (0..=nodes).collect();
    let indices: Vec<_> = (1..=nodes).map(|node| (node % nodes) as u32).collect();
    Graph::new(&indptr, &indices).unwrap()
}

fn members(nodes: u32) -> Vec<NewAgent<u32>> {
    (0..nodes).map(|position| NewAgent { position, footprint: MEMBER, world: 0 }).collect()
}

#[test]
fn links_count_both_ways_and_once() {
    let graph = Graph::new(&[0, 3, 5, 5, 5], &[1, 0, 1, 0, 2]).unwrap();
    let links: Vec<_> = (0..4).map(|node| graph.neighbours(node)).collect();
    assert_eq!(links, [&[1][..], &[0, 2], &[1], &[]]);
    assert_eq!([0, 1, 2].map(|node| graph.distance(2, node) as u32), [2, 1, 0]);
    assert!(graph.distance(0, 3).is_infinite());
}

#[test]
fn links_that_make_no_graph_are_refused() {
    for (indptr, indices, fault) in [
        (&[][..], &[][..], GraphFault::Nodes(0)),
        (&[1, 1], &[0], GraphFault::Offset(0)),
        (&[0, 2, 1], &[0], GraphFault::Offset(2)),
        (&[0, 1], &[0, 0], GraphFault::Links { offset: 1, links: 2 }),
        (&[0, 1, 2], &[1, 2], GraphFault::NoNode { link: 1, nodes: 2 }),
    ] {
        assert_eq!(Graph::new(indptr, indices).unwrap_err(), fault);
    }
}

#[test]
fn a_node_that_is_none_is_refused() {
    let new = NewAgent { position: 5, footprint: MEMBER, world: 0 };
    let error = Scheduler::new(ring(5), Rule::Conservative, &[new], 0).unwrap_err();
    assert!(matches!(error, Error::BadPosition { fault: PositionFault::NoNode(5), .. }));
    assert_eq!(
        error.to_string(),
        "agent 0 cannot stand on node 5: the graph has 5 nodes, numbered from 0"
    );
}

#[test]
fn only_those_linked_wait_for_each_other() -> Result<(), Error> {
    let mut scheduler = Scheduler::new(ring(6), Rule::Conservative, &members(6), 0)?;
    let mut newly = Vec::new();
    scheduler.start(&scheduler.ready())?;
    let others: Vec<_> = (1..6).map(AgentId).collect();
    scheduler.finish(&others, &[1, 2, 3, 4, 5], &mut newly)?;
    assert_eq!(newly, [2, 3, 4].map(AgentId));
    assert_eq!(scheduler.blockers(AgentId(5))?, [AgentId(0)]);
    scheduler.validate()
}
