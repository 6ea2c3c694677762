//! `greenroom node`: the nodes of the store of a running server, and the end of one in good order.

use super::{
    args::{NodeArgs, NodeCommand, Output},
    internal::Internal,
    output::{clean, line, out},
    tools::block_on,
};
use crate::{config::Config, failure::Failure};
use greenroom_actors::NodeInfo;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn run(config: &Config, args: &NodeArgs) -> Result<(), Failure> {
    let server = Internal::of(config)?;
    match args.command {
        NodeCommand::Ls { output } => {
            let nodes: Vec<NodeInfo> = block_on(server.get("/admin/nodes"))??;
            match output {
                Output::Text => out(listed(&nodes)),
                Output::Json => line(serde_json::to_string(&nodes).unwrap_or_default()),
            }
        }
        NodeCommand::Drain => {
            let _: Value = block_on(server.post("/admin/drain", &json!({})))??;
            line("it takes no new runs, and ends once those under way have")
        }
    }
}

/// Nodes in columns.
fn listed(nodes: &[NodeInfo]) -> String {
    let mut text = String::new();
    for NodeInfo { incarnation, address, sealed, this } in nodes {
        let mark = if *this { "*" } else { " " };
        let state = if *sealed { "sealed" } else { "open" };
        let address = clean(address.as_deref().unwrap_or("no address"));
        let _ = writeln!(text, "{mark} {incarnation:<8} {state:<7} {address}"); // a String takes all
    }
    text.push_str("* the one that was asked\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed_with_the_one_that_was_asked() {
        let node = |incarnation, address: Option<&str>, this: bool| NodeInfo {
            incarnation,
            address: address.map(str::to_owned),
            sealed: !this,
            this,
        };
        let nodes = [node(3, None, false), node(4, Some("10.0.0.1:8001"), true)];
        assert_eq!(
            listed(&nodes),
            "  3        sealed  no address\n\
             * 4        open    10.0.0.1:8001\n\
             * the one that was asked\n"
        );
    }
}
