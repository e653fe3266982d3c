//! A replica admits up to `max_sequences`; the next one waits until somebody leaves.

use headway_vtime::{Error, Model, Server};

#[test]
fn no_more_than_the_limit_of_sequences_run() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1.0, 0.0, 0.0, 3, 1000)?, 1)?;
    for output_tokens in [4, 2, 4, 1, 1] {
        server.submit(0, 10, output_tokens)?;
    }
    let mut finished = Vec::new();
    let mut seen = Vec::new();
    while let Some(time) = server.advance(&mut finished) {
        // Who follows is admitted as the clock leaves this time.
        let load = server.loads().next().expect("one replica");
        seen.push((time, finished.drain(..).map(|id| id.0).collect(), load.running, load.waiting));
    }
    let expected: [(f64, Vec<u64>, usize, usize); 3] =
        [(2.0, vec![1], 2, 2), (3.0, vec![3], 2, 1), (4.0, vec![0, 2, 4], 0, 0)];
    assert_eq!(seen, expected);
    Ok(())
}
