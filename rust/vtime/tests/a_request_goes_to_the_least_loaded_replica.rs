//! Dispatch looks at waiting and running requests of each replica; ties go to the lowest index.

use headway_vtime::{Error, Model, Server};

fn totals(server: &Server) -> Vec<usize> {
    server.loads().map(|load| load.total()).collect()
}

#[test]
fn a_request_goes_to_the_least_loaded_replica() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1.0, 0.0, 0.0, 2, 1000)?, 3)?;
    // Ties go to the lowest index, so these are dealt out in turn: 1 s, 9 s and 9 s on replica 0,
    // 2 s and 9 s on replica 1, 3 s and 9 s on replica 2.
    for output_tokens in [1, 2, 3, 9, 9, 9, 9] {
        server.submit(0, 10, output_tokens)?;
    }
    assert_eq!(totals(&server), [3, 2, 2]);
    server.submit(0, 10, 9)?;
    assert_eq!(totals(&server), [3, 3, 2]);

    let mut finished = Vec::new();
    server.advance(&mut finished);
    assert_eq!(totals(&server), [2, 3, 2], "replica 0 has lost the first");
    server.submit(0, 10, 9)?;
    assert_eq!(totals(&server), [3, 3, 2], "a waiting request counts as much as a running one");
    Ok(())
}

#[test]
fn completions_at_one_instant_come_by_replica_then_by_admission() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1.0, 0.0, 0.0, 2, 1000)?, 2)?;
    for _ in 0..4 {
        server.submit(0, 10, 5)?;
    }
    let mut finished = Vec::new();
    assert_eq!(server.advance(&mut finished), Some(5.0));
    assert_eq!(finished.iter().map(|id| id.0).collect::<Vec<_>>(), [0, 2, 1, 3]);
    Ok(())
}
