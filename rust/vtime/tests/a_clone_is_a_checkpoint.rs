//! A clone goes on exactly as the original does, and neither disturbs the other.

use headway_vtime::{Error, Model, RequestId, Server};

fn rest(mut server: Server) -> Vec<(Option<f64>, Vec<RequestId>)> {
    let mut log = Vec::new();
    while server.in_flight() > 0 {
        let mut finished = Vec::new();
        log.push((server.advance(&mut finished), finished));
    }
    log
}

#[test]
fn a_clone_is_a_checkpoint() -> Result<(), Error> {
    let model = Model::new(0.060, 0.000_16, 0.000_4, 4, 2048)?;
    let mut server = Server::new(model, 2)?;
    for number in 0..30_u32 {
        server.submit(i64::from(number % 3), 100 + 70 * number, 1 + number % 11)?;
    }
    server.advance_until(0.777, &mut Vec::new())?;
    let checkpoint = server.clone();
    let expected = rest(server);
    assert!(expected.len() > 10);
    assert_eq!(rest(checkpoint.clone()), expected);
    assert_eq!(rest(checkpoint), expected);
    Ok(())
}
