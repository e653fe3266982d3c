//! Drives many agents in a closed loop and prints what was modelled.
//!
//! `time cargo run --release -p headway-vtime --example closed_loop -- 100000 8 200` says what it
//! costs: requests, replicas, agents that each have one request in flight.

use headway_vtime::{Model, Server};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let arguments = arguments.collect::<Result<Vec<u32>, _>>()?;
    let [requests, replicas, agents] = arguments[..] else {
        return Err("give the numbers of requests, replicas and agents".into());
    };
    // One L4 and a model of 8 billion parameters.
    let model = Model::new(0.060, 0.000_16, 0.000_4, 64, 2048)?;
    let mut server = Server::new(model, replicas)?;
    // A multiplicative hash spreads the sizes: prompts of 300 to 999 tokens, answers of 1 to 49.
    let size = |number: u32| number.wrapping_mul(2_654_435_769) >> 16;
    let submit = |server: &mut Server, number: u32| {
        let (prompt, output) = (300 + size(number) % 700, 1 + size(!number) % 49);
        server.submit(i64::from(number / agents), prompt, output)
    };
    let mut submitted = 0;
    while submitted < agents.min(requests) {
        submit(&mut server, submitted)?;
        submitted += 1;
    }
    let mut finished = Vec::new();
    let mut order_hash = 0_u64;
    while let Some(time) = server.advance(&mut finished) {
        for id in finished.drain(..) {
            order_hash = (order_hash ^ id.0 ^ time.to_bits()).wrapping_mul(0x0100_0000_01b3);
            if submitted < requests {
                submit(&mut server, submitted)?;
                submitted += 1;
            }
        }
    }
    let statistics = server.statistics();
    let busy: f64 = statistics.replicas.iter().map(|replica| replica.busy_seconds).sum();
    let iterations: u64 = statistics.replicas.iter().map(|replica| replica.iterations).sum();
    println!("modelled seconds    {:.3}", statistics.now);
    println!("requests finished   {}", statistics.finished);
    println!("mean in flight      {:.2}", statistics.in_flight_seconds / statistics.now);
    println!("mean busy replicas  {:.2}", busy / statistics.now);
    println!("iterations          {iterations}");
    println!("order hash          {order_hash:016x}");
    Ok(())
}
