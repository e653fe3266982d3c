//! The closed formula for one request on an idle replica gives what a server gives, to the bit.

use headway_vtime::{Error, Model, Server};

#[test]
fn a_lone_request_takes_its_lone_latency() -> Result<(), Error> {
    for (t0, p, d) in [(0.060, 0.000_16, 0.000_4), (0.013_7, 0.000_091_3, 0.0), (1e-6, 0.0, 1e-9)] {
        for (max_sequences, token_budget) in [(1, 1), (1, 7), (64, 2048)] {
            let model = Model::new(t0, p, d, max_sequences, token_budget)?;
            for prompt_tokens in [1, 6, 7, 8, 2047, 2048, 2049, 5000] {
                for output_tokens in [1, 2, 25, 3000] {
                    let mut server = Server::new(model, 2)?;
                    server.submit(0, prompt_tokens, output_tokens)?;
                    let found = server.advance(&mut Vec::new());
                    let expected = model.lone_latency(prompt_tokens, output_tokens)?;
                    assert_eq!(found, Some(expected), "{model:?} {prompt_tokens} {output_tokens}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_call_of_640_and_22_tokens_on_an_l4_takes_about_one_and_a_half_seconds() -> Result<(), Error> {
    let model = Model::new(0.060, 0.000_16, 0.000_4, 64, 2048)?;
    let expected: f64 = 640.0 * 0.000_16 + 21.0 * (0.060 + 0.000_4);
    assert!((model.lone_latency(640, 22)? - expected).abs() < 1e-9);
    Ok(())
}
